"""`JinaEISEmbedding`: LlamaIndex's embedding interface over the shared core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from llama_index.core.base.embeddings.base import BaseEmbedding, mean_agg
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.storage.kvstore.types import BaseKVStore
from pydantic import Field, field_validator

from jina_eis.adapters import ENDPOINT_NAMES, EmbeddingSettings, VectorCache
from jina_eis.contents import query_text, text_list
from jina_eis.errors import ConfigurationError
from jina_eis.steps import BATCH_SIZE, known_endpoint
from jina_eis.transport import RateLimiter
from jina_eis.wire import InputType, Vector

from .cache import Cache
from .plugin import USAGE, Limiter, Plugin

__all__ = ["JinaEISEmbedding"]

E = TypeVar("E")

dispatcher = get_dispatcher(__name__)


class JinaEISEmbedding(Plugin, EmbeddingSettings, BaseEmbedding):
    """Jina embedding models on the Elastic Inference Service (EIS).

    Args:
        inference_id: The inference endpoint, preconfigured or your own; `model` is an alias. Text and omni endpoints both
            work: the task of the endpoint is detected. Default: `.jina-embeddings-v5-text-small`.
        search_inference_id: The endpoint for queries, if it differs from the endpoint for documents: `v5-omni-small` can
            search texts that were indexed with `v5-text-small`. Models of different vector spaces are rejected. Default: None.
        dimensions: Length of the vectors, at most the model's own: vectors are truncated and renormalised on the client. Only
            lengths that the model was trained for (Matryoshka) are valid. Default: None, the endpoint's own length.
        query_input_type: The role sent with queries. Default: "search".
        document_input_type: The role sent with texts and nodes. The model embeds the two roles differently, and the service
            applies separate rate limits. Default: "ingest".
        embed_batch_size: Texts per request, at most 16, the limit that the service documents. Larger numbers are valid: the
            texts are sent in requests of 16, `max_concurrency` at a time. Default: 16.
        num_workers: Maximum number of requests in flight per batch call, if less than `max_concurrency`. Default: None.
        embeddings_cache: A LlamaIndex key-value store. Deployments, roles, endpoints and lengths are cached separately.
            Default: None.
        too_long: What to do about texts with more tokens than the model reads: "warn" once a call, "error" or "ignore". Default:
            "warn".
        rate_limiter: A LlamaIndex rate limiter, acquired before every request, including retries. Default: None.

    `model_name` is set from the endpoint; as an argument without inference_id, it names the endpoint. es_url, es_cloud_id,
    es_api_key, es_user, es_password, client, async_client, timeout, max_retries, deadline, max_concurrency, use_case,
    wire_format, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress are described at
    `ServiceSettings`. Unknown arguments are an error.

    One object works in any number of threads and event loops; sync methods use the sync client and no event loop.
    Dictionaries, JSON and the representation contain no secrets. Pickles contain them; an object can be pickled if it was
    created without your own client or rate limiter.

    Raises:
        ConfigurationError: (also a ValueError) invalid arguments. Those that depend on the deployment are detected on
            first use.
        InputError: (also a ValueError) a text is not a string; the error names its position. No request was sent.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types. The error names the texts
            that failed. No partial result is returned.

    Examples:
        ```python
        from llama_index.core import Settings, VectorStoreIndex
        from llama_index_jina_eis import JinaEISEmbedding

        Settings.embed_model = JinaEISEmbedding(dimensions=512)
        index = VectorStoreIndex.from_documents(documents)
        ```
    """

    product: ClassVar[str] = f"llama-index-jina-eis/{version('jina-eis')}"

    inference_id: str = Field(
        default=".jina-embeddings-v5-text-small", min_length=1, validation_alias=ENDPOINT_NAMES, frozen=True
    )
    search_inference_id: str | None = Field(default=None, min_length=1, frozen=True)
    model_name: str = Field(default="", frozen=True)
    embed_batch_size: int = Field(default=BATCH_SIZE, gt=0, le=2048)
    num_workers: int | None = Field(default=None, ge=1)
    embeddings_cache: Any = Field(default=None, exclude=True, repr=False)
    rate_limiter: Any = Field(default=None, exclude=True, repr=False)

    if not TYPE_CHECKING:  # type checkers derive the arguments from the fields

        def __init__(self, **arguments: Any) -> None:
            if arguments.get("model_name") not in (None, "", "unknown") and arguments.keys().isdisjoint(
                ("inference_id", "model")
            ):
                arguments["model"] = arguments.pop("model_name")  # as LlamaIndex's other embedding classes take it
            super().__init__(**arguments)
            endpoint = known_endpoint(self.inference_id)
            name = (endpoint and endpoint.model_id) or self.inference_id
            if self.model_name not in ("", "unknown", name):
                raise ConfigurationError(
                    f"model_name={self.model_name!r} is not the model of {self.inference_id}. model_name is set from the "
                    "endpoint: leave it out."
                )
            self.__dict__["model_name"] = name

    @field_validator("rate_limiter")
    @classmethod
    def _check_limiter(cls, limiter: Any) -> Any:
        if limiter is None or (hasattr(limiter, "acquire") and hasattr(limiter, "async_acquire")):
            return limiter
        raise ConfigurationError("rate_limiter needs the methods acquire and async_acquire, as LlamaIndex's rate limiters have.")

    @field_validator("embeddings_cache")
    @classmethod
    def _check_cache(cls, cache: Any) -> Any:
        if cache is None or isinstance(cache, BaseKVStore):
            return cache
        raise ConfigurationError("embeddings_cache needs a key-value store of LlamaIndex, for example SimpleKVStore().")

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form, under which LlamaIndex's `load_embed_model` finds the class."""
        return "JinaEISEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """The payload for traces and callbacks: the settings that determine the vectors."""
        names = ("model_name", "embed_batch_size", "inference_id", "dimensions", "query_input_type", "document_input_type")
        return {"class_name": self.class_name(), **{name: getattr(self, name) for name in names}}

    # LlamaIndex's own methods send the batches one by one (sync) or all at once (async), and cache the vectors of queries and
    # texts, of all models and lengths, under one key.

    def get_query_embedding(self, query: str) -> Vector:
        """Embed a search query."""
        return self._embed([query_text(query, embedded=True)], self.query_input_type)[0]

    async def aget_query_embedding(self, query: str) -> Vector:
        """As `get_query_embedding`, without blocking the event loop."""
        return (await self._aembed([query_text(query, embedded=True)], self.query_input_type))[0]

    def get_text_embedding(self, text: str) -> Vector:
        """Embed a document text."""
        return self._embed([text], self.document_input_type)[0]

    async def aget_text_embedding(self, text: str) -> Vector:
        """As `get_text_embedding`, without blocking the event loop."""
        return (await self._aembed([text], self.document_input_type))[0]

    def get_text_embedding_batch(self, texts: list[str], show_progress: bool = False, **kwargs: Any) -> list[Vector]:
        """Embed texts, and return one vector for each, in input order. An empty list sends no request.

        With `embeddings_cache`, vectors are cached as they arrive: after an error, a second call requests only the rest.
        """
        return self._embed(texts, self.document_input_type, show_progress)

    async def aget_text_embedding_batch(self, texts: list[str], show_progress: bool = False, **kwargs: Any) -> list[Vector]:
        """As `get_text_embedding_batch`, without blocking the event loop."""
        return await self._aembed(texts, self.document_input_type, show_progress)

    def get_agg_embedding_from_queries(self, queries: list[str], agg_fn: Callable[..., Vector] | None = None) -> Vector:
        """Embed several queries in one request, and return the mean of their vectors, or what `agg_fn` makes of them."""
        return (agg_fn or mean_agg)(self._embed(queries, self.query_input_type))

    async def aget_agg_embedding_from_queries(self, queries: list[str], agg_fn: Callable[..., Vector] | None = None) -> Vector:
        """As `get_agg_embedding_from_queries`, without blocking the event loop."""
        return (agg_fn or mean_agg)(await self._aembed(queries, self.query_input_type))

    def _get_query_embedding(self, query: str) -> Vector:
        return self._query_vector(query)

    async def _aget_query_embedding(self, query: str) -> Vector:
        return await self._aquery_vector(query)

    def _get_text_embedding(self, text: str) -> Vector:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._run(self._embed_at_once(text_list(texts), self.document_input_type))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await self._arun(self._embed_at_once(text_list(texts), self.document_input_type))

    def _embed(
        self, texts: Sequence[str], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Vector]:
        """Return all vectors, from the cache or from the service. Errors name the texts by `positions`."""
        texts = text_list(texts)
        if not texts:
            return []
        with self._embedding_events(texts) as report:
            return report(self._embed_texts(texts, role, positions, self.num_workers, progress=show_progress))

    async def _aembed(
        self, texts: Sequence[str], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Vector]:
        """As `_embed`, without blocking the event loop."""
        texts = text_list(texts)
        if not texts:
            return []
        with self._embedding_events(texts) as report:
            return report(await self._aembed_texts(texts, role, positions, self.num_workers, progress=show_progress))

    @contextmanager
    def _embedding_events(self, chunks: list[str]) -> Iterator[Callable[[list[E]], list[E]]]:
        """Emit LlamaIndex's start and end events. Yields a function that reports the result in the end event and returns it."""
        payload, before = self.to_payload(), self.usage
        dispatcher.event(EmbeddingStartEvent(model_dict=payload))
        with self.callback_manager.event(CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: payload}) as event:

            def report(embedded: list[E]) -> list[E]:
                usage = self.usage_since(before).as_dict()
                event.on_end(payload={EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: embedded, USAGE: usage})
                # Constructed without validation, which would copy every vector.
                dispatcher.event(EmbeddingEndEvent.model_construct(chunks=chunks, embeddings=embedded))  # type: ignore[arg-type]
                return embedded

            yield report

    def _cache(self, namespace: str) -> VectorCache:
        return Cache(self.embeddings_cache, namespace)

    def _texts_in_a_request(self) -> int:
        return min(self.embed_batch_size, BATCH_SIZE)

    def _limiter(self) -> RateLimiter | None:
        return None if self.rate_limiter is None else Limiter(self.rate_limiter)


with suppress(ImportError):  # a later version of LlamaIndex may not have this table
    from llama_index.core.embeddings.loading import RECOGNIZED_EMBEDDINGS

    RECOGNIZED_EMBEDDINGS.setdefault(JinaEISEmbedding.class_name(), JinaEISEmbedding)
