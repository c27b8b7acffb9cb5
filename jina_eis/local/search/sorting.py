"""The order of hits by values of fields.

Knows the types of fields; must not know queries or scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ..indices import BELOW_ZERO, BITS, NUMBERS, PRECISIONS, as_float32
from ..inference import as_list
from ..refusals import Json, ShardError, not_implemented
from .context import Context, query_failed

Key = tuple[str, bool]  # a field, and whether its highest values come first


def read_sort(sort: Any, parameter: str | None) -> list[Key]:
    """Return the keys of `sort` in a body, then those of the parameter of the URL, such as `day:desc,name`."""
    entries: list[Any] = [{entry: "asc"} if isinstance(entry, str) else entry for entry in as_list(sort)]
    named: list[tuple[str, str, str]] = [entry.partition(":") for entry in (parameter or "").split(",") if entry]
    keys = []
    for entry in [*entries, *({path: order or "asc"} for path, _, order in named)]:
        for path, options in entry.items() if isinstance(entry, dict) else [(entry, None)]:
            order: Any = options["order"] if isinstance(options, dict) and options.keys() == {"order"} else options
            if order not in ("asc", "desc") or path.startswith("_"):
                raise not_implemented(f"sort by [{path}] with [{options}]")
            keys.append((path, order == "desc"))
    return keys


def sort_documents(context: Context, docs: Iterable[int], keys: Sequence[Key]) -> list[tuple[int, Json]]:
    """Return the documents in order, each with what a hit shows of it; one without a text comes last."""
    columns = [context.in_each(partial(read_column, path, descending)) for path, descending in keys]
    ordered = sorted(docs)
    for (_, descending), column in reversed([*zip(keys, columns, strict=True)]):
        present = sorted((doc for doc in ordered if doc in column), key=column.__getitem__, reverse=descending)
        ordered = present + [doc for doc in ordered if doc not in column]
    return [(doc, {"_score": None, "sort": [show(column.get(doc)) for column in columns]}) for doc in ordered]


def show(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if value == BELOW_ZERO:
        return -0.0
    return str(value).replace("inf", "Infinity") if isinstance(value, float) and math.isinf(value) else value


def read_column(path: str, descending: bool, context: Context) -> dict[int, Any]:
    """Return the lowest or highest value of a field by document. One without a number has the number that comes last."""
    field = context.field(path)
    if field is None:
        raise query_failed(context, f"No mapping found for [{path}] in order to sort on")
    if field.kind == "boolean":
        raise not_implemented(f"sort by [{path}] of type [boolean]")
    if field.kind not in ("keyword", "date", *NUMBERS) or not field.settings.get("doc_values", True):
        raise ShardError(400, "illegal_argument_exception", f"Field [{path}] of type [{field.kind}] doesn't support sort")
    values = context.index.extremes(path, highest=descending)
    if field.kind in ("float", "half_float"):
        values = {doc: as_float32(float(value)) for doc, value in values.items()}
    if field.kind == "keyword":
        return values
    last = math.inf if field.kind in PRECISIONS else (1 << max(BITS.get(field.kind, 64), 32) - 1) - 1
    if descending:
        last = -last - (field.kind not in PRECISIONS)
    return dict.fromkeys(context.index.all_docs(), last) | values
