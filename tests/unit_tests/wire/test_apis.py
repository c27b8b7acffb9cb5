"""The names of requests, as the Elasticsearch client has them."""

from __future__ import annotations

import re
from pathlib import Path

import elasticsearch
import pytest

from jina_eis.wire.apis import _APIS, api_of

# Newer than the oldest client, or a task for which it has no method of its own.
_UNKNOWN_TO_THE_CLIENT = {
    f"inference.{task}" for task in ("document_extraction", "chat_completion", "chat_completion_unified", "embedding")
}


@pytest.mark.parametrize(
    ("method", "path", "name", "parts"),
    [
        ("POST", "/_inference/text_embedding/.jina-x", "inference.text_embedding", {"inference_id": ".jina-x"}),
        ("POST", "/_inference/rerank/a%20b", "inference.rerank", {"inference_id": "a b"}),
        ("GET", "/_inference/_all", "inference.get", {}),
        ("GET", "/_inference/mine", "inference.get", {"inference_id": "mine"}),
        ("PUT", "/_inference/rerank/mine", "inference.put", {"task_type": "rerank", "inference_id": "mine"}),
        ("GET", "/", "info", {}),
        ("POST", "/_search", "search", {}),
        ("POST", "/kb/_search", "search", {"index": "kb"}),
        ("POST", "/a%2Cb/_bulk", "bulk", {"index": "a,b"}),
        ("PUT", "/kb", "indices.create", {"index": "kb"}),
        ("GET", "/_unknown", None, {}),
        ("POST", "/kb/_unknown", None, {}),
    ],
)
def test_the_name_and_parts_of_a_request(method: str, path: str, name: str | None, parts: dict[str, str]) -> None:
    assert api_of(method, path) == (name, parts)


def test_the_client_has_each_name() -> None:
    sources = (Path(elasticsearch.__file__).parent / "_sync" / "client").glob("*.py")
    known = {name for source in sources for name in re.findall(r'endpoint_id="([\w.]+)"', source.read_text())}
    assert set(_APIS.values()) - _UNKNOWN_TO_THE_CLIENT <= known
