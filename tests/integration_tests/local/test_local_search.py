"""Storage and search of the embedded EIS: indices, documents, queries, retrievers, score formulas and refusals."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn")

from contract import openapi
from elasticsearch import ApiError, BadRequestError, ConflictError, Elasticsearch, NotFoundError
from elasticsearch.helpers import bulk, streaming_bulk

from jina_eis.local import LocalEIS

TEXT_SMALL, OMNI_NANO = ".jina-embeddings-v5-text-small", ".jina-embeddings-v5-omni-nano"
RERANKER = ".jina-reranker-v3"
# Missing in the official OpenAPI: lists as values of `fields`, scalar values of `_meta`, `dynamic` as a boolean, some paths,
# and the type `semantic`.
NOT_IN_OPENAPI = re.compile(r"at \['hits', 'hits', \d+, 'fields'|'_meta'|'dynamic'|the path is not in the OpenAPI|'semantic'")
NDJSON = {"content-type": "application/x-ndjson"}
PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as server:
        yield server


@pytest.fixture
def eis(server: LocalEIS) -> Iterator[LocalEIS]:
    server.faults.clear()
    server.clear()
    yield server
    server.faults.clear()
    problems = [
        f"{exchange.method} {exchange.path}: {problem}"
        for exchange in server.requests
        if exchange.status in (200, 201)
        for problem in openapi.problems(exchange)
        if problem.startswith("answer") and not NOT_IN_OPENAPI.search(problem)
    ]
    assert not problems, "\n".join(problems)


@pytest.fixture
def es(eis: LocalEIS) -> Iterator[Elasticsearch]:
    with Elasticsearch(eis.url, max_retries=0, request_timeout=30) as client:
        yield client
        for name in {exchange.path.split("/")[1] for exchange in eis.requests}:
            if not name.startswith("_"):
                client.options(ignore_status=[400, 404, 501]).indices.delete(index=name)


@pytest.fixture
def http(eis: LocalEIS) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=eis.url, timeout=30) as client:
        yield client


def create_index(es: Elasticsearch, docs: dict[str, dict[str, Any]], index: str = "docs", **properties: Any) -> None:
    es.indices.create(index=index, mappings={"properties": properties})
    for doc_id, source in docs.items():
        es.index(index=index, id=doc_id, document=source, refresh=True)


def scores(es: Elasticsearch, index: str = "docs", **body: Any) -> dict[str, float]:
    """Return the ids and scores of the hits, in order."""
    hits = es.search(index=index, **body)["hits"]["hits"]
    assert [hit["_score"] for hit in hits] == sorted((hit["_score"] for hit in hits), reverse=True)
    return {hit["_id"]: hit["_score"] for hit in hits}


def hit_ids(es: Elasticsearch, query: Any, index: str = "docs", **body: Any) -> list[str]:
    return list(scores(es, index, query=query, **body))


def innermost(error: Any) -> dict[str, Any]:
    """Return the innermost error: a suppressed error, a shard failure or a cause."""
    error = error.body["error"] if isinstance(error, ApiError) else error
    while deeper := [
        *error.get("suppressed", ()),
        *(shard["reason"] for shard in error.get("failed_shards", ())),
        error.get("caused_by"),
    ]:
        if deeper[0] is None:
            break
        error = deeper[0]
    return dict(error)


# Indices and mappings


def test_lifecycle_of_an_index(es: Elasticsearch) -> None:
    assert not es.indices.exists(index="life")
    mappings = {"_meta": {"by": "test"}, "properties": {"text": {"type": "text"}, "vector": {"type": "dense_vector", "dims": 3}}}
    created = es.indices.create(
        index="life", mappings=mappings, settings={"index.refresh_interval": "5s", "number_of_replicas": 0}
    )
    assert created.body == {"acknowledged": True, "shards_acknowledged": True, "index": "life"}
    assert es.indices.exists(index="life")
    life = es.indices.get(index="life")["life"]
    assert life["mappings"]["_meta"] == {"by": "test"}
    assert life["mappings"]["properties"]["vector"] == {
        "type": "dense_vector",
        "dims": 3,
        "index": True,
        "similarity": "cosine",
        "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100},
    }
    assert life["settings"]["index"]["refresh_interval"] == "5s" and life["settings"]["index"]["number_of_replicas"] == "0"
    es.indices.put_mapping(
        index="life", properties={"lang": {"type": "keyword"}, "meta": {"properties": {"n": {"type": "long"}}}}
    )
    properties = es.indices.get_mapping(index="life")["life"]["mappings"]["properties"]
    assert list(properties) == ["text", "vector", "lang", "meta"]
    assert es.indices.refresh(index="life")["_shards"]["failed"] == 0
    with pytest.raises(BadRequestError, match=r"resource_already_exists_exception.*index \[life/.*\] already exists"):
        es.indices.create(index="life")
    assert es.indices.delete(index="life").body == {"acknowledged": True}
    with pytest.raises(NotFoundError, match=r"index_not_found_exception.*no such index \[life\]"):
        es.indices.get(index="life")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Upper", "must be lowercase"),
        ("-dash", "must not begin with _, - or +"),
        ("a b", "nor contain ["),
        ("a:b", "nor contain ["),
        ("x" * 256, "of 1 to 255 bytes"),
    ],
)
def test_invalid_index_names(es: Elasticsearch, name: str, problem: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        es.indices.create(index=name)
    assert caught.value.error == "invalid_index_name_exception" and problem in innermost(caught.value)["reason"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ({"type": "foo"}, "The mapper type [foo] declared on field [inner.f] does not exist"),
        ({"type": "text", "foo": 1}, "unknown parameter [foo] on mapper [f] of type [text]"),
        ({"analyzer": "standard"}, "The mapper type [None] declared on field [inner.f] does not exist"),
        ({"type": "text", "similarity": "mine"}, "Unknown Similarity type [mine] for field [inner.f]"),
        ({"type": "dense_vector", "dims": 5000}, "in the range [1, 4096] but was [5000]"),
        ({"type": "dense_vector", "similarity": "foo"}, "Unknown value [foo] for field [similarity]"),
        ({"type": "semantic"}, "Field [inference_id] is required on field [inner.f]"),
        ({"type": "semantic", "inference_id": TEXT_SMALL}, "Wrong [task_type], expected embedding, got text_embedding"),
        ({"type": "semantic_text", "inference_id": RERANKER}, "embedding, got rerank, for [inference_id] [.jina-reranker-v3]"),
        (
            {"type": "semantic_text", "search_inference_id": RERANKER},
            "[search_inference_id] [.jina-reranker-v3] on field [inner.f]",
        ),
        (
            {"type": "semantic_text", "chunking_settings": {"max_chunk_size": 5}},
            "greater than or equal to [20]",
        ),
    ],
)
def test_invalid_mappings(es: Elasticsearch, field: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        es.indices.create(index="wrong", mappings={"properties": {"inner": {"properties": {"f": field}}}})
    assert caught.value.error == "mapper_parsing_exception" and text in caught.value.body["error"]["reason"]
    assert not es.indices.exists(index="wrong")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"mappings": {"properties": {"f": {"type": "nested"}}}}, "type [nested] of field [f]"),
        ({"mappings": {"properties": {"f": {"type": "text", "analyzer": "english"}}}}, "analyzer [english] of field [f]"),
        ({"mappings": {"properties": {"f": {"type": "dense_vector", "element_type": "byte"}}}}, "element_type [byte]"),
        ({"mappings": {"properties": {"f": {"type": "date", "format": "dd/MM/yyyy"}}}}, "format [dd/MM/yyyy] of field [f]"),
        (
            {"mappings": {"properties": {"f": {"type": "semantic_text", "chunking_settings": {"strategy": "word"}}}}},
            "chunking_settings.strategy: word",
        ),
        (
            {"mappings": {"dynamic_templates": [{"texts": {"match_pattern": "regex", "mapping": {}}}]}},
            "dynamic_templates.texts.match_pattern",
        ),
        ({"mappings": {"properties": 5}}, "[properties] that is no object"),
        ({"mappings": {"properties": {"f": {"type": "semantic_text", "index_options": 5}}}}, "[index_options] that is no object"),
        ({"settings": {"analysis": {"analyzer": {"mine": {"type": "standard"}}}}}, "settings.index.analysis"),
    ],
)
def test_unsupported_index_options(http: httpx.Client, body: Any, text: str) -> None:
    answer = http.put("/notdone", json=body)
    assert answer.status_code == 501 and f"does not implement [{text}" in answer.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n": {"type": "text"}}, "mapper [n] cannot be changed from type [integer] to [text]"),
        ({"v": {"type": "dense_vector", "dims": 5}}, "cannot update parameters ['dims']"),
        ({"s": {"type": "semantic_text", "inference_id": OMNI_NANO}}, "cannot update parameters ['inference_id']"),
        ({"n": {"properties": {"x": {"type": "long"}}}}, "mapper [n] cannot be changed from type [integer] to [object]"),
    ],
)
def test_incompatible_changes_of_fields(es: Elasticsearch, change: Any, text: str) -> None:
    create_index(es, {}, n={"type": "integer"}, v={"type": "dense_vector", "dims": 3}, s={"type": "semantic_text"})
    with pytest.raises(BadRequestError) as caught:
        es.indices.put_mapping(index="docs", properties=change)
    assert text in innermost(caught.value)["reason"]
    es.indices.put_mapping(
        index="docs", properties={"s": {"type": "semantic_text", "inference_id": TEXT_SMALL, "search_inference_id": OMNI_NANO}}
    )


def test_types_of_dynamic_fields(es: Elasticsearch) -> None:
    vector = [0.5] * 128
    source = {"s": "x", "i": 1, "f": 1.5, "b": True, "d": "2024-05-06T07:08:09Z", "o": {"p": [1, 2]}, "v": vector, "none": None}
    es.index(index="dynamic", id="1", document={**source, "dotted.name": "y", "o.q": 2, "empty": []}, refresh=True)
    properties = es.indices.get_mapping(index="dynamic")["dynamic"]["mappings"]["properties"]
    text = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    assert properties == {
        "s": text,
        "i": {"type": "long"},
        "f": {"type": "float"},
        "b": {"type": "boolean"},
        "d": {"type": "date"},
        "o": {"properties": {"p": {"type": "long"}, "q": {"type": "long"}}},
        "v": {"type": "dense_vector", "dims": 128, "index": True, "similarity": "cosine"}
        | {"index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100}},
        "dotted": {"properties": {"name": text}},
    }
    assert hit_ids(es, {"term": {"dotted.name.keyword": "y"}}, "dynamic") == ["1"]


def test_strict_and_static_mappings(es: Elasticsearch) -> None:
    es.indices.create(index="strict", mappings={"dynamic": "strict", "properties": {"a": {"type": "keyword"}}})
    with pytest.raises(BadRequestError, match=r"strict_dynamic_mapping_exception.*dynamic introduction of \[b\] within \[_doc\]"):
        es.index(index="strict", document={"b": 1})
    es.indices.create(index="static", mappings={"dynamic": False, "properties": {"a": {"type": "keyword"}}})
    es.index(index="static", id="1", document={"a": "x", "b": 1})
    assert es.get(index="static", id="1")["_source"] == {"a": "x", "b": 1}
    assert hit_ids(es, {"term": {"b": 1}}, "static") == []
    assert list(es.indices.get_mapping(index="static")["static"]["mappings"]["properties"]) == ["a"]


# Documents


def lines(*items: Any) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def test_results_of_bulk_items(http: httpx.Client, es: Elasticsearch) -> None:
    create_index(es, {"old": {"n": 1, "o": {"a": 1}}}, n={"type": "integer"}, v={"type": "dense_vector", "dims": 4})
    body = lines(
        *({"index": {"_id": "a"}}, {"n": 1, "v": [1, 0, 0, 0]}),
        *({"index": {"_id": "b"}}, {"v": [1, 0, 0]}),
        *({"create": {"_id": "old"}}, {"n": 2}),
        *({"update": {"_id": "old"}}, {"doc": {"o": {"b": 2}}}),
        *({"update": {"_id": "none"}}, {"doc": {"n": 2}}),
        *({"update": {"_id": "new"}}, {"doc": {"n": 2}, "doc_as_upsert": True}),
        {"delete": {"_id": "a"}},
        {"delete": {"_id": "a"}},
        *({"index": {"_id": "a", "_index": "other"}}, {"n": "no number here"}),
        *({"index": {"_id": "c"}}, {"n": "no number"}),
        *({"index": {"_id": "old"}}, {"n": "7"}),
        *({"update": {"_id": "old"}}, {"doc": {"n": "7"}}),
    )
    answer = http.post("/docs/_bulk", content=body, params={"refresh": "true"}, headers=NDJSON).json()
    assert answer["errors"] is True
    results = [
        (kind, item["_id"], item["status"], item.get("result")) for entry in answer["items"] for kind, item in entry.items()
    ]
    assert results == [
        ("index", "a", 201, "created"),
        ("index", "b", 400, None),
        ("create", "old", 409, None),
        ("update", "old", 200, "updated"),
        ("update", "none", 404, None),
        ("update", "new", 201, "created"),
        ("delete", "a", 200, "deleted"),
        ("delete", "a", 404, "not_found"),
        ("index", "a", 201, "created"),
        ("index", "c", 400, None),
        ("index", "old", 200, "updated"),
        ("update", "old", 200, "noop"),
    ]
    errors = [item["error"] for entry in answer["items"] for item in entry.values() if "error" in item]
    assert [error["type"] for error in errors] == [
        "document_parsing_exception",
        "version_conflict_engine_exception",
        "document_missing_exception",
        "document_parsing_exception",
    ]
    assert errors[0]["caused_by"]["reason"] == (
        "The [dense_vector] field [v] in doc [document with id 'b'] has a different dimension [3] than defined in the mapping [4]"
    )
    assert errors[3]["reason"].startswith("[1:1] failed to parse field [n] of type [integer] in document with id 'c'.")
    assert errors[3]["caused_by"] == {"type": "illegal_argument_exception", "reason": 'For input string: "no number"'}
    assert es.get(index="docs", id="old").body["_version"] == 3
    assert es.mget(index="docs", ids=["old", "a"])["docs"][0]["_source"] == {"n": "7"}
    assert es.count(index="docs")["count"] == 2


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "request body is required"),
        ('{"index":{"_id":"1"}}\n{"a":1}', "must be terminated by a newline"),
        (
            '{"foo":{"_id":"1"}}\n{"a":1}\n',
            "expected one of create, delete, index, update, got {'foo': {'_id': '1'}}",
        ),
        ('{"index":{"_id":"1","foo":1}}\n{"a":1}\n', "Action/metadata line [1] contains an unknown parameter [foo]"),
        ('{"index":{"_id":"1","pipeline":"p"}}\n{"a":1}\n', "does not implement [pipeline in a bulk action]"),
        ('{"update":{"_id":"1"}}\n{"script":"x"}\n', "does not implement [[script] in an update]"),
    ],
)
def test_refused_bulk_requests(http: httpx.Client, body: str, text: str) -> None:
    answer = http.post("/refused/_bulk", content=body, headers=NDJSON)
    assert answer.status_code in (400, 501) and text in answer.json()["error"]["reason"]


def test_single_documents(es: Elasticsearch) -> None:
    first = es.index(index="single", id="a/b c", document={"t": "x"})
    assert (first["result"], first["_version"]) == ("created", 1)
    assert es.index(index="single", id="a/b c", document={"t": "y"})["_version"] == 2
    assert es.exists(index="single", id="a/b c") and not es.exists(index="single", id="missing")
    with pytest.raises(ConflictError, match="document already exists"):
        es.create(index="single", id="a/b c", document={"t": "z"})
    new_id = es.index(index="single", document={"t": "without an id"})["_id"]
    assert es.get(index="single", id=new_id, source_includes=["t"])["_source"] == {"t": "without an id"}
    es.update(index="single", id=new_id, doc={"u": 1})
    assert es.get(index="single", id=new_id)["_source"] == {"t": "without an id", "u": 1}
    assert es.delete(index="single", id=new_id)["result"] == "deleted"
    with pytest.raises(NotFoundError):
        es.delete(index="single", id=new_id)
    with pytest.raises(NotFoundError) as caught:
        es.get(index="single", id=new_id)
    assert caught.value.body == {"_index": "single", "_id": new_id, "found": False}
    assert es.mget(index="nowhere", ids=["1"])["docs"][0]["error"]["type"] == "index_not_found_exception"
    assert "_source" not in es.mget(index="single", ids=["a/b c"], source=False)["docs"][0]
    with pytest.raises(BadRequestError, match=r"id .* is too long"):
        es.index(index="single", id="x" * 513, document={})


def test_delete_by_query(es: Elasticsearch) -> None:
    create_index(es, {str(n): {"n": n, "v": [n, 1.0]} for n in range(1, 6)}, v={"type": "dense_vector", "dims": 2})
    assert es.delete_by_query(index="docs", query={"range": {"n": {"gt": 3}}}, refresh=True)["deleted"] == 2
    assert es.delete_by_query(index="docs", query={"term": {"n": 1}}, refresh=True)["deleted"] == 1
    assert hit_ids(es, {"match_all": {}}) == ["2", "3"]
    assert len(scores(es, knn={"field": "v", "query_vector": [1, 1], "k": 10, "num_candidates": 10})) == 2


def test_source_filters_and_the_exclusion_of_vectors(es: Elasticsearch, http: httpx.Client) -> None:
    create_index(es, {"1": {"v": [1, 0], "o": {"a": 1, "b": [{"c": 2, "d": 3}]}}}, v={"type": "dense_vector", "dims": 2})
    everything = {"v": [1, 0], "o": {"a": 1, "b": [{"c": 2, "d": 3}]}}

    def source(filters: Any) -> Any:
        return http.post("/docs/_search", json={"_source": filters}).json()["hits"]["hits"][0].get("_source")

    assert source(True) == source(["o"]) == {"o": everything["o"]}
    assert source("*") == everything  # a pattern that matches a vector shows it
    assert source(False) is None
    assert source({"exclude_vectors": False}) == everything
    assert source(["v", "o.a"]) == {"v": [1, 0], "o": {"a": 1}}
    assert source({"excludes": ["o.b.*"]}) == {"o": {"a": 1, "b": [{}]}}
    assert source({"includes": ["o.*"], "excludes": ["o.a"]}) == {"o": {"b": [{"c": 2, "d": 3}]}}
    assert es.get(index="docs", id="1")["_source"] == {"o": everything["o"]}
    assert http.get("/docs/_doc/1", params={"_source_exclude_vectors": "false"}).json()["_source"] == everything
    es.indices.create(index="with-vectors", settings={"index.mapping.exclude_source_vectors": False}, mappings={"properties": {}})
    es.indices.put_mapping(index="with-vectors", properties={"v": {"type": "dense_vector", "dims": 2}})
    es.index(index="with-vectors", id="1", document=everything)
    assert es.get(index="with-vectors", id="1")["_source"] == everything


# Words and exact values


def test_bm25_against_manual_calculation(es: Elasticsearch) -> None:
    create_index(
        es,
        {"1": {"t": "ice ice flows"}, "2": {"t": "ice"}, "3": {"t": "bread rises slowly in ovens"}, "4": {}},
        t={"type": "text"},
    )
    # Three documents have the field, with (3 + 1 + 5) / 3 = 3 words on average; two of them contain "ice".
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    assert idf == pytest.approx(0.470004)
    assert scores(es, query={"match": {"t": "Ice"}}) == {
        "1": pytest.approx(2.2 * idf * 2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 3)), abs=1e-6),  # 0.646255
        "2": pytest.approx(2.2 * idf * 1 / (1 + 1.2 * (0.25 + 0.75 * 1 / 3)), abs=1e-6),  # 0.646255
    }
    bread = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    assert scores(es, query={"match": {"t": {"query": "bread ovens", "boost": 2}}}) == {
        "3": pytest.approx(2 * 2 * 2.2 * bread / (1 + 1.2 * (0.25 + 0.75 * 5 / 3)), abs=1e-6)
    }
    assert scores(es, query={"term": {"t": "ice"}}) == scores(es, query={"match": {"t": "ice"}})


def test_bm25_parameters_of_an_index(es: Elasticsearch) -> None:
    settings = {"similarity": {"mine": {"type": "BM25", "k1": 2.0, "b": 0.0}}}
    mappings = {"properties": {"t": {"type": "text", "similarity": "mine"}}}
    es.indices.create(index="tuned", settings=settings, mappings=mappings)
    es.index(index="tuned", id="1", document={"t": "ice ice flows"}, refresh=True)
    assert scores(es, "tuned", query={"match": {"t": "ice"}}) == {
        "1": pytest.approx(3 * math.log(1 + 0.5 / 1.5) * 2 / (2 + 2), abs=1e-6)
    }


def test_scores_of_keywords_and_numbers(es: Elasticsearch) -> None:
    create_index(es, {"1": {"k": "a", "n": 1}, "2": {"k": "b", "n": 1}, "3": {"k": "b", "n": 2}}, k={"type": "keyword"})
    assert scores(es, query={"term": {"k": "a"}}) == {"1": pytest.approx(math.log(1 + 2.5 / 1.5), abs=1e-6)}
    assert scores(es, query={"match": {"k": "b"}}) == dict.fromkeys(["2", "3"], pytest.approx(math.log(1 + 1.5 / 2.5), abs=1e-6))
    assert scores(es, query={"terms": {"k": ["a", "b"], "boost": 3}}) == dict.fromkeys(["1", "2", "3"], 3.0)
    assert scores(es, query={"term": {"n": 1}}) == {"1": 1.0, "2": 1.0}


WORDS = {
    "1": {"title": "Glacier", "body": "A glacier is ice that flows.", "n": 1, "day": "2024-01-31", "tag": ["a", "b"], "ok": True},
    "2": {
        "title": "Bread",
        "body": "Bread rises, don't ask why.",
        "n": 2,
        "day": "2024-02-01T12:00:00Z",
        "tag": "b",
        "ok": False,
    },
    "3": {
        "title": "Ice cream",
        "body": "Bread and ice: a café's 東京 lunch, v1.5!",
        "n": 3.9,
        "o": {"p": "q"},
        "two": ["cold water", "again"],
    },
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match_all": {}}, {"1", "2", "3"}),
        ({"match_none": {}}, set()),
        ({"match": {"body": "ice bread"}}, {"1", "2", "3"}),
        ({"match": {"body": {"query": "ice bread", "operator": "and"}}}, {"3"}),
        ({"bool": {"should": [{"term": {"n": 1}}, {"term": {"tag": "b"}}], "minimum_should_match": 2}}, {"1"}),
        ({"match": {"body": "DON'T"}}, {"2"}),
        ({"match": {"body": "don t"}}, set()),
        ({"match": {"body": "京"}}, {"3"}),
        ({"match": {"body": "café's"}}, {"3"}),
        ({"match": {"body": "v1.5"}}, {"3"}),
        ({"match": {"body": '"{}[]<script>'}}, set()),
        ({"match": {"body": ""}}, set()),
        ({"match": {"n": 2}}, {"2"}),
        ({"match": {"tag": "b"}}, {"1", "2"}),
        ({"match": {"nowhere": "x"}}, set()),
        ({"match_phrase": {"body": "ice that flows"}}, {"1"}),
        ({"match_phrase": {"body": "flows that"}}, set()),
        ({"match_phrase": {"two": "cold water"}}, {"3"}),
        ({"match_phrase": {"two": "water again"}}, set()),
        ({"term": {"tag": "a"}}, {"1"}),
        ({"term": {"ok": True}}, {"1"}),
        ({"term": {"ok": "false"}}, {"2"}),
        ({"term": {"body": "Bread"}}, set()),
        ({"term": {"_id": "2"}}, {"2"}),
        ({"terms": {"_id": ["1", "3", "9"]}}, {"1", "3"}),
        ({"terms": {"tag": []}}, set()),
        ({"range": {"n": {"gte": 2}}}, {"2", "3"}),
        ({"range": {"n": {"gt": 1.5, "lte": 3}}}, {"2", "3"}),
        ({"range": {"day": {"gte": "2024-02"}}}, {"2"}),
        ({"range": {"day": {"lt": 1706745600000}}}, {"1"}),
        ({"bool": {"must_not": {"term": {"n": 99}}}}, {"1", "2", "3"}),
        ({"range": {"tag": {"gt": "a"}}}, {"1", "2"}),
        ({"exists": {"field": "tag"}}, {"1", "2"}),
        ({"exists": {"field": "o"}}, {"3"}),
        ({"exists": {"field": "body"}}, {"1", "2", "3"}),
        ({"ids": {"values": ["1", "2"]}}, {"1", "2"}),
        ({"constant_score": {"filter": {"match": {"body": "ice"}}, "boost": 7}}, {"1", "3"}),
        ({"bool": {}}, {"1", "2", "3"}),
        ({"bool": {"must": {"match": {"body": "ice"}}, "must_not": [{"term": {"tag": "a"}}]}}, {"3"}),
        ({"bool": {"filter": [{"term": {"tag": "b"}}, {"term": {"n": 2}}]}}, {"2"}),
        ({"bool": {"should": [{"term": {"n": 1}}, {"term": {"n": 2}}]}}, {"1", "2"}),
        ({"bool": {"should": [{"term": {"n": 1}}], "filter": {"match_all": {}}}}, {"1", "2", "3"}),
        ({"bool": {"must_not": {"term": {"tag": "b"}}}}, {"3"}),
    ],
)
def test_queries(es: Elasticsearch, query: Any, expected: set[str]) -> None:
    keyword = {"type": "keyword"}
    create_index(
        es, WORDS, n={"type": "integer"}, tag=keyword, ok={"type": "boolean"}, day={"type": "date"}, body={"type": "text"}
    )
    assert set(hit_ids(es, query)) == expected
    assert es.count(index="docs", query=query)["count"] == len(expected)


def test_scores_of_compound_queries(es: Elasticsearch) -> None:
    create_index(es, WORDS, tag={"type": "keyword"}, body={"type": "text"}, title={"type": "text"})
    ice = scores(es, query={"match": {"body": "ice"}})
    both = {"must": [{"match": {"body": "ice"}}], "should": [{"constant_score": {"filter": {"term": {"tag": "a"}}}}]}
    assert scores(es, query={"bool": both}) == {"1": pytest.approx(ice["1"] + 1), "3": pytest.approx(ice["3"])}
    assert scores(es, query={"bool": {"filter": {"match": {"body": "ice"}}}}) == {"1": 0.0, "3": 0.0}
    assert scores(es, query={"match": {"body": "ice"}}, min_score=ice["1"] + 1e-3) == {
        doc: score for doc, score in ice.items() if score > ice["1"]
    }


def test_pages_totals_and_equal_scores(es: Elasticsearch) -> None:
    create_index(es, {str(n): {"n": n} for n in range(25)})
    assert hit_ids(es, {"match_all": {}}) == [str(n) for n in range(10)]
    assert hit_ids(es, {"match_all": {}}, from_=20, size=10) == ["20", "21", "22", "23", "24"]
    es.index(index="docs", id="0", document={"n": 0}, refresh=True)
    assert hit_ids(es, {"match_all": {}}, from_=20, size=10)[-1] == "0", "a replaced document becomes the newest"
    hits = es.search(index="docs", size=0, track_total_hits=7)["hits"]
    assert (
        hits.body if hasattr(hits, "body") else hits == {"total": {"value": 7, "relation": "gte"}, "max_score": None, "hits": []}
    )
    assert "total" not in es.search(index="docs", track_total_hits=False)["hits"]
    with pytest.raises(BadRequestError, match="Result window is too large"):
        es.search(index="docs", from_=9_999, size=2)


# Vectors

UNIT = {"1": [1.0, 0.0], "2": [0.6, 0.8], "3": [-1.0, 0.0]}


@pytest.mark.parametrize(
    ("similarity", "query", "expected"),
    [
        ("cosine", [2.0, 0.0], {"1": 1.0, "2": 0.8, "3": 0.0}),
        ("dot_product", [1.0, 0.0], {"1": 1.0, "2": 0.8, "3": 0.0}),
        ("l2_norm", [1.0, 0.0], {"1": 1.0, "2": 1 / (1 + 0.16 + 0.64), "3": 0.2}),
        ("max_inner_product", [2.0, 0.0], {"1": 3.0, "2": 2.2, "3": 1 / 3}),
    ],
)
def test_similarities_against_manual_calculation(
    es: Elasticsearch, similarity: str, query: list[float], expected: dict[str, float]
) -> None:
    create_index(
        es, {doc: {"v": vector} for doc, vector in UNIT.items()}, v={"type": "dense_vector", "dims": 2, "similarity": similarity}
    )
    knn = {"field": "v", "query_vector": query, "k": 10, "num_candidates": 10}
    approximately = {doc: pytest.approx(score, abs=1e-6) for doc, score in expected.items()}
    assert scores(es, knn=knn) == scores(es, query={"knn": knn}) == scores(es, retriever={"knn": knn}) == approximately
    assert scores(es, knn={**knn, "k": 1}) == {"1": approximately["1"]}
    threshold = {"cosine": 0.6, "dot_product": 0.6, "l2_norm": math.sqrt(0.8), "max_inner_product": 1.2}[similarity]
    assert list(scores(es, knn={**knn, "similarity": threshold})) == ["1", "2"]


def test_knn_with_queries_and_filters(es: Elasticsearch) -> None:
    docs = {doc: {"v": vector, "n": int(doc), "t": "ice"} for doc, vector in UNIT.items()}
    create_index(es, docs, v={"type": "dense_vector", "dims": 2}, t={"type": "text"})
    knn = {"field": "v", "query_vector": [1, 0], "k": 2, "num_candidates": 2}
    words = scores(es, query={"match": {"t": "ice"}})
    assert scores(es, query={"match": {"t": "ice"}}, knn={**knn, "boost": 2}) == {
        "1": pytest.approx(words["1"] + 2.0),
        "2": pytest.approx(words["2"] + 1.6),
        "3": pytest.approx(words["3"]),
    }
    assert scores(es, knn=[knn, {**knn, "k": 1}]) == {"1": 2.0, "2": pytest.approx(0.8)}
    from_two = {"range": {"n": {"gte": 2}}}
    assert list(scores(es, knn={**knn, "filter": from_two})) == ["2", "3"], "the filter applies before the search"
    assert hit_ids(es, {"bool": {"must": {"knn": knn}, "filter": from_two}}) == ["2"], "here it applies after the search"
    assert list(scores(es, retriever={"knn": {**knn, "filter": [from_two]}})) == ["2", "3"]
    assert list(scores(es, retriever={"standard": {"query": {"knn": knn}, "filter": from_two}})) == ["2"]
    assert scores(es, knn={**knn, "field": "nowhere"}) == {}


def test_query_vector_builders(es: Elasticsearch, http: httpx.Client) -> None:
    def embed(task: str, endpoint: str, text: str, role: str) -> Any:
        answer = http.post(f"/_inference/{task}/{endpoint}", json={"input": [text], "input_type": role}).json()
        return next(iter(answer.values()))[0]["embedding"]

    text = {
        "v": embed("text_embedding", TEXT_SMALL, "ice flows", "search"),
        "o": embed("embedding", OMNI_NANO, "ice flows", "search"),
    }  # the role of the query, so that only a builder with this role finds the same vector
    create_index(es, {"1": text}, v={"type": "dense_vector", "dims": 1024}, o={"type": "dense_vector", "dims": 768})

    def near(field: str, **builder: Any) -> dict[str, float]:
        return scores(es, knn={"field": field, "k": 1, "num_candidates": 5, "query_vector_builder": builder})

    exact_match = {"1": pytest.approx(1.0, abs=1e-5)}
    assert near("v", text_embedding={"model_id": TEXT_SMALL, "model_text": "ice flows"}) == exact_match
    assert near("o", embedding={"inference_id": OMNI_NANO, "input": "ice flows"}) == exact_match
    assert near("o", embedding={"inference_id": OMNI_NANO, "input": {"type": "text", "value": "ice flows"}}) == exact_match
    fused = near(
        "o",
        embedding={"inference_id": OMNI_NANO, "input": [{"type": "text", "value": "ice flows"}, {"type": "image", "value": PNG}]},
    )
    assert 0.6 < fused["1"] < 0.95
    problems: list[tuple[str, Callable[[], Any]]] = [
        (
            "expected [text_embedding]",
            lambda: near("o", text_embedding={"model_id": OMNI_NANO, "model_text": "x"}),
        ),
        ("expected [embedding]", lambda: near("v", embedding={"inference_id": TEXT_SMALL, "input": "x"})),
        ("Required [inference_id]", lambda: near("v", embedding={"input": "x"})),
        ("Required [model_id]", lambda: near("v", text_embedding={"model_text": "x"})),
        ("Inference endpoint not found [none]", lambda: near("v", text_embedding={"model_id": "none", "model_text": "x"})),
        (
            "different dimension [1024] than the index vectors [768]",
            lambda: near("o", text_embedding={"model_id": TEXT_SMALL, "model_text": "x"}),
        ),
    ]
    for problem, attempt in problems:
        with pytest.raises(ApiError) as caught:
            attempt()
        assert problem.strip("[") in innermost(caught.value)["reason"]


# Semantic fields

LONG = (
    " ".join(f"Glaciers flow slowly, and this is sentence number {n} about them." for n in range(40))
    + " Bread rises in a warm oven."
)


def test_semantic_text_is_chunked_embedded_and_searched(es: Elasticsearch) -> None:
    chunking = {"strategy": "sentence", "max_chunk_size": 30, "sentence_overlap": 0}
    create_index(
        es,
        {"1": {"s": LONG}, "2": {"s": ["Rivers carry water.", "Cats sleep."]}},
        s={"type": "semantic_text", "chunking_settings": chunking},
    )
    answer = es.search(
        index="docs",
        query={"match": {"s": "bread in the oven"}},
        highlight={"fields": {"s": {"number_of_fragments": 1, "order": "score"}}},
    )["hits"]
    passages = [
        hit["highlight"]["s"]
        for hit in es.search(
            index="docs",
            query={"match": {"s": "bread in the oven"}},
            highlight={"fields": {"s": {"number_of_fragments": 100}}},
        )["hits"]["hits"]
    ]
    best = answer["hits"][0]
    assert best["_id"] == "1" and best["_source"] == {"s": LONG} and 0.5 < best["_score"] < 1
    assert best["highlight"]["s"] == [passages[0][-1]] and best["highlight"]["s"][0].endswith("Bread rises in a warm oven.")
    assert all(len(chunk.split()) <= 30 for chunk in passages[0]) and " ".join(passages[0]) == LONG
    assert passages[1] == ["Rivers carry water.", "Cats sleep."]
    equivalent = [{"semantic": {"field": "s", "query": "bread in the oven"}}, {"match": {"s": {"query": "bread in the oven"}}}]
    builder = {"text_embedding": {"model_text": "bread in the oven"}}
    equivalent.append({"knn": {"field": "s", "k": 10, "num_candidates": 10, "query_vector_builder": builder}})
    expected = {hit["_id"]: hit["_score"] for hit in answer["hits"]}
    assert all(scores(es, query=query) == expected for query in equivalent)
    field = es.indices.get_mapping(index="docs")["docs"]["mappings"]["properties"]["s"]
    assert field["inference_id"] == TEXT_SMALL and field["model_settings"]["dimensions"] == 1024


def test_semantic_score_is_that_of_the_best_chunk(es: Elasticsearch, http: httpx.Client) -> None:
    create_index(
        es, {"1": {"s": ["ice flows", "bread rises"]}}, s={"type": "semantic_text", "chunking_settings": {"strategy": "none"}}
    )

    def embed(role: str, *texts: str) -> list[Any]:
        body = {"input": texts, "input_type": role}
        answer = http.post(f"/_inference/text_embedding/{TEXT_SMALL}", json=body).json()
        return [entry["embedding"] for entry in answer["text_embedding"]]

    ice, bread = embed("ingest", "ice flows", "bread rises")
    (query,) = embed("search", "bread")
    cosines = [sum(a * b for a, b in zip(vector, query, strict=True)) for vector in (ice, bread)]
    assert scores(es, query={"match": {"s": "bread"}}) == {"1": pytest.approx((1 + max(cosines)) / 2, abs=1e-5)}


def test_semantic_copies_and_multi_fields_of_a_text(es: Elasticsearch) -> None:
    semantic = {"type": "semantic_text"}
    create_index(
        es,
        {"1": {"text": "Ice flows.", "lang": "en"}, "2": {"text": "Bread rises.", "lang": "de"}},
        text={"type": "text", "copy_to": "copy", "fields": {"meaning": semantic}},
        copy=semantic,
        lang={"type": "keyword"},
    )
    for field in ("copy", "text.meaning"):
        assert hit_ids(es, {"match": {field: "bread"}})[0] == "2"
        marked = es.search(index="docs", query={"match": {field: "bread"}}, highlight={"fields": {field: {}}})["hits"]["hits"][0]
        assert marked["highlight"] == {field: ["Bread rises."]} and marked["_source"] == {"text": "Bread rises.", "lang": "de"}
    assert hit_ids(es, {"match": {"text": "bread"}}) == ["2"]


def test_filters_apply_before_semantic_queries(es: Elasticsearch) -> None:
    create_index(es, {str(n): {"s": f"ice number {n}", "n": n} for n in range(30)}, s={"type": "semantic_text"})
    query = {"match": {"s": "ice"}}
    assert es.search(index="docs", query=query, size=3)["hits"]["total"]["value"] == 10, "at least ten documents are retrieved"
    assert es.search(index="docs", query=query, size=12)["hits"]["total"]["value"] == 12
    last_five = {"range": {"n": {"gte": 25}}}
    for clauses in (
        {"must": query, "filter": last_five},
        {"must": [query, last_five]},
        {"should": query, "must_not": {"range": {"n": {"lt": 25}}}},
        {"filter": [query, last_five]},
        {"filter": [last_five, {"constant_score": {"filter": query}}]},
        {"must": [{"bool": {"should": [query, {"range": {"n": {"lt": 3}}}]}}, last_five]},
        {"must": [{"constant_score": {"filter": {"bool": {"filter": [query]}}}}], "filter": last_five},
    ):
        assert sorted(hit_ids(es, {"bool": clauses})) == ["25", "26", "27", "28", "29"]
    standard = {"standard": {"query": query, "filter": [last_five]}}
    assert len(scores(es, retriever=standard)) == 5
    nearest_excluded = {"bool": {"must_not": query, "filter": last_five}}
    assert hit_ids(es, nearest_excluded) == []


def test_semantic_queries_do_not_filter_each_other(es: Elasticsearch) -> None:
    docs = {str(n): {"s": f"ice number {n}", "t": f"bread number {30 - n}"} for n in range(30)}
    create_index(es, docs, s={"type": "semantic_text"}, t={"type": "semantic_text"})
    first, second = {"match": {"s": "ice number 2"}}, {"semantic": {"field": "t", "query": "bread number 2"}}
    both = set(hit_ids(es, first)) & set(hit_ids(es, second))
    assert len(both) < 10
    assert set(hit_ids(es, {"bool": {"must": [first, second]}})) == both
    assert set(hit_ids(es, {"bool": {"must": first, "filter": second}})) == both
    assert set(hit_ids(es, {"bool": {"must": first, "must_not": second}})) == set(hit_ids(es, first)) - both


def test_media_in_a_semantic_field(es: Elasticsearch) -> None:
    image = {"type": "image", "value": PNG, "format": "base64"}
    docs = {
        "1": {"m": image},
        "2": {"m": "Bread rises."},
        "3": {"m": ["Cats sleep.", {"type": "video", "value": "data:video/mp4;base64,AAAA"}]},
    }
    create_index(es, docs, m={"type": "semantic", "inference_id": OMNI_NANO})
    assert hit_ids(es, {"match": {"m": "bread"}})[0] == "2"
    builder = {"embedding": {"input": {"type": "image", "value": PNG}}}
    knn = {"field": "m", "k": 3, "num_candidates": 10, "query_vector_builder": builder}
    hits = es.search(index="docs", retriever={"standard": {"query": {"knn": knn}}}, highlight={"fields": {"m": {}}})["hits"][
        "hits"
    ]
    assert (hits[0]["_id"], hits[0]["_score"]) == ("1", pytest.approx(1.0)) and hits[0]["highlight"]["m"] == [PNG]
    assert es.get(index="docs", id="1")["_source"] == docs["1"]
    with pytest.raises(BadRequestError, match="only supported on"):
        es.search(index="docs", retriever={"knn": knn})
    big = "data:image/png;base64," + b64encode(bytes((1 << 20) + 1)).decode()
    for value, text in [
        ({"type": "image", "value": big}, "indices.inference.max_binary_input_size"),
        ({"type": "image", "value": "https://example.com/cat.png"}, "must be specified as data URIs"),
        ({"type": "poem", "value": "x"}, "Unrecognized type [poem]"),
        ({"type": "pdf", "value": "data:application/pdf;base64,AAAA"}, "the local EIS cannot read the PDF"),
    ]:
        with pytest.raises(BadRequestError) as caught:
            es.index(index="docs", document={"m": value})
        assert text in innermost(caught.value)["reason"]


def test_embedding_errors_affect_only_their_document(eis: LocalEIS, es: Elasticsearch) -> None:
    create_index(es, {}, s={"type": "semantic_text"}, gone={"type": "semantic_text", "inference_id": "none-such"})
    eis.faults.poison("rate limited", "rate_limit")
    eis.faults.poison("broken", "eis_5xx")
    texts = ["fine", "rate limited", "also fine", "broken"]
    actions = [{"_index": "docs", "_id": str(n), "s": text} for n, text in enumerate(texts)]
    actions.append({"_index": "docs", "_id": "4", "gone": "x"})
    results = [item["index"] for _, item in streaming_bulk(es, actions, raise_on_error=False, refresh=True)]
    assert [result["status"] for result in results] == [201, 429, 201, 400, 404]
    error = results[1]["error"]
    assert error["type"] == "inference_exception"
    assert error["reason"] == f"Exception when running inference id [{TEXT_SMALL}] on field [s]"
    assert error["caused_by"]["type"] == "status_exception" and "status [429]" in error["caused_by"]["reason"]
    assert results[4]["error"]["caused_by"]["type"] == "resource_not_found_exception"
    assert es.count(index="docs")["count"] == 2
    with pytest.raises(ApiError) as caught:
        es.search(index="docs", query={"match": {"s": "rate limited"}})
    assert caught.value.status_code == 429


# Retrievers


def standard(text: str, field: str = "t", **more: Any) -> dict[str, Any]:
    return {"standard": {"query": {"match": {field: text}}, **more}}


def constant(**scores: float) -> dict[str, Any]:
    """Return a retriever that gives documents these scores."""
    should = [{"constant_score": {"filter": {"ids": {"values": [doc]}}, "boost": score}} for doc, score in scores.items()]
    return {"standard": {"query": {"bool": {"should": should}}}}


@pytest.fixture
def abc(es: Elasticsearch) -> Elasticsearch:
    create_index(es, {doc: {"t": f"ice {doc}", "k": doc} for doc in "abcd"}, t={"type": "text"}, k={"type": "keyword"})
    return es


def approximately(**expected: float) -> dict[str, Any]:
    return {doc: pytest.approx(score, abs=1e-6) for doc, score in expected.items()}


def test_rrf_against_manual_calculation(abc: Elasticsearch) -> None:
    first, second = constant(a=9, b=5, c=1), constant(c=2, b=1)
    ranking = scores(abc, retriever={"rrf": {"retrievers": [first, second]}})
    assert ranking == approximately(c=1 / 63 + 1 / 61, b=1 / 62 + 1 / 62, a=1 / 61) and list(ranking) == ["c", "b", "a"]
    weighted = [{"retriever": first, "weight": 3}, {"retriever": second}]
    ranking = scores(abc, retriever={"rrf": {"retrievers": weighted, "rank_constant": 1, "rank_window_size": 10}})
    assert ranking == approximately(a=3 / 2, b=3 / 3 + 1 / 3, c=3 / 4 + 1 / 2)
    cut = {"rrf": {"retrievers": [first, second], "rank_window_size": 1}}
    assert scores(abc, retriever=cut, size=1) == approximately(a=1 / 61)


def test_linear_against_manual_calculation(abc: Elasticsearch) -> None:
    first, second = constant(a=9, b=5, c=1), constant(c=4, b=3)

    def fused(normalizer: str) -> dict[str, float]:
        parts = [
            {"retriever": first, "weight": 2, "normalizer": normalizer},
            {"retriever": second, "weight": 0.5, "normalizer": normalizer},
        ]
        return scores(abc, retriever={"linear": {"retrievers": parts}})

    assert fused("minmax") == approximately(a=2 * 1.0, b=2 * 0.5, c=0.5 * 1.0)
    assert fused("none") == approximately(a=18, b=11.5, c=4)
    alone = {"retriever": constant(a=3), "weight": 1, "normalizer": "minmax"}
    assert scores(abc, retriever={"linear": {"retrievers": [alone]}}) == {"a": 1.0}, "an only hit is the best"
    equal = {"retriever": constant(a=3, b=3), "weight": 2, "normalizer": "minmax"}
    assert scores(abc, retriever={"linear": {"retrievers": [equal]}}) == {"a": 2.0, "b": 2.0}
    assert scores(abc, retriever={"linear": {"retrievers": [alone | {"retriever": standard("owls")}]}}) == {}


def test_fusion_of_fields(es: Elasticsearch) -> None:
    create_index(
        es, {"1": {"t": "ice", "s": "ice"}, "2": {"t": "bread", "s": "bread"}}, t={"type": "text"}, s={"type": "semantic_text"}
    )
    assert list(scores(es, retriever={"rrf": {"retrievers": [standard("bread"), standard("bread", "s")]}})) == ["2", "1"]


def test_transformation_of_reranker_scores(abc: Elasticsearch, http: httpx.Client) -> None:
    texts = [f"ice {doc}" for doc in "abcd"]
    ranked = http.post(f"/_inference/rerank/{RERANKER}", json={"query": "ice c", "input": texts}).json()["rerank"]
    reranker_scores = {"abcd"[entry["index"]]: entry["relevance_score"] for entry in ranked}
    assert min(reranker_scores.values()) < 0 < max(reranker_scores.values())
    body = {
        "retriever": {"standard": {"query": {"match_all": {}}}},
        "field": "t",
        "inference_text": "ice c",
        "inference_id": RERANKER,
    }
    ranking = scores(abc, retriever={"text_similarity_reranker": body})
    assert ranking == {
        doc: pytest.approx(max(score, 0) + min(math.exp(score), 1), abs=1e-6) for doc, score in reranker_scores.items()
    }
    assert list(ranking) == [doc for doc, _ in sorted(reranker_scores.items(), key=lambda item: -item[1])]
    assert set(scores(abc, retriever={"text_similarity_reranker": {**body, "min_score": 1.0}})) == {
        doc for doc in reranker_scores if reranker_scores[doc] >= 0
    }


def test_reranked_hybrid_search_is_one_request(eis: LocalEIS, es: Elasticsearch) -> None:
    docs = {str(n): {"t": f"ice sheet number {n}", "s": f"frozen water {n}", "lang": "en" if n % 2 else "de"} for n in range(100)}
    create_index(es, docs, t={"type": "text"}, s={"type": "semantic_text"}, lang={"type": "keyword"})
    parts: list[Any] = [standard("ice"), standard("water", "s")]
    for part in parts:
        part["standard"]["filter"] = {"term": {"lang": "en"}}
    hybrid = {"rrf": {"retrievers": parts, "rank_window_size": 64}}
    reranked = {"retriever": hybrid, "field": "t", "inference_id": RERANKER, "inference_text": "ice 7", "rank_window_size": 64}
    eis.clear()
    answer = es.search(index="docs", retriever={"text_similarity_reranker": reranked}, size=5, source=["lang"])
    assert [exchange.path for exchange in eis.requests] == ["/docs/_search"]
    assert len(answer["hits"]["hits"]) == 5 and {hit["_source"]["lang"] for hit in answer["hits"]["hits"]} == {"en"}


@pytest.mark.parametrize(
    ("window", "inner", "size", "text"),
    [
        (10, 10, 11, "[text_similarity_reranker] requires [rank_window_size: 10] be greater than or equal to [size: 11]"),
        (20, 10, 5, "[rank_window_size: 10] be greater than or equal to [size: 20]"),
    ],
)
def test_incompatible_rank_windows(abc: Elasticsearch, window: int, inner: int, size: int, text: str) -> None:
    rrf = {"rrf": {"retrievers": [standard("ice")], "rank_window_size": inner}}
    body = {"retriever": rrf, "field": "t", "inference_id": RERANKER, "inference_text": "q", "rank_window_size": window}
    with pytest.raises(BadRequestError) as caught:
        abc.search(index="docs", retriever={"text_similarity_reranker": body}, size=size)
    assert caught.value.error == "action_request_validation_exception" and text in innermost(caught.value)["reason"]


def test_errors_of_a_reranker(eis: LocalEIS, es: Elasticsearch) -> None:
    create_index(es, {str(n): {"t": f"ice {n}"} for n in range(70)}, t={"type": "text"})
    body = {"retriever": standard("ice"), "field": "t", "inference_id": RERANKER, "inference_text": "q", "rank_window_size": 65}

    def attempt(**change: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            es.search(index="docs", retriever={"text_similarity_reranker": {**body, **change}})
        return caught.value

    error = attempt()
    assert (error.status_code, error.error) == (400, "status_exception")
    assert error.body["error"]["reason"].startswith("[text_similarity_reranker] search failed - retrievers '[standard]' returned")
    assert error.body["error"]["suppressed"][0]["reason"] == "Computing updated ranks for results failed"
    assert "at most 64 documents, got 65" in innermost(error)["reason"]
    assert innermost(attempt(inference_id="none", rank_window_size=10))["reason"] == "Inference endpoint not found [none]"
    assert "expected [rerank]" in innermost(attempt(inference_id=TEXT_SMALL, rank_window_size=10))["reason"]
    nothing = attempt(inference_id="none", rank_window_size=10, retriever=standard("owls"))
    assert (nothing.status_code, innermost(nothing)["reason"]) == (404, "Inference endpoint not found [none]")
    eis.faults.poison("q", "rate_limit")
    assert attempt(rank_window_size=10).status_code == 429


# Refusals


@pytest.mark.parametrize(
    ("body", "status", "kind", "text"),
    [
        ({"query": {"foo": {}}}, 400, "parsing_exception", "unknown query [foo]"),
        (
            {"query": {"match": {"t": "x"}, "term": {"k": "x"}}},
            400,
            "parsing_exception",
            "expected [END_OBJECT] but found [FIELD_NAME]",
        ),
        ({"query": {"match": {"t": {"query": "x", "foo": 1}}}}, 501, "not_implemented_exception", "match.foo"),
        ({"query": {"bool": {"filter": [{"foo": {}}]}}}, 400, "x_content_parse_exception", "unknown query [foo]"),
        ({"query": {}}, 400, "illegal_argument_exception", "empty clause found"),
        ({"foo": 1}, 501, "not_implemented_exception", "foo in a search"),
        ({"size": -1}, 400, "illegal_argument_exception", "[size] parameter must be 0 or more, found [-1]"),
        ({"retriever": {"foo": {}}}, 400, "parsing_exception", "unknown retriever [foo]"),
        (
            {"retriever": standard("x"), "query": {"match_all": {}}},
            400,
            "action_request_validation_exception",
            "cannot specify [retriever]",
        ),
        ({"retriever": {"rrf": {"retrievers": [], "foo": 1}}}, 400, "x_content_parse_exception", "[rrf] unknown field [foo]"),
        ({"query": {"term": {"n": "1_0"}}}, 501, "not_implemented_exception", "[1_0] as a value of field [n] of type [long]"),
        ({"query": {"terms": {"day": ["x"]}}}, 400, "search_phase_execution_exception", "failed to parse date field [x]"),
        ({"query": {"range": {"v": {"gte": 1}}}}, 400, "search_phase_execution_exception", "Field [v] of type [dense_vector]"),
        (
            {"query": {"semantic": {"field": "t", "query": "x"}}},
            400,
            "search_phase_execution_exception",
            "does not support semantic queries",
        ),
        (
            {"knn": {"field": "t", "query_vector": [1]}},
            400,
            "search_phase_execution_exception",
            "only supported on [dense_vector] fields",
        ),
        (
            {"knn": {"field": "v", "query_vector": [1]}},
            400,
            "search_phase_execution_exception",
            "different dimension [1] than the index",
        ),
        (
            {"knn": {"field": "v", "query_vector": [1, 1], "k": 9, "num_candidates": 2}},
            400,
            "illegal_argument_exception",
            "[num_candidates] from [k] to",
        ),
        ({"knn": {"field": "v"}}, 400, "illegal_argument_exception", "one of [query_vector] and [query_vector_builder]"),
        (
            {"retriever": {"rrf": {"retrievers": [standard("x", "day")]}}},
            400,
            "status_exception",
            "[rrf] search failed - retrievers '[standard]'",
        ),
        ({"query": {"nested": {}}}, 501, "not_implemented_exception", "query [nested]"),
        ({"query": {"multi_match": {}}}, 501, "not_implemented_exception", "query [multi_match]"),
        ({"query": {"prefix": {}}}, 501, "not_implemented_exception", "query [prefix]"),
        ({"query": {"match": {"t": {"query": "x", "fuzziness": 1}}}}, 501, "not_implemented_exception", "match.fuzziness"),
        ({"query": {"script_score": {}}}, 501, "not_implemented_exception", "query [script_score]"),
        ({"retriever": {"pinned": {}}}, 501, "not_implemented_exception", "retriever [pinned]"),
        ({"aggs": {"a": {}}}, 501, "not_implemented_exception", "aggs in a search"),
        ({"sort": ["_score"]}, 501, "not_implemented_exception", "sort by [_score]"),
        ({"size": "1"}, 501, "not_implemented_exception", "size with [1] as a value"),
        ({"highlight": {"fields": {"*": {}}}}, 501, "not_implemented_exception", "highlight on fields [*]"),
        ({"query": {"range": {"day": {"gte": "now-1d"}}}}, 501, "not_implemented_exception", "date math [now-1d]"),
    ],
)
def test_refused_searches(es: Elasticsearch, http: httpx.Client, body: Any, status: int, kind: str, text: str) -> None:
    vector = {"type": "dense_vector", "dims": 2}
    create_index(
        es,
        {"1": {"v": [1, 0]}},
        t={"type": "text"},
        n={"type": "long"},
        v=vector,
        s={"type": "semantic_text"},
        day={"type": "date"},
    )
    answer = http.post("/docs/_search", json=body).json()
    assert (answer["status"], answer["error"]["type"]) == (status, kind), answer
    assert text in json.dumps(answer).replace('\\"', '"')


MALFORMED: list[tuple[str, str, Any]] = [
    *(
        ("POST", "/docs/_search", {"query": query})
        for query in ([], 5, {"match": []}, {"match": {"t": None}}, {"term": {"t": ["a"]}})
    ),
    *(("POST", "/docs/_search", {"query": query}) for query in ({"bool": {"must": [None]}}, {"exists": {}})),
    ("POST", "/docs/_search", {"query": {"match_all": {"boost": []}}}),
    *(("POST", "/docs/_search", {"knn": knn}) for knn in ("x", {"field": "v", "query_vector_builder": {}})),
    *(("POST", "/docs/_search", {"retriever": retriever}) for retriever in ([], {"rrf": {"retrievers": ["x"]}}, {"standard": 5})),
    *(("POST", "/docs/_search", {"highlight": highlight}) for highlight in ([], {"fields": {"s": {"number_of_fragments": -1}}})),
    *(("POST", "/docs/_search", {name: []}) for name in ("track_total_hits", "size", "min_score", "timeout")),
    *(("PUT", "/wrong", {"mappings": mappings}) for mappings in ([], {"properties": {"a": {"type": ["text"]}}})),
    *(("PUT", "/wrong", {"settings": settings}) for settings in ([], {"a": {"b": 1}, "a.b.c": 2})),
    *(
        ("PUT", "/docs/_doc/1", source)
        for source in ([], 5, {"": 1}, {"_id": "x"}, {"t": {"a": 1}}, {"s": {"a": 1}}, {"k": "x" * 40_000})
    ),
    *(("POST", "/docs/_update/1", change) for change in ([], {}, {"doc": 5}, {"foo": 1})),
    ("POST", "/docs/_mget", {}),
    ("POST", "/docs/_delete_by_query", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), MALFORMED)
def test_malformed_bodies_are_bad_requests(es: Elasticsearch, http: httpx.Client, method: str, path: str, body: Any) -> None:
    vector = {"type": "dense_vector", "dims": 2}
    create_index(es, {}, t={"type": "text"}, v=vector, s={"type": "semantic_text"}, k={"type": "keyword"})
    answer = http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *(("POST", "/docs/_mget", {"ids": ids}) for ids in ([[5]], "x", [True], [1.5])),
        *(("POST", f"/docs/_search?{name}=1", {}) for name in ("size", "from", "track_total_hits")),
        *(("POST", "/docs/_search", body) for body in ({"knn": [5]}, {"sort": [5]})),
        ("GET", "/docs/_doc/1?refresh=true", None),
        *(("PUT", "/new", {"mappings": {"dynamic": dynamic}}) for dynamic in ("maybe", "runtime")),
        *(
            ("PUT", "/new", {"mappings": {"properties": {"o": {"type": "object", **more}}}})
            for more in ({"x": 1}, {"enabled": False})
        ),
        *(
            ("PUT", "/new", {"mappings": {"dynamic_templates": templates}})
            for templates in ({}, [5], [{"t": 5}], [{"t": {}}], [{"t": {"mapping": {}, "match_mapping_type": "x"}}])
        ),
        ("PUT", "/new", {"settings": {"similarity": {"s": {"type": "BM25", "b": 2}}}}),
        ("PUT", "/new", {"mappings": {"properties": {"s": {"type": "semantic_text", "chunking_settings": {"strategy": "x"}}}}}),
    ],
)
def test_values_that_no_client_sends_are_refused(
    es: Elasticsearch, http: httpx.Client, method: str, path: str, body: Any
) -> None:
    create_index(es, {"1": {}}, v={"type": "dense_vector", "dims": 2})
    answer = http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (501, "not_implemented_exception"), answer.text


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("GET", "/_cluster/health", "GET /_cluster/health"),
        ("GET", "/_cat/indices", "GET /_cat/indices"),
        ("POST", "/docs/_update_by_query", "POST /docs/_update_by_query"),
        ("GET", "/docs/_search?scroll=1m", "parameter scroll"),
        ("GET", "/docs/_search?ignore_unavailable=true", "ignore_unavailable=true"),
    ],
)
def test_unsupported_requests(http: httpx.Client, method: str, path: str, text: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 501 and answer.json()["error"]["reason"].startswith(
        f"the local EIS does not implement [{text}]. It implements"
    )


def test_unknown_url_parameters(http: httpx.Client) -> None:
    answer = http.get("/docs/_search", params={"foo": "1"})
    assert answer.status_code == 400 and "contains unrecognized parameter: [foo]" in answer.json()["error"]["reason"]


# Faults, keys, durability, speed


def test_faults_of_bulk_requests_and_searches(eis: LocalEIS, http: httpx.Client, es: Elasticsearch) -> None:
    create_index(es, {}, n={"type": "long"})
    body = lines({"index": {"_id": "1"}}, {"n": 1})

    def send() -> httpx.Response:
        return http.post("/docs/_bulk", content=body, headers=NDJSON)

    eis.faults.queue("rate_limit", retry_after=3)
    refused = send()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert refused.json()["error"]["type"] == "es_rejected_execution_exception"
    assert es.count(index="docs")["count"] == 0, "a refused request writes nothing"
    eis.faults.queue("unavailable", "bad_gateway", "garbage", "drop", "cut")
    assert [send().status_code for _ in range(2)] == [503, 502]
    assert send().text == "<!-- not JSON -->"
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            send()
    assert send().json()["errors"] is False
    eis.faults.queue("too_few", "rate_limit")
    assert http.post("/docs/_search", json={}).status_code == 200, "an inference fault waits for an inference request"
    vectors = http.post(f"/_inference/text_embedding/{TEXT_SMALL}", json={"input": ["a", "b"]}).json()["text_embedding"]
    assert len(vectors) == 1
    assert http.post("/docs/_search", json={"query": {"foo": {}}}).status_code == 400, (
        "a request that is refused anyway consumes no fault"
    )
    assert http.post("/docs/_search", json={}).status_code == 429
    assert [exchange.fault for exchange in eis.requests if exchange.path == "/docs/_bulk"][:3] == [
        "rate_limit",
        "unavailable",
        "bad_gateway",
    ]
    eis.faults.clear()
    eis.faults.latency = 0.2
    began = time.monotonic()
    send()
    assert time.monotonic() - began >= 0.2


def test_record_of_a_bulk_request(eis: LocalEIS, es: Elasticsearch) -> None:
    bulk(es, [{"_index": "recorded", "_id": "1", "n": 1}])
    assert eis.requests[-1].body == [{"index": {"_index": "recorded", "_id": "1"}}, {"n": 1}]
    assert eis.requests[-1].answer["errors"] is False


def test_indices_require_the_api_key() -> None:
    with LocalEIS(model="hash", api_key="right") as eis:
        assert httpx.put(f"{eis.url}/docs").status_code == 401
        with Elasticsearch(eis.url, api_key="right") as es:
            es.indices.create(index="docs")


def test_data_survives_a_restart(tmp_path: Path) -> None:
    endpoint = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-small", "dimensions": 64}}
    mappings = {"properties": {"s": {"type": "semantic_text", "inference_id": "mine"}, "v": {"type": "dense_vector", "dims": 2}}}
    query = {"match": {"s": "ice"}}
    with LocalEIS(model="hash", data=tmp_path) as eis, Elasticsearch(eis.url) as es:
        es.inference.put(task_type="text_embedding", inference_id="mine", inference_config=endpoint)
        es.indices.create(index="kept", mappings=mappings, settings={"refresh_interval": "9s"})
        es.indices.create(index="dropped")
        for n, text in enumerate(["ice flows", "bread rises"]):
            es.index(index="kept", id=str(n), document={"s": text, "v": [n, 1], "t": text})
        es.delete(index="kept", id="1")
        es.index(index="kept", id="1", document={"s": "bread rises", "v": [1, 1], "t": "bread"})
        es.indices.delete(index="dropped")
        es.indices.refresh(index="kept")
        before = scores(es, "kept", query=query), scores(es, "kept", query={"match": {"t": "bread ice"}})
        code = f"from jina_eis.cli import main; raise SystemExit(main(['serve', '--port', '0', '--model', 'hash', '--data', {str(tmp_path)!r}]))"
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1 and f"{tmp_path} is in use by another local EIS" in " ".join(second.stderr.split())
    with LocalEIS(model="hash", data=tmp_path) as eis, Elasticsearch(eis.url) as es:
        after = scores(es, "kept", query=query), scores(es, "kept", query={"match": {"t": "bread ice"}})
        assert after == before
        assert scores(es, "kept", knn={"field": "v", "query_vector": [0, 1], "k": 1, "num_candidates": 5}) == {"0": 1.0}
        assert es.indices.get(index="kept")["kept"]["settings"]["index"]["refresh_interval"] == "9s"
        assert es.get(index="kept", id="1")["_seq_no"] == 3 and not es.indices.exists(index="dropped")
        es.inference.delete(inference_id="mine", force=True)
    with LocalEIS(model="hash", data=tmp_path) as eis, Elasticsearch(eis.url) as es, pytest.raises(NotFoundError):
        es.inference.get(inference_id="mine")


def test_folders_without_a_valid_database(tmp_path: Path) -> None:
    (tmp_path / "jina-eis.sqlite").write_text("not a database, and long enough for that to be seen " * 99)
    with pytest.raises(OSError, match=r"cannot hold the data of a local EIS \(file is not a database\)"):
        LocalEIS(model="hash", data=tmp_path).start()
    with pytest.raises(FileExistsError):
        LocalEIS(model="hash", data=tmp_path / "jina-eis.sqlite").start()


def test_many_writers_and_readers(es: Elasticsearch) -> None:
    es.indices.create(index="busy", mappings={"properties": {"s": {"type": "semantic_text"}}})
    problems: list[BaseException] = []

    def write(worker: int) -> None:
        try:
            bulk(
                es,
                ({"_index": "busy", "_id": f"{worker}-{n}", "s": f"ice {n}", "t": f"ice {worker}"} for n in range(50)),
                chunk_size=10,
            )
            for _ in range(5):
                es.search(index="busy", query={"match": {"t": "ice"}}, knn=None)
                es.search(index="busy", query={"match": {"s": "ice"}})
        except Exception as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    es.indices.refresh(index="busy")
    assert not problems and es.count(index="busy")["count"] == 400
    assert es.search(index="busy", query={"match": {"t": "ice"}})["hits"]["total"]["value"] == 400


def test_ten_thousand_documents(eis: LocalEIS, es: Elasticsearch) -> None:
    text = (
        "The glacier carries stones downhill while meltwater gathers beneath it, and every winter adds a layer of snow on top. "
    )
    es.indices.create(
        index="large", mappings={"properties": {"text": {"type": "text", "fields": {"s": {"type": "semantic_text"}}}}}
    )
    bulk(
        es,
        ({"_index": "large", "_id": str(n), "text": f"{text * 2} Document {n}, group {n % 97}.", "n": n} for n in range(10_000)),
    )
    assert es.count(index="large")["count"] == 10_000
    bodies: list[dict[str, Any]] = [
        {"query": {"match": {"text": "document 77"}}},
        {"query": {"match": {"text.s": "document 77"}}},
    ]
    bodies.append({"query": {"bool": {"filter": [{"range": {"n": {"gte": 5_000}}}], "must": [{"match": {"text": "group 5"}}]}}})
    for body in bodies:
        assert es.search(index="large", **body)["hits"]["hits"]
    assert eis.requests
    eis.clear()  # do not check ten thousand documents against the OpenAPI
    es.indices.delete(index="large")
