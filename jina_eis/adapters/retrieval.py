"""What the retrievers of both frameworks share: their settings, and the steps that follow from them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, model_validator

from ..contents import Content, Get, Link, Part, content, content_list
from ..errors import ConfigurationError, InputError
from ..steps import PASSAGES, RANK_CONSTANT, FieldType, Fusion, Indexer, Query, Searcher, SearchResult, SearchType, check_filters
from ..wire import Steps, ask, delete_index, well_formed
from .settings import ServiceSettings

MOST = 10_000  # documents of a search, Elasticsearch's index.max_result_window

__all__ = ["RetrieverSettings", "metadata_of", "new_id", "scores_of"]


class RetrieverSettings(ServiceSettings):
    """Where documents are, how they are searched, and how they got there."""

    index_name: str = Field(min_length=1)
    """The index."""
    search_type: SearchType = "semantic"
    """"semantic": a semantic_text or semantic field, which Elasticsearch embeds by itself. "knn": a dense_vector field.
    "hybrid": one of them, and words (BM25)."""
    k: int = Field(default=10, ge=1, le=MOST)
    """Most documents to return."""
    field: str | None = Field(default=None, min_length=1)
    """The field that is searched by meaning. None: the only one that fits; "embedding" in an index that is made here."""
    content_field: str | None = Field(default=None, min_length=1)
    """The field with the text. None: `text` or `content`, or a semantic_text field that is searched."""
    inference_id: str | None = Field(default=None, min_length=1)
    """The endpoint that embeds. None: the one that the index names; `.jina-embeddings-v5-text-small` for a new index."""
    dimensions: int | None = Field(default=None, ge=1)
    """Length of the vectors in a dense_vector field, if it is not the endpoint's own."""
    filter: Any = None
    """A query of Elasticsearch, or a list of them, that every document must match."""
    min_score: float | None = Field(default=None, allow_inf_nan=False)
    """The least score of a document: `relevance_score` with a reranker, else `_score`."""
    source_fields: list[str] | None = None
    """Fields to return beside the text. None: all but vectors and media."""
    highlight: int | bool = Field(default=False, ge=0)
    """How many of a document's best passages to return; True for three. Of semantic fields."""
    fusion: Fusion = "rrf"
    """How hybrid search joins words and meaning: "rrf" by ranks, "linear" by scores (minmax)."""
    weights: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """What words and meaning weigh in that. None: the same. With "rrf" from Elastic Stack 9.2."""
    rank_constant: int = Field(default=RANK_CONSTANT, ge=1)
    """Of reciprocal rank fusion."""
    num_candidates: int | None = Field(default=None, ge=1, le=10_000)
    """How many vectors each shard looks at."""
    rerank_inference_id: str | None = Field(default=None, min_length=1)
    """A rerank endpoint: Elasticsearch reranks what it found, in the same request."""
    rank_window_size: int | None = Field(default=None, ge=1)
    """How many documents are fused and reranked. None: 64, or `k` if that is more and nothing is reranked."""
    allow_url_fetch: bool = False
    """Whether media may be fetched from the URLs they are given as: http and https, public addresses, up to 20 MB each."""
    field_type: FieldType | None = None
    """Type of the field in an index that is made here. None: dense_vector for "knn", else semantic_text."""
    index_options: dict[str, Any] | None = None
    """How vectors are indexed, for an index that is made here: the options of a dense_vector field, such as
    `{"type": "bbq_hnsw"}`; for semantic_text and semantic fields as the mapping wants it, `{"dense_vector": {...}}`."""
    chunking_settings: dict[str, Any] | None = None
    """How semantic_text cuts texts into passages, for an index that is made here."""

    _always: ClassVar[tuple[str, ...]] = ()
    _text_field: ClassVar[str] = "text"

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        self._searcher(self.filter)
        self._indexer()
        return self

    def delete_index(self) -> None:
        """Delete the index and all documents in it.

        Raises:
            IndexNotFoundError: there is no such index.
        """
        self._run(self._deletion())

    async def adelete_index(self) -> None:
        """As `delete_index`, without blocking the event loop."""
        await self._arun(self._deletion())

    def _deletion(self) -> Steps[None]:
        yield from ask([delete_index(self.index_name)])

    def _searcher(self, filter: Any) -> Searcher:  # noqa: A002 - Elasticsearch's name
        return Searcher(
            index=self.index_name,
            search_type=self.search_type,
            field=self.field,
            content_field=self.content_field,
            inference_id=self.inference_id,
            dimensions=self.dimensions,
            filters=check_filters(filter),
            min_score=self.min_score,
            source_fields=self.source_fields,
            always=self._always,
            passages=PASSAGES if self.highlight is True else int(self.highlight),
            fusion=self.fusion,
            weights=self.weights,
            rank_constant=self.rank_constant,
            num_candidates=self.num_candidates,
            rerank_inference_id=self.rerank_inference_id,
            rank_window_size=self.rank_window_size,
            timeout=self.timeout,
        )

    def _indexer(self) -> Indexer:
        return Indexer(
            index=self.index_name,
            content_field=self.content_field or self._text_field,
            field=self.field,
            field_type=self.field_type or ("dense_vector" if self.search_type == "knn" else None),
            inference_id=self.inference_id,
            dimensions=self.dimensions,
            index_options=self.index_options,
            chunking_settings=self.chunking_settings,
            timeout=self.timeout,
        )

    def _find(self, query: Query, k: int | None, filter: Any) -> Steps[list[SearchResult]]:  # noqa: A002
        """The best documents. What is asked is checked before any step is taken."""
        if k is not None and (not isinstance(k, int) or not 1 <= k <= MOST):
            raise ConfigurationError(f"k={k!r}: it is a whole number from 1 to {MOST:,}.")
        return self._searcher([*check_filters(self.filter), *check_filters(filter)]).find(query, k or self.k)

    def _query(self, query: Any, get: Get | None = None) -> Query:
        found = content(query, may_fetch=self.allow_url_fetch, adapt=self._adapt, get=get)
        if isinstance(found, str) and not found.strip():
            raise InputError("The query is empty.")
        return Query.of(well_formed(found) if isinstance(found, str) else found)

    def _contents(self, items: Iterable[Any], get: Get | None = None) -> list[Content]:
        return content_list(items, may_fetch=self.allow_url_fetch, adapt=self._adapt, get=get)

    def _adapt(self, value: Any) -> Part | Link | None:
        """What an object of the framework holds; None for any other."""
        raise NotImplementedError


def new_id() -> str:
    """An id for a document without one. It is made here, so that a write that is sent again replaces itself."""
    return uuid.uuid4().hex


def metadata_of(found: SearchResult, content_field: str | None) -> dict[str, Any]:
    """What a document carries besides its text: its fields, where it was found, and its scores."""
    hit = found.hit
    held = hit.source.get("metadata")
    apart = (content_field, "metadata") if isinstance(held, Mapping) else (content_field,)
    metadata = {name: value for name, value in hit.source.items() if name not in apart}
    if isinstance(held, Mapping):
        metadata.update(held)
    return {**metadata, "_index": hit.index, **scores_of(found)}


def scores_of(found: SearchResult) -> dict[str, Any]:
    """The scores of a document, and its best passages if they were asked for."""
    scores: dict[str, Any] = {"_score": found.hit.score}
    if found.relevance_score is not None:
        scores["relevance_score"] = found.relevance_score
    if found.hit.highlights:
        scores["highlights"] = [passage for passages in found.hit.highlights.values() for passage in passages]
    return scores
