"""`JinaEISEmbeddings`: LangChain's embedding interface over the shared core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, closing
from importlib.metadata import version
from typing import Any, ClassVar, Literal, cast, overload

from langchain_core.embeddings import Embeddings
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import Field

from jina_eis.adapters import ContentSettings, with_progress
from jina_eis.contents import Content, Embeddable, Link, Part, address, image_list, text_list, text_source
from jina_eis.errors import InputError, JinaEISError
from jina_eis.steps import BATCH_SIZE, RESCUES, Embedded, OnError
from jina_eis.transport import RateLimiter
from jina_eis.wire import InputType, Vector

from .media import from_blob

__all__ = ["JinaEISEmbeddings"]


class JinaEISEmbeddings(ContentSettings, Embeddings):
    """Jina embedding models on the Elastic Inference Service (EIS).

    Setup:
        Install `jina-eis[langchain]`, and set where your deployment is.

        ```bash
        pip install -U "jina-eis[langchain]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args:
        inference_id: str = ".jina-embeddings-v5-text-small"
            The inference endpoint, preconfigured or your own; also taken as `model`. Text and omni endpoints alike: the
            task that the endpoint demands is found out, never asked for.
        dimensions: int | None = None
            Length of the vectors, at most the model's: vectors are cut and renormalised here. Only sizes that the model
            was trained for (Matryoshka) are taken. None: the endpoint's own length.
        batch_size: int = 16
            Texts in a request.
        document_input_type, query_input_type: str = "ingest", "search"
            The role sent with documents and queries. The model embeds the two differently, and the service counts them
            against different rate limits.
        search_inference_id: str | None = None
            The endpoint for queries, if it is not the one for documents: texts indexed with `v5-text-small` can be searched
            by `v5-omni-small`, by image too. Models of different vector spaces are refused.
        allow_url_fetch: bool = False
            Whether `embed_content` and the like may fetch media from URLs: public addresses only, up to 20 MB each.
        show_progress_bar: bool = False
            Show a tqdm bar while documents are embedded.
        rate_limiter: BaseRateLimiter | None = None
            Asked before every request, retries included.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries and
        max_concurrency are described at `ServiceSettings`. An argument that does not exist is an error.

    Instantiate:
        ```python
        from langchain_jina_eis import JinaEISEmbeddings

        embeddings = JinaEISEmbeddings(inference_id=".jina-embeddings-v5-text-small", dimensions=512)
        ```

    Embed single text:
        ```python
        vector = embeddings.embed_query("How do glaciers move?")  # 512 floats, unit length
        ```

    Embed multiple texts:
        ```python
        vectors = embeddings.embed_documents(["A glacier flows.", "Bread rises."])  # one vector a text, in order
        ```

    Async:
        ```python
        vector = await embeddings.aembed_query("How do glaciers move?")
        ```

    One object serves any number of threads and event loops. It is picklable if it was made without a client
    or rate limiter of yours.

    Raises:
        ConfigurationError: (also a ValueError) arguments that cannot work, when the object is made, or on first use for
            what only the deployment knows.
        InputError: (also a ValueError) an input that is not a string; it names the position. But for a stream, nothing has
            been sent.
        JinaEISError: what the service answered, typed; see `jina_eis.errors`. It names the inputs that failed.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    batch_size: int = Field(default=BATCH_SIZE, ge=1)
    show_progress_bar: bool = False
    rate_limiter: BaseRateLimiter | None = Field(default=None, exclude=True, repr=False)

    @property
    def cache_namespace(self) -> str:
        """A namespace for `CacheBackedEmbeddings` that no other vectors share: endpoint, size and document role.

        Queries have another role: leave `query_embedding_cache` off, or give it a store of its own.
        """
        return f"{self.inference_id}:{self.dimensions or 'full'}:{self.document_input_type}:"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Constructor arguments that are secrets, and the environment variables they come from."""
        return {"es_api_key": "ES_API_KEY", "es_password": "ES_PASSWORD"}

    def embed_documents(self, texts: list[str]) -> list[Vector]:
        """One vector for each text, in their order. No texts, no request.

        Raises:
            JinaEISError: nothing is returned unless every text was embedded; the error says which were not.
        """
        listed = text_list(texts)
        if not listed:
            return []
        with closing(self._vectors(listed, self.document_input_type)) as vectors:
            return list(with_progress(vectors, len(listed), self.show_progress_bar))

    async def aembed_documents(self, texts: list[str]) -> list[Vector]:
        """As `embed_documents`, without blocking the event loop."""
        listed = text_list(texts)
        if not listed:
            return []
        async with aclosing(self._avectors(listed, self.document_input_type)) as vectors:
            return [vector async for vector in with_progress(vectors, len(listed), self.show_progress_bar)]

    def embed_query(self, text: str) -> Vector:
        """The vector of a search query."""
        return self._query_vector(text)

    async def aembed_query(self, text: str) -> Vector:
        """As `embed_query`, without blocking the event loop."""
        return await self._aquery_vector(text)

    def embed_image(self, uris: Iterable[Embeddable]) -> list[Vector]:
        """One vector for each image, as vector stores ask for it (Chroma's `add_images`). The role is that of documents.

        Args:
            uris: Paths, `file://` URIs or data URIs of images; http and https URLs with `allow_url_fetch=True`; or whatever
                else `embed_content` takes as an image. Here a string is never text.
        """
        if isinstance(uris, str):
            raise InputError("uris is a list of paths. For a single one write [path].")
        images = image_list(uris, may_fetch=self.allow_url_fetch, adapt=_image)
        return cast("list[Vector]", self._embed_all(images, self.document_input_type))

    @overload
    def stream_documents(self, texts: Iterable[str], *, on_error: Literal["raise"] = "raise") -> Iterator[Vector]: ...

    @overload
    def stream_documents(self, texts: Iterable[str], *, on_error: Literal["skip"]) -> Iterator[Vector | JinaEISError]: ...

    def stream_documents(self, texts: Iterable[str], *, on_error: OnError = "raise") -> Iterator[Vector | JinaEISError]:
        """The vectors of any number of texts, in their order, while embedding goes on.

        Texts are taken as they are needed: at most twice `max_concurrency` batches are in memory, however many texts there are.

        Args:
            texts: Any iterable of strings.
            on_error: What to do when a batch has failed for good, after its parts were tried apart. "raise": raise the
                error, which names the text at fault if it is one text's fault. "skip": give out the error in the place of
                each vector that cannot be had, and go on.

        Raises:
            JinaEISError: the first error in the order of the texts, after every vector before its batch was given out; with
                "skip", only what no choice of texts would avert, such as a wrong key or a service that answers none of
                the texts of a batch.
            InputError: at a text that is not a string, after every vector before it was given out.
        """
        return self._vectors(text_source(texts), self.document_input_type, on_error=_checked(on_error))

    @overload
    def astream_documents(self, texts: Iterable[str], *, on_error: Literal["raise"] = "raise") -> AsyncIterator[Vector]: ...

    @overload
    def astream_documents(self, texts: Iterable[str], *, on_error: Literal["skip"]) -> AsyncIterator[Vector | JinaEISError]: ...

    def astream_documents(self, texts: Iterable[str], *, on_error: OnError = "raise") -> AsyncIterator[Vector | JinaEISError]:
        """As `stream_documents`, without blocking the event loop."""
        return self._avectors(text_source(texts), self.document_input_type, on_error=_checked(on_error))

    def _embed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        with closing(self._embedded(contents, role)) as embedded:
            return list(with_progress(embedded, len(contents), self.show_progress_bar))

    async def _aembed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        async with aclosing(self._aembedded(contents, role)) as embedded:
            return [each async for each in with_progress(embedded, len(contents), self.show_progress_bar)]

    def _adapt(self, value: Any) -> Part | None:
        return from_blob(value)

    def _texts_in_a_request(self) -> int:
        return self.batch_size

    def _limiter(self) -> RateLimiter | None:
        return self.rate_limiter


def _image(uri: Any) -> Part | Link | None:
    return address(uri, "image/*") if isinstance(uri, str) else from_blob(uri)


def _checked(on_error: Any) -> OnError:
    if on_error not in RESCUES:
        raise InputError(f"on_error={on_error!r}: it is {' or '.join(map(repr, RESCUES))}.")
    return cast(OnError, on_error)
