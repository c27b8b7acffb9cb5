"""Writing of documents into an index, as steps: bulk requests of a limited size, resends, and the refresh after them.

It knows no field and no embedding. Every outcome is recorded in the report of the ingest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from ..errors import JinaEISError
from ..wire import Call, Dumps, Outcome, Steps, Write, ask, bulk, get_refresh_interval, refresh_index
from .ingest_report import IngestReport
from .ingest_settings import Refresh
from .rescue import isolate_failing_inputs

__all__ = ["BULK_DOCUMENTS", "RESENDS", "BulkWriter"]

A = TypeVar("A")
LOG = logging.getLogger("jina_eis.pace")

BULK_DOCUMENTS = 128  # in a request; Elasticsearch embeds them before it responds
BULK_BYTES = 5 * 2**20  # of texts and media in a request; Elastic advises a few megabytes
LONGEST_WAIT = 5.0  # seconds between two refreshes of an index, for which a write waits; the default of serverless
RESENDS = 10  # of documents that Elasticsearch rejected from a request, for lack of capacity, while it took others
_REJECTED = "Elasticsearch is overloaded. Retry later."


@dataclass(frozen=True, slots=True)
class BulkWriter:
    """Writes and deletes documents of one index.

    Attributes:
        index: Name of the index.
        report: Receives every outcome.
        dumps: As for `IngestSettings`.
        patience: As for `IngestSettings`.
    """

    index: str
    report: IngestReport
    dumps: Dumps | None
    patience: float | None

    def write(
        self, writes: Sequence[Write], *, along: Sequence[Call[A]] = (), wait: bool = False, embedded: bool = False
    ) -> Steps[list[A]]:
        """Send writes, and resend those that Elasticsearch rejects for lack of capacity.

        Args:
            writes: The writes.
            along: Calls that are sent at the same time.
            wait: Whether a single request waits until searches see the writes.
            embedded: Whether Elasticsearch embeds the documents, for counts.

        Returns:
            The results of the other calls.
        """
        calls: list[Call[Any]] = [*along, *self._calls(writes, wait=wait, embedded=embedded)]
        answers = yield from ask(calls)
        rejected = _rejected(answers[len(along) :])
        for _ in range(RESENDS):
            if not rejected:
                break
            rejected = _rejected((yield from ask(self._calls(rejected))))
        for write in rejected:
            self.report.fail(write.id, _REJECTED)
        return answers[: len(along)]

    def waits(self, refresh: Refresh) -> Steps[bool]:
        """Return whether a request may wait for the next refresh of the index, which exists: not if that takes long."""
        if refresh != "wait_for":
            return False
        (interval,) = yield from ask([get_refresh_interval(self.index)])
        return interval is None or interval <= LONGEST_WAIT

    def refresh(self, refresh: Refresh) -> Steps[None]:
        """Make what was written visible to searches, unless it is."""
        report = self.report
        if not refresh or report.indexed <= report.visible:
            return
        try:
            yield from ask([replace(refresh_index(self.index), patience=self.patience)])
        except JinaEISError as error:
            if report.failed:
                raise report.error(error) from error
            error.message = (
                f"All documents are written, but searches may not see them yet (pass refresh=False to skip this): {error.message}"
            )
            raise

    def _calls(self, writes: Sequence[Write], *, wait: bool = False, embedded: bool = False) -> Iterator[Call[Sequence[Outcome]]]:
        """Yield the requests for some writes. If `wait` and there is only one, it waits until searches see them."""
        batch: list[Write] = []
        size = written = 0
        for write in writes:
            added = write.size
            if batch and (len(batch) == BULK_DOCUMENTS or size + added > BULK_BYTES):
                yield self._call(batch, embedded=embedded)
                written += len(batch)
                batch, size = [], 0
            batch.append(write)
            size += added
        if batch:
            yield self._call(batch, wait=wait and not written, embedded=embedded)

    def _call(self, writes: Sequence[Write], *, wait: bool = False, embedded: bool = False) -> Call[Sequence[Outcome]]:
        """A bulk request that updates the report when it is sent and when it is answered."""
        call = bulk(self.index, writes, wait=wait, dumps=self.dumps)
        half = len(writes) // 2

        def load_body() -> Any:
            self.report.sent(writes)
            return call.with_body().body

        def halves() -> list[Call[Sequence[Outcome]]]:
            return [replace(self._call(part), rescue=None) for part in (writes[:half], writes[half:])]

        def isolate(failed: Call[Any], error: JinaEISError, others: bool) -> Steps[Sequence[Outcome]]:
            try:
                outcomes = yield from isolate_failing_inputs(failed, error, others)
            except JinaEISError as final:
                if not final.transient:
                    self.report.refused(writes, final)
                raise
            return self.report.answered(
                [
                    Outcome(write, outcome.status or 0, outcome.message) if isinstance(outcome, JinaEISError) else outcome
                    for write, outcome in zip(writes, outcomes, strict=True)
                ]
            )

        return replace(
            cast("Call[Sequence[Outcome]]", call),
            read=lambda body: self.report.answered(call.read(body), visible=wait),
            load_body=load_body,
            halves=halves if half else None,
            rescue=isolate,
            patience=self.patience,
            new_inputs=len(writes) if embedded else 0,
        )


def _rejected(answers: Iterable[Sequence[Outcome]]) -> list[Write]:
    """Return the writes that Elasticsearch rejected for lack of capacity, and log that there are some."""
    outcomes = [outcome for answer in answers for outcome in answer]
    rejected = [outcome.write for outcome in outcomes if outcome.rejected]
    if rejected:
        LOG.info("Elasticsearch rejected %d of %d documents for lack of capacity; they are retried", len(rejected), len(outcomes))
    return rejected
