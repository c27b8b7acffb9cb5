"""Requests to inference endpoints, and the readers that check the answers: embed and rerank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from ..contents import Content, Medium, Part
from ..errors import InputError, InvalidAnswerError
from ..models import EmbeddingTask
from .call import Call

__all__ = [
    "InputType",
    "Vector",
    "as_item",
    "embed",
    "rerank",
]

Vector = list[float]
RETRIES_OF_A_HALF = 3  # the whole has failed as often as any call may
InputType = Literal["ingest", "search", "classification", "clustering"]


def embed(
    task: EmbeddingTask,
    inference_id: str,
    contents: Sequence[Content],
    input_type: InputType,
    *,
    timeout: float,
    dimensions: int | None,
    cut: int | None = None,
    inputs: Sequence[int],
    completed: int,
    retries: int | None = None,
) -> Call[list[Vector]]:
    """Embed texts and media: as many vectors as inputs, in their order. But a PDF, alone in its call, has one for each page.

    Args:
        task: `text_embedding` or `embedding`, as the endpoint demands; they answer under different keys.
        inference_id: The endpoint.
        contents: At least one input. `text_embedding` takes nothing but texts.
        input_type: The role of the inputs.
        timeout: Seconds the service may take.
        dimensions: Length of the vectors that the endpoint answers with; None if that is not known.
        cut: Keep this many leading numbers of each and renormalise to unit length; None for all of them.
        inputs: Positions of the inputs in the user's list.
        completed: How many inputs of the user's list are answered when their turn comes.
        retries: How often it may be sent again; None for as often as any.
    """

    def part(first: int, last: int) -> Call[list[Vector]]:
        return embed(
            task,
            inference_id,
            contents[first:last],
            input_type,
            timeout=timeout,
            dimensions=dimensions,
            cut=cut,
            inputs=inputs[first:last],
            completed=completed,
            retries=RETRIES_OF_A_HALF,
        )

    key = "text_embedding" if task == "text_embedding" else "embeddings"
    count = len(contents)
    wanted = None if count == 1 and isinstance(contents[0], Medium) and contents[0].modality == "pdf" else count
    light = all(isinstance(content, str) for content in contents)

    def load() -> dict[str, Any]:
        return {"input": _input(contents, inputs), "input_type": input_type}

    return Call(
        "POST",
        f"/_inference/{task}/{quote(inference_id, safe='')}",
        lambda body: [_shortened(vector, cut) for vector in _read_vectors(body, key, wanted, dimensions)],
        params={"timeout": duration(timeout)},
        body=load() if light else None,
        load=None if light else load,
        endpoint=inference_id,
        bucket=f"{inference_id} {input_type}",
        outdates=f"/_inference/{quote(inference_id, safe='')}",
        inputs=inputs,
        completed=completed,
        retries=retries,
        halves=None if count == 1 else lambda: [part(0, count // 2), part(count // 2, count)],
    )


def rerank(
    inference_id: str, query: str, documents: Sequence[str], *, timeout: float, inputs: Sequence[int]
) -> Call[list[float]]:
    """Score documents against a query: one score per document, in the order of the documents.

    Args:
        inference_id: The endpoint.
        query: What they should be relevant for.
        documents: At least one text.
        timeout: Seconds the service may take.
        inputs: Positions of the documents in the user's list.
    """
    return Call(
        "POST",
        f"/_inference/rerank/{quote(inference_id, safe='')}",
        lambda body: _read_scores(body, inputs),
        params={"timeout": duration(timeout)},
        body={"query": well_formed(query), "input": [well_formed(text) for text in documents]},
        endpoint=inference_id,
        bucket=inference_id,
        outdates=f"/_inference/{quote(inference_id, safe='')}",
        inputs=inputs,
    )


def well_formed(text: str) -> str:
    """The text as UTF-8 can carry it: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _input(contents: Sequence[Content], positions: Sequence[int]) -> list[Any]:
    """Texts as they are; as objects, all of them, as soon as one is not a text: the official schema takes no mixture."""
    texts = [well_formed(content) for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return texts
    return [_object(content, position) for content, position in zip(contents, positions, strict=True)]


def _object(content: Content, position: int) -> dict[str, Any]:
    try:
        return {"content": [*map(as_item, content)] if isinstance(content, tuple) else as_item(content)}
    except InputError as error:
        error.inputs = [position]
        raise


def as_item(part: Part) -> dict[str, str]:
    """A text or medium, as Elasticsearch takes it. A file is read here."""
    if isinstance(part, str):
        return {"type": "text", "value": well_formed(part)}
    return {"type": part.modality, "format": "base64", "value": part.data_uri()}


def duration(seconds: float) -> str:
    """Elasticsearch's time value; it takes no fractions."""
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{max(1, round(seconds * 1000))}ms"


def _read_vectors(body: Any, key: str, count: int | None, dimensions: int | None) -> list[Vector]:
    """As many vectors as are counted on; None: one or more."""
    items = list_of(body, key)
    if count is None and not items:
        raise InvalidAnswerError("A PDF was sent and no vector came back.")
    if count is not None and len(items) != count:
        raise InvalidAnswerError(f"{count} inputs were sent and {len(items)} vectors came back.")
    vectors: list[Vector] = []
    for position, item in enumerate(items):
        numbers = item.get("embedding") if isinstance(item, dict) else None
        if not isinstance(numbers, list) or not numbers:
            raise InvalidAnswerError(f"Vector {position} of the answer is empty or missing.")
        vector = _floats(numbers)
        if vector is None:
            raise InvalidAnswerError(f"Vector {position} of the answer holds something that is not a finite number.")
        dimensions = dimensions or len(vector)
        if len(vector) != dimensions:
            raise InvalidAnswerError(f"Vector {position} of the answer has {len(vector)} dimensions instead of {dimensions}.")
        vectors.append(vector)
    return vectors


def _floats(numbers: list[Any]) -> Vector | None:
    """The numbers, or None if any of them is no finite number. They are not copied: that would cost as much as parsing."""
    try:
        finite = math.isfinite(sum(numbers))  # refuses strings, and one sum shows whether any term is not finite
    except (TypeError, OverflowError):
        return None
    if not finite:
        return None
    return numbers if type(numbers[0]) is float else list(map(float, numbers))  # some services write 1 for 1.0


def _shortened(vector: Vector, length: int | None) -> Vector:
    """The first numbers of a Matryoshka vector, as a unit vector of their own."""
    if length is None:
        return vector
    if len(vector) < length:
        raise InvalidAnswerError(f"A vector of the answer has {len(vector)} dimensions, and {length} were wanted.")
    head = vector[:length]
    norm = math.hypot(*head)
    if not norm:
        raise InvalidAnswerError(f"A vector of the answer is zero in its first {length} dimensions, and cannot be cut to them.")
    return [number / norm for number in head]


def _read_scores(body: Any, inputs: Sequence[int]) -> list[float]:
    count = len(inputs)
    scores: dict[int, float] = {}
    for item in list_of(body, "rerank"):
        try:
            index, score = int(item["index"]), float(item["relevance_score"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InvalidAnswerError("A ranked document has no index or no relevance score.") from None
        if not 0 <= index < count:
            raise InvalidAnswerError(f"Document {index} of a request was ranked, but it held only {count}.")
        if index in scores:
            raise InvalidAnswerError(f"Document {inputs[index]} was ranked twice.")
        if not math.isfinite(score):
            raise InvalidAnswerError(f"Document {inputs[index]} has a relevance score that is not a finite number.")
        scores[index] = score
    if missing := [inputs[index] for index in range(count) if index not in scores]:
        raise InvalidAnswerError(f"{count} documents were sent and {len(scores)} were ranked; document {missing[0]} is missing.")
    return [scores[index] for index in range(count)]


def list_of(body: Any, key: str) -> list[Any]:
    """The list under a key of an answer."""
    items = body.get(key) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise InvalidAnswerError(f"The answer has no list {key!r}. Is a proxy answering in place of Elasticsearch?")
    return items
