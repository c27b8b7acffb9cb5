"""Retrieval, as steps: one request that searches, fuses and reranks inside Elasticsearch.

The index says what kind of field is searched; from that and the query follows who embeds the query. It is asked about the
index once. Nothing here sends or waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from .embedder import Embedder
from .endpoints import describe_endpoint, known_endpoint

__all__ = ["SEARCH_TYPES", "Fusion", "Query", "SearchResult", "SearchType", "Searcher", "describe_index"]

SearchType = Literal["semantic", "knn", "hybrid"]
Fusion = Literal["rrf", "linear"]

SEARCH_TYPES: dict[SearchType, tuple[str, ...]] = {
    "semantic": ("semantic_text", "semantic"),
    "knn": ("dense_vector",),
    "hybrid": ("semantic_text", "dense_vector", "semantic"),
}
RANK_WINDOW = 64  # documents that are fused and reranked; what the listwise models see at a time [models.py]
SINGLE_PRECISION = 1e-6  # within this, Elasticsearch's scores are equal
RANK_CONSTANT = 60  # of reciprocal rank fusion; Elasticsearch's default
CANDIDATES = 100  # the least that each shard looks at for a vector search
PASSAGES = 3
CONTENT_FIELDS = ("text", "content")  # as the Elasticsearch stores of LangChain and LlamaIndex call it


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        text: Its words, for BM25 and rerankers; None if there are none.
        content: What is searched by meaning; None if there is a vector.
        vector: Its vector, if the caller has made it.
    """

    text: str | None
    content: Content | None
    vector: Vector | None = None

    @classmethod
    def of(cls, content: Content) -> Query:
        """The query that a text or medium is."""
        return cls(content if isinstance(content, str) else None, content)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A hit, with its text, and the reranker's own score if there was one."""

    hit: Hit
    text: str
    relevance_score: float | None


@dataclass(frozen=True, slots=True)
class Searcher:
    """How an index is searched. Valid if it exists, as far as that can be known without asking the deployment.

    Args:
        index: The index.
        search_type: "semantic" for a field that Elasticsearch embeds by itself, "knn" for vectors, "hybrid" for one of them
            and words (BM25).
        field: The field that is searched by meaning; None for the only one there is.
        content_field: The field with the text; None for `text` or `content`, or a semantic_text field that is searched.
        inference_id: The endpoint for queries; None for the one that the index names.
        dimensions: Length of the vectors, where they were cut; the query is then embedded here and cut too.
        filters: Queries that every hit must match; they reach every branch.
        min_score: The least score of a hit, on the reranker's own scale if there is one.
        source_fields: Fields to return beside the text; None for all that are no vectors.
        always: Fields to return whatever `source_fields` says.
        passages: How many of the best passages of a hit to return; 0 for none.
        fusion: How hybrid search joins its two lists.
        weights: What words and meaning weigh in that.
        rank_constant: Of reciprocal rank fusion.
        num_candidates: How many vectors each shard looks at.
        rerank_inference_id: An endpoint that reranks inside Elasticsearch, in the same request.
        rank_window_size: How many documents are fused and reranked.
        timeout: Seconds that an embedding may take, where it is made here.

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
    num_candidates: int | None = None
    rerank_inference_id: str | None = None
    rank_window_size: int | None = None
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.rerank_inference_id and (known := known_endpoint(self.rerank_inference_id)):
            self._check_reranker(known)
        if self.fusion == "linear" and self.rank_constant != RANK_CONSTANT:
            raise ConfigurationError('rank_constant belongs to fusion="rrf". Leave it out, or choose that.')

    def find(self, query: Query, k: int) -> Steps[list[SearchResult]]:
        """The best documents for a query, at most `k`."""
        window = self._window(k)
        index = yield from describe_index(self.index)
        field = self._field(index)
        self = replace(self, content_field=self._content(index, field))
        yield from self._check(index, field)
        retriever = yield from self._retriever(index, field, query, window)
        body = self._body(index, field, retriever, k)
        (hits,) = yield from ask([search(self.index, body, self.rerank_inference_id or self._endpoint(index, field) or "")])
        reranked = bool(self.rerank_inference_id)
        return [
            SearchResult(
                hit, hit.text(str(self.content_field)), model_score(hit.score) if reranked and hit.score is not None else None
            )
            for hit in hits
        ]

    def _content(self, index: Index, field: Field) -> str:
        """The field with the text."""
        if self.content_field:
            return self.content_field
        known = next((name for name in CONTENT_FIELDS if name in index.fields), None)
        return known or (field.name if field.type == "semantic_text" else CONTENT_FIELDS[0])

    def _window(self, k: int) -> int:
        window = self.rank_window_size or max(RANK_WINDOW, 0 if self.rerank_inference_id else k)
        if k > window:
            raise ConfigurationError(
                f"k={k}: at most rank_window_size={window} documents are ranked. Raise it"
                + (", or rerank with JinaEISRerank, which takes any number." if self.rerank_inference_id else ".")
            )
        return window

    def _field(self, index: Index) -> Field:
        """The field that is searched by meaning."""
        types = SEARCH_TYPES[self.search_type]
        able = index.of_types(*types)
        if self.field is None:
            if len(able) == 1:
                return able[0]
            found = f"has {_listed(able)}: choose one with field" if able else f"has no field for that, {_of_vectors(index)}"
            raise ConfigurationError(
                f'search_type="{self.search_type}" searches a field of type {_or(types)}. The index {index.name!r} {found}.'
            )
        field = index.fields.get(self.field)
        if field is None:
            raise ConfigurationError(f"The index {index.name!r} has no field {self.field!r}, {_of_vectors(index)}.")
        if field.type not in types:
            other = next((name for name, fits in SEARCH_TYPES.items() if field.type in fits), None)
            way = f'Choose search_type="{other}".' if other else f"The index has {_listed(able) or 'none'}."
            raise ConfigurationError(
                f'field={self.field!r} is of type {field.type}, and search_type="{self.search_type}" searches {_or(types)}. {way}'
            )
        return field

    def _check(self, index: Index, field: Field) -> Steps[None]:
        """That the text is where it is looked for, and that query and documents meet in one vector space."""
        if self.search_type == "hybrid" or self.rerank_inference_id:
            text = index.fields.get(str(self.content_field))
            wanted = (
                ("text", "match_only_text")
                if self.search_type == "hybrid"
                else ("text", "semantic_text", "match_only_text", "keyword")
            )
            if text is None or text.type not in wanted:
                what = f"is of type {text.type}" if text else "does not exist"
                texts = ", ".join(each.name for each in index.of_types(*wanted)) or "none"
                raise ConfigurationError(
                    f"content_field={self.content_field!r} {what}, and a text field is needed for "
                    f"{'words' if self.search_type == 'hybrid' else 'reranking'}. The index {index.name!r} has: {texts}."
                )
        if self.rerank_inference_id:
            self._check_reranker((yield from describe_endpoint(self.rerank_inference_id)))
        documents = field.inference_id or index.inference_id
        if self.inference_id and documents and documents != self.inference_id:
            asked = yield from describe_endpoint(self.inference_id)
            check_spaces(asked, (yield from describe_endpoint(documents)), self.dimensions or field.dims)

    def _check_reranker(self, endpoint: EndpointInfo) -> None:
        if endpoint.task != "rerank":
            raise ConfigurationError(
                f"rerank_inference_id={endpoint.inference_id!r} is an endpoint for {endpoint.task}, not for rerank."
            )
        model = find_model(endpoint.model_id or "")
        if isinstance(model, RerankModel) and model.window and (self.rank_window_size or 0) > model.window:
            raise ConfigurationError(
                f"rank_window_size={self.rank_window_size}: {model.name} sees {model.window} documents at a time, and they all "
                f"go into one call. Choose {model.window} or less, or rerank with JinaEISRerank, which takes any number."
            )

    def _retriever(self, index: Index, field: Field, query: Query, window: int) -> Steps[dict[str, Any]]:
        """What is asked of Elasticsearch, from the inside out: the vector search, words beside it, the reranker around."""
        seen = max(window, RANK_WINDOW) if self.rerank_inference_id else window  # what is reranked is chosen from as many as ever
        retriever = yield from self._by_meaning(index, field, query, seen)
        if self.search_type == "hybrid":
            retriever = self._fused(self._by_words(_text(query, "hybrid search looks for its words")), retriever, seen)
        if self.rerank_inference_id:
            return {
                "text_similarity_reranker": {
                    "retriever": retriever,
                    "field": self.content_field,
                    "inference_id": self.rerank_inference_id,
                    "inference_text": _text(query, "the reranker reads it"),
                    "rank_window_size": window,
                    **(
                        {}
                        if self.min_score is None
                        else {"min_score": elasticsearch_score(self.min_score) * (1 - SINGLE_PRECISION)}
                    ),
                }
            }
        if self.min_score is not None:
            next(iter(retriever.values()))["min_score"] = self.min_score
        return retriever

    def _by_meaning(self, index: Index, field: Field, query: Query, window: int) -> Steps[dict[str, Any]]:
        if query.vector is not None:
            if field.dims and len(query.vector) != field.dims:
                raise ConfigurationError(
                    f"The query's vector has {len(query.vector)} dimensions, and those in {field.name!r} have {field.dims}."
                )
            return self._knn(field, window, {"query_vector": query.vector})
        content = query.content
        endpoint = self._endpoint(index, field)
        own = self.inference_id is None or self.inference_id in (field.search_inference_id, field.inference_id)
        if content is None:
            raise InputError("The query holds neither text, nor an image, nor a vector.")
        if isinstance(content, str) and field.type != "dense_vector" and own:
            return self._standard({"match": {field.name: {"query": content}}})  # Elasticsearch embeds it by the field's endpoint
        if endpoint is None:
            raise ConfigurationError(
                f"The index {index.name!r} does not say what the vectors in {field.name!r} were made with. Pass inference_id."
            )
        return self._knn(field, window, (yield from self._vector(endpoint, field, content)))

    def _knn(self, field: Field, window: int, vector: dict[str, Any]) -> dict[str, Any]:
        if self.num_candidates and self.num_candidates < window:
            raise ConfigurationError(
                f"num_candidates={self.num_candidates}: {window} documents are ranked, and each shard has to look at as many. "
                "Raise it, or lower rank_window_size."
            )
        knn: dict[str, Any] = {
            "field": field.name,
            "k": window,
            "num_candidates": self.num_candidates or max(CANDIDATES, window),
            **vector,
            **self._filter(),
        }
        return {"knn": knn} if field.type == "dense_vector" else self._standard({"knn": knn})  # the retriever takes no other type

    def _vector(self, endpoint: str, field: Field, query: Content) -> Steps[dict[str, Any]]:
        """The query's vector, or what lets Elasticsearch make it."""
        described = yield from describe_endpoint(endpoint)
        check_modalities(described, [query], [0])
        dimensions = self.dimensions or (field.dims if field.dims != described.dimensions else None)
        if dimensions and field.dims and dimensions != field.dims:
            raise ConfigurationError(f"dimensions={dimensions}: the vectors in {field.name!r} have {field.dims}.")
        if dimensions is None or dimensions == described.dimensions:
            return {"query_vector_builder": query_vector_builder(endpoint, described.task, _parts(query))}
        embedder = Embedder(endpoint, dimensions, timeout=self.timeout)
        (batch,) = yield from ask(embedder.content_calls(described, [query], "search"))
        (vector,) = batch
        if not _is_vector(vector):
            raise InputError("A query has one vector, and a PDF has one for each page. Search by one of its pages, as an image.")
        return {"query_vector": vector}

    def _by_words(self, text: str) -> dict[str, Any]:
        return self._standard({"match": {self.content_field: {"query": text}}})

    def _fused(self, words: dict[str, Any], meaning: dict[str, Any], window: int) -> dict[str, Any]:
        both = (words, meaning)
        if self.fusion == "linear":
            weights = self.weights or (0.5, 0.5)
            parts = [
                {"retriever": each, "weight": weight, "normalizer": "minmax"} for each, weight in zip(both, weights, strict=True)
            ]
            return {"linear": {"retrievers": parts, "rank_window_size": window}}
        parts = (
            [{"retriever": each, "weight": weight} for each, weight in zip(both, self.weights, strict=True)]
            if self.weights
            else [*both]
        )
        return {"rrf": {"retrievers": parts, "rank_constant": self.rank_constant, "rank_window_size": window}}

    def _standard(self, query: dict[str, Any]) -> dict[str, Any]:
        return {"standard": {"query": query, **self._filter()}}

    def _filter(self) -> dict[str, Any]:
        return {"filter": [dict(each) for each in self.filters]} if self.filters else {}

    def _endpoint(self, index: Index, field: Field) -> str | None:
        """The endpoint that embeds queries."""
        return self.inference_id or field.search_inference_id or field.inference_id or index.inference_id

    def _body(self, index: Index, field: Field, retriever: dict[str, Any], k: int) -> dict[str, Any]:
        body: dict[str, Any] = {"retriever": retriever, "size": k}
        if self.source_fields is not None:
            body["_source"] = {"includes": [self.content_field, *self.source_fields, *self.always]}
        else:
            vectors = [each.name for each in index.of_types(*VECTORS) if each.name != self.content_field]
            body["_source"] = {"excludes": vectors} if vectors else True
        if self.passages and field.type != "dense_vector":
            body["highlight"] = {"fields": {field.name: {"number_of_fragments": self.passages, "order": "score"}}}
        return body


def describe_index(index: str, *, fresh: bool = False) -> Steps[Index]:
    """What an index holds; `fresh` for what it holds now, even if it is known what it held.

    Raises:
        IndexNotFoundError: there is no such index.
    """
    try:
        return (yield from ask([get_index(index, cache=not fresh)]))[0]
    except IndexNotFoundError as error:
        error.message = f"There is no index {index!r}. Documents that are added create it, or check index_name."
        raise


def check_filters(given: Any) -> tuple[Mapping[str, Any], ...]:
    """The queries of a filter: one, or a list of them. Raises ConfigurationError for what is no query."""
    queries = [] if given is None else given if isinstance(given, (list, tuple)) else [given]
    for query in queries:
        if not (
            isinstance(query, Mapping) and len(query) == 1 and all(isinstance(inner, (Mapping, list)) for inner in query.values())
        ):
            raise ConfigurationError(
                f"filter={query!r} is no query of Elasticsearch. Write it like "
                '{"term": {"metadata.lang": "en"}}, or as a list of such queries, all of which must match.'
            )
    return tuple(queries)


def _text(query: Query, why: str) -> str:
    """The query's words."""
    if not query.text:
        raise InputError(f"The query is no text, and {why}. Search by meaning alone, without a reranker.")
    return query.text


def _parts(query: Content) -> Sequence[Part]:
    return query if isinstance(query, tuple) else (query,)


def _is_vector(found: Any) -> bool:
    return bool(found) and isinstance(found[0], float)


def _of_vectors(index: Index) -> str:
    found = index.of_types(*VECTORS)
    return f"but {_listed(found)}" if found else f"nor any other of {_or(VECTORS)}"


def _listed(fields: Sequence[Field]) -> str:
    return ", ".join(f"{each.name} ({each.type})" for each in fields)


def _or(types: Sequence[str]) -> str:
    *others, last = types
    return f"{', '.join(others)} or {last}" if others else last
