"""What the adapters of both frameworks share: the settings of a capability, and how its steps are made from them."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from pydantic import AliasChoices, Field, PrivateAttr, model_validator

from ..contents import Content, Embeddable, Link, Part, content, content_list, in_thread, query_text
from ..errors import ConfigurationError, InputError
from ..steps import (
    RESCUES,
    WINDOW_SIZE,
    Embedded,
    Embedder,
    OnError,
    Ranked,
    Ranking,
    Reranker,
    Strategy,
    compare,
    streams_at_most,
)
from ..wire import Call, EndpointInfo, InputType, Steps, Vector
from .settings import ServiceSettings

__all__ = ["ENDPOINT_NAMES", "ContentSettings", "EmbeddingSettings", "RerankSettings"]

ENDPOINT_NAMES = AliasChoices("inference_id", "model")

E = TypeVar("E")
_Calls = Callable[[EndpointInfo], Iterable[Call[list[E]]]]


class EndpointSettings(ServiceSettings):
    """What names an endpoint as `inference_id` or, as in most packages, as `model`."""

    if TYPE_CHECKING:
        model: str = Field(default="")  # checkers read the arguments off the fields
    else:

        @property
        def model(self) -> str:
            """The inference endpoint, under the name that many tools look for."""
            return self.inference_id


class EmbeddingSettings(EndpointSettings):
    """What the embedding adapters take besides, and the vectors that follow from it."""

    inference_id: str = Field(default=".jina-embeddings-v5-text-small", min_length=1, validation_alias=ENDPOINT_NAMES)
    search_inference_id: str | None = Field(default=None, min_length=1)
    """The endpoint for queries, if it is not the one for documents. Both must embed into one vector space."""
    dimensions: int | None = Field(default=None, ge=1)
    query_input_type: InputType = "search"
    document_input_type: InputType = "ingest"

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        self._embedder(self.document_input_type)
        if self.search_inference_id:
            if self.query_input_type == self.document_input_type:
                raise ConfigurationError(
                    f"query_input_type and document_input_type are both {self.query_input_type!r}, so nothing tells what goes to "
                    "search_inference_id. Make an object for each endpoint."
                )
            self._embedder(self.query_input_type)
        return self

    def _texts_in_a_request(self) -> int:
        raise NotImplementedError

    def shares_space_with(self, inference_id: str) -> bool:
        """Whether vectors of another endpoint can be compared with these: searched with them, and kept beside them.

        Preconfigured endpoints are compared without a request. The other's vectors are taken to be cut to the same
        `dimensions`, if these are set.

        Raises:
            ConfigurationError: for models that are not known here.
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
        role = self.query_input_type
        return self._run(self._embedder(role).embed([query_text(query, embedded=True)], role))[0]

    async def _aquery_vector(self, query: str) -> Vector:
        role = self.query_input_type
        return (await self._arun(self._embedder(role).embed([query_text(query, embedded=True)], role)))[0]

    def _vectors(
        self,
        texts: Iterable[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        on_error: OnError = "raise",
    ) -> Generator[Vector, None, None]:
        """The vectors of any number of texts, in their order, while embedding goes on. Whoever may stop early closes it.

        Args:
            texts: Taken as they are needed.
            role: Sent with all of them.
            positions: Where they are in the user's list, for errors; default: from the start.
            ahead: Most requests in flight, if that is less than `max_concurrency`.
            on_error: Whether the error of a text is raised or given out in the place of its vector.
        """
        embedder = self._embedder(role)
        return self._stream(embedder, lambda endpoint: embedder.calls(endpoint, texts, role, positions), ahead, on_error)

    def _avectors(
        self,
        texts: Iterable[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        on_error: OnError = "raise",
    ) -> AsyncGenerator[Vector, None]:
        """As `_vectors`, without blocking the event loop."""
        embedder = self._embedder(role)
        return self._astream(embedder, lambda endpoint: embedder.calls(endpoint, texts, role, positions), ahead, on_error)

    def _stream(
        self, embedder: Embedder, calls: _Calls[E], ahead: int | None = None, on_error: OnError = "raise"
    ) -> Generator[E, None, None]:
        driver, limiter = self._drive(), self._limiter()
        endpoint = driver.run(embedder.plan(), limiter)
        with closing(driver.stream(calls(endpoint), limiter, ahead, RESCUES[on_error])) as batches:
            for answers in batches:
                yield from answers

    async def _astream(
        self, embedder: Embedder, calls: _Calls[E], ahead: int | None = None, on_error: OnError = "raise"
    ) -> AsyncGenerator[E, None]:
        driver, limiter = self._drive(), self._limiter()
        endpoint = await driver.arun(embedder.plan(), limiter)
        async with aclosing(driver.astream(calls(endpoint), limiter, ahead, RESCUES[on_error])) as batches:
            async for answers in batches:
                for answer in answers:
                    yield answer


class ContentSettings(EmbeddingSettings):
    """What embeds media too, by methods that neither framework has a name for."""

    allow_url_fetch: bool = False
    """Whether media may be fetched from the URLs they are given as: http and https, public addresses, up to 20 MB each."""

    def embed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded:
        """The vector of a text, image, sound, video or PDF; needs a model that embeds it, such as an omni one.

        A `str` is text, whatever it names; only one that begins as the data URI of a medium does (`data:image/png;base64,`)
        is that medium. Media: `pathlib.Path`, bytes, a file opened in binary mode, a data URI, an image of PIL, LangChain's
        `Blob` and content blocks (`{"type": "image", "base64": ...}`), URLs in blocks only with `allow_url_fetch=True`.
        What a medium is, is told by its bytes.

        Args:
            item: One of these, or a list of them, which becomes one vector (Elastic Stack 9.5).
            input_type: Its role. Default: that of documents; "search" for a query by image.

        Returns:
            One vector. For a PDF, always a list of vectors, one for each page.

        Raises:
            InputError: for what cannot be embedded. Nothing has been sent.
        """
        role = self._role(input_type)
        read = content(item, may_fetch=self.allow_url_fetch, adapt=self._adapt)
        return self._embed_all([read], role)[0]

    async def aembed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded:
        """As `embed_content`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content, item, may_fetch=self.allow_url_fetch, adapt=self._adapt)
        return (await self._aembed_all([await in_thread(read)], role))[0]

    def embed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Embedded]:
        """One result for each item, in their order; `embed_content` says what an item may be.

        All items are checked before the first request. Files are read when they are sent, of large ones a few at a time; what
        is fetched is held in memory until then.

        Args:
            items: Any number of them. A list among them is one item.
            input_type: Their role. Default: that of documents.

        Returns:
            For each item one vector; for each PDF among them a list of vectors, one for each page.

        Raises:
            InputError: for an item that cannot be embedded, with its position. Nothing has been sent, but for a file that has
                changed since it was checked.
            JinaEISError: nothing is returned unless every item was embedded; the error says which were not.
        """
        role = self._role(input_type)
        read = content_list(items, may_fetch=self.allow_url_fetch, adapt=self._adapt)
        return self._embed_all(read, role)

    async def aembed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Embedded]:
        """As `embed_contents`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content_list, items, may_fetch=self.allow_url_fetch, adapt=self._adapt)
        return await self._aembed_all(await in_thread(read), role)

    def _embed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        raise NotImplementedError

    async def _aembed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        raise NotImplementedError

    def _embedded(
        self, contents: Sequence[Content], role: InputType, positions: Sequence[int] | None = None, ahead: int | None = None
    ) -> Generator[Embedded, None, None]:
        """What becomes of texts and media, in their order. Whoever may stop early closes it."""
        embedder = self._embedder(role)
        most = min(filter(None, (ahead, streams_at_most(contents))), default=None)
        return self._stream(embedder, lambda endpoint: embedder.content_calls(endpoint, contents, role, positions), most)

    def _aembedded(
        self, contents: Sequence[Content], role: InputType, positions: Sequence[int] | None = None, ahead: int | None = None
    ) -> AsyncGenerator[Embedded, None]:
        """As `_embedded`, without blocking the event loop."""
        embedder = self._embedder(role)
        most = min(filter(None, (ahead, streams_at_most(contents))), default=None)
        return self._astream(embedder, lambda endpoint: embedder.content_calls(endpoint, contents, role, positions), most)

    def _role(self, input_type: InputType | None) -> InputType:
        if input_type is None:
            return self.document_input_type
        if input_type not in get_args(InputType):
            meant = {"query": "search", "document": "ingest", "passage": "ingest"}.get(str(input_type))
            hint = f" Did you mean {meant!r}?" if meant else ""
            raise InputError(f"input_type={input_type!r}: it is {', '.join(map(repr, get_args(InputType)))} or None.{hint}")
        return input_type

    def _adapt(self, value: Any) -> Part | Link | None:
        """What an object of the framework holds; None for any other."""
        raise NotImplementedError


class RerankSettings(EndpointSettings):
    """What the rerankers take besides, and the steps that follow from it."""

    inference_id: str = Field(default=".jina-reranker-v3", min_length=1, validation_alias=ENDPOINT_NAMES)
    top_n: int | None = Field(default=3, ge=1)
    score_threshold: float | None = Field(default=None, allow_inf_nan=False)
    window_size: int = Field(default=WINDOW_SIZE, ge=2)
    strategy: Strategy = "auto"

    _notified: bool = PrivateAttr(default=False)

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        self._reranker()
        return self

    def _reranker(self) -> Reranker:
        return Reranker(self.inference_id, self.window_size, self.strategy, self.timeout)

    def _rank(self, query: str, documents: Sequence[str], top_n: int | None) -> Steps[list[Ranked]]:
        """The best documents. What is asked is checked before any step is taken."""
        return self._notify(self._reranker().rank(query, documents, top_n=top_n, score_threshold=self.score_threshold))

    def _notify(self, steps: Steps[Ranking]) -> Steps[list[Ranked]]:
        ranking = yield from steps
        if ranking.notice and not self._notified:
            self._notified = True  # a search engine would hear it with every question
            warnings.warn(ranking.notice, stacklevel=2)
        return ranking.documents
