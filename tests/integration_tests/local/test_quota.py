"""The quota of the embedded EIS, and jobs that keep to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from elasticsearch import Elasticsearch

from jina_eis.errors import RateLimitError
from jina_eis.local import LocalEIS
from jina_eis.transport import pacing
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank

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


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_threads_and_tasks_are_paced_alike(asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)
    texts = [f"text {number}" for number in range(16 * 30)]
    with LocalEIS(model="hash", record=True) as eis, JinaEISEmbeddings(es_url=eis.url) as embeddings:
        eis.faults.queue(*["rate_limit"] * 6, retry_after=1)
        began = time.monotonic()
        asyncio.run(embeddings.aembed_documents(texts)) if asynchronous else embeddings.embed_documents(texts)
        # One pause and not six of them: the first calls are sent together. The rest is a busy machine.
        assert time.monotonic() - began < 2 * 1.0 + 3.0


@pytest.mark.parametrize("retry_after", [False, True])
def test_a_job_completes_within_a_quota(retry_after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)
    with (
        LocalEIS(model="hash", quota=(40, 1), quota_retry_after=retry_after, record=True) as eis,
        JinaEISEmbeddings(es_url=eis.url, batch_size=1) as embeddings,
    ):
        assert len(embeddings.embed_documents([f"text {number}" for number in range(70)])) == 70
        refused = sum(exchange.status == 429 for exchange in eis.requests)
        assert 0 < refused <= 60  # of a busy machine, where refusals take as long as other responses


def test_without_retries_the_refusal_is_an_error() -> None:
    with LocalEIS(model="hash", quota=(1, 60)) as eis, JinaEISRerank(es_url=eis.url, max_retries=0) as reranker:
        rank: Callable[[], object] = lambda: reranker.rerank(["a", "b"], "a")  # noqa: E731
        rank()
        with pytest.raises(RateLimitError):
            rank()
