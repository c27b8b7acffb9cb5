"""What the clients made here read and write: JSON, CBOR, and responses in neither.

Imported with the Elasticsearch client, when the first request needs it. `cbor2` is imported with the first response in CBOR.
"""

from __future__ import annotations

from typing import Any, ClassVar

from elastic_transport import SerializerCollection, TextSerializer
from elasticsearch import SerializationError
from elasticsearch.serializer import DEFAULT_SERIALIZERS, OrjsonSerializer
from elasticsearch.serializer import Serializer as AnySerializer

from ..wire import read_cbor, read_json
from .response_format import CBOR_TYPES, EVENTS, Unreadable

__all__ = ["CborSerializer", "Formats", "Serializer"]

WORDS = 2000  # bytes of an unreadable body that are kept


class Serializer(OrjsonSerializer):
    """orjson, and a slower reader for what it refuses: a document with a lone surrogate must not make a search fail."""

    def json_loads(self, data: bytes) -> Any:
        """Read JSON. Raises ValueError if it is not JSON."""
        try:
            return super().json_loads(data)
        except ValueError:
            return read_json(data)


class CborSerializer(AnySerializer):
    """Reads CBOR. Requests are written in JSON."""

    mimetype: ClassVar[str] = CBOR_TYPES[0]

    def loads(self, data: bytes) -> Any:
        """Read CBOR. Raises SerializationError if it is not CBOR."""
        try:
            return read_cbor(data)
        except ValueError as error:
            raise SerializationError(f"Unable to deserialize as CBOR: {data[:100]!r}", errors=(error,)) from error


class Formats(SerializerCollection):
    """The serializers of a client made here.

    A client parses a body before it looks at the status. The error of a serializer, for instance for the plain words of a
    proxy, would therefore hide the status. Such a body is returned as `Unreadable`.
    """

    def __init__(self) -> None:
        json, cbor = Serializer(), CborSerializer()
        own = {"application/json": json, "application/vnd.elasticsearch+json": json, **dict.fromkeys(CBOR_TYPES, cbor)}
        super().__init__({**DEFAULT_SERIALIZERS, **own, EVENTS: TextSerializer()})

    def loads(self, data: bytes, mimetype: str | None = None) -> Any:
        """Read a response body by its content type."""
        try:
            return super().loads(data, mimetype and mimetype.partition(";")[0].strip().lower())
        except SerializationError:
            return Unreadable(data[:WORDS].decode("utf-8", "replace"))
