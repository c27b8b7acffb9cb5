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
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from pydantic import Field

from jina_eis.adapters import StoreSettings, checked, document_id, listed
from jina_eis.contents import Get, Link, Part, in_thread
from jina_eis.errors import ConfigurationError, IndexNotFoundError, InputError
from jina_eis.steps import (
    FieldType,
    Indexer,
    Query,
    Record,
    Refresh,
    Searcher,
    SearchResult,
    SearchType,
    check_filters,
    describe_index,
    filter_field,
    find_default_reranker,
)
from jina_eis.wire import Index, Steps, well_formed

from .filters import filter_query, keys_of
from .media import node_or_resource_content
from .nodes import NODE_CONTENT, NODE_TYPE, REF_DOC_ID, restored_node
from .placeholder import PlaceholderEmbedding
from .plugin import Plugin
from .records import node_records

__all__ = ["JinaEISVectorStore"]

Json = dict[str, Any]
Mode = VectorStoreQueryMode

MMR_THRESHOLD = 0.5  # LlamaIndex's default
MAX_DOCUMENTS = 10_000  # of a search; Elasticsearch's default of index.max_result_window
MMR_PREFETCH_FACTOR = 4.0  # nodes to choose from, for each that is returned; the default of LlamaIndex's stores
_REFUSED = (Mode.SVM, Mode.LOGISTIC_REGRESSION, Mode.LINEAR_REGRESSION)


class _WithoutClientProperty:
    """Hides LlamaIndex's abstract property `client` behind the field of this name, which `ServiceSettings` has."""

    class _Hidden:
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            raise AttributeError("client")

    client = _Hidden()


class JinaEISVectorStore(Plugin, _WithoutClientProperty, StoreSettings, BasePydanticVectorStore):
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

    field, dimensions, min_score, source_fields, fusion, weights, rank_constant, num_candidates, oversample,
    rank_window_size, rerank_chunks, rerank_chunk_words, diversify, allow_url_fetch, pass_urls, index_options, chunking_settings,
    index_settings and metadata_mappings are described at `RetrieverSettings`; es_url, es_cloud_id, es_api_key, es_user,
    es_password, client, async_client, timeout, max_retries, deadline, max_concurrency and use_case at `ServiceSettings`. Unknown
    arguments are an error.

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

    field_type: FieldType = "semantic_text"
    """What holds the meaning of the nodes."""

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
        prefetch = self._prefetch(query, mmr_prefetch_factor, mmr_prefetch_k)
        return self._run(self._search(query, es_filter, mmr_threshold, prefetch))

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
        prefetch = self._prefetch(query, mmr_prefetch_factor, mmr_prefetch_k)
        return await self._arun(self._search(query, es_filter, mmr_threshold, prefetch))

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

    def _search(
        self, query: VectorStoreQuery, es_filter: Any, threshold: float | None, prefetch: int
    ) -> Steps[VectorStoreQueryResult]:
        mode = Mode(query.mode)
        if mode in _REFUSED:
            raise ConfigurationError(
                f'Elasticsearch does not answer the query mode "{mode.value}". '
                "Use default, text_search, hybrid, semantic_hybrid, sparse or mmr."
            )
        wanted = self._wanted(query)
        conditions = yield from self._conditions(query, es_filter)
        searcher = yield from self._searcher_for(mode, query, conditions)
        k = self._checked("similarity_top_k", query.similarity_top_k) or 1
        if mode is Mode.MMR:
            results = yield from searcher.find_diverse(wanted, k, prefetch, _mmr_threshold(query, threshold))
        elif mode is Mode.TEXT_SEARCH:
            results = yield from searcher.find_by_words(wanted, k)
        else:
            fused = mode in (Mode.HYBRID, Mode.SEMANTIC_HYBRID)
            results = yield from searcher.find(wanted, (fused and self._checked("hybrid_top_k", query.hybrid_top_k)) or k)
        return VectorStoreQueryResult(
            nodes=[restored_node(result) for result in results],
            similarities=[_score(result) for result in results],
            ids=[result.hit.id for result in results],
        )

    def _prefetch(self, query: VectorStoreQuery, factor: float | None, number: int | None) -> int:
        """The number of nodes that "mmr" chooses from."""
        if factor is not None and number is not None:
            raise ConfigurationError("Pass mmr_prefetch_factor or mmr_prefetch_k, not both.")
        if factor is not None and not 1 <= factor <= MAX_DOCUMENTS:
            raise ConfigurationError(f"mmr_prefetch_factor={factor!r}: pass a number of 1 or more.")
        scaled = min(MAX_DOCUMENTS, int(query.similarity_top_k * (factor or MMR_PREFETCH_FACTOR)))
        return self._checked("mmr_prefetch_k", number) or scaled

    def _wanted(self, query: VectorStoreQuery) -> Query:
        """The query as text, vector or both."""
        text = well_formed((query.query_str or "").strip()) or None
        vector = query.query_embedding
        has_vector = vector is not None and len(vector) > 0
        if text and (not has_vector or self.field_type != "dense_vector" or query.mode == Mode.TEXT_SEARCH):
            return Query(text, text)
        if vector is not None and has_vector:
            return Query(text, None, [float(number) for number in vector])
        raise InputError("The query has neither a text nor a vector. Pass query_str or query_embedding.")

    def _searcher(self, filter: Any) -> Searcher:  # noqa: A002 - Elasticsearch's name
        search_type: SearchType = "knn" if self.field_type == "dense_vector" else "semantic"
        return replace(super()._searcher(filter), search_type=search_type)

    def _searcher_for(self, mode: Mode, query: VectorStoreQuery, conditions: Sequence[Mapping[str, Any]]) -> Steps[Searcher]:
        searcher = replace(self._narrowed(conditions), field=query.embedding_field or self.field)
        if mode is Mode.SPARSE:
            yield from searcher.check_sparse()
        if mode not in (Mode.HYBRID, Mode.SEMANTIC_HYBRID):
            return searcher
        searcher = replace(searcher, search_type="hybrid")
        if query.alpha is not None:
            if not 0 <= query.alpha <= 1:
                raise ConfigurationError(f"alpha={query.alpha!r}: pass a number from 0 (words alone) to 1 (meaning alone).")
            searcher = replace(searcher, weights=(1 - query.alpha, query.alpha))
        if mode is Mode.SEMANTIC_HYBRID and not searcher.rerank_inference_id:
            searcher = replace(searcher, rerank_inference_id=(yield from find_default_reranker(self.timeout)))
        return searcher

    def _conditions(self, query: VectorStoreQuery, es_filter: Any) -> Steps[list[Mapping[str, Any]]]:
        """The filters of a query, as Elasticsearch queries."""
        conditions = [*check_filters(es_filter)]
        if query.filters is None and not query.doc_ids and not query.node_ids:
            return conditions
        index = yield from self._mapping(query.filters)
        if query.filters is not None:
            conditions.append(filter_query(query.filters, index))
        if query.doc_ids:
            conditions.append(_of_documents(query.doc_ids, index))
        if query.node_ids and (yield from self._restrict(query.node_ids, index)):
            conditions.append(_with_ids(query.node_ids))
        return conditions

    def _restrict(self, node_ids: Sequence[str], index: Index) -> Steps[bool]:
        """Whether ids of nodes restrict a search. LlamaIndex's index passes those of its image and index nodes by itself."""
        kinds = {"terms": {filter_field(NODE_TYPE, index).name: ["ImageNode", "IndexNode"]}}
        pages = {"terms": {filter_field(REF_DOC_ID, index).name: list(node_ids)}}  # of a PDF in an image node
        if not (yield from self._matching([{"bool": {"should": [_with_ids(node_ids), pages]}}, kinds], 1)):
            return True
        return bool((yield from self._matching([_with_ids(node_ids), {"bool": {"must_not": [kinds]}}], 1)))

    def _mapping(self, filters: MetadataFilters | None) -> Steps[Index]:
        """The index, described again if it has a key of the filters since."""
        index = yield from describe_index(self.index_name)
        keys = keys_of(filters) if filters else ()
        if all(key in index.fields or f"metadata.{key}" in index.fields for key in keys):
            return index
        return (yield from describe_index(self.index_name, fresh=True))

    def _nodes(self, node_ids: list[str] | None, filters: MetadataFilters | None) -> Steps[list[BaseNode]]:
        _require_selection(node_ids, filters, "All nodes: filters=MetadataFilters(filters=[]).")
        if filters is None:
            return [restored_node(result) for result in (yield from self._get(_checked_ids(node_ids or []))) if result]
        selection = yield from self._selection(node_ids, filters)
        return [restored_node(result) for result in (yield from self._matching(selection))]

    def _selection(self, node_ids: list[str] | None, filters: MetadataFilters) -> Steps[list[Mapping[str, Any]]]:
        index = yield from self._mapping(filters)
        ids = [] if node_ids is None else [_with_ids(_checked_ids(node_ids))]
        return [filter_query(filters, index), *ids]

    def _delete_nodes(self, node_ids: list[str] | None, filters: MetadataFilters | None, refresh: Refresh) -> Steps[None]:
        _require_selection(node_ids, filters, "All nodes: clear().")
        if filters is None:
            yield from self._indexer().delete(_checked_ids(node_ids or []), refresh)
        else:
            yield from self._delete_matching((yield from self._selection(node_ids, filters)), refresh)

    def _delete_document(self, ref_doc_id: str, refresh: Refresh) -> Steps[None]:
        index = yield from describe_index(self.index_name, fresh=True)
        yield from self._delete_matching(_of_documents([ref_doc_id], index), refresh)

    def _adapt(self, value: Any) -> Part | Link | None:
        return node_or_resource_content(value)


def _refuse(arguments: Mapping[str, Any]) -> None:
    if arguments:
        raise ConfigurationError(f"Unknown arguments: {', '.join(sorted(arguments))}.")


def _mmr_threshold(query: VectorStoreQuery, threshold: float | None) -> float:
    chosen = query.mmr_threshold if threshold is None else threshold
    if chosen is not None and not 0 <= chosen <= 1:
        raise ConfigurationError(f"mmr_threshold={chosen!r}: pass a number from 0 (differences) to 1 (best matches).")
    return MMR_THRESHOLD if chosen is None else chosen


def _if_exists(steps: Steps[Any]) -> Steps[None]:
    """Delete from an index. One that does not exist has nothing to delete."""
    with suppress(IndexNotFoundError):
        yield from steps


def _require_selection(node_ids: list[str] | None, filters: MetadataFilters | None, remedy: str) -> None:
    if node_ids is None and filters is None:
        raise InputError(f"Pass node_ids or filters. {remedy}")


def _checked_ids(node_ids: Iterable[str]) -> list[str]:
    return [document_id(node_id) for node_id in listed(node_ids, (), "id")]


def _with_ids(node_ids: Sequence[str]) -> Json:
    return {"ids": {"values": list(node_ids)}}


def _of_documents(ids: Sequence[str], index: Index) -> Json:
    """Match the nodes that were split from documents, and the documents that were added whole, which have no other source."""
    field = filter_field(REF_DOC_ID, index)
    if field.ignore_above is not None and any(len(id_) > field.ignore_above for id_ in ids):
        raise ConfigurationError(
            f"The id of a document has more than {field.ignore_above} characters, and the index {index.name!r} does not find its "
            "nodes by it. Choose shorter ids, or delete the nodes by their own."
        )
    source = field.name
    split = {"bool": {"must": [{"exists": {"field": source}}], "must_not": [{"term": {source: "None"}}]}}  # see `stored_node`
    whole = {"bool": {"filter": [_with_ids(ids)], "must_not": [split]}}
    return {"bool": {"should": [{"terms": {source: list(ids)}}, whole]}}


def _score(result: SearchResult) -> float:
    score = result.hit.score if result.relevance_score is None else result.relevance_score
    return 0.0 if score is None else score
