"""`JinaEISRetriever`: LangChain's retriever interface over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import ConfigDict

from jina_eis.adapters import Ids, RetrieverArguments, RetrieverSettings, document_id, metadata_of
from jina_eis.contents import Embeddable, Get, Part, in_thread, text_source
from jina_eis.steps import Record, Refresh, SearchResult

from .media import from_blob
from .records import as_list, build_documents, content_records, text_records, vector_records

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["JinaEISRetriever"]


class Arguments(RetrieverArguments, total=False):
    """The arguments of `JinaEISRetriever`: the settings, and those of LangChain's retrievers."""

    include_scores: bool
    name: str | None
    tags: list[str] | None
    metadata: dict[str, Any] | None


class JinaEISRetriever(RetrieverSettings, BaseRetriever):
    """Search in Elasticsearch, with embedding, fusion and reranking on the server in one request; and ingest for it.

    Setup:
        Install `jina-eis[langchain]`, and set the address of your deployment. The API key needs the cluster privilege
        `monitor_inference` and the index privileges `read` and `view_index_metadata`; ingest also needs `write`, `create_index`
        and `maintenance`.

        ```bash
        pip install -U "jina-eis[langchain]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args:
        index_name: str
            The index.
        search_type: str = "semantic"
            "semantic" for a semantic_text or semantic field, which Elasticsearch embeds itself; "knn" for a dense_vector
            field; "hybrid" for one of these fields, fused with BM25.
        k: int = 10
            Maximum number of documents to return.
        rerank_inference_id: str | None = None
            A rerank endpoint, such as `.jina-reranker-v3`: the best `rank_window_size` (64) documents are reranked inside
            Elasticsearch, in the same request.
        filter: dict | list[dict] | None = None
            What every document must match: an Elasticsearch query, a dict of metadata such as `{"lang": "en"}`, or a list.
        include_scores: bool = False
            Whether the metadata contain `_score` and `relevance_score`.
        diversify: float | None = None
            Return documents that differ from each other: from 0 for the greatest difference to 1 for the best matches.
        field, content_field, inference_id, dimensions, min_score, source_fields, highlight, fusion, weights, rank_constant,
        num_candidates, oversample, rank_window_size, rerank_chunks, rerank_chunk_words, field_type, index_options,
        chunking_settings, index_settings, metadata_mappings, too_long, allow_url_fetch and pass_urls are described at
        `RetrieverSettings`.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline,
        max_concurrency, use_case, wire_format, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress
        are described at `ServiceSettings`. Unknown arguments are an error.

    Instantiate:
        ```python
        from langchain_jina_eis import JinaEISRetriever

        retriever = JinaEISRetriever.from_texts(
            ["A glacier is ice that flows.", "Bread rises because yeast makes gas."],
            index_name="facts",
            search_type="hybrid",
            rerank_inference_id=".jina-reranker-v3",
            k=3,
        )
        ```

    Use:
        ```python
        documents = retriever.invoke("How do glaciers move?")  # or with k=1, filter={"lang": "en"}
        documents[0].page_content, documents[0].id, documents[0].metadata
        ```

    Use within a chain:
        It is a `Runnable`: `retriever | format_documents | prompt | model`.

    Async:
        ```python
        documents = await retriever.ainvoke("How do glaciers move?")
        ```

    A query is a text. With an omni endpoint it may also be anything that `JinaEISEmbeddings.embed_content` takes, such as
    `pathlib.Path("cat.png")`. LangChain passes queries to tracers unchanged: prefer a short path to long bytes.

    `Document.metadata` contains the document's fields and metadata, and Elasticsearch's `_id` and `_index`: the same for every
    query. With `include_scores=True` also `_score` as Elasticsearch returns it and, with a reranker, `relevance_score` as the
    model returns it; with `highlight`, `highlights`. None of these is stored if such a document is added again.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments; on the first query, a field that the index does not have, a
            field of another type, or an endpoint of another task or vector space.
        IndexNotFoundError: the index does not exist.
        DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types.
    """

    model_config: ClassVar[ConfigDict] = RetrieverSettings.model_config  # LangChain's own config ignores unknown arguments
    include_scores: bool = False
    """Whether the metadata of documents contain their scores, which differ from query to query. Tools that tell documents apart
    by their metadata then take one that two queries find for two."""

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    if TYPE_CHECKING:  # LangChain declares input: str

        def invoke(self, input: Embeddable, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]: ...  # noqa: A002, D102
        async def ainvoke(self, input: Embeddable, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]: ...  # noqa: A002, D102

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        **settings: Unpack[Arguments],
    ) -> Self:
        """Create a retriever and index the texts; create the index if it is missing. `settings` are those of the class."""
        retriever = cls(**settings)
        retriever.add_texts(texts, metadatas, ids=ids)
        return retriever

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        **settings: Unpack[Arguments],
    ) -> Self:
        """As `from_texts`, without blocking the event loop."""
        retriever = cls(**settings)
        await retriever.aadd_texts(texts, metadatas, ids=ids)
        return retriever

    @classmethod
    def from_documents(cls, documents: Iterable[Document], *, ids: Ids = None, **settings: Unpack[Arguments]) -> Self:
        """Create a retriever and index the documents; create the index if it is missing. `settings` are those of the class."""
        retriever = cls(**settings)
        retriever.add_documents(documents, ids=ids)
        return retriever

    @classmethod
    async def afrom_documents(cls, documents: Iterable[Document], *, ids: Ids = None, **settings: Unpack[Arguments]) -> Self:
        """As `from_documents`, without blocking the event loop."""
        retriever = cls(**settings)
        await retriever.aadd_documents(documents, ids=ids)
        return retriever

    def add_documents(self, documents: Iterable[Document], *, ids: Ids = None, refresh: Refresh = "wait_for") -> list[str]:
        """Index any number of documents. They are read as they are needed.

        Args:
            documents: Any iterable. The page content is embedded; the metadata are stored under `metadata`.
            ids: One id for each document, or "content" for ids made of text and metadata, with which a document that is added
                again replaces itself. Default: the documents' own ids, or new ids. An existing document is replaced; of one id
                twice, the last is written.
            refresh: When searches see the documents: "wait_for", when this returns, by the next refresh of the index (within a
                second by default); True, when this returns, by a refresh, which costs Elasticsearch more; False, later.

        Returns:
            The ids, in the order of the documents.

        Raises:
            InputError: an element of a list is no document. Nothing was sent.
            DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed. An error of
                the iterable is its cause.
        """
        return self._run(self._indexer().add(text_records(documents, ids, self._text_field_name()), refresh))

    async def aadd_documents(self, documents: Iterable[Document], *, ids: Ids = None, refresh: Refresh = "wait_for") -> list[str]:
        """As `add_documents`, without blocking the event loop."""
        return await self._arun(self._indexer().add(text_records(documents, ids, self._text_field_name()), refresh))

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_documents`, with texts and their metadata."""
        return self.add_documents(build_documents(texts, metadatas), ids=ids, refresh=refresh)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_texts`, without blocking the event loop."""
        return await self.aadd_documents(build_documents(texts, metadatas), ids=ids, refresh=refresh)

    def add_contents(
        self,
        items: Iterable[Embeddable],
        documents: Iterable[Document] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """Index images, sounds, videos and pages of PDFs in a `semantic` field (1 MB each by default) or a dense_vector field.

        Each page of a PDF becomes a document, with `page`, from 1, and `pages` in its metadata. It needs the extra `[pdf]`.

        Args:
            items: The items to embed, of the types that `JinaEISEmbeddings.embed_content` takes. All are checked first.
            documents: The document to return for each item. Default: documents without a text, whose metadata state what is
                known of the item: `source`, the path or name of its file; `mime_type`, `modality`; `width` and `height` of an
                image in pixels; `seconds` of a sound or video.
            ids: As for `add_documents`. Pages of a PDF with the id `a` have the ids `a-1`, `a-2`. "content" makes them of the
                bytes of media, and of the document's text and metadata.
            refresh: As for `add_documents`.
        """
        return self._run(self._indexer().add(self._media_records(as_list(items), documents, ids), refresh))

    async def aadd_contents(
        self,
        items: Iterable[Embeddable],
        documents: Iterable[Document] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_contents`, without blocking the event loop."""
        records = await in_thread(partial(self._media_records, as_list(items), documents, ids))
        return await self._arun(self._indexer().add(records, refresh))

    def add_embeddings(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """Index texts with vectors of your own, which are written as they are. For dense_vector fields.

        Args:
            text_embeddings: Pairs of a text and its vector, of the endpoint of the index or of its vector space.
            metadatas: The metadata of each text.
            ids: As for `add_documents`.
            refresh: As for `add_documents`.

        Raises:
            InputError: a vector of another length than those of the index, or a field that Elasticsearch embeds by itself.
                Nothing was written.
        """
        return self._run(self._indexer().add(vector_records(text_embeddings, metadatas, ids, self._text_field_name()), refresh))

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
            self._indexer().add(vector_records(text_embeddings, metadatas, ids, self._text_field_name()), refresh)
        )

    def delete(self, ids: Iterable[str | int], *, refresh: Refresh = "wait_for") -> None:
        """Delete documents by id. Ids that do not exist are ignored. `refresh` is that of `add_documents`."""
        self._run(self._indexer().delete(map(document_id, text_source(ids)), refresh))

    async def adelete(self, ids: Iterable[str | int], *, refresh: Refresh = "wait_for") -> None:
        """As `delete`, without blocking the event loop."""
        await self._arun(self._indexer().delete(map(document_id, text_source(ids)), refresh))

    def _get_relevant_documents(
        self,
        query: Any,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - Elasticsearch's name
    ) -> list[Document]:
        before = self.usage
        documents = self._to_documents(self._run(self._find(self._query(query), k, filter)))
        run_manager.metadata["jina_eis_usage"] = self.usage_since(before).as_dict()
        return documents

    async def _aget_relevant_documents(
        self,
        query: Any,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - Elasticsearch's name
    ) -> list[Document]:
        before = self.usage
        documents = self._to_documents(await self._arun(self._find(await in_thread(partial(self._query, query)), k, filter)))
        run_manager.metadata["jina_eis_usage"] = self.usage_since(before).as_dict()
        return documents

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "Elasticsearch"
        params["ls_embedding_provider"] = "JinaEIS"
        if self.inference_id:  # otherwise only the index names it
            params["ls_embedding_model"] = self.inference_id
        return params

    def _to_documents(self, results: Sequence[SearchResult]) -> list[Document]:
        return [
            Document(id=result.hit.id, page_content=result.text, metadata=metadata_of(result, scores=self.include_scores))
            for result in results
        ]

    def _media_records(self, items: Any, documents: Iterable[Document] | None, ids: Ids, get: Get | None = None) -> list[Record]:
        return content_records(items, self._contents(items, get), documents, ids, self._text_field_name())

    def _text_field_name(self) -> str:
        return self.content_field or self._text_field

    def _adapt(self, value: Any) -> Part | None:
        return from_blob(value)
