"""`IndexJob`: files into an Elasticsearch index, with ids made of the content.

A second run writes the same documents under the same ids, so the index stays as it is. It does not resume.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from ..adapters import RetrieverSettings, content_id, stored_metadata
from ..contents import Content
from ..errors import InputError
from ..steps import Record
from .ledger import Summary
from .progress import Progress, Tracker
from .sources import Row, Source

__all__ = ["IndexJob", "IndexSettings"]


class IndexSettings(RetrieverSettings):
    """The settings of the index, without a framework."""

    def write(self, records: Iterator[Record]) -> list[str]:
        """Write documents, make them searchable, and return their ids."""
        return self._run(self._indexer().add(records, refresh=True))

    def text_field(self) -> str:
        """Return the name of the field with the text."""
        return self.content_field or self._text_field

    def _adapt(self, value: Any) -> None:
        """No framework, so no object of one."""


@dataclass(slots=True)
class IndexJob:
    """Writes the rows of files into an index, which is created if it is missing.

    A document has the text, and the other columns of its row in `metadata`, as the retrievers of both frameworks write and read
    them. Its id is that of the id column or a digest of text and other columns: equal documents are one document.

    Args:
        source: The input.
        settings: The index, the endpoint and the address.

    Raises:
        InputError: the input cannot be read, or a row has no text. Nothing was sent.
        DocumentsFailedError: some documents were not written; all others were.
    """

    source: Source
    settings: IndexSettings

    def run(self, report: Callable[[Progress], None] | None = None) -> Summary:
        """Run the job.

        Args:
            report: Receives the progress once a second: rows that were read. In another thread; it must not raise.
        """
        scan = self.source.scan()
        for row in self.source.rows() if scan.texts < scan.rows else ():
            if row.problem:
                raise InputError(f"{row.place}: {row.problem} Remove the row, or choose another column.")
        with Tracker(report, scan.rows) as tracker:
            documents = len(set(self.settings.write(self._records(tracker))))
        return Summary(documents, 0, 0, 0, repeated=scan.rows - documents)

    def _records(self, tracker: Tracker) -> Iterator[Record]:
        written: set[bytes] = set()  # equal rows are one document, which is paid once
        for row in self.source.rows():
            tracker.add()
            metadata = stored_metadata(_as_json(row))
            text: Content = row.text or ""
            id_ = row.id
            if id_ is None:
                id_ = content_id(row.text or "", metadata)
                if bytes.fromhex(id_) in written:
                    continue
                written.add(bytes.fromhex(id_))
            yield Record(id_, text, {self.settings.text_field(): text, "metadata": metadata})


def _as_json(row: Row) -> dict[str, Any]:
    """Return the other columns as values of JSON. NaN, which JSON lacks, becomes null."""

    def convert(value: Any) -> Any:
        if isinstance(value, (date, time)):
            return value.isoformat()
        if isinstance(value, Decimal):
            return str(value)
        raise TypeError

    def constant(_: str) -> None:
        return None

    values: dict[str, Any] = {}
    for name, value in row.rest.items():
        try:
            values[name] = json.loads(json.dumps(value, default=convert), parse_constant=constant)
        except (TypeError, ValueError):
            raise InputError(
                f"{row.place}: column {name!r} has a value of type {type(value).__name__}, which JSON lacks. Remove the column."
            ) from None
    return values
