"""What the adapters of both frameworks share: the settings of a capability, and how its steps are made from them."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import aclosing, closing

from pydantic import AliasChoices, Field, PrivateAttr, model_validator
from typing_extensions import Self

from .embedder import RESCUES, Embedder, OnError
from .reranker import WINDOW_SIZE, Ranked, Ranking, Reranker, Strategy
from .settings import ServiceSettings
from .wire import InputType, Steps, Vector

__all__ = ["ENDPOINT_NAMES", "EmbeddingSettings", "RerankSettings"]

ENDPOINT_NAMES = AliasChoices("inference_id", "model")


class EmbeddingSettings(ServiceSettings):
    """What the embedding adapters take besides, and the vectors that follow from it."""

    inference_id: str = Field(default=".jina-embeddings-v5-text-small", min_length=1, validation_alias=ENDPOINT_NAMES)
    dimensions: int | None = Field(default=None, ge=1)
    query_input_type: InputType = "search"
    document_input_type: InputType = "ingest"

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        self._embedder()
        return self

    @property
    def model(self) -> str:
        """The inference endpoint, under the name that many tools look for."""
        return self.inference_id

    def _texts_in_a_request(self) -> int:
        raise NotImplementedError

    def _embedder(self) -> Embedder:
        return Embedder(self.inference_id, self.dimensions, self._texts_in_a_request(), self.timeout)

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
        driver, embedder, limiter = self._drive(), self._embedder(), self._limiter()
        calls = embedder.calls(driver.run(embedder.plan(), limiter), texts, role, positions)
        with closing(driver.stream(calls, limiter, ahead, RESCUES[on_error])) as batches:
            for vectors in batches:
                yield from vectors

    async def _avectors(
        self,
        texts: Iterable[str],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        on_error: OnError = "raise",
    ) -> AsyncGenerator[Vector, None]:
        """As `_vectors`, without blocking the event loop."""
        driver, embedder, limiter = self._drive(), self._embedder(), self._limiter()
        calls = embedder.calls(await driver.arun(embedder.plan(), limiter), texts, role, positions)
        async with aclosing(driver.astream(calls, limiter, ahead, RESCUES[on_error])) as batches:
            async for vectors in batches:
                for vector in vectors:
                    yield vector


class RerankSettings(ServiceSettings):
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

    @property
    def model(self) -> str:
        """The inference endpoint, under the name that many tools look for."""
        return self.inference_id

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
