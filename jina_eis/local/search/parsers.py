"""Parsing of the JSON of a search body, with Elasticsearch's errors.

Knows JSON types only; must not know any option of a search. Values that Elasticsearch converts, such as a number sent as text,
are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..refusals import Json, illegal_argument, not_implemented, parse_error, parsing_exception, token
from ..unsupported import refuse_unsupported
from .options import KINDS

INT = 1 << 31


def as_number(body: Mapping[str, Any], name: str, default: float) -> float:
    """Return a numeric option of a body."""
    value = body.get(name, default)
    if not accepts("float", name, value):
        raise parsing_exception(f"[{name}] must be a number, got [{value}]")
    return float(value)


def accepts(kind: str, name: str, value: Any) -> bool:
    """Return whether an option can have a value."""
    types = KINDS[kind]
    convertible = not {dict, list} & {*types} and isinstance(value, str | int | float)
    if (type(value) in types and (kind != "int" or -INT <= value < INT)) or not convertible:
        return type(value) in types
    raise not_implemented(f"{name} with [{value}] as a value")


def read_options(body: Json, kinds: Mapping[str, str]) -> Json:
    """Return the options of a search."""
    for name, value in body.items():
        if name not in kinds:
            raise not_implemented(f"{name} in a search")
        if not accepts(kinds[name], name, value):
            raise parsing_exception(f"Unknown key for a {token(value)} in [{name}].")
    return body


def read_object(name: str, body: Any, kinds: Mapping[str, str], required: Sequence[str] = (), *, others: bool = False) -> Json:
    """Return the options of an object inside a search.

    Args:
        name: What the object is called in errors.
        body: Its JSON.
        kinds: The supported options, and the kind of their values.
        required: Options that it must have.
        others: Whether Elasticsearch knows more options than `unsupported` lists; all of them are refused with 501.
    """
    if not isinstance(body, dict):
        raise parse_error(name, f"Expected START_OBJECT but was: {token(body)}")
    for key, value in body.items():
        if key not in kinds:
            refuse_unsupported("search option", key, f"{name}.{key}")
            raise not_implemented(f"{name}.{key}") if others else parse_error(name, f"unknown field [{key}]")
        if not accepts(kinds[key], key, value):
            raise parse_error(name, f"{key} doesn't support values of type: {token(value)}")
    if missing := [key for key in required if key not in body]:
        raise illegal_argument(f"Required [{', '.join(missing)}]")
    return dict(body)
