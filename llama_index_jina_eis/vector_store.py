"""`JinaEISVectorStore`: LlamaIndex's vector store interface over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from pydantic import Field

from jina_eis.adapters import checked, listed
from jina_eis.contents import Get, Link, Part, in_thread
from jina_eis.errors import ConfigurationError, IndexNotFoundError, InputError
from jina_eis.steps import (
    Indexer,
    Record,
    Refresh,
    SearchType,
)
from jina_eis.wire import Steps

from .media import node_or_resource_content
from .nodes import NODE_CONTENT, NODE_TYPE
from .placeholder import PlaceholderEmbedding
from .plugin import Plugin
from .records import node_records
from .store_queries import StoreQueries

__all__ = ["JinaEISVectorStore"]


class _WithoutClientProperty:
    """Hides LlamaIndex's abstract property `client` behind the field of this name, which `ServiceSettings` has."""

    class _Hidden:
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            raise AttributeError("client")

    client = _Hidden()


class JinaEISVectorStore(Plugin, _WithoutClientProperty, StoreQueries, BasePydanticVectorStore):
    """A vector store in Elasticsearch, which embeds, searches, fuses and reranks by itself, or holds vectors of your model.

    Args:
        index_name: The index. The first nodes create it, if it is missing.
        field_type: What holds the meaning of the nodes:

            - "semantic_text" (default): Elasticsearch embeds nodes and queries. No model is needed on this side: where
              LlamaIndex wants one, pass `store.embed_model`.
            - "semantic": also images, audio and video (Elastic Stack 9.5).
            - "dense_vector": vectors, of the embedding model of your index or pipeline, such as `JinaEISEmbedding`. Nodes
              and queries without a vector are embedded by the store, with `inference_id`.
        inference_id: The embedding endpoint. Default: that of the index; `.jina-embeddings-v5-text-small` for a new one.
        rerank_inference_id: A rerank endpoint, such as `.jina-reranker-v3`: the best `rank_window_size` (64) nodes of every
            search are reranked inside Elasticsearch, in the same request. Default: None.
        filter: An Elasticsearch query, a dict of metadata, or a list of these, that every node of a search must match.
            Default: None.
        content_field: The field with the text. Default: "content" in a new index.

    field, dimensions, min_score, source_fields, fusion, weights, rank_constant, num_candidates, oversample, rank_window_size,
    rerank_chunks, rerank_chunk_words, diversify, allow_url_fetch, pass_urls, index_options, chunking_settings, index_settings,
    metadata_mappings and too_long are described at `RetrieverSettings`; es_url, es_cloud_id, es_api_key, es_user, es_password,
    client, async_client, timeout, max_retries, deadline, max_concurrency, use_case, wire_format, ca_certs, verify_certs,
    ssl_assert_fingerprint, proxy, headers and http_compress at `ServiceSettings`. Unknown arguments are an error.

    The query modes "default", "text_search" (BM25), "hybrid" (`alpha` from 0 for words to 1 for meaning), "semantic_hybrid"
    (hybrid, then reranked), "sparse" (where the index embeds with a sparse model) and "mmr" work, with every operator of
    `MetadataFilters` and any nesting. Nodes come back as they were added, and their scores are those of Elasticsearch, or of
    the reranker.

    One object works in any number of threads and event loops. Dictionaries, JSON and the representation contain no secrets.
    Pickles contain them; an object can be pickled if it was created without your own client.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments, filters or query modes; a field that the index does not
            have, or of another type.
        InputError: (also a ValueError) a node has a vector that the field cannot hold. Nothing was sent.
        IndexNotFoundError: the index does not exist, in searches and `get_nodes`. Deleting from it does nothing.
        DocumentsFailedError: some nodes were not written; the error names them, and those that were written.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types.

    Examples:
        ```python
        from llama_index.core import VectorStoreIndex
        from llama_index_jina_eis import JinaEISVectorStore

        store = JinaEISVectorStore(index_name="facts")
        index = VectorStoreIndex.from_vector_store(store, embed_model=store.embed_model)
        index.insert_nodes(nodes)
        found = index.as_retriever(similarity_top_k=3).retrieve("How do glaciers move?")
        ```
    """

    product: ClassVar[str] = f"llama-index-jina-eis/{version('jina-eis')}"
    _always: ClassVar[tuple[str, ...]] = (f"metadata.{NODE_CONTENT}", f"metadata.{NODE_TYPE}")
    _text_field: ClassVar[str] = "content"

    # Class variables are no arguments. `field_type` and the query decide what these settings of the retriever do.
    if TYPE_CHECKING:
        stores_text: bool = Field(default=True, init=False)  # else type checkers would require it
    else:
        stores_text: ClassVar[bool] = True
    search_type: ClassVar[SearchType] = "semantic"  # type: ignore[misc] # see `_searcher`
    k: ClassVar[int] = 1  # type: ignore[misc]
    highlight: ClassVar[bool] = False  # type: ignore[misc]
    is_embedding_query: ClassVar[Any] = property(lambda self: self.field_type == "dense_vector")  # type: ignore[misc]

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "JinaEISVectorStore"

    @property
    def embed_model(self) -> BaseEmbedding:
        """The model for LlamaIndex classes that want one, where the store embeds nodes and queries itself. It sends nothing.

        Pass it to `VectorStoreIndex` as `embed_model`, and as the last transformation to an `IngestionPipeline`, which hands on
        only nodes that have a vector. Its vectors are empty lists, which the store drops.
        """
        return PlaceholderEmbedding()

    def add(self, nodes: Sequence[BaseNode], *, refresh: Refresh = "wait_for", **kwargs: Any) -> list[str]:
        """Write nodes. A node with the id of an existing one replaces it.

        A node with a vector is written with this vector; the image, sound or video of any other is embedded if the field
        accepts it, or else its text with the metadata that LlamaIndex embeds. What is known of a medium is added to the
        metadata: `source`, `mime_type`, `modality`, `width` and `height`, `seconds`. Each page of a PDF becomes a node, with
        `page`, from 1, and `pages`: the node `a` becomes `a-1`, `a-2`, whose source is `a`. This needs the extra `[pdf]`.

        Args:
            nodes: Any iterable. It is read as it is needed; a list is checked before anything is sent.
            refresh: When searches see the nodes. "wait_for" and True: when this returns. False: after the next refresh of the
                index. Default: "wait_for".
            kwargs: None. LlamaIndex's signature has it, and a name in it is an error.

        Returns:
            The ids, in the order of the nodes; those of its pages for a PDF.

        Raises:
            InputError: an element is no node, or its vector has another length than the field. Nothing was sent.
            DocumentsFailedError: some nodes were not written; the error names them, and those that were written.
        """
        _refuse(kwargs)
        indexer, others = self._prepared(nodes)
        return self._run(indexer.add(self._records(others), refresh))

    async def async_add(self, nodes: Sequence[BaseNode], *, refresh: Refresh = "wait_for", **kwargs: Any) -> list[str]:
        """As `add`, without blocking the event loop. With `allow_url_fetch`, all nodes are read before any is sent."""
        _refuse(kwargs)
        indexer, others = self._prepared(nodes)
        records = self._records(others)
        if self.allow_url_fetch and not self.pass_urls:
            records = await in_thread(lambda get: [*self._records(others, get)])
        return await self._arun(indexer.add(records, refresh))

    def delete(self, ref_doc_id: str, *, refresh: Refresh = "wait_for", **delete_kwargs: Any) -> None:
        """Delete the nodes of a document, by its id: those that were split from it, or the document if it was added whole.

        All nodes that were added before are found, also with `refresh=False`.
        """
        _refuse(delete_kwargs)
        self._run(_if_exists(self._delete_document(ref_doc_id, refresh)))

    async def adelete(self, ref_doc_id: str, *, refresh: Refresh = "wait_for", **delete_kwargs: Any) -> None:
        """As `delete`, without blocking the event loop."""
        _refuse(delete_kwargs)
        await self._arun(_if_exists(self._delete_document(ref_doc_id, refresh)))

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        *,
        refresh: Refresh = "wait_for",
        **delete_kwargs: Any,
    ) -> None:
        """Delete nodes by their ids, by filters, or those of the ids that match the filters. Missing ids are ignored.

        Raises:
            InputError: neither ids nor filters.
        """
        _refuse(delete_kwargs)
        self._run(_if_exists(self._delete_nodes(node_ids, filters, refresh)))

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        *,
        refresh: Refresh = "wait_for",
        **delete_kwargs: Any,
    ) -> None:
        """As `delete_nodes`, without blocking the event loop."""
        _refuse(delete_kwargs)
        await self._arun(_if_exists(self._delete_nodes(node_ids, filters, refresh)))

    def clear(self) -> None:
        """Delete all nodes. The index remains; `delete_index` deletes it as well."""
        self._run(_if_exists(self._delete_matching(None, True)))

    async def aclear(self) -> None:
        """As `clear`, without blocking the event loop."""
        await self._arun(_if_exists(self._delete_matching(None, True)))

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Return nodes by their ids, in this order, by filters, or those of the ids that match the filters, without vectors.

        Raises:
            InputError: neither ids nor filters. `MetadataFilters(filters=[])` matches all nodes.
        """
        return self._run(self._nodes(node_ids, filters))

    async def aget_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """As `get_nodes`, without blocking the event loop."""
        return await self._arun(self._nodes(node_ids, filters))

    def query(
        self,
        query: VectorStoreQuery,
        *,
        es_filter: Any = None,
        mmr_threshold: float | None = None,
        mmr_prefetch_factor: float | None = None,
        mmr_prefetch_k: int | None = None,
        **kwargs: Any,
    ) -> VectorStoreQueryResult:
        """Search. A retriever of an index passes these arguments on from `vector_store_kwargs`.

        Args:
            query: The query. Server-embedded fields search with `query_str`, or with `query_embedding` if there is no text;
                dense_vector fields with `query_embedding`, or with `query_str` if there is no vector. `node_ids` that name
                only image and index nodes do not restrict the search: LlamaIndex's index passes these by itself.
            es_filter: An Elasticsearch query, a dict of metadata, or a list of these, in addition to the filters of the query.
            mmr_threshold: For the mode "mmr", from 0 for the greatest difference to 1 for the best matches. Default: that of
                the query, or 0.5.
            mmr_prefetch_factor: For the mode "mmr", how many nodes to choose from, times `similarity_top_k`. Default: 4.
            mmr_prefetch_k: The number of these nodes, in place of the factor.
            kwargs: None. LlamaIndex's signature has it, and a name in it is an error.

        Raises:
            ConfigurationError: a mode that Elasticsearch does not answer, or one that does not fit the field.
            InputError: the query has neither a text nor a vector.
        """
        _refuse(kwargs)
        return self._run(self._search(query, es_filter, mmr_threshold, mmr_prefetch_factor, mmr_prefetch_k))

    async def aquery(
        self,
        query: VectorStoreQuery,
        *,
        es_filter: Any = None,
        mmr_threshold: float | None = None,
        mmr_prefetch_factor: float | None = None,
        mmr_prefetch_k: int | None = None,
        **kwargs: Any,
    ) -> VectorStoreQueryResult:
        """As `query`, without blocking the event loop."""
        _refuse(kwargs)
        return await self._arun(self._search(query, es_filter, mmr_threshold, mmr_prefetch_factor, mmr_prefetch_k))

    def _prepared(self, nodes: Iterable[BaseNode]) -> tuple[Indexer, Iterable[BaseNode]]:
        """The indexer for nodes, and the same nodes; those of a list are checked."""
        indexer = self._indexer()
        first: Sequence[Any]
        others: Iterable[BaseNode]
        if isinstance(nodes, Sequence):
            for node in checked(listed(nodes, BaseNode, "node"), BaseNode, "node"):
                self._checked_node(node)
            first, others = nodes[:1], nodes
        else:
            remaining = checked(listed(nodes, BaseNode, "node"), BaseNode, "node")
            first = list(islice(remaining, 1))
            others = chain(first, remaining)
        brings_vector = any(node.embedding for node in first)
        # Vectors of the application's own model: a new index is as long as these, and names no endpoint of ours.
        own = brings_vector and self.field_type == "dense_vector" and self.inference_id is None
        return (replace(indexer, embeds=False) if own else indexer), others

    def _checked_node(self, node: BaseNode) -> BaseNode:
        if node.embedding and self.field_type != "dense_vector":
            raise InputError(
                f"The node {node.node_id!r} has a vector, and Elasticsearch embeds a {self.field_type} field itself. Pass "
                "embed_model=store.embed_model to the index or pipeline, which sends nothing, or create the store with "
                'field_type="dense_vector".'
            )
        return node

    def _records(self, nodes: Iterable[BaseNode], get: Get | None = None) -> Iterable[Record]:
        """The documents of nodes: read as they are needed, but of a list with vectors, whose lengths are compared first."""
        records = node_records(((self._checked_node(node), None) for node in nodes), self, get)
        return [*records] if isinstance(nodes, Sequence) and any(node.embedding for node in nodes) else records

    def _adapt(self, value: Any) -> Part | Link | None:
        return node_or_resource_content(value)


def _refuse(arguments: Mapping[str, Any]) -> None:
    if arguments:
        raise ConfigurationError(f"Unknown arguments: {', '.join(sorted(arguments))}.")


def _if_exists(steps: Steps[Any]) -> Steps[None]:
    """Delete from an index. One that does not exist has nothing to delete."""
    with suppress(IndexNotFoundError):
        yield from steps
