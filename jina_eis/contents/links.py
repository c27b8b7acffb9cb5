"""Strings that say where a medium is. Which strings do, their place says: nothing is told by how a string looks."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import InputError
from .fetch import check_url
from .media import Medium

__all__ = ["Link", "address", "link"]


@dataclass(frozen=True, slots=True)
class Link:
    """A medium that has to be fetched. Valid if it exists: an http or https URL.

    Args:
        url: Where it is.
        declared: The MIME type it is said to have, or `image/*` and the like; "" for none.
    """

    url: str
    declared: str = ""

    def __post_init__(self) -> None:
        check_url(self.url)


def link(url: str, declared: str = "") -> Medium | Link:
    """The medium of a URL, which is a data URI, http or https, and never names a file."""
    return Medium.from_data_uri(url, declared) if url[:5].lower() == "data:" else Link(url, declared)


def address(text: str, declared: str = "") -> Medium | Link:
    """The medium that a string stands for where a string stands for one: a data URI, a URL, or the path of a file."""
    scheme = text.partition(":")[0].lower()
    if scheme == "data":
        return Medium.from_data_uri(text, declared)
    if scheme in ("http", "https"):
        return Link(text, declared)
    if scheme == "file":
        from urllib.request import url2pathname  # which brings in a whole HTTP client

        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise InputError(f"a file of another host, {parts.netloc}.")
        text = url2pathname(parts.path)
    if not text:
        raise InputError("an empty path.")
    return Medium.from_path(text, declared)
