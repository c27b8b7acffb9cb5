"""Filters of searches: Elasticsearch queries as the caller passes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError
from ..wire import find_lone_surrogate

__all__ = ["check_filters"]


def check_filters(filters: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the queries of a filter, which is one query or a list. Raises ConfigurationError for anything else."""
    queries = [] if filters is None else filters if isinstance(filters, (list, tuple)) else [filters]
    for query in queries:
        if not (
            isinstance(query, Mapping) and len(query) == 1 and all(isinstance(inner, (Mapping, list)) for inner in query.values())
        ):
            raise ConfigurationError(
                f"filter={query!r} is not an Elasticsearch query. Pass a query such as "
                '{"term": {"metadata.lang": "en"}}, or a list of queries, all of which must match.'
            )
        if path := find_lone_surrogate(query, "filter"):
            raise ConfigurationError(f"{path} holds a lone surrogate, which UTF-8 cannot encode. Remove it.")
    return tuple(queries)
