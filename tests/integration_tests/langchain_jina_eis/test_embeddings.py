"""`JinaEISEmbeddings` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import copy
import gc
import json
import logging
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from helpers import Caller, posts, run_in_threads, texts, worker_threads
from langchain_core.load import dumps
from langchain_core.rate_limiters import InMemoryRateLimiter

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError, JinaEISError
from jina_eis.local import LocalEIS
from jina_eis.transport.address import Address
from jina_eis.transport.connection import Connection
from jina_eis.wire.inference import embed
from langchain_jina_eis import JinaEISEmbeddings

Vectors = list[list[float]]


@pytest.fixture
def make(connect: Callable[..., Any]) -> Callable[..., JinaEISEmbeddings]:
    return partial(connect, JinaEISEmbeddings)


@pytest.mark.parametrize(
    ("inference_id", "task", "dimensions"),
    [
        (".jina-embeddings-v5-text-small", "text_embedding", 1024),
        (".jina-embeddings-v5-text-nano", "text_embedding", 768),
        (".jina-embeddings-v5-omni-small", "embedding", 1024),
        (".jina-embeddings-v5-omni-nano", "embedding", 768),
        (".jina-embeddings-v3", "text_embedding", 1024),
        (".jina-clip-v2", "embedding", 1024),
    ],
)
def test_requests_have_the_task_of_the_model_and_the_role(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, inference_id: str, task: str, dimensions: int
) -> None:
    embeddings = make(model=inference_id)
    assert [len(vector) for vector in call(embeddings, "embed_documents", ["a", "b"])] == [dimensions] * 2
    assert len(call(embeddings, "embed_query", "a")) == dimensions
    assert [(post.path, post.body["input_type"]) for post in posts(eis)] == [
        (f"/_inference/{task}/{inference_id}", "ingest"),
        (f"/_inference/{task}/{inference_id}", "search"),
    ]
    assert all(post.params == {"timeout": "60s"} for post in posts(eis))
    assert len(eis.requests) == 2  # no request describes an endpoint that the model table lists


def test_order_batches_and_concurrency(call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    embeddings = make(max_concurrency=3, dimensions=64)
    eis.faults.latency = 0.02
    vectors = call(embeddings, "embed_documents", texts(150))
    assert sorted(len(post.body["input"]) for post in posts(eis)) == [6] + [16] * 9
    assert 2 <= eis.most_in_flight <= 3
    assert vectors[0] == call(embeddings, "embed_documents", ["text 0"])[0]
    assert vectors[149] == call(embeddings, "embed_documents", ["text 149"])[0]
    assert call(embeddings, "stream_documents", iter(texts(150))) == vectors


def test_max_concurrency_limits_all_threads_together(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    embeddings = make(max_concurrency=4)
    eis.faults.latency = 0.01
    expected = embeddings.embed_documents(texts(40))
    results: list[Vectors] = []
    run_in_threads([lambda: results.append(embeddings.embed_documents(texts(40)))] * 20)
    assert results == [expected] * 20
    assert eis.most_in_flight <= 4


def test_a_stream_reads_texts_as_they_are_needed(make: Callable[..., JinaEISEmbeddings]) -> None:
    embeddings, read = make(max_concurrency=2), []

    def source() -> Iterator[str]:
        for n in range(10_000):
            read.append(n)
            yield "same text"

    stream = embeddings.stream_documents(source())
    next(stream)
    stream.close()
    assert len(read) <= 16 * 5  # twice max_concurrency batches, and the batch that waits for a free slot


def test_vectors_are_truncated_and_renormalised(call: Caller, make: Callable[..., JinaEISEmbeddings]) -> None:
    (full,), (truncated,) = (
        call(make(), "embed_documents", ["glacier"]),
        call(make(dimensions=128), "embed_documents", ["glacier"]),
    )
    assert len(truncated) == 128
    assert math.hypot(*truncated) == pytest.approx(1.0)
    length = math.hypot(*full[:128])
    assert truncated == pytest.approx([number / length for number in full[:128]], abs=1e-6)


def test_a_custom_endpoint_is_described_once(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, custom_endpoint: str
) -> None:
    embeddings = make(inference_id=custom_endpoint, dimensions=64)
    assert [len(vector) for vector in call(embeddings, "embed_documents", texts(40))] == [64] * 40
    assert len(call(embeddings, "embed_query", "x")) == 64
    assert [exchange.path for exchange in eis.requests if exchange.method == "GET"] == ["/_inference/mine"]
    with pytest.raises(ConfigurationError, match=r"mine returns 256\. Choose a smaller size"):
        call(make(inference_id=custom_endpoint, dimensions=512), "embed_query", "x")


def test_an_empty_list_sends_no_request(call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    assert call(make(inference_id="mine-too"), "embed_documents", []) == []
    assert eis.requests == []


def test_unusual_texts_are_embedded(call: Caller, make: Callable[..., JinaEISEmbeddings]) -> None:
    unusual = ["", "\x00", "a\ud800b", "\ud83d\ude00", "x" * 200_000, '"}]', "é" * 10]
    assert len(call(make(), "embed_documents", unusual)) == len(unusual)


@pytest.mark.parametrize("wrong", [None, 3, b"bytes", ["nested"]])
def test_an_input_that_is_not_a_string_sends_no_request(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, wrong: Any
) -> None:
    with pytest.raises(InputError, match="Input 40 is"):
        call(make(), "embed_documents", [*texts(40), wrong])
    with pytest.raises(InputError):
        call(make(), "embed_query", wrong)
    assert eis.requests == []


@pytest.mark.parametrize("kind", ["rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"])
def test_transient_errors_are_retried(call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any) -> None:
    expected = call(make(), "embed_documents", texts(100))
    eis.clear()
    eis.faults.queue(kind, kind, kind)
    assert call(make(), "embed_documents", texts(100)) == expected
    assert len(posts(eis)) == 7 + 3


@pytest.mark.parametrize(("kind", "retry_after"), [("rate_limit", 1), ("rate_limit", "Wed, 21 Oct 2015 07:28:00 GMT")])
def test_retry_after_is_parsed(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any, retry_after: Any
) -> None:
    eis.faults.queue(kind, retry_after=retry_after)
    assert len(call(make(), "embed_query", "x")) == 1024
    eis.faults.queue(kind, retry_after=retry_after)
    with pytest.raises(errors.RateLimitError) as caught:
        call(make(max_retries=0), "embed_query", "x")
    assert caught.value.retry_after == (1.0 if retry_after == 1 else 0.0)


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_an_invalid_response_is_an_error(call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError) as caught:
        call(make(), "embed_documents", texts(5))
    assert caught.value.inputs == range(5)


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_an_invalid_response_names_the_text_that_causes_it(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any
) -> None:
    eis.faults.poison("text 3", kind)
    with pytest.raises(InvalidAnswerError, match=r"Input 3 failed\.") as caught:
        call(make(), "embed_documents", texts(5))
    assert list(caught.value.inputs or ()) == [3]


def test_the_error_of_a_batch_names_the_text_that_caused_it(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    eis.faults.poison("text 50", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match=r"Input 50 failed\. The first 48 were done\.") as caught:
        call(make(max_retries=1), "embed_documents", texts(100))
    assert (list(caught.value.inputs or ()), caught.value.completed) == ([50], 48)
    assert caught.value.endpoint == ".jina-embeddings-v5-text-small"


def test_the_error_names_the_batch_if_two_of_its_texts_fail(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    eis.faults.poison("text 50", "unavailable")
    eis.faults.poison("text 60", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError) as caught:
        call(make(max_retries=1), "embed_documents", texts(100))
    assert list(caught.value.inputs or ()) == list(range(48, 64))


def test_a_batch_is_not_split_if_the_service_is_unavailable(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    eis.faults.queue("unavailable", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match="Inputs 0 to 4 failed"):
        call(make(max_retries=1), "embed_documents", texts(5))
    assert len(posts(eis)) == 2


@pytest.mark.parametrize("kind", ["unavailable", "eis_5xx", "timeout", "drop", "too_few"])
def test_a_stream_skips_texts_that_cannot_be_embedded(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any
) -> None:
    expected = call(make(), "embed_documents", texts(100))
    poisoned = [0, 50, 51, 99]
    for n in poisoned:
        eis.faults.poison(f"text {n}", kind)
    outcomes = call(make(max_retries=1), "stream_documents", texts(100), on_error="skip")
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, JinaEISError)] == poisoned
    assert [list(outcomes[n].inputs) for n in poisoned] == [[n] for n in poisoned]  # type: ignore[attr-defined]
    assert [n for n, outcome in enumerate(outcomes) if outcome == expected[n]] == [n for n in range(100) if n not in poisoned]


def test_a_stream_does_not_skip_errors_that_the_texts_do_not_cause(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    with pytest.raises(errors.EndpointNotFoundError):
        call(make(model="nothing"), "stream_documents", texts(40), on_error="skip")
    eis.faults.always("unavailable")
    with pytest.raises(errors.ServiceUnavailableError):
        call(make(max_retries=0), "stream_documents", texts(40), on_error="skip")
    with pytest.raises(InputError, match="'raise' or 'skip'"):
        call(make(), "stream_documents", texts(40), on_error="ignore")


def test_a_stream_yields_all_vectors_before_the_error(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    eis.faults.poison("text 50", "unavailable")
    received = []
    with pytest.raises(errors.ServiceUnavailableError):
        for vector in make(max_retries=0).stream_documents(texts(100)):
            received.append(vector)  # noqa: PERF402
    assert len(received) == 48


def test_a_stream_rejects_a_single_text_and_yields_all_vectors_before_an_invalid_one(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    with pytest.raises(InputError, match=r"of type str\. Pass a list of strings"):
        call(make(), "stream_documents", "letters")
    assert eis.requests == []
    received = []
    with pytest.raises(InputError, match="Input 70 is None"):
        for vector in make(max_concurrency=2).stream_documents([*texts(70), None]):  # type: ignore[list-item]
            received.append(vector)  # noqa: PERF402
    assert len(received) == 70


def test_the_error_for_a_mistyped_endpoint_lists_the_existing_ones(call: Caller, make: Callable[..., JinaEISEmbeddings]) -> None:
    with pytest.raises(errors.EndpointNotFoundError) as caught:
        call(make(model="jina-embeddings-v5-text-smal"), "embed_query", "x")
    assert "Did you mean '.jina-embeddings-v5-text-small'?" in str(caught.value)
    assert ".jina-reranker-v3" in str(caught.value)


def test_the_error_for_a_wrong_key_does_not_contain_the_key(call: Caller) -> None:
    with LocalEIS(api_key="right", model="hash") as eis:
        embeddings = JinaEISEmbeddings(es_url=eis.url, es_api_key="wrong-secret")
        with pytest.raises(errors.AuthenticationError, match="es_api_key") as caught:
            call(embeddings, "embed_query", "x")
        embeddings.close()
        assert "wrong-secret" not in str(caught.value)
        with JinaEISEmbeddings(es_url=eis.url, es_api_key="right") as right:
            assert len(call(right, "embed_query", "x")) == 1024


def test_a_server_that_is_down_is_a_clear_error(call: Caller) -> None:
    with pytest.raises(errors.ConnectionFailedError, match=r"http://127\.0\.0\.1:1 cannot be reached: .*es_url"):
        call(JinaEISEmbeddings(es_url="http://127.0.0.1:1", max_retries=1), "embed_query", "x")


def test_a_client_timeout_is_a_service_timeout(call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    eis.faults.latency = 0.3
    with pytest.raises(errors.ServiceTimeoutError, match="timeout"):
        call(make(timeout=0.05, max_retries=0), "embed_query", "x")
    assert posts(eis)[0].params == {"timeout": "50ms"}


# Connections


def test_one_object_works_in_three_loops_in_a_row_and_three_at_once(make: Callable[..., JinaEISEmbeddings]) -> None:
    embeddings = make()
    expected = embeddings.embed_documents(texts(40))
    for _ in range(3):
        assert asyncio.run(embeddings.aembed_documents(texts(40))) == expected
    results: list[Vectors] = []
    run_in_threads([lambda: results.append(asyncio.run(embeddings.aembed_documents(texts(40))))] * 3)
    assert results == [expected] * 3


def test_a_closed_loop_logs_no_unclosed_connections(
    make: Callable[..., JinaEISEmbeddings], caplog: pytest.LogCaptureFixture
) -> None:
    embeddings = make()
    with caplog.at_level(logging.DEBUG, "asyncio"):
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(embeddings.aembed_query("x"))
            loop.run_until_complete(embeddings.aclose())
            loop.close()
    assert "Unclosed" not in caplog.text


async def test_sync_works_inside_a_running_loop(make: Callable[..., JinaEISEmbeddings]) -> None:
    embeddings = make()
    assert embeddings.embed_documents(texts(40)) == await embeddings.aembed_documents(texts(40))
    await embeddings.aclose()
    assert len(await embeddings.aembed_query("opens again")) == 1024
    await embeddings.aclose()


async def test_a_sync_call_does_not_wait_for_the_loop_that_it_blocks(
    make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    embeddings = make(max_concurrency=2)
    eis.faults.latency = 0.05
    task = asyncio.create_task(embeddings.aembed_documents(texts(320)))
    await asyncio.sleep(0.1)
    assert len(embeddings.embed_query("x")) == 1024
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await embeddings.aclose()


@pytest.mark.parametrize("ending", ["loop.close()", "pass"])
def test_a_program_exits_without_output_if_its_loops_stay_open(eis: LocalEIS, ending: str) -> None:
    program = f"""
import asyncio
from langchain_jina_eis import JinaEISEmbeddings
embeddings = JinaEISEmbeddings(es_url={eis.url!r})
for _ in range(2):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(embeddings.aembed_query("x"))
    {ending}
asyncio.run(embeddings.aembed_query("x"))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")


def test_a_custom_client_keeps_its_headers_and_its_retries_are_disabled(call: Caller, eis: LocalEIS) -> None:
    headers = {"x-opaque-id": "mine", "user-agent": "my-app/1"}
    with Elasticsearch(eis.url, headers=headers, max_retries=5) as client:
        embeddings = JinaEISEmbeddings(client=client, max_retries=0)
        assert len(call(embeddings, "embed_query", "x")) == 1024
        sent = posts(eis)[0].headers
        assert sent["x-opaque-id"] == "mine"
        assert sent["user-agent"].startswith("langchain-jina-eis/")
        assert sent["user-agent"].endswith(" my-app/1")
        eis.clear()
        eis.faults.always("unavailable")
        with pytest.raises(errors.ServiceUnavailableError):
            call(embeddings, "embed_query", "x")
        assert len(posts(eis)) == 1
        eis.faults.clear()
        embeddings.close()
        assert client.info()


def test_a_custom_async_client_works_in_one_event_loop_only(eis: LocalEIS) -> None:
    async def first() -> JinaEISEmbeddings:
        async with AsyncElasticsearch(eis.url, headers={"x-opaque-id": "mine"}) as client:
            embeddings = JinaEISEmbeddings(async_client=client)
            assert len(await embeddings.aembed_documents(texts(40))) == 40
            return embeddings

    embeddings = asyncio.run(first())
    assert {post.headers["x-opaque-id"] for post in posts(eis)} == {"mine"}
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(embeddings.aembed_query("x"))
    with pytest.raises(ConfigurationError, match="Sync calls need"):
        embeddings.embed_query("x")


def test_the_user_agent_names_both_the_plugin_and_the_client(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    make().embed_query("x")
    assert " elasticsearch-py/" in posts(eis)[0].headers["user-agent"]


def test_the_rate_limiter_is_acquired_before_every_request(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    class Counting(InMemoryRateLimiter):
        acquired = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            Counting.acquired += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            Counting.acquired += 1
            return True

    eis.faults.queue("rate_limit")
    call(make(rate_limiter=Counting()), "embed_documents", texts(100))
    assert Counting.acquired == len(posts(eis)) == 8
    with pytest.raises(errors.EndpointNotFoundError):
        call(make(model="missing", rate_limiter=Counting()), "embed_query", "x")
    assert Counting.acquired == len(eis.requests) == 8 + 2


def test_pickles_copies_and_processes(make: Callable[..., JinaEISEmbeddings]) -> None:
    embeddings = make(es_api_key="SECRET", dimensions=128)
    expected = embeddings.embed_query("x")
    with pickle.loads(pickle.dumps(embeddings)) as copied:
        assert copied.embed_query("x") == expected
    with copy.deepcopy(embeddings) as copied:
        assert copied.embed_query("x") == expected
    with embeddings.model_copy(update={"dimensions": 64}) as smaller:
        assert len(smaller.embed_query("x")) == 64
    with embeddings.model_copy(update={"es_api_key": "OTHER"}) as other:
        assert other.embed_query("x") == expected
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(embeddings.embed_query, ("x",)) == expected
    with Elasticsearch("http://127.0.0.1:1") as client, pytest.raises(ConfigurationError, match="client cannot be pickled"):
        pickle.dumps(JinaEISEmbeddings(client=client))
    with pytest.raises(ConfigurationError, match="rate_limiter cannot be pickled"):
        pickle.dumps(make(rate_limiter=InMemoryRateLimiter()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_opens_new_connections(eis: LocalEIS) -> None:
    # In another process: a fork of this one, which runs the threads of the server, could deadlock.
    program = f"""
import multiprocessing
from langchain_jina_eis import JinaEISEmbeddings
embeddings = JinaEISEmbeddings(es_url={eis.url!r})
expected = embeddings.embed_query("x")
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(embeddings.embed_query, ["x"] * 8) == [expected] * 8
assert embeddings.embed_query("x") == expected
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_no_representation_contains_secrets(eis: LocalEIS) -> None:
    for secrets in ({"es_api_key": "SECRET"}, {"es_user": "me", "es_password": "SECRET"}):
        embeddings = JinaEISEmbeddings(es_url=eis.url, **secrets)
        representations = [
            repr(embeddings),
            str(embeddings),
            str(embeddings.model_dump()),
            embeddings.model_dump_json(),
            dumps(embeddings),
        ]
        assert not any("SECRET" in text for text in representations)
        for wrong in ({"dimensions": 300}, {"typo": 1}, {"client": object()}):
            with pytest.raises(JinaEISError) as caught:
                JinaEISEmbeddings(es_url=eis.url, **secrets, **wrong)
            assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "No address of Elasticsearch"),
        ({"es_url": "http://h:1", "client": object()}, "client or es_url"),
        ({"es_url": "http://h:1", "es_cloud_id": "x:y"}, "either es_url or es_cloud_id"),
        ({"es_url": "http://h:1", "es_api_key": "k", "es_user": "u", "es_password": "p"}, "not both"),
        ({"es_url": "http://h:1", "es_user": "u"}, "go together"),
        ({"es_url": "http://h:1", "es_api_key": "SECRET\n"}, "es_api_key holds a space, a line break"),
        ({"es_url": "http://h:1", "es_api_key": "SÉCRET"}, "es_api_key holds"),
        ({"es_cloud_id": "garbage"}, "es_cloud_id is not a cloud id"),
        ({"es_cloud_id": "name:é"}, "es_cloud_id is not a cloud id"),
        ({"es_url": "h:1"}, "not an address"),
        ({"es_url": "http://user:pass@h:1", "es_api_key": "k"}, "holds a user and password"),
        ({"es_url": "http://h:1", "dimension": 3}, "Did you mean dimensions"),
        ({"es_url": "http://h:1", "model": "a", "inference_id": "b"}, "not both"),
        ({"es_url": "http://h:1", "dimensions": 300}, "32, 64, 128, 256, 512 and 1024"),
        ({"es_url": "http://h:1", "dimensions": 0}, "dimensions"),
        ({"es_url": "http://h:1", "batch_size": 0}, "batch_size"),
        ({"es_url": "http://h:1", "timeout": -1}, "timeout"),
        ({"es_url": "http://h:1", "model": ".jina-reranker-v3"}, "is a reranker"),
        ({"es_url": "http://h:1", "model": ".jina-clip-v2", "batch_size": 17}, "at most 16"),
        ({"es_url": "http://h:1", "query_input_type": "question"}, "query_input_type"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        JinaEISEmbeddings(**arguments)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_a_rejected_assignment_changes_nothing(make: Callable[..., JinaEISEmbeddings], monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = make(dimensions=64)
    with pytest.raises(ConfigurationError, match="dimensions=300"):
        embeddings.dimensions = 300
    assert embeddings.dimensions == 64
    with pytest.raises(ConfigurationError, match="es_url cannot be changed"):
        embeddings.es_url = "http://elsewhere:1"
    monkeypatch.setenv("ES_API_KEY", "set too late")
    embeddings.dimensions = 32
    assert embeddings.es_api_key is None
    assert len(embeddings.embed_query("x")) == 32


def test_arguments_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ES_URL", "http://from-environment:1")
    monkeypatch.setenv("ES_API_KEY", "key")
    embeddings = JinaEISEmbeddings()
    assert embeddings.es_url == "http://from-environment:1"
    assert embeddings.es_api_key is not None
    assert JinaEISEmbeddings(es_url="http://argument:1").es_url == "http://argument:1"
    assert JinaEISEmbeddings(es_user="u", es_password="p").es_api_key is None
    monkeypatch.delenv("ES_URL")
    cloud_id = "name:" + base64.b64encode(b"example.com$uuid$kibana").decode()
    assert JinaEISEmbeddings(es_cloud_id=cloud_id).es_cloud_id == cloud_id
    with Elasticsearch("http://127.0.0.1:1") as client:
        assert JinaEISEmbeddings(client=client).es_url is None


def test_the_cache_namespace_is_unique_to_the_settings(make: Callable[..., JinaEISEmbeddings]) -> None:
    names = {make(**arguments).cache_namespace for arguments in ({}, {"dimensions": 64}, {"model": ".jina-clip-v2"},
             {"document_input_type": "clustering"})}  # fmt: skip
    assert len(names) == 4


def test_a_cache_embeds_once(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    CacheBackedEmbeddings = pytest.importorskip("langchain_classic.embeddings").CacheBackedEmbeddings  # noqa: N806
    from langchain_core.stores import InMemoryByteStore

    embeddings = make()
    cached = CacheBackedEmbeddings.from_bytes_store(
        embeddings, InMemoryByteStore(), namespace=embeddings.cache_namespace, key_encoder="sha256"
    )
    assert cached.embed_documents(["a", "b"]) == cached.embed_documents(["a", "b"])
    assert len(posts(eis)) == 1


def test_json_of_the_settings_is_json(make: Callable[..., JinaEISEmbeddings]) -> None:
    assert json.loads(make().model_dump_json())["inference_id"] == ".jina-embeddings-v5-text-small"


# Cancellation


@pytest.fixture
def slow() -> Iterator[LocalEIS]:
    """A separate server that stops after the test: it does not notice that its clients have disconnected."""
    with LocalEIS(model="hash") as eis:
        yield eis


def test_closing_a_stream_ends_its_threads(slow: LocalEIS) -> None:
    with JinaEISEmbeddings(es_url=slow.url, max_concurrency=4) as embeddings:
        stream = embeddings.stream_documents(texts(1000))
        next(stream)
        slow.faults.latency = 30.0
        for _ in range(31):  # the rest of the first two batches; the next responses take half a minute
            next(stream)
        stream.close()  # type: ignore[attr-defined]
        for thread in worker_threads():
            thread.join(timeout=15)
        assert worker_threads() == []
        slow.faults.clear()
        assert len(embeddings.embed_documents(texts(40))) == 40


async def test_cancelling_a_task_ends_its_subtasks(slow: LocalEIS) -> None:
    async with JinaEISEmbeddings(es_url=slow.url, max_concurrency=4) as embeddings:
        await embeddings.aembed_query("warm")
        slow.faults.latency = 30.0
        task = asyncio.create_task(embeddings.aembed_documents(texts(1000)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 15)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        slow.faults.clear()
        assert len(await embeddings.aembed_documents(texts(40))) == 40


def test_ctrl_c_ends_the_program_immediately(slow: LocalEIS) -> None:
    slow.faults.latency = 120.0
    program = f"""
import os, signal, threading
from langchain_jina_eis import JinaEISEmbeddings
embeddings = JinaEISEmbeddings(es_url={slow.url!r})
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
embeddings.embed_documents([str(n) for n in range(1000)])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "KeyboardInterrupt" in ran.stderr


def test_an_abandoned_request_is_not_sent(eis: LocalEIS) -> None:
    connection = Connection(Address(eis.url), timeout=30, connections=1, product="test")
    abandoned = threading.Event()
    call = embed(
        "text_embedding", ".jina-embeddings-v5-text-small", ["a"], "ingest", timeout=30, dimensions=None, inputs=[0], completed=0
    )
    assert connection.send(call, abandoned)
    abandoned.set()
    with pytest.raises(JinaEISError, match="no caller waits for the response"):
        connection.send(call, abandoned)
    connection.close()  # the next request has to connect first
    with pytest.raises(JinaEISError, match="no caller waits for the response"):
        connection.send(call, abandoned)
    assert len(eis.requests) == 1
    assert connection.send(call)
    connection.close()


def test_a_connection_is_free_after_its_response(make: Callable[..., JinaEISEmbeddings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads may use it then. Closing a stream of this thread must not end their requests."""
    from elastic_transport import SerializerCollection

    embeddings, load, busy = make(), SerializerCollection.loads, []
    connection = embeddings._driver()._connection

    def record_and_load(serializers: SerializerCollection, data: bytes, mimetype: str | None = None) -> Any:
        busy.append(dict(connection._busy))
        return load(serializers, data, mimetype)

    monkeypatch.setattr(SerializerCollection, "loads", record_and_load)
    embeddings.embed_query("a glacier")
    assert busy == [{}]


def test_garbage_collection_of_an_adapter_does_not_run_the_loop_of_another_thread(eis: LocalEIS) -> None:
    loop, threads = asyncio.new_event_loop(), []
    references = [JinaEISEmbeddings(es_url=eis.url)]
    loop.run_until_complete(references[0].aembed_query("a glacier"))
    run = loop.run_until_complete

    def recording_run(future: Any) -> Any:
        threads.append(threading.current_thread())
        return run(future)

    loop.run_until_complete = recording_run  # type: ignore[method-assign]
    collector = threading.Thread(target=lambda: (references.clear(), gc.collect()))
    collector.start()
    collector.join()
    loop.run_until_complete(asyncio.sleep(0.1))  # the client is closed meanwhile
    loop.close()
    assert set(threads) == {threading.current_thread()}
