"""Requests to inference endpoints, and the readers of their responses: embed and rerank."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

from ..contents import Content, Medium, Part
from ..errors import InputError, InvalidAnswerError
from ..models import EmbeddingTask
from .call import Call
from .formats import well_formed
from .vectors import AnyVector, PackedVector, Vector, unpacked

__all__ = [
    "InputType",
    "as_item",
    "embed",
    "rerank",
]

CHARACTERS = 4  # of a token in English; enough to compare requests of one job
RETRIES_OF_A_HALF = 3  # the whole call has already used all of its retries
InputType = Literal["ingest", "search", "classification", "clustering"]


def embed(
    task: EmbeddingTask,
    inference_id: str,
    contents: Sequence[Content],
    input_type: InputType,
    *,
    timeout: float,
    dimensions: int | None,
    truncate_to: int | None = None,
    inputs: Sequence[int],
    completed: int,
    lengths: set[int] | None = None,
) -> Call[list[AnyVector]]:
    """Embed texts and media. Returns one vector for each input, in order; for a PDF, alone in its call, one for each page.

    Vectors that arrived in bytes stay in bytes, unless they are truncated: those that wait, or are written, take an eighth of the
    memory.

    Args:
        task: `text_embedding` or `embedding`, the task of the endpoint; their responses have different keys.
        inference_id: The endpoint.
        contents: At least one input. `text_embedding` takes only texts.
        input_type: The role of the inputs.
        timeout: Seconds that the service may take.
        dimensions: Length of the endpoint's vectors; None if it is not known.
        truncate_to: Number of leading dimensions to keep, renormalised to unit length; None for all of them.
        inputs: Positions of the inputs in the caller's list.
        completed: Number of the caller's inputs whose results were returned before these.
        lengths: The lengths of the vectors that other calls have read, which must be equal; None for no such calls.
    """
    request = _Embedding(task, inference_id, contents, input_type, timeout, dimensions, truncate_to, inputs, completed, lengths)
    return request.call()


@dataclass(slots=True)
class _Embedding:
    """A request with its inputs: what reads its response, and divides it.

    Attributes: as the arguments of `embed`, and `retries`, the maximum number of retries; None for the driver's own.
    """

    task: EmbeddingTask
    inference_id: str
    contents: Sequence[Content]
    input_type: InputType
    timeout: float
    dimensions: int | None
    truncate_to: int | None
    inputs: Sequence[int]
    completed: int
    lengths: set[int] | None
    retries: int | None = None

    def call(self) -> Call[list[AnyVector]]:
        contents, name = self.contents, quote(self.inference_id, safe="")
        texts = [well_formed(content) for content in contents if isinstance(content, str)]
        texts_only = len(texts) == len(contents)
        return Call(
            "POST",
            f"/_inference/{self.task}/{name}",
            self.read,
            params={"timeout": duration(self.timeout)},
            body={"input": texts, "input_type": self.input_type} if texts_only else None,
            load_body=None if texts_only else self.load_body,
            endpoint=self.inference_id,
            bucket=f"{self.inference_id} {self.input_type}",
            weight=sum(map(len, texts)) / CHARACTERS if texts_only else 0.0,
            new_inputs=len(contents),
            invalidates=f"/_inference/{name}",
            inputs=self.inputs,
            completed=self.completed,
            retries=self.retries,
            vectors=True,
            halves=None if len(contents) == 1 else self.halves,
        )

    def load_body(self) -> bytes:
        return _body_with_media(self.contents, self.inputs, self.input_type)

    def read(self, body: Any) -> list[AnyVector]:
        is_pdf = len(self.contents) == 1 and isinstance(self.contents[0], Medium) and self.contents[0].modality == "pdf"
        key = "text_embedding" if self.task == "text_embedding" else "embeddings"
        vectors = _read_vectors(body, key, None if is_pdf else len(self.contents), self.dimensions)
        if self.truncate_to is not None:
            vectors = [_truncated(unpacked(vector), self.truncate_to) for vector in vectors]
        if self.lengths is not None:
            self.lengths.add(len(vectors[0]))
            if len(self.lengths) > 1:
                numbers = ", ".join(map(str, sorted(self.lengths)))
                raise InvalidAnswerError(f"The responses have vectors of different lengths: {numbers}.")
        return vectors

    def halves(self) -> list[Call[list[AnyVector]]]:
        middle = len(self.contents) // 2
        return [self._part(slice(0, middle)), self._part(slice(middle, None))]

    def _part(self, part: slice) -> Call[list[AnyVector]]:
        half = replace(self, contents=self.contents[part], inputs=self.inputs[part], retries=RETRIES_OF_A_HALF)
        return replace(half.call(), new_inputs=0)


def rerank(
    inference_id: str, query: Part, documents: Sequence[Part], *, timeout: float, inputs: Sequence[int]
) -> Call[list[float]]:
    """Score documents against a query. Returns one score for each document, in order.

    Args:
        inference_id: The endpoint.
        query: The text or image that documents should be relevant to. An image needs Elastic Stack 9.5, as images among the
            documents do.
        documents: At least one text or image.
        timeout: Seconds that the service may take.
        inputs: Positions of the documents in the caller's list.
    """

    def load_body() -> dict[str, Any]:
        return {"query": well_formed(query) if isinstance(query, str) else as_item(query), "input": _ranked(documents, inputs)}

    texts_only = all(isinstance(part, str) for part in (query, *documents))
    return Call(
        "POST",
        f"/_inference/rerank/{quote(inference_id, safe='')}",
        lambda body: _read_scores(body, inputs),
        params={"timeout": duration(timeout)},
        body=load_body() if texts_only else None,
        load_body=None if texts_only else load_body,
        endpoint=inference_id,
        bucket=inference_id,
        weight=sum(len(part) for part in (query, *documents) if isinstance(part, str)) / CHARACTERS,
        invalidates=f"/_inference/{quote(inference_id, safe='')}",
        inputs=inputs,
    )


def _ranked(documents: Sequence[Part], positions: Sequence[int]) -> list[Any]:
    """Return texts unchanged; with an image among them, all as objects, because the official schema allows no mixture."""
    texts = [well_formed(document) for document in documents if isinstance(document, str)]
    if len(texts) == len(documents):
        return texts
    return [_item(document, position) for document, position in zip(documents, positions, strict=True)]


def _item(part: Part, position: int) -> dict[str, str]:
    """As `as_item`, with the position of the input in the error of a file that cannot be read."""
    try:
        return as_item(part)
    except InputError as error:
        error.inputs = [position]
        raise


def _body_with_media(contents: Sequence[Content], positions: Sequence[int], input_type: str) -> bytes:
    """Return the body as JSON. Media are read and encoded into it in parts, so that a large one is in memory only once.

    All inputs are objects, also the texts, because the official schema allows no mixture.
    """
    body = BytesIO()
    body.write(b'{"input":[')
    for number, (content, position) in enumerate(zip(contents, positions, strict=True)):
        body.write(b',{"content":' if number else b'{"content":')
        try:
            _write_content(content, body)
        except InputError as error:
            error.inputs = [position]
            raise
        body.write(b"}")
    body.write(b'],"input_type":' + json.dumps(input_type).encode() + b"}")
    return body.getvalue()


def _write_content(content: Content, body: BinaryIO) -> None:
    if isinstance(content, tuple):
        for number, part in enumerate(content):
            body.write(b"," if number else b"[")
            _write_content(part, body)
        body.write(b"]")
    elif isinstance(content, str) or content.url is not None:
        body.write(json.dumps(as_item(content), ensure_ascii=False).encode())
    else:
        body.write(f'{{"type":"{content.modality}","format":"base64","value":"'.encode())
        content.write_data_uri(body)
        body.write(b'"}')


def as_item(part: Part) -> dict[str, str]:
    """Return a text or medium as Elasticsearch takes it. A file is read here."""
    if isinstance(part, str):
        return {"type": "text", "value": well_formed(part)}
    if part.url is not None:
        return {"type": part.modality, "format": "url", "value": part.url}
    return {"type": part.modality, "format": "base64", "value": part.data_uri()}


def duration(seconds: float) -> str:
    """Return a time value of Elasticsearch, which takes no fractions."""
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{max(1, round(seconds * 1000))}ms"


def _read_vectors(body: Any, key: str, count: int | None, dimensions: int | None) -> list[AnyVector]:
    """Read `count` vectors; with None, one or more."""
    items = list_of(body, key)
    if count is None and not items:
        raise InvalidAnswerError("A PDF was sent, and the response has no vector.")
    if count is not None and len(items) != count:
        raise InvalidAnswerError(f"{count} inputs were sent, and the response has {len(items)} vectors.")
    vectors: list[AnyVector] = []
    for position, item in enumerate(items):
        vector = item if isinstance(item, PackedVector) else _read_vector(item, position)
        length = len(vector)
        dimensions = dimensions or length
        if length != dimensions:
            raise InvalidAnswerError(f"Vector {position} of the response has {length} dimensions instead of {dimensions}.")
        vectors.append(vector)
    return vectors


def _read_vector(item: Any, position: int) -> Vector:
    numbers = item.get("embedding") if isinstance(item, dict) else None
    if not isinstance(numbers, list) or not numbers:
        raise InvalidAnswerError(f"Vector {position} of the response is empty or missing.")
    vector = _floats(numbers)
    if vector is None:
        raise InvalidAnswerError(f"Vector {position} of the response has a value that is not a finite number.")
    return vector


def _floats(numbers: list[Any]) -> Vector | None:
    """Return the numbers, or None if one is not finite. They are not copied: that would take as long as parsing."""
    try:
        finite = math.isfinite(sum(numbers))  # a string raises TypeError, and the sum is finite only if every number is
    except (TypeError, OverflowError):
        return None
    if not finite:
        return None
    return numbers if type(numbers[0]) is float else list(map(float, numbers))  # some services send 1 for 1.0


def _truncated(vector: Vector, length: int) -> Vector:
    """Return the first dimensions of a Matryoshka vector as a unit vector."""
    if len(vector) < length:
        raise InvalidAnswerError(f"A vector of the response has {len(vector)} dimensions, fewer than the requested {length}.")
    head = vector[:length]
    norm = math.hypot(*head)
    if not norm:
        raise InvalidAnswerError(f"A vector of the response is zero in its first {length} dimensions and cannot be truncated.")
    return [number / norm for number in head]


def _read_scores(body: Any, inputs: Sequence[int]) -> list[float]:
    count = len(inputs)
    scores: dict[int, float] = {}
    for item in list_of(body, "rerank"):
        try:
            index, score = int(item["index"]), float(item["relevance_score"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InvalidAnswerError("A ranked document of the response has no index or no relevance score.") from None
        if not 0 <= index < count:
            raise InvalidAnswerError(f"The response ranks document {index} of a request, which has only {count} documents.")
        if index in scores:
            raise InvalidAnswerError(f"The response ranks document {inputs[index]} twice.")
        if not math.isfinite(score):
            raise InvalidAnswerError(f"The relevance score of document {inputs[index]} is not a finite number.")
        scores[index] = score
    if missing := [inputs[index] for index in range(count) if index not in scores]:
        raise InvalidAnswerError(f"The response ranks {len(scores)} of {count} documents; document {missing[0]} is missing.")
    return [scores[index] for index in range(count)]


def list_of(body: Any, key: str) -> list[Any]:
    """Return the list under a key of a response."""
    items = body.get(key) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise InvalidAnswerError(f"The response has no list {key!r}. Is a proxy responding in place of Elasticsearch?")
    return items
