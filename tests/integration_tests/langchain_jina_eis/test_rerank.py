"""`langchain_jina_eis.JinaEISRerank` over real HTTP: the contract of LangChain's compressors, which has no suite, and ours."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from jina_eis import errors
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRerank

QUERY = "glacier ice"


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def compress(self, reranker: BaseDocumentCompressor, documents: Any, query: Any = QUERY) -> list[Document]:
        if self.asynchronous:
            return list(asyncio.run(reranker.acompress_documents(documents, query)))
        return list(reranker.compress_documents(documents, query))

    def rerank(self, reranker: JinaEISRerank, documents: Any, query: Any = QUERY, **how: Any) -> list[dict[str, Any]]:
        if self.asynchronous:
            return asyncio.run(reranker.arerank(documents, query, **how))
        return reranker.rerank(documents, query, **how)


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


class Passage(Document):
    """A user's own kind of document."""

    page: int = 0


def documents(number: int = 5) -> list[Document]:
    """Number 2 answers the query."""
    texts = ["bread rises", "a train departs", "glacier ice flows", "wool and knitting", "ice cream"]
    return [
        Passage(page_content=texts[n] if n < 5 else f"filler {n}", id=f"id-{n}", metadata={"n": n, "deep": {"list": [n]}}, page=n)
        for n in range(number)
    ]


# The contract of compressors


def test_documents_come_back_best_first_whole_and_as_copies(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    given = documents()
    before = copy.deepcopy(given)
    best = face.compress(make(), given)
    assert len(best) == 3
    assert best[0].page_content == "glacier ice flows"
    scores = [document.metadata["relevance_score"] for document in best]
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(score, float) for score in scores)
    for document in best:
        original = given[document.metadata["n"]]
        assert document is not original
        assert type(document) is Passage
        assert (document.id, document.page) == (original.id, original.page)
        assert document.metadata == {**original.metadata, "relevance_score": document.metadata["relevance_score"]}
    assert given == before


def test_no_documents_no_request(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    assert face.compress(make(inference_id="not-asked-for"), []) == []
    assert face.rerank(make(), []) == []
    assert eis.requests == []


def test_top_n_limits_and_none_returns_all(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    assert [len(face.compress(make(top_n=top_n), documents())) for top_n in (1, 5, 50, None)] == [1, 5, 5, 5]
    assert {document.id for document in face.compress(make(top_n=None), documents())} == {f"id-{n}" for n in range(5)}


def test_it_works_where_langchain_puts_compressors(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    class Everything(BaseRetriever):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return documents()

    retrievers = pytest.importorskip("langchain_classic.retrievers")
    compressors = pytest.importorskip("langchain_classic.retrievers.document_compressors")
    reranker = make(top_n=1)
    pipeline = compressors.DocumentCompressorPipeline(transformers=[make(top_n=3), reranker])
    chain = Everything() | RunnableLambda(lambda found: face.compress(reranker, found))
    wrapped = retrievers.ContextualCompressionRetriever(base_compressor=pipeline, base_retriever=Everything())
    found = asyncio.run(wrapped.ainvoke(QUERY)) if face.asynchronous else wrapped.invoke(QUERY)
    assert [document.id for document in found] == ["id-2"]
    assert [document.id for document in chain.invoke(QUERY)] == ["id-2"]


# What is ours


def test_rerank_takes_strings_and_documents_and_gives_positions(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make()
    ranked = face.rerank(reranker, [document.page_content for document in documents()])
    assert ranked == face.rerank(reranker, documents())
    assert ranked == face.rerank(reranker, iter(documents()))
    assert [set(one) for one in ranked] == [{"index", "relevance_score"}] * 3
    assert ranked[0]["index"] == 2
    assert len(face.rerank(reranker, documents(), top_n=1)) == 1
    assert len(face.rerank(reranker, documents(), top_n=None)) == 5


def test_the_request_is_what_the_service_documents(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    face.compress(make(model=".jina-reranker-v3.5", timeout=30), documents(2))
    (request,) = eis.requests
    assert (request.method, request.path, request.params) == (
        "POST",
        "/_inference/rerank/.jina-reranker-v3.5",
        {"timeout": "30s"},
    )
    assert request.body == {"query": QUERY, "input": ["bread rises", "a train departs"]}


def test_scores_are_the_model_s_own_and_may_be_negative(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    scores = [document.metadata["relevance_score"] for document in face.compress(make(top_n=None), documents())]
    assert scores[-1] < 0 < scores[0]
    kept = face.compress(make(top_n=None, score_threshold=scores[1]), documents())
    assert [document.metadata["relevance_score"] for document in kept] == scores[:2]


def test_merged_retrievers_end_in_no_block_of_their_own(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    retrievers = pytest.importorskip("langchain_classic.retrievers")

    class Source(BaseRetriever):
        text: str

        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return [Document(page_content=f"{self.text} {n}", metadata={"text": self.text}) for n in range(50)]

    merged = retrievers.MergerRetriever(retrievers=[Source(text=text) for text in ("glacier ice", "bread", "wool", "trains")])
    best = face.compress(make(top_n=30), merged.invoke(QUERY))
    assert {document.metadata["text"] for document in best} == {"glacier ice"}


def test_any_number_of_documents_is_ranked_in_windows_side_by_side(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS
) -> None:
    eis.faults.latency = 0.3  # longer than a busy machine takes to start four threads
    best = face.compress(make(top_n=None), documents(200))
    assert sorted(document.metadata["n"] for document in best) == list(range(200))
    assert best[0].id == "id-2"
    assert len(eis.requests) == 5
    assert max(len(request.body["input"]) for request in eis.requests) <= 64
    assert eis.most_in_flight == 4
    marks = [document.metadata.get("relevance_score_preliminary", False) for document in best]
    assert marks == [False] * 64 + [True] * 136
    assert [one.get("relevance_score_preliminary", False) for one in face.rerank(make(top_n=None), documents(200))] == marks


def test_the_mark_of_an_earlier_ranking_does_not_stay(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make(top_n=None, model=".jina-reranker-v2")
    marked = Document(page_content="a", metadata={"relevance_score_preliminary": True, "relevance_score": 9})
    (document,) = face.compress(reranker, [marked])
    assert set(document.metadata) == {"relevance_score"}
    assert document.metadata["relevance_score"] != 9


def test_a_pointwise_model_is_paged(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    reranker = make(model=".jina-reranker-v2", top_n=None)
    best = face.compress(reranker, documents(200))
    scores = [document.metadata["relevance_score"] for document in best]
    assert len(eis.requests) == 4
    assert scores == sorted(scores, reverse=True)
    assert not any("relevance_score_preliminary" in document.metadata for document in best)


@pytest.mark.parametrize("kind", ["rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"])
def test_a_block_that_fails_is_sent_again_alone(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS, kind: Any) -> None:
    expected = face.rerank(make(top_n=None), documents(200))
    eis.clear()
    eis.faults.queue(kind, kind)
    assert face.rerank(make(top_n=None), documents(200)) == expected
    assert len(eis.requests) == 5 + 2


def test_a_block_that_fails_for_good_names_its_documents(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    eis.faults.poison("filler 50", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError, match=r"Inputs \d+, \d+, \d+ and 47 more up to \d+ failed") as caught:
        face.compress(make(max_retries=1), documents(200))
    inputs = caught.value.inputs or ()
    assert 50 in inputs
    assert [position // 4 for position in inputs] == list(range(50))  # dealt: one of every four
    assert (caught.value.completed, caught.value.retries, caught.value.endpoint) == (None, 1, ".jina-reranker-v3")


@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite", "garbage"])
def test_a_wrong_answer_is_an_error_and_never_a_ranking(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS, kind: Any
) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError) as caught:
        face.compress(make(), documents())
    assert list(caught.value.inputs or ()) == list(range(5))


@pytest.mark.parametrize("query", ["", "  ", None])
def test_an_empty_query_is_refused_before_anything_is_sent(
    face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS, query: Any
) -> None:
    with pytest.raises(ValueError, match="query is empty"):
        face.compress(make(), documents(), query)
    assert eis.requests == []


def test_bad_documents_are_refused_before_anything_is_sent(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    with pytest.raises(InputError, match="Input 1 is None, not a string"):
        face.rerank(make(), ["a", None])
    with pytest.raises(InputError, match=r"For a single text write \[text\]"):
        face.rerank(make(), "letters")
    with pytest.raises(InputError, match=r"For a single one write \[document\]"):
        face.rerank(make(), documents()[0])
    with pytest.raises(InputError, match=r"Input 1 is of type str, not a Document\. `rerank` takes texts"):
        face.compress(make(), [*documents(1), "text"])
    with pytest.raises(InputError, match="come as a list"):
        face.compress(make(), None)
    for top_n in (0, 1.5, "2"):
        with pytest.raises(InputError, match="top_n="):
            face.rerank(make(), ["a"], top_n=top_n)
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
        ({"model": ".jina-embeddings-v3"}, "ranks nothing"),
        ({"topn": 3}, "has no argument topn. Did you mean top_n?"),
        ({"inference_id": ""}, "inference_id"),
    ],
)
def test_arguments_that_cannot_work_are_refused(make: Callable[..., JinaEISRerank], arguments: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make(**arguments)


def test_a_refused_assignment_changes_nothing(make: Callable[..., JinaEISRerank]) -> None:
    reranker = make()
    for name, value in (("top_n", 0), ("strategy", "pages"), ("window_size", 100), ("inference_id", ".jina-embeddings-v3")):
        before = getattr(reranker, name)
        with pytest.raises(ConfigurationError):
            setattr(reranker, name, value)
        assert getattr(reranker, name) == before


def test_documents_that_the_model_would_cut_are_told_once(face: Face, make: Callable[..., JinaEISRerank]) -> None:
    reranker = make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            face.rerank(reranker, ["x" * 20_000, "short"])
    assert [str(warning.message).partition(" may be")[0] for warning in caught] == ["Document 0 of 2"]


def test_one_object_serves_loops_and_threads_at_once(make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    reranker = make(top_n=None, max_concurrency=3)
    expected = reranker.rerank(documents(100), QUERY)
    results: list[Any] = []

    def sync() -> None:
        results.append(reranker.rerank(documents(100), QUERY))

    def loop() -> None:
        results.append(asyncio.run(reranker.arerank(documents(100), QUERY)))

    threads = [threading.Thread(target=target) for target in [sync, loop] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 10


def test_copies_pickles_and_limiters(face: Face, make: Callable[..., JinaEISRerank], eis: LocalEIS) -> None:
    reranker = make(top_n=1, es_api_key="secret")
    assert "secret" not in repr(reranker) + str(reranker.model_dump())
    for twin in (pickle.loads(pickle.dumps(reranker)), copy.deepcopy(reranker), reranker.model_copy()):
        assert [document.id for document in face.compress(twin, documents())] == ["id-2"]
        twin.close()
    eis.clear()
    limited = make(rate_limiter=InMemoryRateLimiter(requests_per_second=1000, max_bucket_size=1))
    assert len(face.compress(limited, documents(100))) == 3
    with pytest.raises(ConfigurationError, match="rate_limiter"):
        pickle.dumps(limited)
