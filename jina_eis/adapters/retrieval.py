"""Shared parts of the retrievers of both frameworks: the settings, and the steps built from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, field_validator, model_validator

from ..contents import Content, Get, Link, Part, check_query, content, content_list
from ..errors import ConfigurationError, IndexNotFoundError
from ..steps import (
    CHUNK_WORDS,
    PASSAGES,
    RANK_CONSTANT,
    FieldType,
    Fusion,
    Indexer,
    Query,
    Refresh,
    Searcher,
    SearchResult,
    SearchType,
    TooLong,
    check_filters,
    delete_matching,
    switch_search_endpoint,
)
from ..wire import MAX_HITS, Dumps, Steps, ask, delete_index, find_lone_surrogate, well_formed
from .settings import ServiceSettings
from .tracing import Operation, new_operation, observed

OVERSAMPLE = 3.0  # finds 99 % or more of the true ten, also on int8 indices, which have no default; see benchmarks/recall.py
INGEST_PATIENCE = 300.0  # seconds; a node of a rolling restart is away for about one minute

__all__ = ["RetrieverSettings", "StoreSettings", "fields_of", "metadata_of", "passages_of", "scores_of"]


class RetrieverSettings(ServiceSettings):
    """Settings of an index: its name, how it is searched, and how documents are indexed."""

    index_name: str = Field(min_length=1)
    """The index. For searches also an alias, a pattern (`news-*`), or several names as a list or with commas: indices that have
    the searched field alike, with vectors of one space."""
    search_type: SearchType = "semantic"
    """"semantic": a semantic_text or semantic field, which Elasticsearch embeds itself. "knn": a dense_vector field.
    "hybrid": one of these fields, fused with BM25."""
    k: int = Field(default=10, ge=1, le=MAX_HITS)
    """Maximum number of documents to return."""
    field: str | None = Field(default=None, min_length=1)
    """The field with the vectors. None: the only field that fits the search type; "embedding" in an index created here."""
    content_field: str | None = Field(default=None, min_length=1)
    """The field with the text. None: `text`, `content` or the semantic_text field that is searched."""
    inference_id: str | None = Field(default=None, min_length=1)
    """The embedding endpoint. None: the endpoint in the mapping; `.jina-embeddings-v5-text-small` for a new index."""
    dimensions: int | None = Field(default=None, ge=1)
    """Length of the vectors in a dense_vector field. None: the endpoint's own length."""
    filter: Any = None
    """What every document must match: an Elasticsearch query, a dict of metadata such as `{"lang": "en"}` (a list as value means
    any of its elements), or a list of these."""
    min_score: float | None = Field(default=None, allow_inf_nan=False)
    """Minimum score of a document: of `relevance_score` with a reranker, else of `_score`."""
    source_fields: list[str] | None = None
    """Fields to return in addition to the text. None: all fields except vectors and media."""
    highlight: int | bool = Field(default=False, ge=0)
    """Number of best passages to return for each document; True for three. Semantic fields only."""
    fusion: Fusion = "rrf"
    """How hybrid search fuses the results of BM25 and of the vectors: "rrf" by rank, "linear" by score (minmax)."""
    weights: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """Weights of BM25 and of the vectors in the fusion. None: equal weights. With "rrf", needs Elastic Stack 9.2."""
    rank_constant: int = Field(default=RANK_CONSTANT, ge=1)
    """The rank constant of reciprocal rank fusion."""
    num_candidates: int | None = Field(default=None, ge=1, le=10_000)
    """Number of candidate vectors per shard."""
    oversample: float | None = Field(default=OVERSAMPLE, ge=1, le=10)
    """Number of vectors that are rescored for each ranked document, where the index holds quantised vectors: more find more of
    the nearest documents. From 1 to 10. None: the default of the index, which is 3 for bbq and no rescoring for int8."""
    rerank_inference_id: str | None = Field(default=None, min_length=1)
    """A rerank endpoint: Elasticsearch reranks the results in the same request."""
    rank_window_size: int | None = Field(default=None, ge=1)
    """Number of documents to fuse and rerank. None: 64, or `k` if `k` is greater and there is no reranker."""
    rerank_chunks: int | None = Field(default=None, ge=1)
    """Number of passages of each document that the reranker reads: its best passages by words. For long documents whose answer
    may stand anywhere. None: the reranker reads the document, and may cut it. Needs Elastic Stack 9.2."""
    rerank_chunk_words: int = Field(default=CHUNK_WORDS, ge=20)
    """Maximum number of words of such a passage, which ends with a sentence. At least 20, as in Elasticsearch."""
    diversify: float | None = Field(default=None, ge=0, le=1, strict=True, allow_inf_nan=False)
    """Whether to return documents that differ from each other, chosen from the best `rank_window_size` by maximal marginal
    relevance: 0 for the greatest difference, 1 for the best matches. Compares the vectors of the field that is searched by
    meaning: a dense_vector field (Elastic Stack 9.3) or a semantic_text field (9.6)."""
    allow_url_fetch: bool = False
    """Whether media may be fetched from the URLs they are given as: http and https, public addresses, up to 20 MB each."""
    pass_urls: bool = False
    """Whether URLs of media are passed on to the service, which fetches them: nothing is fetched here, even
    with `allow_url_fetch`. Needs Elastic Stack 9.6, which documents it for images; semantic fields take no URLs. A URL with a
    private, loopback or link-local address is refused; a name is resolved by the service alone."""
    field_type: FieldType | None = None
    """Type of the field in an index created here. None: dense_vector for "knn", else semantic_text."""
    index_options: dict[str, Any] | None = None
    """How an index created here stores vectors: the options of a dense_vector field, such as `{"type": "bbq_hnsw"}`; for
    semantic_text and semantic fields in the form of the mapping, `{"dense_vector": {...}}`."""
    chunking_settings: dict[str, Any] | None = None
    """How semantic_text chunks texts into passages, in an index created here."""
    index_settings: dict[str, Any] | None = None
    """Settings of an index created here, in any form that Elasticsearch takes, such as
    `{"index.mode": "vectordb_document", "number_of_shards": 2}`. They are sent as they are."""

    too_long: TooLong = "warn"
    """What to do about texts for a dense_vector field with more tokens than the model reads, by an estimate: "warn" once an
    ingest, with a `UserWarning`; "error" lets these documents fail; "ignore". Semantic fields divide long texts into passages."""
    metadata_mappings: dict[str, Any] | None = None
    """Fields of the metadata in an index created here, as in a mapping: `{"year": {"type": "integer"}}`. Others are mapped by
    their first value; a string becomes a keyword (`metadata.x`, also `metadata.x.keyword`; up to 1,024 characters) whose words
    are searched as `metadata.x.text`, and dates and numbers in strings stay strings."""

    _always: ClassVar[tuple[str, ...]] = ()
    _text_field: ClassVar[str] = "text"

    @field_validator("index_name", mode="before")
    @classmethod
    def _join_names(cls, value: Any) -> Any:
        return ",".join(value) if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value) else value

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        for name in ("index_options", "chunking_settings", "index_settings", "metadata_mappings"):
            if path := find_lone_surrogate(getattr(self, name), name):
                raise ConfigurationError(f"{path} holds a lone surrogate, which UTF-8 cannot encode. Remove it.")
        for name in ("index_options", "chunking_settings", "index_settings", "metadata_mappings"):
            try:
                json.dumps(getattr(self, name))
            except (TypeError, ValueError, RecursionError) as error:
                raise ConfigurationError(f"{name} cannot be written as JSON: {error}.") from None
        self._searcher(self.filter)
        self._indexer()
        return self

    def delete_index(self, *, missing_ok: bool = False) -> None:
        """Delete the index and all documents in it.

        Args:
            missing_ok: Whether an index that does not exist is no error.

        Raises:
            ConfigurationError: `index_name` is not the plain name of one index (with a comma, *, or a leading -, _ or <). Nothing
                was sent.
            IndexNotFoundError: the index does not exist.
        """
        self._run(self._deletion(missing_ok))

    async def adelete_index(self, *, missing_ok: bool = False) -> None:
        """As `delete_index`, without blocking the event loop."""
        await self._arun(self._deletion(missing_ok))

    def search_with(self, inference_id: str) -> str:
        """Embed the queries of all clients of the index with another endpoint of the same vector space.

        Sets `search_inference_id` of the semantic_text or semantic field that is searched, by an update of the mapping. An
        index of texts can so be searched with an omni model, without indexing again: the documents keep their vectors, and
        new ones are embedded as before. `inference_id` itself, the endpoint of the documents, cannot be changed to an omni
        endpoint once the field holds values, because their tasks differ; a new field or index could have it.

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
        return self._run(switch_search_endpoint(self.index_name, self.search_type, self.field, inference_id))

    async def asearch_with(self, inference_id: str) -> str:
        """As `search_with`, without blocking the event loop."""
        return await self._arun(switch_search_endpoint(self.index_name, self.search_type, self.field, inference_id))

    def _deletion(self, missing_ok: bool) -> Steps[None]:
        try:
            yield from ask([delete_index(self.index_name)])
        except IndexNotFoundError as error:
            if not missing_ok:
                error.message += " If it may be missing, pass missing_ok=True."
                raise

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
            oversample=self.oversample,
            num_candidates=self.num_candidates,
            rerank_inference_id=self.rerank_inference_id,
            rank_window_size=self.rank_window_size,
            rerank_chunks=self.rerank_chunks,
            rerank_chunk_words=self.rerank_chunk_words,
            diversify=self.diversify,
            timeout=self.timeout,
            observe=lambda steps, k: observed(steps, self._operation("retrieval", k)),
        )

    def _operation(self, name: str, k: int | None = None) -> Operation | None:
        return new_operation(name, self.index_name, self._location, index=self.index_name, model=self.inference_id, top_k=k)

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
            index_settings=self.index_settings,
            metadata_mappings=self.metadata_mappings,
            dumps=self._dumps(),
            too_long=self.too_long,
            observe=lambda steps: observed(steps, self._operation("ingest")),
            timeout=self.timeout,
            patience=None if self.model_fields_set & {"max_retries", "deadline"} else INGEST_PATIENCE,
        )

    def _dumps(self) -> Dumps | None:
        """How the user's own client writes documents; None without one."""
        client = self.client if self.client is not None else self.async_client
        return None if client is None else partial(client.transport.serializers.dumps, mimetype="application/json")

    def _find(
        self,
        query: Query,
        k: int | None,
        filter: Any,  # noqa: A002 - Elasticsearch's name
        *,
        vectors: bool = False,
    ) -> Steps[list[SearchResult]]:
        """Search for the best documents. The arguments are checked before the first step."""
        return self._narrowed(filter).find(query, self._checked("k", k) or self.k, vectors=vectors)

    def _narrowed(self, filter: Any) -> Searcher:  # noqa: A002 - Elasticsearch's name
        """The searcher with a further filter."""
        return self._searcher([*check_filters(self.filter), *check_filters(filter)])

    @staticmethod
    def _checked(name: str, number: int | None) -> int | None:
        """The same number of documents. Raises ConfigurationError if a search cannot return so many."""
        if number is not None and (type(number) is not int or not 1 <= number <= MAX_HITS):
            raise ConfigurationError(f"{name}={number!r}: pass a whole number from 1 to {MAX_HITS:,}.")
        return number

    def _query(self, query: Any, get: Get | None = None) -> Query:
        check_query(query)
        query = content(query, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt, get=get)
        if isinstance(query, str):
            check_query(query)  # the text of a block or a node
        return Query.of(well_formed(query) if isinstance(query, str) else query)

    def _contents(self, items: Iterable[Any], get: Get | None = None) -> list[Content]:
        return content_list(items, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt, get=get)

    def _adapt(self, value: Any) -> Part | Link | None:
        """The content of a framework object; None for other objects."""
        raise NotImplementedError


class StoreSettings(RetrieverSettings):
    """Settings of a store: those of the retriever. Both frameworks' stores run these steps."""

    def _get(self, ids: Iterable[str]) -> Steps[list[SearchResult | None]]:
        """Return documents by their ids, in this order; None for each that does not exist."""
        return self._searcher(None).get(list(ids))

    def _matching(
        self,
        filter: Any,  # noqa: A002 - Elasticsearch's name
        limit: int | None = None,
        *,
        vectors: bool = False,
    ) -> Steps[list[SearchResult]]:
        """Return documents by a filter alone, at most `limit`; None for all."""
        return self._searcher(None).matching(check_filters(filter), limit, vectors=vectors)

    def _delete_matching(self, filter: Any, refresh: Refresh) -> Steps[int]:  # noqa: A002 - Elasticsearch's name
        """Delete the documents that match a filter. Returns their number."""
        return delete_matching(self.index_name, check_filters(filter), refresh)


def metadata_of(result: SearchResult, *, scores: bool = False) -> dict[str, Any]:
    """The metadata of a document that was found: its fields except the text, and where it lies.

    Args:
        result: The document.
        scores: Whether to add its scores, which differ from query to query.
    """
    place = {"_id": result.hit.id, "_index": result.hit.index}
    return {**fields_of(result), **place, **(scores_of(result) if scores else {}), **passages_of(result)}


def fields_of(result: SearchResult) -> dict[str, Any]:
    """The fields of a document except its text, as they were stored."""
    source = result.hit.source
    stored = source.get("metadata")
    excluded = (result.text_field, "metadata") if isinstance(stored, Mapping) else (result.text_field,)
    fields = {name: value for name, value in source.items() if name not in excluded}
    return {**fields, **stored} if isinstance(stored, Mapping) else fields


def scores_of(result: SearchResult) -> dict[str, Any]:
    """The scores of a document that was found."""
    scores: dict[str, Any] = {"_score": result.hit.score}
    if result.relevance_score is not None:
        scores["relevance_score"] = result.relevance_score
    return scores


def passages_of(result: SearchResult) -> dict[str, Any]:
    """Its best passages, if `highlight` is set."""
    passages = [passage for passages in result.hit.highlights.values() for passage in passages]
    return {"highlights": passages} if passages else {}
