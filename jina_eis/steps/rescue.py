"""Handling of a batch that has failed permanently, as steps: find the input that causes it, or skip it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from ..errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    EndpointNotFoundError,
    InvalidAnswerError,
    JinaEISError,
    RateLimitError,
    RequestRejectedError,
    RequestTooLargeError,
    TLSError,
)
from ..wire import Call, Steps, ask

__all__ = [
    "RESCUES",
    "OnError",
    "find_failing_input",
    "isolate_failing_inputs",
    "keep_failing_inputs",
    "skip_failing_inputs",
]

A = TypeVar("A")
LOG = logging.getLogger("jina_eis.pace")

# Errors that do not depend on the inputs.
_INDEPENDENT_OF_INPUTS = (AuthenticationError, AuthorizationError, ConfigurationError, EndpointNotFoundError, TLSError)

# Errors that one input of a batch may cause.
_OFTEN_OF_ONE_INPUT = (InvalidAnswerError, RequestRejectedError, RequestTooLargeError)


def find_failing_input(call: Call[list[A]], error: JinaEISError, others: bool) -> Steps[list[A]]:
    """Divide a failed batch until the text that fails is found, and raise the error of that text, with its position.

    Raises:
        JinaEISError: the error of the batch, if no single text causes it: there is no sign that other texts succeed, both
            halves fail, or an invalid response does not come again.
    """
    suspicious = isinstance(error, _OFTEN_OF_ONE_INPUT) or (others and error.transient)
    if not suspicious or isinstance(error, RateLimitError) or not call.halves:
        raise error
    halves = yield from _halves(call, error)
    if all(isinstance(outcome, JinaEISError) for _, outcome in halves):
        raise error
    vectors: list[A] = []
    for half, outcome in halves:
        vectors += (yield from find_failing_input(half, outcome, True)) if isinstance(outcome, JinaEISError) else outcome
    if isinstance(error, InvalidAnswerError):  # no text causes it, and a service that answers differently is not believed
        raise error
    return vectors


def skip_failing_inputs(call: Call[list[A]], error: JinaEISError, _: bool) -> Steps[list[A | JinaEISError]]:
    """Return the vectors of a failed batch, with an error in place of each vector that could not be computed.

    Raises:
        JinaEISError: the error of the batch, if it does not depend on the texts, or if all of several texts fail.
    """
    outcomes = yield from _skip(call, error)
    if call.halves and all(isinstance(outcome, JinaEISError) for outcome in outcomes):
        raise error
    return outcomes


def isolate_failing_inputs(call: Call[list[A]], error: JinaEISError, others: bool) -> Steps[list[A | JinaEISError]]:
    """As `skip_failing_inputs`, for independent calls: all inputs of a batch may fail.

    Raises:
        JinaEISError: the error of the batch, if it does not depend on the inputs, or there is no sign that others succeed.
    """
    if error.transient and not others:
        raise error
    return (yield from _skip(call, error))


def keep_failing_inputs(call: Call[list[A]], error: JinaEISError, others: bool) -> Steps[list[A | JinaEISError]]:
    """As `skip_failing_inputs`, also if all texts fail: each then has an error.

    After a transient error, a batch whose halves both fail is not divided further. The service is then failing, not a text.

    Raises:
        JinaEISError: the error of the batch, if it does not depend on the texts.
    """
    if isinstance(error, _INDEPENDENT_OF_INPUTS):
        raise error
    failed: list[A | JinaEISError] = [error] * len(call.inputs or (0,))
    if not call.halves or (error.transient and not others):
        return failed
    halves = yield from _halves(call, error)
    if error.transient and all(isinstance(outcome, JinaEISError) for _, outcome in halves):
        return failed
    outcomes: list[A | JinaEISError] = []
    for half, outcome in halves:
        outcomes += (yield from keep_failing_inputs(half, outcome, True)) if isinstance(outcome, JinaEISError) else outcome
    return outcomes


OnError = Literal["raise", "skip"]
RESCUES: dict[OnError, Callable[..., Steps[Any]]] = {"raise": find_failing_input, "skip": skip_failing_inputs}


def _skip(call: Call[list[A]], error: JinaEISError) -> Steps[list[A | JinaEISError]]:
    if isinstance(error, _INDEPENDENT_OF_INPUTS):
        raise error
    if not call.halves:
        return [error]
    outcomes: list[A | JinaEISError] = []
    for half, outcome in (yield from _halves(call, error)):
        outcomes += (yield from _skip(half, outcome)) if isinstance(outcome, JinaEISError) else outcome
    return outcomes


def _halves(call: Call[list[A]], error: JinaEISError) -> Steps[list[tuple[Call[list[A]], list[A] | JinaEISError]]]:
    """Return the outcomes of the halves of a call. They are sent one after the other, to spare a service that may be failing."""
    if call.retries is None:  # not itself a half
        LOG.info("%s from %s: the batch is sent in parts, to find what fails", type(error).__name__, call.endpoint or call.path)
    outcomes: list[tuple[Call[list[A]], list[A] | JinaEISError]] = []
    for half in call.halves() if call.halves else ():
        try:
            outcomes.append((half, (yield from ask([half]))[0]))
        except JinaEISError as own:
            outcomes.append((half, own))
    return outcomes
