"""What the writes and searches of the store share: the argument `embedding`, and the settings that follow from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self, TypeVar

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from jina_eis.adapters import ServiceSettings, StoreSettings
from jina_eis.contents import Part
from jina_eis.errors import ConfigurationError, IndexNotFoundError
from jina_eis.steps import Indexer, Searcher, describe_index
from jina_eis.transport import RateLimiter
from jina_eis.wire import Steps

from .embeddings import JinaEISEmbeddings
from .media import from_blob

__all__ = ["Filter", "StoreBase"]

Filter = Mapping[str, Any] | Sequence[Mapping[str, Any]]

R = TypeVar("R")
LOG = logging.getLogger("jina_eis.store")
_CONNECTION = ("client", "async_client", "es_url", "es_cloud_id", "es_api_key", "es_user", "es_password")


class StoreBase(StoreSettings, VectorStore):
    """The argument `embedding`, and the settings that follow from it."""

    embedding: SkipJsonSchema[Embeddings | None] = Field(default=None, exclude=True, repr=False, frozen=True)
    """An embedding model. A `JinaEISEmbeddings` gives its endpoint and, where the store has none of its own, its connection.
    Any other embeds documents and queries on the client, for a dense_vector field of an index that it fills alone."""

    def __init__(self, **arguments: Any) -> None:
        embedding = arguments.get("embedding")
        if isinstance(embedding, JinaEISEmbeddings):
            given = {name: value for name, value in arguments.items() if value is not None}
            arguments = {**arguments, **settings_of(embedding, given), **given}
        if arguments.get("field_type") == "dense_vector" and arguments.get("search_type") is None:
            arguments["search_type"] = "knn"
        super().__init__(**arguments)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.highlight:
            raise ConfigurationError("A store returns documents as they were stored. For highlight, use JinaEISRetriever.")
        if self.search_type == "semantic" and self.field_type == "dense_vector":
            raise ConfigurationError(
                'search_type="semantic" does not search a dense_vector field. Leave it out, or pass "hybrid".'
            )
        if self.search_type == "knn" and self.field_type not in (None, "dense_vector"):
            raise ConfigurationError(f'search_type="knn" does not search a {self.field_type} field. Leave search_type out.')
        if self._model is None:
            return self
        if self.field_type != "dense_vector" and self.search_type != "knn":
            raise ConfigurationError(
                f"embedding is a {type(self._model).__name__}: Elasticsearch embeds the texts of a "
                f'{self.field_type or "semantic_text"} field itself. Pass field_type="dense_vector", or a JinaEISEmbeddings.'
            )
        if self.inference_id:
            raise ConfigurationError(
                f"Pass inference_id or an embedding, not both: a {type(self._model).__name__} embeds on the client."
            )
        return self

    @property
    def _model(self) -> Embeddings | None:
        """The model that embeds on the client; None if an inference endpoint does."""
        return None if isinstance(self.embedding, JinaEISEmbeddings) else self.embedding

    def _check_index(self) -> Steps[None]:
        """Check that an index whose endpoint is known does not get vectors or queries of another model."""
        if self._model is None:
            return
        with suppress(IndexNotFoundError):
            endpoint = (yield from describe_index(self.index_name)).inference_id
            if endpoint:
                raise ConfigurationError(
                    f"The index {self.index_name!r} is embedded with {endpoint}, whose vectors cannot be compared with those of "
                    f"{type(self._model).__name__}. Leave embedding out, or choose another index_name."
                )

    def _found(self, steps: Steps[list[R]]) -> Steps[list[R]]:
        """Run a search. A store whose index no document has created yet is empty."""
        try:
            yield from self._check_index()
            return (yield from steps)
        except IndexNotFoundError:
            self._log_missing()
            return []

    def _log_missing(self) -> None:
        LOG.warning("There is no index %r, so the store is empty. Check index_name, or add documents.", self.index_name)

    def _indexer(self) -> Indexer:
        own = self._model is not None and self.search_type != "semantic"  # others are refused by `_check_kind`
        return replace(super()._indexer(), embeds=not own)

    def _searcher(self, filter: Any) -> Searcher:  # noqa: A002
        searcher = super()._searcher(filter)
        if isinstance(self.embedding, JinaEISEmbeddings) and self.embedding.search_inference_id:
            return replace(searcher, inference_id=self.embedding.search_inference_id)
        return searcher

    def _limiter(self) -> RateLimiter | None:
        return self.embedding.rate_limiter if isinstance(self.embedding, JinaEISEmbeddings) else None

    def _text_field_name(self) -> str:
        return self.content_field or self._text_field

    def _adapt(self, value: Any) -> Part | None:
        return from_blob(value)


def settings_of(embedding: JinaEISEmbeddings, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an embedding gives to a store: its endpoint, and its connection if the arguments have none."""
    roles = (embedding.document_input_type, embedding.query_input_type)
    if roles != ("ingest", "search"):
        raise ConfigurationError(
            f"embedding has document_input_type={roles[0]!r} and query_input_type={roles[1]!r}. A store embeds documents as "
            "'ingest' and queries as 'search': pass a JinaEISEmbeddings with these."
        )
    settings: dict[str, Any] = {"inference_id": embedding.inference_id, "dimensions": embedding.dimensions}
    for name, value in settings.items():
        if arguments.get(name, value) != value:
            raise ConfigurationError(
                f"{name}={arguments[name]!r}, and the embedding has {name}={value!r}. Leave it out, or the embedding."
            )
    if arguments.keys().isdisjoint(_CONNECTION):
        shared = embedding.model_fields_set & ServiceSettings.model_fields.keys()
        settings |= {name: getattr(embedding, name) for name in shared}
    return settings | {"allow_url_fetch": embedding.allow_url_fetch, "pass_urls": embedding.pass_urls}
