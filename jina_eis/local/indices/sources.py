"""Which of a document's source an answer shows: the filters of `_source`, and that vectors are left out.

Knows sources and mappings; must not know queries or storage.
"""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..refusals import Json, illegal_argument, not_done, parsing_exception
from .mapping import SEMANTIC, Mapping
from .values import as_list

__all__ = ["SourceFilter"]

OPTIONS = {"includes", "include", "excludes", "exclude", "exclude_vectors"}


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """What is shown of a source.

    Attributes:
        show: Whether anything is.
        includes: Fields and patterns of them; all without any.
        excludes: The same for what is left out; they win.
        vectors: Whether vectors are shown; None leaves it to the index, which since 9.2 shows none.
    """

    show: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    vectors: bool | None = None

    @classmethod
    def of(cls, given: Any, params: Mapped[str, str]) -> SourceFilter:
        """Read `_source` of a body, and the parameters of a URL, which win."""
        parsed = parse(given)
        if "_source" in params:
            named = params["_source"]
            parsed = cls(show=named != "false", includes=() if named in ("true", "false", "") else tuple(named.split(",")))
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
        """What is shown of a source."""
        hidden = settings.get("mapping", {}).get("exclude_source_vectors", True) in (True, "true")
        vectors = self.vectors if self.vectors is not None else not hidden
        if vectors and any(field.kind in SEMANTIC for field in mapping.fields.values()) and self.vectors:
            raise not_done("_source.exclude_vectors: false in an index with semantic fields")
        dense = [] if vectors else [path for path, field in mapping.fields.items() if field.kind == "dense_vector"]
        if not self.includes and not self.excludes and not dense:
            return source
        shown: Json = pruned(source, "", self.includes, (*self.excludes, *dense))
        return shown


def parse(given: Any) -> SourceFilter:
    if given is None or isinstance(given, bool):
        return SourceFilter(show=given is not False)
    if isinstance(given, str):
        return SourceFilter(includes=(given,))
    if isinstance(given, list):
        return SourceFilter(includes=tuple(map(str, given)))
    if not isinstance(given, dict):
        raise parsing_exception("Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] for [_source]")
    for name in given.keys() - OPTIONS:
        raise parsing_exception(f"Unknown key for a VALUE_STRING in [_source.{name}].")
    vectors = given.get("exclude_vectors")
    if vectors is not None and not isinstance(vectors, bool):
        raise illegal_argument(f"Failed to parse value [{vectors}] as only [true] or [false] are allowed.")
    includes = as_list(given.get("includes", given.get("include")))
    excludes = as_list(given.get("excludes", given.get("exclude")))
    return SourceFilter(True, tuple(includes), tuple(excludes), None if vectors is None else not vectors)


def pruned(node: Any, prefix: str, includes: Sequence[str], excludes: Sequence[str]) -> Any:
    if isinstance(node, list):
        return [pruned(each, prefix, includes, excludes) if isinstance(each, dict) else each for each in node]
    kept = {}
    for name, value in node.items():
        path = f"{prefix}{name}"
        if any(fnmatchcase(path, pattern) for pattern in excludes):
            continue
        wanted = not includes or any(fnmatchcase(path, pattern) for pattern in includes)
        if holds_objects(value):
            inner = pruned(value, f"{path}.", () if wanted else includes, excludes)
            if wanted or inner not in ({}, [], [{}] * len(inner)):
                kept[name] = inner
        elif wanted:
            kept[name] = value
    return kept


def holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))
