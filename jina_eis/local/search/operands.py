"""Values in queries, read as the type of their field does: exact values, and bounds of ranges.

A bound is an SQL operator and an indexed value. Knows types and their errors; must not know queries or scores.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ..indices import BITS, NUMBERS, PRECISIONS, Field, Value, format_value, read_date_span, round_number
from ..refusals import RefusedError, ShardError, illegal_argument, not_implemented

Bound = tuple[str, Value]
PLAIN = re.compile(r"-?\d{1,15}(\.\d+)?", re.ASCII)  # a number in a string, which no type reads otherwise
WORD = re.compile(r"(?!nan|infinity)[a-z]+", re.ASCII | re.IGNORECASE)
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def read_exact(field: Field, value: Any, *, one_of: bool) -> list[Bound] | None:
    """Return the bounds of an exact value, or one of several; None if no document can have it. A date is a range."""
    if field.kind == "date":
        first, last = read_moment(field, value, epoch_only=is_number(value))
        return [(">=", first), ("<=", last)]
    if field.kind not in NUMBERS:
        return [("=", read_text(field, value))]
    number = read_number(field, value)
    if field.kind in PRECISIONS:
        rounded = round_number(field.kind, number)
        return [("=", rounded)] if math.isfinite(rounded) else None
    if number != int(number):
        return None
    if one_of:
        check_range(field.kind, number)
    limit = 1 << BITS[field.kind] - 1
    return [("=", int(number))] if -limit <= number < limit else None


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
        check_range(field.kind, number)
        return math.floor(number) if name in ("gt", "lte") else math.ceil(number)
    return round_number("float" if field.kind == "half_float" else field.kind, number)  # bounds of a half_float are not halved


def check_range(kind: str, number: float) -> None:
    bits = max(BITS[kind], 32)  # those of short and byte, too
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise illegal_argument(f"Value [{number}] is out of range for {'a long' if bits == 64 else 'an integer'}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_number(field: Field, value: Any) -> float:
    if isinstance(value, str) and PLAIN.fullmatch(value):
        value = float(value) if "." in value else int(value)
    elif isinstance(value, str) and WORD.fullmatch(value):
        raise RefusedError(400, "number_format_exception", f'For input string: "{value}"')
    if not is_number(value) or not math.isfinite(value):
        raise not_implemented(f"[{format_value(value)}] as a value of field [{field.path}] of type [{field.kind}]")
    return float(value) if field.kind in PRECISIONS else value


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
