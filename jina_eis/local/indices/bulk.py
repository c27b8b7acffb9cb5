"""Documents come, change and go, many at a time.

Knows versions and conflicts, and that semantic fields are embedded on the way; must not know HTTP, queries, or how anything is
stored.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..inference import Array, Item
from ..refusals import Json, RefusedError, illegal_argument, invalid, not_done
from .actions import Action
from .chunking import chunks
from .documents import Document, read_document
from .index import Index, Passage
from .inner import InnerInference
from .mapping import Field

__all__ = ["WRITE_SHARDS", "Writer"]

UPDATE = {"doc", "doc_as_upsert", "upsert", "detect_noop"}
ID_BYTES = 512
WINDOW = 500  # documents that are embedded together
WRITE_SHARDS = {"total": 1, "successful": 1, "failed": 0}


@dataclass(slots=True)
class Pending:
    """A document that is read, and not yet stored."""

    number: int  # the place in the request
    action: Action
    id: str
    index: Index
    source: Json
    version: int
    document: Document
    passages: dict[str, list[Passage]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A passage that is to be embedded."""

    pending: Pending
    field: Field
    item: Item


class Writer:
    """Does the actions of one request, in their order, and embeds many documents at a time.

    Args:
        find: Gives the index of a name, and makes it if need be.
        transaction: Keeps all that is written inside, or nothing.
        inference: Embeds what goes into semantic fields.
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
        """The result of each action, or why it failed."""
        for number, action in enumerate(actions):
            try:
                self._do(number, action)
            except RefusedError as refused:
                if refused.status == 501:
                    raise
                self._results[number] = refused
            if len(self._pending) >= WINDOW:
                self._flush()
        self._flush()
        return [self._results[number] for number in range(len(actions))]

    def _do(self, number: int, action: Action) -> None:
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
        there = index.stored(doc_id)
        source = action.body or {}
        if action.kind == "create" and there is not None:
            raise conflict(index, doc_id, there.version)
        if action.kind == "update":
            changed = updated(None if there is None else there.source, source, doc_id, index)
            if there is not None and changed is None:
                self._results[number] = written(index, doc_id, there.version, there.seq, "noop")
                return
            source = changed or {}
        document = read_document(index.mapping, doc_id, source)
        index.set_mapping(document.mapping)
        version = 1 if there is None else there.version + 1
        self._ids.add((action.index, doc_id))
        self._pending.append(Pending(number, action, doc_id, index, source, version, document, {}))

    def _delete(self, index: Index, doc_id: str) -> Json:
        there = index.stored(doc_id)
        if there is None:
            return written(index, doc_id, 1, index.next_write(), "not_found")
        with self._transaction():
            index.remove(there.doc)
            return written(index, doc_id, there.version + 1, index.next_write(), "deleted")

    def _flush(self) -> None:
        self._embed()
        with self._transaction():
            for each in self._pending:
                if each.number not in self._results:
                    self._results[each.number] = self._store(each)
        self._pending.clear()
        self._ids.clear()

    def _store(self, each: Pending) -> Json:
        index, document = each.index, each.document
        there = index.stored(each.id)
        if there is not None:
            index.remove(there.doc)
        passages = {path: [Passage(None, vector)] for path, vector in document.vectors.items()} | each.passages
        seq = index.add(each.id, each.version, each.source, document.exact, document.texts, passages)
        for path in each.passages:
            self._note_model(index, path)
        return written(index, each.id, each.version, seq, "created" if each.version == 1 else "updated")

    def _note_model(self, index: Index, path: str) -> None:
        """The first document of a semantic field fixes the model in its mapping."""
        field = index.mapping.fields[path]
        if "model_settings" in field.settings:
            return
        endpoint = self._inference.registry.get(field.inference_id)
        settings = {"service": "elastic", "task_type": endpoint.task, "element_type": "float"}
        settings |= {name: endpoint.service_settings[name] for name in ("dimensions", "similarity")}
        known: Json = {"model_settings": settings}
        if field.source != field.path:  # a multi-field
            siblings = index.mapping.fields[field.source].settings["fields"]
            known = {"fields": siblings | {path.rpartition(".")[2]: {**field.settings, **known}}}
        index.set_mapping(index.mapping.with_field(field.source, known))

    def _embed(self) -> None:
        """Embed the passages of all pending documents, by endpoint; a document that cannot be embedded fails alone."""
        wanted: dict[str, list[Wanted]] = defaultdict(list)
        for each in self._pending:
            for path, items in each.document.semantic.items():
                field = each.index.mapping.fields[path]
                each.passages[path] = []
                try:
                    wanted[field.inference_id] += [Wanted(each, field, piece) for piece in self._pieces(field, items)]
                except RefusedError as refused:
                    self._results[each.number] = inference_failure(field, refused)
        for endpoint, pieces in wanted.items():
            good = [piece for piece in pieces if piece.pending.number not in self._results]
            for piece, vector in zip(good, self._vectors(endpoint, good), strict=True):
                if vector is not None:
                    piece.pending.passages[piece.field.path].append(Passage(piece.item.value, vector))

    def _pieces(self, field: Field, items: Sequence[Item]) -> list[Item]:
        """The passages of a field's values, none of which is poisoned."""
        endpoint = self._inference.registry.get(field.inference_id)
        settings = field.settings.get("chunking_settings") or endpoint.chunking_settings or {}
        pieces = []
        for item in items:
            pieces += [Item("text", text) for text in chunks(item.value, settings)] if item.kind == "text" else [item]
        self._inference.check_poison(field.inference_id, [*items, *pieces], "ingest")
        return pieces

    def _vectors(self, endpoint: str, pieces: Sequence[Wanted]) -> Sequence[Array | None]:
        """A vector for each; None where the document fails."""
        try:
            return self._inference.embed(endpoint, [piece.item for piece in pieces])
        except RefusedError:  # something among them cannot be read: find out what
            return [self._vector(endpoint, piece) for piece in pieces]

    def _vector(self, endpoint: str, piece: Wanted) -> Array | None:
        try:
            return self._inference.embed(endpoint, [piece.item])[0]
        except RefusedError as refused:
            self._results[piece.pending.number] = inference_failure(piece.field, refused)
            return None


def check_id(doc_id: str) -> None:
    if not doc_id:
        raise illegal_argument("if _id is specified it must not be empty")
    if (size := len(doc_id.encode("utf-8", "replace"))) > ID_BYTES:
        raise illegal_argument(f"id [{doc_id}] is too long, must be no longer than {ID_BYTES} bytes but was: {size}")


def conflict(index: Index, doc_id: str, version: int) -> RefusedError:
    reason = f"[{doc_id}]: version conflict, document already exists (current version [{version}])"
    refused = RefusedError(409, "version_conflict_engine_exception", reason)
    refused.details.update(index_uuid=index.uuid, shard="0", index=index.name)
    return refused


def inference_failure(field: Field, cause: RefusedError) -> RefusedError:
    reason = f"Exception when running inference id [{field.inference_id}] on field [{field.path}]"
    return RefusedError(cause.status, "inference_exception", reason, cause)


def updated(there: Json | None, change: Json, doc_id: str, index: Index) -> Json | None:
    """The document after an update, or None if that changes nothing."""
    for name in change.keys() - UPDATE:
        if name in ("script", "scripted_upsert", "_source"):
            raise not_done(f"[{name}] in an update")
        raise illegal_argument(f"[UpdateRequest] unknown field [{name}]")
    doc = change.get("doc")
    if not isinstance(doc, dict):
        raise invalid("script or doc is missing")
    if there is None:
        found: Json | None = doc if change.get("doc_as_upsert") else change.get("upsert")
        if found is None:
            refused = RefusedError(404, "document_missing_exception", f"[{doc_id}]: document missing")
            refused.details.update(index_uuid=index.uuid, shard="0", index=index.name)
            raise refused
        return found
    after: Json = merged(there, doc)
    return None if change.get("detect_noop", True) and after == there else after


def merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {name: merged(old.get(name), value) for name, value in new.items()}


def written(index: Index, doc_id: str, version: int, seq: int, result: str) -> Json:
    return {
        "_index": index.name,
        "_id": doc_id,
        "_version": version,
        "result": result,
        "_shards": WRITE_SHARDS,
        "_seq_no": seq,
        "_primary_term": 1,
    }
