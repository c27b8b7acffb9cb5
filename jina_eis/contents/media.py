"""Media: identified by their bytes, and encoded for a request.

A medium is checked when it is created: a known format that agrees with the declared type, neither empty nor too large, an
image not too small. Only the start of a file and the description of its tracks are read then; the whole file is read when it
is sent, to save memory.
"""

from __future__ import annotations

import os
import stat
from binascii import b2a_base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import InputError
from ..models import Modality
from .encoding import decode_base64, split_data_uri
from .pixels import pixel_size
from .signatures import Identity, identify

__all__ = ["LARGEST", "LEAST_PIXELS", "Medium", "check_size", "describe", "modality_of", "pixel_size"]

LARGEST = 74 * 2**20  # bytes; in base64 they just fit into a request to Elasticsearch (http.max_content_length, 100 MB)
LEAST_PIXELS = 28  # on each side; documented by Elastic for the omni models

# The canonical name of a format that has several.
_CANONICAL = {
    "application/x-pdf": "application/pdf",
    "audio/aacp": "audio/aac",
    "audio/aiff": "audio/x-aiff",
    "audio/m4a": "audio/mp4",
    "audio/mid": "audio/midi",
    "audio/mp3": "audio/mpeg",
    "audio/mp4a-latm": "audio/mp4",
    "audio/aac-adts": "audio/aac",
    "audio/aifc": "audio/x-aiff",
    "audio/caf": "audio/x-caf",
    "audio/mka": "audio/x-matroska",
    "audio/x-aac": "audio/aac",
    "audio/x-aifc": "audio/x-aiff",
    "audio/x-hx-aac-adts": "audio/aac",
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
    "image/ico": "image/x-icon",
    "image/jpx": "image/jp2",
    "image/psd": "image/vnd.adobe.photoshop",
    "image/x-psd": "image/vnd.adobe.photoshop",
    "application/photoshop": "image/vnd.adobe.photoshop",
    "video/avi": "video/x-msvideo",
    "video/flv": "video/x-flv",
    "video/matroska": "video/x-matroska",
    "video/mkv": "video/x-matroska",
    "video/msvideo": "video/x-msvideo",
    "video/vnd.avi": "video/x-msvideo",
    "video/x-m4v": "video/mp4",
}
# Containers of one family. A declaration within the family is often a guess from a file name, so the content decides.
_FAMILIES = [
    {f"{kind}/{subtype}" for kind in ("audio", "video", "application") for subtype in subtypes}
    for subtypes in (
        ("mp4", "quicktime", "3gpp", "3gpp2"),
        ("webm", "x-matroska"),
        ("ogg",),
        ("x-ms-asf", "x-ms-wma", "x-ms-wmv"),
        ("x-msvideo",),
        ("x-flv",),
        ("mp2t", "mp2p", "vnd.dlna.mpeg-tts"),
    )
]
_FAMILIES.append({f"image/{subtype}{ending}" for subtype in ("heic", "heif", "avif") for ending in ("", "-sequence")})
_NON_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # the file may have become a pipe
_UNSPECIFIC = ("", "*/*", "application/octet-stream", "binary/octet-stream")
_CHUNK = 3 * 2**20  # bytes that are encoded at a time; a multiple of 3


@dataclass(frozen=True, slots=True)
class _File:
    """A checked file, and its state at that time."""

    path: Path
    state: tuple[int, ...]

    def open(self) -> BinaryIO:
        """Open the file. Raises InputError if it has changed or can no longer be read."""
        try:
            file = os.fdopen(os.open(self.path, os.O_RDONLY | _NON_BLOCKING), "rb")
        except OSError as error:
            raise InputError(f"{self.path} can no longer be read: {error.strerror}.") from error
        if _file_state(os.fstat(file.fileno())) == self.state:
            return file
        file.close()
        raise InputError(f"{self.path} has changed since it was checked. Embed it again.")

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes in parts, each but the last of `_CHUNK` bytes. Raises InputError if the file has changed."""
        try:
            with open(os.open(self.path, os.O_RDONLY | _NON_BLOCKING), "rb") as file:
                if _file_state(os.fstat(file.fileno())) == self.state:
                    while chunk := file.read(_CHUNK):
                        yield chunk
                    if _file_state(os.fstat(file.fileno())) == self.state:
                        return
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
        source: Where it came from: a path as it was given, the name of an open file, a URL; "" if it is not known.
        pixels: Width and height of an image; None if they are not known.
        seconds: Duration of a sound or video; None if it is not known.
        url: The URL that the service fetches it from; None if its bytes are sent.
    """

    modality: Modality
    mime: str
    size: int
    label: str
    _payload: bytes | _File = field(repr=False)
    source: str = field(default="", repr=False)
    pixels: tuple[int, int] | None = None
    seconds: float | None = None
    url: str | None = field(default=None, repr=False)  # its query may hold a secret

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, declared: str = "", *, name: str = "", source: str = "") -> Medium:
        """Create a medium from bytes.

        Args:
            data: The bytes.
            declared: The declared MIME type, or a pattern such as `image/*`; "" for none.
            name: Its label; "" for its type and size.
            source: Where it came from; "" for its name.
        """
        size = memoryview(data).nbytes
        check_size(size, name or "it")
        data = bytes(data)
        return _checked_medium(BytesIO(data), size, declared, name, data, source or name)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], declared: str = "") -> Medium:
        """Create a medium from a file, which must not change before it is sent."""
        path = Path(path)
        try:
            result = path.stat()
            if not stat.S_ISREG(result.st_mode):
                kind = "a directory" if stat.S_ISDIR(result.st_mode) else "a device or pipe"
                raise InputError(f"{path} is {kind}, not a file.")
            check_size(result.st_size, str(path))
            with path.open("rb") as file:
                payload = _File(path, _file_state(result))
                return _checked_medium(file, result.st_size, declared, str(path), payload, str(path))
        except InputError:
            raise
        except FileNotFoundError:
            hint = "Write path.expanduser()." if str(path).startswith("~") else f"A relative path starts at {Path.cwd()}."
            raise InputError(f"the file {path} does not exist. {hint}") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error

    @classmethod
    def from_base64(cls, text: str, declared: str = "", *, source: str = "") -> Medium:
        """Create a medium from base64 without a prefix. White space is ignored, and the padding may be missing."""
        return cls.from_bytes(decode_base64(text, 0, LARGEST), declared, source=source)

    @classmethod
    def from_data_uri(cls, uri: str, declared: str = "", *, source: str = "") -> Medium:
        """Create a medium from a data URI, `data:image/png;base64,...`, as browsers write and read it.

        The type ends at the first `;`, and the data begin after the first `;base64,`: what is between them is ignored.
        """
        mime, start = split_data_uri(uri)
        try:
            data = decode_base64(uri, start, LARGEST)
        except InputError as error:
            raise InputError(f"the data URI ({mime or 'without a type'}) is invalid: {error}") from None
        if mime.lower() in _UNSPECIFIC:
            return cls.from_bytes(data, declared, source=source)
        medium = cls.from_bytes(data, mime, source=source)
        _agreed_mime(Identity(medium.mime), declared)
        return medium

    @classmethod
    def at_url(cls, url: str, modality: Modality, label: str) -> Medium:
        """Create a medium that the service fetches. The URL was checked by the caller."""
        return cls(modality, "", 0, label, b"", url=url)

    @property
    def encoded_size(self) -> int:
        """Length of its base64 or URL in a request, in characters."""
        return -(-self.size // 3) * 4 if self.url is None else len(self.url)

    def open(self) -> BinaryIO:
        """Open the medium for reading.

        Raises:
            InputError: it is a URL, or its file can no longer be read, or has changed.
        """
        if self.url is not None:
            raise InputError(f"{self.label} is a URL that only the service reads. Pass the bytes.")
        return BytesIO(self._payload) if isinstance(self._payload, bytes) else self._payload.open()

    def data_uri(self) -> str:
        """Return the medium as a data URI. A file is read here.

        Raises:
            InputError: the file can no longer be read, or has changed.
        """
        uri = BytesIO()
        self.write_data_uri(uri)
        return str(uri.getbuffer(), "ascii")

    def write_data_uri(self, output: BinaryIO) -> None:
        """As `data_uri`, but write it into a file. It is read and encoded in parts, to save memory."""
        output.write(f"data:{self.mime};base64,".encode())
        for chunk in _chunks(self._payload) if isinstance(self._payload, bytes) else self._payload.chunks():
            output.write(b2a_base64(chunk, newline=False))


def describe(medium: Medium) -> dict[str, Any]:
    """Return what is known of a medium, as metadata of a document.

    Keys: `modality`, and `mime_type` if it is known; `source` unless the medium came from bytes without a name; `width` and
    `height` in pixels and `seconds` where they are known.
    """
    facts: dict[str, Any] = {"source": medium.source} if medium.source else {}
    facts |= {"mime_type": medium.mime, "modality": medium.modality} if medium.mime else {"modality": medium.modality}
    if medium.pixels:
        facts["width"], facts["height"] = medium.pixels
    if medium.seconds is not None:
        facts["seconds"] = round(medium.seconds, 3)
    return facts


def _chunks(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), _CHUNK):
        yield view[start : start + _CHUNK]


def check_size(size: int, subject: str) -> None:
    """Raise InputError for a medium that is empty or too large for a request; `subject` names it."""
    if not size:
        raise InputError(f"{subject} is empty.")
    if size > LARGEST:
        raise InputError(f"{subject} has {_format_size(size)}; a request to Elasticsearch holds {_format_size(LARGEST)} at most.")


def _checked_medium(file: BinaryIO, size: int, declared: str, name: str, payload: bytes | _File, source: str) -> Medium:
    identity = identify(file, size, name)
    try:
        mime = _agreed_mime(identity, declared)
    except InputError as error:
        raise InputError(f"{name}: {error}" if name else str(error)) from None
    pixels = _checked_pixels(file, mime, name or "it") if mime.startswith("image/") else None
    label = name or f"<{mime}, {_format_size(size)}>"
    return Medium(cast(Modality, modality_of(mime)), mime, size, label, payload, source, pixels, identity.seconds)


def _agreed_mime(identity: Identity, declared: str) -> str:
    """Return the MIME type that fits both the bytes and the declaration.

    Within a family of containers the tracks decide, whatever is declared; where they could not be read, the declaration.
    """
    detected = identity.mime
    declared = declared.partition(";")[0].strip().lower()
    declared = _CANONICAL.get(declared, declared)
    kind, _, subtype = declared.partition("/")
    family = next((family for family in _FAMILIES if detected in family), {detected})
    if declared in _UNSPECIFIC or declared == detected:
        return detected
    if subtype == "*":
        if _main_type(detected) == kind:
            return detected
        if not identity.certain and f"{kind}/{detected.partition('/')[2]}" in family:
            return f"{kind}/{detected.partition('/')[2]}"
        raise InputError(f"{'an' if kind[:1] in ('a', 'i') else 'a'} {kind} is expected here, but its bytes are {detected}.")
    if declared in family:
        return detected if identity.certain or kind == "application" else declared
    raise InputError(f"it is declared as {declared}, but its bytes are {detected}. Correct the declared type.")


def _main_type(mime: str) -> str:
    return mime.partition("/")[0]


def modality_of(mime: str) -> Modality | None:
    """Return the modality of a MIME type or of a pattern such as `image/*`; None for any other type."""
    mime = mime.partition(";")[0].strip().lower()
    kind = _main_type(mime)
    if _CANONICAL.get(mime, mime) == "application/pdf":
        return "pdf"
    return cast(Modality, kind) if kind in ("image", "audio", "video") else None


def _checked_pixels(file: BinaryIO, mime: str, subject: str) -> tuple[int, int] | None:
    """Return the size of an image. Refuse one that is too small or has a damaged header."""
    try:
        pixels = pixel_size(file)
    except ValueError:
        raise InputError(f"{subject} is damaged or not an image: it begins like {mime}, but its header is invalid.") from None
    if pixels and min(pixels) < LEAST_PIXELS:
        width, height = pixels
        raise InputError(f"{subject} has {width}x{height} pixels; the models take at least {LEAST_PIXELS}x{LEAST_PIXELS}.")
    return pixels


def _format_size(size: int) -> str:
    for unit, bytes_ in (("MB", 10**6), ("kB", 1000)):
        if size >= bytes_:
            return f"{size / bytes_:.3g} {unit}"
    return f"{size} bytes"
