"""The quota of the embedded EIS."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from elasticsearch import Elasticsearch

from jina_eis.errors import RateLimitError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRerank

MODEL = ".jina-embeddings-v5-text-small"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def embed(client: Elasticsearch, text: str = "one", role: str = "ingest") -> str | None:
    """Embed a text. Returns the Retry-After of a refusal, "" for one without, None for a success."""
    client = client.options(max_retries=0, ignore_status=429)
    answer = client.inference.text_embedding(inference_id=MODEL, input=[text], input_type=role)
    return str(answer.meta.headers.get("retry-after", "")) if answer.meta.status == 429 else None


def test_a_window_slides_and_each_role_has_its_own() -> None:
    clock = Clock()
    with LocalEIS(model="hash", quota=(2, 10), quota_retry_after=True, clock=clock) as eis, Elasticsearch(eis.url) as client:
        assert embed(client) is None
        clock.now = 4.0
        assert embed(client) is None
        assert embed(client) == "6"
        assert embed(client, role="search") is None
        clock.now = 10.0
        assert embed(client) is None
        assert embed(client) == "4"


def test_tokens_are_counted_and_a_request_above_the_limit_never_passes() -> None:
    clock = Clock()
    with LocalEIS(model="hash", token_quota=(100, 10), clock=clock) as eis, Elasticsearch(eis.url) as client:
        assert embed(client, "a" * 210) is None  # 60 tokens
        assert embed(client, "a" * 210) == ""
        assert embed(client, "a" * 70) is None
        clock.now = 30.0
        assert embed(client, "a" * 1000) == ""


@pytest.mark.parametrize("limit", [(0, 60), (600, 0), (600, -1), (600, float("inf"))])
def test_a_limit_that_permits_nothing_is_refused(limit: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LocalEIS(model="hash", quota=limit)


def test_without_retries_the_refusal_is_an_error() -> None:
    with LocalEIS(model="hash", quota=(1, 60)) as eis, JinaEISRerank(es_url=eis.url, max_retries=0) as reranker:
        rank: Callable[[], object] = lambda: reranker.rerank(["a", "b"], "a")  # noqa: E731
        rank()
        with pytest.raises(RateLimitError):
            rank()
