"""`JinaEISRetriever`: LlamaIndex's retriever interface over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar, Self, Unpack

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.ingestion.pipeline import arun_transformations, run_transformations
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle, TransformComponent
from llama_index.core.settings import Settings as LlamaIndexSettings

from jina_eis.adapters import (
    Ids,
    RetrieverArguments,
    RetrieverSettings,
    ServiceSettings,
    Usage,
    checked,
    document_id,
    listed,
    paired_ids,
    progress_bar,
)
from jina_eis.contents import Get, Link, Part, content, in_thread, medium_from_location, text_source
from jina_eis.errors import InputError
from jina_eis.steps import Query, Record, Refresh, SearchResult
from jina_eis.wire import Steps, watched

from .media import node_or_resource_content
from .nodes import NODE_CONTENT, NODE_TYPE, restored_node
from .records import node_records

__all__ = ["JinaEISRetriever"]


class Arguments(RetrieverArguments, total=False):
    """The arguments of `JinaEISRetriever`: the settings, and those of LlamaIndex's retrievers."""

    trust_query_embedding: bool
    callback_manager: CallbackManager | None
    objects: list[Any] | None
    object_map: dict[str, Any] | None
    verbose: bool


class _Settings(RetrieverSettings):
    """The settings, apart from the retriever: LlamaIndex's base class is not a pydantic model."""

    product: ClassVar[str] = f"llama-index-jina-eis/{version('jina-eis')}"
    _always: ClassVar[tuple[str, ...]] = (f"metadata.{NODE_CONTENT}", f"metadata.{NODE_TYPE}")
    _text_field: ClassVar[str] = "content"

    def _adapt(self, value: Any) -> Part | Link | None:
        return node_or_resource_content(value)


_Settings.__name__ = "JinaEISRetriever"  # the name in errors


class JinaEISRetriever(BaseRetriever):
    """Search in Elasticsearch, with embedding, fusion and reranking on the server in one request; and ingest for it.

    Args:
        index_name: The index.
        search_type: "semantic" for a semantic_text or semantic field, which Elasticsearch embeds itself; "knn" for a
            dense_vector field; "hybrid" for one of these fields, fused with BM25. Default: "semantic".
        k: Maximum number of nodes to return. Default: 10.
        rerank_inference_id: A rerank endpoint, such as `.jina-reranker-v3`: the best `rank_window_size` (64) nodes are reranked
            inside Elasticsearch, in the same request. Default: None.
        filter: What every node must match: an Elasticsearch query, a dict of metadata such as `{"lang": "en"}`, or a list of
            these. Default: None.
        diversify: Return nodes that differ from each other: from 0 for the greatest difference to 1 for the best matches.
            Default: None.
        content_field: The field with the text. Default: "content".
        trust_query_embedding: Whether to search with the embedding of a `QueryBundle` that also has a text. LlamaIndex's own
            retrievers store the vector of their model there when several retrievers share a query. Default: False.
        callback_manager, objects, object_map, verbose: LlamaIndex's own.

    field, inference_id, dimensions, min_score, source_fields, highlight, fusion, weights, rank_constant, num_candidates,
    oversample, rank_window_size, rerank_chunks, rerank_chunk_words, allow_url_fetch, pass_urls, field_type, index_options,
    chunking_settings, index_settings, metadata_mappings and too_long are described at `RetrieverSettings`; es_url, es_cloud_id,
    es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline, max_concurrency, use_case, ca_certs,
    verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress at `ServiceSettings`. Unknown arguments are an error.

    Nodes are returned as they were indexed, with their ids, metadata and relationships, the same for every query. The score is in
    `NodeWithScore.score`: the reranker's, or else Elasticsearch's. With `highlight`, `highlights` are in the metadata that models
    do not read, and so are `_id` and `_index` of documents of other applications. A `QueryBundle` with an embedding
    and no text searches with the embedding. One with an `image_path` searches with the image, and uses its text for BM25 and
    the reranker.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments; on the first query, a field that the index does not have, a
            field of another type, or an endpoint of another task or vector space.
        IndexNotFoundError: the index does not exist.
        DocumentsFailedError: some nodes were not indexed; the error names them, and those that were indexed.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types.

    Examples:
        ```python
        from llama_index_jina_eis import JinaEISRetriever

        retriever = JinaEISRetriever.from_nodes(nodes, index_name="facts", rerank_inference_id=".jina-reranker-v3", k=3)
        found = retriever.retrieve("How do glaciers move?")
        ```
    """

    def __init__(
        self,
        *,
        trust_query_embedding: bool = False,
        callback_manager: CallbackManager | None = None,
        objects: list[Any] | None = None,
        object_map: dict[str, Any] | None = None,
        verbose: bool = False,
        **settings: Unpack[RetrieverArguments],
    ) -> None:
        self._settings = _Settings(**settings)
        self._trusts_embeddings = trust_query_embedding
        super().__init__(callback_manager=callback_manager, objects=objects, object_map=object_map, verbose=verbose)

    @classmethod
    def from_nodes(cls, nodes: Iterable[BaseNode], **settings: Unpack[Arguments]) -> Self:
        """Create a retriever and index the nodes; create the index if it is missing. `settings` are those of the class."""
        retriever = cls(**settings)
        retriever.add_nodes(nodes)
        return retriever

    @classmethod
    async def afrom_nodes(cls, nodes: Iterable[BaseNode], **settings: Unpack[Arguments]) -> Self:
        """As `from_nodes`, without blocking the event loop."""
        retriever = cls(**settings)
        await retriever.aadd_nodes(nodes)
        return retriever

    @classmethod
    def from_documents(
        cls,
        documents: Sequence[BaseNode],
        *,
        transformations: Sequence[TransformComponent] | None = None,
        show_progress: bool = False,
        **settings: Unpack[Arguments],
    ) -> Self:
        """Create a retriever, split documents into nodes and index these; create the index if it is missing.

        Args:
            documents: The documents, of LlamaIndex's readers, for example.
            transformations: What makes nodes of them, one after the other: a splitter, an extractor. Default:
                `Settings.transformations` of LlamaIndex, a `SentenceSplitter`. An empty list indexes each document whole.
            show_progress: Whether to show progress bars, of the transformations and of the ingest. Default: False.
            settings: Those of the class.
        """
        retriever = cls(**settings)
        steps = LlamaIndexSettings.transformations if transformations is None else transformations
        _check_documents(documents)
        nodes = run_transformations(list(documents), list(steps), show_progress=show_progress)
        with progress_bar(len(nodes), show_progress, "Indexing", "node") as bar:
            retriever._settings._run(watched(retriever._ingest(nodes), bar))
        return retriever

    @classmethod
    async def afrom_documents(
        cls,
        documents: Sequence[BaseNode],
        *,
        transformations: Sequence[TransformComponent] | None = None,
        show_progress: bool = False,
        **settings: Unpack[Arguments],
    ) -> Self:
        """As `from_documents`, with the async methods of the transformations and of the retriever."""
        retriever = cls(**settings)
        steps = LlamaIndexSettings.transformations if transformations is None else transformations
        _check_documents(documents)
        nodes = await arun_transformations(list(documents), list(steps), show_progress=show_progress)
        with progress_bar(len(nodes), show_progress, "Indexing", "node") as bar:
            await retriever._settings._arun(watched(await retriever._aingest(nodes), bar))
        return retriever

    @property
    def settings(self) -> ServiceSettings:
        """The settings of the retriever. Their `close` and `aclose` close its connections."""
        return self._settings

    @property
    def usage(self) -> Usage:
        """What this retriever has sent and waited for, up to now, in this process: requests, inputs, seconds, bytes."""
        return self._settings.usage

    def usage_since(self, earlier: Usage) -> Usage:
        """What this retriever has sent and waited for since `earlier`, a value of `usage`."""
        return self._settings.usage_since(earlier)

    def add_nodes(self, nodes: Iterable[BaseNode], *, ids: Ids = None, refresh: Refresh = "wait_for") -> list[str]:
        """Index any number of nodes. They are read as they are needed.

        The image, sound or video of a node is embedded if the field accepts it, or else its text with the metadata that
        LlamaIndex embeds. What is known of a medium is added to the metadata: `source`, `mime_type`, `modality`, `width` and
        `height`, `seconds`. Each page of a PDF becomes a node, with `page`, from 1, and `pages`: the node `a` becomes `a-1`,
        `a-2`, whose source is `a`. This needs the extra `[pdf]`.

        A node that brings its vector is not embedded again, if the field is of type dense_vector: the vector is written as it is.
        Make it with the endpoint of the index, or with one of the same vector space.

        Args:
            nodes: Any iterable. An existing node with the same id is replaced; of one id twice, the last is written. Nodes are
                stored completely, an `ImageNode` with its base64: one with an `image_path` needs less space.
            ids: One id for each node, or "content" for ids made of text and metadata, with which a node that is added again
                replaces itself. Default: the nodes' own ids.
            refresh: When searches see the nodes: "wait_for", when this returns, by the next refresh of the index (within a
                second by default); True, when this returns, by a refresh, which costs Elasticsearch more; False, later.

        Returns:
            The ids, in the order of the nodes; those of its pages for a PDF.

        Raises:
            InputError: an element of a list is no node, or has a vector of another length than the field. Nothing was written.
            DocumentsFailedError: some nodes were not indexed; the error names them, and those that were indexed. An error of the
                iterable is its cause.
        """
        return self._settings._run(self._ingest(nodes, ids, refresh))

    async def aadd_nodes(self, nodes: Iterable[BaseNode], *, ids: Ids = None, refresh: Refresh = "wait_for") -> list[str]:
        """As `add_nodes`, without blocking the event loop. With `allow_url_fetch`, all nodes are read before any is sent."""
        settings = self._settings
        fetches = settings.allow_url_fetch and not settings.pass_urls
        records = await in_thread(partial(self._read, nodes, ids)) if fetches else self._records(nodes, ids)
        return await settings._arun(settings._indexer().add(records, refresh))

    def delete_nodes(self, node_ids: Iterable[str | int], *, refresh: Refresh = "wait_for") -> None:
        """Delete nodes by id. Ids that do not exist are ignored."""
        settings = self._settings
        settings._run(settings._indexer().delete(map(document_id, text_source(node_ids)), refresh))

    async def adelete_nodes(self, node_ids: Iterable[str | int], *, refresh: Refresh = "wait_for") -> None:
        """As `delete_nodes`, without blocking the event loop."""
        settings = self._settings
        await settings._arun(settings._indexer().delete(map(document_id, text_source(node_ids)), refresh))

    def delete_index(self, *, missing_ok: bool = False) -> None:
        """Delete the index and all nodes in it.

        Args:
            missing_ok: Whether an index that does not exist is no error.

        Raises:
            IndexNotFoundError: the index does not exist.
        """
        self._settings.delete_index(missing_ok=missing_ok)

    async def adelete_index(self, *, missing_ok: bool = False) -> None:
        """As `delete_index`, without blocking the event loop."""
        await self._settings.adelete_index(missing_ok=missing_ok)

    def search_with(self, inference_id: str) -> str:
        """Embed the queries of all clients of the index with another endpoint of the same vector space.

        Sets `search_inference_id` of the semantic_text or semantic field that is searched, by an update of the mapping. An
        index of texts can so be searched with an omni model, without indexing again: the nodes keep their vectors, and new
        ones are embedded as before. `inference_id` itself, the endpoint of the nodes, cannot be changed to an omni endpoint
        once the field holds values, because their tasks differ; a new field or index could have it.

        For the queries of one application, `JinaEISRetriever(inference_id=...)` is enough. It needs no right on the index.

        Args:
            inference_id: The endpoint for queries, such as `.jina-embeddings-v5-omni-small` for an index of
                `.jina-embeddings-v5-text-small`. One of task `embedding`, as omni endpoints are, needs Elastic Stack 9.4.

        Returns:
            The endpoint that embedded queries before. Pass it to `search_with` to set it back.

        Raises:
            ConfigurationError: an endpoint of another vector space or task, a dense_vector field (pass it as `inference_id` of
                the retriever), or an older deployment. Nothing was changed.
            EndpointNotFoundError: the deployment has no such endpoint. Nothing was changed.
            AuthorizationError: the key lacks the index privilege `manage`.
        """
        return self._settings.search_with(inference_id)

    async def asearch_with(self, inference_id: str) -> str:
        """As `search_with`, without blocking the event loop."""
        return await self._settings.asearch_with(inference_id)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        settings = self._settings
        return self._to_nodes(settings._run(settings._find(self._query(query_bundle), None, None)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        settings = self._settings
        query = await in_thread(partial(self._query, query_bundle))
        return self._to_nodes(await settings._arun(settings._find(query, None, None)))

    def _query(self, bundle: QueryBundle, get: Get | None = None) -> Query:
        text = bundle.query_str.strip() or None
        if bundle.embedding is not None and (not text or self._trusts_embeddings):
            return Query(text, None, bundle.embedding)
        if bundle.image_path:
            image = content(
                bundle.image_path,
                may_fetch=self._settings.allow_url_fetch,
                pass_urls=self._settings.pass_urls,
                adapt=lambda value: medium_from_location(value, "image/*"),
                get=get,
            )
            return Query(text, image)
        texts = bundle.embedding_strs
        if len(texts) > 1:
            raise InputError(f"The query has {len(texts)} texts to embed. Search for each, and fuse with QueryFusionRetriever.")
        embedded = (texts[0].strip() if texts else None) or text
        if not embedded:
            raise InputError("The query is empty. Pass a text, an embedding or an image_path.")
        return Query(text or embedded, embedded)

    def _ingest(self, nodes: Iterable[BaseNode], ids: Ids = None, refresh: Refresh = "wait_for") -> Steps[list[str]]:
        return self._settings._indexer().add(self._records(nodes, ids), refresh)

    async def _aingest(self, nodes: Iterable[BaseNode], ids: Ids = None, refresh: Refresh = "wait_for") -> Steps[list[str]]:
        fetches = self._settings.allow_url_fetch and not self._settings.pass_urls
        records = await in_thread(partial(self._read, nodes, ids)) if fetches else self._records(nodes, ids)
        return self._settings._indexer().add(records, refresh)

    def _records(self, nodes: Iterable[BaseNode], ids: Ids, get: Get | None = None) -> Iterable[Record]:
        """The records of nodes; of a list, after all were checked."""
        pairs = paired_ids(checked(listed(nodes, BaseNode, "node"), BaseNode, "node"), ids)
        records = node_records(pairs, self._settings, get)
        return list(records) if isinstance(nodes, Sequence) else records

    def _read(self, nodes: Iterable[BaseNode], ids: Ids, get: Get | None = None) -> list[Record]:
        return list(self._records(nodes, ids, get))

    def _to_nodes(self, results: Sequence[SearchResult]) -> list[NodeWithScore]:
        return [
            NodeWithScore(
                node=restored_node(result),
                score=result.hit.score if result.relevance_score is None else result.relevance_score,
            )
            for result in results
        ]


def _check_documents(documents: Any) -> None:
    """Raise InputError for a single document or another element, which a transformation would not explain."""
    for _ in checked(listed(documents, BaseNode, "document"), BaseNode, "document"):
        pass
