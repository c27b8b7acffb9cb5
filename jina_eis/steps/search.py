"""Retrieval, as steps: one request that searches, fuses, reranks and diversifies inside Elasticsearch.

The type of the searched field and the query decide whether Elasticsearch or this library embeds the query. The index is
described once. Nothing here sends or waits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ..contents import Content, Part, holds_url
from ..errors import TOO_MANY_TOKENS, ConfigurationError, InputError, RequestTooLargeError
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
    close_point_in_time,
    get_documents,
    keeps_vectors_in_source,
    model_score,
    open_point_in_time,
    query_vector_builder,
    search,
    search_point_in_time,
    with_shortest_digits,
)
from .compatibility import check_modalities, check_spaces
from .embedder import FUSION, PASS_URLS, Embedder, has_fused
from .endpoints import describe_endpoint, known_endpoint
from .fields import (
    SearchType,
    check_text_field,
    choose_field,
    choose_text_field,
    describe_index,
    origin_of_text,
    query_endpoint,
    text_fields,
)
from .filters import as_queries
from .mmr import maximal_marginal_relevance
from .names import resolve
from .relevance import check_reachable, highest_fused_score
from .retrievers import (
    CANDIDATES,
    CHUNK_WORDS,
    RANK_CONSTANT,
    Fusion,
    Json,
    by_vector,
    by_words,
    diversified,
    fused,
    reranked,
    rescoring,
)
from .version import Version, require, server_version, with_feature

__all__ = ["Query", "SearchResult", "Searcher"]

RANK_WINDOW = 64  # documents that are fused and reranked; the window of the listwise models [models.py]
PASSAGES = 3
LISTED = 20  # ids in a warning
PAGE = 1000  # documents in a request without a query
MOST_HITS = 10_000  # of a search; Elasticsearch's default of index.max_result_window
_PAGES = "A query has one vector, and a PDF has one for each page. Search with one of its pages, as an image."
RERANK_CHUNKS = ("rerank_chunks", "9.2")
DIVERSIFY = {"dense_vector": ("diversify", "9.3"), "semantic_text": ("diversify over a semantic_text field", "9.6")}


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
    """A document that was found.

    Attributes:
        hit: The hit. Its source may still hold the text.
        text: Its text; "" if it has none.
        relevance_score: The reranker's own score, if it was reranked.
        text_field: The field with the text.
        vector: Its vector, if it was asked for and the field is of type dense_vector.
    """

    hit: Hit
    text: str
    relevance_score: float | None = None
    text_field: str = ""
    vector: Vector | None = None


SearchSteps = Steps[list[SearchResult]]


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
        filters: What every hit must match: queries and dicts of metadata, as `as_queries` takes them. For every retriever.
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
        rerank_chunks: Number of passages of a document that the reranker reads; None for the whole document.
        rerank_chunk_words: Maximum words of such a passage.
        diversify: The `lambda` of maximal marginal relevance, from 0 (diversity) to 1 (similarity to the query); None for hits
            that are not compared with each other.
        timeout: Seconds that an embedding request of this library may take.
        observe: Follows a search, given its steps and `k`, and returns the same steps.

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
    rerank_chunks: int | None = None
    rerank_chunk_words: int = CHUNK_WORDS
    diversify: float | None = None
    timeout: float = 60.0
    observe: Callable[[SearchSteps, int], SearchSteps] = lambda steps, k: steps

    def __post_init__(self) -> None:
        known_endpoint(self.inference_id or "")  # checks the name
        known = known_endpoint(self.rerank_inference_id or "")
        if known:
            self._check_reranker(known)
        self._check_min_score(known)
        if self.fusion == "linear" and self.rank_constant != RANK_CONSTANT:
            raise ConfigurationError('rank_constant applies only to fusion="rrf". Leave it out, or choose that fusion.')
        if self.rerank_chunks and not self.rerank_inference_id:
            raise ConfigurationError(f"rerank_chunks={self.rerank_chunks} applies only to a reranker. Pass rerank_inference_id.")
        if self.rerank_chunk_words != CHUNK_WORDS and not self.rerank_chunks:
            raise ConfigurationError("rerank_chunk_words applies only to passages for the reranker. Pass rerank_chunks as well.")

    def find(self, query: Query, k: int, *, vectors: bool = False) -> Steps[list[SearchResult]]:
        """Return the best documents for a query, at most `k`; with `vectors`, also their vectors if the field holds them."""
        return self.observe(self._find(query, k, vectors=vectors), k)

    def _find(self, query: Query, k: int, *, vectors: bool = False) -> SearchSteps:
        window = self._window(k)
        self = yield from self._with_endpoints()
        self, index, field = yield from self._described()
        yield from self._check(index, field)
        features = yield from self._check_version(field, query)
        retriever = yield from self._retriever(index, field, query, k, window)
        body = self._body(index, field, retriever, k) | self._vectors_of(field, vectors)
        call = search(self.index, body, self.rerank_inference_id or self._endpoint(index, field) or "")
        call = replace(call, new_inputs=0 if query.vector is not None else 1)
        if query.content is not None and has_fused([query.content]):
            call = with_feature(call, *FUSION)
        try:
            (hits,) = yield from ask([with_feature(call, *features[-1]) if features else call])
        except RequestTooLargeError as error:
            if TOO_MANY_TOKENS in str(error.reason):
                error.message = (
                    f"The reranker refuses the texts of the best {window} documents, which it gets in one call: {error.reason} "
                    "Let it read the best passages only (rerank_chunks), or fewer documents (a smaller rank_window_size)."
                )
            raise
        return self._results(hits, index, field, reranked=bool(self.rerank_inference_id))

    def find_by_words(self, query: Query, k: int) -> Steps[list[SearchResult]]:
        """Return the best documents by the words of a query alone (BM25), at most `k`; reranked if there is a reranker."""
        return self.observe(self._find_by_words(query, k), k)

    def _find_by_words(self, query: Query, k: int) -> SearchSteps:
        window = self._window(k)
        self = yield from self._with_endpoints()
        self, index, field = yield from self._described()
        check_text_field(index, str(self.content_field), ("text", "match_only_text"), "keyword search")
        features = yield from self._check_version(field, Query(query.text, None))
        retriever = by_words(str(self.content_field), _text(query, "keyword search needs its words"), self.filters)
        if self.rerank_inference_id:
            self._check_reranker((yield from describe_endpoint(self.rerank_inference_id)))
            retriever = self._reranked(retriever, query, window)
        call = search(self.index, self._body(index, field, retriever, k), self.rerank_inference_id or "")
        (hits,) = yield from ask([with_feature(call, *features[-1]) if features else call])
        return self._results(hits, index, field, reranked=bool(self.rerank_inference_id))

    def check_sparse(self) -> Steps[None]:
        """Raise ConfigurationError unless a sparse model embeds the field that is searched."""
        _, index, field = yield from self._described()
        endpoint = self._endpoint(index, field)
        if endpoint is None or (yield from describe_endpoint(endpoint)).task != "sparse_embedding":
            raise ConfigurationError(
                f'The query mode "sparse" needs a field that a sparse model embeds, and {field.name!r} of the index '
                f"{index.name!r} is a {field.type} field of dense vectors. Use another mode, such as default or text_search."
            )

    def find_diverse(self, query: Query, k: int, fetch_k: int, lambda_mult: float) -> Steps[list[SearchResult]]:
        """Return at most `k` documents that differ from each other, of the best `fetch_k`: maximal marginal relevance.

        Elasticsearch chooses them where it can, and this library otherwise: of a dense_vector field by its vectors, of a
        semantic_text field by those of the texts, which are embedded for it. Either chooses the same, up to equal ones, and
        returns them in the order of the search, with its scores.

        Raises:
            ConfigurationError: a `semantic` field, whose media cannot be compared.
        """
        return self.observe(self._find_diverse(query, k, fetch_k, lambda_mult), k)

    def _find_diverse(self, query: Query, k: int, fetch_k: int, lambda_mult: float) -> SearchSteps:
        fetch_k = max(k, fetch_k)
        window = max(fetch_k, self.rank_window_size or 0)
        self = yield from replace(self, diversify=None, rank_window_size=window)._with_endpoints()
        index = yield from describe_index(self.index)
        field = choose_field(index, self.search_type, self.field)
        if (yield from self._diversifies(field)):
            return (yield from replace(self, diversify=lambda_mult, rank_window_size=fetch_k)._find(query, k))
        self._diversity_feature(field)  # refuses other fields
        query, vector = yield from self._with_vector(index, field, query)
        results = yield from self._find(query, fetch_k, vectors=True)
        if field.type == "semantic_text":
            results = yield from self._with_vectors_of_texts(index, field, results)
        compared = [(result, result.vector) for result in results if result.vector]
        chosen = maximal_marginal_relevance(vector, [own for _, own in compared], k, lambda_mult)
        return [compared[position][0] for position in sorted(chosen)]

    def get(self, ids: Sequence[str]) -> Steps[list[SearchResult | None]]:
        """Return the documents with these ids, in their order, without vectors; None for each that does not exist."""
        self, index, field = yield from self._described()
        if index.parts:  # which Elasticsearch does not look up by ids
            found = yield from self.matching([{"ids": {"values": list(ids)}}])
            by_id = {result.hit.id: result for result in found}
            return [by_id.get(id_) for id_ in ids]
        excluded = self._excluded(index)
        calls = [get_documents(self.index, ids[first : first + PAGE], excluded) for first in range(0, len(ids), PAGE)]
        hits = [hit for page in (yield from ask(calls)) for hit in page]
        results = iter(self._results([hit for hit in hits if hit], index, field))
        return [next(results) if hit else None for hit in hits]

    def matching(
        self, queries: Sequence[Mapping[str, Any]] = (), limit: int | None = None, *, vectors: bool = False
    ) -> Steps[list[SearchResult]]:
        """Return the documents that match all queries and the searcher's own filters, without a score; any number of them.

        Args:
            queries: As `filters`.
            limit: Maximum number of documents; None for all.
            vectors: Whether to return the vectors of a dense_vector field.
        """
        self, index, field = yield from replace(self, filters=(*self.filters, *queries))._described()
        body = {
            "query": {"bool": {"filter": [*self.filters]}} if self.filters else {"match_all": {}},
            **self._source(index),
            **self._vectors_of(field, vectors),
        }
        if limit is not None and limit <= MOST_HITS:
            (hits,) = yield from ask([search(self.index, {**body, "size": limit}, "")])
        else:
            (hits,) = yield from ask([search(self.index, {**body, "size": PAGE}, "")])  # most filters match few documents
            if len(hits) == PAGE:
                hits = yield from self._all_pages(body, limit)
        return self._results(hits, index, field)

    def _all_pages(self, body: Json, limit: int | None) -> Steps[list[Hit]]:
        (point,) = yield from ask([open_point_in_time(self.index)])
        hits: list[Hit] = []
        while limit is None or len(hits) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(hits))
            call = search_point_in_time(point, {**body, "size": size}, hits[-1].sort if hits else ())
            (page,) = yield from ask([call])
            hits += page
            if len(page) < size:
                break
        yield from ask([close_point_in_time(point)])  # after an error, Elasticsearch closes it by itself
        return hits

    def _described(self) -> Steps[tuple[Searcher, Index, Field]]:
        """Return the same searcher for the fields of its index, with the index and the field for semantic search."""
        index = yield from describe_index(self.index)
        field = choose_field(index, self.search_type, self.field)
        text_field = origin_of_text(index, self.content_field) if self.content_field else choose_text_field(index, field)
        return replace(self, content_field=text_field, filters=as_queries(self.filters, index)), index, field

    def _results(self, hits: Sequence[Hit], index: Index, field: Field, *, reranked: bool = False) -> list[SearchResult]:
        name = str(self.content_field)
        missing = [hit.id for hit in hits if hit.text(name) is None]
        if missing and len(missing) == len(hits) and name not in index.fields:
            names = ", ".join(other.name for other in text_fields(index)) or "none"
            raise ConfigurationError(
                f"content_field={name!r}: the index {index.name!r} has no such field, and no document that was found has it. "
                f"Its text fields: {names}."
            )
        if missing:
            warnings.warn(_without_text(name, missing), stacklevel=2)
        return [
            SearchResult(
                hit,
                hit.text(name) or "",
                model_score(hit.score) if reranked and hit.score is not None else None,
                name,
                [float(number) for number in hit.fields[field.name]] if field.name in hit.fields else None,
            )
            for hit in hits
        ]

    def _diversifies(self, field: Field) -> Steps[bool]:
        """Return whether Elasticsearch can compare the vectors of a field."""
        if field.type not in DIVERSIFY:
            return False
        version = yield from server_version()
        if version is None or version < Version.parse(DIVERSIFY[field.type][1]):
            return False
        return not (yield from ask([keeps_vectors_in_source(self.index)]))[0]

    def _with_vector(self, index: Index, field: Field, query: Query) -> Steps[tuple[Query, Vector]]:
        """Return the query with its vector, and the vector."""
        if query.vector is not None:
            return query, query.vector
        endpoint = self._endpoint(index, field)
        if endpoint is None or query.content is None:
            yield from self._vector(index, field, query)  # raises the error
        info = yield from describe_endpoint(str(endpoint))
        dimensions = self.dimensions or (field.dims if field.dims != info.dimensions else None)
        embedder = Embedder(str(endpoint), dimensions, timeout=self.timeout)
        ((vector,),) = yield from ask(embedder.content_calls(info, [query.content or ""], "search"))
        if not _is_vector(vector):
            raise InputError(_PAGES)
        return (replace(query, vector=cast("Vector", vector)) if field.type == "dense_vector" else query), cast("Vector", vector)

    def _with_vectors_of_texts(self, index: Index, field: Field, results: list[SearchResult]) -> Steps[list[SearchResult]]:
        embedder = Embedder(str(field.inference_id), timeout=self.timeout)
        with_text = [result for result in results if result.text.strip()]
        info = yield from describe_endpoint(str(field.inference_id))
        batches = yield from ask(embedder.calls(info, [result.text for result in with_text], "ingest"))
        vectors = [vector for batch in batches for vector in batch]
        return [replace(result, vector=vector) for result, vector in zip(with_text, vectors, strict=True)]

    @staticmethod
    def _vectors_of(field: Field, vectors: bool) -> Json:
        return {"fields": [field.name]} if vectors and field.type == "dense_vector" else {}

    def _with_endpoints(self) -> Steps[Searcher]:
        """Return the same searcher with the ids of the endpoints, in place of names of their models."""
        inference_id = (yield from resolve(self.inference_id)) if self.inference_id else None
        reranker = (yield from resolve(self.rerank_inference_id)) if self.rerank_inference_id else None
        return replace(self, inference_id=inference_id, rerank_inference_id=reranker)

    def _window(self, k: int) -> int:
        window = self.rank_window_size or max(RANK_WINDOW, 0 if self.rerank_inference_id else k)
        if k > window:
            raise ConfigurationError(
                f"k={k}: at most rank_window_size={window} documents are ranked. Raise rank_window_size"
                + (", or rerank with JinaEISRerank, which takes any number." if self.rerank_inference_id else ".")
            )
        return window

    def _check(self, index: Index, field: Field) -> Steps[None]:
        """Check the text field, and that the query and the documents are in one vector space."""
        if self.search_type == "hybrid":
            check_text_field(index, str(self.content_field), ("text", "match_only_text"), "keyword search")
        elif self.rerank_inference_id:
            types = ("text", "semantic_text", "match_only_text", "keyword")
            check_text_field(index, str(self.content_field), types, "reranking")
        if self.rerank_inference_id:
            self._check_reranker((yield from describe_endpoint(self.rerank_inference_id)))
        documents = field.inference_id or index.inference_id
        if self.inference_id and documents and documents != self.inference_id:
            for_queries = yield from describe_endpoint(self.inference_id)
            check_spaces(for_queries, (yield from describe_endpoint(documents)), self.dimensions or field.dims)

    def _check_min_score(self, reranker: EndpointInfo | None) -> None:
        """Raise ConfigurationError for a minimum score that no document can have, as far as the highest score is known."""
        if self.min_score is None:
            return
        if self.rerank_inference_id:
            model = find_model(reranker.model_id or "") if reranker else None
            check_reachable("min_score", self.min_score, model if isinstance(model, RerankModel) else None)
        elif self.search_type == "hybrid":
            highest = highest_fused_score(self.fusion, self.weights, self.rank_constant)
            if self.min_score > highest:
                raise ConfigurationError(
                    f'min_score={self.min_score:g}: the scores of hybrid search with fusion="{self.fusion}" are at most '
                    f"{highest:.3g}, so that no document would be returned. Choose a smaller number, or use a reranker, whose "
                    "scores are from -1 to 1 or from 0 to 1."
                )

    def _check_reranker(self, endpoint: EndpointInfo) -> None:
        if endpoint.task != "rerank":
            raise ConfigurationError(
                f"rerank_inference_id={endpoint.inference_id!r} is an endpoint for {endpoint.task}, not for rerank."
            )
        model = find_model(endpoint.model_id or "")
        if not (isinstance(model, RerankModel) and model.window):
            return
        window, chunks = self.rank_window_size or RANK_WINDOW, self.rerank_chunks or 1
        if window * chunks <= model.window:
            return
        if chunks > 1:
            raise ConfigurationError(
                f"rank_window_size={window} and rerank_chunks={chunks} are {window * chunks} passages in one call, and "
                f"{model.name} takes {model.window}. Choose rank_window_size={max(1, model.window // chunks)}, or fewer "
                "rerank_chunks."
            )
        raise ConfigurationError(
            f"rank_window_size={window}: {model.name} takes {model.window} documents in a call, and reranking "
            f"is one call. Choose {model.window} or less, or rerank with JinaEISRerank, which takes any number."
        )

    def _check_version(self, field: Field, query: Query) -> Steps[list[tuple[str, str]]]:
        """Check that the deployment has the features of this search that older ones lack. Returns them, the newest last."""
        features = [RERANK_CHUNKS] if self.rerank_chunks else []
        if self.diversify is not None:
            features.append(self._diversity_feature(field))
        if query.content is not None and holds_url(query.content):
            features.append(PASS_URLS)
        for feature in features:
            version = yield from require(*feature)
        if self.diversify is not None:
            yield from self._check_diversity(field, version)
        return features

    def _diversity_feature(self, field: Field) -> tuple[str, str]:
        try:
            return DIVERSIFY[field.type]
        except KeyError:
            raise ConfigurationError(
                f"diversify compares the vectors of a dense_vector or semantic_text field, and {field.name!r} is of type "
                f"{field.type}. Leave diversify out."
            ) from None

    def _check_diversity(self, field: Field, version: Version | None) -> Steps[None]:
        """Check that Elasticsearch can compare the vectors of a field: where it cannot, it returns no hits and no error."""
        if field.type == "semantic_text" and version is None:
            feature, since = DIVERSIFY[field.type]
            raise ConfigurationError(
                f"{feature} needs Elasticsearch {since}, and this key may not see the version of the deployment; an older one "
                "returns no hits. Give the key the cluster privilege monitor, or leave diversify out."
            )
        if (yield from ask([keeps_vectors_in_source(self.index)]))[0]:
            raise ConfigurationError(
                f"The index {self.index!r} has the setting index.mapping.exclude_source_vectors: false, with which diversify "
                "returns no hits. Leave diversify out, or index the documents in an index without this setting."
            )

    def _retriever(self, index: Index, field: Field, query: Query, k: int, window: int) -> Steps[Json]:
        """Return the retriever: semantic search, fused with keyword search if hybrid, then reranked, then diversified."""
        depth = max(window, RANK_WINDOW) if self.rerank_inference_id else window  # a small window must not reduce the candidates
        embedded_by_field = self._is_embedded_by_field(field, query)
        vector = None if embedded_by_field and self.diversify is None else (yield from self._vector(index, field, query))
        if vector is None or embedded_by_field:
            retriever = by_words(field.name, str(query.content), self.filters)
        else:
            retriever = self._search_by_vector(field, vector, depth)
        if self.search_type == "hybrid":
            keyword = by_words(str(self.content_field), _text(query, "hybrid search needs its words"), self.filters)
            fusion: dict[str, Any] = {"fusion": self.fusion, "weights": self.weights, "rank_constant": self.rank_constant}
            retriever = fused(keyword, retriever, **fusion, window=depth)
        if self.rerank_inference_id:
            retriever = self._reranked(retriever, query, window)
        if self.diversify is not None and vector is not None:
            retriever = diversified(retriever, field=field.name, vector=vector, relevance=self.diversify, size=k, window=window)
        return retriever

    def _reranked(self, retriever: Json, query: Query, window: int) -> Json:
        return reranked(
            retriever,
            field=str(self.content_field),
            inference_id=str(self.rerank_inference_id),
            text=_text(query, "the reranker needs it"),
            window=window,
            min_score=self.min_score,
            chunks=self.rerank_chunks,
            chunk_words=self.rerank_chunk_words,
        )

    def _is_embedded_by_field(self, field: Field, query: Query) -> bool:
        """Whether Elasticsearch embeds the query with the endpoint of the field, by the same query as for words."""
        uses_field_endpoint = self.inference_id is None or self.inference_id in (field.search_inference_id, field.inference_id)
        return query.vector is None and isinstance(query.content, str) and field.type != "dense_vector" and uses_field_endpoint

    def _search_by_vector(self, field: Field, vector: Json, window: int) -> Json:
        if self.num_candidates and self.num_candidates < window:
            raise ConfigurationError(
                f"num_candidates={self.num_candidates}: {window} documents are ranked, and each shard must consider as many. "
                "Raise it, or lower rank_window_size."
            )
        candidates = self.num_candidates or max(CANDIDATES, window)
        oversample = rescoring(self.index, field, self.oversample, window)
        return by_vector(field, vector, self.filters, window=window, num_candidates=candidates, oversample=oversample)

    def _vector(self, index: Index, field: Field, query: Query) -> Steps[Json]:
        """Return the query vector, or the builder with which Elasticsearch makes it."""
        if query.vector is not None:
            if field.dims and len(query.vector) != field.dims:
                raise ConfigurationError(
                    f"The query vector has {len(query.vector)} dimensions, and the vectors in {field.name!r} have {field.dims}."
                )
            return {"query_vector": with_shortest_digits(query.vector)}
        if query.content is None:
            raise InputError("The query has no text, image or vector.")
        endpoint = self._endpoint(index, field)
        if endpoint is None:
            raise ConfigurationError(
                f"The index {index.name!r} does not name the endpoint of the vectors in {field.name!r}. Pass inference_id."
            )
        try:
            return (yield from self._embedded(endpoint, field, query.content))
        except InputError:
            if self.inference_id:
                raise
            newer = yield from describe_index(self.index, fresh=True)  # another client may have called search_with
            field = choose_field(newer, self.search_type, self.field)
            changed = query_endpoint(newer, field)
            if changed is None or changed == endpoint:
                raise
        return (yield from self._embedded(changed, field, query.content))

    def _embedded(self, endpoint: str, field: Field, content: Content) -> Steps[Json]:
        """Return the vector of a content if this library must truncate it, else the builder."""
        info = yield from describe_endpoint(endpoint)
        if info.task not in ("text_embedding", "embedding"):
            raise ConfigurationError(f"{endpoint} is an endpoint for {info.task}, not for dense vectors.")
        check_modalities(info, [content], [0])
        dimensions = self.dimensions or (field.dims if field.dims != info.dimensions else None)
        if dimensions and field.dims and dimensions != field.dims:
            raise ConfigurationError(f"dimensions={dimensions}: the vectors in {field.name!r} have {field.dims}.")
        if dimensions is None or dimensions == info.dimensions:
            return {"query_vector_builder": query_vector_builder(endpoint, info.task, _parts(content))}
        embedder = Embedder(endpoint, dimensions, timeout=self.timeout)
        calls = [replace(call, new_inputs=0) for call in embedder.content_calls(info, [content], "search")]  # the search counts
        ((vector,),) = yield from ask(calls)
        if not _is_vector(vector):
            raise InputError(_PAGES)
        return {"query_vector": vector}

    def _endpoint(self, index: Index, field: Field) -> str | None:
        """Return the endpoint that embeds queries."""
        return self.inference_id or query_endpoint(index, field)

    def _body(self, index: Index, field: Field, retriever: Json, k: int) -> Json:
        body: Json = {"retriever": retriever, "size": k}
        if self.min_score is not None and not self.rerank_inference_id:
            body["min_score"] = self.min_score  # a knn retriever accepts its own and ignores it [Elasticsearch 9.5.3]
        body |= self._source(index)
        if self.passages and field.type != "dense_vector":
            body["highlight"] = {
                "fields": {field.name: {"number_of_fragments": self.passages, "order": "score"}},
                "max_analyzed_offset": -1,  # of a longer text, the start: without it the search fails [Elasticsearch 9.5.3]
            }
        return body

    def _source(self, index: Index) -> Json:
        if self.source_fields is not None:
            return {"_source": {"includes": [self.content_field, *self.source_fields, *self.always]}}
        excluded = self._excluded(index)
        return {"_source": {"excludes": excluded} if excluded else True}

    def _excluded(self, index: Index) -> list[str]:
        """Return the fields with vectors and media."""
        return [vector.name for vector in index.of_types(*VECTORS) if vector.name != self.content_field and not vector.parent]


def _without_text(name: str, ids: Sequence[str]) -> str:
    others = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return f"These documents have no text in {name!r}, and are returned with an empty one: {', '.join(ids[:LISTED])}{others}."


def _text(query: Query, reason: str) -> str:
    """Return the text of a query. Raises InputError if it has none."""
    if not query.text:
        raise InputError(f"The query has no text, and {reason}. Use semantic search without a reranker.")
    return query.text


def _parts(query: Content) -> Sequence[Part]:
    return query if isinstance(query, tuple) else (query,)


def _is_vector(value: Any) -> bool:
    return bool(value) and isinstance(value[0], float)
