"""Settings of the rerankers of both frameworks, and the ranking of documents.

It knows no framework: the classes of the frameworks state what their own objects contain.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field, PrivateAttr, field_serializer, model_validator

from ..contents import Content, Get, Link, Part, content, content_list, in_thread, looks_like_data_uri
from ..models import DEFAULT_RERANKERS, RerankModel, preconfigured
from ..steps import Ranked, Ranking, Reranker, Strategy, TooLong, check_reachable, find_default_reranker, report
from ..wire import Steps
from .inference_id import ENDPOINT_NAMES, EndpointSettings
from .tracing import new_operation, observed

__all__ = ["RerankSettings"]

_finding = threading.Lock()  # so that the endpoint that was found is logged once


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
