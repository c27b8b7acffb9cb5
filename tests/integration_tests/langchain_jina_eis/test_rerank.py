"""`langchain_jina_eis.JinaEISRerank` over HTTP: LangChain's interface of compressors, which has no standard tests, and our own."""

from __future__ import annotations

import asyncio
import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from helpers import QUERY, RERANKER, Caller, passages, run_in_threads
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRerank


@pytest.fixture
def make(connect: Callable[..., Any]) -> Callable[..., JinaEISRerank]:
    """Create rerankers of jina-reranker-v3, with windows of 64 documents, unless a test names another model."""

    def create(**arguments: Any) -> JinaEISRerank:
        named = {"inference_id", "model"} & arguments.keys()
        return connect(JinaEISRerank, **arguments, **({} if named else {"model": RERANKER}))  # type: ignore[no-any-return]

    return create


class Passage(Document):
    """A user's subclass of Document."""

    page: int = 0


def documents(number: int = 5) -> list[Document]:
    """Number 2 answers the query."""
    return [
        Passage(page_content=text, id=f"id-{n}", metadata={"n": n, "deep": {"list": [n]}}, page=n)
        for n, text in enumerate(passages(number))
    ]


# The interface of compressors


def test_documents_are_returned_best_first_as_complete_copies(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    originals = documents()
    before = copy.deepcopy(originals)
    best = call(make(), "compress_documents", originals, QUERY)
    assert len(best) == 3
    assert best[0].page_content == "glacier ice flows"
    scores = [document.metadata["relevance_score"] for document in best]
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(score, float) for score in scores)
    for document in best:
        original = originals[document.metadata["n"]]
        assert document is not original
        assert type(document) is Passage
        assert (document.id, document.page) == (original.id, original.page)
        assert document.metadata == {**original.metadata, "relevance_score": document.metadata["relevance_score"]}
    assert originals == before


def test_an_empty_list_sends_no_request(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    assert call(make(inference_id="unused"), "compress_documents", [], QUERY) == []
    assert call(make(), "rerank", [], QUERY) == []
    assert eis.requests == []


def test_top_n_limits_and_none_returns_all(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    assert [len(call(make(top_n=top_n), "compress_documents", documents(), QUERY)) for top_n in (1, 5, 50, None)] == [1, 5, 5, 5]
    assert {document.id for document in call(make(top_n=None), "compress_documents", documents(), QUERY)} == {
        f"id-{n}" for n in range(5)
    }


def test_it_works_in_langchain_pipelines_and_retrievers(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    class AllDocuments(BaseRetriever):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return documents()

    retrievers = pytest.importorskip("langchain_classic.retrievers")
    compressors = pytest.importorskip("langchain_classic.retrievers.document_compressors")
    reranker = make(top_n=1)
    pipeline = compressors.DocumentCompressorPipeline(transformers=[make(top_n=3), reranker])
    chain = AllDocuments() | RunnableLambda(lambda found: call(reranker, "compress_documents", found, QUERY))
    wrapped = retrievers.ContextualCompressionRetriever(base_compressor=pipeline, base_retriever=AllDocuments())
    found = asyncio.run(wrapped.ainvoke(QUERY)) if call.asynchronous else wrapped.invoke(QUERY)
    assert [document.id for document in found] == ["id-2"]
    assert [document.id for document in chain.invoke(QUERY)] == ["id-2"]


# Our own interface


def test_rerank_takes_strings_and_documents_and_returns_positions(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make()
    ranked = call(reranker, "rerank", [document.page_content for document in documents()], QUERY)
    assert ranked == call(reranker, "rerank", documents(), QUERY)
    assert ranked == call(reranker, "rerank", iter(documents()), QUERY)
    assert [set(entry) for entry in ranked] == [{"index", "relevance_score"}] * 3
    assert ranked[0]["index"] == 2
    assert len(call(reranker, "rerank", documents(), QUERY, top_n=1)) == 1
    assert len(call(reranker, "rerank", documents(), QUERY, top_n=None)) == 5


def test_the_request_has_the_documented_form(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    call(make(model=".jina-reranker-v3.5", timeout=30), "compress_documents", documents(2), QUERY)
    (request,) = eis.requests
    assert (request.method, request.path, request.params) == (
        "POST",
        "/_inference/rerank/.jina-reranker-v3.5",
        {"timeout": "30s"},
    )
    assert request.body == {"query": QUERY, "input": ["bread rises", "a train departs"]}


def test_scores_are_not_changed_and_may_be_negative(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    scores = [
        document.metadata["relevance_score"] for document in call(make(top_n=None), "compress_documents", documents(), QUERY)
    ]
    assert scores[-1] < 0 < scores[0]
    kept = call(make(top_n=None, score_threshold=scores[1]), "compress_documents", documents(), QUERY)
    assert [document.metadata["relevance_score"] for document in kept] == scores[:2]


def test_documents_of_merged_retrievers_are_spread_over_the_blocks(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    retrievers = pytest.importorskip("langchain_classic.retrievers")

    class Source(BaseRetriever):
        text: str

        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return [Document(page_content=f"{self.text} {n}", metadata={"text": self.text}) for n in range(50)]

    merged = retrievers.MergerRetriever(retrievers=[Source(text=text) for text in ("glacier ice", "bread", "wool", "trains")])
    best = call(make(top_n=30), "compress_documents", merged.invoke(QUERY), QUERY)
    assert {document.metadata["text"] for document in best} == {"glacier ice"}


def test_any_number_of_documents_is_ranked_in_parallel_windows(
    call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS
) -> None:
    eis.faults.latency = 0.3  # longer than the start of four threads on a busy machine
    best = call(make(top_n=None), "compress_documents", documents(200), QUERY)
    assert sorted(document.metadata["n"] for document in best) == list(range(200))
    assert best[0].id == "id-2"
    assert len(eis.requests) == 5
    assert max(len(request.body["input"]) for request in eis.requests) <= 64
    assert eis.most_in_flight == 4
    marks = [document.metadata.get("relevance_score_preliminary", False) for document in best]
    assert 32 <= marks.index(True) <= 64
    assert marks == sorted(marks)
    assert [
        entry.get("relevance_score_preliminary", False) for entry in call(make(top_n=None), "rerank", documents(200), QUERY)
    ] == marks


def test_the_mark_of_an_earlier_ranking_is_removed(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make(top_n=None, model=".jina-reranker-v2-base-multilingual")
    marked = Document(page_content="a", metadata={"relevance_score_preliminary": True, "relevance_score": 9})
    (document,) = call(reranker, "compress_documents", [marked], QUERY)
    assert set(document.metadata) == {"relevance_score"}
    assert document.metadata["relevance_score"] != 9


def test_a_pointwise_model_ranks_in_pages(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    reranker = make(model=".jina-reranker-v2-base-multilingual", top_n=None)
    best = call(reranker, "compress_documents", documents(200), QUERY)
    scores = [document.metadata["relevance_score"] for document in best]
    assert len(eis.requests) == 4
    assert scores == sorted(scores, reverse=True)
    assert not any("relevance_score_preliminary" in document.metadata for document in best)


@pytest.mark.parametrize("kind", ["rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"])
def test_only_the_failed_block_is_retried(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS, kind: Any) -> None:
    expected = call(make(top_n=None), "rerank", documents(200), QUERY)
    eis.clear()
    eis.faults.queue(kind, kind)
    assert call(make(top_n=None), "rerank", documents(200), QUERY) == expected
    assert len(eis.requests) == 5 + 2


def test_the_error_of_a_block_names_its_documents(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    eis.faults.poison("filler 50", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match=r"Inputs \d+, \d+, \d+ and 47 more up to \d+ failed") as caught:
        call(make(max_retries=1), "compress_documents", documents(200), QUERY)
    inputs = caught.value.inputs or ()
    assert 50 in inputs
    assert [position // 4 for position in inputs] == list(range(50))  # blocks are dealt: one of every four documents
    assert (caught.value.completed, caught.value.retries, caught.value.endpoint) == (None, 1, ".jina-reranker-v3")


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_an_invalid_response_is_an_error(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS, kind: Any) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError) as caught:
        call(make(), "compress_documents", documents(), QUERY)
    assert list(caught.value.inputs or ()) == list(range(5))


@pytest.mark.parametrize("query", ["", "  ", None])
def test_an_empty_query_sends_no_request(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS, query: Any) -> None:
    with pytest.raises(ValueError, match="query is empty"):
        call(make(), "compress_documents", documents(), query)
    assert eis.requests == []


def test_invalid_documents_send_no_request(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    with pytest.raises(InputError, match="Input 1: it is None, neither a text nor a medium"):
        call(make(), "rerank", ["a", None], QUERY)
    with pytest.raises(InputError, match=r"the query comes second: rerank\(documents, query\)"):
        call(make(), "rerank", "letters", QUERY)
    with pytest.raises(InputError, match=r"For a single document pass \[document\]"):
        call(make(), "rerank", documents()[0], QUERY)
    with pytest.raises(InputError, match=r"Input 1 is of type str, not a Document\. To rank texts, use `rerank`"):
        call(make(), "compress_documents", [*documents(1), "text"], QUERY)
    with pytest.raises(InputError, match=r"The texts are None\. Pass a list of strings"):
        call(make(), "compress_documents", None, QUERY)
    for top_n in (0, 1.5, "2"):
        with pytest.raises(InputError, match="top_n="):
            call(make(), "rerank", ["a"], QUERY, top_n=top_n)
    assert eis.requests == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"top_n": 0}, "top_n: .*greater than or equal to 1"),
        ({"window_size": 1}, "window_size: .*greater than or equal to 2"),
        ({"window_size": 65}, "at most 64 documents"),
        ({"score_threshold": float("nan")}, "score_threshold"),
        ({"strategy": "pages"}, "listwise"),
        ({"strategy": "hope"}, "'two_stage'"),
        ({"model": ".jina-embeddings-v3"}, "does not rerank. Use an endpoint for rerank"),
        ({"topn": 3}, "has no argument topn. Did you mean top_n?"),
        ({"inference_id": ""}, "inference_id"),
    ],
)
def test_invalid_arguments_are_rejected(make: Callable[..., JinaEISRerank], arguments: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make(**arguments)


def test_a_rejected_assignment_changes_nothing(make: Callable[..., JinaEISRerank]) -> None:
    reranker = make()
    for name, value in (("top_n", 0), ("strategy", "pages"), ("window_size", 100), ("inference_id", ".jina-embeddings-v3")):
        before = getattr(reranker, name)
        with pytest.raises(ConfigurationError):
            setattr(reranker, name, value)
        assert getattr(reranker, name) == before


def test_documents_that_the_model_does_not_read_to_the_end_warn_once_for_each_call(
    call: Caller, make: Callable[..., JinaEISRerank]
) -> None:
    reranker = make(model=".jina-reranker-v3")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            call(reranker, "rerank", ["words of a long text " * 1_000, "short"], QUERY)
    assert [str(warning.message).partition(" is longer")[0] for warning in caught] == ["Document 0 of 2"] * 2


def test_one_object_works_in_many_loops_and_threads_at_once(make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    reranker = make(top_n=None, max_concurrency=3)
    expected = reranker.rerank(documents(100), QUERY)
    results: list[Any] = []

    def sync() -> None:
        results.append(reranker.rerank(documents(100), QUERY))

    def loop() -> None:
        results.append(asyncio.run(reranker.arerank(documents(100), QUERY)))

    run_in_threads([sync, loop] * 5)
    assert results == [expected] * 10


def test_copies_pickles_and_limiters(call: Caller, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    reranker = make(top_n=1, es_api_key="secret")
    assert "secret" not in repr(reranker) + str(reranker.model_dump())
    for twin in (pickle.loads(pickle.dumps(reranker)), copy.deepcopy(reranker), reranker.model_copy()):
        assert [document.id for document in call(twin, "compress_documents", documents(), QUERY)] == ["id-2"]
        twin.close()
    eis.clear()
    limited = make(rate_limiter=InMemoryRateLimiter(requests_per_second=1000, max_bucket_size=1))
    assert len(call(limited, "compress_documents", documents(100), QUERY)) == 3
    with pytest.raises(ConfigurationError, match="rate_limiter"):
        pickle.dumps(limited)


# A step of a chain


class Searched(BaseRetriever):
    """Finds all documents; remembers the arguments of its calls."""

    calls: list[dict[str, Any]] = []  # noqa: RUF012 - pydantic copies it

    def _get_relevant_documents(self, query: str, *, run_manager: Any, **kwargs: Any) -> list[Document]:
        self.calls.append({"query": query, "tags": run_manager.tags, **kwargs})
        return documents()

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any, **kwargs: Any) -> list[Document]:
        return self._get_relevant_documents(query, run_manager=run_manager, **kwargs)


def test_around_a_retriever_reranks_what_it_finds(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    searched = Searched()
    retriever = make(top_n=2).around(searched)
    best = call(retriever, "invoke", QUERY, {"tags": ["mine"]}, filter={"lang": "en"})
    assert isinstance(retriever, BaseRetriever)
    assert [document.page_content for document in best][:1] == ["glacier ice flows"]
    assert len(best) == 2 and "relevance_score" in best[0].metadata
    assert searched.calls == [{"query": QUERY, "tags": ["mine"], "filter": {"lang": "en"}}]


def test_around_is_a_step_of_a_chain_and_a_tool(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    async def find(query: str) -> list[Document]:
        return documents()

    found = RunnableLambda(lambda query: documents(), afunc=find)
    best = make(top_n=1).around(found)
    chain = {"text": best | (lambda passages: passages[0].page_content)} | RunnableLambda(lambda inputs: inputs["text"].upper())
    assert call(chain, "invoke", QUERY) == "GLACIER ICE FLOWS"
    tool = create_retriever_tool(best, "facts", "Facts about nature.")
    assert call(tool, "invoke", {"query": QUERY}) == "glacier ice flows"


def test_around_a_retriever_that_finds_nothing_sends_nothing(
    eis: LocalEIS, call: Caller, make: Callable[..., JinaEISRerank]
) -> None:
    async def find(query: str) -> list[Document]:
        return []

    assert call(make().around(RunnableLambda(lambda query: [], afunc=find)), "invoke", QUERY) == []
    assert eis.requests == []


def test_callbacks_see_both_retrievers_in_one_trace(call: Caller, make: Callable[..., JinaEISRerank]) -> None:
    started: list[tuple[Any, Any]] = []

    class Trace(BaseCallbackHandler):
        def on_retriever_start(self, *arguments: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
            started.append((run_id, parent_run_id))

    call(make().around(Searched()), "invoke", QUERY, {"callbacks": [Trace()]})
    (outer, nothing), (_, parent) = started
    assert nothing is None and parent == outer


@pytest.mark.parametrize("wrong", ["index", None, documents], ids=["text", "none", "function"])
def test_around_something_else_states_what_to_pass(make: Callable[..., JinaEISRerank], wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="Pass a retriever of LangChain"):
        make().around(wrong)


def test_around_a_vector_store_states_what_to_pass(make: Callable[..., JinaEISRerank]) -> None:
    with pytest.raises(ConfigurationError, match="as_retriever"):
        make().around(InMemoryVectorStore(DeterministicFakeEmbedding(size=8)))


def test_around_can_be_pickled(make: Callable[..., JinaEISRerank]) -> None:
    copied = pickle.loads(pickle.dumps(make(top_n=1).around(Searched())))
    assert copied.invoke(QUERY)[0].page_content == "glacier ice flows"
