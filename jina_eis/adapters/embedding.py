"""Settings of the embedding adapters of both frameworks, and the vectors of texts: streams, lists, and lists with a cache.

It knows no media and no framework: the classes of the frameworks state the size of a request, and what a cache is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Sequence
from contextlib import aclosing, closing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from pydantic import Field, model_validator

from ..contents import query_text
from ..errors import ConfigurationError, JinaEISError
from ..steps import (
    BATCH_SIZE,
    RESCUES,
    Embedder,
    Folding,
    LengthCheck,
    OnError,
    TooLong,
    compare,
    keep_failing_inputs,
    vector_namespace,
)
from ..wire import AnyVector, Call, EndpointInfo, InputType, Steps, Vector, Watch, Watches, followed, unpacked, watched
from .caching import VectorCache
from .embedding_calls import Calls, text_calls
from .inference_id import ENDPOINT_NAMES, EndpointSettings
from .progress import progress_bar
from .tracing import Operation, new_operation, observed

__all__ = ["EmbeddingSettings"]

R = TypeVar("R")
F = TypeVar("F")


class EmbeddingSettings(EndpointSettings):
    """Settings of the embedding adapters, and the vectors that they produce."""

    if TYPE_CHECKING:
        model: str = Field(default="")  # type checkers derive the arguments from the fields
    inference_id: str = Field(default=".jina-embeddings-v5-text-small", min_length=1, validation_alias=ENDPOINT_NAMES)
    search_inference_id: str | None = Field(default=None, min_length=1)
    """The endpoint for queries, if it differs from the endpoint for documents. Both must share a vector space."""
    dimensions: int | None = Field(default=None, ge=1)
    query_input_type: InputType = "search"
    document_input_type: InputType = "ingest"
    embeddings_cache: Any = Field(default=None, exclude=True, repr=False)
    """A store of the framework, in which vectors are cached. Deployments, roles, endpoints and lengths are separate in it."""
    too_long: TooLong = "warn"
    """What to do about texts with more tokens than the model reads, by an estimate: "warn" once a call, with a `UserWarning` that
    names the first; "error" for an `InputError` before they are sent; "ignore". The service ignores the rest of such a text and
    does not report it."""

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        self._embedder(self.document_input_type)
        if self.search_inference_id:
            if self.query_input_type == self.document_input_type:
                raise ConfigurationError(
                    f"query_input_type and document_input_type are both {self.query_input_type!r}, so queries for "
                    "search_inference_id cannot be distinguished from documents. Create an object for each endpoint."
                )
            self._embedder(self.query_input_type)
        return self

    def _texts_in_a_request(self) -> int:
        raise NotImplementedError

    def _length_check(self) -> LengthCheck:
        """What reports the texts of a call that are too long."""
        return LengthCheck(self.too_long)

    def shares_space_with(self, inference_id: str) -> bool:
        """Whether vectors of another endpoint can be compared with these, in one store or as queries.

        Preconfigured endpoints are compared without a request. If `dimensions` is set, the vectors of the other endpoint are
        assumed to be truncated to the same length.

        Raises:
            ConfigurationError: this library does not know the models.
        """
        return self._run(compare(self.inference_id, inference_id, self.dimensions))

    async def ashares_space_with(self, inference_id: str) -> bool:
        """As `shares_space_with`, without blocking the event loop."""
        return await self._arun(compare(self.inference_id, inference_id, self.dimensions))

    def _endpoint(self, role: InputType) -> str:
        return self.search_inference_id or self.inference_id if role == self.query_input_type else self.inference_id

    def _embedder(self, role: InputType) -> Embedder:
        endpoint = self._endpoint(role)
        return Embedder(
            endpoint,
            self.dimensions,
            self._texts_in_a_request(),
            self.timeout,
            comparable_with=None if endpoint == self.inference_id else self.inference_id,
        )

    def _query_vector(self, query: str) -> Vector:
        return self._run(self._embed_query(query_text(query, embedded=True)))

    async def _aquery_vector(self, query: str) -> Vector:
        return await self._arun(self._embed_query(query_text(query, embedded=True)))

    def _embed_query(self, query: str) -> Steps[Vector]:
        role = self.query_input_type
        embedder = self._embedder(role)

        def steps() -> Steps[Vector]:
            self._length_check().check((yield from embedder.plan()), [query], lambda _: "The query")
            return (yield from embedder.embed([query], role))[0]

        return observed(steps(), self._operation(role))

    def _embed_at_once(self, texts: list[str], role: InputType) -> Steps[list[Vector]]:
        """Return the vectors of a few texts. They are checked before the first step."""
        return observed(self._embedder(role).embed(texts, role), self._operation(role))

    def _operation(self, role: InputType) -> Operation | None:
        endpoint = self._endpoint(role)
        return new_operation("embeddings", endpoint, self._location, model=endpoint, dimensions=self.dimensions, input_type=role)

    def _vectors(
        self,
        texts: Iterable[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        on_error: OnError = "raise",
        *,
        whole: bool = True,
        watch: Watch | None = None,
    ) -> Generator[Vector, None, None]:
        """Yield the vectors of any number of texts, in input order. A caller that may stop early must close the generator.

        Args:
            texts: Read as they are needed.
            role: The input type of all texts.
            positions: Positions of the texts in the user's list, for errors. A text is then sent once, wherever it stands in the
                list. None for a stream: a text is requested again after its vector was yielded.
            ahead: Maximum number of requests in flight, if less than `max_concurrency`.
            on_error: Whether the error of a text is raised, or yielded in place of its vector.
            whole: Whether the vectors of all other texts in the user's list are there.
            watch: Follows the requests.
        """
        return self._stream(*self._text_calls(texts, role, positions, whole=whole), role, ahead, on_error, watch)

    def _avectors(
        self,
        texts: Iterable[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        on_error: OnError = "raise",
        *,
        whole: bool = True,
        watch: Watch | None = None,
    ) -> AsyncGenerator[Vector, None]:
        """As `_vectors`, without blocking the event loop."""
        return self._astream(*self._text_calls(texts, role, positions, whole=whole), role, ahead, on_error, watch)

    def _text_calls(
        self, texts: Iterable[str], role: InputType, positions: Sequence[int] | None, *, whole: bool = True
    ) -> tuple[Steps[EndpointInfo], Folding[AnyVector, Vector], Calls[AnyVector]]:
        """Return the steps that describe the endpoint, the places of equal texts, and what makes the calls for the endpoint."""
        embedder, folding = self._embedder(role), Folding[AnyVector, Vector](unpacked)
        calls = text_calls(embedder, folding, texts, role, positions, whole, self._length_check())
        return embedder.plan(), folding, calls

    def _outcomes(
        self, texts: Iterable[str], role: InputType, positions: Sequence[int] | None = None, patience: float | None = None
    ) -> Generator[Vector | JinaEISError, None, None]:
        """As `_vectors`, with the error of a text in place of a vector that could not be computed, also if all texts fail.

        Args:
            texts: As for `_vectors`.
            role: As for `_vectors`.
            positions: As for `_vectors`.
            patience: Seconds in which a request is retried after transient errors; None for the limits of the settings.

        Raises:
            JinaEISError: an error that does not depend on the texts, such as invalid credentials.
        """
        plan, folding, calls = self._text_calls(texts, role, positions)

        def tolerant(endpoint: EndpointInfo) -> Iterator[Call[list[Any]]]:
            for call in calls(endpoint):
                yield replace(cast("Call[list[Any]]", call), rescue=keep_failing_inputs, patience=patience)

        return self._stream(plan, folding, tolerant, role, on_error=None)

    def _embed_texts(
        self,
        texts: Sequence[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        *,
        progress: bool = False,
    ) -> list[Vector]:
        """Return the vector of each text, from the cache or from the service. Equal texts are sent once.

        Vectors are cached as they arrive, also those before an error.

        Args:
            texts: Strings, at least one.
            role: The input type of all texts.
            positions: As for `_vectors`.
            ahead: As for `_vectors`.
            progress: Whether a progress bar is shown.
        """
        cache = None if self.embeddings_cache is None else self._cache(self._run(self._namespace(role)))
        vectors: list[Vector | None] = cache.get(texts) if cache else [None] * len(texts)
        missing = _positions_of_none(vectors)
        places, whole = (missing, True) if positions is None else ([positions[index] for index in missing], False)
        required = [texts[index] for index in missing]
        new: dict[str, Vector] = {}
        try:
            with (
                progress_bar(len(missing), progress) as bar,
                closing(self._vectors(required, role, places, ahead, whole=whole, watch=bar)) as fresh,
            ):
                for index, vector in zip(missing, fresh, strict=True):
                    vectors[index] = vector
                    if cache:
                        new[texts[index]] = vector
                        if len(new) == BATCH_SIZE:
                            arrived, new = new, {}
                            cache.put(arrived)
        finally:
            if cache and new:
                cache.put(new)
        return cast("list[Vector]", vectors)

    async def _aembed_texts(
        self,
        texts: Sequence[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        *,
        progress: bool = False,
    ) -> list[Vector]:
        """As `_embed_texts`, without blocking the event loop."""
        cache = None if self.embeddings_cache is None else self._cache(await self._arun(self._namespace(role)))
        vectors: list[Vector | None] = await cache.aget(texts) if cache else [None] * len(texts)
        missing = _positions_of_none(vectors)
        places, whole = (missing, True) if positions is None else ([positions[index] for index in missing], False)
        required = [texts[index] for index in missing]
        new: dict[str, Vector] = {}
        try:
            with progress_bar(len(missing), progress) as bar:
                async with aclosing(self._avectors(required, role, places, ahead, whole=whole, watch=bar)) as fresh:
                    remaining = iter(missing)
                    async for vector in fresh:
                        index = next(remaining)
                        vectors[index] = vector
                        if cache:
                            new[texts[index]] = vector
                            if len(new) == BATCH_SIZE:
                                arrived, new = new, {}
                                await cache.aput(arrived)
        finally:
            if cache and new:
                await cache.aput(new)
        return cast("list[Vector]", vectors)

    def _namespace(self, role: InputType) -> Steps[str]:
        """Return the name of the vectors of a role in caches."""
        endpoint = yield from self._embedder(role).plan()
        return (yield from vector_namespace(self._driver().location, endpoint, self.dimensions, role))

    def _cache(self, namespace: str) -> VectorCache:
        """The vectors of one name in the user's store, `embeddings_cache`."""
        raise NotImplementedError

    def _stream(
        self,
        plan: Steps[EndpointInfo],
        folding: Folding[R, F],
        calls: Calls[R],
        role: InputType,
        ahead: int | None = None,
        on_error: OnError | None = "raise",
        watch: Watch | None = None,
    ) -> Generator[F, None, None]:
        driver, limiter = self._driver(), self._limiter()
        operation = self._operation(role)
        watch = Watches.of(operation, watch)
        rescue = RESCUES[on_error] if on_error else None  # without one, each call has its own
        with operation or nullcontext():
            endpoint = driver.run(watched(plan, watch), limiter)
            with closing(driver.stream(followed(calls(endpoint), watch), limiter, ahead, rescue)) as batches:
                for answers in batches:
                    yield from folding.unfold(answers)
                yield from folding.rest()

    async def _astream(
        self,
        plan: Steps[EndpointInfo],
        folding: Folding[R, F],
        calls: Calls[R],
        role: InputType,
        ahead: int | None = None,
        on_error: OnError = "raise",
        watch: Watch | None = None,
    ) -> AsyncGenerator[F, None]:
        driver, limiter = self._driver(), self._limiter()
        operation = self._operation(role)
        watch = Watches.of(operation, watch)
        with operation or nullcontext():
            endpoint = await driver.arun(watched(plan, watch), limiter)
            async with aclosing(driver.astream(followed(calls(endpoint), watch), limiter, ahead, RESCUES[on_error])) as batches:
                async for answers in batches:
                    for result in folding.unfold(answers):
                        yield result
                for result in folding.rest():
                    yield result


def _positions_of_none(vectors: Sequence[Vector | None]) -> list[int]:
    return [position for position, vector in enumerate(vectors) if vector is None]
