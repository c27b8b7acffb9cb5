"""Objects of other libraries that hold a text or medium, identified by their methods: files, PIL images, content blocks."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from inspect import iscoroutine
from io import SEEK_END, BytesIO
from typing import Any, Protocol

from ..errors import InputError
from .links import Link, medium_from_url
from .media import LARGEST, Medium, check_size

__all__ = [
    "Image",
    "Resource",
    "content_of_block",
    "describe_type",
    "is_file",
    "is_image",
    "medium_from_file",
    "medium_from_image",
    "non_empty",
]

_MEDIA_BLOCKS = ("image", "audio", "video", "file")
_TEXT_BLOCKS = ("text", "text-plain")
_EXAMPLE = '{"type": "image", "base64": ...}'
_MODES_OF_UNKNOWN_RANGE = ("I", "F")
_ORIENTATION = 0x0112  # the EXIF tag; below, the PIL transposition that undoes each of its values
_TRANSPOSITIONS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")  # the PIL image modes that its PNG writer takes


class Image(Protocol):
    """A PIL image."""

    mode: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def save(self, fp: Any, format: str | None = None) -> None:  # noqa: A002 - PIL's name
        """Write it into a file."""


class Resource(Protocol):
    """A `Blob` of LangChain, or a `MediaResource` of LlamaIndex."""

    @property
    def mimetype(self) -> str | None:
        """Its MIME type, if it is known."""


def medium_from_file(file: Any) -> Medium:
    """Return the content of a file from its current position, which is restored."""
    name = getattr(file, "name", "")
    name = name if isinstance(name, str) else ""
    try:
        start = file.tell() if getattr(file, "seekable", lambda: False)() else None
        if start is not None:
            end = file.seek(0, SEEK_END)
            file.seek(start)
            if isinstance(end, int) and end - start > LARGEST:
                check_size(end - start, name or "the file")
        data = file.read(LARGEST + 1)
        if start is not None:
            file.seek(start)
    except InputError:
        raise
    except Exception as error:  # a foreign object may raise anything
        raise InputError(f"the file cannot be read: {error}.") from error
    if iscoroutine(data):
        data.close()
        raise InputError("the file must be read with await. Pass the result of `await file.read()`.")
    if not isinstance(data, (bytes, bytearray)):
        raise InputError("the file does not return bytes. Open it in binary mode, open(path, 'rb').")
    if start and not data:
        raise InputError("the file is at its end. Rewind it with seek(0).")
    return Medium.from_bytes(data, name=name)


def medium_from_image(image: Any) -> Medium:
    """Return a PIL image as PNG. Its EXIF orientation is applied, as other readers of the file do."""
    if image.mode in _MODES_OF_UNKNOWN_RANGE:
        raise InputError(f"the PIL image has mode {image.mode}, whose range is unknown. Scale it to 8 bits, mode L or RGB.")
    file = BytesIO()
    try:
        orientation = image.getexif().get(_ORIENTATION) if hasattr(image, "getexif") else None
        upright = image.transpose(_TRANSPOSITIONS[orientation]) if orientation in _TRANSPOSITIONS else image
        if upright.mode not in _PNG_MODES:
            upright = upright.convert("RGBA" if upright.mode in ("PA", "RGBa", "La") else "RGB")
        upright.save(file, format="PNG")
    except Exception as error:  # a foreign object may raise anything
        reason = str(error) or "is its file closed?"
        raise InputError(f"the PIL image cannot be saved: {reason}") from error
    return Medium.from_bytes(file.getvalue())


def content_of_block(block: Mapping[str, Any]) -> str | Medium | Link:
    """Return the content of a LangChain content block, in its current or former form, or of an OpenAI `image_url` part."""
    kind = block.get("type")
    if kind == "image_url":
        image_url = block.get("image_url")
        url = image_url.get("url") if isinstance(image_url, Mapping) else image_url
        if not isinstance(url, str):
            raise InputError(f"the url of the content block is {describe_type(url)}, not a string.")
        return medium_from_url(url, "image/*")
    if kind is None:
        raise InputError(f"it is a dictionary without a type, not a content block. Pass the text, or {_EXAMPLE}.")
    if kind not in (*_MEDIA_BLOCKS, *_TEXT_BLOCKS):
        raise InputError(
            f"the content block has type {kind!r}. Supported are {', '.join((*_TEXT_BLOCKS, *_MEDIA_BLOCKS))} and image_url."
        )
    sources = ("text", "base64", "data", "url", "file_id", *(("id",) if block.get("source_type") == "id" else ()))
    present = [name for name in sources if block.get(name) is not None]
    if len(present) != 1:
        raise InputError(
            f"the content block must hold one of text, base64 and url; this one holds {', '.join(present) or 'none'}."
        )
    (source,) = present
    value = block[source]
    if source in ("file_id", "id"):
        raise InputError(
            f"the {source} of the content block names a file that is stored by another service. Pass its bytes as base64."
        )
    if not isinstance(value, str):
        raise InputError(f"the {source} of the content block is {describe_type(value)}, not a string.")
    if source == "text":
        return non_empty(value)
    mime = _declared_mime(block, kind)
    if source == "url" and kind not in _TEXT_BLOCKS:
        return medium_from_url(value, mime)
    if source == "url":
        raise InputError("the content block has the URL of a text. Fetch it yourself, and pass the text.")
    if kind in _TEXT_BLOCKS or mime.startswith("text/"):
        return non_empty(_decode_text(value))
    return _of_kind(Medium.from_base64(value, mime), kind)


def _of_kind(medium: Medium, kind: str) -> Medium:
    """Return the medium. Raises InputError if a block for a sound, say, holds a video: the declared type may be a guess."""
    if kind != "file" and medium.modality != kind:
        raise InputError(f"{'an' if kind[0] in 'ai' else 'a'} {kind} is expected here, but its bytes are {medium.mime}.")
    return medium


def _declared_mime(block: Mapping[str, Any], kind: str) -> str:
    """Return the MIME type of a content block, or a pattern for its kind if it declares no other."""
    mime = str(block.get("mime_type") or "").lower()
    if kind not in ("image", "audio", "video"):
        return mime
    if not mime or mime.startswith("application/"):
        return f"{kind}/*"
    if not mime.startswith(f"{kind}/"):
        raise InputError(f"the content block has type {kind} and declares {mime}. Correct one of them.")
    return mime


def _decode_text(base64: str) -> str:
    try:
        return b64decode("".join(base64.split()), validate=True).decode()
    except ValueError:
        raise InputError("the base64 of the text is invalid, or is not UTF-8.") from None


def non_empty(text: str) -> str:
    """Return the same text. Raises InputError if it is empty."""
    if not text:
        raise InputError("the text is empty. Leave it out.")
    return text


def is_file(value: object) -> bool:
    """Whether a value has a method `read`."""
    return callable(getattr(value, "read", None))


def is_image(value: object) -> bool:
    """Whether a value looks like a PIL image."""
    return callable(getattr(value, "save", None)) and hasattr(value, "size") and hasattr(value, "mode")


def describe_type(value: object) -> str:
    """Return "None" or "of type …", for errors."""
    return "None" if value is None else f"of type {type(value).__name__}"
