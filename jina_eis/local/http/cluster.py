"""Index operations of a cluster: create, show and delete indices; write, get, count and search documents.

Knows Elasticsearch's responses. Must not know HTTP, nor how documents are stored or queries scored.
"""

from __future__ import annotations

import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..indices import Action, Index, Indices, SourceFilter, Storage, Writer, add_fields, define_index, show_index
from ..inference import InnerInference
from ..refusals import Json, RefusedError, illegal_argument, index_not_found, invalid, not_implemented, parsing_exception
from ..search import matching_documents, search_index
from .parameters import UNTHROTTLED

Params = Mapped[str, str]
StatusAndBody = tuple[int, Json]
ACKNOWLEDGED: StatusAndBody = (200, {"acknowledged": True})


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an index, or to several in one bulk request."""

    method: str
    index: str
    id: str | None
    params: Params

    @property
    def refresh(self) -> str:
        """When searches shall see a write."""
        return self.params.get("refresh", "false") or "true"


class Cluster:
    """The indices of the cluster.

    Every operation takes a request and its body, and returns a status and a response body; errors are raised as RefusedError.
    """

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

    def _all(self, name: str) -> Indices:
        """Return the index of this name, or those of a list, a pattern or an alias."""
        found: dict[str, Index] = {}
        for part in ["*" if part == "_all" else part for part in name.split(",")]:
            if part.startswith("-") and found:
                raise not_implemented("an excluded name after others")
            indices = self._storage.resolve(part)
            if not indices and "*" not in part:
                raise index_not_found(part)
            found |= {index.name: index for index in indices}
        return Indices(name, list(found.values()))

    def _searched(self, name: str) -> Indices:
        """Return the indices of this name for a search."""
        found = self._all(name)
        for index in found.parts:
            index.refresh_if_due()
        return found

    # Indices

    def create(self, request: Request, body: Json) -> StatusAndBody:
        """Create an index."""
        definition = define_index(request.index, body, self._registry)
        with self._storage.writing:
            created = self._storage.create(request.index, *definition)
            for alias in body.get("aliases", {}):
                self._storage.change_alias(alias, created, add=True)
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": request.index}

    def show(self, request: Request, body: Json) -> StatusAndBody:
        """Return the mapping and settings of an index, or of those that a pattern matches; also the defaults of settings."""
        result, aliases = {}, self._storage.aliases()
        for index in self._all(request.index).parts:
            own: Json = {alias: {} for alias, name in aliases if name == index.name}
            result[index.name] = {"aliases": own, **show_index(index, request.params.get("include_defaults", "false"))}
        return 200, result

    def delete(self, request: Request, body: Json) -> StatusAndBody:
        """Delete an index."""
        if request.index == "_all" or ("*" in request.index and "," not in request.index):
            raise illegal_argument("Wildcard expressions or all indices are not allowed")
        index = self._get(request.index)
        if index.name != request.index:
            raise illegal_argument(f"The expression [{request.index}] matches an alias, specify the concrete indices instead.")
        with self._storage.writing:
            self._storage.drop(index)
        return ACKNOWLEDGED

    def change_alias(self, request: Request, body: Json) -> StatusAndBody:
        """Give indices an alias, or take it away."""
        if body:
            raise not_implemented(f"an alias with {sorted(body)}")
        with self._storage.writing, self._storage.transaction():
            for index in self._all(request.index).parts:
                self._storage.change_alias(request.id or "", index, add=request.method != "DELETE")
        return ACKNOWLEDGED

    def show_mapping(self, request: Request, body: Json) -> StatusAndBody:
        """Return the mapping of an index, or of several."""
        return 200, {index.name: {"mappings": index.mapping.definition} for index in self._all(request.index).parts}

    def put_mapping(self, request: Request, body: Json) -> StatusAndBody:
        """Add fields to the mapping of an index."""
        with self._storage.writing:
            index = self._get(request.index)
            index.keep(add_fields(index.mapping, index.settings, body, self._registry))
        return ACKNOWLEDGED

    def refresh(self, request: Request, body: Json) -> StatusAndBody:
        """Let searches see all written documents."""
        found = self._all(request.index)
        for index in found.parts:
            index.refresh()
        shards = [index.shards for index in found.parts]
        return 200, {"_shards": {part: sum(own[part] for own in shards) for part in ("total", "successful", "failed")}}

    # Documents

    def _write(self, actions: Sequence[Action], refresh: str) -> list[Json | RefusedError]:
        with self._storage.writing:
            return Writer(self._storage, self._inference).write(actions, refresh)

    def bulk(self, request: Request, body: Sequence[Action]) -> StatusAndBody:
        """Write documents. One that fails does not affect the others."""
        began = time.monotonic()
        results = self._write(body, request.refresh)
        items = [{action.kind: bulk_item(action, result)} for action, result in zip(body, results, strict=True)]
        errors = any(isinstance(result, RefusedError) for result in results)
        return 200, {"errors": errors, "took": int((time.monotonic() - began) * 1000), "items": items}

    def write(self, request: Request, body: Action) -> StatusAndBody:
        """Write one document."""
        (result,) = self._write([body], request.refresh)
        if isinstance(result, RefusedError):
            raise result
        if result["result"] == "noop":  # alone, it reaches no shard
            result.pop("forced_refresh", None)
            result["_shards"] = {"total": 0, "successful": 0, "failed": 0}
        return status_of(result), result

    def get(self, request: Request, body: Json) -> StatusAndBody:
        """Return a document."""
        document = self._document(self._get(request.index), request.id or "", SourceFilter.of(None, request.params))
        return 200 if document["found"] else 404, document

    def mget(self, request: Request, body: Json) -> StatusAndBody:
        """Return documents by their ids."""
        for key in body.keys() - {"ids"}:
            raise not_implemented(f"[{key}] in a multi get") if key == "docs" else parsing_exception(f"unknown key [{key}]")
        ids = body.get("ids", [])
        if not isinstance(ids, list) or not all(type(doc_id) in (str, int) for doc_id in ids):
            raise not_implemented(f"the ids {ids}")
        if not ids:
            raise invalid("no documents to get")
        source, names = SourceFilter.of(None, request.params), list(map(str, ids))
        if (index := self._find(request.index)) is None:
            error = index_not_found(request.index).envelope()["error"]
            return 200, {"docs": [{"_index": request.index, "_id": doc_id, "error": error} for doc_id in names]}
        return 200, {"docs": [self._document(index, doc_id, source) for doc_id in names]}

    def _document(self, index: Index, doc_id: str, source: SourceFilter) -> Json:
        stored = index.stored(doc_id)
        if stored is None:
            return {"_index": index.name, "_id": doc_id, "found": False}
        head = {"_index": index.name, "_id": stored.id, "_version": stored.version, "_seq_no": stored.seq, "_primary_term": 1}
        return head | {"found": True} | ({"_source": source.apply(stored, index)} if source.show else {})

    # Queries

    def search(self, request: Request, body: Json) -> StatusAndBody:
        """Return the hits of a search."""
        if "pit" in body:
            raise not_implemented("a point in time in a search of an index")
        return self._search(request, body)

    def _search(self, request: Request, body: Json) -> StatusAndBody:
        return 200, search_index(self._searched(request.index), self._inference, body, request.params)

    def open_point_in_time(self, request: Request, body: Json) -> StatusAndBody:
        """Return an id for searches page by page. Documents that change in between change here, too."""
        return 200, {"id": b64encode(request.index.encode()).decode(), "_shards": self._all(request.index).shards}

    def close_point_in_time(self, request: Request, body: Json) -> StatusAndBody:
        """Do nothing: a point in time holds nothing."""
        return 200, {"succeeded": True, "num_freed": 1}

    def search_point_in_time(self, request: Request, body: Json) -> StatusAndBody:
        """Return the next page of a point in time."""
        if not isinstance(body.get("pit"), dict) or not isinstance(body["pit"].get("id"), str):
            raise not_implemented("searches of all indices")
        try:
            name = b64decode(body["pit"]["id"]).decode()
        except ValueError as error:
            raise illegal_argument("invalid id of a point in time") from error
        return self._search(replace(request, index=name), body)

    def count(self, request: Request, body: Json) -> StatusAndBody:
        """Count the documents that match."""
        check_keys(body, "query")
        query, indices = body.get("query", {"match_all": {}}), self._searched(request.index)
        return 200, {"count": len(matching_documents(indices, self._inference, query)), "_shards": indices.shards}

    def delete_by_query(self, request: Request, body: Json) -> StatusAndBody:
        """Delete the documents that match."""
        began = time.monotonic()
        limit = body.get("max_docs")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise illegal_argument(f"[max_docs] should be greater than zero, got [{limit}]")
        check_keys(body, "query", "max_docs")
        if "query" not in body:
            raise invalid("query is missing")
        with self._storage.writing:
            index = self._get(request.index)
            index.refresh_if_due()
            docs = matching_documents(Indices(index.name, [index]), self._inference, body["query"])[:limit]
            with self._storage.transaction():
                for found in index.documents(docs).values():
                    current = index.stored(found.id)
                    if current is None or current.doc != found.doc:
                        raise not_implemented("_delete_by_query of documents that changed since the last refresh")
                    index.delete(found.id, found.version + 1)
                index.keep(index.mapping)
                if request.refresh == "true":
                    index.refresh()
        took = {"took": int((time.monotonic() - began) * 1000), "timed_out": False}
        return 200, took | dict.fromkeys(("total", "deleted"), len(docs)) | {"batches": min(len(docs), 1)} | UNTHROTTLED


def check_keys(body: Json, *known: str) -> None:
    for key in body.keys() - {*known}:
        raise not_implemented(f"[{key}] next to [query]")


def status_of(result: Json) -> int:
    return {"created": 201, "not_found": 404}.get(result["result"], 200)


def bulk_item(action: Action, result: Json | RefusedError) -> Json:
    """Return the entry of an action in a bulk response."""
    if isinstance(result, RefusedError):
        unnamed = action.id is None and result.kind != "invalid_index_name_exception"
        doc_id = secrets.token_urlsafe(15) if unnamed else action.id
        return {"_index": action.index, "_id": doc_id, "status": result.status, "error": result.nested()}
    return result | {"status": status_of(result)}
