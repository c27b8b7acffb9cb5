"""`llama_index_jina_eis.JinaEISRerank` over real HTTP, where LlamaIndex uses postprocessors. One body for sync and async."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.objects import ObjectIndex
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InvalidAnswerError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISRerank

QUERY = "glacier ice"


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def rerank(self, reranker: JinaEISRerank, nodes: Any, query: Any = QUERY) -> list[NodeWithScore]:
        bundle = None if query is None else QueryBundle(query)
        if self.asynchronous:
            return asyncio.run(reranker.apostprocess_nodes(nodes, bundle))
        return reranker.postprocess_nodes(nodes, bundle)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISRerank]]:
    made: list[JinaEISRerank] = []

    def build(**arguments: Any) -> JinaEISRerank:
        made.append(JinaEISRerank(**{"es_url": eis.url, **arguments}))
        return made[-1]

    yield build
    for reranker in made:
        reranker.close()


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


def nodes(number: int = 5) -> list[NodeWithScore]:
    """Number 2 answers the query; they come with descending scores."""
    texts = ["bread rises", "a train departs", "glacier ice flows", "wool and knitting", "ice cream"]
    return [
        NodeWithScore(
            node=TextNode(id_=f"id-{n}", text=texts[n] if n < 5 else f"filler {n}", metadata={"n": n}), score=1 / (n + 1)
        )
        for n in range(number)
    ]


def test_nodes_come_back_best_first_with_the_model_s_scores(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    given = nodes()
    before = [(node.node.to_dict(), node.score) for node in given]
    best = face.rerank(make(), given)
    assert best[0].node_id == "id-2"
    assert len(best) == 3
    scores = [node.score or 0.0 for node in face.rerank(make(top_n=None), given)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0 < scores[0]
    assert len(face.rerank(make(top_n=None, score_threshold=scores[1]), given)) == 2
    assert [(node.node.to_dict(), node.score) for node in given] == before
    assert {id(node.node) for node in best} <= {id(node.node) for node in given}  # nothing to note, nothing copied


def test_it_is_what_llama_index_takes_for_a_postprocessor() -> None:
    assert BaseNodePostprocessor.__name__ in [base.__name__ for base in JinaEISRerank.__mro__]
    assert JinaEISRerank.class_name() == "JinaEISRerank"


def test_one_start_and_one_end_event_around_the_work_in_the_span(
    face: Face, make: Callable[..., JinaEISRerank], events: list[tuple[Any, str]]
) -> None:
    given = nodes(100)
    best = face.rerank(make(top_n=None), given)
    span = "JinaEISRerank._apostprocess_nodes" if face.asynchronous else "JinaEISRerank._postprocess_nodes"
    assert [(event.class_name(), where) for event, where in events] == [("ReRankStartEvent", span), ("ReRankEndEvent", span)]
    start, end = events[0][0], events[1][0]
    assert (start.model_name, start.top_n, start.query.query_str) == (".jina-reranker-v3", 100, QUERY)
    assert [node.node_id for node in start.nodes] == [node.node_id for node in given]
    assert [node.node_id for node in end.nodes] == [node.node_id for node in best]


@pytest.mark.parametrize(("query", "problem"), [(None, "pass query_bundle or query_str"), ("", "query is empty")])
def test_without_a_query_nothing_is_sent_or_emitted(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS, events: list[tuple[Any, str]], query: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        face.rerank(make(), nodes(), query)
    assert not [event for event, _ in events if "ReRank" in event.class_name()]
    assert eis.requests == []


def test_no_nodes_no_request_no_event(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS, events: list[tuple[Any, str]]
) -> None:
    assert face.rerank(make(), []) == []
    assert (eis.requests, events) == ([], [])


def test_callbacks_see_one_rerank(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    reranker = make(callback_manager=CallbackManager([handler]))
    best = face.rerank(reranker, nodes())
    ((start, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert start.payload["model_name"] == ".jina-reranker-v3"
    assert end.payload["nodes"] == best
    reranker.callback_manager = None  # type: ignore[assignment]
    assert len(face.rerank(reranker, nodes())) == 3
    assert len(face.rerank(make(callback_manager=None), nodes())) == 3


def test_the_retrieval_score_is_kept_where_no_model_reads_it(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    given = nodes()
    best = face.rerank(make(keep_retrieval_score=True, top_n=None), given)
    for node in best:
        original = given[node.node.metadata["n"]]
        assert node.node.metadata == {**original.node.metadata, "retrieval_score": original.score}
        assert "retrieval_score" not in original.node.metadata
        for mode in (MetadataMode.EMBED, MetadataMode.LLM):
            assert node.node.get_content(mode) == original.node.get_content(mode)
        assert (type(node.node), node.node_id) == (TextNode, original.node_id)
    again = face.rerank(make(keep_retrieval_score=True), best)
    assert again[0].node.metadata["retrieval_score"] == best[0].score
    assert again[0].node.excluded_llm_metadata_keys == ["retrieval_score"]


def test_more_nodes_than_a_window_and_the_mark_of_those_behind(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS
) -> None:
    given = nodes(200)
    best = face.rerank(make(top_n=None), given)
    assert len(eis.requests) == 5
    assert len({node.node_id for node in best}) == 200
    assert [node.node.metadata.get("relevance_score_preliminary", False) for node in best] == [False] * 64 + [True] * 136
    assert best[-1].node.get_content(MetadataMode.LLM) == given[best[-1].node.metadata["n"]].node.get_content(MetadataMode.LLM)
    assert all("relevance_score_preliminary" not in node.node.metadata for node in given)
    assert all("relevance_score_preliminary" not in node.node.metadata for node in face.rerank(make(top_n=None), best[-20:]))


@pytest.mark.parametrize(("mode", "sent"), [(None, "n: 0\n\nbread rises"), (MetadataMode.NONE, "bread rises")])
def test_metadata_mode_decides_what_the_model_reads(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS, mode: MetadataMode | None, sent: str
) -> None:
    face.rerank(make(**({"metadata_mode": mode} if mode else {})), nodes(1))
    assert eis.requests[0].body == {"query": QUERY, "input": [sent]}


def test_faults_are_retried_and_errors_typed(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    eis.faults.queue("rate_limit", "eis_5xx", "drop")
    assert len(face.rerank(make(), nodes(100))) == 3
    eis.faults.queue("ragged")
    with pytest.raises(InvalidAnswerError, match="ranked twice"):
        face.rerank(make(), nodes())
    eis.faults.always("unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match="Inputs 0 to 4 failed"):
        face.rerank(make(max_retries=1), nodes())


# Where LlamaIndex puts it


def index_of(number: int = 5) -> VectorStoreIndex:
    return VectorStoreIndex([node.node for node in nodes(number)], embed_model=MockEmbedding(8))  # type: ignore[misc]


def test_in_a_query_engine(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    engine = index_of().as_query_engine(llm=MockLLM(), similarity_top_k=5, node_postprocessors=[make(top_n=1)])
    answer: Any = asyncio.run(engine.aquery(QUERY)) if face.asynchronous else engine.query(QUERY)
    assert [node.node_id for node in answer.source_nodes] == ["id-2"]
    assert len(eis.requests) == 1


async def test_where_the_sync_method_is_called_inside_a_running_loop(make: Callable[..., JinaEISRerank]) -> None:
    reranker = make(top_n=1)
    evaluator = RetrieverEvaluator.from_metric_names(
        ["hit_rate"], retriever=index_of().as_retriever(similarity_top_k=5), node_postprocessors=[reranker]
    )
    assert (await evaluator.aevaluate(QUERY, expected_ids=["id-2"])).metric_vals_dict == {"hit_rate": 1.0}
    objects = ObjectIndex.from_objects(["bread rises", "glacier ice"], embed_model=MockEmbedding(8))
    retriever = objects.as_retriever(similarity_top_k=2, node_postprocessors=[reranker])
    assert await retriever.aretrieve(QUERY) == ["glacier ice"]


# A plugin


def test_round_trips_without_secrets(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make(es_api_key="geheim", top_n=1, metadata_mode="none", strategy="sliding", score_threshold=-0.5)
    told = reranker.to_json()
    assert "geheim" not in told + repr(reranker) + str(reranker.to_dict())
    assert json.loads(told)["class_name"] == "JinaEISRerank"
    for twin in (
        JinaEISRerank.from_dict(reranker.to_dict()),
        JinaEISRerank.from_dict(reranker.to_dict(), es_api_key="geheim"),
        JinaEISRerank.from_json(told),
        pickle.loads(pickle.dumps(reranker)),
    ):
        assert twin.to_dict() == reranker.to_dict()
        assert [node.node_id for node in face.rerank(twin, nodes())] == ["id-2"]
        twin.close()


def test_a_pickle_keeps_the_secret_and_leaves_handlers_and_the_object_alone(
    make: Callable[..., JinaEISRerank], caplog: pytest.LogCaptureFixture
) -> None:
    manager = CallbackManager([LlamaDebugHandler(print_trace_on_end=False)])
    reranker = make(es_api_key="geheim", callback_manager=manager)
    reranker.postprocess_nodes(nodes(), query_str=QUERY)
    twin = pickle.loads(pickle.dumps(reranker))
    assert twin.es_api_key.get_secret_value() == "geheim"
    assert twin.callback_manager.handlers == []
    assert reranker.callback_manager is manager
    assert "unpickleable" not in caplog.text


def test_a_dictionary_without_an_address_fails_on_first_use_and_says_how_to_mend_it(face: Face) -> None:
    reranker = JinaEISRerank.from_dict({"class_name": "JinaEISRerank", "es_user": "elastic", "top_n": 2})
    reranker.callback_manager = CallbackManager()
    with pytest.raises(ConfigurationError, match="Where is Elasticsearch"):
        face.rerank(reranker, nodes())
    with pytest.raises(ConfigurationError, match="Where is Elasticsearch"):
        JinaEISRerank()


def test_a_user_and_password_of_the_environment_survive_a_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ES_URL": "http://localhost:1", "ES_USER": "elastic", "ES_PASSWORD": "geheim"}.items():
        monkeypatch.setenv(name, value)
    twin = JinaEISRerank.from_dict(JinaEISRerank().to_dict())
    assert twin.es_user == "elastic"
    assert twin.es_password is not None
    assert twin._drive()


def test_a_subclass_with_its_own_constructor_survives_a_round_trip(eis: LocalEIS) -> None:
    class Counting(JinaEISRerank):
        _asked: list[str] = PrivateAttr()

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self._asked = ["made"]

    assert Counting.from_dict(Counting(es_url=eis.url).to_dict())._asked == ["made"]


def test_a_failure_that_is_not_ours_reaches_the_callbacks_as_one() -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    broken = SimpleNamespace(perform_request=None, transport=None)
    reranker = JinaEISRerank(client=broken, callback_manager=CallbackManager([handler]))
    with pytest.raises(AttributeError):
        reranker.postprocess_nodes(nodes(), query_str=QUERY)
    ((_, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert isinstance(end.payload[EventPayload.EXCEPTION], AttributeError)


def test_the_service_hears_which_adapter_asks(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    face.rerank(make(), nodes())
    assert "llama-index-jina-eis/" in eis.requests[0].headers["user-agent"]
