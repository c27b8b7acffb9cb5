"""Retrieval, fed by hand: what is asked of Elasticsearch for every kind of field, query and setting; and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from by_hand import feed
from hypothesis import given
from hypothesis import strategies as st
from made import pdf, png

from jina_eis.contents.inputs import content
from jina_eis.contents.media import Medium
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.steps.search import Query, Searcher, check_filters
from jina_eis.wire.call import Call
from jina_eis.wire.indices import elasticsearch_score, model_score

TEXT = ".jina-embeddings-v5-text-small"
OMNI = ".jina-embeddings-v5-omni-small"
URI = Medium.from_bytes(png()).data_uri()

SEMANTIC_TEXT = {"type": "semantic_text", "inference_id": TEXT}
SEMANTIC = {"type": "semantic", "inference_id": OMNI}
VECTOR = {"type": "dense_vector", "dims": 1024}
FILTER = {"term": {"metadata.lang": "en"}}


def answers(properties: dict[str, Any], meta: dict[str, Any] | None = None, hits: list[Any] | None = None) -> Any:
    mappings = {"properties": {"text": {"type": "text"}, **properties}, **({"_meta": {"jina_eis": meta}} if meta else {})}

    def answer(call: Call[Any]) -> Any:
        if call.path.endswith("/_mapping"):
            return {"docs": {"mappings": mappings}}
        if call.path.endswith("/_search"):
            return {"hits": {"hits": hits or []}}
        key = "embeddings" if "/embedding/" in call.path else "text_embedding"
        return {key: [{"embedding": [3.0] + [0.0] * 1023}]}

    return answer


def searched(
    properties: dict[str, Any], query: Any, meta: dict[str, Any] | None = None, k: int = 3, **settings: Any
) -> dict[str, Any]:
    """The body of the search; asserts that it is the only request beside that for the mapping, and an embedding at most."""
    searcher = Searcher(**{"index": "docs", "search_type": "semantic", "field": None, "content_field": "text", **settings})
    wanted = query if isinstance(query, Query) else Query.of(content(query))
    _, rounds = feed(searcher.find(wanted, k), answers(properties, meta))
    calls = [call for calls in rounds for call in calls]
    assert [call.path for call in calls if not call.path.startswith("/_inference")] == ["/docs/_mapping", "/docs/_search"]
    body: dict[str, Any] = calls[-1].body
    return body


def test_a_text_is_embedded_by_the_field_itself() -> None:
    for field in (SEMANTIC_TEXT, SEMANTIC):
        body = searched({"body": field}, 'a "quoted" {{text}}')
        assert body == {
            "retriever": {"standard": {"query": {"match": {"body": {"query": 'a "quoted" {{text}}'}}}}},
            "size": 3,
            "_source": {"excludes": ["body"]},
        }


def test_an_image_is_embedded_by_elasticsearch() -> None:
    builder = {"embedding": {"input": {"type": "image", "format": "base64", "value": URI}, "inference_id": OMNI}}
    knn = {"k": 64, "num_candidates": 100, "query_vector_builder": builder}
    assert searched({"media": SEMANTIC}, png())["retriever"] == {"standard": {"query": {"knn": {"field": "media", **knn}}}}
    by_omni = searched({"body": SEMANTIC_TEXT}, png(), inference_id=OMNI)  # text indexed by the text model of the same space
    assert by_omni["retriever"] == {"standard": {"query": {"knn": {"field": "body", **knn}}}}
    fused = searched({"vector": VECTOR}, ["a cat", png()], {"inference_id": OMNI}, search_type="knn")
    assert fused["retriever"]["knn"]["query_vector_builder"]["embedding"]["input"] == [
        {"type": "text", "value": "a cat"},
        {"type": "image", "format": "base64", "value": URI},
    ]


@pytest.mark.parametrize(
    ("endpoint", "builder"),
    [
        (TEXT, {"text_embedding": {"model_text": "q", "model_id": TEXT}}),
        (OMNI, {"embedding": {"input": "q", "inference_id": OMNI}}),
    ],
)
def test_the_query_for_vectors_is_embedded_by_elasticsearch(endpoint: str, builder: Any) -> None:
    wanted = {"knn": {"field": "vector", "k": 64, "num_candidates": 100, "query_vector_builder": builder}}
    assert searched({"vector": VECTOR}, "q", search_type="knn", inference_id=endpoint)["retriever"] == wanted
    assert searched({"vector": VECTOR}, "q", {"inference_id": endpoint}, search_type="knn")["retriever"] == wanted


def test_the_query_for_cut_vectors_is_embedded_and_cut_here() -> None:
    for settings in ({"dimensions": 32}, {}):  # the field tells, if nobody says
        body = searched({"vector": {**VECTOR, "dims": 32}}, "q", search_type="knn", inference_id=TEXT, **settings)
        assert body["retriever"]["knn"]["query_vector"] == [1.0] + [0.0] * 31


def test_a_vector_of_the_callers_own() -> None:
    with pytest.raises(ConfigurationError, match="The query's vector has 2 dimensions, and those in 'v' have 1024"):
        searched({"v": VECTOR}, Query(None, None, [0.5, 0.5]), search_type="knn")
    body = searched({"body": SEMANTIC_TEXT}, Query("words", None, [0.5, 0.5]), search_type="hybrid")
    words, meaning = body["retriever"]["rrf"]["retrievers"]
    assert words == {"standard": {"query": {"match": {"text": {"query": "words"}}}}}
    assert meaning["standard"]["query"]["knn"]["query_vector"] == [0.5, 0.5]


def test_hybrid_search_reaches_words_and_meaning_with_the_filter() -> None:
    body = searched({"body": SEMANTIC_TEXT}, "q", search_type="hybrid", filters=(FILTER,), rank_window_size=50, rank_constant=20)
    assert body["retriever"] == {
        "rrf": {
            "retrievers": [
                {"standard": {"query": {"match": {"text": {"query": "q"}}}, "filter": [FILTER]}},
                {"standard": {"query": {"match": {"body": {"query": "q"}}}, "filter": [FILTER]}},
            ],
            "rank_constant": 20,
            "rank_window_size": 50,
        }
    }


def test_the_filter_reaches_vectors_too() -> None:
    knn = searched({"vector": VECTOR}, "q", search_type="knn", inference_id=TEXT, filters=(FILTER,))["retriever"]["knn"]
    assert knn["filter"] == [FILTER]
    standard = searched({"media": SEMANTIC}, png(), filters=(FILTER,))["retriever"]["standard"]
    assert standard["filter"] == standard["query"]["knn"]["filter"] == [FILTER]  # before the search and after it


def test_weights() -> None:
    rrf = searched({"body": SEMANTIC_TEXT}, "q", search_type="hybrid", weights=(1.0, 2.0))["retriever"]["rrf"]
    assert [each["weight"] for each in rrf["retrievers"]] == [1.0, 2.0]
    linear = searched({"body": SEMANTIC_TEXT}, "q", search_type="hybrid", fusion="linear", weights=(0.2, 0.8))["retriever"][
        "linear"
    ]
    assert [(each["weight"], each["normalizer"]) for each in linear["retrievers"]] == [(0.2, "minmax"), (0.8, "minmax")]


def test_the_reranker_goes_around_everything() -> None:
    body = searched({"body": SEMANTIC_TEXT}, "q", rerank_inference_id=".jina-reranker-v3", min_score=-0.5)
    reranker = body["retriever"]["text_similarity_reranker"]
    assert reranker.pop("retriever") == {"standard": {"query": {"match": {"body": {"query": "q"}}}}}
    assert reranker == {
        "field": "text",
        "inference_id": ".jina-reranker-v3",
        "inference_text": "q",
        "rank_window_size": 64,
        "min_score": pytest.approx(math.exp(-0.5), rel=2e-6),
    }


def test_scores_are_the_models_own_again() -> None:
    searcher = Searcher("docs", "semantic", None, "text", rerank_inference_id=".jina-reranker-v3")
    hits = [
        {"_id": str(n), "_index": "docs", "_score": score, "_source": {}} for n, score in enumerate((1.25, 1.0, math.exp(-0.5)))
    ]
    found, _ = feed(searcher.find(Query.of("q"), 3), answers({"body": SEMANTIC_TEXT}, hits=hits))
    assert [each.relevance_score for each in found] == pytest.approx([0.25, 0.0, -0.5])
    assert [each.hit.score for each in found] == [1.25, 1.0, math.exp(-0.5)]


@given(st.floats(-30, 30))
def test_a_score_comes_back_as_it_was(score: float) -> None:
    assert model_score(elasticsearch_score(score)) == pytest.approx(score, abs=1e-9)


def test_the_text_is_found_where_it_is() -> None:
    def texts(properties: dict[str, Any], source: Any, **settings: Any) -> list[str]:
        hits = [{"_id": "1", "_index": "docs", "_score": 1.0, "_source": source}]
        searcher = Searcher("docs", "semantic", None, **settings)
        found, _ = feed(searcher.find(Query.of("q"), 3), answers(properties, hits=hits))
        return [each.text for each in found]

    objects = {"body": SEMANTIC_TEXT, "doc": {"properties": {"body": {"type": "text"}}}}
    assert texts(objects, {"doc": {"body": "deep"}}, content_field="doc.body") == ["deep"]
    assert texts(objects, {"doc.body": "flat"}, content_field="doc.body") == ["flat"]
    assert texts({"body": SEMANTIC_TEXT}, {"text": ["a", "b"]}) == ["a\nb"]
    for nothing in ({}, {"text": None}):
        assert texts({"body": SEMANTIC_TEXT}, nothing) == [""]


def test_what_is_returned() -> None:
    assert searched({"body": SEMANTIC_TEXT, "vector": VECTOR}, "q")["_source"] == {"excludes": ["body", "vector"]}
    assert searched({"body": SEMANTIC_TEXT}, "q", content_field="body")["_source"] is True
    assert searched({"body": SEMANTIC_TEXT, "text": {"type": "long"}}, "q", content_field="body")["_source"] is True
    assert searched({"body": SEMANTIC_TEXT}, "q", source_fields=["metadata.url"])["_source"] == {
        "includes": ["text", "metadata.url"]
    }
    assert searched({"body": SEMANTIC_TEXT}, "q", passages=2)["highlight"] == {
        "fields": {"body": {"number_of_fragments": 2, "order": "score"}}
    }


@pytest.mark.parametrize(
    ("properties", "query", "settings", "told"),
    [
        ({}, "q", {}, """semantic" searches a field of type semantic_text or semantic. The index 'docs' has no field for that, nor any other"""),
        ({"v": VECTOR}, "q", {}, "no field for that, but v (dense_vector)."),
        ({"a": SEMANTIC_TEXT, "b": SEMANTIC}, "q", {}, "has a (semantic_text), b (semantic): choose one with field."),
        ({"a": SEMANTIC_TEXT}, "q", {"field": "b"}, "no field 'b', but a (semantic_text)."),
        ({"v": VECTOR}, "q", {"field": "v"}, """'v' is of type dense_vector, and search_type="semantic" searches semantic_text or semantic. Choose search_type="knn"."""),
        ({"a": SEMANTIC_TEXT}, "q", {"field": "text"}, """'text' is of type text, and search_type="semantic" searches semantic_text or semantic. The index has a (semantic_text)."""),
        ({"a": SEMANTIC_TEXT}, "q", {"search_type": "hybrid", "content_field": "body"}, "content_field='body' does not exist, and a text field is needed for words. The index 'docs' has: text."),
        ({"a": SEMANTIC_TEXT}, "q", {"search_type": "hybrid", "content_field": "a"}, "content_field='a' is of type semantic_text"),
        ({"v": VECTOR}, "q", {"search_type": "knn"}, "does not say what the vectors in 'v' were made with. Pass inference_id."),
        ({"v": VECTOR}, "q", {"search_type": "knn", "inference_id": TEXT, "dimensions": 256}, "dimensions=256: the vectors in 'v' have 1024."),
        ({"a": SEMANTIC_TEXT}, "q", {"inference_id": ".jina-embeddings-v3"}, "different vector spaces. Beside .jina-embeddings-v5-text-small goes .jina-embeddings-v5-omni-small"),
        ({"a": SEMANTIC_TEXT}, png(), {}, "embeds text only. .jina-embeddings-v5-omni-small does, in the same vector space"),
        ({"a": SEMANTIC}, png(), {"search_type": "hybrid"}, "The query is no text, and hybrid search looks for its words."),
        ({"a": SEMANTIC}, png(), {"rerank_inference_id": ".jina-reranker-v3"}, "The query is no text, and the reranker reads it."),
        ({"v": {**VECTOR, "dims": 32}}, pdf(), {"search_type": "knn", "inference_id": OMNI}, "A query has one vector"),
        ({"v": VECTOR}, "q", {"search_type": "knn", "inference_id": TEXT, "num_candidates": 10}, "num_candidates=10: 64 documents are ranked"),
        ({"a": SEMANTIC_TEXT}, "q", {"k": 100, "rank_window_size": 64}, "k=100: at most rank_window_size=64 documents are ranked. Raise it."),
        ({"a": SEMANTIC_TEXT}, "q", {"k": 65, "rerank_inference_id": ".jina-reranker-v3"}, "or rerank with JinaEISRerank, which takes any number"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched(properties: dict[str, Any], query: Any, settings: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigurationError, InputError)) as caught:
        searched(properties, query, **settings)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rerank_inference_id": TEXT}, "is an endpoint for text_embedding, not for rerank"),
        (
            {"rerank_inference_id": ".jina-reranker-v3", "rank_window_size": 65},
            "rank_window_size=65: jina-reranker-v3 sees 64 documents at a time",
        ),
        ({"fusion": "linear", "rank_constant": 20}, "rank_constant belongs to"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Searcher("docs", "semantic", None, "text", **settings)
    assert Searcher("docs", "semantic", None, "text", rerank_inference_id=".jina-reranker-v2", rank_window_size=500)


@pytest.mark.parametrize(
    "given_filter", [{"lang": "en"}, "lang:en", {}, {"term": {"a": 1}, "range": {}}, [{"term": {"a": 1}}, "x"], 5]
)
def test_a_filter_that_is_no_query(given_filter: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'is no query of Elasticsearch. Write it like {"term"'):
        check_filters(given_filter)


def test_a_search_of_half_an_index_is_no_answer() -> None:
    searcher = Searcher("docs", "semantic", None, "text")
    for wrong in (
        {"timed_out": True, "hits": {"hits": []}},
        {"_shards": {"failed": 1}, "hits": {"hits": []}},
        {},
        {"hits": {"hits": [{}]}},
        [],
    ):

        def answer(call: Call[Any], wrong: Any = wrong) -> Any:
            return wrong if call.path.endswith("_search") else answers({"body": SEMANTIC_TEXT})(call)

        with pytest.raises(InvalidAnswerError):
            feed(searcher.find(Query.of("q"), 3), answer)
