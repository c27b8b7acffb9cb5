"""What can be embedded and ranked: checked when it comes in, and never again.

A `str` is text and never names a file or an address. Everything else is told by its type, and media by their bytes.
"""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike
from typing import Any, BinaryIO, TypeVar

from ..errors import InputError
from .fetch import Fetcher
from .links import Link
from .media import LARGEST, Medium, looks_like_data_uri
from .objects import Image, Resource, a, block_content, drawn, filled, is_file, is_image, read

__all__ = [
    "Adapt",
    "Content",
    "Embeddable",
    "Get",
    "Part",
    "check_texts",
    "content",
    "content_list",
    "image_list",
    "in_thread",
    "label",
    "query_text",
    "text_list",
    "text_source",
]

FETCHED_AT_ONCE = 8

# A text that looks like a mistake. Whether there is such a file is nobody's business.
_FILE_NAME = re.compile(
    r"\S{0,1000}\.(png|jpe?g|gif|webp|bmp|tiff?|heic|avif|wav|mp3|flac|ogg|m4a|mp4|avi|mov|mkv|webm|pdf)", re.IGNORECASE
)
Part = str | Medium
Content = Part | tuple[Part, ...]
"""One input: a text, a medium, or several of them that become one vector."""

OnePart = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Mapping[str, Any] | Image | Resource | Medium
Embeddable = OnePart | Sequence[OnePart]
"""What can be embedded, besides the nodes of LlamaIndex. A list is one input, whose parts become one vector."""
Adapt = Callable[[Any], "Part | Link | None"]
"""Turns an object of a framework into what it stands for; None for any other object."""
Get = Callable[[str], bytes]
R = TypeVar("R")


def label(content: Content) -> str:
    """A short name for an input, for events and traces: a text is its own."""
    if isinstance(content, tuple):
        return " + ".join(map(label, content))
    return content if isinstance(content, str) else content.label


def text_list(texts: Any) -> list[str]:
    """The texts to be embedded, as a list. Raises InputError, with the position, for anything that is not a string."""
    listed = list(text_source(texts))
    check_texts(listed, embedded=True)
    return listed


def text_source(texts: Any) -> Iterable[Any]:
    """The same iterable. Raises InputError for a single text, which would be taken apart into letters."""
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise InputError(f"Texts come as a list of strings, and this is {a(texts)}. For a single text write [text].")
    return texts


def query_text(query: Any, *, embedded: bool = False) -> str:
    """The query. Raises InputError for anything that is not a string; if it was to be embedded, with a way that takes it."""
    if not isinstance(query, str):
        way = ' Media go to embed_content(query, input_type="search").' if embedded else ""
        raise InputError(f"A query is a string, and this is {a(query)}.{way}")
    return query


def check_texts(texts: Sequence[Any], first: int = 0, *, embedded: bool = False) -> None:
    """Raise InputError at what is not a string. The first text is number `first` of the user's list."""
    for position, text in enumerate(texts, first):
        if not isinstance(text, str):
            way = " Media go to embed_contents, in LlamaIndex of JinaEISMultiModalEmbedding."
            raise InputError(f"Input {position} is {a(text)}, not a string.{way if embedded and text is not None else ''}")


def content_list(items: Any, *, may_fetch: bool = False, adapt: Adapt | None = None, get: Get | None = None) -> list[Content]:
    """What is to be embedded, checked. Nothing is fetched before everything else was found good.

    Args:
        items: Any number of inputs. A list among them is one input, whose parts become one vector.
        may_fetch: Whether URLs may be fetched.
        adapt: Knows the objects of a framework.
        get: Fetches a URL; None for how it is done here.

    Raises:
        InputError: with the position of the input, for anything that cannot be embedded.
    """
    one = isinstance(items, (str, bytes, bytearray, memoryview, Mapping)) or is_file(items) or hasattr(items, "model_dump")
    if one or not isinstance(items, Iterable):
        raise InputError(f"Inputs come as a list, and this is {a(items)}. For a single input write [input].")
    named = [(f"Input {position}", item) for position, item in enumerate(items)]
    return _contents(named, may_fetch, adapt, get)


def content(item: Any, *, may_fetch: bool = False, adapt: Adapt | None = None, get: Get | None = None) -> Content:
    """As `content_list`, for a single input."""
    return _contents([("The input", item)], may_fetch, adapt, get)[0]


def image_list(images: Any, *, may_fetch: bool = False, adapt: Adapt | None = None, get: Get | None = None) -> list[Content]:
    """As `content_list`, for images alone."""
    contents = content_list(images, may_fetch=may_fetch, adapt=adapt, get=get)
    for position, each in enumerate(contents):
        if not (isinstance(each, Medium) and each.modality == "image"):
            raise InputError(f"Input {position} ({label(each)}) is no image. Use embed_content.")
    return contents


async def in_thread(read: Callable[..., R]) -> R:
    """What `content_list` and its like give, called in a thread. Fetching ends when the task is cancelled."""
    with Fetcher() as fetcher:
        return await asyncio.to_thread(read, get=fetcher.fetch)


def _contents(named: list[tuple[str, Any]], may_fetch: bool, adapt: Adapt | None, get: Get | None) -> list[Content]:
    found = [(name, [*_parts(name, item, adapt)]) for name, item in named]
    links = [(place, part) for _, parts in found for place, part in parts if isinstance(part, Link)]
    if links and not may_fetch:
        place, _ = links[0]
        raise InputError(
            f"{place} is a URL, and nothing is fetched unasked. Make the object with allow_url_fetch=True, or pass the bytes."
        )
    fetched = iter(_fetched(links, get))
    return [_fused(name, [next(fetched) if isinstance(part, Link) else part for _, part in parts]) for name, parts in found]


def _fetched(links: list[tuple[str, Link]], get: Get | None) -> list[Medium]:
    if not links:
        return []
    if get is None:
        with Fetcher() as fetcher:
            return _fetched(links, fetcher.fetch)

    def medium(placed: tuple[str, Link]) -> Medium:
        place, wanted = placed
        with _located(place):
            return Medium.from_bytes(get(wanted.url), wanted.declared)

    threads = ThreadPoolExecutor(min(len(links), FETCHED_AT_ONCE), thread_name_prefix="jina-eis-fetch")
    try:
        return list(threads.map(medium, links))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _parts(name: str, item: Any, adapt: Adapt | None) -> Iterator[tuple[str, Part | Link]]:
    """The parts of an input, each with what to call it in errors."""
    if not isinstance(item, (list, tuple)):
        with _located(name):
            part = _part(item, adapt)
        yield name, part
        return
    if not item:
        raise InputError(f"{name} is an empty list. A list is one input: its parts become one vector.")
    for number, each in enumerate(item):
        place = f"{name}, part {number}"
        with _located(place):
            part = _part(each, adapt)
        yield place, part


def _fused(name: str, parts: list[Part]) -> Content:
    if len(parts) == 1:
        return parts[0]
    media = [part for part in parts if isinstance(part, Medium)]
    if any(medium.modality == "pdf" for medium in media):
        raise InputError(f"{name} fuses a PDF with something else. A PDF has a vector for every page: embed it alone.")
    if sum(medium.size for medium in media) > LARGEST:
        raise InputError(f"{name} is larger than a request to Elasticsearch. Leave a part out.")
    return tuple(parts)


def _part(value: Any, adapt: Adapt | None) -> Part | Link:
    """The text or medium that a value stands for."""
    adapted = adapt(value) if adapt else None
    if adapted is not None:
        return adapted
    if isinstance(value, str):
        return Medium.from_data_uri(value) if looks_like_data_uri(value) else _text_unless_mistaken(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Medium.from_bytes(value)
    if isinstance(value, Medium):
        return value
    if isinstance(value, PathLike):
        return Medium.from_path(value)
    if isinstance(value, Mapping):
        return block_content(value)
    if is_file(value):
        return read(value)
    if is_image(value):
        return drawn(value)
    if isinstance(value, (list, tuple)):
        raise InputError("a list in a list. The parts of one input stand side by side in a single list.")
    raise InputError(
        f"it is {a(value)}, which cannot be embedded. Pass a str (text), pathlib.Path, bytes, a file opened in binary mode, "
        "a data URI, a content block, an image of PIL (PIL.Image.fromarray of an array), or a list of these, which becomes one "
        "vector."
    )


def _text_unless_mistaken(text: str) -> str:
    if _FILE_NAME.fullmatch(text):
        warnings.warn(
            f"{text!r} is embedded as the text that it is. For the file pass pathlib.Path(...), for a URL a content block "
            '{"type": "image", "url": ...}.',
            stacklevel=2,
        )
    return filled(text)


@contextmanager
def _located(place: str) -> Iterator[None]:
    """Errors say which input they mean."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error.__cause__
