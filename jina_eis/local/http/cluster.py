"""Index operations of a cluster: create, show and delete indices; write, get, count and search documents.

Knows Elasticsearch's responses. Must not know HTTP, nor how documents are stored or queries scored.
"""

from __future__ import annotations

import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping as Mapped
from collections.abc import Sequence

from ..indices import (
    Action,
    Index,
    Indices,
    InnerInference,
    Mapping,
    SourceFilter,
    Storage,
    Writer,
    check_mapping,
    check_name,
    format_value,
    new_settings,
    show_defaults,
    show_settings,
    write_shards,
)
from ..inference import as_list
from ..refusals import Json, RefusedError, illegal_argument, index_not_found, invalid, not_implemented, parsing_exception
from ..search import SHARDS, matching_documents, page_of_documents, search_index

StatusAndBody = tuple[int, Json]
UNTHROTTLED = {"version_conflicts": 0, "noops": 0, "retries": {"bulk": 0, "search": 0}, "throttled_millis": 0} | {
    "requests_per_second": -1.0,
    "throttled_until_millis": 0,
    "failures": [],
}
CREATE_KEYS = {"settings", "mappings", "aliases"}


class Cluster:
    """The indices of the cluster. Methods return a response body, some with its status; errors are raised as RefusedError."""

    def __init__(self, storage: Storage, inference: InnerInference) -> None:
        self._storage = storage
        self._inference = inference
        self._registry = inference.registry

    def _find(self, name: str) -> Index | None:
        """Return the index of this name, or None; refuses patterns and lists of names."""
        if name == "_all" or any(character in name for character in "*,"):
            raise not_implemented(f"requests to several indices: {name}")
        return self._storage.find(name)

    def _get(self, name: str) -> Index:
        """Return the index of this name; refuses with 404 if it does not exist."""
        if (index := self._find(name)) is None:
            raise index_not_found(name)
        return index

    def _all(self, name: str) -> Index | Indices:
        """Return the index of this name, or those of a list, a pattern or an alias."""
        found: dict[str, Index] = {}
        for part in name.split(","):
            if part.startswith("-") and found:
                raise not_implemented("an excluded name after others")
            indices = self._storage.resolve("*" if part == "_all" else part)
            if not indices and "*" not in part:
                raise index_not_found(part)
            found |= {index.name: index for index in indices}
        return next(iter(found.values())) if len(found) == 1 else Indices(name, list(found.values()))

    def _searched(self, name: str) -> Index | Indices:
        """Return the indices of this name for a search."""
        found = self._all(name)
        for index in parts_of(found):
            index.refresh_if_due()
        return found

    # Indices

    def create(self, name: str, body: Json) -> Json:
        """Create an index."""
        check_name(name)
        for key, value in body.items():
            if key not in CREATE_KEYS or not isinstance(value, dict):
                raise RefusedError(400, "parse_exception", f"unknown key [{key}] for create index, or no object")
        settings = new_settings(body.get("settings", {}), self._registry.version)
        mapping = Mapping({}).merged(body.get("mappings", {}), self._registry.find)
        check_mapping(mapping, settings, self._registry)
        with self._storage.writing:
            created = self._storage.create(name, settings, mapping)
            for alias in body.get("aliases", {}):
                self._storage.change_alias(alias, created, add=True)
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def show(self, name: str, *, defaults: bool) -> Json:
        """Return the mapping and settings of an index, or of those that a pattern matches; also the defaults of settings."""
        indices = parts_of(self._all(name))
        aliases = self._storage.aliases()
        return {
            index.name: {
                "aliases": {alias: {} for alias, own in aliases if own == index.name},
                "mappings": index.mapping.definition,
                "settings": show_settings(index),
            }
            | ({"defaults": show_defaults(index)} if defaults else {})
            for index in indices
        }

    def delete(self, name: str) -> Json:
        """Delete an index."""
        if name == "_all" or ("*" in name and "," not in name):
            raise illegal_argument("Wildcard expressions or all indices are not allowed")
        index = self._get(name)
        if index.name != name:
            raise illegal_argument(
                f"The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
            )
        with self._storage.writing:
            self._storage.drop(name)
        return {"acknowledged": True}

    def change_aliases(self, body: Json) -> Json:
        """Give indices aliases, or take them away."""
        with self._storage.writing, self._storage.transaction():
            for action in as_list(body.get("actions")):
                ((kind, options),) = action.items()
                if kind not in ("add", "remove") or options.keys() - {"index", "indices", "alias", "aliases"}:
                    raise not_implemented(f"alias action {kind} with {sorted(options)}")
                for name in as_list(options.get("index", options.get("indices"))):
                    for alias in as_list(options.get("alias", options.get("aliases"))):
                        for index in parts_of(self._all(name)):
                            self._storage.change_alias(alias, index, add=kind == "add")
        return {"acknowledged": True, "errors": False}

    def show_mapping(self, name: str) -> Json:
        """Return the mapping of an index, or of several."""
        return {index.name: {"mappings": index.mapping.definition} for index in parts_of(self._all(name))}

    def put_mapping(self, name: str, body: Json) -> Json:
        """Add fields to the mapping of an index."""
        with self._storage.writing:
            index = self._get(name)
            mapping = index.mapping.merged(body, self._registry.find)
            check_mapping(mapping, index.settings, self._registry)
            index.keep(mapping)
        return {"acknowledged": True}

    def refresh(self, name: str) -> Json:
        """Let searches see all written documents."""
        indices = parts_of(self._all(name))
        for index in indices:
            index.refresh()
        return {"_shards": write_shards(indices[0]) if len(indices) == 1 else SHARDS}

    # Documents

    def _write(self, actions: Sequence[Action], refresh: str) -> list[Json | RefusedError]:
        with self._storage.writing:
            return Writer(self._storage, self._inference).write(actions, refresh)

    def bulk(self, actions: Sequence[Action], refresh: str) -> Json:
        """Write documents. One that fails does not affect the others."""
        began = time.monotonic()
        results = self._write(actions, refresh)
        items = [{action.kind: bulk_item(action, result)} for action, result in zip(actions, results, strict=True)]
        errors = any(isinstance(result, RefusedError) for result in results)
        return {"errors": errors, "took": int((time.monotonic() - began) * 1000), "items": items}

    def write(self, action: Action, refresh: str) -> StatusAndBody:
        """Write one document."""
        (result,) = self._write([action], refresh)
        if isinstance(result, RefusedError):
            raise result
        if result["result"] == "noop":  # alone, it reaches no shard
            result.pop("forced_refresh", None)
            result["_shards"] = {"total": 0, "successful": 0, "failed": 0}
        return status_of(result), result

    def get(self, name: str, doc_id: str, params: Mapped[str, str]) -> StatusAndBody:
        """Return a document."""
        index = self._get(name)
        if params.get("refresh") in ("true", ""):
            index.refresh()
        document = self._document(index, doc_id, SourceFilter.of(None, params))
        return 200 if document["found"] else 404, document

    def mget(self, name: str, body: Json, params: Mapped[str, str]) -> Json:
        """Return documents by their ids."""
        for key in body.keys() - {"ids"}:
            raise not_implemented(f"[{key}] in a multi get") if key == "docs" else parsing_exception(f"unknown key [{key}]")
        ids = body.get("ids", [])
        if not isinstance(ids, list) or not all(isinstance(doc_id, str | int | float) for doc_id in ids):
            raise parsing_exception("unexpected token, expected [FIELD_NAME] or [START_ARRAY] of ids")
        if not ids:
            raise invalid("no documents to get")
        source, names = SourceFilter.of(None, params), list(map(format_value, ids))
        if (index := self._find(name)) is None:
            error = index_not_found(name).envelope()["error"]
            return {"docs": [{"_index": name, "_id": doc_id, "error": error} for doc_id in names]}
        return {"docs": [self._document(index, doc_id, source) for doc_id in names]}

    def _document(self, index: Index, doc_id: str, source: SourceFilter) -> Json:
        stored = index.stored(doc_id)
        if stored is None:
            return {"_index": index.name, "_id": doc_id, "found": False}
        head = {"_index": index.name, "_id": stored.id, "_version": stored.version, "_seq_no": stored.seq, "_primary_term": 1}
        return head | {"found": True} | ({"_source": source.apply(stored, index)} if source.show else {})

    # Queries

    def search(self, name: str, body: Json, params: Mapped[str, str]) -> Json:
        """Return the hits of a search."""
        return search_index(self._searched(name), self._inference, body, params)

    def open_point_in_time(self, name: str) -> Json:
        """Return an id for searches page by page. Documents that change in between change here, too."""
        self._all(name)
        return {"id": b64encode(name.encode()).decode(), "_shards": SHARDS}

    def search_point_in_time(self, body: Json, params: Mapped[str, str]) -> Json:
        """Return the next page of a point in time."""
        if not isinstance(body.get("pit"), dict) or not isinstance(body["pit"].get("id"), str):
            raise not_implemented("searches of all indices")
        return page_of_documents(self._searched(b64decode(body["pit"]["id"]).decode()), self._inference, body, params)

    def count(self, name: str, body: Json) -> Json:
        """Count the documents that match."""
        query = check_query_body(body).get("query", {"match_all": {}})
        matches = matching_documents(self._searched(name), self._inference, query)
        return {"count": len(matches), "_shards": SHARDS}

    def delete_by_query(self, name: str, body: Json, refresh: bool) -> Json:
        """Delete the documents that match."""
        began = time.monotonic()
        limit = body.get("max_docs")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise illegal_argument(f"[max_docs] should be greater than zero, got [{limit}]")
        if "query" not in check_query_body({name: value for name, value in body.items() if name != "max_docs"}):
            raise invalid("query is missing")
        with self._storage.writing:
            index = self._get(name)
            index.refresh_if_due()
            docs = matching_documents(index, self._inference, body["query"])[:limit]
            with self._storage.transaction():
                for found in index.documents(docs).values():
                    current = index.stored(found.id)
                    if current is None or current.doc != found.doc:
                        raise not_implemented("_delete_by_query of documents that changed since the last refresh")
                    index.delete(found.id, found.version + 1)
                index.keep(index.mapping)
                if refresh:
                    index.refresh()
        took = {"took": int((time.monotonic() - began) * 1000), "timed_out": False}
        return took | dict.fromkeys(("total", "deleted"), len(docs)) | {"batches": min(len(docs), 1)} | UNTHROTTLED


def parts_of(index: Index | Indices) -> Sequence[Index]:
    return index.parts if isinstance(index, Indices) else [index]


def check_query_body(body: Json) -> Json:
    for key in body.keys() - {"query"}:
        raise not_implemented(f"[{key}] next to [query]")
    return body


def status_of(result: Json) -> int:
    return {"created": 201, "not_found": 404}.get(result["result"], 200)


def bulk_item(action: Action, result: Json | RefusedError) -> Json:
    """Return the entry of an action in a bulk response."""
    if isinstance(result, RefusedError):
        unnamed = action.id is None and result.kind != "invalid_index_name_exception"
        doc_id = secrets.token_urlsafe(15) if unnamed else action.id
        return {"_index": action.index, "_id": doc_id, "status": result.status, "error": result.nested()}
    return result | {"status": status_of(result)}
