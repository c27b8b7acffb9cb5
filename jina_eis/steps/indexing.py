"""Ingest, as steps: any number of documents into an index, in bounded memory, and documents out of it.

Elasticsearch embeds semantic_text and semantic fields. Vectors for a dense_vector field are made here, block by block, while
the block before is written. A failure is reported by the id of its document, and all other documents are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from ..contents import Content, holds_url
from ..errors import InputError, JinaEISError
from ..wire import Call, Steps, Write, ask, check_json, delete_by_query, refresh_index
from .bulk_writer import BULK_DOCUMENTS, BulkWriter
from .embedder import BATCH_SIZE, FUSION, PASS_URLS, AnyEmbedded, Embedder, has_fused
from .fields import describe_index, require_one
from .filters import as_queries
from .folding import blocks
from .ingest_field import IngestField, create_index_with, find_field
from .ingest_records import Record, accepted, as_write, check_vectors, embedded_records, encoded, names_of, with_vectors
from .ingest_report import IngestReport
from .ingest_settings import IngestSettings, Refresh
from .lengths import LengthCheck
from .rescue import isolate_failing_inputs
from .version import require

__all__ = ["Indexer", "delete_matching"]

BLOCK = 64 * BATCH_SIZE  # documents in memory, in addition to the block that is written while this one is embedded
DELETED_AT_ONCE = 10_000  # documents in a request, so that it ends before its timeout
MOST_CONFLICTS = 10  # requests of one deletion that met documents which were changed at the same time

EmbedCall = Call[list[AnyEmbedded | JinaEISError]]  # whose failing inputs are isolated


@dataclass(frozen=True, slots=True)
class Indexer(IngestSettings):
    """Writes documents into an index, and deletes them. Args: as for `IngestSettings`."""

    def add(self, records: Iterable[Record], refresh: Refresh) -> Steps[list[str]]:
        """Write documents. Returns their ids, in order. Of records with one id, the last is written.

        The index is created when the first document is ready to be written. The vectors of a list are checked before.

        Raises:
            DocumentsFailedError: some documents failed and all others were written; or a permanent error, or one of the
                iterable, which is its cause, occurred after some were written, or sent without a response.
        """
        return self.observe(self._ingest(records, refresh))

    def delete(self, ids: Iterable[str], refresh: Refresh) -> Steps[None]:
        """Delete documents by id. Missing documents are ignored."""
        require_one((yield from describe_index(self.index, fresh=True)), "Deleting by id")
        writer = self._writer()
        report = writer.report
        waits = yield from writer.waits(refresh)
        for number, block in enumerate(blocks(dict.fromkeys(ids), BLOCK)):
            for document in block:
                report.read(document)
            yield from writer.write([Write(document, None) for document in block], wait=waits and not number)
        yield from writer.refresh(refresh)
        if report.failed:
            raise report.error()

    def _writer(self) -> BulkWriter:
        return BulkWriter(self.index, IngestReport(), self.dumps, self.patience)

    def _ingest(self, records: Iterable[Record], refresh: Refresh) -> Steps[list[str]]:
        field = yield from find_field(self)
        if isinstance(records, Sequence):
            check_vectors(field, records)
        writer = self._writer()
        report = writer.report
        try:
            yield from self._fill(field, records, writer, refresh)
        except Exception as error:
            if not (report.has_outcomes if isinstance(error, JinaEISError) else report.ids):
                raise
            if isinstance(error, InputError) or not isinstance(error, JinaEISError):  # of the iterable, not of the service
                with suppress(JinaEISError):
                    yield from writer.refresh(refresh)
            raise report.error(error) from error
        except BaseException as ended:  # a cancelled task, Ctrl-C
            if report.ids:
                ended.__context__ = report.error(ended)
            raise
        try:
            yield from writer.refresh(refresh)
        except JinaEISError:
            raise
        except BaseException as ended:  # as above; all documents have their outcome
            ended.__context__ = report.error(ended)
            raise
        if report.failed:
            raise report.error()
        return report.ids

    def _fill(self, field: IngestField, records: Iterable[Record], writer: BulkWriter, refresh: Refresh) -> Steps[None]:
        """Write all records, block by block: those of a field that takes vectors while the next block is embedded."""
        report = writer.report
        waits = (yield from writer.waits(refresh)) if field.exists else refresh == "wait_for" and not self.index_settings
        lengths = LengthCheck(self.too_long)
        source = _Blocks(record for record in records if report.read(record.id))
        ready: list[Write] = []
        while (block := source.next_block()) or ready:
            ids = {record.id for record in block}
            ready = [write for write in ready if write.id not in ids]  # the outcome of the later document would be overwritten
            kept = accepted(field, block, report, self.too_long)
            embed_calls = (yield from self._embed_calls(field, kept, lengths)) if field.takes_vectors else []
            if not field.takes_vectors:
                ready = [as_write(field, record, record.content) for record in kept]
            if not field.exists:  # it is created only for a document that can be written
                ready = [write for write in ready if self._is_writable(write, report)]
                field = yield from self._created(field, ready, report)
            if field.takes_vectors:
                ready = [encoded(field, write) for write in ready]
            wait = waits and not report.indexed and source.ended
            vectors = yield from self._write_block(writer, ready, embed_calls, wait=wait, embedded=not field.takes_vectors)
            ready = with_vectors(field, kept, vectors, report) if field.takes_vectors else []
            del vectors  # as lists, each has 32 kB: only those of one block are in memory
        source.raise_error()

    def _created(self, field: IngestField, first: Sequence[Write], report: IngestReport) -> Steps[IngestField]:
        """Return the field, in an index that is created for the first documents, if there are any."""
        if not first:
            return field
        dimensions = field.dimensions
        if field.takes_vectors and dimensions is None:
            dimensions = len((first[0].source or {})[field.name])
        field, is_new = yield from create_index_with(field, self, dimensions)
        if is_new:
            report.created = self.index
        return field

    def _write_block(
        self, writer: BulkWriter, writes: list[Write], embed_calls: list[EmbedCall], *, wait: bool, embedded: bool
    ) -> Steps[list[AnyEmbedded | JinaEISError]]:
        """Send a block of writes together with the embedding requests of the next one. Returns the vectors of that one."""
        report = writer.report
        failed_before, indexed_before = len(report.failed), len(report.indexed)
        batches = yield from writer.write(writes, along=embed_calls, wait=wait, embedded=embedded)
        none_written = len(report.indexed) == indexed_before and len(report.failed) - failed_before >= len(writes)
        if none_written and len(writes) > BULK_DOCUMENTS:
            raise JinaEISError("No document of a whole block could be written.")
        return [vector for batch in batches for vector in batch]

    def _is_writable(self, write: Write, report: IngestReport) -> bool:
        """Whether JSON can represent a document. If not, the reason is recorded."""
        try:
            check_json(write, self.dumps)
        except InputError as error:
            report.fail(write.id, error.message)
            return False
        return True

    def _embed_calls(self, field: IngestField, records: Sequence[Record], lengths: LengthCheck) -> Steps[list[EmbedCall]]:
        """Return the calls that embed the records of a block that have no vector. Equal contents are sent once."""
        to_embed = embedded_records(records)
        if not to_embed or field.endpoint is None:
            return []
        contents = [cast("Content", record.content) for record in to_embed]
        lengths.check(field.endpoint, contents, names_of(to_embed))
        if any(map(holds_url, contents)):
            yield from require(*PASS_URLS)
        if has_fused(contents):  # asked before: afterwards it would be the reason of every document
            yield from require(*FUSION)
        embedder = Embedder(field.endpoint.inference_id, field.dimensions, timeout=self.timeout)
        calls = embedder.content_calls(field.endpoint, contents, "ingest")
        # Numbers that JSON has written need no work to be written again. Those of CBOR do, unless they stay in bytes.
        in_cbor = field.in_base64 is not False
        changes: dict[str, Any] = {"rescue": isolate_failing_inputs, "patience": self.patience, "vectors": in_cbor}
        return [replace(cast("EmbedCall", call), **changes) for call in calls]


class _Blocks:
    """The records of an iterable, in blocks in which no id stands twice. An error of the iterable is kept for the end."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._blocks = blocks(records, BLOCK)
        self._error: Exception | None = None
        self.ended = False

    def next_block(self) -> list[Record]:
        """Return the next block; an empty one after the last. Of records with one id, the last is kept."""
        block: list[Record] = []
        try:
            if not self.ended:
                block = next(self._blocks, [])
                if len(block) < BLOCK:
                    self.ended = True
                    next(self._blocks, None)  # raises the error that ended the block
        except Exception as error:  # noqa: BLE001 - not handled here, but raised after what was read is written
            self._error, self.ended = error, True
        return list({record.id: record for record in block}.values())

    def raise_error(self) -> None:
        """Raise the error that ended the iterable, if any."""
        if self._error:
            raise self._error


def delete_matching(index: str, filters: Any, refresh: Refresh) -> Steps[int]:
    """Delete the documents that match a filter, as `as_queries` takes it. Returns their number.

    All documents that were written before the call are looked at: the index is refreshed first.
    """
    queries = as_queries(filters, (yield from describe_index(index, fresh=True)))
    query = {"bool": {"filter": queries}} if queries else {"match_all": {}}
    deleted, conflicts = 0, 0
    while True:
        yield from ask([refresh_index(index)])
        (outcome,) = yield from ask([delete_by_query(index, query, DELETED_AT_ONCE)])
        deleted += outcome.deleted
        conflicts += bool(outcome.conflicts)
        if conflicts > MOST_CONFLICTS:
            raise JinaEISError(f"{deleted} documents were deleted, and others are changed again and again. Retry later.")
        if not outcome.conflicts and outcome.total < DELETED_AT_ONCE:
            break
    if refresh and deleted:
        yield from ask([refresh_index(index)])
    return deleted
