"""What to do with a batch that has failed for good, as steps: find the input at fault, or do without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from ..errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    EndpointNotFoundError,
    JinaEISError,
    RateLimitError,
    RequestRejectedError,
    RequestTooLargeError,
    TLSError,
)
from ..wire import Call, Steps, ask

__all__ = ["RESCUES", "OnError", "apart", "narrow", "skip"]

A = TypeVar("A")

# Errors that no other choice of inputs would have averted.
_WHATEVER_IS_SENT = (AuthenticationError, AuthorizationError, ConfigurationError, EndpointNotFoundError, TLSError)


def narrow(call: Call[list[A]], error: JinaEISError, others: bool) -> Steps[list[A]]:
    """Find the text that makes a batch fail while others pass: raises the text's own error, with its position.

    Raises:
        JinaEISError: the batch's error, if it is not the fault of one text: nothing tells that other texts would pass, or
            both halves fail.
    """
    suspicious = isinstance(error, (RequestRejectedError, RequestTooLargeError)) or (others and error.transient)
    if not suspicious or isinstance(error, RateLimitError) or not call.halves:
        raise error
    halves = yield from _halves(call)
    if all(isinstance(outcome, JinaEISError) for _, outcome in halves):
        raise error
    vectors: list[A] = []
    for half, outcome in halves:
        vectors += (yield from narrow(half, outcome, True)) if isinstance(outcome, JinaEISError) else outcome
    return vectors


def skip(call: Call[list[A]], error: JinaEISError, _: bool) -> Steps[list[A | JinaEISError]]:
    """The vectors of a batch that fails, and errors in place of those that cannot be had.

    Raises:
        JinaEISError: the error, if it has nothing to do with the texts, or if nothing but errors is left of many texts.
    """
    outcomes = yield from _skip(call, error)
    if call.halves and all(isinstance(outcome, JinaEISError) for outcome in outcomes):
        raise error
    return outcomes


def apart(call: Call[list[A]], error: JinaEISError, others: bool) -> Steps[list[A | JinaEISError]]:
    """As `skip`, for calls of which the one knows nothing of the other: errors may be all that is left of a batch.

    Raises:
        JinaEISError: the error, if it has nothing to do with the inputs, or if nothing tells that others would pass.
    """
    if error.transient and not others:
        raise error
    return (yield from _skip(call, error))


OnError = Literal["raise", "skip"]
RESCUES: dict[OnError, Callable[..., Steps[Any]]] = {"raise": narrow, "skip": skip}


def _skip(call: Call[list[A]], error: JinaEISError) -> Steps[list[A | JinaEISError]]:
    if isinstance(error, _WHATEVER_IS_SENT):
        raise error
    if not call.halves:
        return [error]
    outcomes: list[A | JinaEISError] = []
    for half, outcome in (yield from _halves(call)):
        outcomes += (yield from _skip(half, outcome)) if isinstance(outcome, JinaEISError) else outcome
    return outcomes


def _halves(call: Call[list[A]]) -> Steps[list[tuple[Call[list[A]], list[A] | JinaEISError]]]:
    """What becomes of the halves of a call, one after the other: nothing is hurried that may be broken."""
    outcomes: list[tuple[Call[list[A]], list[A] | JinaEISError]] = []
    for half in call.halves() if call.halves else ():
        try:
            outcomes.append((half, (yield from ask([half]))[0]))
        except JinaEISError as error:
            outcomes.append((half, error))
    return outcomes
