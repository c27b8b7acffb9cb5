"""The content of LangChain's `Blob`, in the types of the core."""

from __future__ import annotations

from typing import Any

from jina_eis.contents import Medium, Part
from jina_eis.errors import InputError

__all__ = ["from_blob"]


def from_blob(value: Any) -> Part | None:
    """The content of a `Blob`; None for other objects."""
    from langchain_core.documents.base import Blob

    if not isinstance(value, Blob):
        return None
    declared = value.mimetype or ""
    if isinstance(value.data, str) and declared.startswith(("image/", "audio/", "video/", "application/pdf")):
        raise InputError(f"a Blob has a string as data and is declared as {declared}. Pass bytes.")
    if isinstance(value.data, str) or declared.startswith("text/"):
        try:
            return value.as_string() or _refuse_empty_text()
        except InputError:
            raise
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or error
            raise InputError(f"{value.path or 'a Blob'} cannot be read as text: {cause}.") from error
    if value.data is not None:
        return Medium.from_bytes(value.data, declared, source=str(value.source or ""))
    return Medium.from_path(value.path or "")  # LangChain guesses the type of a file from its name: its bytes decide


def _refuse_empty_text() -> str:
    raise InputError("the text is empty. Leave it out.")
