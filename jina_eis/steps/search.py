"""Retrieval, as steps: one request that searches, fuses and reranks inside Elasticsearch.

The type of the searched field and the query decide whether Elasticsearch or this library embeds the query. The index is
described once. Nothing here sends or waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from ..contents import Content, Part
from ..errors import ConfigurationError, IndexNotFoundError, InputError
from ..models import RerankModel, find_model
from ..wire import (
    VECTORS,
    EndpointInfo,
    Field,
    Hit,
    Index,
    Steps,
    Vector,
    ask,
    elasticsearch_score,
    get_index,
    model_score,
    query_vector_builder,
    search,
)
from .compatibility import check_modalities, check_spaces
from .embedder import Embedder, has_fused
from .endpoints import describe_endpoint, known_endpoint
from .names import resolve
from .rescue import explaining_fusion

__all__ = ["SEARCH_TYPES", "Fusion", "Query", "SearchResult", "SearchType", "Searcher", "describe_index"]

SearchType = Literal["semantic", "knn", "hybrid"]
Fusion = Literal["rrf", "linear"]

SEARCH_TYPES: dict[SearchType, tuple[str, ...]] = {
    "semantic": ("semantic_text", "semantic"),
    "knn": ("dense_vector",),
    "hybrid": ("semantic_text", "dense_vector", "semantic"),
}
RANK_WINDOW = 64  # documents that are fused and reranked; the window of the listwise models [models.py]
SINGLE_PRECISION = 1e-6  # relative difference below which Elasticsearch's scores are equal
RANK_CONSTANT = 60  # of reciprocal rank fusion; Elasticsearch's default
UNQUANTISED = ("hnsw", "flat")  # the types of a vector index that holds full vectors
MAX_RESCORED = 10_000  # vectors; for a large k, `oversample` is lowered to stay near it, as num_candidates has this limit
SERVER_OVERSAMPLE = 3.0  # Elasticsearch's default for bbq indices
CANDIDATES = 100  # minimum vectors that each shard considers in a vector search
PASSAGES = 3
CONTENT_FIELDS = ("text", "content")  # names in the Elasticsearch stores of LangChain and LlamaIndex


@dataclass(frozen=True, slots=True)
class Query:
    """A query, as text, content or vector.

    Attributes:
        text: Its text, for BM25 and rerankers; None if there is none.
        content: The content that is embedded; None if there is a vector.
        vector: Its vector, if the caller has made it.
    """

    text: str | None
    content: Content | None
    vector: Vector | None = None

    @classmethod
    def of(cls, content: Content) -> Query:
        """Return the query for a text or medium."""
        return cls(content if isinstance(content, str) else None, content)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A hit, with its text, and the reranker's own score if it was reranked."""

    hit: Hit
    text: str
    relevance_score: float | None


@dataclass(frozen=True, slots=True)
class Searcher:
    """Searches an index. Valid if it exists, as far as that can be checked without a request.

    Args:
        index: The index.
        search_type: "semantic" for a field that Elasticsearch embeds, "knn" for vectors, "hybrid" for one of them and keyword
            search (BM25).
        field: The field for semantic search; None for the only one in the index.
        content_field: The text field; None for `text` or `content`, or the searched semantic_text field.
        inference_id: The endpoint for queries; None for that of the index.
        dimensions: Length of the vectors if they were truncated; the query is then embedded and truncated by this library.
        filters: Queries that every hit must match; they apply to every retriever.
        min_score: Minimum score of a hit, on the reranker's own scale if it is reranked.
        source_fields: Fields to return in addition to the text; None for all except vectors.
        always: Fields to return in any case.
        passages: Number of the best passages of a hit to return; 0 for none.
        fusion: How hybrid search fuses its two lists.
        weights: Weights of keyword and semantic search in the fusion.
        rank_constant: Constant of reciprocal rank fusion.
        oversample: How many times `k` vectors of a quantised index are compared with the full vectors; None for the default of
            the index.
        num_candidates: Number of vectors that each shard considers.
        rerank_inference_id: An endpoint that reranks inside Elasticsearch, in the same request.
        rank_window_size: Number of documents that are fused and reranked.
        timeout: Seconds that an embedding request of this library may take.

    Raises:
        ConfigurationError: settings that contradict each other.
    """

    index: str
    search_type: SearchType
    field: str | None
    content_field: str | None = None
    inference_id: str | None = None
    dimensions: int | None = None
    filters: Sequence[Mapping[str, Any]] = ()
    min_score: float | None = None
    source_fields: Sequence[str] | None = None
    always: Sequence[str] = ()
    passages: int = 0
    fusion: Fusion = "rrf"
    weights: tuple[float, float] | None = None
    rank_constant: int = RANK_CONSTANT
    oversample: float | None = None
    num_candidates: int | None = None
    rerank_inference_id: str | None = None
    rank_window_size: int | None = None
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.rerank_inference_id and (known := known_endpoint(self.rerank_inference_id)):
            self._check_reranker(known)
        if self.fusion == "linear" and self.rank_constant != RANK_CONSTANT:
            raise ConfigurationError('rank_constant applies only to fusion="rrf". Leave it out, or choose that fusion.')

    def find(self, query: Query, k: int) -> Steps[list[SearchResult]]:
        """Return the best documents for a query, at most `k`."""
        window = self._window(k)
        self = yield from self._with_endpoints()
        index = yield from describe_index(self.index)
        field = self._field(index)
        self = replace(self, content_field=self._text_field(index, field))
        yield from self._check(index, field)
        retriever = yield from self._retriever(index, field, query, window)
        body = self._body(index, field, retriever, k)
        call = search(self.index, body, self.rerank_inference_id or self._endpoint(index, field) or "")
        (hits,) = yield from ask([explaining_fusion(call) if query.content and has_fused([query.content]) else call])
        reranked = bool(self.rerank_inference_id)
        return [
            SearchResult(
                hit, hit.text(str(self.content_field)), model_score(hit.score) if reranked and hit.score is not None else None
            )
            for hit in hits
        ]

    def _with_endpoints(self) -> Steps[Searcher]:
        """Return the same searcher with the ids of the endpoints, in place of names of their models."""
        inference_id = (yield from resolve(self.inference_id)) if self.inference_id else None
        reranker = (yield from resolve(self.rerank_inference_id)) if self.rerank_inference_id else None
        return replace(self, inference_id=inference_id, rerank_inference_id=reranker)

    def _text_field(self, index: Index, field: Field) -> str:
        """Return the name of the text field."""
        if self.content_field:
            return self.content_field
        known = next((name for name in CONTENT_FIELDS if name in index.fields), None)
        return known or (field.name if field.type == "semantic_text" else CONTENT_FIELDS[0])

    def _window(self, k: int) -> int:
        window = self.rank_window_size or max(RANK_WINDOW, 0 if self.rerank_inference_id else k)
        if k > window:
            raise ConfigurationError(
                f"k={k}: at most rank_window_size={window} documents are ranked. Raise rank_window_size"
                + (", or rerank with JinaEISRerank, which takes any number." if self.rerank_inference_id else ".")
            )
        return window

    def _field(self, index: Index) -> Field:
        """Return the field for semantic search."""
        types = SEARCH_TYPES[self.search_type]
        candidates = index.of_types(*types)
        if self.field is None:
            if len(candidates) == 1:
                return candidates[0]
            state = (
                f"has {_format_fields(candidates)}: choose one with field"
                if candidates
                else f"has no such field, {_other_vector_fields(index)}"
            )
            raise ConfigurationError(
                f'search_type="{self.search_type}" searches a field of type {_join_with_or(types)}. '
                f"The index {index.name!r} {state}."
            )
        field = index.fields.get(self.field)
        if field is None:
            raise ConfigurationError(f"The index {index.name!r} has no field {self.field!r}, {_other_vector_fields(index)}.")
        if field.type not in types:
            suitable = next((name for name, field_types in SEARCH_TYPES.items() if field.type in field_types), None)
            remedy = f'Choose search_type="{suitable}".' if suitable else f"The index has {_format_fields(candidates) or 'none'}."
            raise ConfigurationError(
                f'field={self.field!r} is of type {field.type}, but search_type="{self.search_type}" searches '
                f"{_join_with_or(types)}. {remedy}"
            )
        return field

    def _check(self, index: Index, field: Field) -> Steps[None]:
        """Check the text field, and that the query and the documents are in one vector space."""
        if self.search_type == "hybrid" or self.rerank_inference_id:
            text = index.fields.get(str(self.content_field))
            types = (
                ("text", "match_only_text")
                if self.search_type == "hybrid"
                else ("text", "semantic_text", "match_only_text", "keyword")
            )
            if text is None or text.type not in types:
                state = f"is of type {text.type}" if text else "does not exist"
                names = ", ".join(candidate.name for candidate in index.of_types(*types)) or "none"
                raise ConfigurationError(
                    f"content_field={self.content_field!r} {state}, and "
                    f"{'keyword search' if self.search_type == 'hybrid' else 'reranking'} needs a text field. "
                    f"The index {index.name!r} has: {names}."
                )
        if self.rerank_inference_id:
            self._check_reranker((yield from describe_endpoint(self.rerank_inference_id)))
        documents = field.inference_id or index.inference_id
        if self.inference_id and documents and documents != self.inference_id:
            for_queries = yield from describe_endpoint(self.inference_id)
            check_spaces(for_queries, (yield from describe_endpoint(documents)), self.dimensions or field.dims)

    def _check_reranker(self, endpoint: EndpointInfo) -> None:
        if endpoint.task != "rerank":
            raise ConfigurationError(
                f"rerank_inference_id={endpoint.inference_id!r} is an endpoint for {endpoint.task}, not for rerank."
            )
        model = find_model(endpoint.model_id or "")
        if isinstance(model, RerankModel) and model.window and (self.rank_window_size or 0) > model.window:
            raise ConfigurationError(
                f"rank_window_size={self.rank_window_size}: {model.name} takes {model.window} documents in a call, and reranking "
                f"is one call. Choose {model.window} or less, or rerank with JinaEISRerank, which takes any number."
            )

    def _retriever(self, index: Index, field: Field, query: Query, window: int) -> Steps[dict[str, Any]]:
        """Return the retriever: the semantic one, fused with keyword search if hybrid, within the reranker if there is one."""
        depth = max(window, RANK_WINDOW) if self.rerank_inference_id else window  # a small window must not reduce the candidates
        retriever = yield from self._semantic_retriever(index, field, query, depth)
        if self.search_type == "hybrid":
            text = _text(query, "hybrid search needs its words")
            retriever = self._fused(self._keyword_retriever(text), retriever, depth)
        if self.rerank_inference_id:
            return {
                "text_similarity_reranker": {
                    "retriever": retriever,
                    "field": self.content_field,
                    "inference_id": self.rerank_inference_id,
                    "inference_text": _text(query, "the reranker needs it"),
                    "rank_window_size": window,
                    **(
                        {}
                        if self.min_score is None
                        else {"min_score": elasticsearch_score(self.min_score) * (1 - SINGLE_PRECISION)}
                    ),
                }
            }
        return retriever

    def _semantic_retriever(self, index: Index, field: Field, query: Query, window: int) -> Steps[dict[str, Any]]:
        if query.vector is not None:
            if field.dims and len(query.vector) != field.dims:
                raise ConfigurationError(
                    f"The query vector has {len(query.vector)} dimensions, and the vectors in {field.name!r} have {field.dims}."
                )
            return self._knn(field, window, {"query_vector": query.vector})
        content = query.content
        endpoint = self._endpoint(index, field)
        uses_field_endpoint = self.inference_id is None or self.inference_id in (field.search_inference_id, field.inference_id)
        if content is None:
            raise InputError("The query has no text, image or vector.")
        if isinstance(content, str) and field.type != "dense_vector" and uses_field_endpoint:
            return self._standard({"match": {field.name: {"query": content}}})  # embedded with the endpoint of the field
        if endpoint is None:
            raise ConfigurationError(
                f"The index {index.name!r} does not name the endpoint of the vectors in {field.name!r}. Pass inference_id."
            )
        return self._knn(field, window, (yield from self._query_vector(endpoint, field, content)))

    def _knn(self, field: Field, window: int, vector: dict[str, Any]) -> dict[str, Any]:
        if self.num_candidates and self.num_candidates < window:
            raise ConfigurationError(
                f"num_candidates={self.num_candidates}: {window} documents are ranked, and each shard must consider as many. "
                "Raise it, or lower rank_window_size."
            )
        knn: dict[str, Any] = {
            "field": field.name,
            "k": window,
            "num_candidates": self.num_candidates or max(CANDIDATES, window),
            **self._rescoring(field, window),
            **vector,
            **self._filter(),
        }
        # the knn retriever takes only dense_vector fields
        return {"knn": knn} if field.type == "dense_vector" else self._standard({"knn": knn})

    def _rescoring(self, field: Field, k: int) -> dict[str, Any]:
        """Compare more candidates with the full vectors, where the index holds short codes of them."""
        if self.oversample is None or field.type != "dense_vector" or field.index_type in UNQUANTISED:
            return {}
        if field.element_type not in ("float", "bfloat16"):
            log_unrescorable(self.index, field.name, field.element_type)
            return {}
        return {"rescore_vector": {"oversample": min(self.oversample, max(SERVER_OVERSAMPLE, MAX_RESCORED / k))}}

    def _query_vector(self, endpoint: str, field: Field, query: Content) -> Steps[dict[str, Any]]:
        """Return the query vector, or the builder with which Elasticsearch makes it."""
        info = yield from describe_endpoint(endpoint)
        check_modalities(info, [query], [0])
        dimensions = self.dimensions or (field.dims if field.dims != info.dimensions else None)
        if dimensions and field.dims and dimensions != field.dims:
            raise ConfigurationError(f"dimensions={dimensions}: the vectors in {field.name!r} have {field.dims}.")
        if dimensions is None or dimensions == info.dimensions:
            return {"query_vector_builder": query_vector_builder(endpoint, info.task, _parts(query))}
        embedder = Embedder(endpoint, dimensions, timeout=self.timeout)
        (batch,) = yield from ask(embedder.content_calls(info, [query], "search"))
        (vector,) = batch
        if not _is_vector(vector):
            raise InputError(
                "A query has one vector, and a PDF has one for each page. Search with one of its pages, as an image."
            )
        return {"query_vector": vector}

    def _keyword_retriever(self, text: str) -> dict[str, Any]:
        return self._standard({"match": {self.content_field: {"query": text}}})

    def _fused(self, keyword: dict[str, Any], semantic: dict[str, Any], window: int) -> dict[str, Any]:
        retrievers = (keyword, semantic)
        if self.fusion == "linear":
            weights = self.weights or (0.5, 0.5)
            parts = [
                {"retriever": retriever, "weight": weight, "normalizer": "minmax"}
                for retriever, weight in zip(retrievers, weights, strict=True)
            ]
            return {"linear": {"retrievers": parts, "rank_window_size": window}}
        parts = (
            [{"retriever": retriever, "weight": weight} for retriever, weight in zip(retrievers, self.weights, strict=True)]
            if self.weights
            else [*retrievers]
        )
        return {"rrf": {"retrievers": parts, "rank_constant": self.rank_constant, "rank_window_size": window}}

    def _standard(self, query: dict[str, Any]) -> dict[str, Any]:
        return {"standard": {"query": query, **self._filter()}}

    def _filter(self) -> dict[str, Any]:
        return {"filter": [dict(query) for query in self.filters]} if self.filters else {}

    def _endpoint(self, index: Index, field: Field) -> str | None:
        """Return the endpoint that embeds queries."""
        return self.inference_id or field.search_inference_id or field.inference_id or index.inference_id

    def _body(self, index: Index, field: Field, retriever: dict[str, Any], k: int) -> dict[str, Any]:
        body: dict[str, Any] = {"retriever": retriever, "size": k}
        if self.min_score is not None and not self.rerank_inference_id:
            body["min_score"] = self.min_score  # a knn retriever accepts its own and ignores it [Elasticsearch 9.5.3]
        if self.source_fields is not None:
            body["_source"] = {"includes": [self.content_field, *self.source_fields, *self.always]}
        else:
            vectors = [vector.name for vector in index.of_types(*VECTORS) if vector.name != self.content_field]
            body["_source"] = {"excludes": vectors} if vectors else True
        if self.passages and field.type != "dense_vector":
            body["highlight"] = {
                "fields": {field.name: {"number_of_fragments": self.passages, "order": "score"}},
                "max_analyzed_offset": -1,  # of a longer text, the start: without it the search fails [Elasticsearch 9.5.3]
            }
        return body


def describe_index(index: str, *, fresh: bool = False) -> Steps[Index]:
    """Describe an index; with `fresh`, by a new request even if it is cached.

    Raises:
        IndexNotFoundError: the index does not exist.
    """
    try:
        return (yield from ask([get_index(index, cache=not fresh)]))[0]
    except IndexNotFoundError as error:
        error.message = f"There is no index {index!r}. Check index_name; adding documents creates it."
        raise


@cache
def log_unrescorable(index: str, field: str, element_type: str) -> None:
    """Log once that a field holds no full vectors."""
    logging.getLogger("jina_eis.search").info(
        "The field %r of the index %r holds %s vectors, which are compared as they are: oversample has no effect.",
        *(field, index, element_type),
    )


def _text(query: Query, reason: str) -> str:
    """Return the text of a query. Raises InputError if it has none."""
    if not query.text:
        raise InputError(f"The query has no text, and {reason}. Use semantic search without a reranker.")
    return query.text


def _parts(query: Content) -> Sequence[Part]:
    return query if isinstance(query, tuple) else (query,)


def _is_vector(value: Any) -> bool:
    return bool(value) and isinstance(value[0], float)


def _other_vector_fields(index: Index) -> str:
    fields = index.of_types(*VECTORS)
    return f"but {_format_fields(fields)}" if fields else f"nor any other of {_join_with_or(VECTORS)}"


def _format_fields(fields: Sequence[Field]) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in fields)


def _join_with_or(types: Sequence[str]) -> str:
    *others, last = types
    return f"{', '.join(others)} or {last}" if others else last
