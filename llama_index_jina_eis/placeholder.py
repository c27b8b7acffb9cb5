"""The embedding model of a store whose texts Elasticsearch embeds: it sends nothing, and its vectors are empty lists."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from jina_eis.wire import Vector

__all__ = ["PlaceholderEmbedding"]


class PlaceholderEmbedding(BaseEmbedding):
    """A model for LlamaIndex classes that need one, where the store embeds the nodes and queries. It sends nothing.

    Its vectors are empty lists, which `JinaEISVectorStore` drops. Other stores cannot use them.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"model_name": "embedded by the store", "embed_batch_size": 2048, **arguments})

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "JinaEISPlaceholderEmbedding"

    def _get_query_embedding(self, query: str) -> Vector:
        return []

    async def _aget_query_embedding(self, query: str) -> Vector:
        return []

    def _get_text_embedding(self, text: str) -> Vector:
        return []

    async def _aget_text_embedding(self, text: str) -> Vector:
        return []
