"""Source filtering: the `_source` options, and the exclusion of vectors.

Knows sources, mappings and where vectors are kept; must not know queries.
"""

from __future__ import annotations

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import Any, cast

from ..inference import as_list
from ..refusals import Json, not_implemented
from .index import Index, StoredDocument
from .parameters import SEMANTIC

DROPPED = object()
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
