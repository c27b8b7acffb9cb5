"""Texts that are longer than a model reads. The service cuts them and does not report it, so this is decided by an estimate.

The estimate of `tokens.position_of_token` is low: a text that is reported is longer, and one that is little longer may not be.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

from ..contents import Content
from ..errors import InputError
from ..models import EmbeddingModel, find_model
from ..wire import EndpointInfo
from .tokens import least_tokens, position_of_token, tokens

__all__ = ["LengthCheck", "TooLong", "notice_of", "report"]

TooLong = Literal["warn", "error", "ignore"]
"""What to do about a text that is longer than the model reads: a `UserWarning`, an `InputError`, or nothing."""


class LengthCheck:
    """Reports the texts of one call that are longer than its model reads, once.

    Args:
        too_long: How they are reported.
    """

    def __init__(self, too_long: TooLong) -> None:
        self._too_long: TooLong = too_long

    def check(self, endpoint: EndpointInfo, contents: Sequence[Content], name: Callable[[int], str]) -> None:
        """Report the inputs that are too long. After a warning, further inputs of the call are not reported.

        Args:
            endpoint: The endpoint that embeds them. Only models in the table are checked.
            contents: Texts and media. Of media, nothing is reported.
            name: Returns the name of an input, given its index in `contents`.

        Raises:
            InputError: for an input that is too long, if too_long is "error".
        """
        if self._too_long == "ignore":
            return
        model = find_model(endpoint.model_id or "")
        notice = notice_of(contents, model.context, model.name, name) if isinstance(model, EmbeddingModel) else None
        if report(notice, self._too_long):
            self._too_long = "ignore"


def report(notice: str | None, too_long: TooLong) -> bool:
    """Warn, or raise InputError. Returns whether there was a warning."""
    if notice is None or too_long == "ignore":
        return False
    if too_long == "error":
        raise InputError(notice)
    warnings.warn(notice, stacklevel=2)
    return True


def notice_of(
    contents: Sequence[Content], limit: int, reader: str, name: Callable[[int], str], total: int | None = None
) -> str | None:
    """Return a sentence about the texts that have more tokens than a model reads; None if there are none.

    Args:
        contents: Texts and media.
        limit: Tokens of a text that are read.
        reader: Name of the model.
        name: Returns the name of a text, given its index.
        total: Number of texts of the call, which the sentence states; None to leave it out.
    """
    too_long = [
        index
        for index, content in enumerate(contents)
        if (type(content) is not str or len(content) > limit)  # most are short
        and isinstance(text := _text(content), str)
        and len(text) > limit
        and position_of_token(text, limit) is not None
    ]
    if not too_long:
        return None
    text = str(_text(contents[too_long[0]]))
    count, others = f" of {total}" if total else "", len(too_long) - 1
    subject = f"{name(too_long[0])}{f' and {others} more' if others else ''}{count} {'are' if others else 'is'}"
    estimate = _rounded((tokens(text) + least_tokens(text)) / 2)
    safe = int(limit * len(text) / tokens(text)) // 100 * 100
    return (
        f"{subject} longer than the {limit:,} tokens that {reader} reads; it ignores the rest. "
        f"{'The first has' if others else 'It has'} about {estimate:,}. Split such texts into passages of at most about {safe:,} "
        "characters."
    )


def _text(content: Content) -> str | None:
    """Return the text of an input, or of all its parts; None for a medium."""
    if isinstance(content, tuple):
        return " ".join(part for part in content if isinstance(part, str))
    return content if isinstance(content, str) else None


def _rounded(number: float) -> int:
    """Return a number with two significant digits: an estimate has no more."""
    step = int(10 ** max(0, len(str(int(number))) - 2))
    return round(number / step) * step
