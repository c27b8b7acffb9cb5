"""Objects of others that hold a text or medium, told by what they can do: files, images of PIL, content blocks."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from inspect import iscoroutine
from io import BytesIO
from typing import Any, Protocol

from ..errors import InputError
from .links import Link, link
from .media import LARGEST, Medium

__all__ = ["Image", "Resource", "a", "block_content", "drawn", "filled", "is_file", "is_image", "read"]

_MEDIA_BLOCKS = ("image", "audio", "video", "file")
_TEXT_BLOCKS = ("text", "text-plain")
_DEEP = ("I", "F")
_ORIENTATION = 0x0112  # of EXIF; below, what PIL calls the transpositions that undo it
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")  # of PIL's images, those that its PNG writer takes


class Image(Protocol):
    """An image of PIL."""

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


def read(file: Any) -> Medium:
    """What a file holds from where it stands; it is left standing there."""
    try:
        start = file.tell() if getattr(file, "seekable", lambda: False)() else None
        data = file.read(LARGEST + 1)
        if start is not None:
            file.seek(start)
    except Exception as failed:  # whatever a foreign object raises
        raise InputError(f"a file that cannot be read: {failed}.") from failed
    if iscoroutine(data):
        data.close()
        raise InputError("a file that is read with await. Pass what `await file.read()` gives.")
    if not isinstance(data, (bytes, bytearray)):
        raise InputError("a file that gives no bytes. Open it in binary mode, open(path, 'rb').")
    if start and not data:
        raise InputError("a file that stands at its end. Go back with seek(0).")
    name = getattr(file, "name", "")
    return Medium.from_bytes(data, name=name if isinstance(name, str) else "")


def drawn(image: Any) -> Medium:
    """An image of PIL as PNG, turned as its camera was held, as other readers of its file turn it."""
    if image.mode in _DEEP:
        raise InputError(f"an image of PIL of mode {image.mode}, whose range nobody knows. Scale it to 8 bits, mode L or RGB.")
    file = BytesIO()
    try:
        turned = image.getexif().get(_ORIENTATION) if hasattr(image, "getexif") else None
        upright = image.transpose(_TURNS[turned]) if turned in _TURNS else image
        kept = upright.mode in _PNG_MODES
        (upright if kept else upright.convert("RGBA" if upright.mode in ("PA", "RGBa", "La") else "RGB")).save(file, format="PNG")
    except Exception as failed:  # whatever a foreign object raises
        why = str(failed) or "is its file closed?"
        raise InputError(f"an image of PIL that cannot be saved: {why}") from failed
    return Medium.from_bytes(file.getvalue())


def block_content(block: Mapping[str, Any]) -> str | Medium | Link:
    """A content block of LangChain, of its present or former form, or an `image_url` part as OpenAI has it."""
    kind = block.get("type")
    if kind == "image_url":
        held_url = block.get("image_url")
        url = held_url.get("url") if isinstance(held_url, Mapping) else held_url
        if not isinstance(url, str):
            raise InputError(f"a content block whose url is {a(url)}, not a string.")
        return link(url, "image/*")
    if kind not in (*_MEDIA_BLOCKS, *_TEXT_BLOCKS):
        raise InputError(
            f"a content block of type {kind!r}. It takes {', '.join((*_TEXT_BLOCKS, *_MEDIA_BLOCKS))} and image_url."
        )
    sources = ("text", "base64", "data", "url", "file_id", *(("id",) if block.get("source_type") == "id" else ()))
    held = [name for name in sources if block.get(name) is not None]
    if len(held) != 1:
        raise InputError(f"a content block holds one of text, base64 and url, and this one holds {', '.join(held) or 'none'}.")
    (source,) = held
    value = block[source]
    if source in ("file_id", "id"):
        raise InputError(f"a content block with {source}: the file is kept by another service. Pass its bytes as base64.")
    if not isinstance(value, str):
        raise InputError(f"a content block whose {source} is {a(value)}, not a string.")
    if source == "text":
        return filled(value)
    mime = _declared(block, kind)
    if source == "url" and kind not in _TEXT_BLOCKS:
        return link(value, mime)
    if source == "url":
        raise InputError("a text by URL. Fetch it yourself, and pass the text.")
    if kind in _TEXT_BLOCKS or mime.startswith("text/"):
        return filled(_decoded(value))
    return Medium.from_base64(value, mime)


def _declared(block: Mapping[str, Any], kind: str) -> str:
    """The MIME type of a content block, as far as it says more than its kind."""
    mime = str(block.get("mime_type") or "").lower()
    if kind not in ("image", "audio", "video"):
        return mime
    if not mime or mime.startswith("application/"):
        return f"{kind}/*"
    if not mime.startswith(f"{kind}/"):
        raise InputError(f"a content block of type {kind} that declares {mime}. Correct one of them.")
    return mime


def _decoded(base64: str) -> str:
    try:
        return b64decode("".join(base64.split()), validate=True).decode()
    except ValueError:
        raise InputError("a text whose base64 is broken or holds no UTF-8.") from None


def filled(text: str) -> str:
    """The same text. Raises InputError for an empty one."""
    if not text:
        raise InputError("an empty text. Leave it out.")
    return text


def is_file(value: object) -> bool:
    """Whether a value can be read from."""
    return callable(getattr(value, "read", None))


def is_image(value: object) -> bool:
    """Whether a value is an image as PIL has it."""
    return callable(getattr(value, "save", None)) and hasattr(value, "size") and hasattr(value, "mode")


def a(value: object) -> str:
    """What a value is, for errors."""
    return "None" if value is None else f"of type {type(value).__name__}"
