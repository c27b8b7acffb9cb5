"""Inputs that can be embedded and ranked, checked once when they come in.

A `str` is text and never names a file or an address. Any other input is identified by its type, and media by their bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike, fsdecode
from os.path import isfile
from typing import Any, BinaryIO, TypeVar

from ..errors import InputError
from .encoding import looks_like_base64_of_medium, looks_like_data_uri
from .fetch import Fetcher
from .hints import check_query, instead_of_text
from .links import Link
from .media import LARGEST, Medium
from .objects import (
    Image,
    Resource,
    content_of_block,
    describe_type,
    is_file,
    is_image,
    medium_from_file,
    medium_from_image,
    non_empty,
)

__all__ = [
    "Adapt",
    "Content",
    "Embeddable",
    "Get",
    "Part",
    "check_texts",
    "content",
    "content_list",
    "fingerprint",
    "holds_url",
    "image_list",
    "in_thread",
    "label",
    "looks_binary",
    "query_text",
    "source_of",
    "text_list",
    "text_source",
    "warn_of_binary",
]

FETCHED_AT_ONCE = 8
_CONTROL = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\ufffd]")

# A text that is probably a mistake: the name or address of a file, whether it exists or not. A name of up to three words, or a
# path with any blanks. A name of more words could be a sentence that ends with one, so it must be that of a file that exists.
_MEDIA_ENDING = (
    r"\.(?:png|jpe?g|jfif|gif|webp|bmp|tiff?|hei[cf]|avif|jxl|jp2|ico|svg|psd|wav|mp3|flac|ogg|oga|opus|m4a|aac|aiff?|wma|amr"
    r"|mp4|m4v|mov|avi|mkv|webm|mpe?g|wmv|flv|3gp|pdf)"
)
_FILE_NAME = re.compile(
    r"(?:(?:[^\s.,;:!?]{1,100} ){0,2}\S{0,1000}|(?:[~./\\]|[a-z]:\\)[^\n]{0,1000})" + _MEDIA_ENDING + r"(?:[?#]\S*)?",
    re.IGNORECASE,
)
_LONG_FILE_NAME = re.compile(r"[^\n]{1,250}" + _MEDIA_ENDING, re.IGNORECASE)
LONGEST_NAME = 2000
Part = str | Medium
Content = Part | tuple[Part, ...]
"""One input: a text, a medium, or several of them that are fused into one vector."""

OnePart = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Mapping[str, Any] | Image | Resource | Medium
Embeddable = OnePart | Sequence[OnePart]
"""Types that can be embedded, in addition to LlamaIndex nodes. A list is one input: its parts are fused into one vector."""
Adapt = Callable[[Any], "Part | Link | None"]
"""Converts an object of a framework into a part or link; returns None for any other object."""
Get = Callable[[str], bytes]
R = TypeVar("R")


def label(content: Content) -> str:
    """Return a short name of an input for events and traces; a text is its own name."""
    if isinstance(content, tuple):
        return " + ".join(map(label, content))
    return content if isinstance(content, str) else content.label


def holds_url(content: Content) -> bool:
    """Whether the service fetches an input, or a part of it, from a URL."""
    if isinstance(content, str):
        return False
    parts = content if isinstance(content, tuple) else (content,)
    return any(isinstance(part, Medium) and part.url is not None for part in parts)


def fingerprint(content: Content) -> str:
    """Return a digest of an input, which equal inputs share. Files are read for it."""
    digest = hashlib.sha256()
    for part in content if isinstance(content, tuple) else (content,):
        data = part if isinstance(part, str) else part.url or part.data_uri()
        digest.update(f"{type(part).__name__} {len(data)} {data}".encode())
    return digest.hexdigest()


def source_of(item: Any) -> str | list[str] | None:
    """Return where an input comes from: its path as it was given, or the name of its file; of several parts, all of them.

    None for what has no name, such as bytes, and for URLs, which may hold secrets.
    """
    if isinstance(item, (list, tuple)):
        sources = [source for part in item if isinstance(source := source_of(part), str)]
        return sources or None
    if isinstance(item, PathLike):
        return str(fsdecode(item))
    source = item.name if is_file(item) and hasattr(item, "name") else getattr(item, "source", None)
    return source if isinstance(source, str) and "://" not in source else None


def text_list(texts: Any) -> list[str]:
    """Return the texts to embed as a list. Raises InputError, with the position, for anything that is not a string."""
    listed = list(text_source(texts))
    check_texts(listed, embedded=True)
    return listed


def text_source(texts: Any) -> Iterable[Any]:
    """Return the same iterable. Raises InputError for a single text, which would be iterated letter by letter."""
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise InputError(f"The texts are {describe_type(texts)}. Pass a list of strings; for a single text, pass [text].")
    return texts


def query_text(query: Any, *, embedded: bool = False) -> str:
    """Return the query. Raises InputError for an empty one, and for anything that is not a string.

    Args:
        query: The query.
        embedded: Whether the error names embed_content.
    """
    check_query(query)
    if not isinstance(query, str):
        hint = ' For media use embed_content(query, input_type="search").' if embedded else ""
        raise InputError(f"The query is {describe_type(query)}, not a string.{hint}")
    return query


def check_texts(texts: Sequence[Any], first: int = 0, *, embedded: bool = False) -> None:
    """Raise InputError for an element that is not a string. The first text has the position `first` in the caller's list."""
    for position, text in enumerate(texts, first):
        if not isinstance(text, str):
            hint = f" {instead_of_text(text)}" if embedded else ""
            raise InputError(f"Input {position} is {describe_type(text)}, not a string.{hint}")


def content_list(
    items: Any,
    *,
    may_fetch: bool = False,
    pass_urls: bool = False,
    adapt: Adapt | None = None,
    get: Get | None = None,
) -> list[Content]:
    """Return the checked inputs to embed. URLs are fetched after everything else has been checked.

    Args:
        items: Any number of inputs. A list among them is one input: its parts are fused into one vector.
        may_fetch: Whether URLs may be fetched.
        pass_urls: Whether URLs are passed on to the service, which fetches them; then none is fetched here.
        adapt: Converts the objects of a framework.
        get: Fetches a URL; None for the default, a `Fetcher`.

    Raises:
        InputError: with the position of the input, for anything that cannot be embedded.
    """
    single = isinstance(items, (str, bytes, bytearray, memoryview, Mapping)) or is_file(items) or hasattr(items, "model_dump")
    if single or not isinstance(items, Iterable):
        raise InputError(f"The inputs are {describe_type(items)}. Pass a list; for a single input, pass [input].")
    named = [(f"Input {position}", item) for position, item in enumerate(items)]
    return _contents(named, may_fetch, pass_urls, adapt, get)


def content(
    item: Any,
    *,
    may_fetch: bool = False,
    pass_urls: bool = False,
    adapt: Adapt | None = None,
    get: Get | None = None,
    name: str = "The input",
) -> Content:
    """As `content_list`, for a single input, which errors call by `name`."""
    return _contents([(name, item)], may_fetch, pass_urls, adapt, get)[0]


def image_list(
    images: Any,
    *,
    may_fetch: bool = False,
    pass_urls: bool = False,
    adapt: Adapt | None = None,
    get: Get | None = None,
) -> list[Content]:
    """As `content_list`, for images only."""
    contents = content_list(images, may_fetch=may_fetch, pass_urls=pass_urls, adapt=adapt, get=get)
    for position, image in enumerate(contents):
        if not (isinstance(image, Medium) and image.modality == "image"):
            raise InputError(f"Input {position} ({label(image)}) is not an image. Use embed_content.")
    return contents


async def in_thread(read: Callable[..., R]) -> R:
    """Call `content_list` or a similar function in a thread. Fetching ends when the task is cancelled."""
    with Fetcher() as fetcher:
        return await asyncio.to_thread(read, get=fetcher.fetch)


def _contents(
    named: list[tuple[str, Any]], may_fetch: bool, pass_urls: bool, adapt: Adapt | None, get: Get | None
) -> list[Content]:
    by_input = [(name, [*_named_parts(name, item, adapt, pass_urls)]) for name, item in named]
    links = [(part_name, part) for _, parts in by_input for part_name, part in parts if isinstance(part, Link)]
    if links and not may_fetch:
        part_name, _ = links[0]
        raise InputError(
            f"{part_name} is a URL, and URL fetching is off. Create the object with allow_url_fetch=True, or with pass_urls=True "
            "(Elastic Stack 9.6), or pass the bytes."
        )
    fetched = iter(_fetch_all(links, get))
    return [_fused(name, [next(fetched) if isinstance(part, Link) else part for _, part in parts]) for name, parts in by_input]


def _fetch_all(links: list[tuple[str, Link]], get: Get | None) -> list[Medium]:
    if not links:
        return []
    if get is None:
        with Fetcher() as fetcher:
            return _fetch_all(links, fetcher.fetch)

    def fetch(named_link: tuple[str, Link]) -> Medium:
        part_name, link = named_link
        with _errors_naming(part_name):
            return Medium.from_bytes(get(link.url), link.declared, source=link.url.partition("?")[0])

    threads = ThreadPoolExecutor(min(len(links), FETCHED_AT_ONCE), thread_name_prefix="jina-eis-fetch")
    try:
        return list(threads.map(fetch, links))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _named_parts(name: str, item: Any, adapt: Adapt | None, pass_urls: bool) -> Iterator[tuple[str, Part | Link]]:
    """Yield the parts of an input, each with its name for errors."""
    if not isinstance(item, (list, tuple)):
        with _errors_naming(name):
            part = _part(item, adapt, pass_urls)
        yield name, part
        return
    if not item:
        raise InputError(f"{name} is an empty list. A list is one input: its parts are fused into one vector.")
    for number, value in enumerate(item):
        part_name = f"{name}, part {number}"
        with _errors_naming(part_name):
            part = _part(non_empty(value) if isinstance(value, str) else value, adapt, pass_urls)
        yield part_name, part


def _fused(name: str, parts: list[Part]) -> Content:
    if len(parts) == 1:
        return parts[0]
    media = [part for part in parts if isinstance(part, Medium)]
    if any(medium.modality == "pdf" for medium in media):
        raise InputError(f"{name} fuses a PDF with other parts. A PDF has a vector for each page: embed it alone.")
    if sum(medium.size for medium in media) > LARGEST:
        raise InputError(f"{name} is larger than a request to Elasticsearch may be. Remove a part.")
    return tuple(parts)


def _part(value: Any, adapt: Adapt | None, pass_urls: bool) -> Part | Link:
    """Convert a value into the text, medium or link that it holds. With `pass_urls`, a link is a medium."""
    part = _converted(value, adapt)
    return part.as_medium() if pass_urls and isinstance(part, Link) else part


def _converted(value: Any, adapt: Adapt | None) -> Part | Link:
    adapted = adapt(value) if adapt else None
    if adapted is not None:
        return adapted
    if isinstance(value, str):
        return Medium.from_data_uri(value) if looks_like_data_uri(value) else _text_with_warning(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Medium.from_bytes(value)
    if isinstance(value, Medium):
        return value
    if isinstance(value, PathLike):
        return Medium.from_path(value)
    if isinstance(value, Mapping):
        return content_of_block(value)
    if is_file(value):
        return medium_from_file(value)
    if is_image(value):
        return medium_from_image(value)
    if isinstance(value, (list, tuple)):
        raise InputError("it is a list within a list. Put all parts of an input into one list.")
    raise InputError(
        f"it is {describe_type(value)}, neither a text nor a medium. Pass a str (text), pathlib.Path, bytes, a file in binary "
        "mode, a data URI, a content block or a PIL image (PIL.Image.fromarray of an array). To embed several of these as one "
        "vector, pass a list of them."
    )


def _text_with_warning(text: str) -> str:
    """Return the text, with a warning if it looks like the name of a file or the base64 of a medium."""
    if _names_file(text):
        warnings.warn(
            f"{text!r} is embedded as text. For a file pass pathlib.Path(...), for a URL a content block "
            '{"type": "image", "url": ...}.',
            stacklevel=2,
        )
    elif looks_like_base64_of_medium(text):
        warnings.warn(
            f"{text[:12]}… is embedded as text, but it is the base64 of a medium. Pass base64.b64decode(...), or a data URI.",
            stacklevel=2,
        )
    else:
        warn_of_binary([text])
    return text


def _names_file(text: str) -> bool:
    """Whether a text is probably the name of a file."""
    if len(text) > LONGEST_NAME:
        return False
    return bool(_FILE_NAME.fullmatch(text) or (_LONG_FILE_NAME.fullmatch(text) and isfile(text)))


def warn_of_binary(texts: Iterable[str]) -> None:
    """Warn of the first text that looks like binary data, as readers make of the files that they do not know."""
    for text in texts:
        if looks_binary(text):
            warnings.warn(
                f"{text[:12]!r}… is embedded as text, but it looks like binary data: an image, a sound or a video that was read "
                "as text. Pass the path or bytes of the file to embed_content, or its path to add_contents.",
                stacklevel=3,
            )
            return


def looks_binary(text: str) -> bool:
    """Whether a tenth of the first characters are control characters, as in a file that was decoded as text."""
    sample = text[:2000]
    return not sample.isprintable() and len(_CONTROL.findall(sample)) > max(8, len(sample) // 10)


@contextmanager
def _errors_naming(name: str) -> Iterator[None]:
    """Put the name of an input before the message of an error."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error.__cause__
