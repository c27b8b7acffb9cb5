"""`llama_index_jina_eis.JinaEISRerank` over HTTP, also in LlamaIndex's query engines. One test body for sync and async."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import QUERY, RERANKER, Caller, passages
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.llms import MockLLM
from llama_index.core.objects import ObjectIndex
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InvalidAnswerError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISRerank


@pytest.fixture
def make(connect: Callable[..., Any]) -> Callable[..., JinaEISRerank]:
    """Create rerankers of jina-reranker-v3, with windows of 64 documents, unless a test names another model."""

    def create(**arguments: Any) -> JinaEISRerank:
        named = {"inference_id", "model"} & arguments.keys()
        return connect(JinaEISRerank, **arguments, **({} if named else {"model": RERANKER}))  # type: ignore[no-any-return]

    return create


def nodes(number: int = 5) -> list[NodeWithScore]:
    """Nodes with descending scores. Number 2 answers the query."""
    return [
        NodeWithScore(node=TextNode(id_=f"id-{n}", text=text, metadata={"n": n}), score=1 / (n + 1))
        for n, text in enumerate(passages(number))
    ]


def rerank(call: Caller, reranker: JinaEISRerank, nodes: Any, query: Any = QUERY) -> list[NodeWithScore]:
    return call(reranker, "postprocess_nodes", nodes, None if query is None else QueryBundle(query))


def test_nodes_are_returned_best_first_with_the_scores_of_the_model(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    originals = nodes()
    before = [(node.node.to_dict(), node.score) for node in originals]
    best = rerank(call, make(), originals)
    assert best[0].node_id == "id-2"
    assert len(best) == 3
    scores = [node.score or 0.0 for node in rerank(call, make(top_n=None), originals)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0 < scores[0]
    assert len(rerank(call, make(top_n=None, score_threshold=scores[1]), originals)) == 2
    assert [(node.node.to_dict(), node.score) for node in originals] == before
    assert {id(node.node) for node in best} <= {id(node.node) for node in originals}  # not copied, because no metadata are added


def test_it_is_a_postprocessor_of_llama_index() -> None:
    assert BaseNodePostprocessor.__name__ in [base.__name__ for base in JinaEISRerank.__mro__]
    assert JinaEISRerank.class_name() == "JinaEISRerank"


def test_a_call_emits_a_start_and_an_end_event_in_the_span(
    call: Caller, make: Callable[..., JinaEISRerank], events: list[tuple[Any, str]]
) -> None:
    originals = nodes(100)
    best = rerank(call, make(top_n=None), originals)
    span = "JinaEISRerank._apostprocess_nodes" if call.asynchronous else "JinaEISRerank._postprocess_nodes"
    assert [(event.class_name(), span_name) for event, span_name in events] == [
        ("ReRankStartEvent", span),
        ("ReRankEndEvent", span),
    ]
    start, end = events[0][0], events[1][0]
    assert (start.model_name, start.top_n, start.query.query_str) == (".jina-reranker-v3", 100, QUERY)
    assert [node.node_id for node in start.nodes] == [node.node_id for node in originals]
    assert [node.node_id for node in end.nodes] == [node.node_id for node in best]


@pytest.mark.parametrize(("query", "problem"), [(None, "pass query_bundle or query_str"), ("", "query is empty")])
def test_without_a_query_no_request_and_no_event(
    call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS, events: list[tuple[Any, str]], query: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        rerank(call, make(), nodes(), query)
    assert not [event for event, _ in events if "ReRank" in event.class_name()]
    assert eis.requests == []


def test_an_empty_list_sends_no_request_and_no_event(
    call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS, events: list[tuple[Any, str]]
) -> None:
    assert rerank(call, make(), []) == []
    assert (eis.requests, events) == ([], [])


def test_callbacks_receive_one_rerank_event(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    reranker = make(callback_manager=CallbackManager([handler]))
    best = rerank(call, reranker, nodes())
    ((start, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert start.payload["model_name"] == ".jina-reranker-v3"
    assert end.payload["nodes"] == best
    reranker.callback_manager = None  # type: ignore[assignment]
    assert len(rerank(call, reranker, nodes())) == 3
    assert len(rerank(call, make(callback_manager=None), nodes())) == 3


def test_the_retrieval_score_is_kept_in_metadata_that_models_do_not_read(
    call: Caller, make: Callable[..., JinaEISRerank]
) -> None:
    originals = nodes()
    best = rerank(call, make(keep_retrieval_score=True, top_n=None), originals)
    for node in best:
        original = originals[node.node.metadata["n"]]
        assert node.node.metadata == {**original.node.metadata, "retrieval_score": original.score}
        assert "retrieval_score" not in original.node.metadata
        for mode in (MetadataMode.EMBED, MetadataMode.LLM):
            assert node.node.get_content(mode) == original.node.get_content(mode)
        assert (type(node.node), node.node_id) == (TextNode, original.node_id)
    again = rerank(call, make(keep_retrieval_score=True), best)
    assert again[0].node.metadata["retrieval_score"] == best[0].score
    assert again[0].node.excluded_llm_metadata_keys == ["retrieval_score"]


def test_nodes_beyond_the_window_are_marked(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    originals = nodes(200)
    best = rerank(call, make(top_n=None), originals)
    assert len(eis.requests) == 5
    assert len({node.node_id for node in best}) == 200
    marks = [getattr(node, "relevance_score_preliminary", False) for node in best]
    assert 32 <= marks.index(True) <= 64
    assert marks == sorted(marks)
    assert all(node.node is originals[node.node.metadata["n"]].node for node in best)  # unchanged
    again = rerank(call, make(top_n=None, keep_retrieval_score=True), best[-20:])
    assert not any(hasattr(node, "relevance_score_preliminary") for node in again)
    marked = rerank(call, make(top_n=None, keep_retrieval_score=True), originals)[-1]
    assert (marked.relevance_score_preliminary, list(marked.node.metadata)) == (True, ["n", "retrieval_score"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(("mode", "sent"), [(None, "n: 0\n\nbread rises"), (MetadataMode.NONE, "bread rises")])
def test_metadata_mode_decides_what_the_model_reads(
    call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS, mode: MetadataMode | None, sent: str
) -> None:
    rerank(call, make(**({"metadata_mode": mode} if mode else {})), nodes(1))
    assert eis.requests[0].body == {"query": QUERY, "input": [sent]}


def test_faults_are_retried_and_errors_typed(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    eis.faults.queue("rate_limit", "eis_5xx", "drop")
    assert len(rerank(call, make(), nodes(100))) == 3
    eis.faults.queue("ragged")
    with pytest.raises(InvalidAnswerError, match="ranks document 2 twice"):
        rerank(call, make(), nodes())
    eis.faults.always("unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match="Inputs 0 to 4 failed"):
        rerank(call, make(max_retries=1), nodes())


# Use in LlamaIndex


def index_of(number: int = 5) -> VectorStoreIndex:
    return VectorStoreIndex([node.node for node in nodes(number)], embed_model=MockEmbedding(8))  # type: ignore[misc]


def test_in_a_query_engine(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    engine = index_of().as_query_engine(llm=MockLLM(), similarity_top_k=5, node_postprocessors=[make(top_n=1)])
    answer: Any = asyncio.run(engine.aquery(QUERY)) if call.asynchronous else engine.query(QUERY)
    assert [node.node_id for node in answer.source_nodes] == ["id-2"]
    assert len(eis.requests) == 1


async def test_sync_methods_inside_a_running_loop(make: Callable[..., JinaEISRerank]) -> None:
    reranker = make(top_n=1)
    evaluator = RetrieverEvaluator.from_metric_names(
        ["hit_rate"], retriever=index_of().as_retriever(similarity_top_k=5), node_postprocessors=[reranker]
    )
    assert (await evaluator.aevaluate(QUERY, expected_ids=["id-2"])).metric_vals_dict == {"hit_rate": 1.0}
    objects = ObjectIndex.from_objects(["bread rises", "glacier ice"], embed_model=MockEmbedding(8))
    retriever = objects.as_retriever(similarity_top_k=2, node_postprocessors=[reranker])
    assert await retriever.aretrieve(QUERY) == ["glacier ice"]


# Serialisation and callbacks


def test_a_round_trip_without_secrets(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make(es_api_key="SECRET", top_n=1, metadata_mode="none", strategy="sliding", score_threshold=-0.5)
    serialised = reranker.to_json()
    assert "SECRET" not in serialised + repr(reranker) + str(reranker.to_dict())
    assert json.loads(serialised)["class_name"] == "JinaEISRerank"
    for copied in (
        JinaEISRerank.from_dict(reranker.to_dict()),
        JinaEISRerank.from_dict(reranker.to_dict(), es_api_key="SECRET"),
        JinaEISRerank.from_json(serialised),
        pickle.loads(pickle.dumps(reranker)),
    ):
        assert copied.to_dict() == reranker.to_dict()
        assert [node.node_id for node in rerank(call, copied, nodes())] == ["id-2"]
        copied.close()


def test_a_pickle_contains_the_secret_but_no_handlers(
    make: Callable[..., JinaEISRerank], caplog: pytest.LogCaptureFixture
) -> None:
    manager = CallbackManager([LlamaDebugHandler(print_trace_on_end=False)])
    reranker = make(es_api_key="SECRET", callback_manager=manager)
    reranker.postprocess_nodes(nodes(), query_str=QUERY)
    copied = pickle.loads(pickle.dumps(reranker))
    assert copied.es_api_key.get_secret_value() == "SECRET"
    assert copied.callback_manager.handlers == []
    assert reranker.callback_manager is manager
    assert "unpickleable" not in caplog.text


def test_an_object_without_an_address_fails_on_first_use(call: Caller) -> None:
    reranker = JinaEISRerank.from_dict({"class_name": "JinaEISRerank", "es_user": "elastic", "top_n": 2})
    reranker.callback_manager = CallbackManager()
    with pytest.raises(ConfigurationError, match="No address of Elasticsearch"):
        rerank(call, reranker, nodes())
    with pytest.raises(ConfigurationError, match="No address of Elasticsearch"):
        JinaEISRerank()


def test_a_round_trip_reads_user_and_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ES_URL": "http://localhost:1", "ES_USER": "elastic", "ES_PASSWORD": "SECRET"}.items():
        monkeypatch.setenv(name, value)
    copied = JinaEISRerank.from_dict(JinaEISRerank().to_dict())
    assert copied.es_user == "elastic"
    assert copied.es_password is not None
    assert copied._driver()


def test_a_round_trip_of_a_subclass_with_its_own_constructor(eis: LocalEIS) -> None:
    class Subclass(JinaEISRerank):
        _steps: list[str] = PrivateAttr()

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self._steps = ["created"]

    assert Subclass.from_dict(Subclass(es_url=eis.url).to_dict())._steps == ["created"]


def test_callbacks_receive_other_exceptions_too() -> None:
    handler = LlamaDebugHandler(print_trace_on_end=False)
    broken = SimpleNamespace(perform_request=None, transport=None)
    reranker = JinaEISRerank(client=broken, callback_manager=CallbackManager([handler]))
    with pytest.raises(AttributeError):
        reranker.postprocess_nodes(nodes(), query_str=QUERY)
    ((_, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert isinstance(end.payload[EventPayload.EXCEPTION], AttributeError)


def test_the_user_agent_names_the_adapter(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    rerank(call, make(), nodes())
    assert "llama-index-jina-eis/" in eis.requests[0].headers["user-agent"]
