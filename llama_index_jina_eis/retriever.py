"""`JinaEISRetriever`: LlamaIndex's retriever interface over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar, Self

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from jina_eis.adapters import RetrieverSettings, ServiceSettings, metadata_of, scores_of
from jina_eis.contents import Content, Get, Link, Medium, Part, address, content, in_thread, text_list
from jina_eis.errors import InputError
from jina_eis.steps import Query, Record, SearchResult

from .media import held, node_content

__all__ = ["JinaEISRetriever"]


class _Settings(RetrieverSettings):
    """The settings, which LlamaIndex's base class has no place for."""

    product: ClassVar[str] = f"llama-index-jina-eis/{version('jina-eis')}"
    _always: ClassVar[tuple[str, ...]] = ("metadata._node_content", "metadata._node_type")
    _text_field: ClassVar[str] = "content"

    def _adapt(self, value: Any) -> Part | Link | None:
        return held(value)


_Settings.__name__ = "JinaEISRetriever"  # as errors call it


class JinaEISRetriever(BaseRetriever):
    """Search in Elasticsearch that embeds, fuses and reranks on the server, in one request; and the ingest that feeds it.

    Args:
        index_name: The index.
        search_type: "semantic" for a semantic_text or semantic field, which Elasticsearch embeds by itself; "knn" for a
            dense_vector field; "hybrid" for one of these and words (BM25). Default: "semantic".
        k: Most nodes to return. Default: 10.
        rerank_inference_id: A rerank endpoint, such as `.jina-reranker-v3`: the best `rank_window_size` (64) nodes are reranked
            inside Elasticsearch, in the same request. Default: None.
        filter: A query of Elasticsearch, or a list of them, that every node must match. Default: None.
        content_field: The field with the text. Default: "content".
        trust_query_embedding: Whether the embedding of a `QueryBundle` is searched even if it has a text. LlamaIndex's own
            retrievers leave theirs there, of another model, when several retrievers share a query. Default: False.
        callback_manager, objects, object_map, verbose: LlamaIndex's own.

    field, inference_id, dimensions, min_score, source_fields, highlight, fusion, weights, rank_constant, num_candidates,
    rank_window_size, allow_url_fetch, field_type, index_options and chunking_settings are described at `RetrieverSettings`;
    es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries and max_concurrency at
    `ServiceSettings`. An argument that does not exist is an error.

    Nodes come back with their ids, metadata and relationships. Their score is the reranker's own, or else Elasticsearch's;
    `_score`, `relevance_score` and `highlights` are in their metadata, where no model reads them. A `QueryBundle` with an
    embedding and no text is searched by that, one with an `image_path` by the image, with its text for words and the reranker.

    Raises:
        ConfigurationError: (also a ValueError) arguments that cannot work; or with the first query, an index that has no such
            field, a field of another type, an endpoint of another task or vector space.
        IndexNotFoundError: there is no such index.
        DocumentsFailedError: some nodes could not be indexed; it names them, and all others were.
        JinaEISError: what the service answered, typed; see `jina_eis.errors`.

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
        **settings: Any,
    ) -> None:
        self._settings = _Settings(**settings)
        self._trusts_embeddings = trust_query_embedding
        super().__init__(callback_manager=callback_manager, objects=objects, object_map=object_map, verbose=verbose)

    @classmethod
    def from_nodes(cls, nodes: Iterable[BaseNode], **settings: Any) -> Self:
        """A retriever whose index holds the nodes; it is made if it is missing. `settings` are those of the class."""
        retriever = cls(**settings)
        retriever.add_nodes(nodes)
        return retriever

    @classmethod
    async def afrom_nodes(cls, nodes: Iterable[BaseNode], **settings: Any) -> Self:
        """As `from_nodes`, without blocking the event loop."""
        retriever = cls(**settings)
        await retriever.aadd_nodes(nodes)
        return retriever

    @property
    def settings(self) -> ServiceSettings:
        """What it was made with. `close` and `aclose` of this close its connections."""
        return self._settings

    def add_nodes(self, nodes: Iterable[BaseNode], *, refresh: bool = True) -> list[str]:
        """Index nodes, as many as there are: they are taken as they are needed.

        What is embedded is their image, sound or video, where they hold one and the field takes it, or else their text with
        the metadata that LlamaIndex embeds.

        Args:
            nodes: Any iterable. A node of the same id is replaced. A node is stored as a whole to come back as it was, an
                `ImageNode` made of base64 with its base64: one with an `image_path` is lighter.
            refresh: Whether searches see them when this returns.

        Returns:
            The ids, in the order of the nodes.

        Raises:
            DocumentsFailedError: some could not be indexed; it names them, and all others were.
        """
        settings = self._settings
        return settings._run(settings._indexer().add(self._records(nodes), refresh))

    async def aadd_nodes(self, nodes: Iterable[BaseNode], *, refresh: bool = True) -> list[str]:
        """As `add_nodes`, without blocking the event loop."""
        settings = self._settings
        return await settings._arun(settings._indexer().add(await in_thread(partial(self._read, nodes)), refresh))

    def delete_nodes(self, node_ids: Iterable[str], *, refresh: bool = True) -> None:
        """Delete nodes by their ids. Those that do not exist are passed over."""
        settings = self._settings
        settings._run(settings._indexer().delete(text_list(node_ids), refresh))

    async def adelete_nodes(self, node_ids: Iterable[str], *, refresh: bool = True) -> None:
        """As `delete_nodes`, without blocking the event loop."""
        settings = self._settings
        await settings._arun(settings._indexer().delete(text_list(node_ids), refresh))

    def delete_index(self) -> None:
        """Delete the index and all nodes in it.

        Raises:
            IndexNotFoundError: there is no such index.
        """
        self._settings.delete_index()

    async def adelete_index(self) -> None:
        """As `delete_index`, without blocking the event loop."""
        await self._settings.adelete_index()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        settings = self._settings
        return self._nodes(settings._run(settings._find(self._query(query_bundle), None, None)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        settings = self._settings
        query = await in_thread(partial(self._query, query_bundle))
        return self._nodes(await settings._arun(settings._find(query, None, None)))

    def _query(self, bundle: QueryBundle, get: Get | None = None) -> Query:
        text = bundle.query_str.strip() or None
        if bundle.embedding is not None and (not text or self._trusts_embeddings):
            return Query(text, None, bundle.embedding)
        if bundle.image_path:
            image = content(
                bundle.image_path,
                may_fetch=self._settings.allow_url_fetch,
                adapt=lambda value: address(value, "image/*"),
                get=get,
            )
            return Query(text, image)
        embedded = bundle.embedding_strs
        if len(embedded) > 1:
            raise InputError(f"The query has {len(embedded)} texts to embed. Ask for each, and fuse with QueryFusionRetriever.")
        meant = (embedded[0].strip() if embedded else None) or text
        if not meant:
            raise InputError("The query is empty.")
        return Query(text or meant, meant)

    def _records(self, nodes: Iterable[BaseNode], get: Get | None = None) -> Iterator[Record]:
        settings = self._settings
        takes_media = settings._indexer().field_type in ("semantic", "dense_vector")
        for node in nodes:
            embedded: Content | InputError
            try:
                adapt = node_content if takes_media else _text
                embedded = content(node, may_fetch=settings.allow_url_fetch, adapt=adapt, get=get)
            except InputError as error:
                embedded = error
            source = {
                settings.content_field or settings._text_field: node.get_content(metadata_mode=MetadataMode.NONE),
                "metadata": node_to_metadata_dict(node, remove_text=True, flat_metadata=False),
            }
            yield Record(node.node_id, embedded, source)

    def _read(self, nodes: Iterable[BaseNode], get: Get | None = None) -> list[Record]:
        return list(self._records(nodes, get))

    def _nodes(self, found: Sequence[SearchResult]) -> list[NodeWithScore]:
        return [
            NodeWithScore(node=_node(each), score=each.hit.score if each.relevance_score is None else each.relevance_score)
            for each in found
        ]


def _text(value: Any) -> Part | Medium | None:
    return value.get_content(metadata_mode=MetadataMode.EMBED) if isinstance(value, BaseNode) else None


def _node(found: SearchResult) -> BaseNode:
    """The node that was indexed, or one made of a document that somebody else indexed; with its scores, which no model reads."""
    metadata = found.hit.source.get("metadata")
    if not (isinstance(metadata, dict) and "_node_content" in metadata):
        return TextNode(id_=found.hit.id, text=found.text, metadata=metadata_of(found, None))
    node = metadata_dict_to_node(metadata, text=found.text)
    scores = scores_of(found)
    node.metadata = {**node.metadata, **scores}
    node.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, *scores]
    node.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, *scores]
    return node
