"""Elasticsearch's own names of the requests that are sent: with them the client names its spans, as its own methods do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote

__all__ = ["api_of"]

_NO_PARTS: Mapping[str, str] = MappingProxyType({})

# By method and path, in which {name} stands for one part.
_APIS = {
    **{
        f"POST /_inference/{task}/{{inference_id}}": f"inference.{task}"
        for task in ("text_embedding", "embedding", "rerank", "chat_completion", "document_extraction")
    },
    "POST /_inference/chat_completion/{inference_id}/_stream": "inference.chat_completion_unified",
    "GET /_inference/_all": "inference.get",
    "GET /_inference/{inference_id}": "inference.get",
    "PUT /_inference/{task_type}/{inference_id}": "inference.put",
    "DELETE /_inference/{inference_id}": "inference.delete",
    "GET /": "info",
    "GET /_license": "license.get",
    "POST /_security/user/_has_privileges": "security.has_privileges",
    "GET /{index}": "indices.get",
    "PUT /{index}": "indices.create",
    "DELETE /{index}": "indices.delete",
    "GET /{index}/_mapping": "indices.get_mapping",
    "PUT /{index}/_mapping": "indices.put_mapping",
    "POST /{index}/_refresh": "indices.refresh",
    "POST /{index}/_bulk": "bulk",
    "POST /{index}/_mget": "mget",
    "POST /{index}/_delete_by_query": "delete_by_query",
    "POST /{index}/_search": "search",
    "POST /_search": "search",
    "POST /{index}/_pit": "open_point_in_time",
    "DELETE /_pit": "close_point_in_time",
}


@lru_cache(maxsize=256)  # an application has few endpoints and indices
def api_of(method: str, path: str) -> tuple[str | None, Mapping[str, str]]:
    """Return the name of a request, such as "inference.text_embedding", and the parts of its path; None for an unknown path."""
    parts = path.split("/")
    for pattern, name in _APIS.items():
        expected_method, _, expected = pattern.partition(" ")
        expected_parts = expected.split("/")
        if method != expected_method or len(parts) != len(expected_parts):
            continue
        pairs = [*zip(expected_parts, parts, strict=True)]
        if all(key == part or (key.startswith("{") and not part.startswith("_")) for key, part in pairs):
            return name, MappingProxyType({key[1:-1]: unquote(part) for key, part in pairs if key.startswith("{")})
    return None, _NO_PARTS
