"""Values in queries, read as the type of their field does: exact values, and bounds of ranges.

A bound is an SQL operator and an indexed value. Knows types and their errors; must not know queries or scores.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np

from ..indices import BITS, NUMBERS, PRECISIONS, Field, Value, format_value, read_date_span
from ..refusals import RefusedError, ShardError, illegal_argument, not_implemented

Bound = tuple[str, Value]
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# What Java reads as a double; of a long, no suffix and no space. NaN and hexadecimal digits are refused.
NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?)[fFdD]?", re.ASCII)
SPECIAL = re.compile(r"\s*[+-]?(?:NaN|Infinity|0[xX].*)[fFdD]?\s*")


def read_exact(field: Field, value: Any, *, one_of: bool) -> list[Bound] | None:
    """Return the bounds of an exact value, or one of several; None if no document can have it. A date is a range."""
    if field.kind == "date":
        first, last = read_moment(field, value, epoch_only=is_number(value))
        return [(">=", first), ("<=", last)]
    if field.kind not in NUMBERS:
        return [("=", read_text(field, value))]
    number = read_number(field, value)
    if field.kind in PRECISIONS:
        rounded = round_to(field.kind, number)
        return [("=", rounded)] if math.isfinite(rounded) else None
    whole = number == number.to_integral_value()
    if whole and one_of:
        check_range(field.kind, number, value)
    limit = 1 << BITS[field.kind] - 1
    return [("=", int(number))] if whole and -limit <= number < limit else None


def read_bounds(field: Field, limits: dict[str, Any]) -> list[Bound]:
    """Return the bounds of a range. A date that is a number makes all of them milliseconds."""
    epoch_only = any(is_number(value) for value in limits.values())
    return [(OPERATORS[name], read_bound(field, name, value, epoch_only)) for name, value in limits.items()]


def read_bound(field: Field, name: str, value: Any, epoch_only: bool) -> Value:
    if field.kind == "date":
        return read_moment(field, value, epoch_only)[name in ("gt", "lte")]
    if field.kind not in NUMBERS:
        return read_text(field, value)
    number = read_number(field, value)
    if field.kind in BITS:
        check_range(field.kind, number, value)
        return math.floor(number) if name in ("gt", "lte") else math.ceil(number)
    return round_to("float" if field.kind == "half_float" else field.kind, number)  # bounds of a half_float are not halved


def check_range(kind: str, number: Decimal, value: Any) -> None:
    bits = max(BITS[kind], 32)  # those of short and byte, too
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise illegal_argument(f"Value [{value}] is out of range for {'a long' if bits == 64 else 'an integer'}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def round_to(kind: str, number: Decimal) -> float:
    with np.errstate(over="ignore"):
        rounded = float(PRECISIONS[kind](float(number)))
    return -5e-324 if str(rounded) == "-0.0" else rounded  # Lucene orders -0.0 before 0.0


def read_number(field: Field, value: Any) -> Decimal:
    if is_number(value):
        return Decimal(value)
    text = format_value(value)
    if SPECIAL.fullmatch(text):
        raise not_implemented(f"the number [{text}] in a query")
    match = NUMBER.fullmatch(text if field.kind == "long" else text.strip())
    if match is None or (field.kind == "long" and match[0] != match[1]):
        raise RefusedError(400, "number_format_exception", f'For input string: "{text}"' if text else "empty String")
    return Decimal(match[1])


def read_text(field: Field, value: Any) -> str:
    text = format_value(value)
    if field.kind == "boolean" and text not in ("true", "false"):
        raise illegal_argument(f"Can't parse boolean value [{text}], expected [true] or [false]")
    return text


def read_moment(field: Field, value: Any, epoch_only: bool) -> tuple[int, int]:
    """Return the first and last millisecond of a date."""
    text = f"{value:E}" if isinstance(value, float) and value >= 1e7 else format_value(value)  # as Java writes it
    if text.startswith("now") or "||" in text:
        raise not_implemented(f"date math [{text}]")
    formats = "epoch_millis" if epoch_only else field.date_format
    span = read_date_span(text, formats)
    if span is None:
        reason = f"failed to parse date field [{text}] with format [{formats}]"
        raise ShardError(400, "parse_exception", reason, illegal_argument(reason))
    return span
