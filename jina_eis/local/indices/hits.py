"""The values of a document that a hit shows: its source, single fields, and what the index ignored. Must not know queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..refusals import Json
from .documents import values_of
from .index import Index, StoredDocument
from .mapping import Field
from .parameters import SEMANTIC
from .sources import SourceFilter
from .values import BELOW_ZERO, as_float32, format_value, read_value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def show_values(index: Index, stored: StoredDocument, source: SourceFilter, requested: list[str]) -> Json:
    """Return the parts of a hit that hold values: `_source`, `fields`, and what the index ignored."""
    parts: Json = {}
    limited = [field for field in index.mapping.fields.values() if "ignore_above" in field.settings]
    ignored = {field.path: values for field in limited if (values := ignored_values(index, stored.source, field))}
    if ignored:
        parts["_ignored"] = sorted(ignored)
    if source.show:
        parts["_source"] = source.apply(stored, index, parsed=bool(requested))
    for path in requested:
        field = index.mapping.fields.get(path)
        if field is not None and (found := field_values(index, stored, field, ignored.get(path, ()))):
            parts.setdefault("fields", {})[path] = found
        if path in ignored:
            parts.setdefault("ignored_field_values", {})[path] = ignored[path]
    return parts


def ignored_values(index: Index, source: Json, field: Field) -> list[Any]:
    return [value for value in values_of(index.mapping, source, field.path) if field.ignores(format_value(value))]


def field_values(index: Index, stored: StoredDocument, field: Field, ignored: Sequence[Any]) -> list[Any]:
    """Return the values of a field, as its type shows them."""
    if field.kind == "object":
        return []
    if field.kind == "dense_vector":
        return values_of(index.mapping, index.complete(stored).source, field.path)
    left_out = ignored if field.kind in ("boolean", "keyword", "text", *SEMANTIC) else [*ignored, ""]  # a number may be empty
    return [show_value(field, value) for value in values_of(index.mapping, stored.source, field.path) if value not in left_out]


def show_value(field: Field, value: Any) -> Any:
    """Return a value in the form of its type."""
    if field.kind in SEMANTIC:
        return value
    indexed = read_value(field.kind, value, field.date_format)
    if field.kind == "boolean":
        return indexed == "true"
    if field.kind == "date":
        return f"{(EPOCH + timedelta(milliseconds=int(indexed))).isoformat(timespec='milliseconds')[:-6]}Z"
    if indexed == BELOW_ZERO:
        return -0.0
    return as_float32(float(indexed)) if field.kind in ("float", "half_float") else indexed
