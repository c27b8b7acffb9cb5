"""Retrieval, as steps: one request that searches, fuses, reranks and diversifies inside Elasticsearch.

The type of the searched field and the query decide whether Elasticsearch or this library embeds the query. The index is
described once. Nothing here sends or waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..contents import holds_url
from ..errors import TOO_MANY_TOKENS, ConfigurationError, RequestTooLargeError
from ..wire import Field, Index, Steps, ask, search
from .compatibility import check_spaces
from .diversity import check_diversity, diversifies, diversity_feature, with_vectors_of_texts
from .embedder import FUSION, PASS_URLS, has_fused
from .endpoints import describe_endpoint
from .fields import check_text_field, choose_field, describe_index
from .mmr import maximal_marginal_relevance
from .query_vectors import with_vector
from .retrievers import by_words
from .search_body import body_of, reranked_by, retriever_of, text_of, vectors_of
from .search_results import get, matching, results_of
from .search_settings import (
    Query,
    SearchResult,
    SearchSettings,
    SearchSteps,
    check_min_score_of,
    check_reranker,
    described,
    query_endpoint_of,
    window_name,
    window_of,
    with_endpoints,
)
from .version import require, with_feature

__all__ = ["Searcher"]

RERANK_CHUNKS = ("rerank_chunks", "9.2")


@dataclass(frozen=True, slots=True)
class Searcher(SearchSettings):
    """Searches an index, by its settings."""

    def find(self, query: Query, k: int, *, vectors: bool = False) -> Steps[list[SearchResult]]:
        """Return the best documents for a query, at most `k`; with `vectors`, also their vectors if the field holds them."""
        return self.observe(self._find(query, k, vectors=vectors), k)

    def _find(self, query: Query, k: int, *, vectors: bool = False) -> SearchSteps:
        window = window_of(self, k)
        self = yield from with_endpoints(self)
        self, index, field = yield from described(self)
        yield from self._check(index, field)
        features = yield from self._check_version(field, query)
        retriever = yield from retriever_of(self, index, field, query, k, window)
        body = body_of(self, index, field, retriever, k) | vectors_of(field, vectors)
        call = search(self.index, body, self.rerank_inference_id or query_endpoint_of(self, index, field) or "")
        call = replace(call, new_inputs=0 if query.vector is not None else 1)
        if query.content is not None and has_fused([query.content]):
            call = with_feature(call, *FUSION)
        try:
            (hits,) = yield from ask([with_feature(call, *features[-1]) if features else call])
        except RequestTooLargeError as error:
            if TOO_MANY_TOKENS in str(error.reason):
                error.message = (
                    f"The reranker refuses the texts of the best {window} documents, which it gets in one call: {error.reason} "
                    f"Let it read the best passages only (rerank_chunks), or fewer documents (a smaller {window_name(self)})."
                )
            raise
        return results_of(self, hits, index, field, reranked=bool(self.rerank_inference_id))

    def find_by_words(self, query: Query, k: int) -> Steps[list[SearchResult]]:
        """Return the best documents by the words of a query alone (BM25), at most `k`; reranked if there is a reranker."""
        return self.observe(self._find_by_words(query, k), k)

    def _find_by_words(self, query: Query, k: int) -> SearchSteps:
        window = window_of(self, k)
        self = yield from with_endpoints(self)
        self, index, field = yield from described(self)
        check_text_field(index, str(self.content_field), ("text", "match_only_text"), "keyword search")
        features = yield from self._check_version(field, Query(query.text, None))
        retriever = by_words(str(self.content_field), text_of(query, "keyword search needs its words"), self.filters)
        if self.rerank_inference_id:
            check_reranker(self, (yield from describe_endpoint(self.rerank_inference_id)))
            retriever = reranked_by(self, retriever, query, window)
        call = search(self.index, body_of(self, index, field, retriever, k), self.rerank_inference_id or "")
        (hits,) = yield from ask([with_feature(call, *features[-1]) if features else call])
        return results_of(self, hits, index, field, reranked=bool(self.rerank_inference_id))

    def check_sparse(self) -> Steps[None]:
        """Raise ConfigurationError unless a sparse model embeds the field that is searched."""
        _, index, field = yield from described(self)
        endpoint = query_endpoint_of(self, index, field)
        if endpoint is None or (yield from describe_endpoint(endpoint)).task != "sparse_embedding":
            raise ConfigurationError(
                f'The query mode "sparse" needs a field that a sparse model embeds, and {field.name!r} of the index '
                f"{index.name!r} is a {field.type} field of dense vectors. Use another mode, such as default or text_search."
            )

    def find_diverse(
        self, query: Query, k: int, fetch_k: int, lambda_mult: float, name: str, origin: str
    ) -> Steps[list[SearchResult]]:
        """Return at most `k` documents that differ from each other, of the best `fetch_k`: maximal marginal relevance.

        Elasticsearch chooses them where it can, and this library otherwise: of a dense_vector field by its vectors, of a
        semantic_text field by those of the texts, which are embedded for it. Either chooses the same, up to equal ones, and
        returns them in the order of the search, with its scores.

        Args:
            query: The query.
            k: Maximum number of documents.
            fetch_k: Number of the best documents to choose from; at least `k` are.
            lambda_mult: From 0 (diversity) to 1 (similarity to the query).
            name: What the caller called, for errors.
            origin: What the number of the best documents follows from, as for `SearchSettings`.

        Raises:
            ConfigurationError: a `semantic` field, whose media cannot be compared.
        """
        return self.observe(self._find_diverse(query, k, fetch_k, lambda_mult, name, origin), k)

    def _find_diverse(self, query: Query, k: int, fetch_k: int, lambda_mult: float, name: str, origin: str) -> SearchSteps:
        fetch_k = max(k, fetch_k)
        if fetch_k > (self.rank_window_size or 0):
            self = replace(self, rank_window_size=fetch_k, window_origin=origin)
        self = yield from with_endpoints(replace(self, diversify=None))
        index = yield from describe_index(self.index)
        field = choose_field(index, self.search_type, self.field)
        if (yield from diversifies(self.index, field)):
            of_the_best = replace(self, diversify=lambda_mult, rank_window_size=fetch_k, window_origin=origin)
            return (yield from of_the_best._find(query, k))
        diversity_feature(field, name)  # refuses other fields
        query, vector = yield from with_vector(self, index, field, query)
        results = yield from self._find(query, fetch_k, vectors=True)
        if field.type == "semantic_text":
            results = yield from with_vectors_of_texts(field, results, self.timeout)
        compared = [(result, result.vector) for result in results if result.vector]
        chosen = maximal_marginal_relevance(vector, [own for _, own in compared], k, lambda_mult)
        return [compared[position][0] for position in sorted(chosen)]

    def get(self, ids: Sequence[str]) -> Steps[list[SearchResult | None]]:
        """Return the documents with these ids, in their order, without vectors; None for each that does not exist."""
        return get(self, ids)

    def matching(
        self, queries: Sequence[Mapping[str, Any]] = (), limit: int | None = None, *, vectors: bool = False
    ) -> Steps[list[SearchResult]]:
        """Return the documents that match all queries and the searcher's own filters, without a score; any number of them.

        Args:
            queries: As `filters`.
            limit: Maximum number of documents; None for all.
            vectors: Whether to return the vectors of a dense_vector field.
        """
        return matching(self, queries, limit, vectors=vectors)

    def _check(self, index: Index, field: Field) -> Steps[None]:
        """Check the text field and the minimum score, and that the query and the documents are in one vector space."""
        check_min_score_of(self, field)
        if self.search_type == "hybrid":
            check_text_field(index, str(self.content_field), ("text", "match_only_text"), "keyword search")
        elif self.rerank_inference_id:
            types = ("text", "semantic_text", "match_only_text", "keyword")
            check_text_field(index, str(self.content_field), types, "reranking")
        if self.rerank_inference_id:
            check_reranker(self, (yield from describe_endpoint(self.rerank_inference_id)))
        documents = field.inference_id or index.inference_id
        if self.inference_id and documents and documents != self.inference_id:
            for_queries = yield from describe_endpoint(self.inference_id)
            check_spaces(for_queries, (yield from describe_endpoint(documents)), self.dimensions or field.dims)

    def _check_version(self, field: Field, query: Query) -> Steps[list[tuple[str, str]]]:
        """Check that the deployment has the features of this search that older ones lack. Returns them, the newest last."""
        features = [RERANK_CHUNKS] if self.rerank_chunks else []
        if self.diversify is not None:
            features.append(diversity_feature(field))
        if query.content is not None and holds_url(query.content):
            features.append(PASS_URLS)
        for feature in features:
            version = yield from require(*feature)
        if self.diversify is not None:
            yield from check_diversity(self.index, field, version)
        return features
