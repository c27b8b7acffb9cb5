"""LlamaIndex's metadata filters as Elasticsearch queries: every operator, and any nesting of and, or and not.

Knows filters and the mapping of an index; sends nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from jina_eis.errors import ConfigurationError
from jina_eis.steps import filter_field
from jina_eis.wire import Field, Index

__all__ = ["filter_query", "keys_of"]

Json = dict[str, Any]
Scalar = str | int | float
EVERYTHING: Json = {"match_all": {}}
NOTHING: Json = {"match_none": {}}
TEXTS = ("text", "match_only_text")


def filter_query(filters: MetadataFilters, index: Index) -> Json:
    """Return the Elasticsearch query of a tree of filters. A tree without filters matches every document.

    Args:
        filters: "and" needs all of its filters, "or" one of them, and "not" none of them.
        index: Its mapping decides which field has the values of a key.

    Raises:
        ConfigurationError: a value does not fit its operator, or the index holds a key in a form that cannot be compared.
    """
    queries = [
        filter_query(entry, index) if isinstance(entry, MetadataFilters) else _OPERATORS[entry.operator](entry, index)
        for entry in filters.filters
    ]
    if not queries:
        return EVERYTHING
    clause = _CLAUSES[filters.condition or FilterCondition.AND]
    return {"bool": {clause: queries}}


def keys_of(filters: MetadataFilters) -> Iterator[str]:
    """Yield the keys that a tree of filters compares."""
    for entry in filters.filters:
        if isinstance(entry, MetadataFilters):
            yield from keys_of(entry)
        else:
            yield entry.key


def _equal(wanted: MetadataFilter, index: Index) -> Json:
    return _any_of([_scalar(wanted)], filter_field(wanted.key, index))


def _one_of(wanted: MetadataFilter, index: Index) -> Json:
    return _any_of(_list(wanted), filter_field(wanted.key, index))


def _all_of(wanted: MetadataFilter, index: Index) -> Json:
    field = filter_field(wanted.key, index)
    queries = [_any_of([value], field) for value in _list(wanted)]
    return {"bool": {"filter": [_exists(wanted, index), *queries]}}


def _compare(wanted: MetadataFilter, index: Index) -> Json:
    return {"range": {filter_field(wanted.key, index).name: {_BOUNDS[wanted.operator]: _scalar(wanted)}}}


def _has_words(wanted: MetadataFilter, index: Index) -> Json:
    text = _scalar(wanted)
    if not isinstance(text, str):
        raise ConfigurationError(f"{_label(wanted)} has the value {text!r}. Words are searched in texts: pass a string.")
    return {"match_phrase": {_text_field(wanted, index): text}}


def _exists(wanted: MetadataFilter, index: Index) -> Json:
    """Match documents with a value. A keyword leaves long values out, which its text field has."""
    names = [name for name in (f"metadata.{wanted.key}", wanted.key) if name in index.fields][:1]
    names += [field.name for field in index.of_types(*TEXTS) if names and field.parent == names[0]]
    queries = [{"exists": {"field": name}} for name in names or [f"metadata.{wanted.key}"]]
    return queries[0] if len(queries) == 1 else {"bool": {"should": queries}}


def _is_empty(wanted: MetadataFilter, index: Index) -> Json:
    return _negated(_exists)(wanted, index)


def _negated(query: Callable[[MetadataFilter, Index], Json]) -> Callable[[MetadataFilter, Index], Json]:
    return lambda wanted, index: {"bool": {"must_not": [query(wanted, index)]}}


_CLAUSES = {FilterCondition.AND: "filter", FilterCondition.OR: "should", FilterCondition.NOT: "must_not"}
_BOUNDS = {FilterOperator.GT: "gt", FilterOperator.GTE: "gte", FilterOperator.LT: "lt", FilterOperator.LTE: "lte"}
_OPERATORS: Mapping[FilterOperator, Callable[[MetadataFilter, Index], Json]] = {
    FilterOperator.EQ: _equal,
    FilterOperator.NE: _negated(_equal),
    FilterOperator.CONTAINS: _equal,  # a list contains a value if one of its values is equal
    FilterOperator.IN: _one_of,
    FilterOperator.ANY: _one_of,
    FilterOperator.NIN: _negated(_one_of),
    FilterOperator.ALL: _all_of,
    **dict.fromkeys(_BOUNDS, _compare),
    FilterOperator.TEXT_MATCH: _has_words,
    FilterOperator.TEXT_MATCH_INSENSITIVE: _has_words,  # words are compared without case
    FilterOperator.IS_EMPTY: _is_empty,
}


def _any_of(values: list[Scalar], field: Field) -> Json:
    if field.type == "boolean":  # LlamaIndex's filters take no booleans, and Elasticsearch no 0 and 1 for them
        values = [str(bool(value)).lower() if value in (0, 1) else value for value in values]
    for value in values:
        if field.ignore_above is not None and isinstance(value, str) and len(value) > field.ignore_above:
            raise ConfigurationError(
                f"A filter has a value of {len(value)} characters, and {field.name!r} holds values of at most "
                f"{field.ignore_above}. Filter by words of it, with the operator text_match."
            )
    if not values:
        return NOTHING
    return {"term": {field.name: values[0]}} if len(values) == 1 else {"terms": {field.name: values}}


def _text_field(wanted: MetadataFilter, index: Index) -> str:
    """Return the name of the field with the words of a key."""
    name = next((name for name in (f"metadata.{wanted.key}", wanted.key) if name in index.fields), None)
    if name is None:
        return f"metadata.{wanted.key}.text"
    if index.fields[name].type in TEXTS:
        return name
    inner = next((field.name for field in index.of_types(*TEXTS) if field.parent == name), None)
    if inner is None:
        raise ConfigurationError(
            f"{_label(wanted)}: {name!r} is of type {index.fields[name].type} in the index {index.name!r}, without a text field "
            "whose words can be searched. Use another operator, or another index."
        )
    return inner


def _scalar(wanted: MetadataFilter) -> Scalar:
    value = wanted.value
    if value is None:
        raise ConfigurationError(f"{_label(wanted)} has no value. Use the operator is_empty for documents without one.")
    if isinstance(value, list):
        raise ConfigurationError(f"{_label(wanted)} has a list, and compares with one value. Use in, nin, any or all.")
    return _finite(wanted, value)


def _list(wanted: MetadataFilter) -> list[Scalar]:
    if not isinstance(wanted.value, list):
        raise ConfigurationError(f"{_label(wanted)} has the value {wanted.value!r}. Pass a list of values.")
    return [_finite(wanted, value) for value in wanted.value]


def _finite(wanted: MetadataFilter, value: Scalar) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{_label(wanted)} has the value {value}, which JSON does not have. Pass another number.")
    return value


def _label(wanted: MetadataFilter) -> str:
    return f"The filter {wanted.key!r} {wanted.operator.value}"
