"""Results from hits, and the documents of an index without a query: by their ids, or by filters alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ConfigurationError
from ..wire import (
    MAX_HITS,
    Field,
    Hit,
    Index,
    Steps,
    ask,
    close_point_in_time,
    get_documents,
    model_score,
    open_point_in_time,
    search,
    search_point_in_time,
)
from .fields import text_fields
from .retrievers import Json
from .search_body import excluded_fields, source_of, vectors_of
from .search_settings import SearchResult, SearchSettings, described

__all__ = ["get", "matching", "results_of"]

LISTED = 20  # ids in a warning
PAGE = 1000  # documents in a request without a query


def results_of(
    settings: SearchSettings, hits: Sequence[Hit], index: Index, field: Field, *, reranked: bool = False
) -> list[SearchResult]:
    """Return the hits with their texts, and with the scores of the reranker if they were reranked."""
    name = str(settings.content_field)
    missing = [hit.id for hit in hits if hit.text(name) is None]
    if missing and len(missing) == len(hits) and name not in index.fields:
        names = ", ".join(other.name for other in text_fields(index)) or "none"
        raise ConfigurationError(
            f"content_field={name!r}: the index {index.name!r} has no such field, and no document that was found has it. "
            f"Its text fields: {names}."
        )
    if missing:
        warnings.warn(_without_text(name, missing), stacklevel=2)
    return [
        SearchResult(
            hit,
            hit.text(name) or "",
            model_score(hit.score) if reranked and hit.score is not None else None,
            name,
            [float(number) for number in hit.fields[field.name]] if field.name in hit.fields else None,
        )
        for hit in hits
    ]


def _without_text(name: str, ids: Sequence[str]) -> str:
    others = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return f"These documents have no text in {name!r}, and are returned with an empty one: {', '.join(ids[:LISTED])}{others}."


def get(settings: SearchSettings, ids: Sequence[str]) -> Steps[list[SearchResult | None]]:
    """Return documents by their ids. See `Searcher.get`."""
    settings, index, field = yield from described(settings)
    if index.parts:  # which Elasticsearch does not look up by ids
        found = yield from matching(settings, [{"ids": {"values": list(ids)}}])
        by_id = {result.hit.id: result for result in found}
        return [by_id.get(id_) for id_ in ids]
    excluded = excluded_fields(settings, index)
    calls = [get_documents(settings.index, ids[first : first + PAGE], excluded) for first in range(0, len(ids), PAGE)]
    hits = [hit for page in (yield from ask(calls)) for hit in page]
    results = iter(results_of(settings, [hit for hit in hits if hit], index, field))
    return [next(results) if hit else None for hit in hits]


def matching(
    settings: SearchSettings, queries: Sequence[Mapping[str, Any]], limit: int | None = None, *, vectors: bool = False
) -> Steps[list[SearchResult]]:
    """Return documents by filters alone. See `Searcher.matching`."""
    settings, index, field = yield from described(replace(settings, filters=(*settings.filters, *queries)))
    body = {
        "query": {"bool": {"filter": [*settings.filters]}} if settings.filters else {"match_all": {}},
        **source_of(settings, index),
        **vectors_of(field, vectors),
    }
    if limit is not None and limit <= MAX_HITS:
        (hits,) = yield from ask([search(settings.index, {**body, "size": limit}, "")])
    else:
        (hits,) = yield from ask([search(settings.index, {**body, "size": PAGE}, "")])  # most filters match few documents
        if len(hits) == PAGE:
            hits = yield from _all_pages(settings.index, body, limit)
    return results_of(settings, hits, index, field)


def _all_pages(index: str, body: Json, limit: int | None) -> Steps[list[Hit]]:
    (point,) = yield from ask([open_point_in_time(index)])
    hits: list[Hit] = []
    while limit is None or len(hits) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(hits))
        call = search_point_in_time(point, {**body, "size": size}, hits[-1].sort if hits else ())
        (page,) = yield from ask([call])
        hits += page
        if len(page) < size:
            break
    yield from ask([close_point_in_time(point)])  # after an error, Elasticsearch closes it by itself
    return hits
