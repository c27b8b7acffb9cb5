"""Texts and JSON as Elasticsearch takes and gives them.

A lone surrogate is half of a character that UTF-16 writes in two. Python strings and JSON escapes can hold one, UTF-8 cannot:
orjson neither writes it nor reads its escape, and Elasticsearch stores and returns it (9.5.3).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["find_lone_surrogate", "read_json", "well_formed", "well_formed_value"]


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
    """Read JSON with lone surrogates, which become U+FFFD.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return well_formed_value(json.loads(data, parse_constant=_refuse_constant))
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


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


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
