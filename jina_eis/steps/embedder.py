"""Embedding, as steps: any number of texts in, as many vectors out, in their order.

Text in, vectors out: texts are checked and cut into batches, every batch is one call, and every vector is cut to the
wanted dimensions. Nothing here sends or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, takewhile
from typing import Any, cast

from ..contents import Content, Medium, check_texts
from ..errors import ConfigurationError, InvalidAnswerError
from ..models import EmbeddingModel, find_model
from ..wire import Call, EndpointInfo, InputType, Steps, Vector, ask, embed
from .compatibility import check_modalities, check_spaces
from .endpoints import check_dimensions, describe_endpoint, known_endpoint

__all__ = ["BATCH_SIZE", "Embedded", "Embedder", "streams_at_most"]

BATCH_SIZE = 16  # Elastic documents 16 items in a request for the omni models and for ELSER, and nothing for the others
BATCH_BYTES = 4 * 2**20  # of media, in base64; no limit of the service is published, and 3 MB in a request have been seen to pass

IN_FLIGHT_BYTES = 64 * 2**20  # of media, in base64, in all requests of a call together; each is in memory about three times

Embedded = Vector | list[Vector]
"""One vector; for a PDF, a list with the vector of every page."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """How texts and media are embedded. Valid if it exists, as far as the endpoint is known without asking.

    Args:
        inference_id: An endpoint of task `text_embedding` or `embedding`.
        dimensions: Length of the vectors; None for the endpoint's own.
        batch_size: Texts in a request.
        timeout: Seconds that the service may take for a request.
        comparable_with: An endpoint whose vectors lie beside these; None for no such claim.

    Raises:
        ConfigurationError: a reranker, a size that the model was not trained for, a batch that it does not take, or another
            vector space than that of `comparable_with`.
    """

    inference_id: str
    dimensions: int | None = None
    batch_size: int = BATCH_SIZE
    timeout: float = 60.0
    comparable_with: str | None = None

    def __post_init__(self) -> None:
        if endpoint := known_endpoint(self.inference_id):
            self._check(endpoint)
            if other := known_endpoint(self.comparable_with or ""):
                check_spaces(endpoint, other, self.dimensions)

    def plan(self) -> Steps[EndpointInfo]:
        """The endpoint, described and found fit; what `calls` needs."""
        endpoint = yield from describe_endpoint(self.inference_id)
        self._check(endpoint)
        if self.comparable_with:
            other = yield from describe_endpoint(self.comparable_with)
            check_spaces(endpoint, other, self.dimensions)
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
        lengths: set[int] = set()
        remaining = iter(texts)
        first = 0
        while batch := list(islice(remaining, self.batch_size)):
            sound = list(takewhile(lambda text: isinstance(text, str), batch))
            if sound:
                inputs = range(first, first + len(sound)) if positions is None else positions[first : first + len(sound)]
                yield self._call(endpoint, sound, input_type, inputs, first, lengths)
            check_texts(batch[len(sound) :], first + len(sound), embedded=True)
            first += len(batch)

    def content_calls(
        self,
        endpoint: EndpointInfo,
        contents: Sequence[Content],
        input_type: InputType,
        positions: Sequence[int] | None = None,
    ) -> Iterator[Call[list[Embedded]]]:
        """One call for every batch, and for every PDF, made as it is taken.

        Args:
            endpoint: What `plan` returned.
            contents: Any number of inputs.
            input_type: Their role.
            positions: Where they are in the user's list, for errors; default: from the start.

        Raises:
            InputError: before the first call, at what the model does not embed.
        """
        places = range(len(contents)) if positions is None else positions
        check_modalities(endpoint, contents, places)
        lengths: set[int] = set()
        for batch in _batches(contents, self.batch_size):
            inputs = places[batch.start : batch.stop]
            completed = batch.start if positions is None else 0  # of others between them nothing is known here
            call = self._call(endpoint, contents[batch.start : batch.stop], input_type, inputs, completed, lengths)
            yield _paged(call) if _is_pdf(contents[batch.start]) else cast("Call[list[Embedded]]", call)

    def _call(
        self,
        endpoint: EndpointInfo,
        contents: Sequence[Content],
        input_type: InputType,
        inputs: Sequence[int],
        completed: int,
        lengths: set[int],
    ) -> Call[list[Vector]]:
        call = embed(
            "text_embedding" if endpoint.task == "text_embedding" else "embedding",
            self.inference_id,
            contents,
            input_type,
            timeout=self.timeout,
            dimensions=endpoint.dimensions,
            truncate_to=None if self.dimensions == endpoint.dimensions else self.dimensions,
            inputs=inputs,
            completed=completed,
        )
        return _alike(call, lengths)

    def embed(self, texts: list[str], input_type: InputType) -> Steps[list[Vector]]:
        """All vectors, in the order of the texts. No text, no call."""
        check_texts(texts, embedded=True)
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
    check_dimensions(dimensions, model)


def streams_at_most(contents: Sequence[Content]) -> int | None:
    """How many requests with these inputs may be in flight, so that not too much of them is in memory; None for any number."""
    heaviest = max(map(_weight, contents), default=0)
    return None if heaviest < BATCH_BYTES // BATCH_SIZE else max(1, IN_FLIGHT_BYTES // max(heaviest, BATCH_BYTES))


def _batches(contents: Sequence[Content], most: int) -> Iterator[range]:
    """Which inputs travel together: at most so many, and so many bytes; a PDF alone, for nothing tells its pages from others."""
    first = size = 0
    for position, content in enumerate(contents):
        more = _weight(content)
        alone = _is_pdf(content) or (position > first and _is_pdf(contents[first]))
        if position > first and (alone or position - first == most or size + more > BATCH_BYTES):
            yield range(first, position)
            first, size = position, 0
        size += more
    if contents:
        yield range(first, len(contents))


def _is_pdf(content: Content) -> bool:
    return isinstance(content, Medium) and content.modality == "pdf"


def _weight(content: Content) -> int:
    """Characters that an input takes in a request."""
    if isinstance(content, tuple):
        return sum(map(_weight, content))
    return content.encoded_size if isinstance(content, Medium) else len(content)


def _paged(call: Call[list[Vector]]) -> Call[list[Embedded]]:
    """The same call, whose vectors are the pages of its one input."""
    return cast("Call[list[Embedded]]", replace(cast("Call[Any]", call), read=lambda body: [call.read(body)]))


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
