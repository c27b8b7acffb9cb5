"""The kinds of simulated faults: a table."""

from __future__ import annotations

from typing import Literal

__all__ = ["INDEX_KINDS", "Kind"]

Kind = Literal[
    "rate_limit",  # 429, with Retry-After if it is set
    "timeout",  # 429 timeout_exception; 408 before 9.4
    "timeout_408",  # 408, up to 9.3
    "timeout_504",  # 504, builds of April 2026
    "eis_422",  # the service's 422, for an input that it does not accept
    "wrong_type",  # the service's 422, for media whose bytes are not of their MIME type; other requests succeed
    "eis_5xx",  # the service's 503, which Elasticsearch returns as 400
    "unavailable",  # 503 of Elasticsearch itself
    "bad_gateway",  # 502 with an HTML body, from a proxy
    "no_upstream",  # 503 with the content type of the request and plain words, from a proxy
    "not_acceptable",  # 406 for a request that asks for CBOR; none for others
    "wrong_content_type",  # application/octet-stream in place of the type of the body
    "drop",  # the connection closes without a response
    "cut",  # the connection closes in the middle of the body
    "too_few",  # one vector or document too few
    "too_many",
    "empty",  # one vector, or score, is empty
    "ragged",  # one vector is shorter; a document is ranked twice
    "not_finite",  # one number is NaN
    "garbage",  # 200, but not JSON
]

# Faults that also apply to bulk requests and searches. The others wait for an inference request.
INDEX_KINDS: frozenset[Kind] = frozenset(
    {"rate_limit", "unavailable", "bad_gateway", "no_upstream", "not_acceptable", "wrong_content_type", "drop", "cut", "garbage"}
)
