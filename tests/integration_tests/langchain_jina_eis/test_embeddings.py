"""`JinaEISEmbeddings` over real HTTP to the embedded EIS. One body for sync and async."""

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
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
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


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def documents(self, embeddings: JinaEISEmbeddings, texts: Any) -> Vectors:
        return asyncio.run(embeddings.aembed_documents(texts)) if self.asynchronous else embeddings.embed_documents(texts)

    def query(self, embeddings: JinaEISEmbeddings, text: Any) -> list[float]:
        return asyncio.run(embeddings.aembed_query(text)) if self.asynchronous else embeddings.embed_query(text)

    def stream(self, embeddings: JinaEISEmbeddings, texts: Any, **how: Any) -> Vectors:
        async def collect() -> Vectors:
            return [vector async for vector in embeddings.astream_documents(texts, **how)]

        return asyncio.run(collect()) if self.asynchronous else list(embeddings.stream_documents(texts, **how))


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISEmbeddings]]:
    made: list[JinaEISEmbeddings] = []

    def build(**arguments: Any) -> JinaEISEmbeddings:
        made.append(JinaEISEmbeddings(**{"es_url": eis.url, **arguments}))
        return made[-1]

    yield build
    for embeddings in made:
        embeddings.close()


def posts(eis: LocalEIS) -> list[Any]:
    return [exchange for exchange in eis.requests if exchange.method == "POST"]


def texts(number: int) -> list[str]:
    return [f"text {n}" for n in range(number)]


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
def test_every_preconfigured_model_is_called_by_its_task_in_the_right_role(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, inference_id: str, task: str, dimensions: int
) -> None:
    embeddings = make(model=inference_id)
    assert [len(vector) for vector in face.documents(embeddings, ["a", "b"])] == [dimensions] * 2
    assert len(face.query(embeddings, "a")) == dimensions
    assert [(post.path, post.body["input_type"]) for post in posts(eis)] == [
        (f"/_inference/{task}/{inference_id}", "ingest"),
        (f"/_inference/{task}/{inference_id}", "search"),
    ]
    assert all(post.params == {"timeout": "60s"} for post in posts(eis))
    assert len(eis.requests) == 2  # nothing was asked about an endpoint that the table knows


def test_order_batches_and_concurrency(face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    embeddings = make(max_concurrency=3, dimensions=64)
    eis.faults.latency = 0.02
    together = face.documents(embeddings, texts(150))
    assert sorted(len(post.body["input"]) for post in posts(eis)) == [6] + [16] * 9
    assert 2 <= eis.most_in_flight <= 3
    assert together[0] == face.documents(embeddings, ["text 0"])[0]
    assert together[149] == face.documents(embeddings, ["text 149"])[0]
    assert face.stream(embeddings, iter(texts(150))) == together


def test_the_limit_of_calls_in_flight_holds_over_threads(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    embeddings = make(max_concurrency=4)
    eis.faults.latency = 0.01
    expected = embeddings.embed_documents(texts(40))
    results: list[Vectors] = []
    threads = [threading.Thread(target=lambda: results.append(embeddings.embed_documents(texts(40)))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 20
    assert eis.most_in_flight <= 4


def test_a_stream_takes_texts_as_it_goes(make: Callable[..., JinaEISEmbeddings]) -> None:
    embeddings, taken = make(max_concurrency=2), []

    def source() -> Iterator[str]:
        for n in range(10_000):
            taken.append(n)
            yield "same text"

    stream = embeddings.stream_documents(source())
    next(stream)
    stream.close()
    assert len(taken) <= 16 * 5  # twice what may be in flight, and the batch for which there is no room yet


def test_dimensions_are_cut_and_renormalised(face: Face, make: Callable[..., JinaEISEmbeddings]) -> None:
    (whole,), (cut,) = face.documents(make(), ["glacier"]), face.documents(make(dimensions=128), ["glacier"])
    assert len(cut) == 128
    assert math.hypot(*cut) == pytest.approx(1.0)
    assert cut[0] / cut[1] == pytest.approx(whole[0] / whole[1])


@pytest.fixture
def own_endpoint(eis: LocalEIS) -> Iterator[str]:
    settings = {"model_id": "jina-embeddings-v5-omni-small", "dimensions": 256}
    with Elasticsearch(eis.url) as client:
        client.inference.put(
            task_type="embedding", inference_id="mine", inference_config={"service": "elastic", "service_settings": settings}
        )
        eis.clear()
        yield "mine"
        client.inference.delete(inference_id="mine")


def test_an_endpoint_of_the_user_is_described_once(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, own_endpoint: str
) -> None:
    embeddings = make(inference_id=own_endpoint, dimensions=64)
    assert [len(vector) for vector in face.documents(embeddings, texts(40))] == [64] * 40
    assert len(face.query(embeddings, "x")) == 64
    assert [exchange.path for exchange in eis.requests if exchange.method == "GET"] == ["/_inference/mine"]
    with pytest.raises(ConfigurationError, match="mine gives 256"):
        face.query(make(inference_id=own_endpoint, dimensions=512), "x")


def test_no_texts_no_request(face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    assert face.documents(make(inference_id="mine-too"), []) == []
    assert eis.requests == []


def test_odd_texts_are_embedded(face: Face, make: Callable[..., JinaEISEmbeddings]) -> None:
    odd = ["", "\x00", "a\ud800b", "\ud83d\ude00", "x" * 200_000, '"}]', "é" * 10]
    assert len(face.documents(make(), odd)) == len(odd)


@pytest.mark.parametrize("wrong", [None, 3, b"bytes", ["nested"]])
def test_what_is_no_string_is_refused_before_anything_is_sent(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, wrong: Any
) -> None:
    with pytest.raises(InputError, match="Input 40 is"):
        face.documents(make(), [*texts(40), wrong])
    with pytest.raises(InputError):
        face.query(make(), wrong)
    assert eis.requests == []


@pytest.mark.parametrize("kind", ["rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"])
def test_what_passes_is_sent_again_and_nothing_is_lost(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any
) -> None:
    expected = face.documents(make(), texts(100))
    eis.clear()
    eis.faults.queue(kind, kind, kind)
    assert face.documents(make(), texts(100)) == expected
    assert len(posts(eis)) == 7 + 3


@pytest.mark.parametrize(("kind", "retry_after"), [("rate_limit", 1), ("rate_limit", "Wed, 21 Oct 2015 07:28:00 GMT")])
def test_retry_after_is_read(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any, retry_after: Any
) -> None:
    eis.faults.queue(kind, retry_after=retry_after)
    assert len(face.query(make(), "x")) == 1024
    eis.faults.queue(kind, retry_after=retry_after)
    with pytest.raises(errors.RateLimitError) as caught:
        face.query(make(max_retries=0), "x")
    assert caught.value.retry_after == (1.0 if retry_after == 1 else 0.0)


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_a_wrong_answer_is_an_error_and_never_a_result(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any
) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError) as caught:
        face.documents(make(), texts(5))
    assert caught.value.inputs == range(5)


def test_a_batch_that_fails_for_good_says_which_text_is_at_fault(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    eis.faults.poison("text 50", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match=r"Input 50 failed\. The first 48 were done\.") as caught:
        face.documents(make(max_retries=1), texts(100))
    assert (list(caught.value.inputs or ()), caught.value.completed) == ([50], 48)
    assert caught.value.endpoint == ".jina-embeddings-v5-text-small"


def test_two_texts_at_fault_in_one_batch_are_told_as_the_batch(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    eis.faults.poison("text 50", "unavailable")
    eis.faults.poison("text 60", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError) as caught:
        face.documents(make(max_retries=1), texts(100))
    assert list(caught.value.inputs or ()) == list(range(48, 64))


def test_nothing_is_divided_where_nothing_passes(face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    eis.faults.queue("unavailable", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match="Inputs 0 to 4 failed"):
        face.documents(make(max_retries=1), texts(5))
    assert len(posts(eis)) == 2


@pytest.mark.parametrize("kind", ["unavailable", "eis_5xx", "timeout", "drop", "too_few"])
def test_a_stream_goes_on_after_texts_that_cannot_be_embedded(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, kind: Any
) -> None:
    expected = face.documents(make(), texts(100))
    poisoned = [0, 50, 51, 99]
    for n in poisoned:
        eis.faults.poison(f"text {n}", kind)
    outcomes = face.stream(make(max_retries=1), texts(100), on_error="skip")
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, JinaEISError)] == poisoned
    assert [list(outcomes[n].inputs) for n in poisoned] == [[n] for n in poisoned]  # type: ignore[attr-defined]
    assert [n for n, outcome in enumerate(outcomes) if outcome == expected[n]] == [n for n in range(100) if n not in poisoned]


def test_a_stream_does_not_skip_what_has_nothing_to_do_with_the_texts(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    with pytest.raises(errors.EndpointNotFoundError):
        face.stream(make(model="nothing"), texts(40), on_error="skip")
    eis.faults.always("unavailable")
    with pytest.raises(errors.ServiceUnavailableError):
        face.stream(make(max_retries=0), texts(40), on_error="skip")
    with pytest.raises(InputError, match="'raise' or 'skip'"):
        face.stream(make(), texts(40), on_error="ignore")


def test_a_stream_gives_out_everything_before_the_error(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    eis.faults.poison("text 50", "unavailable")
    received = []
    with pytest.raises(errors.ServiceUnavailableError):
        for vector in make(max_retries=0).stream_documents(texts(100)):
            received.append(vector)  # noqa: PERF402
    assert len(received) == 48


def test_a_stream_refuses_a_single_text_and_gives_out_all_before_a_bad_one(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    with pytest.raises(InputError, match="come as a list"):
        face.stream(make(), "letters")
    assert eis.requests == []
    received = []
    with pytest.raises(InputError, match="Input 70 is None"):
        for vector in make(max_concurrency=2).stream_documents([*texts(70), None]):  # type: ignore[list-item]
            received.append(vector)  # noqa: PERF402
    assert len(received) == 70


def test_a_mistyped_endpoint_names_those_that_exist(face: Face, make: Callable[..., JinaEISEmbeddings]) -> None:
    with pytest.raises(errors.EndpointNotFoundError) as caught:
        face.query(make(model="jina-embeddings-v5-text-smal"), "x")
    assert "Did you mean '.jina-embeddings-v5-text-small'?" in str(caught.value)
    assert ".jina-reranker-v3" in str(caught.value)


def test_a_wrong_key_is_told_without_the_key(face: Face) -> None:
    with LocalEIS(api_key="right", model="hash") as eis:
        embeddings = JinaEISEmbeddings(es_url=eis.url, es_api_key="wrong-secret")
        with pytest.raises(errors.AuthenticationError, match="es_api_key") as caught:
            face.query(embeddings, "x")
        embeddings.close()
        assert "wrong-secret" not in str(caught.value)
        with JinaEISEmbeddings(es_url=eis.url, es_api_key="right") as right:
            assert len(face.query(right, "x")) == 1024


def test_a_server_that_is_down_is_a_clear_error(face: Face) -> None:
    with pytest.raises(errors.ConnectionFailedError, match=r"http://127\.0\.0\.1:1 cannot be reached: .*es_url"):
        face.query(JinaEISEmbeddings(es_url="http://127.0.0.1:1", max_retries=1), "x")


def test_a_client_timeout_is_a_service_timeout(face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
    eis.faults.latency = 0.3
    with pytest.raises(errors.ServiceTimeoutError, match="timeout"):
        face.query(make(timeout=0.05, max_retries=0), "x")
    assert posts(eis)[0].params == {"timeout": "50ms"}


# Connections


def test_one_object_serves_three_loops_in_a_row_and_three_at_once(make: Callable[..., JinaEISEmbeddings]) -> None:
    embeddings = make()
    expected = embeddings.embed_documents(texts(40))
    for _ in range(3):
        assert asyncio.run(embeddings.aembed_documents(texts(40))) == expected
    results: list[Vectors] = []
    threads = [
        threading.Thread(target=lambda: results.append(asyncio.run(embeddings.aembed_documents(texts(40))))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 3


def test_a_loop_closed_without_farewell_leaves_no_noise(
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


async def test_a_sync_call_does_not_wait_for_the_loop_it_blocks(make: Callable[..., JinaEISEmbeddings], eis: LocalEIS) -> None:
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
def test_a_program_ends_in_silence_whatever_it_does_with_its_loops(eis: LocalEIS, ending: str) -> None:
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


def test_a_client_of_the_user_keeps_its_headers_and_loses_its_retries(face: Face, eis: LocalEIS) -> None:
    headers = {"x-opaque-id": "mine", "user-agent": "my-app/1"}
    with Elasticsearch(eis.url, headers=headers, max_retries=5) as client:
        embeddings = JinaEISEmbeddings(client=client, max_retries=0)
        assert len(face.query(embeddings, "x")) == 1024
        sent = posts(eis)[0].headers
        assert sent["x-opaque-id"] == "mine"
        assert sent["user-agent"].startswith("langchain-jina-eis/")
        assert sent["user-agent"].endswith(" my-app/1")
        eis.clear()
        eis.faults.always("unavailable")
        with pytest.raises(errors.ServiceUnavailableError):
            face.query(embeddings, "x")
        assert len(posts(eis)) == 1
        eis.faults.clear()
        embeddings.close()
        assert client.info()


def test_an_async_client_of_the_user_serves_its_loop_and_refuses_another(eis: LocalEIS) -> None:
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


def test_the_rate_limiter_is_asked_before_every_request(
    face: Face, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS
) -> None:
    class Counting(InMemoryRateLimiter):
        asked = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            Counting.asked += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            Counting.asked += 1
            return True

    eis.faults.queue("rate_limit")
    face.documents(make(rate_limiter=Counting()), texts(100))
    assert Counting.asked == len(posts(eis)) == 8
    with pytest.raises(errors.EndpointNotFoundError):
        face.query(make(model="missing", rate_limiter=Counting()), "x")
    assert Counting.asked == len(eis.requests) == 8 + 2


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
def test_a_forked_child_opens_connections_of_its_own(eis: LocalEIS) -> None:
    # In a process of its own: forking this one, with the server's threads in it, could deadlock the child.
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


def test_secrets_are_in_no_rendering(eis: LocalEIS) -> None:
    for secrets in ({"es_api_key": "SECRET"}, {"es_user": "me", "es_password": "SECRET"}):
        embeddings = JinaEISEmbeddings(es_url=eis.url, **secrets)
        renderings = [
            repr(embeddings),
            str(embeddings),
            str(embeddings.model_dump()),
            embeddings.model_dump_json(),
            dumps(embeddings),
        ]
        assert not any("SECRET" in rendering for rendering in renderings)
        for wrong in ({"dimensions": 300}, {"typo": 1}, {"client": object()}):
            with pytest.raises(JinaEISError) as caught:
                JinaEISEmbeddings(es_url=eis.url, **secrets, **wrong)
            assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "Where is Elasticsearch"),
        ({"es_url": "http://h:1", "client": object()}, "client or es_url"),
        ({"es_url": "http://h:1", "es_cloud_id": "x:y"}, "either es_url or es_cloud_id"),
        ({"es_url": "http://h:1", "es_api_key": "k", "es_user": "u", "es_password": "p"}, "not both"),
        ({"es_url": "http://h:1", "es_user": "u"}, "go together"),
        ({"es_url": "http://h:1", "es_api_key": "SECRET\n"}, "es_api_key holds a space, a line break"),
        ({"es_url": "http://h:1", "es_api_key": "SÉCRET"}, "es_api_key holds"),
        ({"es_cloud_id": "garbage"}, "es_cloud_id is not a cloud id"),
        ({"es_cloud_id": "name:é"}, "es_cloud_id is not a cloud id"),
        ({"es_url": "h:1"}, "not an address"),
        ({"es_url": "http://user:pass@h:1"}, "without them in the address"),
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
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        JinaEISEmbeddings(**arguments)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_an_assignment_is_checked_and_a_refused_one_changes_nothing(
    make: Callable[..., JinaEISEmbeddings], monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_settings_come_from_the_environment_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_progress_bar_counts_every_text(face: Face, make: Callable[..., JinaEISEmbeddings], capfd: Any) -> None:
    assert len(face.documents(make(show_progress_bar=True), texts(20))) == 20
    assert "20/20" in capfd.readouterr().err


def test_the_cache_namespace_tells_vectors_apart(make: Callable[..., JinaEISEmbeddings]) -> None:
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
    """A server of its own, which ends with the test: it does not notice that nobody waits for its answers any more."""
    with LocalEIS(model="hash") as eis:
        yield eis


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("jina-eis_")]


def test_a_stream_that_is_closed_leaves_nothing_behind(slow: LocalEIS) -> None:
    with JinaEISEmbeddings(es_url=slow.url, max_concurrency=4) as embeddings:
        stream = embeddings.stream_documents(texts(1000))
        next(stream)
        slow.faults.latency = 30.0
        for _ in range(31):  # the rest of the first two batches; what follows is on its way for half a minute
            next(stream)
        stream.close()  # type: ignore[attr-defined]
        for thread in workers():
            thread.join(timeout=3)
        assert workers() == []
        slow.faults.clear()
        assert len(embeddings.embed_documents(texts(40))) == 40


async def test_a_cancelled_task_leaves_nothing_behind(slow: LocalEIS) -> None:
    async with JinaEISEmbeddings(es_url=slow.url, max_concurrency=4) as embeddings:
        await embeddings.aembed_query("warm")
        slow.faults.latency = 30.0
        task = asyncio.create_task(embeddings.aembed_documents(texts(1000)))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 3)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        slow.faults.clear()
        assert len(await embeddings.aembed_documents(texts(40))) == 40


def test_ctrl_c_ends_the_program_at_once(slow: LocalEIS) -> None:
    slow.faults.latency = 30.0
    program = f"""
import os, signal, threading
from langchain_jina_eis import JinaEISEmbeddings
embeddings = JinaEISEmbeddings(es_url={slow.url!r})
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
embeddings.embed_documents([str(n) for n in range(1000)])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15, check=False)
    assert "KeyboardInterrupt" in ran.stderr


def test_a_request_that_nobody_waits_for_any_more_is_not_sent(eis: LocalEIS) -> None:
    connection = Connection(Address(eis.url), timeout=30, connections=1, product="test")
    abandoned = threading.Event()
    call = embed(
        "text_embedding", ".jina-embeddings-v5-text-small", ["a"], "ingest", timeout=30, dimensions=None, inputs=[0], completed=0
    )
    assert connection.send(call, abandoned)
    abandoned.set()
    with pytest.raises(JinaEISError, match="nobody waits for the answer"):
        connection.send(call, abandoned)
    connection.close()  # so that the next one has to connect first
    with pytest.raises(JinaEISError, match="nobody waits for the answer"):
        connection.send(call, abandoned)
    assert len(eis.requests) == 1
    assert connection.send(call)
    connection.close()


def test_a_connection_is_nobodys_once_its_answer_is_there(
    make: Callable[..., JinaEISEmbeddings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on it serves other threads, whose requests must not end with a stream of this one."""
    from elastic_transport import OrjsonSerializer

    embeddings, read, waiting = make(), OrjsonSerializer.json_loads, []
    connection = embeddings._drive()._connection

    def look_and_read(serializer: OrjsonSerializer, data: bytes) -> Any:
        waiting.append(dict(connection._busy))
        return read(serializer, data)

    monkeypatch.setattr(OrjsonSerializer, "json_loads", look_and_read)
    embeddings.embed_query("a glacier")
    assert waiting == [{}]


def test_whoever_collects_an_adapter_does_not_run_the_loop_of_another_thread(eis: LocalEIS) -> None:
    loop, ran = asyncio.new_event_loop(), []
    held = [JinaEISEmbeddings(es_url=eis.url)]
    loop.run_until_complete(held[0].aembed_query("a glacier"))
    run = loop.run_until_complete

    def watched(future: Any) -> Any:
        ran.append(threading.current_thread())
        return run(future)

    loop.run_until_complete = watched  # type: ignore[method-assign]
    collector = threading.Thread(target=lambda: (held.clear(), gc.collect()))
    collector.start()
    collector.join()
    loop.run_until_complete(asyncio.sleep(0.1))  # in which the client is closed
    loop.close()
    assert set(ran) == {threading.current_thread()}
