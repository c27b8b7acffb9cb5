"""Ingest, as steps: create a missing index, and write any number of documents into it in bounded memory.

Elasticsearch embeds semantic_text and semantic fields. Vectors for a dense_vector field are made here, block by block, while
the block before is written. A failure is reported by the id of its document, and all other documents are written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from ..contents import Content, Medium, holds_url, label
from ..errors import ConfigurationError, IndexNotFoundError, InputError, JinaEISError, RequestRejectedError
from ..wire import (
    VECTORS,
    Call,
    Dumps,
    EndpointInfo,
    Field,
    Index,
    Outcome,
    PackedVector,
    Steps,
    Vector,
    Write,
    ask,
    bulk,
    check_json,
    create_index,
    delete_by_query,
    get_refresh_interval,
    keeps_vectors_in_source,
    refresh_index,
    with_shortest_digits,
)
from .compatibility import check_modalities, known_to_share_space
from .embedder import BATCH_SIZE, FUSION, PASS_URLS, Embedder, has_fused
from .endpoints import describe_endpoint
from .fields import describe_index, require_one
from .filters import as_queries
from .folding import blocks
from .ingest_report import IngestReport
from .lengths import LengthCheck, TooLong
from .names import resolve
from .rescue import isolate_failing_inputs
from .version import REFUSED, Version, require, server_version

__all__ = ["DEFAULT_ENDPOINT", "FieldType", "Indexer", "Record", "Refresh", "delete_matching"]

FieldType = Literal["semantic_text", "semantic", "dense_vector"]
LOG = logging.getLogger("jina_eis.pace")

Refresh = bool | Literal["wait_for"]
"""When searches see what was written. "wait_for": when the call returns; a single request waits for the next refresh of the
index, and after several one refresh is requested. True: when the call returns, by a refresh. False: after the next refresh."""

DEFAULT_ENDPOINT = ".jina-embeddings-v5-text-small"
DEFAULT_FIELD = "embedding"
BULK_DOCUMENTS = 128  # in a request; Elasticsearch embeds them before it responds
BULK_BYTES = 5 * 2**20  # of texts and media in a request; Elastic advises a few megabytes
BLOCK = 64 * BATCH_SIZE  # documents in memory, in addition to the block that is written while this one is embedded
SEMANTIC_BYTES = 10**6  # of a medium; Elasticsearch's default for `semantic` fields, and the maximum of serverless
DELETED_AT_ONCE = 10_000  # documents in a request, so that it ends before its timeout
LONGEST_WAIT = 5.0  # seconds between two refreshes of an index, for which a write waits; the default of serverless
RESENDS = 10  # of documents that Elasticsearch rejected from a request, for lack of capacity, while it took others
BASE64 = "9.3"  # the first version that takes vectors in base64
_REJECTED = "Elasticsearch is overloaded. Retry later."
VECTOR_DATABASE = "vectordb_document"  # the index mode of Elastic's Vector Database projects, which take no other [serverless]
_ONE_MODE = (
    f"This deployment may take indices of mode {VECTOR_DATABASE} only, and sets it by itself: leave index.mode, and settings of "
    "_source and of source vectors, out of index_settings."
)


@dataclass(frozen=True, slots=True)
class Record:
    """A document to index.

    Attributes:
        id: Its id; an existing document with this id is replaced.
        content: The content to embed, or the error that prevents it; None if there is only a vector.
        source: Its fields, without the embedded one.
        vector: Its vector, which a dense_vector field takes as it is. None: the content is embedded.
        text: What a semantic_text field embeds in place of a medium. None: such a field refuses the medium.
    """

    id: str
    content: Content | InputError | None
    source: Mapping[str, Any]
    vector: Vector | None = None
    text: str | None = None


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
        index_settings: Settings of a new index, sent as they are; None for Elasticsearch's defaults.
        timeout: Seconds that an embedding request of this library may take.
        metadata_mappings: Fields below `metadata` in a new index, as in a mapping; None: strings are keywords.
        embeds: Whether contents are embedded. False: every record has its vector, a new index names no endpoint, and its
            vectors are as long as `dimensions` or the first vector.
        too_long: What to do about texts for a dense_vector field that are longer than the model reads: warn once, let the
            document fail, or nothing.
        dumps: Writes a line of a bulk request as JSON, as the serializer of the user's client does; None for this library's own.
        observe: Follows an ingest, given its steps, and returns the same steps.
        patience: Seconds in which a request of an ingest is retried after transient errors, in place of the driver's limits:
            as long as a node takes to restart. None for the driver's limits.
        element_type: Type of the numbers in a dense_vector field, as in the mapping of the index.
    """

    index: str
    content_field: str
    field: str | None = None
    field_type: FieldType | None = None
    inference_id: str | None = None
    dimensions: int | None = None
    index_options: Mapping[str, Any] | None = None
    chunking_settings: Mapping[str, Any] | None = None
    index_settings: Mapping[str, Any] | None = None
    timeout: float = 60.0
    patience: float | None = None
    metadata_mappings: Mapping[str, Any] | None = None
    embeds: bool = True
    dumps: Dumps | None = None
    too_long: TooLong = "warn"
    observe: Callable[[Steps[list[str]]], Steps[list[str]]] = lambda steps: steps
    element_type: str = "float"

    def __post_init__(self) -> None:
        if self.dimensions and self.field_type in ("semantic_text", "semantic"):
            raise ConfigurationError(
                f"dimensions={self.dimensions}: the vectors of a {self.field_type} field are as long as its endpoint's. "
                "Create an endpoint with these dimensions, or use a dense_vector field."
            )
        if not self.embeds and self.field_type not in (None, "dense_vector"):
            raise ConfigurationError(
                f'Vectors of your own need a dense_vector field, and field_type is "{self.field_type}". Leave it out.'
            )

    def add(self, records: Iterable[Record], refresh: Refresh) -> Steps[list[str]]:
        """Write documents. Returns their ids, in order. Of records with one id, the last is written.

        The index is created when the first document is ready to be written. The vectors of a list are checked before.

        Raises:
            DocumentsFailedError: some documents failed and all others were written; or a permanent error, or one of the
                iterable, which is its cause, occurred after some were written, or sent without a response.
        """
        return self.observe(self._ingest(records, refresh))

    def _ingest(self, records: Iterable[Record], refresh: Refresh) -> Steps[list[str]]:
        ready, exists = yield from self._prepare()
        if isinstance(records, Sequence):
            ready._check_vectors(records)
        report = IngestReport()
        try:
            yield from ready._add(records, report, refresh, exists)
        except Exception as error:
            if not (report.has_outcomes if isinstance(error, JinaEISError) else report.ids):
                raise
            if isinstance(error, InputError) or not isinstance(error, JinaEISError):  # of the iterable, not of the service
                with suppress(JinaEISError):
                    yield from self._refresh(report, refresh)
            raise report.error(error) from error
        except BaseException as ended:  # a cancelled task, Ctrl-C
            if report.ids:
                ended.__context__ = report.error(ended)
            raise
        try:
            yield from self._refresh(report, refresh)
        except JinaEISError:
            raise
        except BaseException as ended:  # as above; all documents have their outcome
            ended.__context__ = report.error(ended)
            raise
        if report.failed:
            raise report.error()
        return report.ids

    def delete(self, ids: Iterable[str], refresh: Refresh) -> Steps[None]:
        """Delete documents by id. Missing documents are ignored."""
        require_one((yield from describe_index(self.index, fresh=True)), "Deleting by id")
        report = IngestReport()
        waits = yield from self._waits(refresh)
        for number, block in enumerate(blocks(dict.fromkeys(ids), BLOCK)):
            for document in block:
                report.read(document)
            yield from self._write([Write(document, None) for document in block], report, wait=waits and not number)
        yield from self._refresh(report, refresh)
        if report.failed:
            raise report.error()

    def _prepare(self) -> Steps[tuple[Indexer, bool]]:
        """Return the same indexer with all settings, and whether the index exists. A new index is not created yet."""
        if self.inference_id:
            self = replace(self, inference_id=(yield from resolve(self.inference_id)))
        try:
            index = yield from describe_index(self.index, fresh=True)
            return self._with_settings_of(require_one(index, "Writing")), True
        except IndexNotFoundError:
            if any(sign in self.index for sign in ",*"):
                raise
        new = replace(
            self,
            field=self.field or DEFAULT_FIELD,
            field_type=self.field_type or ("semantic_text" if self.embeds else "dense_vector"),
            inference_id=self.inference_id or (DEFAULT_ENDPOINT if self.embeds else None),
        )
        if new.inference_id:
            endpoint = yield from new._endpoint()
            new = replace(new, dimensions=self.dimensions or (endpoint.dimensions if new.field_type == "dense_vector" else None))
            if new.field_type == "dense_vector" and new.dimensions is None:
                raise ConfigurationError(
                    f"Elasticsearch does not know the length of {new.inference_id}'s vectors. Pass dimensions."
                )
        return new, False

    def _with_settings_of(self, index: Index) -> Indexer:
        """Return the same indexer with the settings of an existing index. Raises ConfigurationError if they conflict."""
        name = self.field
        if name is None:
            candidates = index.of_types(*((self.field_type,) if self.field_type else VECTORS))
            if not candidates:
                kinds = self.field_type or "semantic_text, semantic or dense_vector"
                others = ", ".join(f"{other.name} ({other.type})" for other in index.of_types(*VECTORS))
                raise ConfigurationError(
                    f"The index {index.name!r} has {f'{others}, and ' if others else ''}no field of type {kinds}. Choose another "
                    "index_name, or delete the index with delete_index()."
                )
            if len(candidates) > 1:
                names = ", ".join(f"{candidate.name} ({candidate.type})" for candidate in candidates)
                raise ConfigurationError(
                    f"The fields of the index {index.name!r} that can be filled: {names}. Choose one with field."
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
        endpoint = self.inference_id or index_endpoint
        if index_endpoint and endpoint and index_endpoint != endpoint:
            raise ConfigurationError(
                f"The index {index.name!r} is embedded with {index_endpoint}, not with {endpoint}. "
                f"Pass inference_id={index_endpoint!r}, or another index_name."
                + _ways_to_search(index_endpoint, existing, endpoint)
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
            element_type=existing.element_type,
        )

    def _create(self, first: Sequence[Write]) -> Steps[bool]:
        """Create the index. `first` are documents that are written next. Returns False if it was created at the same time."""
        options = {"index_options": dict(self.index_options)} if self.index_options else {}
        if self.field_type == "dense_vector":
            dims = self.dimensions or len((first[0].source or {})[str(self.field)])
            field_mapping = {"type": "dense_vector", "dims": dims, "index": True, "similarity": "cosine", **options}
        else:
            chunking = {"chunking_settings": dict(self.chunking_settings)} if self.chunking_settings else {}
            field_mapping = {"type": self.field_type, "inference_id": self.inference_id, **options, **chunking}
        properties = {self.content_field: {"type": "text"}, str(self.field): field_mapping}
        recorded_endpoint = self.inference_id if self.field_type == "dense_vector" else None
        try:
            yield from ask([create_index(self.index, properties, recorded_endpoint, self.index_settings, self.metadata_mappings)])
        except RequestRejectedError as error:
            if error.error_type != "resource_already_exists_exception":
                if self.index_settings and VECTOR_DATABASE in str(error):
                    error.message = f"{error.message} {_ONE_MODE}"
                raise
            self._with_settings_of((yield from describe_index(self.index, fresh=True)))  # raises an error if they conflict
            return False
        return True

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

    def _add(self, records: Iterable[Record], report: IngestReport, refresh: Refresh, exists: bool) -> Steps[None]:
        endpoint = (yield from self._endpoint()) if self.inference_id else None
        waits = (yield from self._waits(refresh)) if exists else refresh == "wait_for" and not self.index_settings
        lengths = LengthCheck(self.too_long)
        source = _Blocks(record for record in records if report.read(record.id))
        in_base64 = (yield from self._takes_base64()) if exists else None  # None: not known before the index is created
        ready: list[Write] = []
        while (block := source.next_block()) or ready:
            if self.field_type == "semantic_text":
                block = [record if record.text is None else replace(record, content=record.text) for record in block]
            accepted = [record for record in block if self._accepts(endpoint, record, report)]
            to_embed = [record for record in accepted if record.vector is None] if self.field_type == "dense_vector" else []
            contents = [cast("Content", record.content) for record in to_embed]
            if endpoint is not None:
                lengths.check(endpoint, contents, _names_of(to_embed))
            embed_calls = yield from self._embed_calls(endpoint, contents, in_cbor=in_base64 is not False)
            if self.field_type != "dense_vector":
                ready = [Write(record.id, {**record.source, str(self.field): record.content}) for record in accepted]
            if not exists:  # only for a document that can be written
                ready = [write for write in ready if self._is_writable(write, report)]
                exists = bool(ready)
                if exists and (yield from self._create(ready)):
                    report.created = self.index
                if exists and self.field_type == "dense_vector":
                    in_base64 = yield from self._takes_base64()
                    ready = [self._encoded(write, in_base64) for write in ready]
            only = waits and not report.indexed and source.ended
            vectors = yield from self._write_while_embedding(ready, embed_calls, report, only)
            ready = self._with_vectors(accepted, vectors, report, in_base64) if self.field_type == "dense_vector" else []
            del vectors  # as lists, each has 32 kB: only those of one block are in memory
        source.raise_error()

    def _write_while_embedding(
        self, writes: list[Write], embed_calls: list[Call[Any]], report: IngestReport, wait: bool
    ) -> Steps[list[Any]]:
        """Send a block of writes together with the embedding requests of the next one. Returns the vectors of that one."""
        failed_before, indexed_before = len(report.failed), len(report.indexed)
        bulk_calls = self._bulk_calls(writes, report, wait, embedded=self.field_type != "dense_vector")
        answers: list[list[Any]] = yield from ask([*embed_calls, *bulk_calls])
        yield from self._write(_rejected(answers[len(embed_calls) :]), report, resends=RESENDS)
        none_written = len(report.indexed) == indexed_before and len(report.failed) - failed_before >= len(writes)
        if none_written and len(writes) > BULK_DOCUMENTS:
            raise JinaEISError("No document of a whole block could be written.")
        return [vector for batch in answers[: len(embed_calls)] for vector in batch]

    def _is_writable(self, write: Write, report: IngestReport) -> bool:
        """Whether JSON can represent a document. If not, the reason is recorded."""
        try:
            check_json(write, self.dumps)
        except InputError as error:
            report.fail(write.id, error.message)
            return False
        return True

    def _takes_base64(self) -> Steps[bool]:
        """Return whether the field takes vectors in base64, and no reader of `_source` sees them."""
        if self.field_type != "dense_vector" or self.element_type not in ("float", "bfloat16"):
            return False
        version = yield from server_version()
        if version is None or version < Version.parse(BASE64):
            return False
        try:
            return not (yield from ask([replace(keeps_vectors_in_source(self.index), cache=False)]))[0]
        except JinaEISError as error:
            if error.status not in REFUSED:
                raise
            return False

    def _embed_calls(
        self, endpoint: EndpointInfo | None, contents: Sequence[Content], *, in_cbor: bool
    ) -> Steps[list[Call[Any]]]:
        if not contents or endpoint is None:
            return []
        if any(map(holds_url, contents)):
            yield from require(*PASS_URLS)
        if has_fused(contents):  # asked before: afterwards it would be the reason of every document
            yield from require(*FUSION)
        embedder = Embedder(endpoint.inference_id, self.dimensions, timeout=self.timeout, packed=True)
        calls = embedder.content_calls(endpoint, contents, "ingest")
        # Numbers that JSON has written need no work to be written again. Those of CBOR do.
        changes: dict[str, Any] = {"rescue": isolate_failing_inputs, "patience": self.patience, "vectors": in_cbor}
        return [replace(cast("Call[Any]", call), **changes) for call in calls]

    def _with_vectors(
        self, records: Sequence[Record], vectors: Iterable[Any], report: IngestReport, in_base64: bool | None
    ) -> list[Write]:
        """Return the writes of records, of which those without a vector get the next of `vectors`. Errors are recorded."""
        writes, found = [], iter(vectors)
        for record in records:
            vector = next(found) if record.vector is None else record.vector
            if isinstance(vector, JinaEISError):
                report.fail(record.id, vector.message)
                continue
            pages = vector if isinstance(vector, list) and isinstance(vector[0], (list, PackedVector)) else [vector]
            if len(pages) == 1:
                writes.append(Write(record.id, {**record.source, str(self.field): pages[0]}))
            else:
                report.fail(record.id, _several_vectors(record, len(pages)))
        return writes if in_base64 is None else [self._encoded(write, in_base64) for write in writes]

    def _encoded(self, write: Write, in_base64: bool) -> Write:
        """Return the same write with its vector packed, or as numbers of few digits."""
        source = write.source or {}
        vector: Vector | PackedVector = source[str(self.field)]
        if isinstance(vector, PackedVector):
            if in_base64:
                return write
            vector = vector.tolist()
        packed = PackedVector.of(vector) if in_base64 else None
        return Write(write.id, {**source, str(self.field): with_shortest_digits(vector) if packed is None else packed})

    def _check_vectors(self, records: Sequence[Record]) -> None:
        """Raise InputError for the first vector that the field does not take. Those of a new index are as long as the first."""
        own = next((record.vector for record in records if record.vector is not None), None)
        if self.field_type == "dense_vector" and self.dimensions is None and own is not None:
            self = replace(self, dimensions=len(own))
        for record in records:
            self._check_vector(record)

    def _check_vector(self, record: Record) -> None:
        if self.field_type != "dense_vector":
            if record.content is None:
                raise InputError(
                    f"Document {record.id!r} has a vector alone, and Elasticsearch embeds a {self.field_type} field by itself. "
                    'Use an index with a dense_vector field: field_type="dense_vector".'
                )
        elif record.vector is not None and self.dimensions and len(record.vector) != self.dimensions:
            raise InputError(
                f"The vector of document {record.id!r} has {len(record.vector)} dimensions, and the vectors in {self.field!r} of "
                f"the index {self.index!r} have {self.dimensions}. Embed it with the endpoint of the index, or without a vector "
                "let it be embedded here."
            )

    def _accepts(self, endpoint: EndpointInfo | None, record: Record, report: IngestReport) -> bool:
        """Whether the field can hold a record. If not, the reason is recorded."""
        content = record.content
        try:
            self._check_vector(record)
            if record.vector is not None and self.field_type == "dense_vector":
                return True
            if isinstance(content, InputError):
                raise content
            if content is None:
                raise InputError("It has neither a content nor a vector.")
            if endpoint is None:
                raise ConfigurationError(
                    f"The index {self.index!r} does not name the endpoint of the vectors in {self.field!r}. Pass inference_id."
                )
            if self.field_type == "semantic_text" and not isinstance(content, str):
                raise InputError(
                    f"{label(content)} is not a text, and the semantic_text field {self.field!r} holds only texts. Create an "
                    'index with field_type="semantic" (Elastic Stack 9.5) or "dense_vector", and an omni endpoint: '
                    'inference_id=".jina-embeddings-v5-omni-small".'
                )
            if self.field_type == "semantic" and isinstance(content, tuple):
                raise InputError('A semantic field embeds each part separately. Use "dense_vector" for fused inputs.')
            if self.field_type == "semantic" and holds_url(content):
                raise InputError(
                    f"{label(content)} is a URL, and a semantic field takes only bytes. Create the retriever with "
                    'allow_url_fetch=True and without pass_urls, or the index with field_type="dense_vector".'
                )
            if self.field_type == "semantic" and isinstance(content, Medium) and content.size > SEMANTIC_BYTES:
                raise InputError(
                    f"{label(content)} has {content.size:,} bytes. A semantic field takes {SEMANTIC_BYTES:,} by default "
                    "(indices.inference.max_binary_input_size; serverless takes no more). Make it smaller, or use dense_vector."
                )
            if self.field_type == "dense_vector" and self.too_long == "error":
                LengthCheck("error").check(endpoint, [content], _names_of([record]))
            if not isinstance(content, str):
                check_modalities(endpoint, [content], [report.ids.index(record.id)])
        except InputError as error:
            report.fail(record.id, error.message)
            return False
        return True

    def _write(self, writes: list[Write], report: IngestReport, resends: int = RESENDS + 1, *, wait: bool = False) -> Steps[None]:
        """Send writes, and resend those that Elasticsearch rejects for lack of capacity."""
        for _ in range(resends):
            if not writes:
                return
            writes = _rejected((yield from ask(self._bulk_calls(writes, report, wait))))
            wait = False
        for write in writes:
            report.fail(write.id, _REJECTED)

    def _bulk_calls(
        self, writes: Sequence[Write], report: IngestReport, wait: bool, *, embedded: bool = False
    ) -> Iterator[Call[Sequence[Outcome]]]:
        """Yield the requests for some writes. If `wait` and there is only one, it waits until searches see them.

        With `embedded`, Elasticsearch embeds the documents, which were not sent before.
        """
        batch: list[Write] = []
        size = written = 0
        for write in writes:
            added = write.size
            if batch and (len(batch) == BULK_DOCUMENTS or size + added > BULK_BYTES):
                yield self._bulk_call(batch, report, embedded=embedded)
                written += len(batch)
                batch, size = [], 0
            batch.append(write)
            size += added
        if batch:
            yield self._bulk_call(batch, report, wait=wait and not written, embedded=embedded)

    def _bulk_call(
        self, writes: Sequence[Write], report: IngestReport, *, wait: bool = False, embedded: bool = False
    ) -> Call[Sequence[Outcome]]:
        """A bulk request that updates the report when it is sent and when it is answered."""
        call = bulk(self.index, writes, wait=wait, dumps=self.dumps)
        half = len(writes) // 2

        def load_body() -> Any:
            report.sent(writes)
            return call.with_body().body

        def halves() -> list[Call[Sequence[Outcome]]]:
            return [replace(self._bulk_call(part, report), rescue=None) for part in (writes[:half], writes[half:])]

        def isolate(failed: Call[Any], error: JinaEISError, others: bool) -> Steps[Sequence[Outcome]]:
            try:
                outcomes = yield from isolate_failing_inputs(failed, error, others)
            except JinaEISError as final:
                if not final.transient:
                    report.refused(writes, final)
                raise
            return report.answered(
                [
                    Outcome(write, outcome.status or 0, outcome.message) if isinstance(outcome, JinaEISError) else outcome
                    for write, outcome in zip(writes, outcomes, strict=True)
                ]
            )

        return replace(
            cast("Call[Sequence[Outcome]]", call),
            read=lambda body: report.answered(call.read(body), visible=wait),
            load_body=load_body,
            halves=halves if half else None,
            rescue=isolate,
            patience=self.patience,
            new_inputs=len(writes) if embedded else 0,
        )

    def _waits(self, refresh: Refresh) -> Steps[bool]:
        """Return whether a request may wait for the next refresh of the index, which exists: not if that takes long."""
        if refresh != "wait_for":
            return False
        (interval,) = yield from ask([get_refresh_interval(self.index)])
        return interval is None or interval <= LONGEST_WAIT

    def _refresh(self, report: IngestReport, refresh: Refresh) -> Steps[None]:
        """Make what was written visible to searches, unless it is."""
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
        if conflicts > RESENDS:
            raise JinaEISError(f"{deleted} documents were deleted, and others are changed again and again. Retry later.")
        if not outcome.conflicts and outcome.total < DELETED_AT_ONCE:
            break
    if refresh and deleted:
        yield from ask([refresh_index(index)])
    return deleted


def _ways_to_search(index_endpoint: str, field: Field, endpoint: str) -> str:
    """Return a sentence about searching an index with another endpoint; "" if that is not known to be possible."""
    if not known_to_share_space(endpoint, index_endpoint):
        return ""
    for_all = f"; for all clients of the index, search_with({endpoint!r})" if field.inference_id else ""
    return (
        " The documents of an index stay with their endpoint, but both embed into one vector space. To search with "
        f"{endpoint}: for one application, JinaEISRetriever(inference_id={endpoint!r}){for_all}."
    )


def _several_vectors(record: Record, count: int) -> str:
    """Return the error for a PDF with several vectors. Its pages are records of their own, so it should have one."""
    name = label(cast("Content", record.content))
    if not holds_url(cast("Content", record.content)):
        return f"The service returned {count} vectors for {name}, which has 1 page."
    return (
        f"The service returned {count} vectors for {name}, and a document has one. Pass the bytes of a PDF: its pages are split."
    )


def _names_of(records: Sequence[Record]) -> Callable[[int], str]:
    return lambda index: f"Document {records[index].id!r}"


def _rejected(answers: Iterable[Sequence[Outcome]]) -> list[Write]:
    """Return the writes that Elasticsearch rejected for lack of capacity, and log that there are some."""
    outcomes = [outcome for answer in answers for outcome in answer]
    rejected = [outcome.write for outcome in outcomes if outcome.rejected]
    if rejected:
        LOG.info("Elasticsearch rejected %d of %d documents for lack of capacity; they are retried", len(rejected), len(outcomes))
    return rejected
