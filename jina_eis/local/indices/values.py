"""Single values of documents and queries: parses them by field type into comparable values.

Knows types and their errors; must not know mappings, documents or queries.
"""

from __future__ import annotations

import re
from base64 import b64decode
from decimal import Decimal
from math import floor
from typing import Any

import numpy as np

from ..inference import Array
from ..refusals import illegal_argument, not_implemented, parsing_exception, read_flag
from .parameters import BITS, DATE_FORMATS, FRACTION_TEXT, ISO_DATE, NAMED_ZONE, NUMBERS, PRECISIONS, SLASHED_DATE, WHOLE_TEXT

Value = str | int | float

ROUNDED: dict[str, type[np.floating[Any]]] = {"float": np.float32, "double": np.float64, "half_float": np.float16}
BELOW_ZERO = -5e-324  # for -0.0, which Lucene orders before 0.0 and SQLite does not
MAX_OFFSET = 18 * 3600  # of a zone, in seconds


def read_value(kind: str, value: Any, date_format: str = ISO_DATE) -> Value:
    """Return the indexed form of a value; a date becomes milliseconds since the epoch."""
    if isinstance(value, dict) or (isinstance(value, bool) and kind in NUMBERS):
        raise illegal_argument(f"Cannot parse [{format_value(value)}] as {kind}")
    if kind == "date":
        return read_date(value, date_format)
    if kind == "boolean":
        return format_value(read_flag(format_value(value) or "false"))
    if kind not in NUMBERS:
        return format_value(value)
    return read_fraction(kind, value) if kind in PRECISIONS else read_whole(kind, value)


def utf16_length(text: str) -> int:
    """Return the length of a text as Elasticsearch counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def format_value(value: Any) -> str:
    """Return a value as JSON and error messages write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def date_format_of(text: str) -> str | None:
    """Return the format of a new field with this text, or None if the text is no date."""
    formats = () if text.isdigit() else (ISO_DATE, SLASHED_DATE)
    return next((name for name in formats if read_date_span(text, name.removesuffix("||epoch_millis")) is not None), None)


def read_fraction(kind: str, value: Any) -> float:
    match = re.fullmatch(FRACTION_TEXT, value, re.ASCII) if isinstance(value, str) else None
    if isinstance(value, str) and match is None:
        raise illegal_argument(f'For input string: "{value}"')
    number = round_number(kind, float(match[1] if match else value))
    if not np.isfinite(number):
        raise illegal_argument(f"[{kind}] supports only finite values, but got [{value}]")
    return number


def round_number(kind: str, number: float) -> float:
    """Return a number as a field of fractions holds it."""
    with np.errstate(over="ignore"):
        rounded = float(ROUNDED[kind](number))
    return BELOW_ZERO if str(rounded) == "-0.0" else rounded


def as_float32(number: float) -> float:
    """Return a number with the digits of its float32, as Elasticsearch does."""
    return float(str(np.float32(number)))


def read_whole(kind: str, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(WHOLE_TEXT, value, re.ASCII) is None:
        raise illegal_argument(f'For input string: "{value}"')
    whole = int(max(min(Decimal(value), Decimal(1 << 70)), Decimal(-1 << 70)))
    if not fits(whole, BITS[kind]):
        raise illegal_argument(f"Value [{value}] is out of range for {kind}")
    return whole


def fits(number: int, bits: int) -> bool:
    return -(1 << bits - 1) <= number < 1 << bits - 1


def read_date(value: Any, date_format: str) -> int:
    if isinstance(value, float) and abs(value) >= 1e7:  # Java writes it with an exponent, for example in an update
        raise not_implemented(f"the fraction [{value}] as a date")
    text = format_value(value)  # a number of four digits is a year
    if (span := read_date_span(text, date_format)) is not None:
        return span[0]
    if re.fullmatch(NAMED_ZONE, text, re.ASCII):
        raise not_implemented(f"a zone by its name in the date [{text}]")
    raise illegal_argument(f"failed to parse date field [{text}] with format [{date_format}]")


def read_date_span(text: str, date_format: str) -> tuple[int, int] | None:
    """Return the first and last millisecond of a date, which may end with any of its parts; None if it is none."""
    for name in date_format.split("||"):
        match = re.fullmatch(DATE_FORMATS[name], text, re.ASCII)
        if match is not None and name == "epoch_millis":
            millis = floor(Decimal(text))
            return (millis, millis) if fits(millis, 64) else None
        if match is not None and (span := date_span(*match.groups())) is not None:
            return span
    return None


def date_span(year: str, month: str, day: str, *rest: str) -> tuple[int, int] | None:
    hour, minute, second, fraction, zone = rest
    sign, *parts = re.findall(r"[+-]|\d\d", zone) if zone and zone != "Z" else ("+",)
    offset = sum(int(part) * size for part, size in zip(parts, (3600, 60, 1), strict=False))
    if offset > MAX_OFFSET:
        return None
    try:
        time = f"{hour or '00'}:{minute or '00'}:{second or '00'}.{(fraction or '0')[:3].ljust(3, '0')}"
        local = int(np.datetime64(f"{year}-{month or '01'}-{day or '01'}T{time}", "ms").astype(np.int64))
    except ValueError:
        return None
    first = local - offset * (-1000 if sign == "-" else 1000)
    missing = ((fraction, 1), (second, 1000), (minute, 60_000), (hour, 3_600_000))
    return first, first + next((length for part, length in missing if part), 86_400_000) - 1


def read_vector(value: Any, dims: int | None = None) -> Array:
    """Return a vector sent as numbers, or as base64: numbers of 4 bytes, or their upper 2, from the highest byte on."""
    if isinstance(value, dict):
        raise illegal_argument("Cannot parse object as dense_vector")
    if not isinstance(value, str):
        if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
            raise parsing_exception(f"Failed to parse object: expecting an array of numbers but found [{str(value)[:100]}]")
        with np.errstate(over="ignore"):
            return np.array(value, dtype=np.float32)
    try:
        raw = b64decode(value + "=" * (-len(value) % 4), validate=True)  # Java needs no padding
    except ValueError as error:
        raise illegal_argument("Illegal base64 character") from error
    size = len(raw) // 4 if dims is None else dims
    if len(raw) == 2 * size:
        return (np.frombuffer(raw, dtype=">u2").astype(np.uint32) << 16).view(np.float32)
    if len(raw) != 4 * size:
        raise parsing_exception(f"Base64 decoded vector byte length [{len(raw)}] does not match the dimension count [{size}]")
    return np.frombuffer(raw, dtype=">f4").astype(np.float32)
