"""`EmbedJob`: files in, parts of vectors out. It can be killed at any moment and started again."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, InputError, JinaEISError
from .columns import load, text_array, vector_array
from .cost import RequestSpacing, estimate
from .engines import embed_on_ray
from .ledger import ERROR, Ledger, Summary, locked
from .progress import Progress, Tracker
from .service import EmbeddingService
from .sources import Row, Scan, Source

__all__ = ["PART_ROWS", "EmbedJob"]

PART_ROWS = 4_096  # 16 MB of vectors; a kill costs less than a minute from 70 texts a second
PATIENCE = 300.0  # seconds in which a request is retried, as in an ingest: a restart of a node takes one minute


@dataclass(slots=True)
class EmbeddedRow:
    """A row, and its vector or the reason why it has none."""

    row: Row
    vector: array[float] | None = None
    problem: str | None = None


@dataclass(slots=True)
class EmbedJob:
    """Embeds the rows of files, and writes them into a folder as Parquet parts of equal numbers of rows.

    The columns of a part: `id` (string), `text` (string), `vector` (fixed-size list of float32), and `error` (string): the reason
    of a row without a vector, such as a missing text. The schema's metadata have `model`, `inference_id`, `input_type` and
    `dimensions`.

    A job that was killed is resumed by starting it again: complete parts are kept and their texts not sent. A transient
    failure that outlasts the retries ends the job with its error, and never becomes a null.

    Args:
        source: The input.
        folder: The folder of the parts: a new one, an empty one, or that of the same job.
        service: The endpoint, the role and the address.
        part_rows: Rows of a part. They are held in memory.
        rpm: Maximum requests a minute; None for the pace of the service.
        tpm: Maximum tokens a minute, kept by the average of all texts; None for the pace of the service.
        engine: "local", or "ray" for the tasks of a Ray cluster.
        address: Address of an existing Ray cluster; None to start one on this machine, or for Ray's own settings.

    Raises:
        ConfigurationError: another job runs on the folder, or has other settings or another input. Nothing was sent.
        InputError: the input cannot be read, or has changed while it was read.
        JinaEISError: the service returned an error. The complete parts are kept.
    """

    source: Source
    folder: Path
    service: EmbeddingService
    part_rows: int = PART_ROWS
    rpm: float | None = None
    tpm: float | None = None
    engine: str = "local"
    address: str | None = None
    _success: str | None = field(default=None, init=False)  # a text that the service has embedded

    def run(self, report: Callable[[Progress], None] | None = None) -> Summary:
        """Run the job, or what remains of it.

        Args:
            report: Receives the progress once a second, in another thread, and must not raise.
        """
        load("pyarrow.parquet")
        if self.engine == "ray":
            load("ray", "ray")
            if self.rpm or self.tpm:
                raise ConfigurationError("rpm and tpm are kept within one process. Leave them out with engine='ray'.")
        state = self.source.state()
        scan = self.source.scan(count_tokens=self.tpm is not None)
        with locked(self.folder):
            ledger = self._ledger(scan)
            complete = ledger.complete()
            resumed = sum(map(ledger.rows_of, complete))
            self.service.limit(RequestSpacing.of(estimate(scan, batch_size=self.service.batch_size), self.rpm, self.tpm))
            with Tracker(report, scan.rows, resumed) as tracker:
                for number, rows in self._embedded_parts(ledger, complete.keys(), tracker):
                    self._check_unchanged(state)
                    ledger.write(number, _table(rows, ledger))
            if scan.rows == 0 and not complete:
                ledger.write(0, _table([], ledger))
        return Summary(scan.rows, resumed, sum(complete.values()) + tracker.failed, ledger.parts)

    def _ledger(self, scan: Scan) -> Ledger:
        stand_in = self.service.stand_in()
        endpoint = self.service.describe()
        if endpoint.dimensions is None:
            raise ConfigurationError(
                f"Elasticsearch does not know the length of the vectors of {endpoint.inference_id}, which every part needs. "
                "Use an endpoint whose length it knows."
            )
        job = {
            "model": endpoint.model_id or endpoint.inference_id,
            "inference_id": endpoint.inference_id,
            "input_type": self.service.document_input_type,
            "dimensions": endpoint.dimensions,
            "part_rows": self.part_rows,
            "rows": scan.rows,
            "digest": scan.digest,
        }
        return Ledger(self.folder, {**job, "stand_in": stand_in} if stand_in else job)

    def _check_unchanged(self, state: list[tuple[int, int, int]]) -> None:
        if self.source.state() != state:
            raise InputError("An input file has changed while it was read. Start the job again in another folder.")

    def _embedded_parts(self, ledger: Ledger, complete: Set[int], tracker: Tracker) -> Iterator[tuple[int, list[EmbeddedRow]]]:
        rows = (
            (number, row)
            for position, row in enumerate(self.source.rows())
            if (number := position // self.part_rows) not in complete
        )
        if self.engine == "ray":
            parts = ((number, [row for _, row in group]) for number, group in groupby(rows, key=lambda pair: pair[0]))
            for number, part, outcomes in embed_on_ray(parts, self.service, self.address, self._patience()):
                embedded = [self._embedded(row, outcome) for row, outcome in zip(part, outcomes, strict=True)]
                tracker.add(len(embedded), failed=sum(row.vector is None for row in embedded))
                yield number, embedded
            return
        with closing(self._embedded_rows(rows, tracker)) as all_embedded:
            for number, group in groupby(all_embedded, key=lambda pair: pair[0]):
                yield number, [embedded for _, embedded in group]

    def _embedded_rows(self, rows: Iterator[tuple[int, Row]], tracker: Tracker) -> Any:
        """Yield the rows with their vectors, in order, from one stream of requests over all parts."""
        waiting: deque[tuple[int, Row]] = deque()

        def texts() -> Iterator[str]:
            for number, row in rows:
                waiting.append((number, row))
                if row.problem is None:
                    yield row.text or ""

        def without_text() -> Iterator[tuple[int, EmbeddedRow]]:
            while waiting and waiting[0][1].problem is not None:
                number, row = waiting.popleft()
                tracker.add(failed=1)
                yield number, self._embedded(row, None)

        with closing(self.service.outcomes(texts(), patience=self._patience())) as outcomes:
            for outcome in outcomes:
                yield from without_text()
                number, row = waiting.popleft()
                embedded = self._embedded(row, outcome)
                tracker.add(failed=embedded.vector is None)
                yield number, embedded
        yield from without_text()

    def _embedded(self, row: Row, outcome: Sequence[float] | JinaEISError | None) -> EmbeddedRow:
        if outcome is None:
            return EmbeddedRow(row, problem=row.problem)
        if isinstance(outcome, JinaEISError) and outcome.transient:
            outcome = self._second_outcome(row, outcome)
        if isinstance(outcome, JinaEISError):
            return EmbeddedRow(row, problem=str(outcome))
        self._success = row.text
        return EmbeddedRow(row, array("f", outcome))

    def _second_outcome(self, row: Row, error: JinaEISError) -> list[float] | JinaEISError:
        """Send a text alone after a transient error. It causes the error itself only if another text succeeds after it.

        Raises:
            JinaEISError: the other text fails too: the service is failing, and the row can be embedded later.
        """
        if self._success is None:
            raise error
        for text in (row.text or "", self._success):
            with closing(self.service.outcomes([text])) as outcomes:
                outcome = next(outcomes)
            if text == row.text and not isinstance(outcome, JinaEISError):
                return outcome
        if isinstance(outcome, JinaEISError):
            raise error
        return error

    def _patience(self) -> float | None:
        return None if self.service.model_fields_set & {"max_retries", "deadline"} else PATIENCE


def _table(rows: list[EmbeddedRow], ledger: Ledger) -> Any:
    """Return a part. Its schema is the same for every part of a job, whatever its rows are."""
    pa = load("pyarrow")
    dimensions = ledger.job["dimensions"]
    fields = [("id", pa.string()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), dimensions)), (ERROR, pa.string())]
    columns = [
        text_array([embedded.row.key for embedded in rows]),
        text_array([embedded.row.text for embedded in rows]),
        vector_array([embedded.vector for embedded in rows], dimensions),
        text_array([embedded.problem for embedded in rows]),
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=ledger.metadata()))
