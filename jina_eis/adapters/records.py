"""What becomes of the documents and nodes of both frameworks before they are written: their ids, elements and metadata."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat, zip_longest
from numbers import Integral
from typing import Any, Literal, TypeVar

from ..contents import describe_type
from ..errors import InputError
from ..steps import PRELIMINARY
from ..wire import well_formed, well_formed_value

__all__ = ["Ids", "checked", "content_id", "document_id", "listed", "new_id", "paired_ids", "stored_metadata", "zip_equal"]

A = TypeVar("A")
B = TypeVar("B")

Ids = Iterable[str | int | None] | Literal["content"] | None
"""Ids of documents. "content": a digest of text and metadata, so that what is added again replaces itself."""

CONTENT_ID_LENGTH = 40  # hexadecimal digits of SHA-256: 160 bits
HIT = ("_id", "_index", "_score", "retrieval_score", PRELIMINARY)  # only a search or a reranker of this library adds these
ANSWER = ("relevance_score", "highlights")  # as well, if the metadata have `_index`
_MISSING: Any = object()


def new_id() -> str:
    """A random id for a document without one. A retried write then replaces the document instead of adding a copy."""
    return uuid.uuid4().hex


def content_id(text: str, metadata: Mapping[str, Any]) -> str:
    """An id made of the content: equal texts with equal metadata have equal ids, in every process and version.

    The order of the metadata's keys does not count, nor what a search has added to them. What is no JSON counts as its `str`.
    """
    content_and_metadata = well_formed_value([text, stored_metadata(metadata)])
    canonical = json.dumps(content_and_metadata, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:CONTENT_ID_LENGTH]


def document_id(value: Any) -> str:
    """The id as Elasticsearch takes it: a text, or the digits of a whole number.

    Raises:
        InputError: it is empty, holds a lone surrogate, or is of another type.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, uuid.UUID):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"An id is {describe_type(value)}. Pass a string or a whole number; without ids, new ones are made.")
    if not value:
        raise InputError("An id is an empty string. Pass another one, or None for a new id.")
    if well_formed(value) != value:
        raise InputError(f"The id {value!a} holds a lone surrogate, which UTF-8 cannot encode. Choose another id.")
    return value


def stored_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata to store: without what a search has added to them, so that a document that was found can be added again."""
    found = "_index" in metadata
    return {name: value for name, value in metadata.items() if name not in HIT and not (found and name in ANSWER)}


def listed(items: Any, kind: type | tuple[type, ...], name: str) -> Iterable[Any]:
    """The same iterable. Raises InputError for a single element in place of a list.

    Args:
        items: What the caller passed.
        kind: The type of its elements.
        name: What an element is called in errors, such as "document".
    """
    if isinstance(items, kind):
        raise InputError(f"Pass a list of {name}s. For a single {name}, write [{name}].")
    mistaken = (str, bytes) if kind is str else (str, bytes, Mapping)  # the keys of a dictionary may be texts
    if isinstance(items, mistaken) or not isinstance(items, Iterable):
        raise InputError(f"The {name}s are {describe_type(items)}. Pass a list of {name}s.")
    return items


def checked(items: Iterable[Any], kind: type[A] | tuple[type[A], ...], name: str) -> Iterator[A]:
    """Yield the elements of an iterable. Raises InputError, with the position, for one of another type."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    expected = " or ".join(sorted(one.__name__ for one in kinds))
    for position, item in enumerate(items):
        if not isinstance(item, kind):
            given = describe_type(item)
            if type(item).__name__ in (one.__name__ for one in kinds):  # such as the Document of the other framework
                given, expected = (f"{one.__module__.partition('.')[0]}.{one.__name__}" for one in (type(item), kinds[0]))
            raise InputError(f"{name.capitalize()} {position} is {given}, not a {expected}.")
        yield item


def paired_ids(items: Iterable[A], ids: Ids) -> Iterator[tuple[A, Any]]:
    """Yield each element with its id: None for none, "content" for all if the content makes the ids.

    Raises:
        InputError: there are more or fewer ids than elements, or `ids` is another text.
    """
    if ids is None or (isinstance(ids, str) and ids == "content"):
        return zip(items, repeat(ids), strict=False)
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise InputError(f'ids={ids!r}: pass a list of ids, or ids="content" for ids made of text and metadata.')
    return ((item, None if id_ is None else document_id(id_)) for item, id_ in zip_equal(items, ids, "ids"))


def zip_equal(first: Iterable[A], second: Iterable[B], name: str) -> Iterator[tuple[A, B]]:
    """Zip two iterables. Raises InputError if their lengths differ."""
    for left, right in zip_longest(first, second, fillvalue=_MISSING):
        if left is _MISSING or right is _MISSING:
            raise InputError(f"There are {'more' if left is _MISSING else 'fewer'} {name} than documents. Pass one for each.")
        yield left, right
