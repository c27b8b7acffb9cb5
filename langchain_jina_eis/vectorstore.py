"""`JinaEISVectorStore`: LangChain's vector store interface over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, ClassVar, Self, Unpack

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from pydantic import Field

from jina_eis.adapters import Ids, RetrieverArguments, ServiceSettings
from jina_eis.steps import Refresh
from jina_eis.wire import MAX_HITS

from .embeddings import JinaEISEmbeddings
from .store_base import Filter
from .store_searches import K, StoreSearches
from .store_writes import StoreWrites

__all__ = ["Filter", "JinaEISVectorStore"]


class JinaEISVectorStore(StoreWrites, StoreSearches):
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
        metadata_mappings, too_long, allow_url_fetch and pass_urls are described at `RetrieverSettings`.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline,
        max_concurrency, use_case, wire_format, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress
        are described at `ServiceSettings`. Unknown arguments are an error.

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

    k: int = Field(default=K, ge=1, le=MAX_HITS)

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
