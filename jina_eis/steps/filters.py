"""Filters of searches: Elasticsearch queries, and plain dicts of metadata that become such queries."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from ..errors import ConfigurationError, InputError
from ..wire import Field, Index, find_lone_surrogate, json_line

__all__ = ["as_queries", "check_filters", "filter_field"]

Json = dict[str, Any]

# The queries of Elasticsearch's query language, which distinguish a query from a dict of metadata.
QUERIES = frozenset(
    {"bool", "boosting", "combined_fields", "constant_score", "dis_max", "distance_feature", "exists", "function_score"}
    | {"fuzzy", "geo_bounding_box", "geo_distance", "geo_grid", "geo_polygon", "geo_shape", "has_child", "has_parent", "ids"}
    | {"intervals", "knn", "match", "match_all", "match_bool_prefix", "match_none", "match_phrase", "match_phrase_prefix"}
    | {"more_like_this", "multi_match", "nested", "parent_id", "percolate", "pinned", "prefix", "query_string", "range"}
    | {"rank_feature", "regexp", "rule", "script", "script_score", "semantic", "shape", "simple_query_string", "span_containing"}
    | {"span_field_masking", "span_first", "span_multi", "span_near", "span_not", "span_or", "span_term", "span_within"}
    | {"sparse_vector", "term", "terms", "terms_set", "text_expansion", "weighted_tokens", "wildcard", "wrapper"}
)
# Of these, the keys of the body are names of fields.
_OF_A_FIELD = frozenset(
    {"fuzzy", "match", "match_bool_prefix", "match_phrase", "match_phrase_prefix", "prefix", "range", "regexp", "term", "terms"}
    | {"terms_set", "wildcard"}
)
SCALARS = (str, int, float, bool)
# Operators of other stores, by what to write here.
_RANGES = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_COMBINES = {
    "$and": '{"bool": {"filter": [...]}}',
    "$or": '{"bool": {"should": [...], "minimum_should_match": 1}}',
    "$not": '{"bool": {"must_not": [...]}}',
}


def check_filters(filters: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the parts of a filter, which is a query, a dict of metadata, or a list of these.

    Raises:
        ConfigurationError: for anything else.
    """
    parts = [] if filters is None else filters if isinstance(filters, (list, tuple)) else [filters]
    for part in parts:
        if not isinstance(part, Mapping) or not part:
            raise ConfigurationError(
                f"filter={part!r} is no filter. Pass an Elasticsearch query such as "
                '{"term": {"metadata.lang": "en"}}, a dict of metadata such as {"lang": "en"}, or a list of these, all of which '
                "must match."
            )
        if path := find_lone_surrogate(part, "filter"):
            raise ConfigurationError(f"{path} holds a lone surrogate, which UTF-8 cannot encode. Remove it.")
        if _is_query(part):
            _check_json(part)
        else:
            for name, value in part.items():
                _check_value(name, value)
    return tuple(parts)


def as_queries(filters: Any, index: Index | None) -> list[Json]:
    """Return the Elasticsearch queries of a filter, all of which must match.

    One key that names a query, with a dict as its value, is a query. Everything else is metadata: each value must be in the
    document, one of a list is enough, and None matches documents without the field.

    Args:
        filters: As for `check_filters`.
        index: Its mapping shows in which field the metadata are; None if it is not known.

    Raises:
        ConfigurationError: it is no filter, or the index does not hold the field in a form that can be compared.
    """
    queries: list[Json] = []
    for part in check_filters(filters):
        if _is_query(part):
            if index:
                _warn_of_names(part, index)
            queries.append(dict(part))
        else:
            queries += [_metadata_query(name, value, index) for name, value in part.items()]
    return queries


def filter_field(name: str, index: Index | None) -> Field:
    """Return the field in which values of the metadata `name` are compared as a whole.

    `metadata.x`, or, in indices of other applications, `x` itself; of a text field, its keyword multi-field.

    Raises:
        ConfigurationError: it is a text field without a keyword, or holds vectors or objects.
    """
    paths = [f"metadata.{name}", name]
    field = next((index.fields[path] for path in paths if path in index.fields), None) if index else None
    if field is None or index is None:
        return Field(paths[0], "keyword")
    if field.type in ("text", "match_only_text"):
        keyword = next((inner for inner in index.of_types("keyword") if inner.parent == field.name), None)
        if keyword is None:
            raise ConfigurationError(
                f"filter: {field.name!r} is of type {field.type} in the index {index.name!r}, without a keyword to compare. "
                f'Pass a query such as {{"match": {{{field.name!r}: ...}}}}, or another field.'
            )
        return keyword
    if field.type in ("object", "nested", "dense_vector", "semantic_text", "semantic"):
        raise ConfigurationError(
            f"filter: {field.name!r} is of type {field.type} in the index {index.name!r}, which is not compared with a value."
        )
    return field


def _is_query(part: Mapping[str, Any]) -> bool:
    return len(part) == 1 and all(name in QUERIES and isinstance(body, Mapping) for name, body in part.items())


def _check_json(query: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for a value that the Elasticsearch client cannot write as JSON."""
    try:
        json_line(query, partial(json.dumps, default=_written_by_the_client))
    except InputError as error:
        raise ConfigurationError(f"filter: {error.message}") from None


def _written_by_the_client(value: Any) -> int:
    """Return any JSON for a value that the client converts. Raises TypeError for others."""
    if isinstance(value, (date, Decimal, UUID)) or hasattr(value, "tolist"):  # the last are numbers and arrays of numpy
        return 0
    raise TypeError


def _warn_of_names(query: Any, index: Index) -> None:
    """Warn of a field that the index lacks, if it holds metadata of that name: such a query matches nothing."""
    if isinstance(query, (list, tuple)):
        for part in query:
            _warn_of_names(part, index)
    if not isinstance(query, Mapping):
        return
    for kind, body in query.items():
        for name in _fields_of(kind, body):
            if name not in index.fields and (stored := f"metadata.{name}") in index.fields:
                warnings.warn(
                    f"filter: the index {index.name!r} has no field {name!r}, so this matches nothing. Its metadata are in "
                    f"{stored!r}: write that name, or the filter as a dict of metadata, {{{name!r}: ...}}.",
                    stacklevel=2,
                )
        if kind not in _OF_A_FIELD:
            _warn_of_names(body, index)


def _fields_of(kind: str, body: Any) -> list[Any]:
    """Return the names of fields in a query, without those of the queries in it."""
    if not isinstance(body, Mapping):
        return []
    return [body.get("field")] if kind == "exists" else [*body] if kind in _OF_A_FIELD else []


def _metadata_query(name: str, value: Any, index: Index | None) -> Json:
    if value is None:
        return {"bool": {"must_not": [{"exists": {"field": filter_field(name, index).name}}]}}
    field = filter_field(name, index)
    values = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    for given in values:
        if field.ignore_above is not None and isinstance(given, str) and len(given) > field.ignore_above:
            raise ConfigurationError(
                f"filter: the value for {name!r} has {len(given)} characters, and {field.name!r} holds values of at most "
                f"{field.ignore_above}. Filter by a shorter value."
            )
    return {"term": {field.name: values[0]}} if len(values) == 1 else {"terms": {field.name: values}}


def _check_value(name: Any, value: Any) -> None:
    values: Sequence[Any] = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"filter: the key {name!r} is no name of metadata.")
    if name in _COMBINES:
        raise ConfigurationError(f"filter: {name} is an operator of another store. Here, write {_COMBINES[name]}.")
    for given in values:
        if not isinstance(given, SCALARS) and value is not None:
            if isinstance(given, Mapping) and (instead := _in_place_of(name, given)):
                written = instead[0] if len(instead) == 1 else instead
                raise ConfigurationError(f"filter: {next(iter(given))} is an operator of another store. Here, write {written}.")
            raise ConfigurationError(
                f"filter: {name!r} has the value {given!r}. In a dict of metadata, pass a text, a number, True, False, None or a "
                'list of these; for anything else an Elasticsearch query such as {"range": {"metadata.year": {"gte": 2000}}}.'
            )


def _in_place_of(name: str, given: Mapping[Any, Any]) -> list[Json]:
    """Return the filters that do here what operators of other stores do, all of which must match; none if one is unknown."""
    field = f"metadata.{name}"
    has_field = {"exists": {"field": field}}
    ranges = {_RANGES[operator]: operand for operator, operand in given.items() if operator in _RANGES}
    instead: list[Json] = [{"range": {field: ranges}}] if ranges else []
    for operator, operand in given.items():
        values = list(operand) if isinstance(operand, (list, tuple, set, frozenset)) else [operand]
        if operator in ("$eq", "$in"):
            instead.append({name: operand})
        elif operator == "$exists" or (operator == "$ne" and operand is None):
            instead.append(has_field if operand or operator == "$ne" else {name: None})
        elif operator in ("$ne", "$nin"):
            texts = all(isinstance(value, str) for value in values)
            instead.append({"bool": {"must_not": [{"terms": {f"{field}.keyword" if texts else field: values}}]}})
        elif operator not in _RANGES:
            return []
    return instead
