"""Index operations of a cluster: create, show and delete indices; write, get, count and search documents.

Knows Elasticsearch's responses. Must not know HTTP, nor how documents are stored or queries scored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from typing import Any

from ..indices import (
    WRITE_SHARDS,
    Action,
    Index,
    InnerInference,
    Mapping,
    SourceFilter,
    Storage,
    StoredDocument,
    Writer,
    as_list,
    check_name,
    check_similarities,
    check_versions,
    complete_settings,
    read_settings,
    show_defaults,
    show_settings,
)
from ..refusals import Json, RefusedError, illegal_argument, invalid, not_implemented, parsing_exception
from ..search import SHARDS, matching_documents, search_index

__all__ = ["Cluster"]

StatusAndBody = tuple[int, Json]
CREATE_KEYS = {"settings", "mappings", "aliases"}


class Cluster:
    """The indices of the cluster. Methods return a response body, some with its status; errors are raised as RefusedError."""

    def __init__(self, storage: Storage, inference: InnerInference) -> None:
        self._storage = storage
        self._inference = inference
        self._registry = inference.registry

    def _get(self, name: str) -> Index:
        """Return the index of this name; refuses patterns and lists of names."""
        if name == "_all" or any(character in name for character in "*,"):
            raise not_implemented(f"requests to several indices: {name}")
        return self._storage.get(name)

    def _ensure(self, name: str) -> Index:
        """Return the index for a document to write, and create it if it does not exist."""
        existing = self._storage.find(name)
        if existing is not None:
            return existing
        check_name(name)
        return self._storage.create(name, complete_settings({}, self._registry.version), Mapping({}))

    # Indices

    def create(self, name: str, body: Json) -> Json:
        """Create an index."""
        check_name(name)
        for key in body:
            if key not in CREATE_KEYS:
                raise parsing_exception(f"unknown key [{key}] for create index")
        if body.get("aliases"):
            raise not_implemented("aliases")
        settings = complete_settings(read_settings(body.get("settings", {})), self._registry.version)
        mapping = Mapping({}).merged(body.get("mappings", {}), self._registry.find)
        check_similarities(mapping, settings)
        check_versions(mapping, self._registry)
        with self._storage.writing:
            self._storage.create(name, settings, mapping)
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def show(self, name: str, *, defaults: bool) -> Json:
        """Return the mapping and settings of an index, or of those that a pattern matches; also the defaults of settings."""
        pattern = "*" if name == "_all" else name
        indices = self._storage.matching(pattern) if is_pattern(pattern) else [self._get(name)]
        return {
            index.name: {"aliases": {}, "mappings": index.mapping.root, "settings": show_settings(index)}
            | ({"defaults": show_defaults(index)} if defaults else {})
            for index in indices
        }

    def delete(self, name: str) -> Json:
        """Delete an index."""
        if name == "_all" or is_pattern(name):
            raise illegal_argument("Wildcard expressions or all indices are not allowed")
        self._get(name)
        with self._storage.writing:
            self._storage.drop(name)
        return {"acknowledged": True}

    def show_mapping(self, name: str) -> Json:
        """Return the mapping of an index."""
        return {name: {"mappings": self._get(name).mapping.root}}

    def put_mapping(self, name: str, body: Json) -> Json:
        """Add fields to the mapping of an index."""
        with self._storage.writing:
            index = self._get(name)
            mapping = index.mapping.merged(body, self._registry.find)
            check_similarities(mapping, index.settings)
            check_versions(mapping, self._registry)
            index.set_mapping(mapping)
        return {"acknowledged": True}

    def refresh(self, name: str) -> Json:
        """Do nothing: written documents are searchable immediately."""
        self._get(name)
        return {"_shards": WRITE_SHARDS}

    # Documents

    def _write(self, actions: Sequence[Action]) -> list[Json | RefusedError]:
        with self._storage.writing:
            return Writer(self._ensure, self._storage.transaction, self._inference).write(actions)

    def bulk(self, actions: Sequence[Action]) -> Json:
        """Write documents. One that fails does not affect the others."""
        began = time.monotonic()
        results = self._write(actions)
        items = [{action.kind: bulk_item(action, result)} for action, result in zip(actions, results, strict=True)]
        errors = any(isinstance(result, RefusedError) for result in results)
        return {"errors": errors, "took": int((time.monotonic() - began) * 1000), "items": items}

    def write(self, action: Action) -> StatusAndBody:
        """Write one document."""
        (result,) = self._write([action])
        if isinstance(result, RefusedError):
            raise result
        return status_of(result), result

    def get(self, name: str, doc_id: str, params: Mapped[str, str]) -> StatusAndBody:
        """Return a document."""
        document = self._document(self._get(name), doc_id, SourceFilter.of(None, params))
        return 200 if document["found"] else 404, document

    def mget(self, name: str | None, body: Json, params: Mapped[str, str]) -> Json:
        """Return several documents."""
        specs = [{"_id": doc_id} for doc_id in as_list(body.get("ids"))] + as_list(body.get("docs"))
        if body.keys() - {"ids", "docs"}:
            raise parsing_exception(f"unknown key [{next(iter(body.keys() - {'ids', 'docs'}))}] for a multi get")
        if not specs:
            raise invalid("no documents to get")
        return {"docs": [self._get_one(spec, name, params) for spec in specs]}

    def _get_one(self, spec: Any, name: str | None, params: Mapped[str, str]) -> Json:
        if not isinstance(spec, dict) or "_id" not in spec or not spec.get("_index", name):
            raise invalid("index or id is missing for a document to get")
        for key in spec.keys() - {"_id", "_index", "_source"}:
            raise not_implemented(f"{key} in a multi get")
        index, doc_id = str(spec.get("_index", name)), str(spec["_id"])
        try:
            return self._document(self._get(index), doc_id, SourceFilter.of(spec.get("_source"), params))
        except RefusedError as refused:
            if refused.status == 501:
                raise
            return {"_index": index, "_id": doc_id, "error": refused.envelope()["error"]}

    def _document(self, index: Index, doc_id: str, source: SourceFilter) -> Json:
        stored = index.stored(doc_id)
        if stored is None:
            return {"_index": index.name, "_id": doc_id, "found": False}
        return document_header(index, stored) | ({"_source": source.apply(stored, index)} if source.show else {})

    # Queries

    def search(self, name: str, body: Json, params: Mapped[str, str]) -> Json:
        """Return the hits of a search."""
        return search_index(self._get(name), self._inference, body, params)

    def count(self, name: str, body: Json) -> Json:
        """Count the documents that match."""
        matches = matching_documents(self._get(name), self._inference, check_query_body(body).get("query", {"match_all": {}}))
        return {"count": len(matches), "_shards": SHARDS}

    def delete_by_query(self, name: str, body: Json) -> Json:
        """Delete the documents that match."""
        began = time.monotonic()
        max_docs = check_query_body(body, "max_docs").get("max_docs")
        if "query" not in body:
            raise invalid("query is missing")
        if max_docs is not None and (type(max_docs) is not int or max_docs < 1):
            raise illegal_argument(f"[max_docs] should be greater than zero, got [{max_docs}]")
        with self._storage.writing:
            index = self._get(name)
            docs = matching_documents(index, self._inference, body["query"])[:max_docs]
            with self._storage.transaction():
                for doc in docs:
                    index.remove(doc)
                    index.next_write()
        return {
            "took": int((time.monotonic() - began) * 1000),
            "timed_out": False,
            "total": len(docs),
            "deleted": len(docs),
            "batches": 1 if docs else 0,
            "version_conflicts": 0,
            "noops": 0,
            "retries": {"bulk": 0, "search": 0},
            "throttled_millis": 0,
            "requests_per_second": -1.0,
            "throttled_until_millis": 0,
            "failures": [],
        }


def is_pattern(name: str) -> bool:
    return "*" in name and "," not in name


def check_query_body(body: Json, *more: str) -> Json:
    for key in body:
        if key not in ("query", *more):
            raise not_implemented(f"[{key}] next to [query]")
    return body


def document_header(index: Index, stored: StoredDocument) -> Json:
    return {
        "_index": index.name,
        "_id": stored.id,
        "_version": stored.version,
        "_seq_no": stored.seq,
        "_primary_term": 1,
        "found": True,
    }


def status_of(result: Json) -> int:
    return {"created": 201, "not_found": 404}.get(result["result"], 200)


def bulk_item(action: Action, result: Json | RefusedError) -> Json:
    """Return the entry of an action in a bulk response."""
    if isinstance(result, RefusedError):
        return {"_index": action.index, "_id": action.id, "status": result.status, "error": result.nested()}
    return result | {"status": status_of(result)}
