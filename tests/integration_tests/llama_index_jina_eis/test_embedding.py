"""`llama_index_jina_eis.JinaEISEmbedding` over HTTP, also in LlamaIndex's indexes and pipelines. One test body for sync and async."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from helpers import Caller, posts, run_in_threads, texts, worker_threads
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings.loading import load_embed_model
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISEmbedding

Vectors = list[list[float]]


@pytest.fixture
def make(connect: Callable[..., Any]) -> Callable[..., JinaEISEmbedding]:
    return partial(connect, JinaEISEmbedding)


def nodes(number: int) -> list[TextNode]:
    return [TextNode(id_=f"id-{n}", text=text) for n, text in enumerate(texts(number))]


def sent(eis: LocalEIS) -> list[tuple[int, str]]:
    return [(len(post.body["input"]), post.body["input_type"]) for post in posts(eis)]


def hidden_vectors(call: Caller, embedding: JinaEISEmbedding) -> list[Any]:
    """The results of the methods that subclasses and old callers use."""
    return [
        call(embedding, "_get_query_embedding", "a"),
        call(embedding, "_get_text_embedding", "a"),
        call(embedding, "_get_text_embeddings", ["a", "b"]),
    ]


# Vectors


def test_roles_order_and_number_of_requests(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make(max_concurrency=3)
    eis.faults.latency = 0.02
    vectors = call(embedding, "get_text_embedding_batch", texts(150))
    assert sorted(sent(eis)) == sorted([(6, "ingest")] + [(16, "ingest")] * 9)
    assert 2 <= eis.most_in_flight <= 3  # LlamaIndex itself sends one at a time, or all at once
    eis.clear()
    assert (call(embedding, "get_text_embedding", "text 0"), call(embedding, "get_text_embedding", "text 149")) == (
        vectors[0],
        vectors[149],
    )
    assert len(call(embedding, "get_query_embedding", "text 0")) == 1024
    assert call(embedding, "get_query_embedding", "text 0") != vectors[0]
    assert sent(eis) == [(1, "ingest")] * 2 + [(1, "search")] * 2
    assert len(embedding.get_agg_embedding_from_queries(["a", "b"])) == 1024


def test_the_roles_are_settings(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make(query_input_type="clustering", document_input_type="classification")
    call(embedding, "get_text_embedding", "a")
    call(embedding, "get_text_embedding_batch", ["a"])
    call(embedding, "get_query_embedding", "a")
    assert [role for _, role in sent(eis)] == ["classification", "classification", "clustering"]


def test_the_methods_that_subclasses_call(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make()
    query, text, both = hidden_vectors(call, embedding)
    assert sent(eis) == [(1, "search"), (1, "ingest"), (2, "ingest")]
    assert both[0] == text != query


@pytest.mark.parametrize(("size", "requests"), [(5, [5, 5, 5, 5]), (16, [4, 16]), (2048, [4, 16])])
def test_a_batch_of_llama_index_is_split_to_the_limit_of_the_service(
    call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, size: int, requests: list[int]
) -> None:
    assert len(call(make(embed_batch_size=size), "get_text_embedding_batch", texts(20))) == 20
    assert sorted(number for number, _ in sent(eis)) == requests


def test_num_workers_limits_the_requests_in_flight(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    eis.faults.latency = 0.02
    call(make(num_workers=2), "get_text_embedding_batch", texts(100))
    assert eis.most_in_flight == 2


def test_an_empty_list_sends_no_request_and_no_event(
    call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, events: list[Any]
) -> None:
    assert call(make(inference_id="unused"), "get_text_embedding_batch", []) == []
    assert (eis.requests, events) == ([], [])


def test_model_name_is_set_from_the_endpoint(make: Callable[..., JinaEISEmbedding]) -> None:
    assert make().model_name == "jina-embeddings-v5-text-small"
    assert make(model=".jina-embeddings-v5-omni-nano").model_name == "jina-embeddings-v5-omni-nano"
    assert make(inference_id="my-own").model_name == "my-own"
    with pytest.raises(ConfigurationError, match=r"model_name='jina-embeddings-v3' is not the model of .* leave it out"):
        make(inference_id="my-own", model_name="jina-embeddings-v3")


def test_a_custom_endpoint_of_the_task_embedding(
    call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, custom_endpoint: str
) -> None:
    embedding = make(inference_id=custom_endpoint, dimensions=64)
    assert [len(vector) for vector in call(embedding, "get_text_embedding_batch", texts(40))] == [64] * 40
    assert {post.path for post in posts(eis)} == {"/_inference/embedding/mine"}


# Errors


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_no_node_is_left_without_a_vector(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, kind: Any) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError):
        call(make(), "__call__", nodes(5))
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError):
        IngestionPipeline(transformations=[make()]).run(nodes=nodes(5))
    assert all(node.embedding for node in call(make(), "__call__", nodes(5)))


@pytest.mark.parametrize("kind", ["rate_limit", "timeout", "eis_5xx", "drop", "cut"])
def test_transient_errors_are_retried(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, kind: Any) -> None:
    expected = call(make(), "get_text_embedding_batch", texts(40))
    eis.faults.queue(kind, kind)
    assert call(make(), "get_text_embedding_batch", texts(40)) == expected


@pytest.mark.parametrize("wrong", [None, 3, ["nested"]])
def test_the_error_names_the_position_of_an_input_that_is_not_a_string(
    call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, events: list[Any], wrong: Any
) -> None:
    with pytest.raises(InputError, match="Input 40 is"):
        call(make(), "get_text_embedding_batch", [*texts(40), wrong])
    with pytest.raises(InputError, match="not a string"):
        call(make(), "get_text_embedding", wrong)
    with pytest.raises(InputError, match=r"The query is (None\.|of type (int|list), not a string)"):
        call(make(), "get_query_embedding", wrong)
    with pytest.raises(InputError, match=r"of type str\. Pass a list of strings"):
        call(make(), "get_text_embedding_batch", "letters")
    assert eis.requests == []
    assert not [event for event, _ in events if "Embedding" in event.class_name()]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"dimensions": 77}, "was trained for"),
        ({"model": ".jina-reranker-v3"}, "is a reranker"),
        ({"embed_batch_size": 0}, "embed_batch_size"),
        ({"num_workers": 0}, "num_workers"),
        ({"embeddings_cache": {}}, "SimpleKVStore"),
        ({"rate_limiter": 60}, "async_acquire"),
        ({"batch_size": 3}, "has no argument batch_size. Did you mean embed_batch_size"),
        ({"query_input_type": "query"}, "query_input_type"),
    ],
)
def test_invalid_arguments_are_rejected(make: Callable[..., JinaEISEmbedding], arguments: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make(**arguments)


def test_a_rejected_assignment_changes_nothing(make: Callable[..., JinaEISEmbedding]) -> None:
    embedding = make(dimensions=64)
    for name, value in (("dimensions", 77), ("embed_batch_size", 5000), ("inference_id", "other"), ("model_name", "other")):
        before = getattr(embedding, name)
        with pytest.raises(ConfigurationError):
            setattr(embedding, name, value)
        assert getattr(embedding, name) == before


def test_errors_pass_through_asyncio_run_of_llama_index_unchanged(make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    eis.faults.always("unavailable")
    with pytest.raises(errors.ServiceUnavailableError):
        VectorStoreIndex(nodes(5), embed_model=make(max_retries=0), use_async=True)  # type: ignore[arg-type]


# Caches and limiters


def test_a_cache_separates_roles_models_and_lengths(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    cache = SimpleKVStore()
    embedding = make(embeddings_cache=cache)
    document, query = call(embedding, "get_text_embedding", "same"), call(embedding, "get_query_embedding", "same")
    short = call(make(embeddings_cache=cache, dimensions=64), "get_text_embedding", "same")
    other = call(make(embeddings_cache=cache, model=".jina-embeddings-v3"), "get_text_embedding", "same")
    assert len([request for request in eis.requests if request.method == "POST"]) == 4
    assert document != query
    assert (len(document), len(short), len(other)) == (1024, 64, 1024)
    assert (call(embedding, "get_text_embedding", "same"), call(embedding, "get_query_embedding", "same")) == (document, query)
    assert len([request for request in eis.requests if request.method == "POST"]) == 4


def test_a_cache_keeps_vectors_after_an_error(call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    expected = call(make(), "get_text_embedding_batch", texts(100))
    cache = SimpleKVStore()
    embedding = make(embeddings_cache=cache, max_retries=0)
    call(embedding, "get_text_embedding_batch", ["text 7", "text 50"])
    eis.faults.poison("text 70", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError) as caught:
        call(embedding, "get_text_embedding_batch", texts(100))
    assert list(caught.value.inputs or ()) == [70]  # the position in the input, not among the uncached texts
    (kept,) = cache.to_dict().values()
    assert set(kept) == {f"text {n}" for n in [*range(66), 50]}
    eis.faults.clear()
    assert call(embedding, "get_text_embedding_batch", texts(100)) == expected
    eis.clear()
    assert call(embedding, "get_text_embedding_batch", texts(100)) == expected
    assert eis.requests == []


class FailingStore(SimpleKVStore):
    """A cache whose writes fail."""

    def put(self, *_: Any, **__: Any) -> None:
        raise OSError("no space left")

    async def aput(self, *_: Any, **__: Any) -> None:
        raise OSError("no space left")


def test_a_cache_that_fails_cancels_the_requests_in_flight(
    call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS
) -> None:
    eis.faults.poison("text 20", "rate_limit")
    with pytest.raises(OSError, match="no space left") as caught:
        call(make(embeddings_cache=FailingStore(), max_retries=9999), "get_text_embedding_batch", texts(400))
    assert caught  # its traceback references every frame
    for thread in worker_threads():
        thread.join(timeout=15)
        assert not thread.is_alive()


class RecordingLimiter:
    """A rate limiter without a limit."""

    def __init__(self) -> None:
        self.acquired: list[str] = []

    def acquire(self, num_tokens: int = 0) -> None:
        self.acquired.append("sync")

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.acquired.append("async")


def test_the_rate_limiter_is_acquired_before_every_request(
    call: Caller, make: Callable[..., JinaEISEmbedding], eis: LocalEIS
) -> None:
    limiter = RecordingLimiter()
    embedding = make(rate_limiter=limiter, embed_batch_size=512)
    eis.faults.queue("rate_limit")
    call(embedding, "get_text_embedding_batch", texts(64))
    call(embedding, "get_query_embedding", "a")
    assert limiter.acquired == ["async" if call.asynchronous else "sync"] * (4 + 1 + 1)
    with pytest.raises(ConfigurationError, match="rate_limiter"):
        pickle.dumps(embedding)


# Events and callbacks


def test_a_call_emits_one_pair_of_events_without_secrets(
    call: Caller, make: Callable[..., JinaEISEmbedding], events: list[tuple[Any, str]]
) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    embedding = make(es_api_key="SECRET", dimensions=64, callback_manager=CallbackManager([handler]))
    vectors = call(embedding, "get_text_embedding_batch", texts(40))
    span = "JinaEISEmbedding.aget_text_embedding_batch" if call.asynchronous else "JinaEISEmbedding.get_text_embedding_batch"
    assert [(event.class_name(), span_name) for event, span_name in events] == [
        ("EmbeddingStartEvent", span),
        ("EmbeddingEndEvent", span),
    ]
    start, end = events[0][0], events[1][0]
    assert start.model_dict == {
        "class_name": "JinaEISEmbedding",
        "model_name": "jina-embeddings-v5-text-small",
        "embed_batch_size": 16,
        "inference_id": ".jina-embeddings-v5-text-small",
        "dimensions": 64,
        "query_input_type": "search",
        "document_input_type": "ingest",
    }
    assert (end.chunks, end.embeddings) == (texts(40), vectors)
    ((start_event, end_event),) = handler.get_event_pairs(CBEventType.EMBEDDING)
    assert start_event.payload["serialized"] == start.model_dict
    assert (end_event.payload["chunks"], end_event.payload["embeddings"]) == (texts(40), vectors)
    assert "SECRET" not in str(events) + str(start_event) + str(end_event)
    events.clear()
    call(embedding, "get_query_embedding", "a")
    assert [event.class_name() for event, _ in events] == ["EmbeddingStartEvent", "EmbeddingEndEvent"]


# Serialisation and use in LlamaIndex


def test_a_round_trip_without_secrets(call: Caller, make: Callable[..., JinaEISEmbedding]) -> None:
    embedding = make(
        es_api_key="SECRET", dimensions=64, embed_batch_size=7, num_workers=3, timeout=12, document_input_type="clustering"
    )
    serialised = embedding.to_json()
    assert "SECRET" not in serialised + repr(embedding) + str(embedding.to_dict())
    assert json.loads(serialised)["class_name"] == JinaEISEmbedding.class_name() == "JinaEISEmbedding"
    expected = call(embedding, "get_text_embedding", "some text")
    for copied in (
        JinaEISEmbedding.from_dict(embedding.to_dict()),
        JinaEISEmbedding.from_json(serialised),
        load_embed_model(embedding.to_dict()),
        pickle.loads(pickle.dumps(embedding)),
        embedding.model_copy(),
    ):
        assert isinstance(copied, JinaEISEmbedding)
        assert copied.to_dict() == embedding.to_dict()
        assert call(copied, "get_text_embedding", "some text") == expected
        copied.close()
    assert JinaEISEmbedding.from_dict(embedding.to_dict(), es_api_key="SECRET").es_api_key is not None
    assert pickle.loads(pickle.dumps(embedding)).es_api_key.get_secret_value() == "SECRET"


def test_an_object_without_an_address_fails_on_first_use(call: Caller) -> None:
    embedding = JinaEISEmbedding.from_dict({"class_name": "JinaEISEmbedding", "dimensions": 64})
    embedding.callback_manager = CallbackManager()
    with pytest.raises(ConfigurationError, match="No address of Elasticsearch"):
        call(embedding, "get_query_embedding", "a")


def test_the_transformation_hash_depends_on_the_settings(make: Callable[..., JinaEISEmbedding]) -> None:
    documents = nodes(2)
    hashes = {
        get_transformation_hash(documents, make(**settings))
        for settings in ({}, {"dimensions": 64}, {"model": ".jina-embeddings-v3"})
    }
    assert len(hashes) == 3
    assert get_transformation_hash(documents, make()) == get_transformation_hash(documents, make())


def test_it_can_be_the_embed_model_of_settings(make: Callable[..., JinaEISEmbedding], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_embed_model", None)
    Settings.embed_model = embedding = make()
    assert Settings.embed_model is embedding
    assert isinstance(embedding, BaseEmbedding)


@pytest.mark.parametrize("processes", [None, 2])
def test_ingestion_pipelines(call: Caller, make: Callable[..., JinaEISEmbedding], processes: int | None) -> None:
    embedding = make(dimensions=64)
    pipeline = IngestionPipeline(transformations=[embedding])
    if call.asynchronous:
        embedded = asyncio.run(pipeline.arun(nodes=nodes(40), num_workers=processes))
    else:
        embedded = pipeline.run(nodes=nodes(40), num_workers=processes)
    assert [node.embedding for node in embedded] == call(
        embedding, "get_text_embedding_batch", [node.get_content("embed") for node in nodes(40)]
    )  # type: ignore[arg-type]


# Event loops


@pytest.mark.parametrize("use_async", [False, True])
def test_an_index_and_its_retrievers(make: Callable[..., JinaEISEmbedding], use_async: bool) -> None:
    index = VectorStoreIndex(nodes(40), embed_model=make(), use_async=use_async)  # type: ignore[arg-type]
    retriever = index.as_retriever(similarity_top_k=3)
    fusion = QueryFusionRetriever([retriever, index.as_retriever()], llm=MockLLM(), num_queries=1, use_async=use_async)
    for _ in range(3):
        assert retriever.retrieve("text 7")[0].node_id == "id-7"
        assert asyncio.run(retriever.aretrieve("text 7"))[0].node_id == "id-7"
        assert fusion.retrieve("text 7")[0].node_id == "id-7"


async def test_sync_methods_inside_a_running_loop(make: Callable[..., JinaEISEmbedding]) -> None:
    embedding = make()
    index = VectorStoreIndex(nodes(40), embed_model=embedding)  # type: ignore[arg-type]
    fusion = QueryFusionRetriever([index.as_retriever()], llm=MockLLM(), num_queries=1, use_async=True)
    assert fusion.retrieve("text 7")[0].node_id == "id-7"  # in the loop of another thread
    evaluator = RetrieverEvaluator.from_metric_names(["hit_rate"], retriever=index.as_retriever())
    assert (await evaluator.aevaluate("text 7", expected_ids=["id-7"])).metric_vals_dict == {"hit_rate": 1.0}
    assert embedding.get_text_embedding_batch(texts(40)) == await embedding.aget_text_embedding_batch(texts(40))
    await embedding.aclose()


def test_one_object_works_in_many_loops_and_threads_at_once(make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make(max_concurrency=3)
    expected = embedding.get_text_embedding_batch(texts(40))
    results: list[Vectors] = []
    jobs: list[Callable[[], Any]] = [
        lambda: results.append(embedding.get_text_embedding_batch(texts(40))),
        lambda: results.append(asyncio.run(embedding.aget_text_embedding_batch(texts(40)))),
    ] * 5
    run_in_threads(jobs)
    assert results == [expected] * 10


@pytest.mark.parametrize("patched", [False, True], ids=["plain", "after nest_asyncio"])
def test_a_program_exits_without_warnings(eis: LocalEIS, patched: bool) -> None:
    """`ElasticsearchStore` calls `nest_asyncio.apply()`, which replaces `asyncio.run` for the whole process."""
    program = f"""
import asyncio, logging
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s")
logging.getLogger("httpcore").setLevel(logging.ERROR)
{"import nest_asyncio; nest_asyncio.apply()" if patched else ""}
from llama_index_jina_eis import JinaEISEmbedding
embedding = JinaEISEmbedding(es_url={eis.url!r})
embedding.get_text_embedding("a")
for _ in range(3):
    asyncio.run(embedding.aget_text_embedding_batch([str(n) for n in range(40)]))

async def nested():
    return embedding.get_query_embedding("a") == await embedding.aget_query_embedding("a")

assert asyncio.run(nested())
for _ in range(2):  # like LlamaIndex for sync calls inside a running loop
    loop = asyncio.new_event_loop()
    loop.run_until_complete(embedding.aget_text_embedding_batch([str(n) for n in range(40)]))
    loop.close()
"""
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    for warning in ("Unclosed", "never awaited", "Traceback", "ResourceWarning", "was destroyed"):
        assert warning not in ran.stderr, ran.stderr
