"""`JinaEISVectorStore`: LangChain's vector store interface over the shared core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar, Self, TypeVar, Unpack

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from pydantic import Field, model_validator

from jina_eis.adapters import Ids, RetrieverArguments, ServiceSettings, StoreSettings, document_id, fields_of
from jina_eis.contents import Embeddable, Part, in_thread, query_text, text_source
from jina_eis.errors import ConfigurationError, IndexNotFoundError
from jina_eis.steps import Indexer, Query, Record, Refresh, Searcher, SearchResult, describe_index, relevances
from jina_eis.transport import RateLimiter
from jina_eis.wire import Steps

from .embeddings import JinaEISEmbeddings
from .media import from_blob
from .records import as_list, build_documents, content_records, text_records, vector_of, vector_records, with_vectors

__all__ = ["Filter", "JinaEISVectorStore"]

Filter = Mapping[str, Any] | Sequence[Mapping[str, Any]]

R = TypeVar("R")
LOG = logging.getLogger("jina_eis.store")
_CONNECTION = ("client", "async_client", "es_url", "es_cloud_id", "es_api_key", "es_user", "es_password")

K = 4  # LangChain's default
FETCH_K = 20  # LangChain's default
LAMBDA_MULT = 0.5  # LangChain's default


class _EmbeddingArgument(StoreSettings):
    """The argument `embedding`, and the settings that follow from it."""

    embedding: Embeddings | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """An embedding model. A `JinaEISEmbeddings` gives its endpoint and, where the store has none of its own, its connection.
    Any other embeds documents and queries on the client, for a dense_vector field of an index that it fills alone."""

    def __init__(self, **arguments: Any) -> None:
        embedding = arguments.get("embedding")
        if isinstance(embedding, JinaEISEmbeddings):
            given = {name: value for name, value in arguments.items() if value is not None}
            arguments = {**arguments, **_settings_of(embedding, given), **given}
        if arguments.get("field_type") == "dense_vector" and arguments.get("search_type") is None:
            arguments["search_type"] = "knn"
        super().__init__(**arguments)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.highlight:
            raise ConfigurationError("A store returns documents as they were stored. For highlight, use JinaEISRetriever.")
        if self.search_type == "semantic" and self.field_type == "dense_vector":
            raise ConfigurationError(
                'search_type="semantic" does not search a dense_vector field. Leave it out, or pass "hybrid".'
            )
        if self.search_type == "knn" and self.field_type not in (None, "dense_vector"):
            raise ConfigurationError(f'search_type="knn" does not search a {self.field_type} field. Leave search_type out.')
        if self._model is None:
            return self
        if self.field_type != "dense_vector" and self.search_type != "knn":
            raise ConfigurationError(
                f"embedding is a {type(self._model).__name__}: Elasticsearch embeds the texts of a "
                f'{self.field_type or "semantic_text"} field itself. Pass field_type="dense_vector", or a JinaEISEmbeddings.'
            )
        if self.inference_id:
            raise ConfigurationError(
                f"Pass inference_id or an embedding, not both: a {type(self._model).__name__} embeds on the client."
            )
        return self

    @property
    def _model(self) -> Embeddings | None:
        """The model that embeds on the client; None if an inference endpoint does."""
        return None if isinstance(self.embedding, JinaEISEmbeddings) else self.embedding


class JinaEISVectorStore(_EmbeddingArgument, VectorStore):
    """A vector store in Elasticsearch, embedded and reranked by Jina models on the Elastic Inference Service (EIS).

    Setup:
        Install `jina-eis[langchain]`, and set the address of your deployment. The API key needs the cluster privilege
        `monitor_inference` and the index privileges `read`, `view_index_metadata`, `write`, `create_index` and `maintenance`.

        ```bash
        pip install -U "jina-eis[langchain]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args — indexing:
        index_name: str
            The index. The first document creates it; until then the store is empty.
        field_type: str | None = None
            The kind of a new index: "semantic_text" (default) and "semantic" (also media) are embedded by Elasticsearch,
            "dense_vector" by this library. An existing index has its kind; pass "dense_vector" to search one.
        embedding: Embeddings | None = None
            A `JinaEISEmbeddings`, which gives its endpoint and connection; or any other model, for a dense_vector field.
        inference_id: str | None = None
            The embedding endpoint, instead of `embedding`. None: that of the index, or the default for a new one.

    Key init args — searching:
        search_type: str = "semantic"
            "hybrid" also searches by words (BM25). Otherwise the field type decides.
        k: int = 4
            Number of documents to return, where a search does not say.
        filter: dict | list[dict] | None = None
            What every document must match: metadata such as `{"lang": ["en", "de"]}` or an Elasticsearch query.
        rerank_inference_id: str | None = None
            A rerank endpoint, such as `.jina-reranker-v3`, which reranks every search inside Elasticsearch.
        dimensions, field, content_field, min_score, source_fields, fusion, weights, rank_constant, num_candidates, oversample,
        rank_window_size, rerank_chunks, rerank_chunk_words, diversify, index_options, chunking_settings, index_settings,
        metadata_mappings, allow_url_fetch and pass_urls are described at `RetrieverSettings`.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline,
        max_concurrency and use_case are described at `ServiceSettings`. Unknown arguments are an error.

    Instantiate:
        ```python
        from langchain_jina_eis import JinaEISVectorStore

        store = JinaEISVectorStore(index_name="facts")
        ```

    Add documents:
        ```python
        from langchain_core.documents import Document

        glacier = Document(page_content="A glacier is ice that flows.", metadata={"lang": "en"})
        bread = Document(page_content="Bread rises because yeast makes gas.", metadata={"lang": "en"})
        store.add_documents([glacier, bread], ids=["1", "2"])
        ```

    Delete documents:
        ```python
        store.delete(ids=["2"])
        ```

    Search:
        ```python
        for document in store.similarity_search("How do glaciers move?", k=1, filter={"lang": "en"}):
            print(document.page_content, document.metadata)
        ```

    Search with score, reranked:
        ```python
        for document, score in store.similarity_search_with_score("ice", rerank_inference_id=".jina-reranker-v3"):
            print(score, document.page_content)
        ```

    Use as retriever:
        ```python
        retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 1, "fetch_k": 20})
        retriever.invoke("How do glaciers move?")
        ```

    Async:
        ```python
        await store.aadd_documents([glacier, bread], ids=["1", "2"])
        documents = await store.asimilarity_search("How do glaciers move?")
        ```

    Documents come back as they were stored, with their ids: no score or other part of an answer is in their metadata.
    A query is a text or, with an omni endpoint, anything that `JinaEISEmbeddings.embed_content` takes. One object works in any
    number of threads and event loops.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments; on first use, those that do not fit the index.
        DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    k: int = Field(default=K, ge=1, le=10_000)

    @classmethod
    def from_texts(  # type: ignore[override]  # no other arguments
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        **settings: Unpack[RetrieverArguments],
    ) -> Self:
        """Create a store and add texts to it; create the index if it is missing.

        Args:
            texts: Any iterable.
            embedding: A `JinaEISEmbeddings`, which gives its endpoint and connection; or any other model, for a dense_vector
                field. None: the endpoint of the index.
            metadatas: One dict for each text.
            ids: As for `add_documents`.
            refresh: As for `add_documents`.
            **settings: The arguments of the class; `index_name` is required.
        """
        store = cls(embedding=embedding, **settings)
        store.add_texts(texts, metadatas, ids=ids, refresh=refresh)
        return store

    @classmethod
    async def afrom_texts(  # type: ignore[override]  # no other arguments
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        **settings: Unpack[RetrieverArguments],
    ) -> Self:
        """As `from_texts`, without blocking the event loop."""
        store = cls(embedding=embedding, **settings)
        await store.aadd_texts(texts, metadatas, ids=ids, refresh=refresh)
        return store

    @classmethod
    def from_documents(  # type: ignore[override]  # no other arguments
        cls,
        documents: Iterable[Document],
        embedding: Embeddings | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        **settings: Unpack[RetrieverArguments],
    ) -> Self:
        """As `from_texts`, with documents."""
        store = cls(embedding=embedding, **settings)
        store.add_documents(documents, ids=ids, refresh=refresh)
        return store

    @classmethod
    async def afrom_documents(  # type: ignore[override]  # no other arguments
        cls,
        documents: Iterable[Document],
        embedding: Embeddings | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        **settings: Unpack[RetrieverArguments],
    ) -> Self:
        """As `from_documents`, without blocking the event loop."""
        store = cls(embedding=embedding, **settings)
        await store.aadd_documents(documents, ids=ids, refresh=refresh)
        return store

    @property
    def embeddings(self) -> Embeddings | None:
        """The embedding model: `embedding`, or the one of `inference_id`. None if only the index names its endpoint."""
        if self.embedding is not None or self.inference_id is None:
            return self.embedding
        connection = {name: getattr(self, name) for name in ServiceSettings.model_fields if name in self.model_fields_set}
        return JinaEISEmbeddings(inference_id=self.inference_id, dimensions=self.dimensions, **connection)

    def add_documents(  # type: ignore[override]  # no other arguments
        self,
        documents: Iterable[Document],
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        batch_size: int | None = None,
    ) -> list[str]:
        """Add any number of documents. They are read as they are needed. The first one creates a missing index.

        Args:
            documents: Any iterable. The page content is embedded; the metadata are stored under `metadata`.
            ids: One id for each document; an existing document is replaced. "content": a digest of the text and the metadata, so
                that the same document is stored once. None, or None for a document: its own id, or a new one. Of one id
                twice, the last document is stored, and the id is returned twice.
            refresh: When the call returns: "wait_for" after Elasticsearch's next refresh, from which on searches see the
                documents; True after a refresh made for it; False at once, and searches see them later.
            batch_size: Ignored. LangChain's `index` passes it; the size of requests follows from the service's limits.

        Returns:
            The ids, in the order of the documents.

        Raises:
            InputError: an element of a list is no document; nothing was sent.
            DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed.
        """
        return self._run(self._add(self._embedded(text_records(documents, ids, self._text_field_name())), refresh))

    async def aadd_documents(  # type: ignore[override]  # no other arguments
        self,
        documents: Iterable[Document],
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        batch_size: int | None = None,
    ) -> list[str]:
        """As `add_documents`, without blocking the event loop."""
        return await self._arun(self._add(await self._aembedded(text_records(documents, ids, self._text_field_name())), refresh))

    def add_texts(  # type: ignore[override]  # no other arguments
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_documents`, with texts and one dict of metadata for each."""
        return self.add_documents(build_documents(texts, metadatas), ids=ids, refresh=refresh)

    async def aadd_texts(  # type: ignore[override]  # no other arguments
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_texts`, without blocking the event loop."""
        return await self.aadd_documents(build_documents(texts, metadatas), ids=ids, refresh=refresh)

    def add_embeddings(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """Add texts with vectors of your own, which are stored as they are. Nothing is embedded.

        Pass the store's `inference_id` if its endpoint made the vectors: a new index then names it, and texts can be searched.
        Otherwise search by vectors of the same model.

        Args:
            text_embeddings: Pairs of a text and its vector, as long as the vectors of the dense_vector field. Any iterable.
            metadatas: One dict for each text.
            ids: As for `add_documents`.
            refresh: As for `add_documents`.

        Raises:
            ConfigurationError: the store has no dense_vector field.
            InputError: a vector has another length, or is no list of numbers.
        """
        return self._run(
            self._indexer_of_vectors().add(vector_records(text_embeddings, metadatas, ids, self._text_field_name()), refresh)
        )

    async def aadd_embeddings(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_embeddings`, without blocking the event loop."""
        return await self._arun(
            self._indexer_of_vectors().add(vector_records(text_embeddings, metadatas, ids, self._text_field_name()), refresh)
        )

    def add_contents(
        self,
        items: Iterable[Embeddable],
        documents: Iterable[Document] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """Add images, sounds and videos to a `semantic` field (1 MB each by default) or a dense_vector field.

        Args:
            items: The items to embed, of the types that `JinaEISEmbeddings.embed_content` takes. All are checked first.
            documents: The document to return for each item. Default: documents without text, with the `source` of a file.
            ids: As for `add_documents`.
            refresh: As for `add_documents`.
        """
        self._check_media()
        given = as_list(items)
        records = content_records(given, self._contents(given), documents, ids, self._text_field_name())
        return self._run(self._indexer().add(records, refresh))

    async def aadd_contents(
        self,
        items: Iterable[Embeddable],
        documents: Iterable[Document] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_contents`, without blocking the event loop."""
        self._check_media()
        given = as_list(items)
        contents = await in_thread(partial(self._contents, given))
        records = await asyncio.to_thread(content_records, given, contents, documents, ids, self._text_field_name())
        return await self._arun(self._indexer().add(records, refresh))

    def delete(  # type: ignore[override]  # no other arguments
        self, ids: Iterable[str] | None = None, *, refresh: Refresh = "wait_for"
    ) -> bool:
        """Delete documents by id. Ids that do not exist are ignored.

        Args:
            ids: The ids. None: all documents of the index, as LangChain's interface has it; an empty list deletes nothing.
            refresh: When the call returns; see `add_documents`.

        Returns:
            True.
        """
        return self._run(self._delete(ids, refresh))

    async def adelete(  # type: ignore[override]  # no other arguments
        self, ids: Iterable[str] | None = None, *, refresh: Refresh = "wait_for"
    ) -> bool:
        """As `delete`, without blocking the event loop."""
        return await self._arun(self._delete(ids, refresh))

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return documents by their ids, in this order. Ids that do not exist are left out. Sees documents before a refresh."""
        return self._run(self._get_documents(ids))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """As `get_by_ids`, without blocking the event loop."""
        return await self._arun(self._get_documents(ids))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return _documents(self._run(self._found(searcher.find(self._query_of(query), self._k(k)))))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return _documents(await self._arun(self._found(searcher.find(await self._aquery_of(query), self._k(k)))))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return _with_scores(self._run(self._found(searcher.find(self._query_of(query), self._k(k)))))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return _with_scores(await self._arun(self._found(searcher.find(await self._aquery_of(query), self._k(k)))))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return self._run(self._relevant(searcher, self._query_of(query), self._k(k), score_threshold))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return await self._arun(self._relevant(searcher, await self._aquery_of(query), self._k(k), score_threshold))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return _documents(self._run(self._found(searcher.find(_vector_query(embedding, query_text), self._k(k)))))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        return _documents(await self._arun(self._found(searcher.find(_vector_query(embedding, query_text), self._k(k)))))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        steps = self._diverse(searcher, self._query_of(query), k, fetch_k, lambda_mult)
        return _documents(self._run(steps))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        steps = self._diverse(searcher, await self._aquery_of(query), k, fetch_k, lambda_mult)
        return _documents(await self._arun(steps))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        steps = self._diverse(searcher, _vector_query(embedding, query_text), k, fetch_k, lambda_mult)
        return _documents(self._run(steps))

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
        searcher = self._searcher_for(filter, rerank_inference_id, rank_window_size)
        steps = self._diverse(searcher, _vector_query(embedding, query_text), k, fetch_k, lambda_mult)
        return _documents(await self._arun(steps))

    def _similarity_search_with_relevance_scores(self, query: str, k: int = K, **kwargs: Any) -> list[tuple[Document, float]]:
        return self.similarity_search_with_relevance_scores(query, k, **kwargs)

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = K, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return await self.asimilarity_search_with_relevance_scores(query, k, **kwargs)

    def _add(self, records: Iterable[Record], refresh: Refresh) -> Steps[list[str]]:
        yield from self._check_index()
        return (yield from self._indexer().add(records, refresh))

    def _check_index(self) -> Steps[None]:
        """Check that an index whose endpoint is known does not get vectors or queries of another model."""
        if self._model is None:
            return
        with suppress(IndexNotFoundError):
            endpoint = (yield from describe_index(self.index_name)).inference_id
            if endpoint:
                raise ConfigurationError(
                    f"The index {self.index_name!r} is embedded with {endpoint}, whose vectors cannot be compared with those of "
                    f"{type(self._model).__name__}. Leave embedding out, or choose another index_name."
                )

    def _embedded(self, records: Iterable[Record]) -> Iterable[Record]:
        """Return the records, with vectors if a model of another library makes them: all in one call, as it expects."""
        if self._model is None:
            return records
        listed = list(records)
        return with_vectors(listed, self._model.embed_documents([str(record.content) for record in listed]) if listed else [])

    async def _aembedded(self, records: Iterable[Record]) -> Iterable[Record]:
        if self._model is None:
            return records
        listed = list(records)
        vectors = await self._model.aembed_documents([str(record.content) for record in listed]) if listed else []
        return with_vectors(listed, vectors)

    def _indexer_of_vectors(self) -> Indexer:
        """The indexer for vectors of the user's own. Without `inference_id`, a new index names no endpoint, as none is known."""
        if self.field_type in ("semantic_text", "semantic") or (self.field_type is None and self.search_type != "knn"):
            raise ConfigurationError(
                f"A {self.field_type or 'semantic_text'} field takes no vectors: Elasticsearch embeds its texts. Create the "
                'store with field_type="dense_vector".'
            )
        return replace(self._indexer(), embeds=self.inference_id is not None)

    def _indexer(self) -> Indexer:
        own = self._model is not None and self.search_type != "semantic"  # others are refused by `_check_kind`
        return replace(super()._indexer(), embeds=not own)

    def _check_media(self) -> None:
        if self._model is not None:
            raise ConfigurationError(f"A {type(self._model).__name__} embeds texts only. Leave embedding out to add media.")

    def _delete(self, ids: Iterable[str] | None, refresh: Refresh) -> Steps[bool]:
        try:
            if ids is None:
                yield from self._delete_matching(None, refresh)
            else:
                yield from self._indexer().delete(map(document_id, text_source(ids)), refresh)
        except IndexNotFoundError:
            self._log_missing()
        return True

    def _get_documents(self, ids: Iterable[str]) -> Steps[list[Document]]:
        results = yield from self._found(self._get(list(map(document_id, text_source(ids)))))
        return _documents(result for result in results if result is not None)

    def _diverse(
        self, searcher: Searcher, query: Query, k: int | None, fetch_k: int, lambda_mult: float
    ) -> Steps[list[SearchResult]]:
        if not 0 <= lambda_mult <= 1:
            raise ConfigurationError(f"lambda_mult={lambda_mult!r}: pass a number from 0 (differences) to 1 (best matches).")
        return self._found(searcher.find_diverse(query, self._k(k), self._checked("fetch_k", fetch_k) or FETCH_K, lambda_mult))

    def _relevant(self, searcher: Searcher, query: Query, k: int, threshold: float | None) -> Steps[list[tuple[Document, float]]]:
        results = yield from self._found(searcher.find(query, k))
        scores = (yield from relevances(searcher, results)) if results else []
        documents = zip(_documents(results), scores, strict=True)
        return [(document, score) for document, score in documents if threshold is None or score >= threshold]

    def _found(self, steps: Steps[list[R]]) -> Steps[list[R]]:
        """Run a search. A store whose index no document has created yet is empty."""
        try:
            yield from self._check_index()
            return (yield from steps)
        except IndexNotFoundError:
            self._log_missing()
            return []

    def _log_missing(self) -> None:
        LOG.warning("There is no index %r, so the store is empty. Check index_name, or add documents.", self.index_name)

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

    def _searcher(self, filter: Any) -> Searcher:  # noqa: A002
        searcher = super()._searcher(filter)
        if isinstance(self.embedding, JinaEISEmbeddings) and self.embedding.search_inference_id:
            return replace(searcher, inference_id=self.embedding.search_inference_id)
        return searcher

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

    def _limiter(self) -> RateLimiter | None:
        return self.embedding.rate_limiter if isinstance(self.embedding, JinaEISEmbeddings) else None

    def _text_field_name(self) -> str:
        return self.content_field or self._text_field

    def _adapt(self, value: Any) -> Part | None:
        return from_blob(value)


def _settings_of(embedding: JinaEISEmbeddings, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an embedding gives to a store: its endpoint, and its connection if the arguments have none."""
    roles = (embedding.document_input_type, embedding.query_input_type)
    if roles != ("ingest", "search"):
        raise ConfigurationError(
            f"embedding has document_input_type={roles[0]!r} and query_input_type={roles[1]!r}. A store embeds documents as "
            "'ingest' and queries as 'search': pass a JinaEISEmbeddings with these."
        )
    settings: dict[str, Any] = {"inference_id": embedding.inference_id, "dimensions": embedding.dimensions}
    for name, value in settings.items():
        if arguments.get(name, value) != value:
            raise ConfigurationError(
                f"{name}={arguments[name]!r}, and the embedding has {name}={value!r}. Leave it out, or the embedding."
            )
    if arguments.keys().isdisjoint(_CONNECTION):
        shared = embedding.model_fields_set & ServiceSettings.model_fields.keys()
        settings |= {name: getattr(embedding, name) for name in shared}
    return settings | {"allow_url_fetch": embedding.allow_url_fetch, "pass_urls": embedding.pass_urls}


def _documents(results: Iterable[SearchResult]) -> list[Document]:
    return [Document(id=result.hit.id, page_content=result.text, metadata=fields_of(result)) for result in results]


def _with_scores(results: Sequence[SearchResult]) -> list[tuple[Document, float]]:
    scores = (result.hit.score if result.relevance_score is None else result.relevance_score for result in results)
    return [(document, score or 0.0) for document, score in zip(_documents(results), scores, strict=True)]


def _vector_query(vector: Sequence[float], text: str | None) -> Query:
    return Query(text, None, vector_of(vector))
