"""Parsing of the JSON of a search body, with Elasticsearch's conversions and errors.

Knows JSON types only; must not know any option of a search.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..refusals import Json, RefusedError, illegal_argument, not_implemented, parse_error, parsing_exception, token

__all__ = ["parse_flag", "parse_number", "read_object", "read_options"]

NUMBER, TEXT, FLAG, OBJECT, ARRAY = "VALUE_NUMBER", "VALUE_STRING", "VALUE_BOOLEAN", "START_OBJECT", "START_ARRAY"
# The tokens that each kind of option accepts.
KINDS: dict[str, tuple[str, ...]] = {
    "int": (NUMBER, TEXT),
    "float": (NUMBER, TEXT),
    "text": (TEXT,),
    "flag": (FLAG, TEXT),
    "value": (NUMBER, TEXT, FLAG),
    "object": (OBJECT,),
    "array": (ARRAY,),
    "objects": (OBJECT, ARRAY),
    "source": (NUMBER, TEXT, FLAG, OBJECT, ARRAY),
    "vector": (NUMBER, TEXT, OBJECT, ARRAY),
}
NUMBERS = ("int", "float")
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
INT = 1 << 31


def parse_number(value: Any, kind: str = "int") -> Any:
    """Return a number, sent as a number or as text; an int loses its fraction."""
    if isinstance(value, bool):
        named = "VALUE_TRUE" if value else "VALUE_FALSE"
        raise RefusedError(
            400, "x_content_parse_exception", f"[1:1] Current token ({named}) not numeric, can not use numeric value accessors"
        )
    try:
        if isinstance(value, str) and ("_" in value or (value[-1:].isalpha() and value not in NOT_FINITE)):
            raise ValueError  # Java reads other texts than Python
        number = float(value)
    except ValueError:
        raise RefusedError(400, "number_format_exception", f'For input string: "{value}"' if value else "empty String") from None
    if kind == "float" or number != number:
        return number if kind == "float" else 0
    if not -INT <= number < INT:
        raise RefusedError(
            400, "x_content_parse_exception", f"[1:1] Numeric value ({value}) out of range of int ({-INT} - {INT - 1})"
        )
    return int(number)


def parse_flag(value: Any) -> bool:
    """Return a flag, sent as a boolean or as text."""
    if str(value).lower() not in ("true", "false") or value in ("True", "False"):
        raise illegal_argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")
    return str(value).lower() == "true"


def convert(kind: str, value: Any) -> Any:
    return parse_number(value, kind) if kind in NUMBERS else parse_flag(value) if kind == "flag" else value


def read_options(body: Json, kinds: Mapping[str, str], unsupported: Mapping[str, Any]) -> Json:
    """Return the options of a search, converted; `unsupported` has the value that disables each."""
    options = {}
    for name, value in body.items():
        if name in unsupported:
            if value is not unsupported[name]:
                raise not_implemented(f"{name} in a search")
        elif name not in kinds or token(value) not in (*KINDS[kinds[name]], *((FLAG,) if kinds[name] in NUMBERS else ())):
            raise parsing_exception(f"Unknown key for a {token(value)} in [{name}].")
        else:
            options[name] = convert(kinds[name], value)
    return options


def read_object(
    name: str, body: Any, kinds: Mapping[str, str], unsupported: Collection[str] = (), required: Sequence[str] = ()
) -> Json:
    """Return the options of an object inside a search, converted; `name` is that of the object in errors."""
    if not isinstance(body, dict):
        raise parse_error(name, f"Expected START_OBJECT but was: {token(body)}")
    options = {}
    for key, value in body.items():
        if key in unsupported:
            raise not_implemented(f"{name}.{key}")
        if key not in kinds:
            raise parse_error(name, f"unknown field [{key}]")
        if token(value) not in KINDS[kinds[key]]:
            raise parse_error(name, f"{key} doesn't support values of type: {token(value)}")
        try:
            options[key] = convert(kinds[key], value)
        except RefusedError as cause:
            raise parse_error(name, f"failed to parse field [{key}]", cause) from cause
    if missing := [key for key in required if key not in options]:
        raise illegal_argument(f"Required [{', '.join(missing)}]")
    return options
