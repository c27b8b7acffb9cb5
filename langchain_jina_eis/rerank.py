"""`JinaEISRerank`: LangChain's document compressor over the shared core."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from types import EllipsisType
from typing import Any, ClassVar

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import Field

from jina_eis.inputs import text_source
from jina_eis.reranker import Ranked
from jina_eis.settings import RerankSettings
from jina_eis.wire import Steps

__all__ = ["JinaEISRerank"]


class JinaEISRerank(RerankSettings, BaseDocumentCompressor):
    """Jina rerankers on the Elastic Inference Service (EIS), for any number of documents.

    Setup:
        Install `jina-eis[langchain]`, and set where your deployment is.

        ```bash
        pip install -U "jina-eis[langchain]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args:
        inference_id: str = ".jina-reranker-v3"
            The inference endpoint, preconfigured or your own; also taken as `model`.
        top_n: int | None = 3
            Documents to return; None for all.
        score_threshold: float | None = None
            Leave out documents that the model scores lower. Scores of a listwise model lie between -1 and 1 and depend on
            the other documents: find the threshold on your own data.
        window_size: int = 64
            Most documents in a request. jina-reranker-v3 and v3.5 see 64 together (arXiv 2509.25085).
        strategy: str = "auto"
            What to do with more documents than that. Requests for 64, 100, 200, 500 and 1,000 documents, in windows of 64:

            - "two_stage": blocks side by side, then the best of all blocks in one request: 1, 3, 5, 9 and 19, in at most
              3 rounds. Right for every model.
            - "sliding": a window moves from the end to the front: 1, 3, 6, 15 and 31, one after the other. Right for
              every model, slower.
            - "pages": each document once, sorted by score: 1, 2, 4, 8 and 16, all side by side. Right for pointwise models
              alone, and refused for models that are known to be listwise.
            - "auto": "pages" for jina-reranker-v2, "two_stage" for any other.
        rate_limiter: BaseRateLimiter | None = None
            Asked before every request, retries included.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries and
        max_concurrency are described at `ServiceSettings`. An argument that does not exist is an error.

    Instantiate:
        ```python
        from langchain_jina_eis import JinaEISRerank

        reranker = JinaEISRerank(top_n=5)
        ```

    Use:
        ```python
        best = reranker.compress_documents(documents, "How do glaciers move?")
        best[0].metadata["relevance_score"]  # the model's own score; it can be negative

        reranker.rerank(["A glacier flows.", "Bread rises."], "How do glaciers move?")
        # [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": -0.1}]
        ```

    Async:
        ```python
        best = await reranker.acompress_documents(documents, "How do glaciers move?")
        ```

    With more documents than `window_size` and a listwise model, one last request sees the `window_size` best documents, and
    their scores compare. Whatever follows them is in order too, but its scores stem from requests with other documents and
    compare with none: it is marked with `metadata["relevance_score_preliminary"] = True` (`"preliminary": True` in
    `rerank`).

    One object serves any number of threads and event loops. It is picklable if it was made without a client or rate
    limiter of yours.

    Raises:
        ConfigurationError: (also a ValueError) arguments that cannot work, when the object is made, or on first use for
            what only the deployment knows.
        InputError: (also a ValueError) an empty query, or a document without text; nothing has been sent.
        JinaEISError: what the service answered, typed; see `jina_eis.errors`. It names the documents that the failed
            request held.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    rate_limiter: BaseRateLimiter | None = Field(default=None, exclude=True, repr=False)

    @property
    def model(self) -> str:
        """The inference endpoint, under the name that LangChain's tools look for."""
        return self.inference_id

    def compress_documents(self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None) -> list[Document]:
        """The `top_n` most relevant documents, best first; equally relevant ones in the order given.

        They are copies with the same id, type and metadata, and with the score in `metadata["relevance_score"]`. The
        documents that were given stay as they are. No documents, no request. `callbacks` are not used.
        """
        return self._drive().run(self._compress(documents, query), self.rate_limiter)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """As `compress_documents`, without blocking the event loop."""
        return await self._drive().arun(self._compress(documents, query), self.rate_limiter)

    def rerank(
        self, documents: Sequence[str | Document], query: str, *, top_n: int | EllipsisType | None = ...
    ) -> list[dict[str, Any]]:
        """The positions and scores of the most relevant documents: `[{"index": 0, "relevance_score": 0.5}]`, best first.

        Args:
            documents: Texts or documents, mixed as you like.
            query: What they should be relevant for.
            top_n: In place of the object's own; None for all.
        """
        return self._drive().run(self._rerank(documents, query, top_n), self.rate_limiter)

    async def arerank(
        self, documents: Sequence[str | Document], query: str, *, top_n: int | EllipsisType | None = ...
    ) -> list[dict[str, Any]]:
        """As `rerank`, without blocking the event loop."""
        return await self._drive().arun(self._rerank(documents, query, top_n), self.rate_limiter)

    def _compress(self, documents: Sequence[Document], query: str) -> Steps[list[Document]]:
        documents = list(documents)
        ranked = yield from self._rank(query, _texts(documents), self.top_n)
        return [_scored(documents[one.index], one) for one in ranked]

    def _rerank(
        self, documents: Sequence[str | Document], query: str, top_n: int | EllipsisType | None
    ) -> Steps[list[dict[str, Any]]]:
        ranked = yield from self._rank(query, _texts(documents), self.top_n if top_n is ... else top_n)
        return [
            {"index": one.index, "relevance_score": one.score, **({"preliminary": True} if one.preliminary else {})}
            for one in ranked
        ]


def _texts(documents: Sequence[str | Document]) -> list[str]:
    return [document.page_content if isinstance(document, Document) else document for document in text_source(documents)]


def _scored(document: Document, ranked: Ranked) -> Document:
    metadata = {**document.metadata, "relevance_score": ranked.score}
    metadata.pop("relevance_score_preliminary", None)  # of an earlier ranking
    if ranked.preliminary:
        metadata["relevance_score_preliminary"] = True
    return document.model_copy(update={"metadata": metadata})
