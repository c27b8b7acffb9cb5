"""Ingest, as steps: an index made when it is missing, and any number of documents written into it in bounded memory.

Elasticsearch embeds what goes into semantic_text and semantic fields; vectors for a dense_vector field are made here, while
the documents before them are written. Documents go in blocks. What fails is reported by its id, and nothing else is lost.
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
from .rescue import apart
from .search import describe_index

__all__ = ["DEFAULT_ENDPOINT", "FieldType", "Indexer", "Record"]

FieldType = Literal["semantic_text", "semantic", "dense_vector"]

DEFAULT_ENDPOINT = ".jina-embeddings-v5-text-small"
DEFAULT_FIELD = "embedding"
BULK_DOCUMENTS = 128  # in a request; Elasticsearch embeds them before it answers
BULK_BYTES = 5 * 2**20  # of texts and media in a request; Elastic advises a few megabytes
BLOCK = 64 * BATCH_SIZE  # documents in memory, and once more those whose vectors are made while these are written
SEMANTIC_BYTES = 10**6  # of a medium; Elasticsearch's default for `semantic` fields, and all that serverless takes
SHOWN = 5  # failed documents in the text of an error
RESENDS = 10  # of documents that Elasticsearch had no room for, among others that it took
_NO_ROOM = "Elasticsearch has too much to do. Try it again later."
_PAGES = "A PDF has a vector for each page, and a document has one. Add its pages one by one."
_TWICE = "another document before it has the same id, and only that was written"


@dataclass(frozen=True, slots=True)
class Record:
    """A document to be indexed.

    Attributes:
        id: Its id; a document of the same id is replaced.
        content: What is embedded, or why it cannot be.
        source: Its fields, without the one that is embedded.
    """

    id: str
    content: Content | InputError
    source: Mapping[str, Any]


@dataclass(slots=True)
class _Report:
    """What became of the documents so far."""

    ids: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    written: int = 0

    def note(self, answers: Iterable[Sequence[Outcome]]) -> list[Write]:
        """Note what became of writes; those that Elasticsearch had no room for are given back."""
        again = []
        for outcome in (outcome for answer in answers for outcome in answer):
            if outcome.rejected:
                again.append(outcome.write)
            elif outcome.reason is not None:
                self.failed[outcome.write.id] = outcome.reason
            else:
                self.written += 1
        return again

    def error(self, why: JinaEISError | None = None) -> DocumentsFailedError:
        """The error that says what was written and what was not, and why it came to an end if it did."""
        shown = [f"{each!r}: {reason}" for each, reason in list(self.failed.items())[:SHOWN]]
        if len(self.failed) > SHOWN:
            shown.append(f"and {len(self.failed) - SHOWN} more")
        told = [f"{len(self.failed)} of {len(self.seen)} documents failed: {'; '.join(shown)}." if shown else ""]
        told.append("The others were written." if self.written and not why else "")
        told.append(f"{self.written} documents were written, and then: {why}" if why else "")
        return DocumentsFailedError(
            " ".join(filter(None, told)), self.failed, [each for each in self.ids if each not in self.failed]
        )


@dataclass(frozen=True, slots=True)
class Indexer:
    """How documents get into an index. What is None is taken from the index if it is there.

    Args:
        index: The index; it is made when it is missing.
        content_field: The field with the text.
        field: The field that is searched by meaning; None for the only one there is, `embedding` in a new index.
        field_type: Its type; None for the one that it has, semantic_text in a new index.
        inference_id: The endpoint that embeds; None for the one that the index names, `.jina-embeddings-v5-text-small` for a
            new one.
        dimensions: Length of the vectors in a dense_vector field; None for the index's or the endpoint's own.
        index_options: How vectors are indexed in a new index, as in a mapping; None for Elasticsearch's default.
        chunking_settings: How semantic_text cuts a text into passages in a new index; None for the endpoint's own.
        timeout: Seconds that an embedding may take, where it is made here.
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
                "Make an endpoint with these dimensions, or use a dense_vector field."
            )

    def add(self, records: Iterable[Record], refresh: bool) -> Steps[list[str]]:
        """Write documents; their ids, in their order.

        Raises:
            DocumentsFailedError: some documents failed and all others were written; or something went wrong for good after
                some were written, which is its cause.
        """
        ready = yield from self._ready()
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
        """Delete documents by their ids; those that do not exist are passed over."""
        yield from describe_index(self.index, fresh=True)
        report = _Report()
        remaining = iter(ids)
        while block := [Write(each, None) for each in islice(remaining, BLOCK)]:
            report.seen.update(each.id for each in block)
            yield from self._write(block, report)
        if refresh and report.written:
            yield from _refresh(self.index, report)
        if report.failed:
            raise report.error()

    def _ready(self) -> Steps[Indexer]:
        """The same, with nothing left to be found out, once the index is there and fit."""
        try:
            return self._fit((yield from describe_index(self.index, fresh=True)))
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
            return self._fit((yield from describe_index(self.index, fresh=True)))  # somebody else was faster
        return new

    def _fit(self, index: Index) -> Indexer:
        """The same, with what an index says that was there before."""
        name = self.field
        if name is None:
            able = index.of_types(*((self.field_type,) if self.field_type else VECTORS))
            if len(able) != 1:
                found = ", ".join(f"{each.name} ({each.type})" for each in able) or "none"
                raise ConfigurationError(
                    f"Which field of the index {index.name!r} is to be filled? Choose one with field. It has: {found}."
                )
            name = able[0].name
        there = index.fields.get(name)
        if there is None or there.type not in VECTORS or self.field_type not in (None, there.type):
            what = f"is of type {there.type}" if there else "does not exist"
            raise ConfigurationError(
                f"field={name!r} {what} in the index {index.name!r}, and it should be {self.field_type or ' or '.join(VECTORS)}. "
                "Choose another field or field_type, or another index_name."
            )
        made_with = there.inference_id or index.inference_id
        endpoint = self.inference_id or made_with or DEFAULT_ENDPOINT
        if made_with and made_with != endpoint:
            raise ConfigurationError(
                f"The index {index.name!r} is embedded with {made_with}, and not with {endpoint}. "
                f"Pass inference_id={made_with!r}, or another index_name."
            )
        if there.dims and self.dimensions and there.dims != self.dimensions:
            raise ConfigurationError(
                f"dimensions={self.dimensions}: the vectors in {name!r} of the index {index.name!r} have {there.dims}. "
                f"Pass dimensions={there.dims}, or another index_name."
            )
        return replace(
            self,
            field=name,
            field_type=cast(FieldType, there.type),
            inference_id=endpoint,
            dimensions=self.dimensions or there.dims,
        )

    def _create(self) -> Steps[None]:
        endpoint = yield from self._endpoint()
        dims = self.dimensions or endpoint.dimensions
        if self.field_type == "dense_vector" and dims is None:
            raise ConfigurationError(f"Elasticsearch does not know the length of {self.inference_id}'s vectors. Pass dimensions.")
        options = {"index_options": dict(self.index_options)} if self.index_options else {}
        if self.field_type == "dense_vector":
            embedded = {"type": "dense_vector", "dims": dims, "index": True, "similarity": "cosine", **options}
        else:
            chunking = {"chunking_settings": dict(self.chunking_settings)} if self.chunking_settings else {}
            embedded = {"type": self.field_type, "inference_id": self.inference_id, **options, **chunking}
        properties = {self.content_field: {"type": "text"}, str(self.field): embedded}
        noted = self.inference_id if self.field_type == "dense_vector" else None
        yield from ask([create_index(self.index, properties, noted)])

    def _endpoint(self) -> Steps[EndpointInfo]:
        endpoint = yield from describe_endpoint(str(self.inference_id))
        wanted = ("embedding",) if self.field_type == "semantic" else ("text_embedding", "embedding")
        if endpoint.task not in wanted:
            raise ConfigurationError(
                f"{self.inference_id} is an endpoint for {endpoint.task}, and a {self.field_type} field needs one for "
                f"{' or '.join(wanted)}, such as {'.jina-embeddings-v5-omni-small' if len(wanted) == 1 else DEFAULT_ENDPOINT}."
            )
        Embedder(endpoint.inference_id, self.dimensions)  # which knows the lengths that a model was trained for
        return endpoint

    def _add(self, records: Iterable[Record], report: _Report) -> Steps[None]:
        endpoint = yield from self._endpoint()
        embedder = Embedder(endpoint.inference_id, self.dimensions, timeout=self.timeout)
        remaining = _noted(records, report)
        ready: list[Write] = []
        while (block := list(islice(remaining, BLOCK))) or ready:
            fit = [record for record in block if self._fits(endpoint, record, report)]
            embeds: list[Call[Any]] = []
            if self.field_type == "dense_vector":
                calls = embedder.content_calls(endpoint, [cast("Content", each.content) for each in fit], "ingest")
                embeds = [replace(cast("Call[Any]", call), rescue=apart) for call in calls]
            else:
                ready = [Write(each.id, {**each.source, str(self.field): each.content}) for each in fit]
            failed_before, written_before = len(report.failed), report.written
            answers: list[list[Any]] = yield from ask([*embeds, *self._bulks(ready)])
            again = report.note(answers[len(embeds) :])
            yield from self._write(again, report, resends=RESENDS)
            sent, ready = ready, []
            vectors = [vector for batch in answers[: len(embeds)] for vector in batch]
            for record, vector in zip(fit if embeds else (), vectors, strict=True):
                if isinstance(vector, JinaEISError):
                    report.failed[record.id] = vector.message
                elif isinstance(vector[0], list):
                    report.failed[record.id] = _PAGES
                else:
                    ready.append(Write(record.id, {**record.source, str(self.field): vector}))
            if sent and report.written == written_before and len(report.failed) - failed_before >= len(sent) > BULK_DOCUMENTS:
                raise JinaEISError("Nothing of a whole block of documents could be written.")

    def _fits(self, endpoint: EndpointInfo, record: Record, report: _Report) -> bool:
        """Whether the field can take a record; if not, why is noted."""
        content = record.content
        try:
            if isinstance(content, InputError):
                raise content
            if self.field_type == "semantic_text" and not isinstance(content, str):
                raise InputError(
                    f"{label(content)} is no text, and semantic_text takes nothing else. "
                    'Make the index with field_type="semantic" (Elastic Stack 9.5) or "dense_vector".'
                )
            if self.field_type == "semantic" and isinstance(content, tuple):
                raise InputError('A semantic field embeds the parts of a document apart. Use "dense_vector" for fused inputs.')
            if self.field_type == "semantic" and isinstance(content, Medium) and content.size > SEMANTIC_BYTES:
                raise InputError(
                    f"{label(content)} has {content.size:,} bytes, and a semantic field takes {SEMANTIC_BYTES:,} by default "
                    "(indices.inference.max_binary_input_size; serverless takes no more). Make it smaller, or use dense_vector."
                )
            check_modalities(endpoint, [content], [len(report.ids) - 1])
        except InputError as error:
            report.failed[record.id] = error.message
            return False
        return True

    def _write(self, writes: list[Write], report: _Report, resends: int = RESENDS + 1) -> Steps[None]:
        """Send writes, and those again that Elasticsearch has no room for."""
        for _ in range(resends):
            if not writes:
                return
            writes = report.note((yield from ask(self._bulks(writes))))
        report.failed.update((write.id, _NO_ROOM) for write in writes)

    def _bulks(self, writes: Iterable[Write]) -> Iterator[Call[list[Outcome]]]:
        batch: list[Write] = []
        size = 0
        for write in writes:
            if batch and (len(batch) == BULK_DOCUMENTS or size + write.size > BULK_BYTES):
                yield replace(bulk(self.index, batch), rescue=partial(_apart, batch))
                batch, size = [], 0
            batch.append(write)
            size += write.size
        if batch:
            yield replace(bulk(self.index, batch), rescue=partial(_apart, batch))


def _noted(records: Iterable[Record], report: _Report) -> Iterator[Record]:
    """The same records, as they come; of two with one id, the first."""
    for record in records:
        if record.id in report.seen:
            report.failed[record.id] = _TWICE
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
            f"All documents are written, but searches may not see them yet (refresh=False asks for no more): {error.message}"
        )
        raise


def _apart(writes: Sequence[Write], call: Call[Any], error: JinaEISError, others: bool) -> Steps[list[Outcome]]:
    """What becomes of the writes of a failed request, when they are sent apart."""
    outcomes = yield from apart(call, error, others)
    return [
        Outcome(write, outcome.status or 0, outcome.message) if isinstance(outcome, JinaEISError) else outcome
        for write, outcome in zip(writes, outcomes, strict=True)
    ]
