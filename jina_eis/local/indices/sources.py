"""What a response shows of a document: its filtered source, single fields, and what the index ignored.

Knows sources, mappings and where vectors are kept; must not know queries.
"""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import Any, cast

from ..inference import as_list
from ..refusals import Json, not_implemented
from .documents import values_of
from .index import Index, StoredDocument
from .mapping import Field
from .parameters import SEMANTIC
from .values import BELOW_ZERO, as_float32, format_value, read_value

DROPPED = object()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PARAMETERS = ("_source", "_source_includes", "_source_excludes", "_source_exclude_vectors")


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """The part of a source that a response contains.

    Attributes:
        show: Whether the response contains the source.
        includes: Fields and patterns to return; empty for all.
        excludes: Fields and patterns to omit; they take precedence.
        vectors: Whether to return vectors; None applies the setting of the index, which since 9.2 excludes them by default.
    """

    show: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    vectors: bool | None = None

    @classmethod
    def of(cls, source: Any, params: Mapped[str, str]) -> SourceFilter:
        """Parse `_source` of a body or, in its place, the parameters of the URL."""
        names, includes, excludes, vectors = (params.get(name) for name in PARAMETERS)
        if names is None and includes is None and excludes is None and vectors is None:
            return parse(source)
        listed = () if names in (None, "true", "false", "") else tuple(str(names).split(","))
        return cls(
            names != "false" or includes is not None or excludes is not None,
            tuple(includes.split(",")) if includes else listed,
            tuple(excludes.split(",")) if excludes else (),
            None if vectors is None else vectors == "false",
        )

    def apply(self, stored: StoredDocument, index: Index, *, parsed: bool = False) -> Json:
        """Return the filtered source of a document, whose vectors may be missing.

        Elasticsearch filters the bytes of a source or, if it was `parsed` before, its objects. Then those that the filter
        empties stay.
        """
        fields = index.mapping.fields.values()
        vectors = self.vectors if self.vectors is not None else not index.hides_vectors
        if self.vectors and any(field.kind in SEMANTIC for field in fields):
            raise not_implemented("_source.exclude_vectors: false in an index with semantic fields")
        dense = [field.path for field in fields if field.kind == "dense_vector"]
        # A vector that is named, or matched by a pattern, is returned; so is one in an object that is.
        around = {path: [*accumulate(path.split("."), "{}.{}".format)] for path in dense}
        hide = [] if vectors else [path for path in dense if not any(matches(part, self.includes) for part in around[path])]
        if len(hide) < len(dense):
            stored, parsed = index.complete(stored), True
        parsed = parsed or any("*" in pattern for pattern in self.excludes)
        if not self.includes and not self.excludes and not hide:
            return stored.source
        filtered = prune(stored.source, "", self.includes, (*self.excludes, *hide), parsed)
        return {} if filtered is DROPPED else cast("Json", filtered)


def parse(source: Any) -> SourceFilter:
    if source is None or isinstance(source, bool):
        return SourceFilter(show=source is not False)
    options = dict(source) if isinstance(source, dict) else {"includes": source}
    vectors = not options.pop("exclude_vectors") if isinstance(options.get("exclude_vectors"), bool) else None
    patterns = {name: tuple(as_list(value)) for name, value in options.items()}
    texts = all(isinstance(pattern, str) for listed in patterns.values() for pattern in listed)
    if patterns.keys() - {"includes", "excludes"} or not texts or None in options.values():
        raise not_implemented(f"_source [{source}]")
    return SourceFilter(True, patterns.get("includes", ()), patterns.get("excludes", ()), vectors)


def matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def prune(node: Any, path: str, includes: Sequence[str], excludes: Sequence[str], keep: bool) -> Any:
    """Return what the patterns leave of a value, or DROPPED; `keep` leaves objects that become empty."""
    if isinstance(node, list):
        pruned = [prune(element, path, includes, excludes, keep) for element in node]
        kept: Any = [element for element in pruned if element is not DROPPED]
        if keep and kept:  # an object beside others stays, too
            emptied = [{} if new is DROPPED and isinstance(old, dict) else new for new, old in zip(pruned, node, strict=True)]
            kept = [element for element in emptied if element is not DROPPED]
    elif isinstance(node, dict):
        kept = {}
        for name, value in node.items():
            inner = f"{path}.{name}" if path else name
            if not matches(inner, excludes):
                value = prune(value, inner, () if matches(inner, includes) else includes, excludes, keep)
                kept |= {} if value is DROPPED else {name: value}
    else:
        return DROPPED if includes else node
    return kept if kept or (not includes and (keep or not node)) else DROPPED


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
