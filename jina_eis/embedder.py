"""Embedding, as steps: any number of texts in, as many vectors out, in their order.

Text in, vectors out: texts are checked and cut into batches, every batch is one call, and every vector is cut to the
wanted dimensions. Nothing here sends or waits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, takewhile
from typing import Any, Literal

from .endpoints import describe, known_endpoint
from .errors import (
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
from .inputs import check_texts
from .models import EmbeddingModel, EmbeddingTask, find_model
from .wire import Call, EndpointInfo, InputType, Steps, Vector, ask, embed

__all__ = ["BATCH_SIZE", "RESCUES", "Embedder", "OnError", "narrow", "skip"]

BATCH_SIZE = 16  # Elastic documents 16 items in a request for the omni models and for ELSER, and nothing for the others

# Errors that no other choice of texts would have averted.
_WHATEVER_IS_SENT = (AuthenticationError, AuthorizationError, ConfigurationError, EndpointNotFoundError, TLSError)


@dataclass(frozen=True, slots=True)
class Embedder:
    """How texts are embedded. Valid if it exists, as far as the endpoint is known without asking.

    Args:
        inference_id: An endpoint of task `text_embedding` or `embedding`.
        dimensions: Length of the vectors; None for the endpoint's own.
        batch_size: Texts in a request.
        timeout: Seconds that the service may take for a request.

    Raises:
        ConfigurationError: a reranker, a size that the model was not trained for, or a batch that it does not take.
    """

    inference_id: str
    dimensions: int | None = None
    batch_size: int = BATCH_SIZE
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if endpoint := known_endpoint(self.inference_id):
            self._check(endpoint)

    def plan(self) -> Steps[EndpointInfo]:
        """The endpoint, described and found fit; what `calls` needs."""
        endpoint = yield from describe(self.inference_id)
        self._check(endpoint)
        return endpoint

    def calls(
        self, endpoint: EndpointInfo, texts: Iterable[str], input_type: InputType, positions: Sequence[int] | None = None
    ) -> Iterator[Call[list[Vector]]]:
        """One call for every batch, made as it is taken.

        Args:
            endpoint: What `plan` returned.
            texts: Any number of them.
            input_type: Their role.
            positions: Where they are in the user's list, for errors; default: from the start.

        Raises:
            InputError: at what is not a string, after the call for the texts before it.
        """
        task: EmbeddingTask = "text_embedding" if endpoint.task == "text_embedding" else "embedding"
        cut = None if self.dimensions == endpoint.dimensions else self.dimensions
        lengths: set[int] = set()  # of the vectors of all answers: one, or they do not belong together
        remaining = iter(texts)
        first = 0
        while batch := list(islice(remaining, self.batch_size)):
            sound = list(takewhile(lambda text: isinstance(text, str), batch))
            if sound:
                call = embed(
                    task,
                    self.inference_id,
                    sound,
                    input_type,
                    timeout=self.timeout,
                    dimensions=endpoint.dimensions,
                    cut=cut,
                    inputs=range(first, first + len(sound)) if positions is None else positions[first : first + len(sound)],
                    completed=first,
                )
                yield _alike(call, lengths)
            check_texts(batch[len(sound) :], first + len(sound))
            first += len(batch)

    def embed(self, texts: list[str], input_type: InputType) -> Steps[list[Vector]]:
        """All vectors, in the order of the texts. No text, no call."""
        check_texts(texts)
        if not texts:
            return []
        endpoint = yield from self.plan()
        batches = yield from ask(self.calls(endpoint, texts, input_type))
        return [vector for batch in batches for vector in batch]

    def _check(self, endpoint: EndpointInfo) -> None:
        name = endpoint.inference_id
        if endpoint.task == "rerank":
            raise ConfigurationError(f"{name} is a reranker and embeds nothing. Use an embedding endpoint.")
        if endpoint.task not in ("text_embedding", "embedding"):
            raise ConfigurationError(
                f"{name} is an endpoint for {endpoint.task}, not for dense vectors. Use an embedding endpoint."
            )
        model = find_model(endpoint.model_id or "")
        if isinstance(model, EmbeddingModel) and model.batch_limit and self.batch_size > model.batch_limit:
            raise ConfigurationError(
                f"batch_size={self.batch_size}: {model.name} takes at most {model.batch_limit} inputs in a request."
            )
        if self.dimensions is not None and self.dimensions != endpoint.dimensions:
            _check_cut(self.dimensions, endpoint, model if isinstance(model, EmbeddingModel) else None)


def _check_cut(dimensions: int, endpoint: EndpointInfo, model: EmbeddingModel | None) -> None:
    name = model.name if model else endpoint.inference_id
    if endpoint.dimensions is not None and dimensions > endpoint.dimensions:
        raise ConfigurationError(
            f"dimensions={dimensions}: {endpoint.inference_id} gives {endpoint.dimensions}. Choose a smaller size."
        )
    if model is None:
        raise ConfigurationError(
            f"dimensions={dimensions}: it is not known which sizes the model of {name} was trained for. Leave dimensions out."
        )
    if dimensions in model.disputed:
        warnings.warn(f"dimensions={dimensions}: only some of the publisher's pages list this size for {name}.", stacklevel=2)
    elif dimensions not in model.matryoshka:
        *sizes, last = map(str, model.matryoshka)
        raise ConfigurationError(
            f"dimensions={dimensions}: {name} was trained for {', '.join(sizes)} and {last}. Choose one of these."
        )


def narrow(call: Call[list[Vector]], error: JinaEISError, others: bool) -> Steps[list[Vector]]:
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
    vectors: list[Vector] = []
    for half, outcome in halves:
        vectors += (yield from narrow(half, outcome, True)) if isinstance(outcome, JinaEISError) else outcome
    return vectors


def skip(call: Call[list[Vector]], error: JinaEISError, _: bool) -> Steps[list[Vector | JinaEISError]]:
    """The vectors of a batch that fails, and errors in place of those that cannot be had.

    Raises:
        JinaEISError: the error, if it has nothing to do with the texts, or if nothing but errors is left of many texts.
    """
    outcomes = yield from _skip(call, error)
    if call.halves and all(isinstance(outcome, JinaEISError) for outcome in outcomes):
        raise error
    return outcomes


OnError = Literal["raise", "skip"]
RESCUES: dict[OnError, Callable[..., Steps[Any]]] = {"raise": narrow, "skip": skip}


def _skip(call: Call[list[Vector]], error: JinaEISError) -> Steps[list[Vector | JinaEISError]]:
    if isinstance(error, _WHATEVER_IS_SENT):
        raise error
    if not call.halves:
        return [error]
    outcomes: list[Vector | JinaEISError] = []
    for half, outcome in (yield from _halves(call)):
        outcomes += (yield from _skip(half, outcome)) if isinstance(outcome, JinaEISError) else outcome
    return outcomes


def _halves(call: Call[list[Vector]]) -> Steps[list[tuple[Call[list[Vector]], list[Vector] | JinaEISError]]]:
    """What becomes of the halves of a call, one after the other: nothing is hurried that may be broken."""
    outcomes: list[tuple[Call[list[Vector]], list[Vector] | JinaEISError]] = []
    for half in call.halves() if call.halves else ():
        try:
            outcomes.append((half, (yield from ask([half]))[0]))
        except JinaEISError as error:  # noqa: PERF203 - of two
            outcomes.append((half, error))
    return outcomes


def _alike(call: Call[list[Vector]], lengths: set[int]) -> Call[list[Vector]]:
    """The same call, whose vectors must be as long as those of all others."""
    halves = call.halves
    return replace(
        call,
        read=partial(_read_alike, call.read, lengths),
        halves=halves and (lambda: [_alike(half, lengths) for half in halves()]),
    )


def _read_alike(read: Callable[[Any], list[Vector]], lengths: set[int], body: Any) -> list[Vector]:
    vectors = read(body)
    lengths.update(map(len, vectors))
    if len(lengths) > 1:
        raise InvalidAnswerError(f"The answers hold vectors of different lengths: {', '.join(map(str, sorted(lengths)))}.")
    return vectors
