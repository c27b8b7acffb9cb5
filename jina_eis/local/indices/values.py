"""Single values of documents and queries: parses them by field type into comparable values.

Knows types and their errors; must not know mappings, documents or queries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..refusals import RefusedError, illegal_argument, not_implemented

__all__ = ["BITS", "DATE_FORMATS", "NUMBERS", "PRECISIONS", "Value", "as_list", "format_value", "looks_like_date"]
__all__ += ["read_date_span", "read_value"]

Value = str | int | float

BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
PRECISIONS: dict[str, type[np.floating[Any]]] = {"float": np.float32, "double": np.float64, "half_float": np.float16}
NUMBERS = (*BITS, *PRECISIONS)
DATE_FORMATS = ("strict_date_optional_time", "date_optional_time", "epoch_millis")

DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?)?)?"
)


def read_value(kind: str, value: Any) -> Value:
    """Return the indexed form of a value; a date becomes milliseconds since the epoch."""
    return READERS[kind](kind, value)


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, a single value in a list, and None as an empty list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def format_value(value: Any) -> str:
    """Return a value as JSON and error messages write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def looks_like_date(text: str) -> bool:
    """Return whether a new field with this text becomes a date."""
    try:
        read_date("date", text)
    except RefusedError:  # such as a 13th month
        return False
    return not text.isdigit() and DATE.fullmatch(text) is not None


def read_text(kind: str, value: Any) -> Value:
    return format_value(value) if not isinstance(value, str) else value


def read_boolean(kind: str, value: Any) -> Value:
    text = format_value(value)
    if text not in ("true", "false", ""):
        raise illegal_argument(f"Failed to parse value [{text}] as only [true] or [false] are allowed.")
    return "true" if text == "true" else "false"


def read_number(kind: str, value: Any) -> Value:
    if isinstance(value, bool):
        raise illegal_argument(
            f"Current token (VALUE_{format_value(value).upper()}) not numeric, can not use numeric value accessors"
        )
    try:
        number = float(value)
        if kind in PRECISIONS:
            with np.errstate(over="ignore"):
                number = float(PRECISIONS[kind](number))
            if not np.isfinite(number):
                raise illegal_argument(f"[{kind}] supports only finite values, but got [{value}]")
            return number
        whole = value if isinstance(value, int) else int(value) if re.fullmatch(r"[+-]?\d+", str(value)) else int(number)
    except (TypeError, ValueError, OverflowError) as error:
        raise RefusedError(400, "number_format_exception", f'For input string: "{value}"') from error
    if not -(1 << BITS[kind] - 1) <= whole < 1 << BITS[kind] - 1:
        raise illegal_argument(f"Value [{value}] is out of range for {'an' if kind == 'integer' else 'a'} {kind}")
    return whole


def read_date(kind: str, value: Any) -> Value:
    text = format_value(value)  # a number of four digits is a year
    if isinstance(value, float) or re.fullmatch(r"-?\d{5,}|-\d+|\d{1,3}", text):
        return int(value)
    span = read_date_span(text)
    if span is None:
        raise illegal_argument(f"failed to parse date field [{text}] with format [strict_date_optional_time||epoch_millis]")
    return span[0]


def read_date_span(text: str) -> tuple[int, int] | None:
    """Return the first and last millisecond of a date, which may end with any of its parts; None if it is none."""
    if text.startswith("now") or "||" in text:
        raise not_implemented(f"date math [{text}]")
    match = DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    offset = "+0000" if zone in (None, "Z") else zone.replace(":", "").ljust(5, "0")
    padded = f"{year}{month or '01'}{day or '01'}{hour or '00'}{minute or '00'}{second or '00'}{offset}"
    try:
        elapsed = datetime.strptime(padded, "%Y%m%d%H%M%S%z") - datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError:
        return None
    first = (elapsed.days * 86_400 + elapsed.seconds) * 1000 + int((fraction or "0").ljust(3, "0")[:3])
    missing = ((fraction, 1), (second, 1000), (minute, 60_000), (hour, 3_600_000))
    return first, first + next((length for part, length in missing if part is not None), 86_400_000) - 1


READERS: dict[str, Callable[[str, Any], Value]] = {
    "text": read_text,
    "keyword": read_text,
    "boolean": read_boolean,
    "date": read_date,
    **dict.fromkeys(NUMBERS, read_number),
}
