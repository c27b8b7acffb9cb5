"""Locations of media: data URIs, URLs and paths. Which argument a string is passed to makes it a location, not how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import InputError
from .fetch import check_url, public_url, without_query
from .media import Medium, modality_of

__all__ = ["Link", "medium_from_location", "medium_from_url"]


@dataclass(frozen=True, slots=True)
class Link:
    """A medium to fetch, or to be fetched by the service, from an http or https URL. Valid if it exists.

    Args:
        url: The URL.
        declared: The declared MIME type, or a pattern such as `image/*`; "" for none.
    """

    url: str
    declared: str = ""

    def __post_init__(self) -> None:
        check_url(self.url)

    def as_medium(self) -> Medium:
        """Return the medium that the service fetches from this URL.

        Raises:
            InputError: its address is not public, or its type is not declared.
        """
        url = public_url(self.url)
        modality = modality_of(self.declared)
        if modality is None:
            raise InputError(
                f"{without_query(self.url)} does not state what it is, and its bytes are not seen here. Pass a content block "
                'with the type "image", "audio" or "video", or with a mime_type.'
            )
        return Medium.at_url(url, modality, without_query(url))


def medium_from_url(url: str, declared: str = "") -> Medium | Link:
    """Return the medium of a data URI, or a link for an http or https URL. A URL never names a file."""
    return Medium.from_data_uri(url, declared) if url[:5].lower() == "data:" else Link(url, declared)


def medium_from_location(text: str, declared: str = "") -> Medium | Link:
    """Return the medium or link of a data URI, a URL, or the path of a file."""
    scheme = text.partition(":")[0].lower()
    if scheme == "data":
        return Medium.from_data_uri(text, declared)
    if scheme in ("http", "https"):
        return Link(text, declared)
    if scheme == "file":
        from urllib.request import url2pathname  # it imports an HTTP client

        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise InputError(f"the file URL names another host, {parts.netloc}.")
        text = url2pathname(parts.path)
    if not text:
        raise InputError("the path is empty.")
    return Medium.from_path(text, declared)
