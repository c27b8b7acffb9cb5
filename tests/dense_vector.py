"""Tests of both frameworks over dense_vector fields, which hold on the embedded EIS and on the real Elasticsearch.

The modules `test_dense_vector` of both import them, and have a fixture `url` each. Every expected value is the answer of
Elasticsearch 9.5.3. One test body covers the two frameworks, sync and async.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from elasticsearch import Elasticsearch
from helpers import OMNI, TEXT, Caller
from llama_index.core.schema import QueryBundle, TextNode

import langchain_jina_eis
import llama_index_jina_eis
from jina_eis.errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, RequestRejectedError
from jina_eis.local import LocalEIS

Json = dict[str, Any]
TEXTS = [
    "A glacier is ice that flows slowly downhill under its own weight.",
    "Bread rises because yeast makes gas.",
    "Cats sleep for most of the day.",
    "Yeast is a fungus; bakers and brewers keep it.",
    "The moon pulls the sea, and the tide follows.",
]
METADATAS = [{"n": n, "topic": topic} for n, topic in enumerate(("ice", "food", "animals", "food", "sea"))]
IDS = [f"document-{n}" for n in range(len(TEXTS))]
TEXT_FIELDS = {"langchain": "text", "llama_index": "content"}
LONE = "\ud800"
MENDED = "\ufffd"


class Document(NamedTuple):
    """A document of either framework."""

    id: str
    text: str
    metadata: Json
    score: float


class Adapter:
    """The retriever of a framework, called by its sync or its async methods, and a client for what it cannot do."""

    def __init__(self, url: str, framework: str, face: str) -> None:
        self.framework = framework
        self.call = Caller(face == "async")
        self.client = Elasticsearch(url)
        self.index = f"test-{uuid.uuid4().hex}"
        self.text_field = TEXT_FIELDS[framework]
        module = langchain_jina_eis if framework == "langchain" else llama_index_jina_eis
        self._settings: Json = {"es_url": url, "index_name": self.index, "search_type": "knn"}
        if framework == "langchain":
            self._settings["include_scores"] = True
        self._make = module.JinaEISRetriever
        self._open: list[Any] = []

    def retriever(self, **settings: Any) -> Any:
        self._open.append(self._make(**{**self._settings, **settings}))
        return self._open[-1]

    def close(self) -> None:
        for retriever in self._open:
            getattr(retriever, "settings", retriever).close()
        self.client.options(ignore_status=404).indices.delete(index=self.index)
        self.client.close()

    def add(
        self, retriever: Any, texts: Sequence[str], metadatas: Sequence[Json], ids: Sequence[str], **options: Any
    ) -> list[str]:
        options.setdefault("refresh", True)  # "wait_for" waits for a second on the real core
        if self.framework == "langchain":
            return self.call(retriever, "add_texts", texts, metadatas, ids=ids, **options)
        parts = zip(texts, metadatas, ids, strict=True)
        nodes = [TextNode(text=text, metadata=metadata, id_=id_) for text, metadata, id_ in parts]
        return self.call(retriever, "add_nodes", nodes, **options)

    def add_examples(self, **settings: Any) -> Any:
        """Index the five texts of this module, and return the retriever."""
        retriever = self.retriever(**settings)
        assert self.add(retriever, TEXTS, METADATAS, IDS) == IDS
        return retriever

    def search(self, retriever: Any, query: Any) -> list[Document]:
        if self.framework == "langchain":
            results = self.call(retriever, "invoke", query)
            return [Document(found.id, found.page_content, found.metadata, found.metadata["_score"]) for found in results]
        results = self.call(retriever, "retrieve", query)
        return [Document(found.node.node_id, found.node.text, found.node.metadata, found.score) for found in results]

    def ids(self, retriever: Any, query: str = "yeast") -> list[str]:
        """The ids that a search finds, sorted."""
        return sorted(document.id for document in self.search(retriever, query))

    def add_people(self) -> None:
        """Index the documents for filters."""
        ids = [f"person-{n}" for n in range(len(PEOPLE))]
        retriever = self.retriever(dimensions=32, metadata_mappings={"at": {"type": "date"}})
        self.add(retriever, [f"text {n}" for n in range(len(PEOPLE))], PEOPLE, ids)

    def people(self, filters: Iterable[Any]) -> dict[str, list[int]]:
        """The numbers of the documents that match each filter."""
        return {str(query): [int(id_[7:]) for id_ in self.ids(self.retriever(filter=query))] for query in filters}

    def delete(self, retriever: Any, ids: Sequence[str]) -> None:
        self.call(retriever, "delete" if self.framework == "langchain" else "delete_nodes", ids)

    def create_by_hand(self, **properties: Json) -> None:
        """Create the index without this library: it names no endpoint."""
        self.client.indices.create(index=self.index, mappings={"properties": {self.text_field: {"type": "text"}, **properties}})

    def write_by_hand(self, documents: dict[str, Json]) -> None:
        """Write documents as another application does."""
        operations = [line for id_, source in documents.items() for line in ({"index": {"_id": id_}}, source)]
        answer = self.client.bulk(index=self.index, operations=operations, refresh=True)
        assert not answer["errors"], answer

    def count(self) -> int:
        return self.client.count(index=self.index)["count"]


@pytest.fixture(params=["langchain", "llama_index"])
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def adapter(url: str, framework: str, face: str) -> Iterator[Adapter]:
    adapter = Adapter(url, framework, face)
    yield adapter
    adapter.close()


# Documents


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dimensions": 256},
        {"index_options": {"type": "hnsw"}},
        {"inference_id": OMNI},
        {"inference_id": OMNI, "dimensions": 512, "field": "own.vector", "content_field": "own.text"},
    ],
    ids=["default", "truncated", "hnsw", "omni", "object"],
)
def test_what_was_added_is_found(adapter: Adapter, settings: Json) -> None:
    found = adapter.search(adapter.add_examples(**settings), "How do glaciers move?")
    assert found[0][:2] == (IDS[0], TEXTS[0])
    assert METADATAS[0].items() <= found[0].metadata.items()
    assert sorted(document.id for document in found) == IDS
    assert [document.score for document in found] == sorted((document.score for document in found), reverse=True)
    assert not {"embedding", "vector"} & found[0].metadata.keys()


def test_hundreds_of_documents(adapter: Adapter) -> None:
    retriever = adapter.retriever(dimensions=512, k=1000)
    ids = [f"{n:03}" for n in reversed(range(400))]
    texts = [f"text number {n}" for n in ids]
    assert adapter.add(retriever, texts, [{"n": int(n)} for n in ids], ids, refresh=False) == ids
    adapter.client.indices.refresh(index=adapter.index)
    found = adapter.search(retriever, "text number 123")
    assert ("123", "text number 123", 123) in [(first.id, first.text, first.metadata["n"]) for first in found[:3]]
    assert sorted(document.id for document in found) == ids[::-1]
    adapter.delete(retriever, [*ids[:250], "missing"])
    assert adapter.ids(retriever) == ids[:249:-1]
    assert adapter.count() == 150
    assert len(adapter.ids(adapter.retriever(k=100))) == 100
    assert adapter.add(retriever, ["another text"], [{}], ["123"]) == ["123"]
    assert adapter.count() == 150


def test_documents_are_replaced_and_deleted(adapter: Adapter) -> None:
    retriever = adapter.add_examples()
    adapter.add(retriever, ["Glaciers carve valleys."], [{"n": 9}], IDS[:1])
    first = adapter.search(retriever, "glaciers")[0]
    assert (first.id, first.text, first.metadata["n"]) == (IDS[0], "Glaciers carve valleys.", 9)
    assert "topic" not in first.metadata
    adapter.delete(retriever, IDS[:4])
    assert adapter.ids(retriever, "glaciers") == IDS[4:]
    adapter.delete(retriever, [IDS[4], IDS[4], "missing"])
    assert adapter.search(retriever, "glaciers") == []
    adapter.call(retriever, "delete_index")
    with pytest.raises(IndexNotFoundError):
        adapter.search(retriever, "glaciers")
    with pytest.raises(IndexNotFoundError):
        adapter.delete(retriever, IDS)
    with pytest.raises(IndexNotFoundError):
        adapter.call(retriever, "delete_index")
    adapter.add_examples()
    assert adapter.ids(retriever) == IDS


def test_an_index_without_documents(adapter: Adapter) -> None:
    retriever = adapter.retriever()
    with pytest.raises(IndexNotFoundError, match=f"There is no index '{adapter.index}'. Check index_name; adding documents"):
        adapter.search(retriever, "yeast")
    assert adapter.add(retriever, [], [], []) == []
    adapter.add(retriever, TEXTS[:1], METADATAS[:1], IDS[:1])
    adapter.delete(retriever, IDS[:1])
    assert adapter.search(retriever, "yeast") == []
    assert adapter.search(adapter.retriever(filter={"term": {"metadata.n": 1}}, min_score=0.5, highlight=True), "yeast") == []


def test_an_id_that_occurs_twice(adapter: Adapter) -> None:
    retriever = adapter.retriever()
    assert adapter.add(retriever, TEXTS[:4], METADATAS[:4], ["a", "b", "a", "c"]) == ["a", "b", "a", "c"]
    assert {document.id: document.text for document in adapter.search(retriever, "yeast")} == {
        "a": TEXTS[2],
        "b": TEXTS[1],
        "c": TEXTS[3],
    }


@pytest.mark.parametrize("ids", [["é/ü?#%", "a b", '"', "\\", "ids[0]", "日本"], ["x" * 512, "-", ".", "..", "0", "_all"]])
def test_ids_of_many_characters(adapter: Adapter, ids: list[str]) -> None:
    retriever = adapter.retriever(dimensions=32)
    assert adapter.add(retriever, [f"text {n}" for n in range(6)], [{}] * 6, ids) == ids
    assert adapter.ids(retriever) == sorted(ids)
    assert adapter.ids(adapter.retriever(filter={"ids": {"values": ids[:2]}})) == sorted(ids[:2])
    adapter.delete(retriever, ids[1:])
    assert adapter.ids(retriever) == ids[:1]


# Errors in the middle of a bulk


def test_the_documents_that_elasticsearch_refuses(adapter: Adapter) -> None:
    retriever = adapter.retriever(dimensions=32, metadata_mappings={"day": {"type": "date"}})
    adapter.add(retriever, ["the first text"], [{"n": 0, "day": "2026-11-27", "flag": True, "object": {"a": 1}}], ["first"])
    metadatas: list[Json] = [{"n": n} for n in range(300)]
    conflicts: dict[str, Json] = {
        "7": {"n": "two"},
        "70": {"day": "tomorrow"},
        "150": {"flag": "yes"},
        "151": {"object": "a text"},
        "152": {"n": 2**63},
        "290": {"n": {"a": 1}},
    }
    for id_, metadata in conflicts.items():
        metadatas[int(id_)] = metadata
    with pytest.raises(DocumentsFailedError, match=r"6 of 300 documents failed: .* The others were written\.$") as caught:
        adapter.add(retriever, [f"text {n}" for n in range(300)], metadatas, [str(n) for n in range(300)])
    error = caught.value
    assert error.failed.keys() == conflicts.keys()
    reasons = {
        "7": "field [metadata.n] of type [long]",
        "70": "field [metadata.day] of type [date]",
        "150": "field [metadata.flag] of type [boolean]",
        "151": "object mapping for [metadata.object] tried to parse field [object] as object, but found a concrete value",
        "152": "field [metadata.n] of type [long]",
        "290": "field [metadata.n] of type [long]",
    }
    for id_, reason in error.failed.items():
        assert reasons[id_] in reason
        assert "\n" not in reason
    assert error.indexed == [str(n) for n in range(300) if str(n) not in conflicts]
    assert error.untried == []
    assert adapter.count() == 295


def test_a_document_that_cannot_be_written_as_json(adapter: Adapter) -> None:
    retriever = adapter.retriever(dimensions=32)
    with pytest.raises(DocumentsFailedError) as caught:
        adapter.add(retriever, TEXTS[:3], [{"n": 1}, {"n": 2**80}, {"n": 3}], IDS[:3])
    assert list(caught.value.failed) == [IDS[1]]
    assert adapter.ids(retriever) == [IDS[0], IDS[2]]


# Filters

PEOPLE: list[Json] = [
    {
        "n": 1,
        "price": 3.3,
        "lang": "en",
        "tags": ["red", "blue"],
        "day": "2023-01-01",
        "at": "2023-01-01T10:00:00Z",
        "active": True,
    },
    {"n": 2, "price": 0.5, "lang": "de", "tags": ["red"], "day": "2023-06-15", "at": "2023-06-15T18:30:00Z", "active": False},
    {"n": 3, "price": -1.0, "lang": "en", "tags": [], "day": "2023-06-16", "at": "2023-06-15T23:59:59.999Z", "active": True},
    {"n": 4, "price": 100, "lang": "fr", "day": "2024-02-29", "at": "2024-02-29T00:00:00+02:00", "note": None},
    {"n": -5, "price": 3.25, "lang": "english", "tags": "green", "author": {"name": "Ada Lovelace", "born": 1815}},
    {"n": 2**53 + 1, "lang": "EN", "author": {"name": "Alan Turing", "born": 1912}, "note": "Ink dries slowly on paper."},
    {"lang": "en-GB", "author": [{"name": "Ada", "born": 1}, {"name": "Bob", "born": 2}], "note": "paper"},
    {"n": [10, 20], "lang": "x" * 300, "note": ""},
]
FILTERS: list[tuple[Any, list[int]]] = [
    ({"match_all": {}}, [0, 1, 2, 3, 4, 5, 6, 7]),
    ({"match_none": {}}, []),
    ({"term": {"metadata.lang.keyword": "en"}}, [0, 2]),
    ({"term": {"metadata.lang.keyword": {"value": "EN"}}}, [5]),
    ({"term": {"metadata.lang": "en"}}, [0, 2]),
    ({"term": {"metadata.lang": "EN"}}, [5]),
    ({"term": {"metadata.lang.keyword": "x" * 300}}, [7]),
    ({"term": {"metadata.tags.keyword": "red"}}, [0, 1]),
    ({"term": {"metadata.n": 2}}, [1]),
    ({"term": {"metadata.n": "2"}}, [1]),
    ({"term": {"metadata.n": 20}}, [7]),
    ({"term": {"metadata.n": 2**53 + 1}}, [5]),
    ({"term": {"metadata.n": 2**53}}, []),
    ({"term": {"metadata.price": 3.3}}, [0]),
    ({"term": {"metadata.price": 100}}, [3]),
    ({"term": {"metadata.active": True}}, [0, 2]),
    ({"term": {"metadata.active": "false"}}, [1]),
    ({"term": {"metadata.day": "2023-06-15"}}, [1]),
    ({"term": {"metadata.at": "2023-06-15T18:30:00Z"}}, [1]),
    ({"term": {"metadata.at": "2023-06-15"}}, [1, 2]),
    ({"term": {"metadata.author.born": 1912}}, [5]),
    ({"term": {"metadata.missing": "x"}}, []),
    ({"terms": {"metadata.lang.keyword": ["en", "fr", "none"]}}, [0, 2, 3]),
    ({"terms": {"metadata.n": [1, 2, 10]}}, [0, 1, 7]),
    ({"terms": {"metadata.n": []}}, []),
    ({"range": {"metadata.n": {"gte": 2}}}, [1, 2, 3, 5, 7]),
    ({"range": {"metadata.n": {"gt": 2, "lt": 20}}}, [2, 3, 7]),
    ({"range": {"metadata.n": {"lte": 1.5}}}, [0, 4]),
    ({"range": {"metadata.price": {"gte": 3.3}}}, [0, 3]),
    ({"range": {"metadata.price": {"gt": 3.3}}}, [3]),
    ({"range": {"metadata.price": {"lte": 3.3}}}, [0, 1, 2, 4]),
    ({"range": {"metadata.price": {"lt": 3.3}}}, [1, 2, 4]),
    ({"range": {"metadata.price": {"lt": 0}}}, [2]),
    ({"range": {"metadata.lang.keyword": {"gte": "en", "lt": "f"}}}, [0, 2, 4, 6]),
    ({"range": {"metadata.day": {"gte": "2023-06-15", "lte": "2023-06-16"}}}, [1, 2]),
    ({"range": {"metadata.day": {"gt": "2023-06-15"}}}, [2, 3]),
    ({"range": {"metadata.at": {"gte": "2023-06-15", "lte": "2023-06-15"}}}, [1, 2]),
    ({"range": {"metadata.at": {"gt": "2023-06-15"}}}, [3]),
    ({"range": {"metadata.at": {"lt": "2023-06-15"}}}, [0]),
    ({"range": {"metadata.at": {"lte": "2023-06-15T18:30:00Z"}}}, [0, 1]),
    ({"range": {"metadata.at": {"lt": "2024-02-29"}}}, [0, 1, 2, 3]),
    ({"range": {"metadata.at": {"gte": 1686787200000}}}, [1, 2, 3]),
    ({"range": {"metadata.author.born": {"lt": 1900}}}, [4, 6]),
    ({"exists": {"field": "metadata.n"}}, [0, 1, 2, 3, 4, 5, 7]),
    ({"exists": {"field": "metadata.tags"}}, [0, 1, 4]),
    ({"exists": {"field": "metadata.note"}}, [5, 6, 7]),
    ({"exists": {"field": "metadata.author"}}, [4, 5, 6]),
    ({"exists": {"field": "metadata.missing"}}, []),
    ({"ids": {"values": ["person-1", "person-4", "missing"]}}, [1, 4]),
    ({"term": {"_id": "person-3"}}, [3]),
    ({"match": {"metadata.author.name.text": "ada"}}, [4, 6]),
    ({"match": {"metadata.author.name.text": {"query": "ada turing", "operator": "or"}}}, [4, 5, 6]),
    ({"match": {"metadata.author.name.text": {"query": "alan turing", "operator": "and"}}}, [5]),
    ({"match": {"metadata.note.text": "PAPER"}}, [5, 6]),
    ({"match_phrase": {"metadata.note.text": {"query": "dries slowly"}}}, [5]),
    ({"match_phrase": {"metadata.note.text": {"query": "slowly dries"}}}, []),
    ({"constant_score": {"filter": {"term": {"metadata.n": 1}}}}, [0]),
    ({"bool": {}}, [0, 1, 2, 3, 4, 5, 6, 7]),
    ({"bool": {"must": {"term": {"metadata.lang.keyword": "en"}}}}, [0, 2]),
    ({"bool": {"must_not": {"term": {"metadata.lang.keyword": "en"}}}}, [1, 3, 4, 5, 6, 7]),
    ({"bool": {"must_not": {"term": {"metadata.lang.keyword": "none"}}}}, [0, 1, 2, 3, 4, 5, 6, 7]),
    ({"bool": {"must_not": {"exists": {"field": "metadata.n"}}}}, [6]),
    ({"bool": {"should": [{"term": {"metadata.n": 1}}, {"term": {"metadata.n": 2}}]}}, [0, 1]),
    (
        {
            "bool": {
                "should": [{"term": {"metadata.n": 1}}, {"term": {"metadata.active": True}}, {"term": {"metadata.n": 3}}],
                "minimum_should_match": 2,
            }
        },
        [0, 2],
    ),
    ({"bool": {"filter": {"term": {"metadata.active": True}}, "should": [{"term": {"metadata.n": 1}}]}}, [0, 2]),
    (
        {
            "bool": {
                "must": [{"range": {"metadata.n": {"gte": 1}}}],
                "filter": [{"term": {"metadata.tags.keyword": "red"}}],
                "must_not": [{"term": {"metadata.active": False}}],
            }
        },
        [0],
    ),
    (
        {
            "bool": {
                "should": [
                    {"bool": {"must_not": {"exists": {"field": "metadata.lang"}}}},
                    {"bool": {"must_not": {"term": {"metadata.missing": 1}}, "must": {"term": {"metadata.n": 4}}}},
                    {"bool": {"filter": {"bool": {"should": [{"term": {"metadata.author.born": 1815}}]}}}},
                ]
            }
        },
        [3, 4],
    ),
    ({"bool": {"must": {"bool": {"must_not": {"term": {"metadata.missing": 1}}}}}}, [0, 1, 2, 3, 4, 5, 6, 7]),
    ([{"term": {"metadata.lang.keyword": "en"}}, {"range": {"metadata.n": {"gt": 1}}}], [2]),
    ([{"term": {"metadata.lang.keyword": "en"}}, {"bool": {"must_not": {"term": {"metadata.n": 99}}}}], [0, 2]),
    ([{"match_all": {}}], [0, 1, 2, 3, 4, 5, 6, 7]),
    ([], [0, 1, 2, 3, 4, 5, 6, 7]),
]


def test_filters(adapter: Adapter) -> None:
    adapter.add_people()
    assert adapter.people(query for query, _ in FILTERS) == {str(query): expected for query, expected in FILTERS}


def test_filters_of_the_settings_and_of_the_call(adapter: Adapter) -> None:
    food = {"term": {"metadata.topic.keyword": "food"}}
    late = {"range": {"metadata.n": {"gte": 2}}}
    adapter.add_examples()
    assert adapter.ids(adapter.retriever(filter=food)) == [IDS[1], IDS[3]]
    assert adapter.ids(adapter.retriever(filter=[food, late])) == [IDS[3]]
    if adapter.framework == "langchain":  # LlamaIndex's interface has no arguments of a call
        retriever = adapter.retriever(filter=food)
        assert [document.id for document in adapter.call(retriever, "invoke", "yeast", filter=late)] == [IDS[3]]
        assert [document.id for document in adapter.call(retriever, "invoke", "yeast", filter=[late, food])] == [IDS[3]]
        assert len(adapter.call(adapter.retriever(), "invoke", "yeast", filter=late, k=2)) == 2


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"term": {"metadata.n": "one"}}, 'For input string: "one"'),
        ({"range": {"metadata.day": {"gte": "tomorrow"}}}, "failed to parse date field [tomorrow]"),
        ({"term": {"embedding": 1}}, "Field [embedding] of type [dense_vector] doesn't support term queries"),
        ({"bool": {"must": {"nonsense": {}}}}, "unknown field [nonsense]"),
    ],
)
def test_a_filter_that_elasticsearch_refuses(adapter: Adapter, eis: LocalEIS, query: Json, reason: str) -> None:
    retriever = adapter.retriever(dimensions=32, metadata_mappings={"day": {"type": "date"}})
    adapter.add(retriever, ["a text"], [{"n": 1, "day": "2026-11-27"}], ["1"])
    with pytest.raises(RequestRejectedError) as caught:
        adapter.search(adapter.retriever(filter=query), "a text")
    assert caught.value.status == 400
    assert reason in str(caught.value)
    eis.clear()  # the OpenAPI does not define these queries either


# Scores

SIMILARITIES: dict[str, Callable[[Any, Any], float]] = {
    "cosine": lambda document, query: (1 + document @ query) / 2,
    "dot_product": lambda document, query: (1 + document @ query) / 2,
    "l2_norm": lambda document, query: 1 / (1 + np.sum((document - query) ** 2)),
    "max_inner_product": lambda document, query: 1 + document @ query if document @ query >= 0 else 1 / (1 - document @ query),
}
INDEX_TYPES = {  # and how far the scores of Elasticsearch 9.5.3 are off without oversampling; bbq oversamples by itself
    "hnsw": 1e-6,
    "flat": 1e-6,
    "int8_hnsw": 2e-2,
    "int8_flat": 2e-2,
    "int4_hnsw": 2e-2,
    "int4_flat": 2e-2,
    "bbq_hnsw": 1e-6,
    "bbq_flat": 1e-6,
}
LONG_TEXTS = [" ".join(f"word{n}" for n in numbers) for numbers in np.random.default_rng(0).integers(200, size=(8, 30))]


def vector_fields(index_type: str, lengths: Sequence[int]) -> dict[str, Json]:
    """A field for each similarity and length."""
    return {
        f"{similarity}-{dims}": {
            "type": "dense_vector",
            "dims": dims,
            "similarity": similarity,
            "index_options": {"type": index_type},
        }
        for dims in lengths
        for similarity in SIMILARITIES
    }


def embed(url: str, dims: int, query: str, texts: Sequence[str]) -> list[list[float]]:
    """The vectors of a query and of documents."""
    with langchain_jina_eis.JinaEISEmbeddings(es_url=url, dimensions=dims) as embeddings:
        return [embeddings.embed_query(query), *embeddings.embed_documents(list(texts))]


def check_scores(found: list[Document], expected: dict[str, float], tolerance: float) -> None:
    """Check the best documents and their scores. Documents whose scores are equal within the tolerance may change places."""
    scores = [document.score for document in found]
    assert len(scores) == 5
    assert scores == pytest.approx([expected[document.id] for document in found], abs=tolerance)
    assert scores == pytest.approx(sorted(expected.values(), reverse=True)[:5], abs=tolerance)


@pytest.mark.parametrize("index_type", INDEX_TYPES)
def test_scores_of_embedded_queries(adapter: Adapter, url: str, index_type: str) -> None:
    dims = 1024 if adapter.call.asynchronous else 64  # one each, for the time it takes
    fields = vector_fields(index_type, (dims,))
    adapter.create_by_hand(**fields)
    query, *vectors = np.array(embed(url, dims, LONG_TEXTS[3], LONG_TEXTS))
    for name in fields:
        retriever = adapter.retriever(field=name, inference_id=TEXT)
        ids = [f"{name}/{n}" for n in range(len(LONG_TEXTS))]
        adapter.add(retriever, LONG_TEXTS, [{}] * len(ids), ids, refresh=False)
    adapter.client.indices.refresh(index=adapter.index)
    for name, field in fields.items():
        score = SIMILARITIES[field["similarity"]]
        expected = {f"{name}/{n}": float(score(vector, query)) for n, vector in enumerate(vectors)}
        for oversample, tolerance in ((10, 1e-6), (None, INDEX_TYPES[index_type])):
            retriever = adapter.retriever(field=name, inference_id=TEXT, oversample=oversample, k=5)
            check_scores(adapter.search(retriever, LONG_TEXTS[3]), expected, tolerance)


@pytest.mark.parametrize("framework", ["llama_index"])  # LangChain's interface has no vectors as queries
@pytest.mark.parametrize("index_type", INDEX_TYPES)
def test_scores_of_vectors(adapter: Adapter, index_type: str) -> None:
    fields = vector_fields(index_type, (384,) if "bbq" in index_type else (2, 384))  # bbq needs 64
    adapter.create_by_hand(**fields)
    random = np.random.default_rng(1)
    vectors = {name: random.normal(size=(13, field["dims"])) for name, field in fields.items()}
    vectors = {name: values / np.linalg.norm(values, axis=1)[:, None] for name, values in vectors.items()}
    adapter.write_by_hand(
        {f"{name}/{n}": {name: vector.tolist()} for name, values in vectors.items() for n, vector in enumerate(values[:12])}
    )
    for name, field in fields.items():
        query, score = vectors[name][12], SIMILARITIES[field["similarity"]]
        expected = {f"{name}/{n}": float(score(vector, query)) for n, vector in enumerate(vectors[name][:12])}
        for oversample, tolerance in ((10, 1e-6), (None, INDEX_TYPES[index_type])):
            retriever = adapter.retriever(field=name, oversample=oversample, k=5)
            check_scores(adapter.search(retriever, QueryBundle("", embedding=query.tolist())), expected, tolerance)


@pytest.mark.parametrize("framework", ["llama_index"])
def test_scores_of_short_vectors(adapter: Adapter) -> None:
    adapter.create_by_hand(**vector_fields("hnsw", (2,)))
    adapter.write_by_hand(
        {
            f"{name}/{n}": {name: vector}
            for name in vector_fields("hnsw", (2,))
            for n, vector in enumerate(([1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]))
        }
    )
    expected = {
        "cosine-2": [1.0, 0.8, 0.5, 0.0],
        "dot_product-2": [1.0, 0.8, 0.5, 0.0],
        "l2_norm-2": [1.0, 0.5555556, 0.33333334, 0.2],
        "max_inner_product-2": [2.0, 1.6, 1.0, 0.5],
    }
    found = {
        name: [
            document.score for document in adapter.search(adapter.retriever(field=name), QueryBundle("", embedding=[1.0, 0.0]))
        ]
        for name in expected
    }
    assert found == expected


def test_min_score(adapter: Adapter) -> None:
    all_found = adapter.search(adapter.add_examples(), "yeast and bread")
    scores = [document.score for document in all_found]
    for kept in range(1, 5):
        assert scores[kept - 1] > scores[kept]
        retriever = adapter.retriever(min_score=(scores[kept - 1] + scores[kept]) / 2)
        assert [document.id for document in adapter.search(retriever, "yeast and bread")] == [
            document.id for document in all_found[:kept]
        ]
    assert len(adapter.search(adapter.retriever(min_score=scores[2]), "yeast and bread")) == 3
    assert adapter.search(adapter.retriever(min_score=1), "yeast and bread") == []
    assert len(adapter.search(adapter.retriever(min_score=0), "yeast and bread")) == 5


def test_highlights_are_of_semantic_fields_only(adapter: Adapter) -> None:
    adapter.add_examples()
    for highlight in (True, 2):
        found = adapter.search(adapter.retriever(highlight=highlight), "yeast")
        assert len(found) == 5
        assert not any("highlights" in document.metadata for document in found)


# Metadata

VALUES: Json = {
    "text": "a text",
    "empty": "",
    "blank": " \t\n",
    "long": "many words " * 10_000,
    "unbroken": "x" * 40_000,
    "unicode": "Ελληνικά 日本語 🧊 e\u0301 \u202e \x00 \u2028",
    "quotes": '"quoted" \\ /slashed/ <b>\'',
    "whole": 7,
    "negative": -7,
    "zero": 0,
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "precise": 2**53 + 1,
    "fraction": 0.1,
    "tiny": 1e-30,
    "huge": 3e38,
    "digits": 3.141592653589793,
    "whole_fraction": 2.0,
    "true": True,
    "false": False,
    "null": None,
    "day": "2026-11-27",
    "time": "2026-11-27T23:59:59.999+01:00",
    "year": "2026",
    "not_a_day": "2026-13-45",
    "number_as_text": "007",
    "list": [1, 2, 3],
    "texts": ["a", "b", ""],
    "nulls": [None, None],
    "with_null": ["a", None],
    "empty_list": [],
    "fractions": [0.5, 1.5, -2.25],
    "lists": [[1, 2], [3]],
    "object": {"a": {"b": {"c": [1, 2], "d": [{"e": "deep"}]}}, "null": None, "empty": {}},
    "objects": [{"name": "a", "n": 1}, {"name": "b"}],
    "empty_object": {},
    "key with spaces": 1,
    "ключ-🧊": "unicode",
    "UPPER": "case",
    "upper": "another case",
    "_private": "underscore",
    "a.dotted.key": 1,
}


def test_metadata_come_back_as_they_were(adapter: Adapter, eis: LocalEIS) -> None:
    retriever = adapter.retriever(dimensions=32)
    adapter.add(retriever, ["a text", "another", "a third"], [VALUES, {}, dict.fromkeys(VALUES)], ["1", "2", "3"])
    found = {document.id: document.metadata for document in adapter.search(retriever, "a text")}
    assert {name: found["1"].get(name) for name in VALUES} == VALUES
    assert all(type(found["1"][name]) is type(value) for name, value in VALUES.items())
    assert not VALUES.keys() & found["2"].keys()
    assert {name: found["3"][name] for name in VALUES} == dict.fromkeys(VALUES)
    again = {name: value for name, value in found["1"].items() if name in VALUES}
    assert adapter.add(retriever, ["a text"], [again], ["4"]) == ["4"]  # nothing in the mapping conflicts
    eis.clear()  # such a deep mapping takes minutes to compare with the OpenAPI


def test_a_list_of_many_fractions(adapter: Adapter) -> None:
    """Elasticsearch would map a list of 128 or more fractions as a vector of this length."""
    retriever = adapter.retriever(dimensions=32)
    for n, length in enumerate((300, 128, 1)):
        assert adapter.add(retriever, [f"text {n}"], [{"histogram": [0.5] * length}], [str(n)]) == [str(n)]
    found = {document.id: document.metadata["histogram"] for document in adapter.search(retriever, "text")}
    assert found == {"0": [0.5] * 300, "1": [0.5] * 128, "2": [0.5]}


def test_metadata_that_elasticsearch_refuses(adapter: Adapter) -> None:
    retriever = adapter.retriever(dimensions=32)
    metadatas: list[Json] = [{"n": 1}, {"": 1}, {"f": 1e300}, {" ": 1}, {"a..b": 1}, {"list": [1, "two"]}, {"mixed": [1, {}]}, {}]
    with pytest.raises(DocumentsFailedError) as caught:
        adapter.add(retriever, [f"text {n}" for n in range(8)], metadatas, [str(n) for n in range(8)])
    assert sorted(caught.value.failed) == ["1", "2", "3", "4", "5", "6"]
    assert (caught.value.indexed, caught.value.untried) == (["0", "7"], [])
    assert adapter.ids(retriever) == ["0", "7"]


def test_lone_surrogates_of_documents(adapter: Adapter) -> None:
    retriever = adapter.retriever(dimensions=32)
    metadata = {"text": f"a{LONE}", "list": [f"{LONE}b"], "object": {f"key{LONE}": 1}}
    assert adapter.add(retriever, [f"A text {LONE} with half a character.", "whole"], [metadata, {"n": 1}], ["1", "2"]) == [
        "1",
        "2",
    ]
    found = {document.id: document for document in adapter.search(retriever, f"a text {LONE}")}
    assert found["1"].text == f"A text {MENDED} with half a character."
    assert {name: found["1"].metadata[name] for name in metadata} == {
        "text": f"a{MENDED}",
        "list": [f"{MENDED}b"],
        "object": {f"key{MENDED}": 1},
    }
    assert (found["2"].text, found["2"].metadata["n"]) == ("whole", 1)


# Indices


def test_the_index_that_is_created(adapter: Adapter) -> None:
    adapter.add(adapter.retriever(dimensions=256), TEXTS[:1], [{}], IDS[:1])
    (mappings,) = (index["mappings"] for index in adapter.client.indices.get_mapping(index=adapter.index).values())
    assert mappings["_meta"] == {"jina_eis": {"inference_id": TEXT}}
    vector = mappings["properties"]["embedding"]
    assert (vector["type"], vector["dims"], vector["index"], vector["similarity"]) == ("dense_vector", 256, True, "cosine")
    for settings, message in (
        ({"dimensions": 512}, "dimensions=512: the vectors in 'embedding' of the index .* have 256"),
        ({"inference_id": OMNI}, "is embedded with .*text-small, not with .*omni-small"),
        ({"field": "other"}, "field='other' does not exist"),
        ({"field_type": "semantic_text"}, r"has embedding \(dense_vector\), and no field of type semantic_text"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            adapter.add(adapter.retriever(**settings), TEXTS[:1], [{}], IDS[:1])
    assert adapter.count() == 1


def test_an_index_by_hand_that_names_no_endpoint(adapter: Adapter) -> None:
    adapter.create_by_hand(vector={"type": "dense_vector", "dims": 256})
    message = f"The index '{adapter.index}' does not name the endpoint of the vectors in 'vector'. Pass inference_id."
    for refused in (lambda: adapter.add_examples(), lambda: adapter.search(adapter.retriever(), "yeast")):
        with pytest.raises(ConfigurationError) as caught:
            refused()
        assert str(caught.value) == message
    assert adapter.count() == 0
    retriever = adapter.add_examples(inference_id=TEXT)
    assert adapter.search(retriever, "How do glaciers move?")[0].id == IDS[0]
    assert adapter.ids(adapter.retriever(inference_id=OMNI)) == IDS  # the same vector space
    with pytest.raises(ConfigurationError):
        adapter.search(adapter.retriever(), "yeast")
    adapter.delete(adapter.retriever(), IDS)
    assert adapter.count() == 0


def test_an_index_by_hand_with_another_length(adapter: Adapter) -> None:
    adapter.create_by_hand(vector={"type": "dense_vector", "dims": 100})
    for settings, message in (
        ({}, "dimensions=100: jina-embeddings-v5-text-small was trained for"),
        ({"dimensions": 256}, "dimensions=256: the vectors in 'vector' of the index .* have 100"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            adapter.add_examples(inference_id=TEXT, **settings)
    assert adapter.count() == 0


def test_an_index_by_hand_with_several_vectors(adapter: Adapter) -> None:
    vector = {"type": "dense_vector", "dims": 256}
    adapter.create_by_hand(first=vector, second={**vector, "similarity": "l2_norm"}, inner={"properties": {"third": vector}})
    with pytest.raises(ConfigurationError, match=r"that can be filled: first .* Choose one with field"):
        adapter.add_examples(inference_id=TEXT)
    with pytest.raises(ConfigurationError, match="choose one with field"):
        adapter.search(adapter.retriever(inference_id=TEXT), "yeast")
    for field in ("first", "second", "inner.third"):
        adapter.add(adapter.retriever(field=field, inference_id=TEXT), TEXTS[:2], METADATAS[:2], [f"{field} 0", f"{field} 1"])
    for field in ("first", "second", "inner.third"):
        found = adapter.search(adapter.retriever(field=field, inference_id=TEXT), "How do glaciers move?")
        assert [document.id for document in found] == [f"{field} 0", f"{field} 1"]
        assert not {"first", "second", "inner", "inner.third"} & found[0].metadata.keys()


def test_an_index_by_hand_that_takes_no_new_fields(adapter: Adapter) -> None:
    text = {adapter.text_field: {"type": "text"}, "embedding": {"type": "dense_vector", "dims": 32}}
    metadata = {"properties": {"n": {"type": "integer"}}}
    adapter.client.indices.create(
        index=adapter.index, mappings={"dynamic": "strict", "properties": {**text, "metadata": metadata}}
    )
    retriever = adapter.retriever(inference_id=TEXT)
    with pytest.raises(DocumentsFailedError, match="mapping set to strict, dynamic introduction of") as caught:
        adapter.add(retriever, TEXTS[:2], [{"n": 1}, {"new": 1}], ["1", "2"])
    if adapter.framework == "langchain":
        assert list(caught.value.failed) == ["2"]
        assert adapter.ids(retriever) == ["1"]
    else:  # its nodes always have fields of their own
        assert sorted(caught.value.failed) == ["1", "2"]


def test_documents_of_another_application(adapter: Adapter, url: str) -> None:
    adapter.create_by_hand(
        doc={"properties": {"body": {"type": "text"}, "vector": {"type": "dense_vector", "dims": 256}}},
        title={"type": "keyword"},
    )
    _, *vectors = embed(url, 256, "unused", TEXTS)
    adapter.write_by_hand(
        {
            "1": {"doc": {"body": TEXTS[0], "vector": vectors[0], "page": 7}, "title": "ice", "metadata": "a string"},
            "2": {"doc.body": TEXTS[1], "doc.vector": vectors[1], "title": "bread"},
            "3": {"doc": {"body": [TEXTS[2], TEXTS[3]], "vector": vectors[2]}, "title": ["cats", "yeast"]},
            "4": {"doc": {"vector": vectors[4]}},
            "5": {"title": "without a vector"},
        }
    )
    settings = {"content_field": "doc.body", "inference_id": TEXT}
    found = {document.id: document for document in adapter.search(adapter.retriever(**settings), "How do glaciers move?")}
    assert {id_: document.text for id_, document in found.items()} == {
        "1": TEXTS[0],
        "2": TEXTS[1],
        "3": f"{TEXTS[2]}\n{TEXTS[3]}",
        "4": "",
    }
    assert next(iter(found)) == "1"
    assert (found["1"].metadata["title"], found["1"].metadata["metadata"]) == ("ice", "a string")
    assert found["1"].metadata["doc"]["page"] == 7
    assert not any(
        "vector" in document.metadata.get("doc", {}) or "doc.vector" in document.metadata for document in found.values()
    )
    chosen = adapter.search(adapter.retriever(**settings, source_fields=["title"], k=2), "How do glaciers move?")
    assert chosen[0].text == TEXTS[0]
    assert chosen[0].metadata["title"] == "ice"
    assert "page" not in chosen[0].metadata.get("doc", {})
    filtered = adapter.retriever(**settings, filter={"term": {"title": "yeast"}})
    assert adapter.ids(filtered) == ["3"]


def test_fields_to_return(adapter: Adapter) -> None:
    adapter.add_examples()
    scores = {"_id", "_index", "_score"}
    for fields, expected in (
        (None, {"n", "topic"}),
        ([], set()),
        (["metadata.n"], {"n"}),
        (["metadata"], {"n", "topic"}),
        (["metadata.*"], {"n", "topic"}),
        (["missing"], set()),
    ):
        found = adapter.search(adapter.retriever(source_fields=fields), "How do glaciers move?")
        assert (found[0].id, found[0].text) == (IDS[0], TEXTS[0])
        if adapter.framework == "langchain":
            assert found[0].metadata.keys() == expected | scores
        else:  # a node is always restored completely
            assert {"n", "topic"} == found[0].metadata.keys()


def test_the_number_of_documents(adapter: Adapter) -> None:
    adapter.add_examples()
    for k in (1, 3, 5, 64, 65, 1000):
        found = adapter.search(adapter.retriever(k=k), "How do glaciers move?")
        assert found[0].id == IDS[0]
        assert len(found) == min(k, 5)
    assert len(adapter.search(adapter.retriever(k=2, num_candidates=64, oversample=1), "yeast")) == 2
    assert len(adapter.search(adapter.retriever(k=10_000), "yeast")) == 5


# Diversity, and settings of a new index

COPIES = 4
REPEATED = [TEXTS[0]] * COPIES + TEXTS[1:]


def add_repeated(adapter: Adapter, **settings: Any) -> Any:
    retriever = adapter.retriever(**settings)
    numbers = range(len(REPEATED))
    adapter.add(retriever, REPEATED, [{"n": n, "even": n % 2 == 0} for n in numbers], [str(n) for n in numbers])
    return retriever


def copies(documents: Sequence[Document]) -> int:
    return sum(document.text == TEXTS[0] for document in documents)


@pytest.mark.parametrize("settings", [{}, {"dimensions": 256}, {"inference_id": OMNI}], ids=["server", "client", "omni"])
def test_diverse_results(adapter: Adapter, settings: Json) -> None:
    query = "How do glaciers move?"
    plain = adapter.search(add_repeated(adapter, k=3, **settings), query)
    assert copies(plain) == 3
    diverse = adapter.search(adapter.retriever(k=3, diversify=0.3, **settings), query)
    assert copies(diverse) == 1
    assert (diverse[0].text, len(diverse)) == (TEXTS[0], 3)
    assert diverse[0].score == pytest.approx(plain[0].score, abs=1e-3)
    assert [document.score for document in diverse] == sorted((document.score for document in diverse), reverse=True)
    nearest = adapter.search(adapter.retriever(k=3, diversify=1, **settings), query)
    assert copies(nearest) == 3
    assert len(adapter.search(adapter.retriever(k=100, diversify=0.3, **settings), query)) == len(REPEATED)
    even = adapter.search(adapter.retriever(k=3, diversify=0.3, filter={"term": {"metadata.even": True}}, **settings), query)
    assert (copies(even), len(even)) == (1, 3)
    assert all(document.metadata["even"] for document in even)
    score = diverse[1].score
    assert len(adapter.search(adapter.retriever(k=3, diversify=0.3, min_score=score - 1e-4, **settings), query)) == 2


def test_an_index_that_keeps_vectors_in_its_documents(adapter: Adapter) -> None:
    """Elasticsearch 9.5.3 returns no hits there, and no error."""
    retriever = add_repeated(adapter, k=3, index_settings={"index.mapping.exclude_source_vectors": False})
    assert copies(adapter.search(retriever, "How do glaciers move?")) == 3
    with pytest.raises(ConfigurationError, match=r"has the setting index\.mapping\.exclude_source_vectors: false, with which"):
        adapter.search(adapter.retriever(diversify=0.5), "How do glaciers move?")


@pytest.mark.parametrize(
    "index_settings",
    [
        {"index.mode": "vectordb_document", "number_of_shards": 2, "index.refresh_interval": "5s"},
        {"index": {"mode": "vectordb_document", "number_of_shards": "2", "refresh_interval": "5s"}},
        {"index": {"mode": "vectordb_document"}, "index.number_of_shards": 2, "refresh_interval": "5s"},
    ],
)
def test_settings_of_a_new_index(adapter: Adapter, index_settings: Json) -> None:
    retriever = add_repeated(adapter, index_settings=index_settings, k=3)
    (described,) = adapter.client.indices.get(index=adapter.index).values()
    found = described["settings"]["index"]
    assert (found["mode"], found["number_of_shards"], found["refresh_interval"]) == ("vectordb_document", "2", "5s")
    assert copies(adapter.search(retriever, "How do glaciers move?")) == 3
    assert copies(adapter.search(adapter.retriever(k=3, diversify=0.3), "How do glaciers move?")) == 1
    add_repeated(adapter, index_settings={"number_of_shards": 7})  # the index exists


def test_settings_that_a_mode_of_indices_refuses(adapter: Adapter) -> None:
    with pytest.raises(RequestRejectedError, match=r"vectordb_document only.*leave index.mode, and settings of _source"):
        settings = {"index.mode": "vectordb_document", "index.mapping.exclude_source_vectors": False}
        add_repeated(adapter, index_settings=settings)
