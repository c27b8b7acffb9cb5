"""The searches of the store. A search is made of its arguments, which are checked, and then asked with a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from langchain_core.documents import Document

from jina_eis.contents import Embeddable, in_thread, query_text
from jina_eis.errors import ConfigurationError
from jina_eis.steps import Query, Searcher, SearchResult, relevances
from jina_eis.wire import Steps

from .records import results_as_documents, vector_of
from .store_base import Filter, StoreBase

__all__ = ["K", "StoreSearches"]

T = TypeVar("T")
Search = Callable[[Query], Steps[T]]

K = 4  # LangChain's default
FETCH_K = 20  # LangChain's default
LAMBDA_MULT = 0.5  # LangChain's default


class StoreSearches(StoreBase):
    """Searches by a query or a vector: the best documents, with scores or relevances, or those that differ."""

    def similarity_search(  # type: ignore[override]  # no other arguments
        self,
        query: Embeddable,
        k: int | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """Return the documents that are most similar to a query, the best first.

        Args:
            query: A text; with an omni endpoint also a medium.
            k: Maximum number of documents. None: the store's `k`.
            filter: What documents must match, in addition to the store's `filter`: a dict of metadata such as
                `{"lang": ["en", "de"], "year": 2026}`, in which a list means any of its values, an Elasticsearch query,
                or a list of these, all of which must match.
            rerank_inference_id: A rerank endpoint: Elasticsearch reranks the best `rank_window_size` documents in the same
                request. None: the store's.
            rank_window_size: Number of documents to fuse and rerank. None: the store's, or 64.
        """
        return self._ask(self._best(k, filter, rerank_inference_id, rank_window_size), query)

    async def asimilarity_search(  # type: ignore[override]  # no other arguments
        self,
        query: Embeddable,
        k: int | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """As `similarity_search`, without blocking the event loop."""
        return await self._aask(self._best(k, filter, rerank_inference_id, rank_window_size), query)

    def similarity_search_with_score(
        self,
        query: Embeddable,
        k: int | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[tuple[Document, float]]:
        """As `similarity_search`, with the score of each document.

        Scores are Elasticsearch's: for the vectors of Jina models `(1 + cosine) / 2`, or the sum of the fused ranks. If the
        documents are reranked, the scores are the reranker's own.
        """
        return self._ask(self._scored(k, filter, rerank_inference_id, rank_window_size), query)

    async def asimilarity_search_with_score(
        self,
        query: Embeddable,
        k: int | None = None,
        *,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score`, without blocking the event loop."""
        return await self._aask(self._scored(k, filter, rerank_inference_id, rank_window_size), query)

    def similarity_search_with_relevance_scores(  # type: ignore[override]  # no other arguments
        self,
        query: Embeddable,
        k: int | None = None,
        *,
        score_threshold: float | None = None,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[tuple[Document, float]]:
        """As `similarity_search`, with a relevance from 0 (dissimilar) to 1 (most similar) for each document.

        The relevance is the score of `similarity_search_with_score` on one scale: unchanged for cosine and for rerankers (cut at
        0 and 1), and a share of the highest possible score for fused rankings.

        Args:
            query: As for `similarity_search`.
            k: As for `similarity_search`.
            score_threshold: Lowest relevance of a document. None: all are returned.
            filter: As for `similarity_search`.
            rerank_inference_id: As for `similarity_search`.
            rank_window_size: As for `similarity_search`.
        """
        return self._ask(self._relevant(k, filter, rerank_inference_id, rank_window_size, score_threshold), query)

    async def asimilarity_search_with_relevance_scores(  # type: ignore[override]  # no other arguments
        self,
        query: Embeddable,
        k: int | None = None,
        *,
        score_threshold: float | None = None,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_relevance_scores`, without blocking the event loop."""
        return await self._aask(self._relevant(k, filter, rerank_inference_id, rank_window_size, score_threshold), query)

    def similarity_search_by_vector(  # type: ignore[override]  # no other arguments
        self,
        embedding: Sequence[float],
        k: int | None = None,
        *,
        query_text: str | None = None,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """As `similarity_search`, for a vector.

        Args:
            embedding: The vector, as long as those of the index.
            k: As for `similarity_search`.
            query_text: The words of the query, which hybrid search and rerankers need.
            filter: As for `similarity_search`.
            rerank_inference_id: As for `similarity_search`.
            rank_window_size: As for `similarity_search`.
        """
        search = self._best(k, filter, rerank_inference_id, rank_window_size)
        return self._run(search(_vector_query(embedding, query_text)))

    async def asimilarity_search_by_vector(  # type: ignore[override]  # no other arguments
        self,
        embedding: Sequence[float],
        k: int | None = None,
        *,
        query_text: str | None = None,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """As `similarity_search_by_vector`, without blocking the event loop."""
        search = self._best(k, filter, rerank_inference_id, rank_window_size)
        return await self._arun(search(_vector_query(embedding, query_text)))

    def max_marginal_relevance_search(  # type: ignore[override]  # no other arguments
        self,
        query: Embeddable,
        k: int | None = None,
        fetch_k: int = FETCH_K,
        lambda_mult: float = LAMBDA_MULT,
        *,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """Return documents that are similar to a query and differ from each other: maximal marginal relevance (MMR).

        Elasticsearch chooses them where it can (a dense_vector field from 9.3, a semantic_text field from 9.6), and this library
        otherwise, with the same result. They come in the order of the search.

        Args:
            query: As for `similarity_search`.
            k: Maximum number of documents to return.
            fetch_k: Number of the best documents to choose from.
            lambda_mult: From 0 (the greatest differences) to 1 (the best matches).
            filter: As for `similarity_search`.
            rerank_inference_id: As for `similarity_search`; documents are reranked before they are chosen.
            rank_window_size: As for `similarity_search`.
        """
        search = self._diverse(k, filter, rerank_inference_id, rank_window_size, fetch_k, lambda_mult)
        return self._ask(search, query)

    async def amax_marginal_relevance_search(  # type: ignore[override]  # no other arguments
        self,
        query: Embeddable,
        k: int | None = None,
        fetch_k: int = FETCH_K,
        lambda_mult: float = LAMBDA_MULT,
        *,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, without blocking the event loop."""
        search = self._diverse(k, filter, rerank_inference_id, rank_window_size, fetch_k, lambda_mult)
        return await self._aask(search, query)

    def max_marginal_relevance_search_by_vector(  # type: ignore[override]  # no other arguments
        self,
        embedding: Sequence[float],
        k: int | None = None,
        fetch_k: int = FETCH_K,
        lambda_mult: float = LAMBDA_MULT,
        *,
        query_text: str | None = None,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, for a vector; see `similarity_search_by_vector`."""
        search = self._diverse(k, filter, rerank_inference_id, rank_window_size, fetch_k, lambda_mult)
        return self._run(search(_vector_query(embedding, query_text)))

    async def amax_marginal_relevance_search_by_vector(  # type: ignore[override]  # no other arguments
        self,
        embedding: Sequence[float],
        k: int | None = None,
        fetch_k: int = FETCH_K,
        lambda_mult: float = LAMBDA_MULT,
        *,
        query_text: str | None = None,
        filter: Filter | None = None,  # noqa: A002 - the name in LangChain's stores
        rerank_inference_id: str | None = None,
        rank_window_size: int | None = None,
    ) -> list[Document]:
        """As `max_marginal_relevance_search_by_vector`, without blocking the event loop."""
        search = self._diverse(k, filter, rerank_inference_id, rank_window_size, fetch_k, lambda_mult)
        return await self._arun(search(_vector_query(embedding, query_text)))

    def _similarity_search_with_relevance_scores(self, query: str, k: int = K, **kwargs: Any) -> list[tuple[Document, float]]:
        return self.similarity_search_with_relevance_scores(query, k, **kwargs)

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return await self.asimilarity_search_with_relevance_scores(query, k, **kwargs)

    def _best(self, k: int | None, filter: Filter | None, reranker: str | None, window: int | None) -> Search[list[Document]]:  # noqa: A002
        searcher, number = self._searcher_for(filter, reranker, window), self._k(k)
        return lambda query: _documents(self._found(searcher.find(query, number)))

    def _scored(
        self,
        k: int | None,
        filter: Filter | None,  # noqa: A002
        reranker: str | None,
        window: int | None,
    ) -> Search[list[tuple[Document, float]]]:
        searcher, number = self._searcher_for(filter, reranker, window), self._k(k)
        return lambda query: _with_scores(self._found(searcher.find(query, number)))

    def _relevant(
        self,
        k: int | None,
        filter: Filter | None,  # noqa: A002
        reranker: str | None,
        window: int | None,
        threshold: float | None,
    ) -> Search[list[tuple[Document, float]]]:
        searcher, number = self._searcher_for(filter, reranker, window), self._k(k)

        def search(query: Query) -> Steps[list[tuple[Document, float]]]:
            results = yield from self._found(searcher.find(query, number))
            scores = (yield from relevances(searcher, results)) if results else []
            documents = zip(results_as_documents(results), scores, strict=True)
            return [(document, score) for document, score in documents if threshold is None or score >= threshold]

        return search

    def _diverse(
        self,
        k: int | None,
        filter: Filter | None,  # noqa: A002
        reranker: str | None,
        window: int | None,
        fetch_k: int,
        lambda_mult: float,
    ) -> Search[list[Document]]:
        if not 0 <= lambda_mult <= 1:
            raise ConfigurationError(f"lambda_mult={lambda_mult!r}: pass a number from 0 (differences) to 1 (best matches).")
        searcher, number = self._searcher_for(filter, reranker, window), self._k(k)
        fetched = self._checked("fetch_k", fetch_k) or FETCH_K
        name = "max_marginal_relevance_search"
        origin = f"fetch_k={fetched}" if fetched >= number else f"k={number}"
        return lambda query: _documents(self._found(searcher.find_diverse(query, number, fetched, lambda_mult, name, origin)))

    def _ask(self, search: Search[T], query: Any) -> T:
        return self._run(search(self._query_of(query)))

    async def _aask(self, search: Search[T], query: Any) -> T:
        return await self._arun(search(await self._aquery_of(query)))

    def _query_of(self, query: Any) -> Query:
        if self._model is None:
            return self._query(query)
        text = query_text(query)
        return Query(text, None, self._model.embed_query(text))

    async def _aquery_of(self, query: Any) -> Query:
        if self._model is None:
            return self._query(query) if isinstance(query, str) else await in_thread(partial(self._query, query))
        text = query_text(query)
        return Query(text, None, await self._model.aembed_query(text))

    def _k(self, k: int | None) -> int:
        return self._checked("k", k) or self.k

    def _searcher_for(self, filter: Filter | None, reranker: str | None, window: int | None) -> Searcher:  # noqa: A002
        """The searcher of one call. Its arguments are checked here, before the first request."""
        changes: dict[str, Any] = {}
        if reranker is not None:
            changes["rerank_inference_id"] = reranker
        if window is not None:
            changes["rank_window_size"] = self._checked("rank_window_size", window)
        return replace(self._narrowed(filter), **changes)


def _documents(steps: Steps[list[SearchResult]]) -> Steps[list[Document]]:
    return results_as_documents((yield from steps))


def _with_scores(steps: Steps[list[SearchResult]]) -> Steps[list[tuple[Document, float]]]:
    results = yield from steps
    scores = (result.hit.score if result.relevance_score is None else result.relevance_score for result in results)
    return [(document, score or 0.0) for document, score in zip(results_as_documents(results), scores, strict=True)]


def _vector_query(vector: Sequence[float], text: str | None) -> Query:
    return Query(text, None, vector_of(vector))
