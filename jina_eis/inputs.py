"""What can be embedded and ranked: checked when it comes in, and never again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .errors import InputError

__all__ = ["check_texts", "query_text", "text_list", "text_source"]


def text_list(texts: Any) -> list[str]:
    """The texts as a list. Raises InputError, with the position, for anything that is not a string."""
    listed = list(text_source(texts))
    check_texts(listed)
    return listed


def text_source(texts: Any) -> Iterable[Any]:
    """The same iterable. Raises InputError for a single text, which would be taken apart into letters."""
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise InputError(f"Texts come as a list of strings, and this is {_a(texts)}. For a single text write [text].")
    return texts


def query_text(query: Any) -> str:
    """The query. Raises InputError for anything that is not a string."""
    if not isinstance(query, str):
        raise InputError(f"A query is a string, and this is {_a(query)}.")
    return query


def check_texts(texts: Sequence[Any], first: int = 0) -> None:
    """Raise InputError at what is not a string. The first text is number `first` of the user's list."""
    for position, text in enumerate(texts, first):
        if not isinstance(text, str):
            raise InputError(f"Input {position} is {_a(text)}, not a string.")


def _a(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
