"""What a cluster does with its indices: make, show and delete them, write, get, count and search documents.

Knows the answers of Elasticsearch; must not know HTTP, nor how documents are stored or queries scored.
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
    read_settings,
    show_settings,
)
from ..refusals import Json, RefusedError, illegal_argument, invalid, not_done, parsing_exception
from ..search import SHARDS, matching_documents, search_index

__all__ = ["Cluster"]

Status = tuple[int, Json]
CREATE = {"settings", "mappings", "aliases"}


class Cluster:
    """The indices of the cluster. Each method gives the body of an answer, some with its status; refusals are raised."""

    def __init__(self, storage: Storage, inference: InnerInference) -> None:
        self._storage = storage
        self._inference = inference

    def _get(self, name: str) -> Index:
        """The one index of this name."""
        if name == "_all" or any(character in name for character in "*,"):
            raise not_done(f"requests to several indices: {name}")
        return self._storage.get(name)

    def _ensure(self, name: str) -> Index:
        """The same for a document, which makes an index if there is none."""
        found = self._storage.find(name)
        if found is not None:
            return found
        check_name(name)
        return self._storage.create(name, {}, Mapping({}))

    # Indices

    def create(self, name: str, body: Json) -> Json:
        """Make an index."""
        check_name(name)
        for key in body:
            if key not in CREATE:
                raise parsing_exception(f"unknown key [{key}] for create index")
        if body.get("aliases"):
            raise not_done("aliases")
        settings = read_settings(body.get("settings", {}))
        mapping = Mapping({}).merged(body.get("mappings", {}), self._inference.registry.find)
        check_similarities(mapping, settings)
        with self._storage.writing:
            self._storage.create(name, settings, mapping)
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def show(self, name: str) -> Json:
        """An index."""
        index = self._get(name)
        return {name: {"aliases": {}, "mappings": index.mapping.root, "settings": show_settings(index)}}

    def delete(self, name: str) -> Json:
        """Delete an index."""
        self._get(name)
        with self._storage.writing:
            self._storage.drop(name)
        return {"acknowledged": True}

    def show_mapping(self, name: str) -> Json:
        """The mapping of an index."""
        return {name: {"mappings": self._get(name).mapping.root}}

    def put_mapping(self, name: str, body: Json) -> Json:
        """Add fields to an index."""
        with self._storage.writing:
            index = self._get(name)
            mapping = index.mapping.merged(body, self._inference.registry.find)
            check_similarities(mapping, index.settings)
            index.set_mapping(mapping)
        return {"acknowledged": True}

    def refresh(self, name: str) -> Json:
        """Nothing: documents are found at once."""
        self._get(name)
        return {"_shards": WRITE_SHARDS}

    # Documents

    def _write(self, actions: Sequence[Action]) -> list[Json | RefusedError]:
        with self._storage.writing:
            return Writer(self._ensure, self._storage.transaction, self._inference).write(actions)

    def bulk(self, actions: Sequence[Action]) -> Json:
        """Write many documents, each of which may fail."""
        began = time.monotonic()
        results = self._write(actions)
        items = [{action.kind: item(action, result)} for action, result in zip(actions, results, strict=True)]
        errors = any(isinstance(result, RefusedError) for result in results)
        return {"errors": errors, "took": int((time.monotonic() - began) * 1000), "items": items}

    def write(self, action: Action) -> Status:
        """Write one document."""
        (result,) = self._write([action])
        if isinstance(result, RefusedError):
            raise result
        return status_of(result), result

    def get(self, name: str, doc_id: str, params: Mapped[str, str]) -> Status:
        """A document."""
        found = self._shown(self._get(name), doc_id, SourceFilter.of(None, params))
        return 200 if found["found"] else 404, found

    def mget(self, name: str | None, body: Json, params: Mapped[str, str]) -> Json:
        """Several documents."""
        wanted = [{"_id": doc_id} for doc_id in as_list(body.get("ids"))] + as_list(body.get("docs"))
        if body.keys() - {"ids", "docs"}:
            raise parsing_exception(f"unknown key [{next(iter(body.keys() - {'ids', 'docs'}))}] for a multi get")
        if not wanted:
            raise invalid("no documents to get")
        return {"docs": [self._one_of_many(each, name, params) for each in wanted]}

    def _one_of_many(self, wanted: Any, name: str | None, params: Mapped[str, str]) -> Json:
        if not isinstance(wanted, dict) or "_id" not in wanted or not wanted.get("_index", name):
            raise invalid("index or id is missing for a document to get")
        for key in wanted.keys() - {"_id", "_index", "_source"}:
            raise not_done(f"{key} in a multi get")
        index, doc_id = str(wanted.get("_index", name)), str(wanted["_id"])
        try:
            return self._shown(self._get(index), doc_id, SourceFilter.of(wanted.get("_source"), params))
        except RefusedError as refused:
            if refused.status == 501:
                raise
            return {"_index": index, "_id": doc_id, "error": refused.envelope()["error"]}

    def _shown(self, index: Index, doc_id: str, source: SourceFilter) -> Json:
        stored = index.stored(doc_id)
        if stored is None:
            return {"_index": index.name, "_id": doc_id, "found": False}
        return head(index, stored) | (
            {"_source": source.apply(stored.source, index.mapping, index.settings)} if source.show else {}
        )

    # Queries

    def search(self, name: str, body: Json, params: Mapped[str, str]) -> Json:
        """The hits of a search."""
        return search_index(self._get(name), self._inference, body, params)

    def count(self, name: str, body: Json) -> Json:
        """How many documents match."""
        found = matching_documents(self._get(name), self._inference, only_query(body).get("query", {"match_all": {}}))
        return {"count": len(found), "_shards": SHARDS}

    def delete_by_query(self, name: str, body: Json) -> Json:
        """Delete what matches."""
        began = time.monotonic()
        most = only_query(body, "max_docs").get("max_docs")
        if "query" not in body:
            raise invalid("query is missing")
        if most is not None and (type(most) is not int or most < 1):
            raise illegal_argument(f"[max_docs] should be greater than zero, got [{most}]")
        with self._storage.writing:
            index = self._get(name)
            docs = matching_documents(index, self._inference, body["query"])[:most]
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


def only_query(body: Json, *more: str) -> Json:
    for key in body:
        if key not in ("query", *more):
            raise not_done(f"[{key}] beside a query")
    return body


def head(index: Index, stored: StoredDocument) -> Json:
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


def item(action: Action, result: Json | RefusedError) -> Json:
    """How a bulk request tells what became of an action."""
    if isinstance(result, RefusedError):
        return {"_index": action.index, "_id": action.id, "status": result.status, "error": result.nested()}
    return result | {"status": status_of(result)}
