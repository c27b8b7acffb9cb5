"""`JinaEISRerank`: LangChain's document compressor over the shared core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from types import EllipsisType
from typing import ClassVar, NotRequired, TypedDict, TypeVar

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import Field

from jina_eis.adapters import RerankSettings
from jina_eis.contents import text_source
from jina_eis.errors import InputError
from jina_eis.steps import PRELIMINARY, Ranked
from jina_eis.transport import RateLimiter
from jina_eis.wire import Steps

__all__ = ["JinaEISRerank", "RankedDocument"]

T = TypeVar("T")


class RankedDocument(TypedDict):
    """A document's place in a ranking: its position in the list that was given, and the model's own score.

    `relevance_score_preliminary` is True, and there, if the score compares with no other.
    """

    index: int
    relevance_score: float
    relevance_score_preliminary: NotRequired[bool]


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
            End before the first document that the model scores lower. Scores of a listwise model lie between -1 and 1 and
            depend on the other documents: find the threshold on your own data.
        window_size: int = 64
            Most documents in a request, fewer where long ones would overflow the model's context. jina-reranker-v3 and v3.5
            see 64 together (arXiv 2509.25085).
        strategy: str = "auto"
            What to do with more documents than that. Requests for 64, 100, 200, 500 and 1,000 documents, in windows of 64:

            - "two_stage": blocks side by side, then the best of all blocks in one request: 1, 3, 5, 9 and 19, in at most
              3 rounds. Right for every model; sure of the first 8 places, and of the others nearly always.
            - "sliding": a window moves from the end to the front: 1, 3, 6, 15 and 31, one after the other. Right for
              every model, slower; sure of the first 32 places.
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

    With more documents than `window_size` and a listwise model, one last request ranks the best of all blocks, and its
    scores compare. Whatever follows is in order too, but its scores stem from requests with other documents and compare with
    none: it is marked `"relevance_score_preliminary": True`, in the metadata or in what `rerank` returns.

    One object serves any number of threads and event loops. It is picklable if it was made without a client or rate
    limiter of yours.

    Raises:
        ConfigurationError: (also a ValueError) arguments that cannot work, when the object is made, or on first use for
            what only the deployment knows.
        InputError: (also a ValueError) an empty query, or what is no document; nothing has been sent.
        JinaEISError: what the service answered, typed; see `jina_eis.errors`. It names the documents that the failed
            request held.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    rate_limiter: BaseRateLimiter | None = Field(default=None, exclude=True, repr=False)

    def compress_documents(self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None) -> list[Document]:
        """The `top_n` most relevant documents, best first; equally relevant ones in the order given.

        They are copies with the same id, type and metadata, and with the score in `metadata["relevance_score"]`. The
        documents that were given stay as they are. No documents, no request. `callbacks` are not used.
        """
        return self._run(self._compress(documents, query))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """As `compress_documents`, without blocking the event loop."""
        return await self._arun(self._compress(documents, query))

    def rerank(
        self, documents: Iterable[str | Document], query: str, *, top_n: int | EllipsisType | None = ...
    ) -> list[RankedDocument]:
        """The positions and scores of the most relevant documents: `[{"index": 0, "relevance_score": 0.5}]`, best first.

        Args:
            documents: Texts or documents, mixed as you like.
            query: What they should be relevant for.
            top_n: In place of the object's own; None for all.
        """
        return self._run(self._rerank(documents, query, top_n))

    async def arerank(
        self, documents: Iterable[str | Document], query: str, *, top_n: int | EllipsisType | None = ...
    ) -> list[RankedDocument]:
        """As `rerank`, without blocking the event loop."""
        return await self._arun(self._rerank(documents, query, top_n))

    def _limiter(self) -> RateLimiter | None:
        return self.rate_limiter

    def _compress(self, documents: Sequence[Document], query: str) -> Steps[list[Document]]:
        documents = _listed(documents)
        for position, document in enumerate(documents):
            if not isinstance(document, Document):
                raise InputError(f"Input {position} is of type {type(document).__name__}, not a Document. `rerank` takes texts.")
        ranked = yield from self._rank(query, [document.page_content for document in documents], self.top_n)
        return [_scored(documents[one.index], one) for one in ranked]

    def _rerank(
        self, documents: Iterable[str | Document], query: str, top_n: int | EllipsisType | None
    ) -> Steps[list[RankedDocument]]:
        texts = [document.page_content if isinstance(document, Document) else document for document in _listed(documents)]
        ranked = yield from self._rank(query, texts, self.top_n if isinstance(top_n, EllipsisType) else top_n)
        return [_told(one) for one in ranked]


def _listed(documents: Iterable[T]) -> list[T]:
    if isinstance(documents, Document):  # which is iterable
        raise InputError("Documents come as a list. For a single one write [document].")
    return list(text_source(documents))


def _told(ranked: Ranked) -> RankedDocument:
    told: RankedDocument = {"index": ranked.index, "relevance_score": ranked.score}
    if ranked.preliminary:
        told["relevance_score_preliminary"] = True
    return told


def _scored(document: Document, ranked: Ranked) -> Document:
    metadata = {**document.metadata, "relevance_score": ranked.score}
    metadata.pop(PRELIMINARY, None)  # of an earlier ranking
    if ranked.preliminary:
        metadata[PRELIMINARY] = True
    return document.model_copy(update={"metadata": metadata})
