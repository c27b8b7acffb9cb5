"""`JinaEISEmbedding`: LlamaIndex's embedding interface over the shared core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager, suppress
from importlib.metadata import version
from typing import Any, ClassVar, TypeVar, cast

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.storage.kvstore.types import BaseKVStore
from pydantic import Field, field_validator

from jina_eis.adapters import ENDPOINT_NAMES, EmbeddingSettings, with_progress
from jina_eis.contents import query_text, text_list
from jina_eis.errors import ConfigurationError
from jina_eis.steps import BATCH_SIZE, known_endpoint
from jina_eis.transport import RateLimiter
from jina_eis.wire import InputType, Vector

from .cache import Cache
from .plugin import Limiter, Plugin

__all__ = ["JinaEISEmbedding"]

E = TypeVar("E")

dispatcher = get_dispatcher(__name__)


class JinaEISEmbedding(Plugin, EmbeddingSettings, BaseEmbedding):
    """Jina embedding models on the Elastic Inference Service (EIS).

    Args:
        inference_id: The inference endpoint, preconfigured or your own; also taken as `model`. Text and omni endpoints alike:
            the task that the endpoint demands is found out, never asked for. Default: `.jina-embeddings-v5-text-small`.
        search_inference_id: The endpoint for queries, if it is not the one for documents: texts indexed with `v5-text-small`
            can be searched by `v5-omni-small`. Models of different vector spaces are refused. Default: None.
        dimensions: Length of the vectors, at most the model's: vectors are cut and renormalised here. Only sizes that the
            model was trained for (Matryoshka) are taken. Default: None, the endpoint's own length.
        query_input_type: The role sent with queries. Default: "search".
        document_input_type: The role sent with texts and nodes. The model embeds the two differently, and the service counts
            them against different rate limits. Default: "ingest".
        embed_batch_size: Texts in a request, at most 16, which is what the service documents: a larger number is taken and
            sent in requests of 16, `max_concurrency` at a time. Default: 16.
        num_workers: Most requests of one batch call in flight, if that is less than `max_concurrency`. Default: None.
        embeddings_cache: A key-value store of LlamaIndex. Vectors of another role, endpoint or length are never served.
            Default: None.
        rate_limiter: A rate limiter of LlamaIndex, asked before every request, retries included. Default: None.

    `model_name` is filled from the endpoint. es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client,
    timeout, max_retries and max_concurrency are described at `ServiceSettings`. An argument that does not exist is an error.

    One object serves any number of threads and event loops; sync methods use the sync client and no event loop.
    Dictionaries, JSON and the representation hold no secrets; pickles do, and need an object that was made without a
    client or rate limiter of yours.

    Raises:
        ConfigurationError: (also a ValueError) arguments that cannot work, when the object is made, or on first use for
            what only the deployment knows.
        InputError: (also a ValueError) a text that is not a string; it names the position. Nothing has been sent.
        JinaEISError: what the service answered, typed; see `jina_eis.errors`. It names the texts that failed, and no node is
            left without its vector.

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

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        known = known_endpoint(self.inference_id)
        name = (known and known.model_id) or self.inference_id
        if self.model_name not in ("", "unknown", name):
            raise ConfigurationError(
                f"model_name={self.model_name!r} is not what {self.inference_id} serves: it is filled from the endpoint. "
                "Choose the model with inference_id."
            )
        self.__dict__["model_name"] = name

    @field_validator("rate_limiter")
    @classmethod
    def _check_limiter(cls, limiter: Any) -> Any:
        if limiter is None or (hasattr(limiter, "acquire") and hasattr(limiter, "async_acquire")):
            return limiter
        raise ConfigurationError("rate_limiter needs the methods acquire and async_acquire, as LlamaIndex's own have them.")

    @field_validator("embeddings_cache")
    @classmethod
    def _check_cache(cls, cache: Any) -> Any:
        if cache is None or isinstance(cache, BaseKVStore):
            return cache
        raise ConfigurationError("embeddings_cache is a key-value store of LlamaIndex, for example SimpleKVStore().")

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form, under which LlamaIndex's `load_embed_model` finds the class."""
        return "JinaEISEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """What traces and callbacks are told: the settings that shape the vectors."""
        names = ("model_name", "embed_batch_size", "inference_id", "dimensions", "query_input_type", "document_input_type")
        return {"class_name": self.class_name(), **{name: getattr(self, name) for name in names}}

    # LlamaIndex's own versions send one batch after the other (sync) or all at once (async), and keep the vectors of queries
    # and texts, of all models and lengths, under one key.

    def get_query_embedding(self, query: str) -> Vector:
        """The vector of a search query."""
        return self._embed([query_text(query, embedded=True)], self.query_input_type)[0]

    async def aget_query_embedding(self, query: str) -> Vector:
        """As `get_query_embedding`, without blocking the event loop."""
        return (await self._aembed([query_text(query, embedded=True)], self.query_input_type))[0]

    def get_text_embedding(self, text: str) -> Vector:
        """The vector of a text to be found."""
        return self._embed([text], self.document_input_type)[0]

    async def aget_text_embedding(self, text: str) -> Vector:
        """As `get_text_embedding`, without blocking the event loop."""
        return (await self._aembed([text], self.document_input_type))[0]

    def get_text_embedding_batch(self, texts: list[str], show_progress: bool = False, **kwargs: Any) -> list[Vector]:
        """One vector for each text, in their order. No texts, no request.

        With `embeddings_cache`, vectors are kept as they arrive: after an error, a second try asks for the rest alone.
        """
        return self._embed(texts, self.document_input_type, show_progress)

    async def aget_text_embedding_batch(self, texts: list[str], show_progress: bool = False, **kwargs: Any) -> list[Vector]:
        """As `get_text_embedding_batch`, without blocking the event loop."""
        return await self._aembed(texts, self.document_input_type, show_progress)

    def _get_query_embedding(self, query: str) -> Vector:
        return self._query_vector(query)

    async def _aget_query_embedding(self, query: str) -> Vector:
        return await self._aquery_vector(query)

    def _get_text_embedding(self, text: str) -> Vector:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._run(self._embedder(self.document_input_type).embed(text_list(texts), self.document_input_type))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await self._arun(self._embedder(self.document_input_type).embed(text_list(texts), self.document_input_type))

    def _embed(
        self, texts: Sequence[str], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Vector]:
        """All vectors, from the cache or else from the service. Errors name the texts by their positions."""
        texts = text_list(texts)
        if not texts:
            return []
        cache = self._cache(role)
        with self._observed(texts) as observed:
            vectors = cache.get(texts)
            if missing := _gaps(vectors):
                places = missing if positions is None else [positions[at] for at in missing]
                with closing(self._vectors([texts[at] for at in missing], role, places, self.num_workers)) as fresh:
                    for at, vector in zip(missing, with_progress(fresh, len(missing), show_progress), strict=True):
                        cache.put(texts[at], vector)
                        vectors[at] = vector
            return observed(cast(list[Vector], vectors))

    async def _aembed(
        self, texts: Sequence[str], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Vector]:
        """As `_embed`, without blocking the event loop."""
        texts = text_list(texts)
        if not texts:
            return []
        cache = self._cache(role)
        with self._observed(texts) as observed:
            vectors = await cache.aget(texts)
            if missing := _gaps(vectors):
                waiting = iter(missing)
                places = missing if positions is None else [positions[at] for at in missing]
                async with aclosing(self._avectors([texts[at] for at in missing], role, places, self.num_workers)) as fresh:
                    async for vector in with_progress(fresh, len(missing), show_progress):
                        at = next(waiting)
                        await cache.aput(texts[at], vector)
                        vectors[at] = vector
            return observed(cast(list[Vector], vectors))

    @contextmanager
    def _observed(self, chunks: list[str]) -> Iterator[Callable[[list[E]], list[E]]]:
        """LlamaIndex's events around the work; what is yielded takes its result and gives it back."""
        payload = self.to_payload()
        dispatcher.event(EmbeddingStartEvent(model_dict=payload))
        with self.callback_manager.event(CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: payload}) as event:

            def observed(embedded: list[E]) -> list[E]:
                event.on_end(payload={EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: embedded})
                # Made without validation, which would copy every vector.
                dispatcher.event(EmbeddingEndEvent.model_construct(chunks=chunks, embeddings=embedded))  # type: ignore[arg-type]
                return embedded

            yield observed

    def _cache(self, role: InputType) -> Cache:
        return Cache(self.embeddings_cache, f"embeddings:{self._endpoint(role)}:{self.dimensions or 'full'}:{role}")

    def _texts_in_a_request(self) -> int:
        return min(self.embed_batch_size, BATCH_SIZE)

    def _limiter(self) -> RateLimiter | None:
        return None if self.rate_limiter is None else Limiter(self.rate_limiter)


def _gaps(vectors: list[Vector | None]) -> list[int]:
    return [position for position, vector in enumerate(vectors) if vector is None]


with suppress(ImportError):  # a table of LlamaIndex's that a later version may do without
    from llama_index.core.embeddings.loading import RECOGNIZED_EMBEDDINGS

    RECOGNIZED_EMBEDDINGS.setdefault(JinaEISEmbedding.class_name(), JinaEISEmbedding)
