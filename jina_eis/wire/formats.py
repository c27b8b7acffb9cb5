"""Texts, JSON and CBOR as Elasticsearch takes and gives them.

A lone surrogate is half of a character that UTF-16 writes in two. Python strings and JSON escapes can hold one, UTF-8 cannot:
orjson neither writes it nor reads its escape, and Elasticsearch stores and returns it (9.5.3).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from pathlib import PurePath
from typing import Any

from ..errors import InputError
from .vectors import read_vectors

__all__ = [
    "Dumps",
    "find_lone_surrogate",
    "json_line",
    "read_cbor",
    "read_json",
    "well_formed",
    "well_formed_value",
]

Dumps = Callable[[Any], bytes | str]
"""Writes a value as JSON."""

MAX_DEPTH = 100  # of containers in CBOR: the responses of Elasticsearch have fewer than 20


def well_formed(text: str) -> str:
    """Return the text as UTF-8 can encode it: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def well_formed_value(value: Any) -> Any:
    """Return a JSON value in which every string, also each key, is well formed."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed_value(name): well_formed_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [well_formed_value(item) for item in value]
    return value


def read_json(data: str | bytes) -> Any:
    """Read JSON with lone surrogates, which become U+FFFD, and with NaN and infinity, which are no numbers to any reader.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return well_formed_value(json.loads(data))
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def read_cbor(data: bytes) -> Any:
    """Read a map in CBOR, without tags, which would make objects such as dates and patterns.

    The vectors of an inference endpoint are as `read_vectors` returns them, unless Elasticsearch wrote them otherwise.

    Raises:
        ValueError: it is no such map, ends early, or is nested too deeply.
    """
    vectors = read_vectors(data)
    if vectors is not None:
        return vectors
    import cbor2

    try:
        value = cbor2.loads(data, max_depth=MAX_DEPTH, semantic_decoders=_REFUSE_TAGS)
    except cbor2.CBORError as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):  # plain words begin as a string or number does
        raise ValueError("no map in CBOR")
    return value


def json_line(value: Mapping[str, Any], dumps: Dumps | None = None) -> bytes:
    """Return a value as JSON, in UTF-8. Lone surrogates become U+FFFD.

    Decimals become numbers, paths their text, sets lists. With `dumps`, it alone decides.

    Raises:
        InputError: it holds something that JSON lacks, such as bytes or NaN; the error names its key.
    """
    dumps = dumps or _dumps
    try:
        line = dumps(value)
        if isinstance(line, str):
            line = line.encode()
    except Exception as error:
        try:
            if find_lone_surrogate(value, "") is not None:
                return json_line(well_formed_value(value), dumps)
            problem = _describe_unwritable(value, dumps)
        except RecursionError:
            problem = "it is nested too deeply."
        raise InputError(problem) from error
    if (b"null" in line or b"NaN" in line or b"Infinity" in line) and (found := _find(value, _is_no_number, "")):
        raise InputError(f"{found}, NaN or infinite, which JSON does not have. Leave it out, or write None.")
    return line.replace(b"\n", b" ") if b"\n" in line else line


def _dumps(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS, default=_replacement)


def _replacement(value: Any) -> Any:
    """Return what JSON has in place of a value. Raises TypeError for one without replacement."""
    import orjson

    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    raise TypeError


def _describe_unwritable(value: Any, dumps: Dumps) -> str:
    def is_unwritable(leaf: Any) -> bool:
        try:
            dumps(leaf)
        except Exception:  # noqa: BLE001 - whatever the serializer of the user's client raises
            return True
        return False

    found = _find(value, is_unwritable, "")
    return f"{found}, which JSON does not have. Convert it, or leave it out." if found else "it is nested too deeply."


def _find(value: Any, matches: Callable[[Any], bool], path: str) -> str | None:
    """Return the path and type of the first value inside that matches; None if there is none."""
    if isinstance(value, Mapping):
        inner = ((f"{path}.{name}" if path else str(name), item) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        if value and all(type(item) is float and isfinite(item) for item in value):
            return None
        inner = ((f"{path}[{position}]", item) for position, item in enumerate(value))
    else:
        return f"{path!r} is of type {type(value).__name__}" if matches(value) else None
    return next((found for name, item in inner if (found := _find(item, matches, name))), None)


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not isfinite(value)


def find_lone_surrogate(value: Any, path: str) -> str | None:
    """Return the path of the first string that UTF-8 cannot encode, such as `filter.term.lang`; None if there is none."""
    if isinstance(value, str):
        return path if well_formed(value) != value else None
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(name, str) and well_formed(name) != name:
                return f"a key in {path}"
            if found := find_lone_surrogate(item, f"{path}.{name}"):
                return found
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            if found := find_lone_surrogate(item, f"{path}[{position}]"):
                return found
    return None


class _RefuseTags(dict[int, Callable[..., Any]]):
    """Decoders of tags, each of which refuses its tag."""

    def __missing__(self, tag: int) -> Callable[..., Any]:
        def refuse(*_: Any) -> Any:
            raise ValueError(f"CBOR with the tag {tag}")

        return refuse


_REFUSE_TAGS = _RefuseTags()
