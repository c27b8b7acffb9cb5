"""Writes of documents, in bulk: create, index, update and delete.

Knows versions and conflicts, and embeds semantic fields; must not know HTTP, queries or the storage format.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..inference import Array, Item
from ..refusals import Json, RefusedError, illegal_argument, invalid, not_implemented
from .actions import Action
from .chunking import split_passages
from .documents import Document, read_document
from .index import Index, Passage
from .inner import InnerInference
from .mapping import Field

__all__ = ["WRITE_SHARDS", "Writer"]

UPDATE = {"doc", "doc_as_upsert", "upsert", "detect_noop"}
ID_BYTES = 512
WINDOW = 500  # documents embedded together
WRITE_SHARDS = {"total": 1, "successful": 1, "failed": 0}


@dataclass(slots=True)
class Pending:
    """A parsed document that is not stored yet."""

    number: int  # position in the request
    action: Action
    id: str
    index: Index
    source: Json
    version: int
    document: Document
    passages: dict[str, list[Passage]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage to embed."""

    pending: Pending
    field: Field
    item: Item


class Writer:
    """Executes the actions of one request in order, and embeds many documents at a time.

    Args:
        find: Returns the index with a name; creates it if it does not exist.
        transaction: Commits all writes inside it, or none.
        inference: Embeds the values of semantic fields.
    """

    def __init__(
        self,
        find: Callable[[str], Index],
        transaction: Callable[[], AbstractContextManager[None]],
        inference: InnerInference,
    ) -> None:
        self._find = find
        self._transaction = transaction
        self._inference = inference
        self._pending: list[Pending] = []
        self._ids: set[tuple[str, str]] = set()
        self._results: dict[int, Json | RefusedError] = {}

    def write(self, actions: Sequence[Action]) -> list[Json | RefusedError]:
        """Return the result of each action, or its error."""
        for number, action in enumerate(actions):
            try:
                self._execute(number, action)
            except RefusedError as refused:
                if refused.status == 501:
                    raise
                self._results[number] = refused
            if len(self._pending) >= WINDOW:
                self._flush()
        self._flush()
        return [self._results[number] for number in range(len(actions))]

    def _execute(self, number: int, action: Action) -> None:
        doc_id = secrets.token_urlsafe(15) if action.id is None else action.id
        if action.id is None and action.kind in ("update", "delete"):
            raise invalid("id is missing")
        check_id(doc_id)
        if (action.index, doc_id) in self._ids:
            self._flush()
        if action.kind == "delete":
            self._results[number] = self._delete(self._find(action.index), doc_id)
            return
        index = self._find(action.index)
        existing = index.stored(doc_id)
        source = action.body or {}
        if action.kind == "create" and existing is not None:
            raise version_conflict(index, doc_id, existing.version)
        if action.kind == "update":
            changed = apply_update(None if existing is None else existing.source, source, doc_id, index)
            if existing is not None and changed is None:
                self._results[number] = write_result(index, doc_id, existing.version, existing.seq, "noop")
                return
            source = changed or {}
        document = read_document(index.mapping, doc_id, source)
        index.set_mapping(document.mapping)
        version = 1 if existing is None else existing.version + 1
        self._ids.add((action.index, doc_id))
        self._pending.append(Pending(number, action, doc_id, index, source, version, document, {}))

    def _delete(self, index: Index, doc_id: str) -> Json:
        existing = index.stored(doc_id)
        if existing is None:
            return write_result(index, doc_id, 1, index.next_write(), "not_found")
        with self._transaction():
            index.remove(existing.doc)
            return write_result(index, doc_id, existing.version + 1, index.next_write(), "deleted")

    def _flush(self) -> None:
        self._embed()
        with self._transaction():
            for pending in self._pending:
                if pending.number not in self._results:
                    self._results[pending.number] = self._store(pending)
        self._pending.clear()
        self._ids.clear()

    def _store(self, pending: Pending) -> Json:
        index, document = pending.index, pending.document
        existing = index.stored(pending.id)
        if existing is not None:
            index.remove(existing.doc)
        passages = {path: [Passage(None, vector)] for path, vector in document.vectors.items()} | pending.passages
        seq = index.add(pending.id, pending.version, pending.source, document.exact, document.texts, passages)
        for path in pending.passages:
            self._store_model_settings(index, path)
        return write_result(index, pending.id, pending.version, seq, "created" if pending.version == 1 else "updated")

    def _store_model_settings(self, index: Index, path: str) -> None:
        """Add the model to the mapping of a semantic field when its first document is written."""
        field = index.mapping.fields[path]
        if "model_settings" in field.settings:
            return
        endpoint = self._inference.registry.get(field.inference_id)
        settings = {"service": "elastic", "task_type": endpoint.task, "element_type": "float"}
        settings |= {name: endpoint.service_settings[name] for name in ("dimensions", "similarity")}
        addition: Json = {"model_settings": settings}
        if field.source != field.path:  # a multi-field
            siblings = index.mapping.fields[field.source].settings["fields"]
            addition = {"fields": siblings | {path.rpartition(".")[2]: {**field.settings, **addition}}}
        index.set_mapping(index.mapping.with_field(field.source, addition))

    def _embed(self) -> None:
        """Embed the passages of all pending documents, by endpoint; a failure affects only its own document."""
        chunks_by_endpoint: dict[str, list[Chunk]] = defaultdict(list)
        for pending in self._pending:
            for path, items in pending.document.semantic.items():
                field = pending.index.mapping.fields[path]
                pending.passages[path] = []
                try:
                    chunks_by_endpoint[field.inference_id] += [Chunk(pending, field, item) for item in self._chunk(field, items)]
                except RefusedError as refused:
                    self._results[pending.number] = inference_failure(field, refused)
        for endpoint, all_chunks in chunks_by_endpoint.items():
            valid = [chunk for chunk in all_chunks if chunk.pending.number not in self._results]
            for chunk, vector in zip(valid, self._vectors(endpoint, valid), strict=True):
                if vector is not None:
                    chunk.pending.passages[chunk.field.path].append(Passage(chunk.item.value, vector))

    def _chunk(self, field: Field, items: Sequence[Item]) -> list[Item]:
        """Split the values of a field into passages; raise the error of a poisoned one."""
        endpoint = self._inference.registry.get(field.inference_id)
        settings = field.settings.get("chunking_settings") or endpoint.chunking_settings or {}
        passages = []
        for item in items:
            passages += [Item("text", text) for text in split_passages(item.value, settings)] if item.kind == "text" else [item]
        self._inference.check_poison(field.inference_id, [*items, *passages], "ingest")
        return passages

    def _vectors(self, endpoint: str, chunks: Sequence[Chunk]) -> Sequence[Array | None]:
        """Return a vector for each chunk; None if its document failed."""
        try:
            return self._inference.embed(endpoint, [chunk.item for chunk in chunks])
        except RefusedError:  # retry one by one to find the invalid inputs
            return [self._vector(endpoint, chunk) for chunk in chunks]

    def _vector(self, endpoint: str, chunk: Chunk) -> Array | None:
        try:
            return self._inference.embed(endpoint, [chunk.item])[0]
        except RefusedError as refused:
            self._results[chunk.pending.number] = inference_failure(chunk.field, refused)
            return None


def check_id(doc_id: str) -> None:
    if not doc_id:
        raise illegal_argument("if _id is specified it must not be empty")
    if (size := len(doc_id.encode("utf-8", "replace"))) > ID_BYTES:
        raise illegal_argument(f"id [{doc_id}] is too long, must be no longer than {ID_BYTES} bytes but was: {size}")


def version_conflict(index: Index, doc_id: str, version: int) -> RefusedError:
    reason = f"[{doc_id}]: version conflict, document already exists (current version [{version}])"
    refused = RefusedError(409, "version_conflict_engine_exception", reason)
    refused.details.update(index_uuid=index.uuid, shard="0", index=index.name)
    return refused


def inference_failure(field: Field, cause: RefusedError) -> RefusedError:
    reason = f"Exception when running inference id [{field.inference_id}] on field [{field.path}]"
    return RefusedError(cause.status, "inference_exception", reason, cause)


def apply_update(existing: Json | None, change: Json, doc_id: str, index: Index) -> Json | None:
    """Return the document after an update, or None if the update changes nothing."""
    for name in change.keys() - UPDATE:
        if name in ("script", "scripted_upsert", "_source"):
            raise not_implemented(f"[{name}] in an update")
        raise illegal_argument(f"[UpdateRequest] unknown field [{name}]")
    doc = change.get("doc")
    if not isinstance(doc, dict):
        raise invalid("script or doc is missing")
    if existing is None:
        new: Json | None = doc if change.get("doc_as_upsert") else change.get("upsert")
        if new is None:
            refused = RefusedError(404, "document_missing_exception", f"[{doc_id}]: document missing")
            refused.details.update(index_uuid=index.uuid, shard="0", index=index.name)
            raise refused
        return new
    after: Json = merge(existing, doc)
    return None if change.get("detect_noop", True) and after == existing else after


def merge(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {name: merge(old.get(name), value) for name, value in new.items()}


def write_result(index: Index, doc_id: str, version: int, seq: int, result: str) -> Json:
    return {
        "_index": index.name,
        "_id": doc_id,
        "_version": version,
        "result": result,
        "_shards": WRITE_SHARDS,
        "_seq_no": seq,
        "_primary_term": 1,
    }
