"""What `JinaEISVectorStore` makes of LlamaIndex's queries and selections of nodes: searches, reads and deletions, as steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from jina_eis.adapters import StoreSettings, document_id, listed
from jina_eis.errors import ConfigurationError, InputError
from jina_eis.steps import (
    FieldType,
    Query,
    Refresh,
    Searcher,
    SearchResult,
    SearchType,
    check_filters,
    describe_index,
    filter_field,
    find_default_reranker,
)
from jina_eis.wire import MAX_HITS, Index, Steps, well_formed

from .filters import filter_query, keys_of
from .nodes import NODE_TYPE, REF_DOC_ID, restored_node

__all__ = ["StoreQueries"]

Json = dict[str, Any]
Mode = VectorStoreQueryMode

MMR_THRESHOLD = 0.5  # LlamaIndex's default
MMR_PREFETCH_FACTOR = 4.0  # nodes to choose from, for each that is returned; the default of LlamaIndex's stores
_REFUSED = (Mode.SVM, Mode.LOGISTIC_REGRESSION, Mode.LINEAR_REGRESSION)


class StoreQueries(StoreSettings):
    """The kind of the field, and the steps that follow from it."""

    field_type: FieldType = "semantic_text"
    """What holds the meaning of the nodes."""

    def _search(
        self, query: VectorStoreQuery, es_filter: Any, threshold: float | None, factor: float | None, number: int | None
    ) -> Steps[VectorStoreQueryResult]:
        """Search. The last three arguments are those of the mode "mmr"; see `JinaEISVectorStore.query`."""
        mode = Mode(query.mode)
        prefetch, origin = self._prefetch(query, factor, number)
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
            relevance, name = _mmr_threshold(query, threshold), 'The query mode "mmr"'
            results = yield from searcher.find_diverse(wanted, k, prefetch, relevance, name, origin)
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

    def _prefetch(self, query: VectorStoreQuery, factor: float | None, number: int | None) -> tuple[int, str]:
        """The number of nodes that "mmr" chooses from, and what it follows from."""
        if factor is not None and number is not None:
            raise ConfigurationError("Pass mmr_prefetch_factor or mmr_prefetch_k, not both.")
        if factor is not None and not 1 <= factor <= MAX_HITS:
            raise ConfigurationError(f"mmr_prefetch_factor={factor!r}: pass a number of 1 or more.")
        k, factor = query.similarity_top_k, factor or MMR_PREFETCH_FACTOR
        if (chosen := self._checked("mmr_prefetch_k", number)) is not None:
            return chosen, f"mmr_prefetch_k={chosen}" if chosen >= k else f"similarity_top_k={k}"
        scaled = min(MAX_HITS, int(k * factor))
        return scaled, f"mmr_prefetch_k={scaled} (similarity_top_k={k} times mmr_prefetch_factor={factor:g})"

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


def _mmr_threshold(query: VectorStoreQuery, threshold: float | None) -> float:
    chosen = query.mmr_threshold if threshold is None else threshold
    if chosen is not None and not 0 <= chosen <= 1:
        raise ConfigurationError(f"mmr_threshold={chosen!r}: pass a number from 0 (differences) to 1 (best matches).")
    return MMR_THRESHOLD if chosen is None else chosen


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
