"""Ingest, as steps: an index made when it is missing, and any number of documents written into it in bounded memory.

Elasticsearch embeds what goes into semantic_text and semantic fields; vectors for a dense_vector field are made here, while
the documents before them are written. What fails is reported by its id, and nothing else is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Literal, cast

from .compatibility import check_modalities
from .embedder import BATCH_SIZE, Embedder
from .endpoints import describe
from .errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, InputError, JinaEISError, RequestRejectedError
from .inputs import Content, label
from .media import Medium
from .rescue import skip
from .search import describe_index
from .wire import Call, EndpointInfo, Steps, ask
from .wire_search import Index, Outcome, Write, bulk, create_index, refresh_index

__all__ = ["DEFAULT_ENDPOINT", "FieldType", "Indexer", "Record"]

FieldType = Literal["semantic_text", "semantic", "dense_vector"]

DEFAULT_ENDPOINT = ".jina-embeddings-v5-text-small"
BULK_DOCUMENTS = 128  # in a request; Elasticsearch embeds them before it answers
BULK_BYTES = 5 * 2**20  # of texts and media in a request; Elastic advises a few megabytes
BLOCK = 32 * BATCH_SIZE  # documents whose vectors are made while those before them are written
SEMANTIC_BYTES = 10**6  # of a medium; Elasticsearch's default for `semantic` fields, and all that serverless takes
SHOWN = 5  # failed documents in the text of an error
RESENDS = 10  # of documents that Elasticsearch had no room for, among others that it took


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


@dataclass(frozen=True, slots=True)
class Indexer:
    """How documents get into an index.

    Args:
        index: The index; it is made when it is missing.
        field: The field that is searched by meaning.
        field_type: Its type.
        content_field: The field with the text.
        inference_id: The endpoint that embeds.
        dimensions: Length of the vectors in a dense_vector field; None for the endpoint's own.
        index_options: How vectors are indexed, as in a mapping; None for Elasticsearch's default.
        chunking_settings: How semantic_text cuts a text into passages; None for the endpoint's own.
        timeout: Seconds that an embedding may take, where it is made here.
    """

    index: str
    field: str
    field_type: FieldType
    content_field: str
    inference_id: str
    dimensions: int | None = None
    index_options: Mapping[str, Any] | None = None
    chunking_settings: Mapping[str, Any] | None = None
    timeout: float = 60.0

    def add(self, records: Iterable[Record], refresh: bool) -> Steps[list[str]]:
        """Write documents; their ids, in their order.

        Raises:
            DocumentsFailedError: some documents failed; all others were written.
        """
        endpoint = yield from self._prepare()
        ids: list[str] = []
        failed: dict[str, str] = {}
        counted = _counted(records, ids)
        if self.field_type == "dense_vector":
            rejected = yield from self._add_with_vectors(endpoint, counted, failed)
        else:
            rejected = _rejected((yield from ask(self._bulks(self._writes(counted, failed)))), failed)
        for _ in range(RESENDS):
            if not rejected:
                break
            rejected = _rejected((yield from ask(self._bulks(rejected))), failed)
        failed.update((write.id, "Elasticsearch has too much to do. Add it again later.") for write in rejected)
        if refresh and ids:
            yield from ask([refresh_index(self.index)])
        if failed:
            raise _documents_failed(failed, ids)
        return ids

    def delete(self, ids: Iterable[str], refresh: bool) -> Steps[None]:
        """Delete documents by their ids; those that do not exist are passed over."""
        failed: dict[str, str] = {}
        rejected = [Write(each, None) for each in ids]
        if not rejected:
            return
        for _ in range(RESENDS):
            rejected = _rejected((yield from ask(self._bulks(rejected))), failed)
            if not rejected:
                break
        failed.update((write.id, "Elasticsearch has too much to do. Delete it again later.") for write in rejected)
        if refresh:
            yield from ask([refresh_index(self.index)])
        if failed:
            raise _documents_failed(failed, [])

    def _prepare(self) -> Steps[EndpointInfo]:
        """The endpoint, once the index is there and fit."""
        endpoint = yield from describe(self.inference_id)
        if endpoint.task not in ("text_embedding", "embedding") or (
            self.field_type == "semantic" and endpoint.task != "embedding"
        ):
            raise ConfigurationError(
                f"{self.inference_id} is an endpoint for {endpoint.task}, and a {self.field_type} field needs one for "
                f"{'embedding, such as .jina-embeddings-v5-omni-small' if self.field_type == 'semantic' else 'embeddings'}."
            )
        dims = self.dimensions or endpoint.dimensions
        if self.field_type == "dense_vector" and dims is None:
            raise ConfigurationError(f"Elasticsearch does not know the length of {self.inference_id}'s vectors. Pass dimensions.")
        Embedder(self.inference_id, self.dimensions)  # which knows the lengths that a model was trained for
        try:
            index = yield from describe_index(self.index)
        except IndexNotFoundError:
            try:
                yield from ask([create_index(self.index, self._properties(dims), self._noted())])
            except RequestRejectedError as error:
                if error.error_type != "resource_already_exists_exception":
                    raise
                index = yield from describe_index(self.index)  # somebody else was faster
            else:
                return endpoint
        self._check(index, dims)
        return endpoint

    def _properties(self, dims: int | None) -> dict[str, Any]:
        options = {"index_options": dict(self.index_options)} if self.index_options else {}
        chunking = {"chunking_settings": dict(self.chunking_settings)} if self.chunking_settings else {}
        if self.field_type == "dense_vector":
            embedded = {"type": "dense_vector", "dims": dims, "index": True, "similarity": "cosine", **options}
        else:
            embedded = {"type": self.field_type, "inference_id": self.inference_id, **options, **chunking}
        return {self.content_field: {"type": "text"}, self.field: embedded}

    def _noted(self) -> str | None:
        return self.inference_id if self.field_type == "dense_vector" else None

    def _check(self, index: Index, dims: int | None) -> None:
        """That an index which was there before can take the documents."""
        field = index.fields.get(self.field)
        if field is None or field.type != self.field_type:
            what = f"is of type {field.type}" if field else "does not exist"
            raise ConfigurationError(
                f"field={self.field!r} {what} in the index {index.name!r}, and it should be {self.field_type}. "
                "Choose another field or field_type, or another index_name."
            )
        made_with = field.inference_id or index.inference_id
        if made_with and made_with != self.inference_id:
            raise ConfigurationError(
                f"The index {index.name!r} is embedded with {made_with}, and not with {self.inference_id}. "
                f"Pass inference_id={made_with!r}, or another index_name."
            )
        if field.dims and field.dims != dims:
            raise ConfigurationError(
                f"dimensions={dims}: the vectors in {self.field!r} of the index {index.name!r} have {field.dims}. "
                f"Pass dimensions={field.dims}, or another index_name."
            )

    def _writes(self, records: Iterator[Record], failed: dict[str, str]) -> Iterator[Write]:
        """What Elasticsearch embeds by itself."""
        for record in records:
            content = record.content
            if isinstance(content, InputError):
                failed[record.id] = content.message
            elif told := self._unfit(content):
                failed[record.id] = told
            else:
                yield Write(record.id, {**record.source, self.field: content})

    def _unfit(self, content: Content) -> str | None:
        """Why a field that Elasticsearch embeds cannot take this."""
        if self.field_type == "semantic_text" and not isinstance(content, str):
            return (
                f"{label(content)} is no text, and semantic_text takes nothing else. "
                'Make the index with field_type="semantic" (Elastic Stack 9.5) or "dense_vector".'
            )
        if isinstance(content, tuple):
            return 'A semantic field embeds the parts of a document apart. Use field_type="dense_vector" for fused inputs.'
        if isinstance(content, Medium) and content.size > SEMANTIC_BYTES:
            return (
                f"{label(content)} has {content.size:,} bytes, and a semantic field takes {SEMANTIC_BYTES:,} by default "
                "(indices.inference.max_binary_input_size; serverless takes no more). Make it smaller, or use dense_vector."
            )
        return None

    def _add_with_vectors(self, endpoint: EndpointInfo, records: Iterator[Record], failed: dict[str, str]) -> Steps[list[Write]]:
        """Embed a block of documents while the one before it is written."""
        embedder = Embedder(self.inference_id, self.dimensions, timeout=self.timeout)
        rejected: list[Write] = []
        ready: list[Write] = []
        while (taken := list(islice(records, BLOCK))) or ready:
            block = [record for record in taken if _embeds(endpoint, record, failed)]
            contents = [content for content in (record.content for record in block) if not isinstance(content, InputError)]
            calls = embedder.content_calls(endpoint, contents, "ingest")
            embeds: list[Call[Any]] = [replace(cast("Call[Any]", call), rescue=skip) for call in calls]
            answers: list[list[Any]] = yield from ask([*embeds, *self._bulks(ready)])
            rejected += _rejected(answers[len(embeds) :], failed)
            ready = []
            vectors = (vector for batch in answers[: len(embeds)] for vector in batch)
            for record, vector in zip(block, vectors, strict=True):
                if isinstance(vector, JinaEISError):
                    failed[record.id] = vector.message
                elif isinstance(vector[0], list):
                    failed[record.id] = "A PDF has a vector for each page, and a document has one. Add its pages one by one."
                else:
                    ready.append(Write(record.id, {**record.source, self.field: vector}))
        return rejected

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


def _counted(records: Iterable[Record], ids: list[str]) -> Iterator[Record]:
    """The same records, whose ids are noted as they come.

    Raises:
        InputError: an id comes twice: nobody could tell which of the two would be written last.
    """
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise InputError(f"The id {record.id!r} is given to two documents. The documents before the second were written.")
        seen.add(record.id)
        ids.append(record.id)
        yield record


def _embeds(endpoint: EndpointInfo, record: Record, failed: dict[str, str]) -> bool:
    """Whether the endpoint embeds a record; if not, why is noted."""
    try:
        if isinstance(record.content, InputError):
            raise record.content
        check_modalities(endpoint, [record.content], [0])
    except InputError as error:
        failed[record.id] = error.message
        return False
    return True


def _apart(writes: Sequence[Write], call: Call[Any], error: JinaEISError, others: bool) -> Steps[list[Outcome]]:
    """What becomes of the writes of a failed request, when they are sent apart."""
    if error.transient and not others:
        raise error
    outcomes = yield from skip(call, error, others)
    return [
        Outcome(write, outcome.status or 0, outcome.message) if isinstance(outcome, JinaEISError) else outcome
        for write, outcome in zip(writes, outcomes, strict=True)
    ]


def _rejected(answers: Iterable[Sequence[Outcome]], failed: dict[str, str]) -> list[Write]:
    """The writes that Elasticsearch had no room for; why others failed is noted."""
    again = []
    for outcome in (outcome for answer in answers for outcome in answer):
        if outcome.rejected:
            again.append(outcome.write)
        elif outcome.reason is not None:
            failed[outcome.write.id] = outcome.reason
    return again


def _documents_failed(failed: Mapping[str, str], ids: Sequence[str]) -> DocumentsFailedError:
    shown = "; ".join(f"{each!r}: {why}" for each, why in list(failed.items())[:SHOWN])
    more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    done = [each for each in ids if each not in failed]
    told = f"{len(failed)} of {len(ids) or len(failed)} documents failed: {shown}{more}. The others were written."
    return DocumentsFailedError(told, failed, done)
