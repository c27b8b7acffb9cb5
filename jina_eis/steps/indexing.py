"""Ingest, as steps: create a missing index, and write any number of documents into it in bounded memory.

Elasticsearch embeds semantic_text and semantic fields. Vectors for a dense_vector field are made here, block by block, while
the block before is written. A failure is reported by the id of its document, and all other documents are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, Literal, cast

from ..contents import Content, Medium, label
from ..errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, InputError, JinaEISError, RequestRejectedError
from ..wire import VECTORS, Call, EndpointInfo, Index, Outcome, Steps, Write, ask, bulk, create_index, refresh_index
from .compatibility import check_modalities
from .embedder import BATCH_SIZE, Embedder
from .endpoints import describe_endpoint
from .rescue import isolate_failing_inputs
from .search import describe_index

__all__ = ["DEFAULT_ENDPOINT", "FieldType", "Indexer", "Record"]

FieldType = Literal["semantic_text", "semantic", "dense_vector"]

DEFAULT_ENDPOINT = ".jina-embeddings-v5-text-small"
DEFAULT_FIELD = "embedding"
BULK_DOCUMENTS = 128  # in a request; Elasticsearch embeds them before it responds
BULK_BYTES = 5 * 2**20  # of texts and media in a request; Elastic advises a few megabytes
BLOCK = 64 * BATCH_SIZE  # documents in memory, in addition to the block that is written while this one is embedded
SEMANTIC_BYTES = 10**6  # of a medium; Elasticsearch's default for `semantic` fields, and the maximum of serverless
LISTED_FAILURES = 5  # failed documents that the text of an error lists
RESENDS = 10  # of documents that Elasticsearch rejected from a request, for lack of capacity, while it took others
_REJECTED = "Elasticsearch is overloaded. Retry later."
_PAGES = "A PDF has a vector for each page, and a document has one. Add its pages one by one."
_DUPLICATE = "an earlier document has the same id, and only that one was written"


@dataclass(frozen=True, slots=True)
class Record:
    """A document to index.

    Attributes:
        id: Its id; an existing document with this id is replaced.
        content: The content to embed, or the error that prevents it.
        source: Its fields, without the embedded one.
    """

    id: str
    content: Content | InputError
    source: Mapping[str, Any]


@dataclass(slots=True)
class _Report:
    """The outcomes of the documents so far."""

    ids: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    written: int = 0

    def add(self, answers: Iterable[Sequence[Outcome]]) -> list[Write]:
        """Record outcomes. Returns the writes that Elasticsearch rejected for lack of capacity."""
        rejected = []
        for outcome in (outcome for answer in answers for outcome in answer):
            if outcome.rejected:
                rejected.append(outcome.write)
            elif outcome.reason is not None:
                self.failed[outcome.write.id] = outcome.reason
            else:
                self.written += 1
        return rejected

    def error(self, cause: JinaEISError | None = None) -> DocumentsFailedError:
        """Return the error that lists the failed documents, and the cause that ended the ingest, if any."""
        failures = [f"{document!r}: {reason}" for document, reason in list(self.failed.items())[:LISTED_FAILURES]]
        if len(self.failed) > LISTED_FAILURES:
            failures.append(f"and {len(self.failed) - LISTED_FAILURES} more")
        sentences = [f"{len(self.failed)} of {len(self.seen)} documents failed: {'; '.join(failures)}." if failures else ""]
        sentences.append("The others were written." if self.written and not cause else "")
        sentences.append(f"{self.written} documents were written before this error: {cause}" if cause else "")
        return DocumentsFailedError(
            " ".join(filter(None, sentences)), self.failed, [document for document in self.ids if document not in self.failed]
        )


@dataclass(frozen=True, slots=True)
class Indexer:
    """Writes documents into an index. Settings that are None are taken from an existing index.

    Args:
        index: Name of the index; it is created if it is missing.
        content_field: The text field.
        field: The field for semantic search; None for the only one in the index, `embedding` in a new index.
        field_type: Its type; None for its type in the index, semantic_text in a new index.
        inference_id: The endpoint that embeds; None for that of the index, `.jina-embeddings-v5-text-small` in a new index.
        dimensions: Length of the vectors in a dense_vector field; None for that of the index or the endpoint.
        index_options: Vector index options of a new index, as in a mapping; None for Elasticsearch's default.
        chunking_settings: How semantic_text splits a text into passages in a new index; None for the endpoint's own.
        timeout: Seconds that an embedding request of this library may take.
    """

    index: str
    content_field: str
    field: str | None = None
    field_type: FieldType | None = None
    inference_id: str | None = None
    dimensions: int | None = None
    index_options: Mapping[str, Any] | None = None
    chunking_settings: Mapping[str, Any] | None = None
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.dimensions and self.field_type in ("semantic_text", "semantic"):
            raise ConfigurationError(
                f"dimensions={self.dimensions}: the vectors of a {self.field_type} field are as long as its endpoint's. "
                "Create an endpoint with these dimensions, or use a dense_vector field."
            )

    def add(self, records: Iterable[Record], refresh: bool) -> Steps[list[str]]:
        """Write documents. Returns their ids, in order.

        Raises:
            DocumentsFailedError: some documents failed and all others were written; or a permanent error, which is its cause,
                occurred after some were written.
        """
        ready = yield from self._prepare()
        report = _Report()
        try:
            yield from ready._add(records, report)
        except JinaEISError as error:
            if not report.written and not report.failed:
                raise
            raise report.error(error) from error
        if refresh and report.written:
            yield from _refresh(self.index, report)
        if report.failed:
            raise report.error()
        return report.ids

    def delete(self, ids: Iterable[str], refresh: bool) -> Steps[None]:
        """Delete documents by id. Missing documents are ignored."""
        yield from describe_index(self.index, fresh=True)
        report = _Report()
        remaining = iter(ids)
        while block := [Write(document, None) for document in islice(remaining, BLOCK)]:
            report.seen.update(write.id for write in block)
            yield from self._write(block, report)
        if refresh and report.written:
            yield from _refresh(self.index, report)
        if report.failed:
            raise report.error()

    def _prepare(self) -> Steps[Indexer]:
        """Return the same indexer with all settings, after the index was found or created."""
        try:
            return self._with_settings_of((yield from describe_index(self.index, fresh=True)))
        except IndexNotFoundError:
            pass
        new = replace(
            self,
            field=self.field or DEFAULT_FIELD,
            field_type=self.field_type or "semantic_text",
            inference_id=self.inference_id or DEFAULT_ENDPOINT,
        )
        try:
            yield from new._create()
        except RequestRejectedError as error:
            if error.error_type != "resource_already_exists_exception":
                raise
            return self._with_settings_of((yield from describe_index(self.index, fresh=True)))  # created concurrently
        return new

    def _with_settings_of(self, index: Index) -> Indexer:
        """Return the same indexer with the settings of an existing index. Raises ConfigurationError if they conflict."""
        name = self.field
        if name is None:
            candidates = index.of_types(*((self.field_type,) if self.field_type else VECTORS))
            if len(candidates) != 1:
                names = ", ".join(f"{candidate.name} ({candidate.type})" for candidate in candidates) or "none"
                raise ConfigurationError(
                    f"The index {index.name!r} has not exactly one field to fill, but: {names}. Choose one with field."
                )
            name = candidates[0].name
        existing = index.fields.get(name)
        if existing is None or existing.type not in VECTORS or self.field_type not in (None, existing.type):
            state = f"is of type {existing.type}" if existing else "does not exist"
            raise ConfigurationError(
                f"field={name!r} {state} in the index {index.name!r}; it must be {self.field_type or ' or '.join(VECTORS)}. "
                "Choose another field or field_type, or another index_name."
            )
        index_endpoint = existing.inference_id or index.inference_id
        endpoint = self.inference_id or index_endpoint or DEFAULT_ENDPOINT
        if index_endpoint and index_endpoint != endpoint:
            raise ConfigurationError(
                f"The index {index.name!r} is embedded with {index_endpoint}, not with {endpoint}. "
                f"Pass inference_id={index_endpoint!r}, or another index_name."
            )
        if existing.dims and self.dimensions and existing.dims != self.dimensions:
            raise ConfigurationError(
                f"dimensions={self.dimensions}: the vectors in {name!r} of the index {index.name!r} have {existing.dims}. "
                f"Pass dimensions={existing.dims}, or another index_name."
            )
        return replace(
            self,
            field=name,
            field_type=cast(FieldType, existing.type),
            inference_id=endpoint,
            dimensions=self.dimensions or existing.dims,
        )

    def _create(self) -> Steps[None]:
        endpoint = yield from self._endpoint()
        dims = self.dimensions or endpoint.dimensions
        if self.field_type == "dense_vector" and dims is None:
            raise ConfigurationError(f"Elasticsearch does not know the length of {self.inference_id}'s vectors. Pass dimensions.")
        options = {"index_options": dict(self.index_options)} if self.index_options else {}
        if self.field_type == "dense_vector":
            field_mapping = {"type": "dense_vector", "dims": dims, "index": True, "similarity": "cosine", **options}
        else:
            chunking = {"chunking_settings": dict(self.chunking_settings)} if self.chunking_settings else {}
            field_mapping = {"type": self.field_type, "inference_id": self.inference_id, **options, **chunking}
        properties = {self.content_field: {"type": "text"}, str(self.field): field_mapping}
        recorded_endpoint = self.inference_id if self.field_type == "dense_vector" else None
        yield from ask([create_index(self.index, properties, recorded_endpoint)])

    def _endpoint(self) -> Steps[EndpointInfo]:
        endpoint = yield from describe_endpoint(str(self.inference_id))
        tasks = ("embedding",) if self.field_type == "semantic" else ("text_embedding", "embedding")
        if endpoint.task not in tasks:
            raise ConfigurationError(
                f"{self.inference_id} is an endpoint for {endpoint.task}. A {self.field_type} field needs one for "
                f"{' or '.join(tasks)}, such as {'.jina-embeddings-v5-omni-small' if len(tasks) == 1 else DEFAULT_ENDPOINT}."
            )
        Embedder(endpoint.inference_id, self.dimensions)  # checks the dimensions
        return endpoint

    def _add(self, records: Iterable[Record], report: _Report) -> Steps[None]:
        endpoint = yield from self._endpoint()
        embedder = Embedder(endpoint.inference_id, self.dimensions, timeout=self.timeout)
        remaining = _first_of_each_id(records, report)
        ready: list[Write] = []
        while (block := list(islice(remaining, BLOCK))) or ready:
            accepted = [record for record in block if self._accepts(endpoint, record, report)]
            embed_calls: list[Call[Any]] = []
            if self.field_type == "dense_vector":
                contents = [cast("Content", record.content) for record in accepted]
                calls = embedder.content_calls(endpoint, contents, "ingest")
                embed_calls = [replace(cast("Call[Any]", call), rescue=isolate_failing_inputs) for call in calls]
            else:
                ready = [Write(record.id, {**record.source, str(self.field): record.content}) for record in accepted]
            failed_before, written_before = len(report.failed), report.written
            answers: list[list[Any]] = yield from ask([*embed_calls, *self._bulk_calls(ready)])
            rejected = report.add(answers[len(embed_calls) :])
            yield from self._write(rejected, report, resends=RESENDS)
            sent, ready = ready, []
            vectors = [vector for batch in answers[: len(embed_calls)] for vector in batch]
            for record, vector in zip(accepted if embed_calls else (), vectors, strict=True):
                if isinstance(vector, JinaEISError):
                    report.failed[record.id] = vector.message
                elif isinstance(vector[0], list):
                    report.failed[record.id] = _PAGES
                else:
                    ready.append(Write(record.id, {**record.source, str(self.field): vector}))
            if sent and report.written == written_before and len(report.failed) - failed_before >= len(sent) > BULK_DOCUMENTS:
                raise JinaEISError("No document of a whole block could be written.")

    def _accepts(self, endpoint: EndpointInfo, record: Record, report: _Report) -> bool:
        """Whether the field can hold a record. If not, the reason is recorded."""
        content = record.content
        try:
            if isinstance(content, InputError):
                raise content
            if self.field_type == "semantic_text" and not isinstance(content, str):
                raise InputError(
                    f"{label(content)} is not a text, and a semantic_text field holds only texts. "
                    'Create the index with field_type="semantic" (Elastic Stack 9.5) or "dense_vector".'
                )
            if self.field_type == "semantic" and isinstance(content, tuple):
                raise InputError('A semantic field embeds each part separately. Use "dense_vector" for fused inputs.')
            if self.field_type == "semantic" and isinstance(content, Medium) and content.size > SEMANTIC_BYTES:
                raise InputError(
                    f"{label(content)} has {content.size:,} bytes. A semantic field takes {SEMANTIC_BYTES:,} by default "
                    "(indices.inference.max_binary_input_size; serverless takes no more). Make it smaller, or use dense_vector."
                )
            check_modalities(endpoint, [content], [len(report.ids) - 1])
        except InputError as error:
            report.failed[record.id] = error.message
            return False
        return True

    def _write(self, writes: list[Write], report: _Report, resends: int = RESENDS + 1) -> Steps[None]:
        """Send writes, and resend those that Elasticsearch rejects for lack of capacity."""
        for _ in range(resends):
            if not writes:
                return
            writes = report.add((yield from ask(self._bulk_calls(writes))))
        report.failed.update((write.id, _REJECTED) for write in writes)

    def _bulk_calls(self, writes: Iterable[Write]) -> Iterator[Call[list[Outcome]]]:
        batch: list[Write] = []
        size = 0
        for write in writes:
            if batch and (len(batch) == BULK_DOCUMENTS or size + write.size > BULK_BYTES):
                yield replace(bulk(self.index, batch), rescue=partial(_isolate_failing_writes, batch))
                batch, size = [], 0
            batch.append(write)
            size += write.size
        if batch:
            yield replace(bulk(self.index, batch), rescue=partial(_isolate_failing_writes, batch))


def _first_of_each_id(records: Iterable[Record], report: _Report) -> Iterator[Record]:
    """Yield the first record of each id, and add it to the report."""
    for record in records:
        if record.id in report.seen:
            report.failed[record.id] = _DUPLICATE
        else:
            report.seen.add(record.id)
            report.ids.append(record.id)
            yield record


def _refresh(index: str, report: _Report) -> Steps[None]:
    try:
        yield from ask([refresh_index(index)])
    except JinaEISError as error:
        if report.failed:
            raise report.error(error) from error
        error.message = (
            f"All documents are written, but searches may not see them yet (pass refresh=False to skip this): {error.message}"
        )
        raise


def _isolate_failing_writes(writes: Sequence[Write], call: Call[Any], error: JinaEISError, others: bool) -> Steps[list[Outcome]]:
    """Return the outcomes of the writes of a failed request, after sending them in smaller requests."""
    outcomes = yield from isolate_failing_inputs(call, error, others)
    return [
        Outcome(write, outcome.status or 0, outcome.message) if isinstance(outcome, JinaEISError) else outcome
        for write, outcome in zip(writes, outcomes, strict=True)
    ]
