"""`JinaEISRetriever`: LangChain's retriever interface over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from itertools import repeat, zip_longest
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import ConfigDict

from jina_eis.adapters import RetrieverSettings, metadata_of, new_id
from jina_eis.contents import Content, Embeddable, Part, in_thread, text_list
from jina_eis.errors import InputError
from jina_eis.steps import Record, SearchResult

from .media import from_blob

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["JinaEISRetriever"]

A = TypeVar("A")
B = TypeVar("B")
_MISSING: Any = object()


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
            Elasticsearch queries that every document must match.
        diversify: float | None = None
            Return documents that differ from each other: from 0 for the greatest difference to 1 for the best matches.
        field, content_field, inference_id, dimensions, min_score, source_fields, highlight, fusion, weights, rank_constant,
        num_candidates, oversample, rank_window_size, rerank_chunks, rerank_chunk_words, field_type, index_options,
        chunking_settings, index_settings, allow_url_fetch and pass_urls are described at `RetrieverSettings`.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline,
        max_concurrency and use_case are described at `ServiceSettings`. Unknown arguments are an error.

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
        documents = retriever.invoke("How do glaciers move?")  # or with k=1, filter={"term": {"metadata.lang.keyword": "en"}}
        documents[0].page_content, documents[0].id, documents[0].metadata["relevance_score"]
        ```

    Use within a chain:
        It is a `Runnable`: `retriever | format_documents | prompt | model`.

    Async:
        ```python
        documents = await retriever.ainvoke("How do glaciers move?")
        ```

    A query is a text. With an omni endpoint it may also be anything that `JinaEISEmbeddings.embed_content` takes, such as
    `pathlib.Path("cat.png")`. LangChain passes queries to tracers unchanged: prefer a short path to long bytes.

    `Document.metadata` contains the document's fields and metadata, `_index`, `_score` as Elasticsearch returns it and, with
    a reranker, `relevance_score` as the model returns it.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments; on the first query, a field that the index does not have, a
            field of another type, or an endpoint of another task or vector space.
        IndexNotFoundError: the index does not exist.
        DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types.
    """

    model_config: ClassVar[ConfigDict] = RetrieverSettings.model_config  # LangChain's own config ignores unknown arguments
    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    if TYPE_CHECKING:  # LangChain declares input: str

        def invoke(self, input: Embeddable, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]: ...  # noqa: A002, D102
        async def ainvoke(self, input: Embeddable, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]: ...  # noqa: A002, D102

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        *,
        ids: Iterable[str] | None = None,
        **settings: Any,
    ) -> Self:
        """Create a retriever and index the texts; create the index if it is missing. `settings` are those of the class."""
        retriever = cls(**settings)
        retriever.add_texts(texts, metadatas, ids=ids)
        return retriever

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        *,
        ids: Iterable[str] | None = None,
        **settings: Any,
    ) -> Self:
        """As `from_texts`, without blocking the event loop."""
        retriever = cls(**settings)
        await retriever.aadd_texts(texts, metadatas, ids=ids)
        return retriever

    @classmethod
    def from_documents(cls, documents: Iterable[Document], *, ids: Iterable[str] | None = None, **settings: Any) -> Self:
        """Create a retriever and index the documents; create the index if it is missing. `settings` are those of the class."""
        retriever = cls(**settings)
        retriever.add_documents(documents, ids=ids)
        return retriever

    @classmethod
    async def afrom_documents(cls, documents: Iterable[Document], *, ids: Iterable[str] | None = None, **settings: Any) -> Self:
        """As `from_documents`, without blocking the event loop."""
        retriever = cls(**settings)
        await retriever.aadd_documents(documents, ids=ids)
        return retriever

    def add_documents(
        self, documents: Iterable[Document], *, ids: Iterable[str] | None = None, refresh: bool = True
    ) -> list[str]:
        """Index any number of documents. They are read as they are needed.

        Args:
            documents: Any iterable. The page content is embedded; the metadata are stored under `metadata`.
            ids: One id for each document. Default: the documents' own ids, or new ids. An existing document is replaced.
            refresh: Whether the documents are searchable when this returns.

        Returns:
            The ids, in the order of the documents.

        Raises:
            DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed.
        """
        return self._run(self._indexer().add(_text_records(documents, ids, self._text_field_name()), refresh))

    async def aadd_documents(
        self, documents: Iterable[Document], *, ids: Iterable[str] | None = None, refresh: bool = True
    ) -> list[str]:
        """As `add_documents`, without blocking the event loop."""
        return await self._arun(self._indexer().add(_text_records(documents, ids, self._text_field_name()), refresh))

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        *,
        ids: Iterable[str] | None = None,
        refresh: bool = True,
    ) -> list[str]:
        """As `add_documents`, with texts and their metadata."""
        return self.add_documents(_build_documents(texts, metadatas), ids=ids, refresh=refresh)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        *,
        ids: Iterable[str] | None = None,
        refresh: bool = True,
    ) -> list[str]:
        """As `add_texts`, without blocking the event loop."""
        return await self.aadd_documents(_build_documents(texts, metadatas), ids=ids, refresh=refresh)

    def add_contents(
        self, items: Iterable[Embeddable], documents: Iterable[Document] | None = None, *, refresh: bool = True
    ) -> list[str]:
        """Index images, sounds and videos in a `semantic` field (1 MB each by default) or a dense_vector field.

        Args:
            items: The items to embed, of the types that `JinaEISEmbeddings.embed_content` takes. All are checked first.
            documents: The document to return for each item. Default: empty documents.
            refresh: Whether the items are searchable when this returns.
        """
        return self._run(
            self._indexer().add(_content_records(self._contents(items), documents, self._text_field_name()), refresh)
        )

    async def aadd_contents(
        self, items: Iterable[Embeddable], documents: Iterable[Document] | None = None, *, refresh: bool = True
    ) -> list[str]:
        """As `add_contents`, without blocking the event loop."""
        contents = await in_thread(partial(self._contents, items))
        return await self._arun(self._indexer().add(_content_records(contents, documents, self._text_field_name()), refresh))

    def delete(self, ids: Iterable[str], *, refresh: bool = True) -> None:
        """Delete documents by id. Ids that do not exist are ignored."""
        self._run(self._indexer().delete(text_list(ids), refresh))

    async def adelete(self, ids: Iterable[str], *, refresh: bool = True) -> None:
        """As `delete`, without blocking the event loop."""
        await self._arun(self._indexer().delete(text_list(ids), refresh))

    def _get_relevant_documents(
        self,
        query: Any,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - Elasticsearch's name
    ) -> list[Document]:
        return self._to_documents(self._run(self._find(self._query(query), k, filter)))

    async def _aget_relevant_documents(
        self,
        query: Any,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - Elasticsearch's name
    ) -> list[Document]:
        return self._to_documents(await self._arun(self._find(await in_thread(partial(self._query, query)), k, filter)))

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "Elasticsearch"
        params["ls_embedding_provider"] = "JinaEIS"
        if self.inference_id:  # otherwise only the index names it
            params["ls_embedding_model"] = self.inference_id
        return params

    def _to_documents(self, results: Sequence[SearchResult]) -> list[Document]:
        return [
            Document(id=result.hit.id, page_content=result.text, metadata=metadata_of(result, self._text_field_name()))
            for result in results
        ]

    def _text_field_name(self) -> str:
        return self.content_field or self._text_field

    def _adapt(self, value: Any) -> Part | None:
        return from_blob(value)


def _build_documents(texts: Iterable[str], metadatas: Iterable[dict[str, Any]] | None) -> Iterator[Document]:
    if isinstance(texts, str):
        raise InputError("Pass texts as a list of strings. For a single text pass [text].")
    if metadatas is None:
        return (Document(page_content=text) for text in texts)
    return (Document(page_content=text, metadata=metadata) for text, metadata in _zip_equal(texts, metadatas, "metadatas"))


def _text_records(documents: Iterable[Document], ids: Iterable[str] | None, content_field: str) -> Iterator[Record]:
    pairs = zip(documents, repeat(None), strict=False) if ids is None else _zip_equal(documents, ids, "ids")
    for document, id_ in pairs:
        yield _record(document.page_content, document, id_, content_field)


def _content_records(contents: Sequence[Content], documents: Iterable[Document] | None, content_field: str) -> Iterator[Record]:
    empty = repeat(Document(page_content=""))
    pairs = zip(contents, empty, strict=False) if documents is None else _zip_equal(contents, documents, "documents")
    for content, document in pairs:
        yield _record(content, document, None, content_field)


def _zip_equal(first: Iterable[A], second: Iterable[B], name: str) -> Iterator[tuple[A, B]]:
    """Zip two iterables. Raises InputError if their lengths differ."""
    for left, right in zip_longest(first, second, fillvalue=_MISSING):
        if left is _MISSING or right is _MISSING:
            raise InputError(f"There are {'more' if left is _MISSING else 'fewer'} {name} than documents. Pass one for each.")
        yield left, right


def _record(content: Content, document: Document, id_: str | None, content_field: str) -> Record:
    source: Mapping[str, Any] = {content_field: document.page_content, "metadata": document.metadata}
    return Record(id_ or document.id or new_id(), content, source)
