"""`JinaEISRerank`: LangChain's document compressor over the shared core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from types import EllipsisType
from typing import TYPE_CHECKING, Any, ClassVar, NotRequired, TypedDict, TypeVar

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from jina_eis.adapters import RerankSettings
from jina_eis.contents import Content, Embeddable, Link, Part, text_source
from jina_eis.errors import InputError
from jina_eis.steps import PRELIMINARY, Ranked
from jina_eis.transport import RateLimiter
from jina_eis.wire import Steps

from .media import from_blob

if TYPE_CHECKING:
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable

__all__ = ["JinaEISRerank", "RankedDocument"]

T = TypeVar("T")


class RankedDocument(TypedDict):
    """A ranked document: its position in the input list, and the model's own score.

    `relevance_score_preliminary` is True if the score is not comparable with others, and missing otherwise.
    """

    index: int
    relevance_score: float
    relevance_score_preliminary: NotRequired[bool]


class JinaEISRerank(RerankSettings, BaseDocumentCompressor):
    """Jina rerankers on the Elastic Inference Service (EIS), for any number of documents.

    Setup:
        Install `jina-eis[langchain]`, and set the address of your deployment.

        ```bash
        pip install -U "jina-eis[langchain]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args:
        inference_id: str | None = None
            The inference endpoint, preconfigured or your own, or a name of its model; `model` is an alias. None:
            `.jina-reranker-v3.5` if the deployment has it, else `.jina-reranker-v3`. It is looked up with the first documents,
            and the attribute then has its id.
        top_n: int | None = 3
            Documents to return; None for all.
        score_threshold: float | None = None
            The result ends before the first document with a lower score. Scores of a listwise model lie between -1 and 1
            and depend on the other documents: choose the threshold on your own data.
        window_size: int | None = None
            Maximum number of documents per request. None: 64, which jina-reranker-v3 ranks together (arXiv 2509.25085), or 128
            for jina-reranker-v3.5. A request holds fewer documents if they have more than 120,000 tokens together, by a high
            estimate, or more than 4 MB of images.
        strategy: str = "auto"
            How to rank more documents than a window. Requests for 64, 100, 200, 500 and 1,000 documents:

            - "two_stage": ranks blocks in parallel, then the best of all blocks in one request: 1, 3, 5, 9 and 19 with v3, 1, 1,
              3, 5 and 9 with v3.5. For every model; the first 8 places are exact, the others nearly always.
            - "sliding": moves a window from the end to the front: 1, 3, 6, 15 and 31 with v3, 1, 1, 3, 7 and 15 with v3.5, one
              after the other. For every model, slower; the first half of a window is exact.
            - "pages": scores each document once and sorts by score: 1, 2, 4, 8 and 16, in parallel. For pointwise models
              only; rejected for models that are known to be listwise.
            - "auto": "pages" for jina-reranker-v2-base-multilingual and m0, "two_stage" for any other.
        media_of: Callable[[Document], Any] | None = None
            Returns the image of a document, as `rerank` takes it, or None to rank its text. Left out of dumps.
        allow_url_fetch: bool = False
            Whether images may be fetched from URLs.
        pass_urls: bool = False
            Whether URLs of images are passed on to the service, which fetches them (Elastic Stack 9.6).
        too_long: str = "warn"
            What to do about a query or documents with more tokens than the model reads: "warn" once a call, "error" or "ignore".
        rate_limiter: BaseRateLimiter | None = None
            Acquired before every request, including retries.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline,
        max_concurrency, use_case, wire_format, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress
        are described at `ServiceSettings`. Unknown arguments are an error.

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

    Use within a chain:
        ```python
        retriever = reranker.around(store.as_retriever(search_kwargs={"k": 50}))
        ```

    Async:
        ```python
        best = await reranker.acompress_documents(documents, "How do glaciers move?")
        ```

    With more documents than a window and a listwise model, a final request ranks the best of all blocks, and its scores
    are comparable: those of at least half a window. The documents after them are also in order, but their scores come from
    requests with other documents and are not comparable. They are marked `"relevance_score_preliminary": True`, in the
    metadata or in the result of `rerank`.

    One object works in any number of threads and event loops. It can be pickled if it was created without your own client
    or rate limiter.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments. Those that depend on the deployment are detected on
            first use.
        InputError: (also a ValueError) an empty query, an input that is not a document, or an image for a model that ranks only
            texts. No request was sent.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types. The error names the
            documents of the failed request.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    rate_limiter: SkipJsonSchema[BaseRateLimiter | None] = Field(default=None, exclude=True, repr=False)
    media_of: SkipJsonSchema[Callable[[Document], Any] | None] = Field(default=None, exclude=True, repr=False)
    """Returns the image of a document, as `rerank` takes it, or None to rank its text."""

    def compress_documents(self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None) -> list[Document]:
        """Return the `top_n` most relevant documents, best first. Documents of equal relevance keep their order.

        The results are copies with the same id, type and metadata, and with the score in `metadata["relevance_score"]`. The
        input documents are not changed. An empty list sends no request. `callbacks` are not used.
        """
        checked = _checked_documents(documents)
        return self._run(self._compress(checked, *self._read(query, self._items(checked))))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """As `compress_documents`, without blocking the event loop."""
        checked = _checked_documents(documents)
        return await self._arun(self._compress(checked, *(await self._aread(query, self._items(checked)))))

    def around(self, retriever: Runnable[Any, list[Document]]) -> BaseRetriever:
        """Return a retriever that reranks what another one finds, as a step of a chain or an agent's tool.

        It is what LangChain's `ContextualCompressionRetriever` makes of the two, without `langchain-classic`. Arguments of its
        `invoke`, and callbacks, are passed on to the inner retriever.

        Args:
            retriever: A retriever, or any runnable from a query to documents. Let it find many, for example with
                `store.as_retriever(search_kwargs={"k": 50})`, of which the best `top_n` are returned.

        Raises:
            ConfigurationError: it is a vector store, or not a runnable.
        """
        from .around import rerank_around  # imports runnables, which a reranker alone does not need

        return rerank_around(self, retriever)

    def rerank(
        self, documents: Iterable[Embeddable | Document], query: Embeddable, *, top_n: int | EllipsisType | None = ...
    ) -> list[RankedDocument]:
        """Return positions and scores of the most relevant documents: `[{"index": 0, "relevance_score": 0.5}]`, best first.

        A document that comes several times is sent once, and each of its positions has its score.

        Args:
            documents: Texts, documents and images, in any mix. Images are those of `JinaEISEmbeddings.embed_content`, and need a
                model that ranks them, such as `.jina-reranker-m0`.
            query: The search query, a text or an image.
            top_n: Overrides `top_n` of the object; None for all.

        Raises:
            InputError: an image for a model that ranks only texts, or an input that is neither. No request was sent.
        """
        read = self._read(query, self._items(_document_list(documents)))
        return self._run(self._rerank(*read, self.top_n if isinstance(top_n, EllipsisType) else top_n))

    async def arerank(
        self, documents: Iterable[Embeddable | Document], query: Embeddable, *, top_n: int | EllipsisType | None = ...
    ) -> list[RankedDocument]:
        """As `rerank`, without blocking the event loop."""
        read = await self._aread(query, self._items(_document_list(documents)))
        return await self._arun(self._rerank(*read, self.top_n if isinstance(top_n, EllipsisType) else top_n))

    def _limiter(self) -> RateLimiter | None:
        return self.rate_limiter

    def _items(self, documents: Sequence[Any]) -> list[Any]:
        """Return the documents, those with an image replaced by it."""
        media_of = self.media_of
        if media_of is None:
            return list(documents)
        return [
            document if not isinstance(document, Document) or (medium := media_of(document)) is None else medium
            for document in documents
        ]

    def _may_be_image(self, item: Any) -> bool:
        return not isinstance(item, (str, Document))

    def _adapt(self, item: Any) -> Part | Link | None:
        return item.page_content if isinstance(item, Document) else from_blob(item)

    def _compress(self, documents: Sequence[Document], query: Content, contents: Sequence[Content]) -> Steps[list[Document]]:
        ranked = yield from self._rank(query, contents, self.top_n)
        return [_document_with_score(documents[entry.index], entry) for entry in ranked]

    def _rerank(self, query: Content, contents: Sequence[Content], top_n: int | None) -> Steps[list[RankedDocument]]:
        return [_ranked_document(entry) for entry in (yield from self._rank(query, contents, top_n))]


def _checked_documents(documents: Sequence[Document]) -> list[Document]:
    checked = _document_list(documents)
    for position, document in enumerate(checked):
        if not isinstance(document, Document):
            raise InputError(
                f"Input {position} is of type {type(document).__name__}, not a Document. To rank texts, use `rerank`."
            )
    return checked


def _document_list(documents: Iterable[T]) -> list[T]:
    if isinstance(documents, Document):  # a Document is iterable
        raise InputError("Pass documents as a list. For a single document pass [document].")
    if isinstance(documents, str):
        raise InputError("The documents are a string. Pass a list of them; the query comes second: rerank(documents, query).")
    return list(text_source(documents))


def _ranked_document(ranked: Ranked) -> RankedDocument:
    document: RankedDocument = {"index": ranked.index, "relevance_score": ranked.score}
    if ranked.preliminary:
        document["relevance_score_preliminary"] = True
    return document


def _document_with_score(document: Document, ranked: Ranked) -> Document:
    metadata = {**document.metadata, "relevance_score": ranked.score}
    metadata.pop(PRELIMINARY, None)  # from an earlier ranking
    if ranked.preliminary:
        metadata[PRELIMINARY] = True
    return document.model_copy(update={"metadata": metadata})
