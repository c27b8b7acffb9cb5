"""Writes of documents, in bulk: create, index, update and delete.

Knows versions and conflicts, and embeds semantic fields; must not know HTTP, queries or the storage format.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..inference import InnerInference, Item
from ..refusals import Json, RefusedError, illegal_argument, index_not_found, parsing_exception
from .actions import Action, read_source
from .chunking import split_passages
from .documents import Document, read_document, values_of
from .index import Index, Passage
from .mapping import Field, Mapping
from .settings import check_name
from .storage import Storage


@dataclass(slots=True)
class Target:
    """An index that a request writes to, and the state of its documents after the actions read so far.

    Attributes:
        index: None if the index is created with the changes.
        documents: Version and source by id; the source of a deleted document is None.
    """

    name: str
    index: Index | None
    mapping: Mapping
    documents: dict[str, tuple[int, Json | None]]

    def state(self, doc_id: str) -> tuple[int, Json | None]:
        """Return the version and source of a document; version 0 if there was none."""
        if doc_id not in self.documents and self.index is not None:
            stored, deleted = self.index.stored(doc_id), self.index.deleted_version(doc_id)
            self.documents[doc_id] = (stored.version, stored.source) if stored else (deleted, None)
        return self.documents.get(doc_id, (0, None))

    def error(self, status: int, kind: str, reason: str) -> RefusedError:
        """Return the error for the state of a document."""
        details = {"index_uuid": self.index.uuid if self.index else "_na_", "shard": "0", "index": self.name}
        return RefusedError(status, kind, reason, details=details)


@dataclass(slots=True)
class Pending:
    """A change that is read, and not stored yet. A deletion has no source; an update without effect has no document."""

    number: int  # position in the request
    id: str
    target: Target
    version: int
    source: Json | None
    document: Document | None = None
    before: tuple[int, Json | None] = (0, None)  # version and source
    passages: dict[str, list[Passage]] = field(default_factory=dict)


Chunk = tuple[Pending, Field, Item]  # a passage to embed


class Writer:
    """Executes the actions of one request: reads and embeds all, then stores them in one transaction; creates missing indices."""

    def __init__(self, storage: Storage, inference: InnerInference) -> None:
        self._storage = storage
        self._inference = inference
        self._targets: dict[str, Target] = {}
        self._pending: list[Pending] = []
        self._embedded = 0  # how many of the pending changes have their vectors
        self._results: dict[int, Json | RefusedError] = {}

    def write(self, actions: Sequence[Action], refresh: str = "false") -> list[Json | RefusedError]:
        """Return the result of each action, or its error. Stores nothing if one is not implemented."""
        for action in sorted(actions, key=lambda action: action.kind == "delete"):
            with suppress(RefusedError):  # an index that any action creates exists for all of them
                self._target(action)
        for number, action in enumerate(actions):
            try:
                self._read(number, action)
            except RefusedError as refused:
                if refused.status == 501:
                    raise
                self._results[number] = refused
        self._embed()
        with self._storage.transaction():
            indices = {target.name: self._open(target) for target in self._targets.values()}
            for pending in self._pending:
                if pending.number not in self._results:
                    result = self._store(pending, indices[pending.target.name])
                    self._results[pending.number] = result | ({"forced_refresh": True} if refresh == "true" else {})
            for index in indices.values():
                index.keep(index.mapping)
                if refresh != "false":
                    index.refresh()
        return [self._results[number] for number in range(len(actions))]

    def _target(self, action: Action) -> Target:
        if action.index not in self._targets:
            index = self._storage.find(action.index)
            if index is None and action.kind == "delete":
                raise index_not_found(action.index)
            check_name(action.index)
            self._targets[action.index] = Target(action.index, index, index.mapping if index else Mapping({}), {})
        return self._targets[action.index]

    def _open(self, target: Target) -> Index:
        index = target.index or self._storage.create(target.name, {}, target.mapping)
        index.mapping = target.mapping
        return index

    def _read(self, number: int, action: Action) -> None:
        if action.id == "":
            raise illegal_argument("if _id is specified it must not be empty")
        target, doc_id = self._target(action), secrets.token_urlsafe(15) if action.id is None else action.id
        if doc_id in target.documents:
            self._embed()  # a document that cannot be embedded is not there for the next action
        version, existing = target.state(doc_id)
        source, document = None, None
        if action.kind == "update":
            source = apply_update(existing, action.update or {}, doc_id, target)
            if source is None:
                self._pending.append(Pending(number, doc_id, target, version, existing))
                return
        elif action.kind != "delete":
            source = read_source(action.source)
        if source is not None:
            document = read_document(target.mapping, doc_id, source)
            if not self._inference.registry.version.has("vectors in base64"):
                refuse_base64(document, source)
            target.mapping = document.mapping
        if action.kind == "create" and existing is not None:
            reason = f"[{doc_id}]: version conflict, document already exists (current version [{version}])"
            raise target.error(409, "version_conflict_engine_exception", reason)
        self._pending.append(Pending(number, doc_id, target, version + 1, source, document, (version, existing)))
        target.documents[doc_id] = (version + 1, source)

    def _store(self, pending: Pending, index: Index) -> Json:
        document, version = pending.document, pending.version
        if document is not None:
            passages = {path: [Passage(None, vector)] for path, vector in document.vectors.items()} | pending.passages
            seq, created = index.add(pending.id, version, pending.source or {}, document, passages)
            for path in pending.passages:
                self._store_model_settings(index, path)
            result = "created" if created else "updated"
        elif pending.source is None:
            seq, found = index.delete(pending.id, version)
            result = "deleted" if found else "not_found"
        else:
            stored = index.stored(pending.id)
            assert stored is not None
            version, seq, result = stored.version, stored.seq, "noop"
        head: Json = {"_index": index.name, "_id": pending.id, "_version": version, "result": result}
        return head | {"_shards": index.shards, "_seq_no": seq, "_primary_term": 1}

    def _store_model_settings(self, index: Index, path: str) -> None:
        """Add the model to the mapping of a semantic field when its first document is written."""
        field = index.mapping.fields[path]
        if "model_settings" in field.settings:
            return
        endpoint = self._inference.registry.get(field.inference_id)
        settings = {"service": "elastic", "task_type": endpoint.task, "element_type": "float", "dimensions": endpoint.dimensions}
        addition: Json = {"model_settings": settings | {"similarity": endpoint.service_settings["similarity"]}}
        if field.source != field.path:  # a multi-field
            siblings = index.mapping.fields[field.source].settings["fields"]
            addition = {"fields": siblings | {path.rpartition(".")[2]: {**field.settings, **addition}}}
        index.mapping = index.mapping.with_field(field.source, addition)

    def _embed(self) -> None:
        """Embed the passages of all pending documents, by endpoint; a failure affects only its own document."""
        chunks_by_endpoint: dict[str, list[Chunk]] = defaultdict(list)
        unembedded, self._embedded = self._pending[self._embedded :], len(self._pending)
        for pending in unembedded:
            for path, items in pending.document.semantic.items() if pending.document else ():
                field = pending.target.mapping.fields[path]
                pending.passages[path] = []
                try:
                    chunks_by_endpoint[field.inference_id] += [(pending, field, item) for item in self._chunk(field, items)]
                except RefusedError as refused:
                    self._fail(pending, field, refused)
        for endpoint, chunks in chunks_by_endpoint.items():
            self._embed_chunks(endpoint, [chunk for chunk in chunks if chunk[0].number not in self._results])

    def _chunk(self, field: Field, items: Sequence[Item]) -> list[Item]:
        """Split the values of a field into passages; raise the error of a poisoned one."""
        endpoint = self._inference.registry.get(field.inference_id)
        settings = field.settings.get("chunking_settings") or endpoint.chunking_settings or {}
        passages = []
        for item in items:
            passages += [Item("text", text) for text in split_passages(item.value, settings)] if item.kind == "text" else [item]
        self._inference.check_poison(field.inference_id, [*items, *passages], "ingest")
        return passages

    def _embed_chunks(self, endpoint: str, chunks: Sequence[Chunk]) -> None:
        """Embed passages together or, if one of them is refused, each by itself."""
        try:
            vectors = self._inference.embed(endpoint, [item for _, _, item in chunks])
        except RefusedError as refused:
            if len(chunks) == 1:
                self._fail(*chunks[0][:2], refused)
            for chunk in chunks if len(chunks) > 1 else ():
                self._embed_chunks(endpoint, [chunk])
            return
        for (pending, semantic, item), vector in zip(chunks, vectors, strict=True):
            pending.passages[semantic.path].append(Passage(item.value, vector))

    def _fail(self, pending: Pending, field: Field, cause: RefusedError) -> None:
        reason = f"Exception when running inference id [{field.inference_id}] on field [{field.path}]"
        self._results[pending.number] = RefusedError(cause.status, "inference_exception", reason, cause)
        pending.target.documents[pending.id] = pending.before


def apply_update(existing: Json | None, change: Json, doc_id: str, target: Target) -> Json | None:
    """Return the document after an update, or None if the update changes nothing."""
    if existing is None:
        new: Json | None = change["doc"] if change.get("doc_as_upsert") else change.get("upsert")
        if new is None:
            raise target.error(404, "document_missing_exception", f"[{doc_id}]: document missing")
        return new
    after: Json = merge(existing, change["doc"])
    # Compared as JSON: 1, 1.0 and true are equal in Python only.
    same = orjson.dumps(after, option=orjson.OPT_SORT_KEYS) == orjson.dumps(existing, option=orjson.OPT_SORT_KEYS)
    return None if same and change.get("detect_noop", True) else after


def merge(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {name: merge(old.get(name), value) for name, value in new.items()}


def refuse_base64(document: Document, source: Json) -> None:
    for path in document.vectors:
        if any(isinstance(value, str) for value in values_of(document.mapping, source, path)):
            cause = parsing_exception("Failed to parse object: expecting token of type [VALUE_NUMBER] but found [VALUE_STRING]")
            raise RefusedError(400, "document_parsing_exception", f"[1:1] failed to parse: {cause.reason}", cause)
