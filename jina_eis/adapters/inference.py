"""Shared parts of the adapters of both frameworks: the settings of embedding and reranking, and the steps built from them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import aclosing, closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, get_args, overload

from pydantic import AliasChoices, BaseModel, Field, PrivateAttr, field_serializer, model_validator

from ..contents import (
    Content,
    Embeddable,
    Get,
    Image,
    Link,
    Medium,
    Part,
    content,
    content_list,
    in_thread,
    known_pages,
    label,
    looks_like_data_uri,
    query_text,
)
from ..errors import ConfigurationError, InputError, InvalidAnswerError, JinaEISError
from ..models import DEFAULT_RERANKERS, RerankModel, preconfigured
from ..steps import (
    BATCH_SIZE,
    RESCUES,
    Embedded,
    Embedder,
    Folding,
    LengthCheck,
    OnError,
    Ranked,
    Ranking,
    Reranker,
    Strategy,
    TooLong,
    blocks,
    check_reachable,
    compare,
    find_default_reranker,
    keep_failing_inputs,
    max_in_flight,
    report,
    vector_namespace,
)
from ..wire import Call, EndpointInfo, InputType, Steps, Vector, Watch, Watches, followed, watched
from .caching import VectorCache
from .progress import progress_bar
from .settings import ServiceSettings
from .tracing import Operation, new_operation, observed

__all__ = ["ENDPOINT_NAMES", "ContentSettings", "EmbeddingSettings", "EndpointSettings", "RerankSettings"]

ENDPOINT_NAMES = AliasChoices("inference_id", "model")

E = TypeVar("E")
_finding = threading.Lock()  # so that the endpoint that was found is logged once
_Calls = Callable[[EndpointInfo], Iterable[Call[list[E]]]]


class EndpointSettings(ServiceSettings):
    """Settings with an endpoint, named `inference_id` or, as in most packages, `model`."""

    if not TYPE_CHECKING:

        @property
        def model(self) -> str | None:
            """The inference endpoint, under the name that many tools read."""
            return self.inference_id


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
        embedder, folding = self._embedder(role), Folding[Vector]()
        calls = _text_calls(embedder, folding, texts, role, positions, whole, self._length_check())
        return self._stream(embedder.plan(), folding, calls, role, ahead, on_error, watch)

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
        embedder, folding = self._embedder(role), Folding[Vector]()
        calls = _text_calls(embedder, folding, texts, role, positions, whole, self._length_check())
        return self._astream(embedder.plan(), folding, calls, role, ahead, on_error, watch)

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
        embedder, folding = self._embedder(role), Folding[Any]()
        calls = _text_calls(embedder, folding, texts, role, positions, True, self._length_check())

        def tolerant(endpoint: EndpointInfo) -> Iterator[Call[list[Any]]]:
            for call in calls(endpoint):
                yield replace(cast("Call[list[Any]]", call), rescue=keep_failing_inputs, patience=patience)

        return self._stream(embedder.plan(), folding, tolerant, role, on_error=None)

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
        folding: Folding[E],
        calls: _Calls[E],
        role: InputType,
        ahead: int | None = None,
        on_error: OnError | None = "raise",
        watch: Watch | None = None,
    ) -> Generator[E, None, None]:
        driver, limiter = self._driver(), self._limiter()
        operation = self._operation(role)
        watch = Watches.of(operation, watch)
        rescue = RESCUES[on_error] if on_error else None  # without one, each call has its own
        with operation or nullcontext():
            endpoint = driver.run(watched(plan, watch), limiter)
            with closing(driver.stream(followed(calls(endpoint), watch), limiter, ahead, rescue)) as batches:
                for answers in batches:
                    for answer in answers:
                        yield from folding.unfold(answer)
                yield from folding.rest()

    async def _astream(
        self,
        plan: Steps[EndpointInfo],
        folding: Folding[E],
        calls: _Calls[E],
        role: InputType,
        ahead: int | None = None,
        on_error: OnError = "raise",
        watch: Watch | None = None,
    ) -> AsyncGenerator[E, None]:
        driver, limiter = self._driver(), self._limiter()
        operation = self._operation(role)
        watch = Watches.of(operation, watch)
        with operation or nullcontext():
            endpoint = await driver.arun(watched(plan, watch), limiter)
            async with aclosing(driver.astream(followed(calls(endpoint), watch), limiter, ahead, RESCUES[on_error])) as batches:
                async for answers in batches:
                    for answer in answers:
                        for result in folding.unfold(answer):
                            yield result
                for result in folding.rest():
                    yield result


class ContentSettings(EmbeddingSettings):
    """Settings of the adapters that also embed media, with methods that neither framework defines."""

    allow_url_fetch: bool = False
    """Whether media may be fetched from URLs: http and https, public addresses, up to 20 MB each."""
    pass_urls: bool = False
    """Whether URLs of media are passed on to the service, which fetches them: nothing is fetched here, even
    with `allow_url_fetch`. Needs Elastic Stack 9.6, which documents it for images. A URL with a private, loopback or
    link-local address is refused; a name is resolved by the service alone."""

    @overload
    def embed_content(self, item: str | Image, *, input_type: InputType | None = None) -> Vector: ...

    @overload
    def embed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded: ...

    def embed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded:
        """Embed a text, image, sound, video or PDF. Media need a model that embeds them, such as an omni model.

        A `str` is text, even if it is the path of a file, unless it starts as the data URI of a medium does
        (`data:image/png;base64,`). Media: `pathlib.Path`, bytes, a file opened in binary mode, a data URI, a PIL image,
        LangChain's `Blob` and content blocks (`{"type": "image", "base64": ...}`); URLs in blocks need
        `allow_url_fetch=True` or `pass_urls=True`.
        The bytes of a medium determine its type.

        Args:
            item: One of these, or a list of them, which becomes one vector (Elastic Stack 9.5).
            input_type: The role. Default: the role of documents; use "search" for a query by image.

        Returns:
            One vector. For a PDF, always a list of vectors, one for each page: `embed_pages` has a precise type for it.

        Raises:
            InputError: the item cannot be embedded. No request was sent.
        """
        role = self._role(input_type)
        read = content(item, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return self._embed_all([read], role)[0]

    @overload
    async def aembed_content(self, item: str | Image, *, input_type: InputType | None = None) -> Vector: ...

    @overload
    async def aembed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded: ...

    async def aembed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded:
        """As `embed_content`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content, item, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return (await self._aembed_all([await in_thread(read)], role))[0]

    def embed_pages(self, pdf: Embeddable, *, input_type: InputType | None = None) -> list[Vector]:
        """Embed the pages of a PDF, and return one vector for each, in order, as `embed_content` does.

        With the extra `[pdf]`, the pages are counted before the request, and the vectors are compared with them.

        Args:
            pdf: A PDF, of any type that `embed_content` takes.
            input_type: The role. Default: the role of documents.

        Raises:
            InputError: it is not a PDF, or cannot be embedded. No request was sent.
            InvalidAnswerError: the service returned another number of vectors than the PDF has pages.
        """
        role = self._role(input_type)
        read = content(pdf, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        pages = known_pages(_require_pdf(read))
        return _one_for_each_page(self._embed_all([read], role)[0], pages, label(read))

    async def aembed_pages(self, pdf: Embeddable, *, input_type: InputType | None = None) -> list[Vector]:
        """As `embed_pages`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content, pdf, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        medium = _require_pdf(await in_thread(read))
        pages = await asyncio.to_thread(known_pages, medium)
        return _one_for_each_page((await self._aembed_all([medium], role))[0], pages, label(medium))

    @overload
    def embed_contents(self, items: Iterable[str | Image], *, input_type: InputType | None = None) -> list[Vector]: ...

    @overload
    def embed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Embedded]: ...

    def embed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Any]:
        """Embed items, and return one result for each, in input order. `embed_content` describes the types of an item.

        All items are checked before the first request. Files are read when they are sent, large files a few at a time. Fetched
        media are kept in memory until they are sent.

        Args:
            items: Any number of items. A list among them is one item.
            input_type: The role of all items. Default: the role of documents.

        Returns:
            One vector for each item; for a PDF, a list of vectors, one for each page.

        Raises:
            InputError: an item cannot be embedded; the error names its position. No request was sent, unless a file changed
                after it was checked.
            JinaEISError: some items were not embedded; the error names them. No result is returned.
        """
        role = self._role(input_type)
        read = content_list(items, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return self._embed_all(read, role)

    @overload
    async def aembed_contents(self, items: Iterable[str | Image], *, input_type: InputType | None = None) -> list[Vector]: ...

    @overload
    async def aembed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Embedded]: ...

    async def aembed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Any]:
        """As `embed_contents`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content_list, items, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return await self._aembed_all(await in_thread(read), role)

    def _embed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        raise NotImplementedError

    async def _aembed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        raise NotImplementedError

    def _content_vectors(
        self,
        contents: Sequence[Content],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        watch: Watch | None = None,
    ) -> Generator[Embedded, None, None]:
        """Yield the results of texts and media, in input order. A caller that may stop early must close the generator."""
        embedder, folding = self._embedder(role), Folding[Embedded]()
        limit = min(filter(None, (ahead, max_in_flight(contents))), default=None)
        calls = _content_calls(embedder, folding, contents, role, positions, self._length_check())
        return self._stream(embedder.plan(contents), folding, calls, role, limit, watch=watch)

    def _acontent_vectors(
        self,
        contents: Sequence[Content],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        watch: Watch | None = None,
    ) -> AsyncGenerator[Embedded, None]:
        """As `_content_vectors`, without blocking the event loop."""
        embedder, folding = self._embedder(role), Folding[Embedded]()
        limit = min(filter(None, (ahead, max_in_flight(contents))), default=None)
        calls = _content_calls(embedder, folding, contents, role, positions, self._length_check())
        return self._astream(embedder.plan(contents), folding, calls, role, limit, watch=watch)

    def _role(self, input_type: InputType | None) -> InputType:
        if input_type is None:
            return self.document_input_type
        if input_type not in get_args(InputType):
            suggestion = {"query": "search", "document": "ingest", "passage": "ingest"}.get(str(input_type))
            hint = f" Did you mean {suggestion!r}?" if suggestion else ""
            raise InputError(f"input_type={input_type!r}: pass {', '.join(map(repr, get_args(InputType)))} or None.{hint}")
        return input_type

    def _adapt(self, value: Any) -> Part | Link | None:
        """The content of a framework object; None for other objects."""
        raise NotImplementedError


def _require_pdf(content: Content) -> Medium:
    if isinstance(content, Medium) and content.modality == "pdf":
        return content
    kind = content.mime or content.modality if isinstance(content, Medium) else "a text" if isinstance(content, str) else "a list"
    raise InputError(f"The input is {kind}, not a PDF. Use embed_content.")


def _one_for_each_page(vectors: Embedded, pages: int | None, name: str) -> list[Vector]:
    found = cast("list[Vector]", vectors)
    if pages is not None and len(found) != pages:
        raise InvalidAnswerError(
            f"The service returned {len(found)} vectors for {name}, which has {pages} page{'s' * (pages > 1)}."
        )
    return found


def _text_calls(
    embedder: Embedder,
    folding: Folding[Vector],
    texts: Iterable[str],
    role: InputType,
    positions: Sequence[int] | None,
    whole: bool,
    lengths_of_texts: LengthCheck,
) -> _Calls[Vector]:
    """Return the calls for texts: of a list, each text once; of a stream, each text of a batch once.

    Texts that are too long are reported before the first call; of a stream, before the call of their batch.
    """
    lengths: set[int] = set()

    def calls(endpoint: EndpointInfo, texts: Iterable[str], positions: Iterable[int]) -> Iterator[Call[list[Vector]]]:
        distinct = folding.distinct(texts, positions)
        return embedder.calls(endpoint, distinct, role, folding.positions(), whole=whole, lengths=lengths)

    def stream(endpoint: EndpointInfo) -> Iterator[Call[list[Vector]]]:
        place, first = count(), 0
        for batch in blocks(texts, embedder.batch_size):
            lengths_of_texts.check(endpoint, batch, _names_of_inputs(range(first, first + len(batch))))
            first += len(batch)
            yield from calls(endpoint, batch, place)
            folding.forget()

    def whole_list(endpoint: EndpointInfo) -> Iterator[Call[list[Vector]]]:
        listed, places = list(texts), list(positions or ())
        lengths_of_texts.check(endpoint, listed, _names_of_inputs(places))
        return calls(endpoint, listed, places)

    return stream if positions is None else whole_list


def _content_calls(
    embedder: Embedder,
    folding: Folding[Embedded],
    contents: Sequence[Content],
    role: InputType,
    positions: Sequence[int] | None,
    lengths_of_texts: LengthCheck,
) -> _Calls[Embedded]:
    distinct = [*folding.distinct(contents, positions)]
    places = [*islice(folding.positions(), len(distinct))]

    def calls(endpoint: EndpointInfo) -> Iterator[Call[list[Embedded]]]:
        lengths_of_texts.check(endpoint, distinct, _names_of_inputs(places))
        return embedder.content_calls(endpoint, distinct, role, places, whole=positions is None)

    return calls


def _names_of_inputs(positions: Sequence[int]) -> Callable[[int], str]:
    return lambda index: f"Input {positions[index]}"


def _positions_of_none(vectors: Sequence[Vector | None]) -> list[int]:
    return [position for position, vector in enumerate(vectors) if vector is None]


class RerankSettings(EndpointSettings):
    """Settings of the rerankers, and the steps built from them."""

    if TYPE_CHECKING:
        model: str | None = Field(default=None)
    inference_id: str | None = Field(default=None, min_length=1, validation_alias=ENDPOINT_NAMES)
    """The endpoint. None: `.jina-reranker-v3.5` if the deployment has it, else `.jina-reranker-v3`. It is found with the first
    documents, and this attribute then has its id."""
    top_n: int | None = Field(default=3, ge=1)
    score_threshold: float | None = Field(default=None, allow_inf_nan=False)
    window_size: int | None = Field(default=None, ge=2)
    strategy: Strategy = "auto"
    too_long: TooLong = "warn"
    """What to do about a query or documents with more tokens than the model reads, by an estimate: "warn" once a call, with a
    `UserWarning` that names the first; "error" for an `InputError` before they are sent; "ignore"."""
    allow_url_fetch: bool = False
    """Whether images may be fetched from URLs: http and https, public addresses, up to 20 MB each."""
    pass_urls: bool = False
    """Whether URLs of images are passed on to the service, which fetches them: nothing is fetched here, even with
    `allow_url_fetch`. Needs Elastic Stack 9.6. A URL with a private, loopback or link-local address is refused."""

    _default: str | None = PrivateAttr(default=None)  # the default endpoint, once it was found and while it is in use

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        self._reranker()
        model = preconfigured(self.inference_id or DEFAULT_RERANKERS[0])
        check_reachable("score_threshold", self.score_threshold, model if isinstance(model, RerankModel) else None)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "inference_id":
            self._default = None

    def __getstate__(self) -> dict[Any, Any]:
        return self._without_default(super().__getstate__())

    def __copy__(self) -> Self:
        copied = super().__copy__()  # it may have another address
        BaseModel.__setstate__(copied, self._without_default(BaseModel.__getstate__(copied)))
        return copied

    @field_serializer("inference_id")
    def _named_endpoint(self, inference_id: str | None) -> str | None:
        return None if self._default else inference_id

    def _without_default(self, state: dict[Any, Any]) -> dict[Any, Any]:
        """Return the state without the default endpoint, which another process or a copy finds again."""
        if not self._default:
            return state
        private = {**state["__pydantic_private__"], "_default": None}
        return {**state, "__dict__": {**state["__dict__"], "inference_id": None}, "__pydantic_private__": private}

    def _reranker(self) -> Reranker:
        return Reranker(self.inference_id or DEFAULT_RERANKERS[0], self.window_size, self.strategy, self.timeout, self.too_long)

    def _read(self, query: Any, documents: Sequence[Any], get: Get | None = None) -> tuple[Content, list[Content]]:
        """Return the query and the documents as they are ranked. Images are checked, and fetched from URLs."""
        may_fetch, pass_urls = self.allow_url_fetch, self.pass_urls
        read = content_list(documents, may_fetch=may_fetch, pass_urls=pass_urls, adapt=self._adapt_item, get=get)
        if query is None or (isinstance(query, str) and not looks_like_data_uri(query)):
            return query or "", read  # the step refuses an empty query
        query = content(query, may_fetch=may_fetch, pass_urls=pass_urls, adapt=self._adapt_item, get=get, name="The query")
        return query, read

    async def _aread(self, query: Any, documents: Sequence[Any]) -> tuple[Content, list[Content]]:
        """As `_read`, without blocking the event loop."""
        if not any(map(self._may_be_image, (query, *documents))):
            return self._read(query, documents)
        return await in_thread(partial(self._read, query, documents))

    def _adapt_item(self, item: Any) -> Part | Link | None:
        if isinstance(item, str):
            return None if looks_like_data_uri(item) else item  # any text, also an empty one
        return self._adapt(item)

    def _may_be_image(self, item: Any) -> bool:
        """Whether reading an input may take a while."""
        return not isinstance(item, str)

    def _adapt(self, item: Any) -> Part | Link | None:
        """The content of a framework object; None for other objects."""
        raise NotImplementedError

    def _rank(self, query: Content, documents: Sequence[Content], top_n: int | None) -> Steps[list[Ranked]]:
        """Rank the documents, best first. The arguments are checked before the first step."""

        def rank() -> Steps[Ranking]:
            return self._reranker().rank(query, documents, top_n=top_n, score_threshold=self.score_threshold)

        steps = rank()
        if not documents:
            return self._notify(steps)
        found = self._notify(steps if self.inference_id else self._rank_by_default(rank))
        return observed(found, new_operation("rerank", self.inference_id, self._location, model=self.inference_id, top_n=top_n))

    def _rank_by_default(self, rank: Callable[[], Steps[Ranking]]) -> Steps[Ranking]:
        yield from self._find_endpoint()
        return (yield from rank())

    def _find_endpoint(self) -> Steps[str]:
        """Return the endpoint, after the default was found if none is set."""
        if self.inference_id is None:
            found = yield from find_default_reranker(self.timeout)
            with _finding:
                is_first = self.inference_id is None
                if is_first:
                    self.__dict__["inference_id"] = self._default = found
            if is_first:
                logging.getLogger("jina_eis.rerank").info("The default reranker of this deployment is %s.", found)
        return str(self.inference_id)

    def _notify(self, steps: Steps[Ranking]) -> Steps[list[Ranked]]:
        ranking = yield from steps
        report(ranking.notice, self.too_long)
        return ranking.documents
