"""Media: what they are, told by their bytes, and how they travel.

A medium is checked when it is made: known kind, declared as what it is, neither empty nor too large, an image not too
small. A file is looked into then, and read as a whole when it is sent, so that a long list of files needs no memory.
"""

from __future__ import annotations

import os
import re
import stat
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import InputError
from ..models import Modality

__all__ = ["LARGEST", "Medium", "looks_like_data_uri"]

LARGEST = 74 * 2**20  # bytes; in base64 they just fit into a request to Elasticsearch (http.max_content_length, 100 MB)
LEAST_PIXELS = 28  # on each side; Elastic documents it for the omni models
MOST_PIXELS = 1_000_000  # on each side; more than any format's image has, so the header is none
HEAD = 8192  # bytes; no signature lies further back

# One name for each format, where there are several.
_NAMES = {
    "application/x-pdf": "application/pdf",
    "audio/aacp": "audio/aac",
    "audio/aiff": "audio/x-aiff",
    "audio/m4a": "audio/mp4",
    "audio/mid": "audio/midi",
    "audio/mp3": "audio/mpeg",
    "audio/mp4a-latm": "audio/mp4",
    "audio/opus": "audio/ogg",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "image/apng": "image/png",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "image/x-bmp": "image/bmp",
    "image/x-ms-bmp": "image/bmp",
    "image/vnd.microsoft.icon": "image/x-icon",
    "image/x-png": "image/png",
    "video/avi": "video/x-msvideo",
    "video/flv": "video/x-flv",
    "video/matroska": "video/x-matroska",
    "video/mkv": "video/x-matroska",
    "video/msvideo": "video/x-msvideo",
    "video/vnd.avi": "video/x-msvideo",
    "video/x-m4v": "video/mp4",
}
# Containers whose bytes do not tell what they hold: what they may be declared as.
_ALSO = {
    "audio/mp4": ("video/mp4",),
    "audio/ogg": ("video/ogg", "application/ogg"),
    "image/heic": ("image/heif",),
    "image/heif": ("image/heic", "image/avif"),
    "video/mp4": ("audio/mp4", "video/quicktime", "video/3gpp", "audio/3gpp", "application/mp4"),
    "video/quicktime": ("video/mp4", "audio/mp4"),
    "video/webm": ("audio/webm",),
    "video/x-matroska": ("audio/x-matroska", "video/webm", "audio/webm"),
    "video/x-ms-wmv": ("audio/x-ms-wma", "video/x-ms-asf"),
}
_TELL_PIXELS = ("image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp")
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # the file may have become a pipe
_SAY_NOTHING = ("", "*/*", "application/octet-stream", "binary/octet-stream")
_DATA_URI = re.compile(r"data:(?P<mime>[\w.+-]+/[\w.+-]+)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_BEGINS_AS_DATA_URI = re.compile(r"data:(?:image|audio|video|application)/[\w.+-]+[;,]", re.IGNORECASE)


def looks_like_data_uri(text: str) -> bool:
    """Whether a string begins as the data URI of a medium does, whole or broken."""
    return _BEGINS_AS_DATA_URI.match(text) is not None


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was when it was checked."""

    path: Path
    state: tuple[int, ...]

    def read(self) -> bytes:
        """All of it. Raises InputError if it is not the same any more."""
        try:
            with open(os.open(self.path, os.O_RDONLY | _NO_WAITING), "rb") as file:
                if _state(os.fstat(file.fileno())) == self.state:
                    return file.read()
        except OSError as failed:
            raise InputError(f"{self.path} can no longer be read: {failed.strerror}.") from failed
        raise InputError(f"{self.path} has changed since it was checked. Embed it again.")


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Medium:
    """An image, a sound, a video or a PDF. Valid if it exists; the class methods make it.

    Attributes:
        modality: What a model must embed.
        mime: Its MIME type.
        size: Its length in bytes.
        label: A short name for it, for errors and events.
    """

    modality: Modality
    mime: str
    size: int
    label: str
    _payload: bytes | _File | str = field(repr=False)  # a str is base64

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, declared: str = "", *, name: str = "") -> Medium:
        """Make one of its bytes.

        Args:
            data: The bytes.
            declared: The MIME type it is said to have, or `image/*` and the like; "" for none.
            name: What to call it, in place of its type and size.
        """
        data = bytes(data)
        return _checked(BytesIO(data), len(data), declared, name, data)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], declared: str = "") -> Medium:
        """Make one of a file, which must stay as it is until it is sent."""
        path = Path(path)
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{path} is {'a directory' if stat.S_ISDIR(found.st_mode) else 'a device or pipe'}, not a file.")
            with path.open("rb") as file:
                return _checked(file, found.st_size, declared, str(path), _File(path, _state(found)))
        except InputError:
            raise
        except FileNotFoundError:
            way = "Write path.expanduser()." if str(path).startswith("~") else f"A relative path starts at {Path.cwd()}."
            raise InputError(f"there is no file {path}. {way}") from None
        except (OSError, ValueError) as failed:  # ValueError: a NUL in the path
            raise InputError(f"{path} cannot be read: {getattr(failed, 'strerror', None) or failed}.") from failed

    @classmethod
    def from_base64(cls, text: str, declared: str = "") -> Medium:
        """Make one of its base64, without a prefix. Line breaks and spaces are taken."""
        compact, data = _decoded(text)
        return _checked(BytesIO(data), len(data), declared, "", compact)

    @classmethod
    def from_data_uri(cls, uri: str, declared: str = "") -> Medium:
        """Make one of a data URI, `data:image/png;base64,...`."""
        prefix = _DATA_URI.match(uri)
        if not prefix:
            raise InputError(f"a broken data URI: it begins with {uri[:40]!r} instead of data:<MIME type>;base64,")
        try:
            compact, data = _decoded(uri[prefix.end() :])
        except InputError as error:
            raise InputError(f"a broken data URI ({prefix['mime']}): {error}") from None
        medium = _checked(BytesIO(data), len(data), prefix["mime"], "", compact)
        _agreed(medium.mime, declared)
        return medium

    @property
    def encoded_size(self) -> int:
        """Characters of its base64."""
        return -(-self.size // 3) * 4

    def data_uri(self) -> str:
        """The medium as it is sent. A file is read here.

        Raises:
            InputError: the file cannot be read any more, or is another one.
        """
        payload = self._payload.read() if isinstance(self._payload, _File) else self._payload
        return f"data:{self.mime};base64,{payload if isinstance(payload, str) else b64encode(payload).decode('ascii')}"


def _decoded(text: str) -> tuple[str, bytes]:
    """Base64 without white space, and what it stands for."""
    compact = "".join(text.split())
    try:
        return compact, b64decode(compact, validate=True)
    except ValueError:
        raise InputError("it is not base64, or some of it is missing.") from None


def _checked(file: BinaryIO, size: int, declared: str, name: str, payload: bytes | _File | str) -> Medium:
    """The medium in a file of this size."""
    told = name or "it"
    if not size:
        raise InputError(f"{told} is empty.")
    if size > LARGEST:
        raise InputError(f"{told} has {_amount(size)}, and a request to Elasticsearch holds {_amount(LARGEST)} at most.")
    found = _sniffed(file.read(HEAD), name)
    try:
        mime = _agreed(found, declared)
    except InputError as error:
        raise InputError(f"{name}: {error}" if name else str(error)) from None
    if mime.startswith("image/"):
        _check_pixels(file, mime, told)
    return Medium(_modality(mime), mime, size, name or f"<{mime}, {_amount(size)}>", payload)


def _sniffed(head: bytes, name: str) -> str:
    """The MIME type that the first bytes show."""
    import filetype

    mime = filetype.guess_mime(head) or ""
    if head[4:8] == b"ftyp" and head[8:12] in (b"mif1", b"msf1"):
        mime = "image/heif"
    elif head[4:8] == b"ftyp" and not mime:
        mime = "video/mp4"  # of a brand that is not known there
    elif head.lstrip().startswith(b"%PDF-"):
        mime = "application/pdf"
    mime = _NAMES.get(mime, mime)
    if mime == "application/pdf" or mime.startswith(("image/", "audio/", "video/")):
        return mime
    shown = f"{mime}, it" if mime else "it"
    raise InputError(
        f"{name + ' ' if name else 'it '}is no image, audio, video or PDF that is known here: "
        f"{shown} begins with {head[:12]!r}. {_way(head)}".rstrip()
    )


def _way(head: bytes) -> str:
    """What to do about bytes that are no medium, if they tell."""
    if b"<svg" in head:
        return "Convert SVG to PNG."
    readable = head.decode("utf-8", "ignore").isprintable() and head.isascii()
    return "Text is passed as a str." if readable else ""


def _agreed(found: str, declared: str) -> str:
    """The MIME type that fits both what the bytes show and what was said of them."""
    said = declared.partition(";")[0].strip().lower()
    said = _NAMES.get(said, said)
    if said in _SAY_NOTHING:
        return found
    for mime in (found, *_ALSO.get(found, ())):
        if said == mime or (said.endswith("/*") and mime.startswith(said[:-1])):
            return found if mime.startswith("application/") else mime
    if said.endswith("/*"):
        raise InputError(f"{'an' if said[0] in 'ai' else 'a'} {said[:-2]} is expected here, but its bytes are {found}.")
    raise InputError(f"it is declared as {said}, but its bytes are {found}. Correct what is declared.")


def _modality(mime: str) -> Modality:
    return "pdf" if mime == "application/pdf" else cast(Modality, mime.partition("/")[0])


def _check_pixels(file: BinaryIO, mime: str, told: str) -> None:
    """Refuse an image that is too small, or whose header is damaged. Of some formats, the header is not understood here."""
    import imagesize

    file.seek(0)
    width, height = imagesize.get(file)
    known = width >= 0
    if max(width, height) > MOST_PIXELS or (not known and mime in _TELL_PIXELS):
        raise InputError(f"{told} is a damaged image, or none: it begins like {mime}, and its header makes no sense.")
    if known and min(width, height) < LEAST_PIXELS:
        raise InputError(f"{told} has {width}x{height} pixels, and the models take {LEAST_PIXELS}x{LEAST_PIXELS} at least.")


def _amount(size: int) -> str:
    for unit, bytes_ in (("MB", 10**6), ("kB", 1000)):
        if size >= bytes_:
            return f"{size / bytes_:.3g} {unit}"
    return f"{size} bytes"
