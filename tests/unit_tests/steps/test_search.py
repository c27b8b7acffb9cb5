"""Retrieval steps, run by hand: the request for each kind of field, query and setting, and the errors."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from by_hand import feed
from hypothesis import given
from hypothesis import strategies as st
from made import pdf, png

from jina_eis.contents.inputs import content
from jina_eis.contents.media import Medium
from jina_eis.errors import (
    AuthorizationError,
    ConfigurationError,
    InputError,
    InvalidAnswerError,
    JinaEISError,
)
from jina_eis.steps import Query, Searcher
from jina_eis.wire import elasticsearch_score, model_score
from jina_eis.wire.call import Call

TEXT = ".jina-embeddings-v5-text-small"
OMNI = ".jina-embeddings-v5-omni-small"
URI = Medium.from_bytes(png()).data_uri()

SEMANTIC_TEXT = {"type": "semantic_text", "inference_id": TEXT}
SEMANTIC = {"type": "semantic", "inference_id": OMNI}
VECTOR = {"type": "dense_vector", "dims": 1024}
FILTER = {"term": {"metadata.lang": "en"}}


def answers(
    properties: dict[str, Any],
    meta: dict[str, Any] | None = None,
    hits: list[Any] | None = None,
    version: str | JinaEISError = "9.6.0",
    described: dict[str, Any] | None = None,
) -> Any:
    mappings = {"properties": {"text": {"type": "text"}, **properties}, **({"_meta": {"jina_eis": meta}} if meta else {})}

    def answer(call: Call[Any]) -> Any:
        if call.path.endswith("/_mapping"):
            return {"docs": {"mappings": mappings}}
        if call.path.endswith("/_search"):
            return {"hits": {"hits": hits or []}}
        if call.path == "/":
            if isinstance(version, JinaEISError):
                raise version
            return {"version": {"number": version, "build_flavor": "default"}}
        if call.path == "/docs":
            return {"docs": described or {"defaults": {"index": {"mapping": {"exclude_source_vectors": "true"}}}}}
        key = "embeddings" if "/embedding/" in call.path else "text_embedding"
        return {key: [{"embedding": [3.0] + [0.0] * 1023}]}

    return answer


def searched(
    properties: dict[str, Any],
    query: Any,
    meta: dict[str, Any] | None = None,
    k: int = 3,
    version: str | JinaEISError = "9.6.0",
    described: dict[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Return the body of the search. Other requests are for the mapping, at most one embedding, and what `diversify` needs."""
    searcher = Searcher(**{"index": "docs", "search_type": "semantic", "field": None, "content_field": "text", **settings})
    search_query = query if isinstance(query, Query) else Query.of(content(query))
    _, rounds = feed(searcher.find(search_query, k), answers(properties, meta, version=version, described=described))
    calls = [call for calls in rounds for call in calls]
    paths = [call.path for call in calls if not call.path.startswith("/_inference")]
    chunks, diverse = settings.get("rerank_chunks") is not None, settings.get("diversify") is not None
    needed = ["/"] * (chunks + diverse) + ["/docs"] * diverse  # a driver requests each of these once
    assert paths == ["/docs/_mapping", *needed, "/docs/_search"]
    body: dict[str, Any] = calls[-1].body
    return body


def test_a_text_query_is_embedded_with_the_endpoint_of_the_field() -> None:
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
    with_omni = searched({"body": SEMANTIC_TEXT}, png(), inference_id=OMNI)  # the index is of the text model of the same space
    assert with_omni["retriever"] == {"standard": {"query": {"knn": {"field": "body", **knn}}}}
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
def test_a_knn_query_is_embedded_by_elasticsearch(endpoint: str, builder: Any) -> None:
    knn = {"knn": {"field": "vector", "k": 64, "num_candidates": 100, "query_vector_builder": builder}}
    assert searched({"vector": VECTOR}, "q", search_type="knn", inference_id=endpoint)["retriever"] == knn
    assert searched({"vector": VECTOR}, "q", {"inference_id": endpoint}, search_type="knn")["retriever"] == knn


def test_a_query_for_truncated_vectors_is_embedded_and_truncated_here() -> None:
    for settings in ({"dimensions": 32}, {}):  # without the setting, the field has the dimensions
        body = searched({"vector": {**VECTOR, "dims": 32}}, "q", search_type="knn", inference_id=TEXT, **settings)
        assert body["retriever"]["knn"]["query_vector"] == [1.0] + [0.0] * 31


def test_a_query_vector_of_the_caller() -> None:
    with pytest.raises(ConfigurationError, match="The query vector has 2 dimensions, and the vectors in 'v' have 1024"):
        searched({"v": VECTOR}, Query(None, None, [0.5, 0.5]), search_type="knn")
    body = searched({"body": SEMANTIC_TEXT}, Query("words", None, [0.5, 0.5]), search_type="hybrid")
    keyword, semantic = body["retriever"]["rrf"]["retrievers"]
    assert keyword == {"standard": {"query": {"match": {"text": {"query": "words"}}}}}
    assert semantic["standard"]["query"]["knn"]["query_vector"] == [0.5, 0.5]


def test_hybrid_search_applies_the_filter_to_both_retrievers() -> None:
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


def test_the_filter_applies_to_vector_search() -> None:
    knn = searched({"vector": VECTOR}, "q", search_type="knn", inference_id=TEXT, filters=(FILTER,))["retriever"]["knn"]
    assert knn["filter"] == [FILTER]
    standard = searched({"media": SEMANTIC}, png(), filters=(FILTER,))["retriever"]["standard"]
    assert standard["filter"] == standard["query"]["knn"]["filter"] == [FILTER]  # before and after the vector search


def test_weights() -> None:
    rrf = searched({"body": SEMANTIC_TEXT}, "q", search_type="hybrid", weights=(1.0, 2.0))["retriever"]["rrf"]
    assert [retriever["weight"] for retriever in rrf["retrievers"]] == [1.0, 2.0]
    linear = searched({"body": SEMANTIC_TEXT}, "q", search_type="hybrid", fusion="linear", weights=(0.2, 0.8))["retriever"][
        "linear"
    ]
    weights = [(retriever["weight"], retriever["normalizer"]) for retriever in linear["retrievers"]]
    assert weights == [(0.2, "minmax"), (0.8, "minmax")]


def test_the_reranker_is_the_outermost_retriever() -> None:
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


def test_relevance_scores_are_the_models_own() -> None:
    searcher = Searcher("docs", "semantic", None, "text", rerank_inference_id=".jina-reranker-v3")
    hits = [
        {"_id": str(n), "_index": "docs", "_score": score, "_source": {}} for n, score in enumerate((1.25, 1.0, math.exp(-0.5)))
    ]
    results, _ = feed(searcher.find(Query.of("q"), 3), answers({"body": SEMANTIC_TEXT}, hits=hits))
    assert [result.relevance_score for result in results] == pytest.approx([0.25, 0.0, -0.5])
    assert [result.hit.score for result in results] == [1.25, 1.0, math.exp(-0.5)]


@given(st.floats(-30, 30))
def test_a_score_survives_the_conversion_to_elasticsearch_and_back(score: float) -> None:
    assert model_score(elasticsearch_score(score)) == pytest.approx(score, abs=1e-9)


def test_the_text_of_a_hit() -> None:
    def texts(properties: dict[str, Any], source: Any, **settings: Any) -> list[str]:
        hits = [{"_id": "1", "_index": "docs", "_score": 1.0, "_source": source}]
        searcher = Searcher("docs", "semantic", None, **settings)
        results, _ = feed(searcher.find(Query.of("q"), 3), answers(properties, hits=hits))
        return [result.text for result in results]

    objects = {"body": SEMANTIC_TEXT, "doc": {"properties": {"body": {"type": "text"}}}}
    assert texts(objects, {"doc": {"body": "deep"}}, content_field="doc.body") == ["deep"]
    assert texts(objects, {"doc.body": "flat"}, content_field="doc.body") == ["flat"]
    assert texts({"body": SEMANTIC_TEXT}, {"text": ["a", "b"]}) == ["a\nb"]
    for source in ({}, {"text": None}):
        assert texts({"body": SEMANTIC_TEXT}, source) == [""]


def test_the_fields_that_a_search_returns() -> None:
    assert searched({"body": SEMANTIC_TEXT, "vector": VECTOR}, "q")["_source"] == {"excludes": ["body", "vector"]}
    assert searched({"body": SEMANTIC_TEXT}, "q", content_field="body")["_source"] is True
    assert searched({"body": SEMANTIC_TEXT, "text": {"type": "long"}}, "q", content_field="body")["_source"] is True
    assert searched({"body": SEMANTIC_TEXT}, "q", source_fields=["metadata.url"])["_source"] == {
        "includes": ["text", "metadata.url"]
    }
    assert searched({"body": SEMANTIC_TEXT}, "q", passages=2)["highlight"] == {
        "fields": {"body": {"number_of_fragments": 2, "order": "score"}},
        "max_analyzed_offset": -1,
    }


def test_a_minimum_score_stands_beside_the_retriever() -> None:
    """A knn retriever of Elasticsearch 9.5.3 accepts min_score and ignores it."""
    for properties, search_type in (({"v": VECTOR}, "knn"), ({"v": VECTOR}, "hybrid"), ({"body": SEMANTIC_TEXT}, "semantic")):
        body = searched(properties, "q", {"inference_id": TEXT}, search_type=search_type, min_score=0.03)
        assert body["min_score"] == 0.03
        assert "min_score" not in str(body["retriever"])


@pytest.mark.parametrize(
    ("settings", "allowed", "refused"),
    [
        ({"search_type": "hybrid"}, 0.032, 0.033),
        ({"search_type": "hybrid", "rank_constant": 1}, 1, 1.01),
        ({"search_type": "hybrid", "weights": (1.0, 3.0)}, 0.065, 0.066),
        ({"search_type": "hybrid", "fusion": "linear"}, 1, 1.1),
        ({"search_type": "hybrid", "fusion": "linear", "weights": (2.0, 1.0)}, 3, 3.1),
        ({"search_type": "semantic", "rerank_inference_id": ".jina-reranker-v3"}, 1, 50),
        ({"search_type": "hybrid", "rerank_inference_id": ".jina-reranker-v2"}, 0.9, 1.5),
        ({"search_type": "hybrid", "rerank_inference_id": "ours"}, 50, None),
        ({"search_type": "semantic"}, 50, None),  # a field may be compared by an inner product, which the search checks
    ],
)
def test_a_minimum_score_that_no_document_has_is_refused(settings: dict[str, Any], allowed: float, refused: float | None) -> None:
    common: dict[str, Any] = {"index": "kb", "field": None, **settings}
    Searcher(**common, min_score=allowed)
    if refused is not None:
        with pytest.raises(ConfigurationError, match=rf"min_score={refused:g}: the scores of .* no document would be returned"):
            Searcher(**common, min_score=refused)


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        (VECTOR, True),
        ({**VECTOR, "similarity": "l2_norm"}, True),
        ({**VECTOR, "similarity": "max_inner_product"}, False),
        ({**SEMANTIC_TEXT, "model_settings": {"similarity": "cosine"}}, True),
        (SEMANTIC_TEXT, False),  # as long as it has no vectors, its similarity is not known
    ],
)
def test_a_minimum_score_above_those_of_a_similarity_is_refused(field: Any, refused: bool) -> None:
    options = {"search_type": "knn" if field["type"] == "dense_vector" else "semantic", "min_score": 1.0000001}
    if not refused:
        assert searched({"v": field}, "q", {"inference_id": TEXT}, **options)["min_score"] == 1.0000001
        return
    with pytest.raises(ConfigurationError, match=r"min_score=1\.0000001: the scores of vectors in 'v' are from 0 to 1, so"):
        searched({"v": field}, "q", {"inference_id": TEXT}, **options)
    assert searched({"v": field}, "q", {"inference_id": TEXT}, **{**options, "min_score": 1.0})["min_score"] == 1.0


@pytest.mark.parametrize(
    ("options", "settings", "rescored"),
    [
        ({}, {"oversample": 10.0}, 10.0),  # the mapping of an old server does not state the index type
        ({"index_options": {"type": "bbq_hnsw"}}, {"oversample": 10.0}, 10.0),
        ({"index_options": {"type": "int8_hnsw"}}, {"oversample": 2.5}, 2.5),
        ({"index_options": {"type": "bbq_flat"}}, {"oversample": 10.0, "rank_window_size": 2000}, 5.0),
        ({"index_options": {"type": "bbq_flat"}}, {"oversample": 10.0, "rank_window_size": 9000}, 3.0),
        ({"element_type": "bfloat16"}, {"oversample": 10.0}, 10.0),
        ({"index_options": {"type": "int8_hnsw"}}, {"oversample": None}, None),
        ({"index_options": {"type": "hnsw"}}, {"oversample": 10.0}, None),
        ({"index_options": {"type": "flat"}}, {"oversample": 10.0}, None),
    ],
)
def test_quantised_vectors_are_rescored(options: dict[str, Any], settings: dict[str, Any], rescored: float | None) -> None:
    body = searched({"v": VECTOR | options}, "q", {"inference_id": TEXT}, search_type="knn", **settings)
    knn = body["retriever"]["knn"]
    assert knn.get("rescore_vector") == ({"oversample": rescored} if rescored else None)
    assert knn["k"] >= 64


def test_vectors_that_cannot_be_rescored_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jina_eis")
    for _ in range(3):
        field = {"v": VECTOR | {"element_type": "byte"}}
        body = searched(field, "q", {"inference_id": TEXT}, search_type="knn", oversample=10.0)
        assert "rescore_vector" not in body["retriever"]["knn"]
    (record,) = caplog.records
    assert record.getMessage().startswith("The field 'v' of the index 'docs' holds byte vectors")


@pytest.mark.parametrize(
    ("properties", "query", "settings", "message"),
    [
        ({}, "q", {}, """semantic" searches a field of type semantic_text or semantic. The index 'docs' has no such field, nor any other"""),
        ({"v": VECTOR}, "q", {}, "no such field, but v (dense_vector)."),
        ({"a": SEMANTIC_TEXT, "b": SEMANTIC}, "q", {}, "has a (semantic_text), b (semantic): choose one with field."),
        ({"a": SEMANTIC_TEXT}, "q", {"field": "b"}, "no field 'b', but a (semantic_text)."),
        ({"v": VECTOR}, "q", {"field": "v"}, """'v' is of type dense_vector, but search_type="semantic" searches semantic_text or semantic. Choose search_type="knn"."""),
        ({"a": SEMANTIC_TEXT}, "q", {"field": "text"}, """'text' is of type text, but search_type="semantic" searches semantic_text or semantic. The index has a (semantic_text)."""),
        ({"a": SEMANTIC_TEXT}, "q", {"search_type": "hybrid", "content_field": "body"}, "content_field='body' does not exist, and keyword search needs a text field. The index 'docs' has: text."),
        ({"a": SEMANTIC_TEXT}, "q", {"search_type": "hybrid", "content_field": "a"}, "content_field='a' is of type semantic_text"),
        ({"v": VECTOR}, "q", {"search_type": "knn"}, "does not name the endpoint of the vectors in 'v'. Pass inference_id."),
        ({"v": VECTOR}, "q", {"search_type": "knn", "inference_id": TEXT, "dimensions": 256}, "dimensions=256: the vectors in 'v' have 1024."),
        ({"a": SEMANTIC_TEXT}, "q", {"inference_id": ".jina-embeddings-v3"}, "different vector spaces. Use .jina-embeddings-v5-omni-small with .jina-embeddings-v5-text-small"),
        ({"a": SEMANTIC_TEXT}, png(), {}, "embeds only text. .jina-embeddings-v5-omni-small does, in the same vector space"),
        ({"a": SEMANTIC}, png(), {"search_type": "hybrid"}, "The query has no text, and hybrid search needs its words."),
        ({"a": SEMANTIC}, png(), {"rerank_inference_id": ".jina-reranker-v3"}, "The query has no text, and the reranker needs it."),
        ({"v": {**VECTOR, "dims": 32}}, pdf(), {"search_type": "knn", "inference_id": OMNI}, "A query has one vector"),
        ({"v": VECTOR}, "q", {"search_type": "knn", "inference_id": TEXT, "num_candidates": 10}, "num_candidates=10: 64 documents are ranked"),
        ({"a": SEMANTIC_TEXT}, "q", {"k": 100, "rank_window_size": 64}, "k=100: at most rank_window_size=64 documents are ranked. Raise rank_window_size."),
        ({"a": SEMANTIC_TEXT}, "q", {"k": 65, "rerank_inference_id": ".jina-reranker-v3"}, "or rerank with JinaEISRerank, which takes any number"),
    ],
)  # fmt: skip
def test_searches_that_are_refused(properties: dict[str, Any], query: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigurationError, InputError)) as caught:
        searched(properties, query, **settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rerank_inference_id": TEXT}, "is an endpoint for text_embedding, not for rerank"),
        (
            {"rerank_inference_id": ".jina-reranker-v3", "rank_window_size": 65},
            "rank_window_size=65: jina-reranker-v3 takes 64 documents in a call",
        ),
        ({"fusion": "linear", "rank_constant": 20}, "rank_constant applies only to"),
    ],
)
def test_invalid_settings_are_refused_before_a_request(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Searcher("docs", "semantic", None, "text", **settings)
    assert Searcher(
        "docs", "semantic", None, "text", rerank_inference_id=".jina-reranker-v2-base-multilingual", rank_window_size=500
    )


def test_an_incomplete_search_is_an_error() -> None:
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


HIDDEN = AuthorizationError("", status=403)
CHUNKS = {"rerank_inference_id": ".jina-reranker-v3", "rerank_chunks": 1}


def test_the_reranker_reads_passages() -> None:
    """The shape that the contract states: the size of a passage is always sent."""
    reranker = searched({"body": SEMANTIC_TEXT}, "q", **CHUNKS)["retriever"]["text_similarity_reranker"]
    assert reranker["chunk_rescorer"] == {
        "size": 1,
        "chunking_settings": {"strategy": "sentence", "max_chunk_size": 300, "sentence_overlap": 1},
    }
    settings = {"rerank_inference_id": ".jina-reranker-v3", "rerank_chunks": 4, "rank_window_size": 16, "rerank_chunk_words": 50}
    reranker = searched({"body": SEMANTIC_TEXT}, "q", **settings)["retriever"]["text_similarity_reranker"]
    assert reranker["chunk_rescorer"]["size"] == 4
    assert reranker["chunk_rescorer"]["chunking_settings"]["max_chunk_size"] == 50
    assert "chunk_rescorer" not in str(searched({"body": SEMANTIC_TEXT}, "q", rerank_inference_id=".jina-reranker-v3"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rerank_chunks": 1}, "rerank_chunks=1 applies only to a reranker. Pass rerank_inference_id."),
        ({"rerank_chunk_words": 200, "rerank_inference_id": ".jina-reranker-v3"}, "Pass rerank_chunks as well."),
        (
            {**CHUNKS, "rerank_chunks": 3},
            "rank_window_size=64 and rerank_chunks=3 are 192 passages in one call, and jina-reranker-v3 takes 64. "
            "Choose rank_window_size=21, or fewer rerank_chunks.",
        ),
    ],
)
def test_settings_of_passages_that_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Searcher("docs", "semantic", None, "text", **settings)
    assert message in str(caught.value)


def test_diversity_is_outermost() -> None:
    settings = {"search_type": "hybrid", "rerank_inference_id": ".jina-reranker-v3", "rank_window_size": 40, "diversify": 0.7}
    builder = {"text_embedding": {"model_text": "q", "model_id": TEXT}}
    plain = searched({"v": VECTOR}, "q", {"inference_id": TEXT}, **{**settings, "diversify": None})
    body = searched({"v": VECTOR}, "q", {"inference_id": TEXT}, **settings)
    diversify = body["retriever"]["diversify"]
    assert diversify.pop("retriever") == plain["retriever"]
    assert diversify == {
        "type": "mmr",
        "field": "v",
        "lambda": 0.7,
        "size": 3,
        "rank_window_size": 40,
        "query_vector_builder": builder,
    }


def test_the_query_of_diversity() -> None:
    text = searched({"body": SEMANTIC_TEXT}, "q", diversify=0.0)["retriever"]["diversify"]
    assert text["query_vector_builder"] == {"text_embedding": {"model_text": "q", "model_id": TEXT}}
    assert text["retriever"] == {"standard": {"query": {"match": {"body": {"query": "q"}}}}}
    assert (text["lambda"], text["field"], text["rank_window_size"]) == (0.0, "body", 64)
    truncated = {"v": {**VECTOR, "dims": 32}}
    knn = searched(truncated, "q", search_type="knn", inference_id=TEXT, diversify=0.5)["retriever"]["diversify"]
    assert knn["query_vector"] == knn["retriever"]["knn"]["query_vector"] == [1.0] + [0.0] * 31
    given = searched({"v": {**VECTOR, "dims": 2}}, Query(None, None, [0.5, 0.5]), search_type="knn", diversify=0.5)
    assert given["retriever"]["diversify"]["query_vector"] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("properties", "settings", "version", "message"),
    [
        ({"v": VECTOR}, {"diversify": 0.5}, "9.2.4", "diversify needs Elasticsearch 9.3; this deployment has 9.2.4"),
        ({"a": SEMANTIC_TEXT}, {"diversify": 0.5}, "9.5.3", "a semantic_text field needs Elasticsearch 9.6; this deployment has 9.5.3"),
        ({"a": SEMANTIC_TEXT}, {"diversify": 0.5}, HIDDEN, "needs Elasticsearch 9.6, and this key may not see the version of the deployment; an older one returns no hits. Give the key the cluster privilege monitor"),
        ({"a": SEMANTIC}, {"diversify": 0.5}, "9.6.0", "diversify compares the vectors of a dense_vector or semantic_text field, and 'a' is of type semantic."),
        ({"a": {**SEMANTIC_TEXT, "inference_id": "elser"}}, {"diversify": 0.5}, "9.6.0", "elser is an endpoint for sparse_embedding, not for dense vectors."),
        ({"a": SEMANTIC_TEXT}, CHUNKS, "9.1.0", "rerank_chunks needs Elasticsearch 9.2; this deployment has 9.1.0"),
    ],
)  # fmt: skip
def test_features_of_other_versions(properties: dict[str, Any], settings: dict[str, Any], version: Any, message: str) -> None:
    search_type = "knn" if "v" in properties else "semantic"
    searcher = Searcher("docs", search_type, None, inference_id=TEXT if search_type == "knn" else None, **settings)
    hand = answers(properties, version=version)
    elser = {"inference_id": "elser", "task_type": "sparse_embedding", "service": "elastic"}
    with pytest.raises(ConfigurationError) as caught:
        feed(searcher.find(Query.of("q"), 3), lambda call: {"endpoints": [elser]} if "elser" in call.path else hand(call))
    assert message in str(caught.value)


def test_a_feature_is_tried_where_the_version_is_not_known() -> None:
    assert searched({"v": VECTOR}, "q", {"inference_id": TEXT}, search_type="knn", diversify=0.5, version=HIDDEN)
    assert searched({"a": SEMANTIC_TEXT}, "q", version=HIDDEN, **CHUNKS)


@pytest.mark.parametrize("group", ["settings", "defaults"])
def test_an_index_that_keeps_vectors_in_its_documents(group: str) -> None:
    """By its setting, or by the default for indices that a version before 9.2 made."""
    kept = {"settings": {"index": {"uuid": "x"}}, group: {"index": {"mapping": {"exclude_source_vectors": "false"}}}}
    with pytest.raises(ConfigurationError, match=r"index\.mapping\.exclude_source_vectors: false, with which diversify"):
        searched({"v": VECTOR}, "q", search_type="knn", inference_id=TEXT, diversify=0.5, described=kept)
    assert searched({"v": VECTOR}, "q", search_type="knn", inference_id=TEXT, diversify=0.5, described={"settings": {}})
    for wrong in ({"settings": [1]}, "x", {"settings": {"index": [1]}}):
        with pytest.raises(InvalidAnswerError):
            searched({"v": VECTOR}, "q", search_type="knn", inference_id=TEXT, diversify=0.5, described=wrong)
