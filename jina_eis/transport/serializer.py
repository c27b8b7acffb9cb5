"""The JSON serializer of the clients made here. It is imported with the Elasticsearch client, when the first request needs it."""

from __future__ import annotations

from typing import Any

from elasticsearch.serializer import OrjsonSerializer

from ..wire import read_json

__all__ = ["Serializer"]


class Serializer(OrjsonSerializer):
    """orjson, and a slower reader for what it refuses: a document with a lone surrogate must not make a search fail."""

    def json_loads(self, data: bytes) -> Any:
        """Read JSON. Raises ValueError if it is not JSON."""
        try:
            return super().json_loads(data)
        except ValueError:
            return read_json(data)
