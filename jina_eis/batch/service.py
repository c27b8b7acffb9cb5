"""The settings of embedding and reranking in engines. All objects of a process with equal settings share one driver.

An engine unpickles its callable again for every task, and a driver per copy would open connections and learn the pace again.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field, PrivateAttr

from ..adapters import EmbeddingSettings, EndpointInfo, RerankSettings, ServiceSettings
from ..errors import InputError, JinaEISError
from ..steps import LengthCheck, stand_in

__all__ = ["BATCH_SIZE", "EmbeddingService", "RerankService"]

BATCH_SIZE = 16  # as in the adapters of both frameworks

_drivers: dict[tuple[Any, ...], Any] = {}


class _SharedDriver(ServiceSettings):
    def _new_driver(self) -> Any:
        if self.client is not None or self.async_client is not None:
            return super()._new_driver()
        pace = (self.timeout, self.max_retries, self.max_concurrency, self.deadline, self.use_case)
        return _drivers.setdefault((os.getpid(), self._address(), self._options(), *pace), super()._new_driver())


class EmbeddingService(_SharedDriver, EmbeddingSettings):
    """Embeds texts, with one outcome for each."""

    batch_size: int = Field(default=BATCH_SIZE, ge=1)
    _rate_limiter: Any = PrivateAttr(default=None)
    _lengths: LengthCheck | None = PrivateAttr(default=None)

    def limit(self, rate_limiter: Any) -> None:
        """Set a rate limiter, which is called before every request."""
        self._rate_limiter = rate_limiter

    def outcomes(
        self, texts: Iterable[str], positions: Sequence[int] | None = None, patience: float | None = None
    ) -> Generator[list[float] | JinaEISError, None, None]:
        """Yield the vector or the error of each text, in order. A caller that may stop early must close the generator.

        Args:
            texts: Read as they are needed.
            positions: Their positions in the caller's list, for errors. None for a stream.
            patience: Seconds in which a request is retried; None for the limits of the settings.
        """
        return self._outcomes(texts, self.document_input_type, positions, patience)

    def describe(self) -> EndpointInfo:
        """Return the endpoint, with the length of these vectors if it is known. An unknown endpoint is looked up."""
        endpoint = self._run(self._embedder(self.document_input_type).plan())
        return replace(endpoint, dimensions=self.dimensions or endpoint.dimensions)

    def refusals(self, texts: Mapping[int, str]) -> dict[int, str]:
        """Return why texts are not sent, by their positions: with `too_long="error"`, those that are too long."""
        if self.too_long != "error" or not texts:
            return {}
        endpoint = self.describe()
        refusals = {position: self._refusal(endpoint, text, position) for position, text in texts.items()}
        return {position: reason for position, reason in refusals.items() if reason}

    def _refusal(self, endpoint: EndpointInfo, text: str, position: int) -> str | None:
        try:
            super()._length_check().check(endpoint, [text], lambda _: f"Input {position}")
        except InputError as error:
            return str(error)
        return None

    def stand_in(self) -> str | None:
        """Return the stand-in model of an embedded server; None for a deployment. Its request also checks the address."""
        return self._run(stand_in())

    def _texts_in_a_request(self) -> int:
        return self.batch_size

    def _length_check(self) -> LengthCheck:
        self._lengths = self._lengths or super()._length_check()  # a corpus is one call: one warning, not one for each batch
        return self._lengths

    def _limiter(self) -> Any:
        return self._rate_limiter


class RerankService(_SharedDriver, RerankSettings):
    """Ranks documents, with one score for each."""

    def order(self, query: str, documents: Sequence[str]) -> list[tuple[int, float | None]]:
        """Return the position and the score of each document, best first; no score where it does not compare with others."""
        ranked = self._run(self._rank(query, documents, None))
        return [(document.index, None if document.preliminary else document.score) for document in ranked]

    def _adapt(self, value: Any) -> None:
        """No framework, so no object of one."""
