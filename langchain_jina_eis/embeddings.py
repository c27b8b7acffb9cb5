"""`JinaEISEmbeddings`: LangChain's embedding interface over the shared core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, closing
from importlib.metadata import version
from typing import Any, ClassVar, Literal, cast, overload

from langchain_core.embeddings import Embeddings
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.stores import BaseStore
from pydantic import Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from jina_eis.adapters import ContentSettings, VectorCache, progress_bar
from jina_eis.contents import (
    Content,
    Embeddable,
    Link,
    Part,
    image_list,
    medium_from_location,
    query_text,
    text_list,
    text_source,
)
from jina_eis.errors import ConfigurationError, InputError, JinaEISError
from jina_eis.steps import BATCH_SIZE, RESCUES, Embedded, OnError
from jina_eis.transport import RateLimiter
from jina_eis.wire import InputType, Vector

from .cache import ByteCache
from .media import from_blob

__all__ = ["JinaEISEmbeddings"]


class JinaEISEmbeddings(ContentSettings, Embeddings):
    """Jina embedding models on the Elastic Inference Service (EIS).

    Setup:
        Install `jina-eis[langchain]`, and set the address of your deployment.

        ```bash
        pip install -U "jina-eis[langchain]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args:
        inference_id: str = ".jina-embeddings-v5-text-small"
            The inference endpoint, preconfigured or your own; `model` is an alias. Text and omni endpoints both work: the
            task of the endpoint is detected.
        dimensions: int | None = None
            Length of the vectors, at most the model's own: vectors are truncated and renormalised on the client. Only
            lengths that the model was trained for (Matryoshka) are valid. None: the endpoint's own length.
        batch_size: int = 16
            Texts per request.
        document_input_type, query_input_type: str = "ingest", "search"
            The role sent with documents and queries. The model embeds the two roles differently, and the service applies
            separate rate limits.
        search_inference_id: str | None = None
            The endpoint for queries, if it differs from the endpoint for documents: `v5-omni-small` can search texts that
            were indexed with `v5-text-small`, also by image. Models of different vector spaces are rejected.
        allow_url_fetch: bool = False
            Whether `embed_content` and related methods may fetch media from URLs: public addresses only, up to 20 MB each.
        pass_urls: bool = False
            Whether URLs are passed on to the service, which fetches them (Elastic Stack 9.6); nothing is fetched here then.
        show_progress_bar: bool = False
            Show a tqdm progress bar while documents are embedded.
        embeddings_cache: BaseStore[str, bytes] | None = None
            A store of bytes, such as `LocalFileStore`, in which the vectors of `embed_documents` and `embed_query` are cached.
            Deployments, roles, endpoints and lengths have separate keys. Streams do not use it.
        too_long: str = "warn"
            What to do about texts with more tokens than the model reads: "warn" once a call, "error" or "ignore".
        rate_limiter: BaseRateLimiter | None = None
            Acquired before every request, including retries.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline,
        max_concurrency, use_case, wire_format, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress
        are described at `ServiceSettings`. Unknown arguments are an error.

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

    One object works in any number of threads and event loops. It can be pickled if it was created without your own client
    or rate limiter.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments. Those that depend on the deployment are detected on
            first use.
        InputError: (also a ValueError) an input is not a string; the error names its position. Except for streams, no
            request was sent.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types. The error names the inputs
            that failed.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    batch_size: int = Field(default=BATCH_SIZE, ge=1)
    show_progress_bar: bool = False
    rate_limiter: SkipJsonSchema[BaseRateLimiter | None] = Field(default=None, exclude=True, repr=False)

    @field_validator("embeddings_cache")
    @classmethod
    def _check_cache(cls, cache: Any) -> Any:
        if cache is None or isinstance(cache, BaseStore):
            return cache
        raise ConfigurationError("embeddings_cache needs a store of bytes of LangChain, for example InMemoryByteStore().")

    @property
    def cache_namespace(self) -> str:
        """A namespace for `CacheBackedEmbeddings`, unique to the deployment, the endpoint, the length and the role of documents.

        It has lower-case letters, digits and hyphens. The first read sends one request, which shows whether the deployment is the
        embedded server; the result is remembered. Deployments are distinguished by host, port and path, embedded servers by
        their stand-in.

        Queries have another role: leave `query_embedding_cache` off, or use `embeddings_cache`, which knows the roles.

        Raises:
            JinaEISError: the request failed.
        """
        return self._run(self._namespace(self.document_input_type)) + "-"

    async def acache_namespace(self) -> str:
        """As `cache_namespace`, without blocking the event loop."""
        return await self._arun(self._namespace(self.document_input_type)) + "-"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Constructor arguments that are secrets, and their environment variables."""
        return {"es_api_key": "ES_API_KEY", "es_password": "ES_PASSWORD"}

    def embed_documents(self, texts: list[str]) -> list[Vector]:
        """Embed texts, and return one vector for each, in input order. An empty list sends no request. Equal texts are sent once.

        With `embeddings_cache`, vectors are cached as they arrive: after an error, a second call requests only the rest.

        Raises:
            JinaEISError: some texts were not embedded; the error names them. No vector is returned.
        """
        texts = text_list(texts)
        if not texts:
            return []
        return self._embed_texts(texts, self.document_input_type, progress=self.show_progress_bar)

    async def aembed_documents(self, texts: list[str]) -> list[Vector]:
        """As `embed_documents`, without blocking the event loop."""
        texts = text_list(texts)
        if not texts:
            return []
        return await self._aembed_texts(texts, self.document_input_type, progress=self.show_progress_bar)

    def embed_query(self, text: str) -> Vector:
        """Embed a search query."""
        if self.embeddings_cache is None:
            return self._query_vector(text)
        return self._embed_texts([query_text(text, embedded=True)], self.query_input_type)[0]

    async def aembed_query(self, text: str) -> Vector:
        """As `embed_query`, without blocking the event loop."""
        if self.embeddings_cache is None:
            return await self._aquery_vector(text)
        return (await self._aembed_texts([query_text(text, embedded=True)], self.query_input_type))[0]

    def embed_image(self, uris: Iterable[Embeddable]) -> list[Vector]:
        """Embed images in the role of documents, as vector stores call it (Chroma's `add_images`). One vector for each image.

        Args:
            uris: Paths, `file://` URIs or data URIs of images; http and https URLs with `allow_url_fetch=True` or
                `pass_urls=True`; or any other image that `embed_content` takes. Here a string is never text.
        """
        if isinstance(uris, str):
            raise InputError("Pass uris as a list of paths. For a single path pass [path].")
        images = image_list(uris, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=_image_content)
        return cast("list[Vector]", self._embed_all(images, self.document_input_type))

    @overload
    def stream_documents(self, texts: Iterable[str], *, on_error: Literal["raise"] = "raise") -> Iterator[Vector]: ...

    @overload
    def stream_documents(self, texts: Iterable[str], *, on_error: Literal["skip"]) -> Iterator[Vector | JinaEISError]: ...

    def stream_documents(self, texts: Iterable[str], *, on_error: OnError = "raise") -> Iterator[Vector | JinaEISError]:
        """Embed any number of texts, and yield the vectors in input order as they arrive.

        Texts are read as they are needed: at most twice `max_concurrency` batches are in memory, for any number of texts. A text
        that equals one in memory is not requested again.

        Args:
            texts: Any iterable of strings.
            on_error: What to do when a batch has failed permanently, after its parts were sent separately. "raise": raise
                the error, which names the text if a single text caused it. "skip": yield the error in place of each
                missing vector, and continue.

        Raises:
            JinaEISError: the first error in input order, after all vectors before its batch were yielded. With "skip", only
                errors that do not depend on the texts, such as a wrong key or a service that returns no vector for any
                text of a batch.
            InputError: a text is not a string. All vectors before it were yielded.
        """
        return self._vectors(text_source(texts), self.document_input_type, on_error=_check_on_error(on_error))

    @overload
    def astream_documents(self, texts: Iterable[str], *, on_error: Literal["raise"] = "raise") -> AsyncIterator[Vector]: ...

    @overload
    def astream_documents(self, texts: Iterable[str], *, on_error: Literal["skip"]) -> AsyncIterator[Vector | JinaEISError]: ...

    def astream_documents(self, texts: Iterable[str], *, on_error: OnError = "raise") -> AsyncIterator[Vector | JinaEISError]:
        """As `stream_documents`, without blocking the event loop."""
        return self._avectors(text_source(texts), self.document_input_type, on_error=_check_on_error(on_error))

    def _embed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        with (
            progress_bar(len(contents), self.show_progress_bar) as bar,
            closing(self._content_vectors(contents, role, watch=bar)) as embedded,
        ):
            return list(embedded)

    async def _aembed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        with progress_bar(len(contents), self.show_progress_bar) as bar:
            async with aclosing(self._acontent_vectors(contents, role, watch=bar)) as embedded:
                return [vector async for vector in embedded]

    def _cache(self, namespace: str) -> VectorCache:
        return ByteCache(self.embeddings_cache, namespace)

    def _adapt(self, value: Any) -> Part | None:
        return from_blob(value)

    def _texts_in_a_request(self) -> int:
        return self.batch_size

    def _limiter(self) -> RateLimiter | None:
        return self.rate_limiter


def _image_content(uri: Any) -> Part | Link | None:
    return medium_from_location(uri, "image/*") if isinstance(uri, str) else from_blob(uri)


def _check_on_error(on_error: Any) -> OnError:
    if on_error not in RESCUES:
        raise InputError(f"on_error={on_error!r}: pass {' or '.join(map(repr, RESCUES))}.")
    return cast(OnError, on_error)
