"""The format that a request asks for, what is known of a server that refuses it, and responses in no known format.

Elasticsearch responds in the type of `Accept`, if that is a single type that it knows and has the version of `Content-Type`.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigurationError, InputError, InvalidAnswerError, JinaEISError, sentence
from ..wire import Call

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch, Elasticsearch, SerializationError

__all__ = ["CBOR_TYPES", "EVENTS", "JSON", "ResponseFormat", "Unreadable", "WireFormat", "read_response", "serialization_error"]

LOG = logging.getLogger("jina_eis.transport")

WireFormat = Literal["auto", "json", "cbor"]
JSON = "application/json"
EVENTS = "text/event-stream"
CBOR_TYPES = CBOR, VERSIONED_CBOR = "application/cbor", "application/vnd.elasticsearch+cbor"  # a response may have either
_CBOR_TYPES = frozenset(CBOR_TYPES)


class Unreadable(str):
    """The start of a response body that could not be parsed."""

    __slots__ = ()


class ResponseFormat:
    """The format of the responses of one connection. Responses without vectors are in JSON.

    Args:
        wanted: "auto" asks for CBOR if the client can read it, until the server has refused it; "cbor" asks for nothing else.
    """

    def __init__(self, wanted: WireFormat) -> None:
        self._wanted = wanted
        self._refused = False
        self._lock = threading.Lock()

    def accept(self, client: Elasticsearch | AsyncElasticsearch, call: Call[Any]) -> str:
        """Return the media type to ask for.

        Raises:
            ConfigurationError: CBOR is wanted, and the client cannot read it.
        """
        if not call.vectors or self._wanted == "json" or (self._refused and self._wanted == "auto"):
            return JSON
        if not client.transport.serializers.serializers.keys() >= _CBOR_TYPES:
            if self._wanted == "cbor":
                raise ConfigurationError(
                    f'wire_format="cbor": your client cannot read CBOR. Create it with serializers for {CBOR} and '
                    f'{VERSIONED_CBOR}, or pass wire_format="auto".'
                )
            return JSON
        if getattr(client, "_is_serverless", False):
            return CBOR
        # The version beside that of Content-Type, which the client adds to JSON and not to CBOR: one alone is a 400.
        from elasticsearch import VERSION

        return f"{VERSIONED_CBOR}; compatible-with={VERSION[0]}"

    def note_refusal(self, error: JinaEISError, accept: str, location: str) -> None:
        """Record that the server at this location refuses the format that was asked for. Raises any other error again."""
        refused = error.status in (406, 415) or error.error_type == "media_type_header_exception"
        if accept == JSON or not refused or self._wanted == "cbor":
            raise error
        with self._lock:
            first, self._refused = not self._refused, True
        if first:
            LOG.info("%s refuses responses in CBOR, and is asked for JSON from now on: %s", location, error)


def read_response(call: Call[Any], response: ApiResponse[Any]) -> Any:
    """Return the body of a response, as the reader of the call takes it.

    Raises:
        InvalidAnswerError: it could not be parsed, or is a page of text.
    """
    kind = response.meta.headers.get("content-type") or "no content type"
    if isinstance(response.body, Unreadable) or (kind.startswith("text/") and not kind.startswith(EVENTS)):
        node = response.meta.node
        address = f"{node.scheme}://{node.host}:{node.port}"
        raise InvalidAnswerError(
            f"Elasticsearch at {address} sent a response ({kind}) that is neither JSON nor CBOR. Is a proxy responding in its "
            "place?",
            status=response.meta.status,
        )
    return (response.body, response.meta.headers) if call.with_headers else response.body


def serialization_error(error: SerializationError, location: str) -> JinaEISError:
    """Return the error of a body that the client could not write, or, a client of the user, not read."""
    if str(error.message).startswith("Unable to serialize"):
        return InputError(
            sentence(f"The request cannot be written as JSON: {error.errors[0] if error.errors else error.message}")
        )
    return InvalidAnswerError(
        f"{location} sent a response that your client cannot read; it does not report the status. Either a proxy responds in "
        "place of Elasticsearch, or the client lacks a serializer for the content type. A client made here (es_url) reads more."
    )
