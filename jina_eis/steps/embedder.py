"""Embedding, as steps: returns one vector for each input, in order.

Inputs are checked and divided into batches. Each batch is one call, and each vector is truncated to the requested
dimensions. Nothing here sends or waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice, takewhile
from typing import Any, cast

from ..contents import Content, Medium, check_texts, holds_url, warn_of_binary
from ..errors import ConfigurationError
from ..models import EmbeddingModel, find_model
from ..wire import AnyVector, Call, EndpointInfo, InputType, Steps, Vector, ask, embed, unpacked
from .compatibility import check_modalities, check_spaces
from .endpoints import check_dimensions, describe_endpoint, known_endpoint
from .folding import blocks
from .version import require, with_feature

__all__ = [
    "BATCH_SIZE",
    "FUSION",
    "PASS_URLS",
    "AnyEmbedded",
    "Embedded",
    "Embedder",
    "has_fused",
    "max_in_flight",
    "unpacked_pages",
]

BATCH_SIZE = 16  # Elastic documents 16 items in a request for the omni models and for ELSER, and nothing for the others
BATCH_BYTES = 4 * 2**20  # of media, in base64; the service publishes no limit, and requests of 3 MB have been accepted

IN_FLIGHT_BYTES = 64 * 2**20  # of media, in base64, in all requests of a call together; memory holds each about three times

FUSION = ("Fusing several parts into one vector", "9.5")  # texts too: 9.4 refuses any two parts
PASS_URLS = ("pass_urls", "9.6")  # the feature, and the first version that has it

Embedded = Vector | list[Vector]
"""One vector; for a PDF, a list with one vector for each page."""

AnyEmbedded = AnyVector | tuple[AnyVector, ...]
"""The same as it was read: a tuple for a PDF. Users get an `Embedded`, which `unpacked_pages` returns."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """Embeds texts and media with one endpoint. Valid if it exists, as far as the table of models knows the endpoint.

    Args:
        inference_id: An endpoint of task `text_embedding` or `embedding`.
        dimensions: Length of the vectors; None for the endpoint's own.
        batch_size: Maximum inputs in a request.
        timeout: Seconds that the service may take for a request.
        comparable_with: An endpoint whose vectors must be comparable with these; None for no such requirement.

    Raises:
        ConfigurationError: a reranker, dimensions that the model was not trained for, a batch that is too large for it, or a
            vector space other than that of `comparable_with`.
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

    def plan(self, contents: Sequence[Content] = ()) -> Steps[EndpointInfo]:
        """Return the description of the checked endpoint, which `calls` needs.

        Args:
            contents: The inputs, if there are media among them. They are checked for what only newer deployments take.
        """
        endpoint = yield from describe_endpoint(self.inference_id)
        self._check(endpoint)
        if self.comparable_with:
            other = yield from describe_endpoint(self.comparable_with)
            check_spaces(endpoint, other, self.dimensions)
        if any(map(holds_url, contents)):
            yield from require(*PASS_URLS)
        return endpoint

    def calls(
        self,
        endpoint: EndpointInfo,
        texts: Iterable[str],
        input_type: InputType,
        positions: Iterable[int] | None = None,
        *,
        whole: bool = True,
        lengths: set[int] | None = None,
    ) -> Iterator[Call[list[AnyVector]]]:
        """Yield one call for each batch, when it is requested.

        Args:
            endpoint: The result of `plan`.
            texts: Any number of texts.
            input_type: Their role.
            positions: Their positions in the caller's list, for errors; default: from 0. Read after the texts of a batch.
            whole: Whether all other inputs of the caller's list are done, or equal one of the texts.
            lengths: The lengths of the vectors that arrived, which must be equal; None for those of these calls.

        Raises:
            InputError: for an element that is not a string, after the call for the texts before it. An error of the iterable
                is raised unchanged, after the call for the texts before it.
        """
        lengths = set() if lengths is None else lengths
        remaining_positions = count() if positions is None else iter(positions)
        first = 0
        for batch in blocks(texts, self.batch_size):
            inputs = _compact(list(islice(remaining_positions, len(batch))))
            # A list of strings, as almost all are, takes one step.
            valid = batch if set(map(type, batch)) == {str} else list(takewhile(lambda text: isinstance(text, str), batch))
            if valid:
                warn_of_binary(valid)
                completed = inputs[0] if whole else first
                yield self._call(endpoint, valid, input_type, inputs[: len(valid)], completed, lengths)
            for text, position in zip(batch[len(valid) :], inputs[len(valid) :], strict=True):
                check_texts([text], position, embedded=True)
            first += len(batch)

    def content_calls(
        self,
        endpoint: EndpointInfo,
        contents: Sequence[Content],
        input_type: InputType,
        positions: Sequence[int] | None = None,
        *,
        whole: bool = True,
    ) -> Iterator[Call[list[AnyEmbedded]]]:
        """Yield one call for each batch and for each PDF, when it is requested.

        Args:
            endpoint: The result of `plan`.
            contents: Any number of inputs.
            input_type: Their role.
            positions: Their positions in the caller's list, for errors; default: from 0.
            whole: As for `calls`.

        Raises:
            InputError: before the first call, for an input that the model does not embed.
        """
        all_positions = range(len(contents)) if positions is None else positions
        check_modalities(endpoint, contents, all_positions)
        lengths: set[int] = set()
        for batch in _batches(contents, self.batch_size):
            inputs = _compact(all_positions[batch.start : batch.stop])
            completed = inputs[0] if whole else 0
            call = self._call(endpoint, contents[batch.start : batch.stop], input_type, inputs, completed, lengths)
            if any(map(holds_url, contents[batch.start : batch.stop])):
                call = with_feature(call, *PASS_URLS)
            if has_fused(contents[batch.start : batch.stop]):
                call = with_feature(call, *FUSION)
            yield _read_pages(call) if _is_pdf(contents[batch.start]) else cast("Call[list[AnyEmbedded]]", call)

    def _call(
        self,
        endpoint: EndpointInfo,
        contents: Sequence[Content],
        input_type: InputType,
        inputs: Sequence[int],
        completed: int,
        lengths: set[int],
    ) -> Call[list[AnyVector]]:
        return embed(
            "text_embedding" if endpoint.task == "text_embedding" else "embedding",
            endpoint.inference_id,
            contents,
            input_type,
            timeout=self.timeout,
            dimensions=endpoint.dimensions,
            truncate_to=None if self.dimensions == endpoint.dimensions else self.dimensions,
            inputs=inputs,
            completed=completed,
            lengths=lengths,
        )

    def embed(self, texts: list[str], input_type: InputType) -> Steps[list[Vector]]:
        """Return the vectors in the order of the texts. Without texts it makes no call."""
        check_texts(texts, embedded=True)
        if not texts:
            return []
        endpoint = yield from self.plan()
        batches = yield from ask(self.calls(endpoint, texts, input_type))
        return [unpacked(vector) for batch in batches for vector in batch]

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
            _check_truncation(self.dimensions, endpoint, model if isinstance(model, EmbeddingModel) else None)


def _compact(positions: Sequence[int]) -> Sequence[int]:
    """Return consecutive positions as a range, and all others unchanged."""
    whole = range(positions[0], positions[-1] + 1)
    return whole if len(whole) == len(positions) else positions


def _check_truncation(dimensions: int, endpoint: EndpointInfo, model: EmbeddingModel | None) -> None:
    name = model.name if model else endpoint.inference_id
    if endpoint.dimensions is not None and dimensions > endpoint.dimensions:
        raise ConfigurationError(
            f"dimensions={dimensions}: {endpoint.inference_id} returns {endpoint.dimensions}. Choose a smaller size."
        )
    if model is None:
        raise ConfigurationError(
            f"dimensions={dimensions}: the sizes that the model of {name} was trained for are not known. Leave dimensions out."
        )
    check_dimensions(dimensions, model)


def has_fused(contents: Iterable[Content]) -> bool:
    """Whether one of these inputs has several parts, which are fused into one vector."""
    return any(isinstance(content, tuple) and len(content) > 1 for content in contents)


def unpacked_pages(result: AnyEmbedded) -> Embedded:
    """Return a result as users get it. The vectors of pages are copies, as one PDF may have several places."""
    if isinstance(result, tuple):
        return [page.copy() if isinstance(page, list) else page.tolist() for page in result]
    return unpacked(result)


def max_in_flight(contents: Sequence[Content]) -> int | None:
    """Return how many requests with these inputs may be in flight, to limit the memory; None for any number."""
    largest = max(map(_size_in_request, contents), default=0)
    return None if largest < BATCH_BYTES // BATCH_SIZE else max(1, IN_FLIGHT_BYTES // max(largest, BATCH_BYTES))


def _batches(contents: Sequence[Content], max_inputs: int) -> Iterator[range]:
    """Yield the ranges of the batches. A PDF is alone: the response does not show where its pages end."""
    first = size = 0
    for position, content in enumerate(contents):
        added = _size_in_request(content)
        alone = _is_pdf(content) or (position > first and _is_pdf(contents[first]))
        if position > first and (alone or position - first == max_inputs or size + added > BATCH_BYTES):
            yield range(first, position)
            first, size = position, 0
        size += added
    if contents:
        yield range(first, len(contents))


def _is_pdf(content: Content) -> bool:
    return isinstance(content, Medium) and content.modality == "pdf"


def _size_in_request(content: Content) -> int:
    """Return the length of an input in a request, in characters."""
    if isinstance(content, tuple):
        return sum(map(_size_in_request, content))
    return content.encoded_size if isinstance(content, Medium) else len(content)


def _read_pages(call: Call[list[AnyVector]]) -> Call[list[AnyEmbedded]]:
    """Return the same call, with a reader that returns all vectors as the pages of one input."""
    return cast("Call[list[AnyEmbedded]]", replace(cast("Call[Any]", call), read=lambda body: [tuple(call.read(body))]))
