"""What LangChain's objects hold, as the core knows it."""

from __future__ import annotations

from typing import Any

from jina_eis.contents import Medium, Part
from jina_eis.errors import InputError

__all__ = ["from_blob"]


def from_blob(value: Any) -> Part | None:
    """What a `Blob` holds; None for anything else."""
    from langchain_core.documents.base import Blob

    if not isinstance(value, Blob):
        return None
    declared = value.mimetype or ""
    if isinstance(value.data, str) and declared.startswith(("image/", "audio/", "video/", "application/pdf")):
        raise InputError(f"a Blob with a string for data, declared as {declared}. Pass the bytes.")
    if isinstance(value.data, str) or declared.startswith("text/"):
        try:
            return value.as_string() or _nothing()
        except InputError:
            raise
        except (OSError, ValueError) as failed:
            cause = getattr(failed, "strerror", None) or failed
            raise InputError(f"{value.path or 'a Blob'} cannot be read as text: {cause}.") from failed
    if value.data is not None:
        return Medium.from_bytes(value.data, declared)
    kind = f"{declared.partition('/')[0]}/*" if declared else ""  # of a file, LangChain guesses the rest from its name
    return Medium.from_path(value.path or "", declared if kind == "application/*" else kind)


def _nothing() -> str:
    raise InputError("an empty text. Leave it out.")
