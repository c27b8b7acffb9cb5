"""Media: identified by their bytes, and encoded for a request.

A medium is checked when it is created: a known format that agrees with the declared type, neither empty nor too large, an
image not too small. Only the start of a file is read then; the whole file is read when it is sent, to save memory.
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

__all__ = ["LARGEST", "Medium", "looks_like_data_uri", "modality_of"]

LARGEST = 74 * 2**20  # bytes; in base64 they just fit into a request to Elasticsearch (http.max_content_length, 100 MB)
LEAST_PIXELS = 28  # on each side; documented by Elastic for the omni models
MOST_PIXELS = 1_000_000  # on each side; no format has larger images, so a header with more is damaged
HEAD = 8192  # bytes; every signature lies within them

# The canonical name of a format that has several.
_CANONICAL = {
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
# Declared types that are accepted for a container whose bytes do not show its content.
_COMPATIBLE = {
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
_MEASURABLE = ("image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp")
_NON_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # the file may have become a pipe
_UNSPECIFIC = ("", "*/*", "application/octet-stream", "binary/octet-stream")
_DATA_URI = re.compile(r"data:(?P<mime>[\w.+-]+/[\w.+-]+)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_DATA_URI_START = re.compile(r"data:(?:image|audio|video|application)/[\w.+-]+[;,]", re.IGNORECASE)


def looks_like_data_uri(text: str) -> bool:
    """Whether a string starts like the data URI of a medium, valid or not."""
    return _DATA_URI_START.match(text) is not None


@dataclass(frozen=True, slots=True)
class _File:
    """A checked file, and its state at that time."""

    path: Path
    state: tuple[int, ...]

    def read(self) -> bytes:
        """Return its bytes. Raises InputError if the file has changed."""
        try:
            with open(os.open(self.path, os.O_RDONLY | _NON_BLOCKING), "rb") as file:
                if _file_state(os.fstat(file.fileno())) == self.state:
                    return file.read()
        except OSError as error:
            raise InputError(f"{self.path} can no longer be read: {error.strerror}.") from error
        raise InputError(f"{self.path} has changed since it was checked. Embed it again.")


def _file_state(result: os.stat_result) -> tuple[int, ...]:
    return (result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Medium:
    """An image, a sound, a video or a PDF. Create it with a class method; valid if it exists.

    Attributes:
        modality: The modality that a model must support.
        mime: MIME type; "" if it is not known.
        size: Size in bytes; 0 for a medium that the service fetches.
        label: Short name for errors and events.
        url: The URL that the service fetches it from; None if its bytes are sent.
    """

    modality: Modality
    mime: str
    size: int
    label: str
    _payload: bytes | _File | str = field(repr=False)  # a str is base64
    url: str | None = field(default=None, repr=False)  # its query may hold a secret

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, declared: str = "", *, name: str = "") -> Medium:
        """Create a medium from bytes.

        Args:
            data: The bytes.
            declared: The declared MIME type, or a pattern such as `image/*`; "" for none.
            name: Its label; "" for its type and size.
        """
        data = bytes(data)
        return _checked_medium(BytesIO(data), len(data), declared, name, data)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], declared: str = "") -> Medium:
        """Create a medium from a file, which must not change before it is sent."""
        path = Path(path)
        try:
            result = path.stat()
            if not stat.S_ISREG(result.st_mode):
                kind = "a directory" if stat.S_ISDIR(result.st_mode) else "a device or pipe"
                raise InputError(f"{path} is {kind}, not a file.")
            with path.open("rb") as file:
                return _checked_medium(file, result.st_size, declared, str(path), _File(path, _file_state(result)))
        except InputError:
            raise
        except FileNotFoundError:
            hint = "Write path.expanduser()." if str(path).startswith("~") else f"A relative path starts at {Path.cwd()}."
            raise InputError(f"the file {path} does not exist. {hint}") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error

    @classmethod
    def from_base64(cls, text: str, declared: str = "") -> Medium:
        """Create a medium from base64 without a prefix. Line breaks and spaces are ignored."""
        compact, data = _decode_base64(text)
        return _checked_medium(BytesIO(data), len(data), declared, "", compact)

    @classmethod
    def from_data_uri(cls, uri: str, declared: str = "") -> Medium:
        """Create a medium from a data URI, `data:image/png;base64,...`."""
        prefix = _DATA_URI.match(uri)
        if not prefix:
            raise InputError(f"the data URI is invalid: it begins with {uri[:40]!r} instead of data:<MIME type>;base64,")
        try:
            compact, data = _decode_base64(uri[prefix.end() :])
        except InputError as error:
            raise InputError(f"the data URI ({prefix['mime']}) is invalid: {error}") from None
        medium = _checked_medium(BytesIO(data), len(data), prefix["mime"], "", compact)
        _agreed_mime(medium.mime, declared)
        return medium

    @classmethod
    def at_url(cls, url: str, modality: Modality, label: str) -> Medium:
        """Create a medium that the service fetches. The URL was checked by the caller."""
        return cls(modality, "", 0, label, "", url)

    @property
    def encoded_size(self) -> int:
        """Length of its base64 or URL in a request, in characters."""
        return -(-self.size // 3) * 4 if self.url is None else len(self.url)

    def data_uri(self) -> str:
        """Return the medium as a data URI. A file is read here.

        Raises:
            InputError: the file can no longer be read, or has changed.
        """
        payload = self._payload.read() if isinstance(self._payload, _File) else self._payload
        return f"data:{self.mime};base64,{payload if isinstance(payload, str) else b64encode(payload).decode('ascii')}"


def _decode_base64(text: str) -> tuple[str, bytes]:
    """Return base64 without white space, and the decoded bytes."""
    compact = "".join(text.split())
    try:
        return compact, b64decode(compact, validate=True)
    except ValueError:
        raise InputError("it is not base64, or a part of it is missing.") from None


def _checked_medium(file: BinaryIO, size: int, declared: str, name: str, payload: bytes | _File | str) -> Medium:
    subject = name or "it"
    if not size:
        raise InputError(f"{subject} is empty.")
    if size > LARGEST:
        raise InputError(f"{subject} has {_format_size(size)}; a request to Elasticsearch holds {_format_size(LARGEST)} at most.")
    detected = _mime_from_bytes(file.read(HEAD), name)
    try:
        mime = _agreed_mime(detected, declared)
    except InputError as error:
        raise InputError(f"{name}: {error}" if name else str(error)) from None
    if mime.startswith("image/"):
        _check_pixels(file, mime, subject)
    return Medium(cast(Modality, modality_of(mime)), mime, size, name or f"<{mime}, {_format_size(size)}>", payload)


def _mime_from_bytes(head: bytes, name: str) -> str:
    """Return the MIME type that the first bytes show."""
    import filetype

    mime = filetype.guess_mime(head) or ""
    if head[4:8] == b"ftyp" and head[8:12] in (b"mif1", b"msf1"):
        mime = "image/heif"
    elif head[4:8] == b"ftyp" and not mime:
        mime = "video/mp4"  # of a brand that filetype does not know
    elif head.lstrip().startswith(b"%PDF-"):
        mime = "application/pdf"
    mime = _CANONICAL.get(mime, mime)
    if mime == "application/pdf" or mime.startswith(("image/", "audio/", "video/")):
        return mime
    subject = f"{mime}, it" if mime else "it"
    raise InputError(
        f"{name or 'it'} is not an image, audio, video or PDF in a known format: "
        f"{subject} begins with {head[:12]!r}. {_advice_for(head)}".rstrip()
    )


def _advice_for(head: bytes) -> str:
    """Return advice about bytes that are not a medium; "" for none."""
    if b"<svg" in head:
        return "Convert SVG to PNG."
    readable = head.decode("utf-8", "ignore").isprintable() and head.isascii()
    return "Pass text as a str." if readable else ""


def _agreed_mime(detected: str, declared: str) -> str:
    """Return the MIME type that fits both the bytes and the declaration."""
    declared = declared.partition(";")[0].strip().lower()
    declared = _CANONICAL.get(declared, declared)
    if declared in _UNSPECIFIC:
        return detected
    for mime in (detected, *_COMPATIBLE.get(detected, ())):
        if declared == mime or (declared.endswith("/*") and mime.startswith(declared[:-1])):
            return detected if mime.startswith("application/") else mime
    if declared.endswith("/*"):
        kind = declared[:-2]
        raise InputError(f"{'an' if kind[0] in 'ai' else 'a'} {kind} is expected here, but its bytes are {detected}.")
    raise InputError(f"it is declared as {declared}, but its bytes are {detected}. Correct the declared type.")


def modality_of(mime: str) -> Modality | None:
    """Return the modality of a MIME type or of a pattern such as `image/*`; None for any other type."""
    mime = mime.partition(";")[0].strip().lower()
    kind = mime.partition("/")[0]
    if _CANONICAL.get(mime, mime) == "application/pdf":
        return "pdf"
    return cast(Modality, kind) if kind in ("image", "audio", "video") else None


def _check_pixels(file: BinaryIO, mime: str, subject: str) -> None:
    """Refuse an image that is too small or has a damaged header. The headers of some formats cannot be read here."""
    import imagesize

    file.seek(0)
    width, height = imagesize.get(file)
    known = width >= 0
    if max(width, height) > MOST_PIXELS or (not known and mime in _MEASURABLE):
        raise InputError(f"{subject} is damaged or not an image: it begins like {mime}, but its header is invalid.")
    if known and min(width, height) < LEAST_PIXELS:
        raise InputError(f"{subject} has {width}x{height} pixels; the models take at least {LEAST_PIXELS}x{LEAST_PIXELS}.")


def _format_size(size: int) -> str:
    for unit, bytes_ in (("MB", 10**6), ("kB", 1000)):
        if size >= bytes_:
            return f"{size / bytes_:.3g} {unit}"
    return f"{size} bytes"
