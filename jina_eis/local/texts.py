"""Words of errors, and the units of times: tables."""

from __future__ import annotations

__all__ = ["GATEWAY_REASONS", "IMPLEMENTED", "SECONDS", "TOKENS"]

SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
GATEWAY_REASONS = {
    400: "Received a bad request status code",
    405: "Received a method not allowed status code",
    413: "Received a content too large status code",
    422: "Received an input validation error response",
    429: "Received a rate limit status code",
    503: "Received a server error status code",
}
# The names of JSON values in Elasticsearch's errors; those of numbers have one name.
TOKENS = {dict: "START_OBJECT", list: "START_ARRAY", str: "VALUE_STRING", bool: "VALUE_BOOLEAN", type(None): "VALUE_NULL"}
IMPLEMENTED = (
    "It implements GET /, GET _license, POST _security/user/_has_privileges, the _inference API (GET, PUT and DELETE of "
    "endpoints, POST of text_embedding, embedding, rerank, chat_completion of jina-ocr-v1 and document_extraction), and requests "
    "to one index (GET, PUT and DELETE of the index, _mapping, _refresh, _bulk, _doc, _mget, _count, _search, _delete_by_query)"
)
