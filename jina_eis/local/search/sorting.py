"""The order of hits by values of fields.

Knows the types of fields; must not know queries or scores.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..indices import BITS, NUMBERS
from ..inference import as_list
from ..refusals import Json, ShardError, illegal_argument, not_implemented
from .context import Context, as_float32, query_failed

Key = tuple[str, bool]  # a field, and whether its highest values come first


def read_sort(sort: Any, parameter: str | None) -> list[Key]:
    """Return the keys of `sort` in a body, then those of the parameter of the URL, such as `day:desc,name`."""
    entries: list[Any] = [{entry: "asc"} if isinstance(entry, str) else entry for entry in as_list(sort)]
    named: list[tuple[str, str, str]] = [entry.partition(":") for entry in (parameter or "").split(",") if entry]
    keys = []
    for entry in [*entries, *({path: order or "asc"} for path, _, order in named)]:
        if not isinstance(entry, dict):
            raise illegal_argument("malformed sort format, within the sort array, an object, or an actual string are allowed")
        for path, options in entry.items():
            order: Any = options["order"] if isinstance(options, dict) and options.keys() == {"order"} else options
            if order not in ("asc", "desc") or path.startswith("_"):
                raise not_implemented(f"sort by [{path}] with [{options}]")
            keys.append((path, order == "desc"))
    return keys


def sort_documents(context: Context, docs: Iterable[int], keys: Sequence[Key]) -> list[tuple[int, Json]]:
    """Return the documents in order, each with what a hit shows of it."""
    columns = [read_column(context, path, descending) for path, descending in keys]
    rows = {doc: [values.get(doc, missing) for values, missing in columns] for doc in sorted(docs)}

    def compare(one: int, other: int) -> int:
        return compare_values(keys, rows[one], rows[other])

    ordered = sorted(rows, key=functools.cmp_to_key(compare))
    return [(doc, {"_score": None, "sort": list(map(show, rows[doc]))}) for doc in ordered]


def show(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    return str(value).replace("inf", "Infinity") if isinstance(value, float) and math.isinf(value) else value


def compare_values(keys: Sequence[Key], one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return a positive number if the first comes last; a missing text does always."""
    for (_, descending), value, limit in zip(keys, one, other, strict=True):
        if value != limit:
            return 1 if value is None or (limit is not None and (value > limit) != descending) else -1
    return 0


def read_column(context: Context, path: str, descending: bool) -> tuple[dict[int, Any], Any]:
    """Return the lowest or highest value of a field by document, and the value of a document without one."""
    field = context.field(path)
    if field is None:
        raise query_failed(context, f"No mapping found for [{path}] in order to sort on")
    if field.kind == "boolean":
        raise not_implemented(f"sort by [{path}] of type [boolean]")
    if field.kind not in ("keyword", "date", *NUMBERS) or field.settings.get("doc_values") in (False, "false"):
        raise ShardError(400, "illegal_argument_exception", f"Field [{path}] of type [{field.kind}] doesn't support sort")
    missing: Any = None
    if field.kind in BITS or field.kind == "date":
        highest = (1 << max(BITS.get(field.kind, 64), 32) - 1) - 1
        missing = -highest - 1 if descending else highest
    elif field.kind in NUMBERS:
        missing = -math.inf if descending else math.inf
    values = context.index.extremes(path, highest=descending)
    if field.kind in ("float", "half_float"):
        values = {doc: as_float32(float(value)) for doc, value in values.items()}
    return values, missing
