"""`llama_index_jina_eis.JinaEISEmbedding` over real HTTP, where LlamaIndex uses embeddings. One body for sync and async."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings.loading import load_embed_model
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISEmbedding

Vectors = list[list[float]]


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def texts(self, embedding: JinaEISEmbedding, texts: Any, **how: Any) -> Vectors:
        if self.asynchronous:
            return asyncio.run(embedding.aget_text_embedding_batch(texts, **how))
        return embedding.get_text_embedding_batch(texts, **how)

    def text(self, embedding: JinaEISEmbedding, text: Any) -> list[float]:
        return asyncio.run(embedding.aget_text_embedding(text)) if self.asynchronous else embedding.get_text_embedding(text)

    def query(self, embedding: JinaEISEmbedding, query: Any) -> list[float]:
        return asyncio.run(embedding.aget_query_embedding(query)) if self.asynchronous else embedding.get_query_embedding(query)

    def nodes(self, embedding: JinaEISEmbedding, nodes: Any) -> Any:
        return asyncio.run(embedding.acall(nodes)) if self.asynchronous else embedding(nodes)

    def hidden(self, embedding: JinaEISEmbedding) -> list[Any]:
        """What subclasses and old callers use."""
        if self.asynchronous:

            async def all_of_them() -> list[Any]:
                return [
                    await embedding._aget_query_embedding("a"),
                    await embedding._aget_text_embedding("a"),
                    await embedding._aget_text_embeddings(["a", "b"]),
                ]

            return asyncio.run(all_of_them())
        return [
            embedding._get_query_embedding("a"),
            embedding._get_text_embedding("a"),
            embedding._get_text_embeddings(["a", "b"]),
        ]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISEmbedding]]:
    made: list[JinaEISEmbedding] = []

    def build(**arguments: Any) -> JinaEISEmbedding:
        made.append(JinaEISEmbedding(**{"es_url": eis.url, **arguments}))
        return made[-1]

    yield build
    for embedding in made:
        embedding.close()


class Recorder(BaseEventHandler):
    """The events of this library's spans, as (event, span)."""

    seen: list[tuple[Any, str]] = []  # noqa: RUF012

    def handle(self, event: Any, **_: Any) -> None:
        if "JinaEIS" in str(event.span_id):
            self.seen.append((event, str(event.span_id).partition("-")[0]))


@pytest.fixture
def events() -> Iterator[list[tuple[Any, str]]]:
    recorder, root = Recorder(), get_dispatcher()
    root.add_event_handler(recorder)
    yield recorder.seen
    root.event_handlers.remove(recorder)


def texts(number: int) -> list[str]:
    return [f"text {n}" for n in range(number)]


def nodes(number: int) -> list[TextNode]:
    return [TextNode(id_=f"id-{n}", text=text) for n, text in enumerate(texts(number))]


def sent(eis: LocalEIS) -> list[tuple[int, str]]:
    return [(len(post.body["input"]), post.body["input_type"]) for post in eis.requests if post.method == "POST"]


# Vectors


def test_roles_order_and_requests(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make(max_concurrency=3)
    eis.faults.latency = 0.02
    together = face.texts(embedding, texts(150))
    assert sorted(sent(eis)) == sorted([(6, "ingest")] + [(16, "ingest")] * 9)
    assert 2 <= eis.most_in_flight <= 3  # where LlamaIndex sends one after the other, or all at once
    eis.clear()
    assert (face.text(embedding, "text 0"), face.text(embedding, "text 149")) == (together[0], together[149])
    assert len(face.query(embedding, "text 0")) == 1024
    assert face.query(embedding, "text 0") != together[0]
    assert sent(eis) == [(1, "ingest")] * 2 + [(1, "search")] * 2
    assert len(embedding.get_agg_embedding_from_queries(["a", "b"])) == 1024


def test_the_roles_are_settings(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make(query_input_type="clustering", document_input_type="classification")
    face.text(embedding, "a")
    face.texts(embedding, ["a"])
    face.query(embedding, "a")
    assert [role for _, role in sent(eis)] == ["classification", "classification", "clustering"]


def test_the_methods_that_subclasses_build_on(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make()
    query, text, both = face.hidden(embedding)
    assert sent(eis) == [(1, "search"), (1, "ingest"), (2, "ingest")]
    assert both[0] == text != query


@pytest.mark.parametrize(("size", "requests"), [(5, [5, 5, 5, 5]), (16, [4, 16]), (2048, [4, 16])])
def test_a_batch_of_llama_index_is_cut_to_what_the_service_takes(
    face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, size: int, requests: list[int]
) -> None:
    assert len(face.texts(make(embed_batch_size=size), texts(20))) == 20
    assert sorted(number for number, _ in sent(eis)) == requests


def test_fewer_workers_than_the_service_allows(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    eis.faults.latency = 0.02
    face.texts(make(num_workers=2), texts(100))
    assert eis.most_in_flight == 2


def test_nothing_in_nothing_out(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, events: list[Any]) -> None:
    assert face.texts(make(inference_id="not-asked-for"), []) == []
    assert (eis.requests, events) == ([], [])


def test_progress_is_shown(face: Face, make: Callable[..., JinaEISEmbedding], capfd: pytest.CaptureFixture[str]) -> None:
    assert len(face.texts(make(), texts(20), show_progress=True)) == 20
    assert "20/20" in capfd.readouterr().err


def test_the_model_s_name_is_filled_from_the_endpoint(make: Callable[..., JinaEISEmbedding]) -> None:
    assert make().model_name == "jina-embeddings-v5-text-small"
    assert make(model=".jina-embeddings-v5-omni-nano").model_name == "jina-embeddings-v5-omni-nano"
    assert make(inference_id="my-own").model_name == "my-own"
    with pytest.raises(
        ConfigurationError, match=r"model_name='jina-embeddings-v3' is not what .* Choose the model with inference_id"
    ):
        make(model_name="jina-embeddings-v3")


def test_an_endpoint_of_the_user_and_the_omni_task(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    settings = {"model_id": "jina-embeddings-v5-omni-small", "dimensions": 256}
    with Elasticsearch(eis.url) as client:
        client.inference.put(
            task_type="embedding", inference_id="mine", inference_config={"service": "elastic", "service_settings": settings}
        )
        assert [len(vector) for vector in face.texts(make(inference_id="mine", dimensions=64), texts(40))] == [64] * 40
        client.inference.delete(inference_id="mine")
    assert {post.path for post in eis.requests if post.method == "POST"} == {"/_inference/embedding/mine"}


# What goes wrong


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_no_node_is_left_without_its_vector(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, kind: Any) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError):
        face.nodes(make(), nodes(5))
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError):
        IngestionPipeline(transformations=[make()]).run(nodes=nodes(5))
    assert all(node.embedding for node in face.nodes(make(), nodes(5)))


@pytest.mark.parametrize("kind", ["rate_limit", "timeout", "eis_5xx", "drop", "cut"])
def test_what_passes_is_sent_again(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, kind: Any) -> None:
    expected = face.texts(make(), texts(40))
    eis.faults.queue(kind, kind)
    assert face.texts(make(), texts(40)) == expected


@pytest.mark.parametrize("wrong", [None, 3, ["nested"]])
def test_what_is_no_text_names_its_position(
    face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS, events: list[Any], wrong: Any
) -> None:
    with pytest.raises(InputError, match="Input 40 is"):
        face.texts(make(), [*texts(40), wrong])
    with pytest.raises(InputError, match="not a string"):
        face.text(make(), wrong)
    with pytest.raises(InputError, match="A query is a string"):
        face.query(make(), wrong)
    with pytest.raises(InputError, match="come as a list"):
        face.texts(make(), "letters")
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
def test_arguments_that_cannot_work_are_refused(make: Callable[..., JinaEISEmbedding], arguments: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make(**arguments)


def test_a_refused_assignment_changes_nothing(make: Callable[..., JinaEISEmbedding]) -> None:
    embedding = make(dimensions=64)
    for name, value in (("dimensions", 77), ("embed_batch_size", 5000), ("inference_id", "other"), ("model_name", "other")):
        before = getattr(embedding, name)
        with pytest.raises(ConfigurationError):
            setattr(embedding, name, value)
        assert getattr(embedding, name) == before


def test_errors_come_through_llama_index_s_bridge_as_they_are(make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    eis.faults.always("unavailable")
    with pytest.raises(errors.ServiceUnavailableError):
        VectorStoreIndex(nodes(5), embed_model=make(max_retries=0), use_async=True)  # type: ignore[arg-type]


# Caches and limiters


def test_a_cache_serves_no_vector_of_another_role_model_or_length(
    face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS
) -> None:
    cache = SimpleKVStore()
    embedding = make(embeddings_cache=cache)
    document, query = face.text(embedding, "same"), face.query(embedding, "same")
    short = face.text(make(embeddings_cache=cache, dimensions=64), "same")
    other = face.text(make(embeddings_cache=cache, model=".jina-embeddings-v3"), "same")
    assert len(eis.requests) == 4
    assert document != query
    assert (len(document), len(short), len(other)) == (1024, 64, 1024)
    assert (face.text(embedding, "same"), face.query(embedding, "same")) == (document, query)
    assert len(eis.requests) == 4


def test_a_cache_fills_gaps_in_order_and_survives_an_error(
    face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS
) -> None:
    expected = face.texts(make(), texts(100))
    cache = SimpleKVStore()
    embedding = make(embeddings_cache=cache, max_retries=0)
    face.texts(embedding, ["text 7", "text 50"])
    eis.faults.poison("text 70", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError) as caught:
        face.texts(embedding, texts(100))
    assert list(caught.value.inputs or ()) == [70]  # as the caller counts, not as the gaps do
    (kept,) = cache.to_dict().values()
    assert set(kept) == {f"text {n}" for n in [*range(66), 50]}
    eis.faults.clear()
    assert face.texts(embedding, texts(100)) == expected
    eis.clear()
    assert face.texts(embedding, texts(100)) == expected
    assert eis.requests == []


class Broken(SimpleKVStore):
    """A cache that cannot be written."""

    def put(self, *_: Any, **__: Any) -> None:
        raise OSError("no space left")

    async def aput(self, *_: Any, **__: Any) -> None:
        raise OSError("no space left")


def test_a_cache_that_fails_ends_the_requests_under_way(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    eis.faults.poison("text 20", "rate_limit")
    with pytest.raises(OSError, match="no space left") as caught:
        face.texts(make(embeddings_cache=Broken(), max_retries=9999), texts(400))
    assert caught  # its traceback holds on to every frame
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("jina-eis_")]:
        thread.join(timeout=3)
        assert not thread.is_alive()


class Counter:
    """A rate limiter that lets everything pass."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked.append("sync")

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked.append("async")


def test_a_rate_limiter_is_asked_before_every_request(face: Face, make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    limiter = Counter()
    embedding = make(rate_limiter=limiter, embed_batch_size=512)
    eis.faults.queue("rate_limit")
    face.texts(embedding, texts(64))
    face.query(embedding, "a")
    assert limiter.asked == ["async" if face.asynchronous else "sync"] * (4 + 1 + 1)
    with pytest.raises(ConfigurationError, match="rate_limiter"):
        pickle.dumps(embedding)


# What LlamaIndex observes


def test_one_pair_of_events_a_call_without_secrets(
    face: Face, make: Callable[..., JinaEISEmbedding], events: list[tuple[Any, str]]
) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    embedding = make(es_api_key="geheim", dimensions=64, callback_manager=CallbackManager([handler]))
    vectors = face.texts(embedding, texts(40))
    span = "JinaEISEmbedding.aget_text_embedding_batch" if face.asynchronous else "JinaEISEmbedding.get_text_embedding_batch"
    assert [(event.class_name(), where) for event, where in events] == [
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
    ((begun, ended),) = handler.get_event_pairs(CBEventType.EMBEDDING)
    assert begun.payload["serialized"] == start.model_dict
    assert (ended.payload["chunks"], ended.payload["embeddings"]) == (texts(40), vectors)
    assert "geheim" not in str(events) + str(begun) + str(ended)
    events.clear()
    face.query(embedding, "a")
    assert [event.class_name() for event, _ in events] == ["EmbeddingStartEvent", "EmbeddingEndEvent"]


# A plugin


def test_round_trips_without_secrets(face: Face, make: Callable[..., JinaEISEmbedding]) -> None:
    embedding = make(
        es_api_key="geheim", dimensions=64, embed_batch_size=7, num_workers=3, timeout=12, document_input_type="clustering"
    )
    told = embedding.to_json()
    assert "geheim" not in told + repr(embedding) + str(embedding.to_dict())
    assert json.loads(told)["class_name"] == JinaEISEmbedding.class_name() == "JinaEISEmbedding"
    expected = face.text(embedding, "some text")
    for twin in (
        JinaEISEmbedding.from_dict(embedding.to_dict()),
        JinaEISEmbedding.from_json(told),
        load_embed_model(embedding.to_dict()),
        pickle.loads(pickle.dumps(embedding)),
        embedding.model_copy(),
    ):
        assert isinstance(twin, JinaEISEmbedding)
        assert twin.to_dict() == embedding.to_dict()
        assert face.text(twin, "some text") == expected
        twin.close()
    assert JinaEISEmbedding.from_dict(embedding.to_dict(), es_api_key="geheim").es_api_key is not None
    assert pickle.loads(pickle.dumps(embedding)).es_api_key.get_secret_value() == "geheim"


def test_a_dictionary_without_an_address_fails_on_first_use(face: Face) -> None:
    embedding = JinaEISEmbedding.from_dict({"class_name": "JinaEISEmbedding", "dimensions": 64})
    embedding.callback_manager = CallbackManager()
    with pytest.raises(ConfigurationError, match="Where is Elasticsearch"):
        face.query(embedding, "a")


def test_another_length_is_another_transformation(make: Callable[..., JinaEISEmbedding]) -> None:
    given = nodes(2)
    hashes = {get_transformation_hash(given, make(**how)) for how in ({}, {"dimensions": 64}, {"model": ".jina-embeddings-v3"})}
    assert len(hashes) == 3
    assert get_transformation_hash(given, make()) == get_transformation_hash(given, make())


def test_settings_take_it(make: Callable[..., JinaEISEmbedding], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_embed_model", None)
    Settings.embed_model = embedding = make()
    assert Settings.embed_model is embedding
    assert isinstance(embedding, BaseEmbedding)


@pytest.mark.parametrize("processes", [None, 2])
def test_ingestion_pipelines(face: Face, make: Callable[..., JinaEISEmbedding], processes: int | None) -> None:
    embedding = make(dimensions=64)
    pipeline = IngestionPipeline(transformations=[embedding])
    if face.asynchronous:
        done = asyncio.run(pipeline.arun(nodes=nodes(40), num_workers=processes))
    else:
        done = pipeline.run(nodes=nodes(40), num_workers=processes)
    assert [node.embedding for node in done] == face.texts(embedding, [node.get_content("embed") for node in nodes(40)])  # type: ignore[arg-type]


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


async def test_sync_inside_a_running_loop(make: Callable[..., JinaEISEmbedding]) -> None:
    embedding = make()
    index = VectorStoreIndex(nodes(40), embed_model=embedding)  # type: ignore[arg-type]
    fusion = QueryFusionRetriever([index.as_retriever()], llm=MockLLM(), num_queries=1, use_async=True)
    assert fusion.retrieve("text 7")[0].node_id == "id-7"  # in a loop of another thread
    evaluator = RetrieverEvaluator.from_metric_names(["hit_rate"], retriever=index.as_retriever())
    assert (await evaluator.aevaluate("text 7", expected_ids=["id-7"])).metric_vals_dict == {"hit_rate": 1.0}
    assert embedding.get_text_embedding_batch(texts(40)) == await embedding.aget_text_embedding_batch(texts(40))
    await embedding.aclose()


def test_one_object_in_many_loops_and_threads_at_once(make: Callable[..., JinaEISEmbedding], eis: LocalEIS) -> None:
    embedding = make(max_concurrency=3)
    expected = embedding.get_text_embedding_batch(texts(40))
    results: list[Vectors] = []
    jobs: list[Callable[[], Any]] = [
        lambda: results.append(embedding.get_text_embedding_batch(texts(40))),
        lambda: results.append(asyncio.run(embedding.aget_text_embedding_batch(texts(40)))),
    ] * 5
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 10


@pytest.mark.parametrize("patched", [False, True], ids=["plain", "after nest_asyncio"])
def test_a_program_ends_without_noise(eis: LocalEIS, patched: bool) -> None:
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
for _ in range(2):  # as LlamaIndex does for sync calls inside a running loop
    loop = asyncio.new_event_loop()
    loop.run_until_complete(embedding.aget_text_embedding_batch([str(n) for n in range(40)]))
    loop.close()
"""
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    for noise in ("Unclosed", "never awaited", "Traceback", "ResourceWarning", "was destroyed"):
        assert noise not in ran.stderr, ran.stderr
