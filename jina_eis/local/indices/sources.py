"""Source filtering: the `_source` options, and the exclusion of vectors.

Knows sources and mappings; must not know queries or storage.
"""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..refusals import Json, illegal_argument, not_implemented, parsing_exception
from .mapping import SEMANTIC, Mapping
from .values import as_list

__all__ = ["SourceFilter"]

OPTIONS = {"includes", "include", "excludes", "exclude", "exclude_vectors"}


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
        """Parse `_source` of a body and the URL parameters, which take precedence."""
        parsed = parse(source)
        if "_source" in params:
            names = params["_source"]
            parsed = cls(show=names != "false", includes=() if names in ("true", "false", "") else tuple(names.split(",")))
        includes = params.get("_source_includes", params.get("_source_include"))
        excludes = params.get("_source_excludes", params.get("_source_exclude"))
        vectors = params.get("_source_exclude_vectors")
        return cls(
            parsed.show or includes is not None or excludes is not None,
            tuple(includes.split(",")) if includes else parsed.includes,
            tuple(excludes.split(",")) if excludes else parsed.excludes,
            parsed.vectors if vectors is None else vectors == "false",
        )

    def apply(self, source: Json, mapping: Mapping, settings: Json) -> Json:
        """Return the filtered source."""
        hidden = settings.get("mapping", {}).get("exclude_source_vectors", True) in (True, "true")
        vectors = self.vectors if self.vectors is not None else not hidden
        if vectors and any(field.kind in SEMANTIC for field in mapping.fields.values()) and self.vectors:
            raise not_implemented("_source.exclude_vectors: false in an index with semantic fields")
        dense = [] if vectors else [path for path, field in mapping.fields.items() if field.kind == "dense_vector"]
        if not self.includes and not self.excludes and not dense:
            return source
        filtered: Json = prune(source, "", self.includes, (*self.excludes, *dense))
        return filtered


def parse(source: Any) -> SourceFilter:
    if source is None or isinstance(source, bool):
        return SourceFilter(show=source is not False)
    if isinstance(source, str):
        return SourceFilter(includes=(source,))
    if isinstance(source, list):
        return SourceFilter(includes=tuple(map(str, source)))
    if not isinstance(source, dict):
        raise parsing_exception("Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] for [_source]")
    for name in source.keys() - OPTIONS:
        raise parsing_exception(f"Unknown key for a VALUE_STRING in [_source.{name}].")
    vectors = source.get("exclude_vectors")
    if vectors is not None and not isinstance(vectors, bool):
        raise illegal_argument(f"Failed to parse value [{vectors}] as only [true] or [false] are allowed.")
    includes = as_list(source.get("includes", source.get("include")))
    excludes = as_list(source.get("excludes", source.get("exclude")))
    return SourceFilter(True, tuple(includes), tuple(excludes), None if vectors is None else not vectors)


def prune(node: Any, prefix: str, includes: Sequence[str], excludes: Sequence[str]) -> Any:
    if isinstance(node, list):
        return [prune(element, prefix, includes, excludes) if isinstance(element, dict) else element for element in node]
    kept = {}
    for name, value in node.items():
        path = f"{prefix}{name}"
        if any(fnmatchcase(path, pattern) for pattern in excludes):
            continue
        included = not includes or any(fnmatchcase(path, pattern) for pattern in includes)
        if holds_objects(value):
            inner = prune(value, f"{path}.", () if included else includes, excludes)
            if included or inner not in ({}, [], [{}] * len(inner)):
                kept[name] = inner
        elif included:
            kept[name] = value
    return kept


def holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(element, dict) for element in value))
