"""Tests of LlamaIndex's vector store, which hold on the embedded EIS and on the real Elasticsearch.

The modules that import them have the fixtures `url` and `field_type`. One test body covers sync and async. The first part has
the cases of LlamaIndex's own tests for its Elasticsearch store.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import Caller
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, ImageNode, IndexNode, MetadataMode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from jina_eis.errors import ConfigurationError, IndexNotFoundError, InputError
from llama_index_jina_eis import JinaEISEmbedding, JinaEISVectorStore

Json = dict[str, Any]
Mode = VectorStoreQueryMode
Op = FilterOperator
EVERYTHING = MetadataFilters(filters=[])
PEOPLE = {
    "king": ("Lorem ipsum dolor.", {"author": "Stephen King", "theme": "Friendship", "year": 1982}),
    "coppola": ("Lorem ipsum sit amet.", {"director": "Francis Ford Coppola", "theme": "Mafia", "year": 1972}),
    "nolan": ("Lorem ipsum consectetur.", {"director": "Christopher Nolan", "year": 2010}),
    "curie": ("I was taught that the way of progress was neither swift nor easy.", {"author": "Marie Curie"}),
    "einstein": ("The important thing is not to stop asking.", {"author": "Albert Einstein"}),
    "bronte": ("I am no bird, and no net ensnares me: I am a free human being.", {"author": "Charlotte Bronte"}),
}


def people() -> list[TextNode]:
    """Six nodes, each from a document of its own."""
    return [
        TextNode(
            id_=id_, text=text, metadata=metadata, relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"of {id_}")}
        )
        for id_, (text, metadata) in PEOPLE.items()
    ]


class Stores:
    """Creates stores on the index of a test, and calls their methods in their sync or async variant."""

    def __init__(self, url: str, field_type: str, asynchronous: bool) -> None:
        self.url, self.field_type, self.asynchronous = url, field_type, asynchronous
        self.index_name = f"test-{uuid.uuid4().hex}"
        self.call = Caller(asynchronous)
        self._open: list[Any] = []

    def store(self, **arguments: Any) -> JinaEISVectorStore:
        fixed: Json = {"index_name": self.index_name, "es_url": self.url, "field_type": self.field_type}
        self._open.append(JinaEISVectorStore(**{**fixed, **arguments}))
        return self._open[-1]

    def embedding(self, **arguments: Any) -> JinaEISEmbedding:
        self._open.append(JinaEISEmbedding(es_url=self.url, **arguments))
        return self._open[-1]

    def model(self, store: JinaEISVectorStore) -> Any:
        """The embedding model that an application with this kind of field has."""
        return self.embedding() if self.field_type == "dense_vector" else store.embed_model

    def add(self, store: JinaEISVectorStore, nodes: Any, **options: Any) -> list[str]:
        return asyncio.run(store.async_add(nodes, **options)) if self.asynchronous else store.add(nodes, **options)

    def with_people(self, **arguments: Any) -> JinaEISVectorStore:
        store = self.store(**arguments)
        assert self.add(store, people()) == list(PEOPLE)
        return store

    def search(self, store: JinaEISVectorStore, text: str, k: int = 10, **options: Any) -> VectorStoreQueryResult:
        arguments = {name: options.pop(name) for name in ("es_filter", "mmr_threshold", "mmr_prefetch_k") if name in options}
        return self.call(store, "query", VectorStoreQuery(query_str=text, similarity_top_k=k, **options), **arguments)

    def ids(self, store: JinaEISVectorStore) -> list[str]:
        """The ids of all nodes, sorted."""
        return sorted(node.node_id for node in self.call(store, "get_nodes", filters=EVERYTHING))

    def close(self) -> None:
        for adapter in self._open:
            adapter.close()
        with Elasticsearch(self.url) as client:
            client.options(ignore_status=404).indices.delete(index=self.index_name)


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def stores(url: str, field_type: str, face: str) -> Iterator[Stores]:
    stores = Stores(url, field_type, face == "async")
    yield stores
    stores.close()


def where(key: str, value: Any = None, operator: FilterOperator = Op.EQ) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


# Searches


@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.TEXT_SEARCH, Mode.MMR])
def test_nodes_come_back_as_they_were_added(stores: Stores, mode: VectorStoreQueryMode) -> None:
    check_nodes_of(stores, mode)


def check_nodes_of(stores: Stores, mode: VectorStoreQueryMode) -> None:
    store = stores.with_people()
    found = stores.search(store, "the way of progress", mode=mode)
    assert found.nodes and found.ids and found.similarities
    originals = {node.node_id: node for node in people()}
    assert [node.node_id for node in found.nodes] == found.ids
    assert [node.hash for node in found.nodes] == [originals[id_].hash for id_ in found.ids]
    assert list(found.nodes) == [originals[id_] for id_ in found.ids]
    assert "curie" in found.ids[:1] or mode is Mode.MMR
    assert found.similarities == sorted(found.similarities, reverse=True)
    assert all(math.isfinite(score) for score in found.similarities)


def test_words_decide_the_order_of_a_text_search(stores: Stores) -> None:
    store = stores.with_people()
    assert stores.search(store, "I was", 2, mode=Mode.TEXT_SEARCH).ids == ["curie", "bronte"]
    assert stores.search(store, "I am", 2, mode=Mode.TEXT_SEARCH).ids == ["bronte", "curie"]
    assert stores.search(store, "zebra", mode=Mode.TEXT_SEARCH).ids == []


def test_filters_of_elasticsearch_and_of_llama_index_are_combined(stores: Stores) -> None:
    store = stores.with_people()
    assert stores.search(store, "lorem", filters=where("author", "Stephen King")).ids == ["king"]
    assert stores.search(store, "lorem", es_filter={"range": {"metadata.year": {"gt": 1980}}}, k=1).ids in (["king"], ["nolan"])
    both = {"filters": where("theme", "Mafia"), "es_filter": [{"range": {"metadata.year": {"gt": 1980}}}]}
    assert stores.search(store, "lorem", **both).ids == []
    narrow = stores.store(filter={"theme": ["Mafia", "Friendship"]})
    assert sorted(stores.search(narrow, "lorem").ids or []) == ["coppola", "king"]
    assert stores.search(narrow, "lorem", filters=where("year", 1980, Op.LT)).ids == ["coppola"]


def test_documents_and_nodes_restrict_a_search(stores: Stores) -> None:
    store = stores.with_people()
    assert sorted(stores.search(store, "lorem", doc_ids=["of king", "of nolan", "missing"]).ids or []) == ["king", "nolan"]
    assert sorted(stores.search(store, "lorem", node_ids=["king", "curie"]).ids or []) == ["curie", "king"]
    assert stores.search(store, "lorem", node_ids=["missing"]).ids == []
    assert stores.search(store, "lorem", node_ids=["king"], doc_ids=["of curie"]).ids == []


def test_modes_that_cannot_be_answered_are_refused_by_name(stores: Stores) -> None:
    store = stores.with_people()
    for mode in (Mode.SVM, Mode.LOGISTIC_REGRESSION, Mode.LINEAR_REGRESSION):
        with pytest.raises(ConfigurationError, match=f'query mode "{mode.value}". Use default, text_search, hybrid'):
            stores.search(store, "lorem", mode=mode)
    with pytest.raises(ConfigurationError, match='query mode "sparse" needs a field that a sparse model embeds'):
        stores.search(store, "lorem", mode=Mode.SPARSE)


def test_an_empty_query_and_wrong_arguments(stores: Stores) -> None:
    store = stores.with_people()
    for query in (VectorStoreQuery(), VectorStoreQuery(query_str="  "), VectorStoreQuery(query_embedding=[])):
        with pytest.raises(InputError, match="neither a text nor a vector"):
            stores.call(store, "query", query)
    with pytest.raises(ConfigurationError, match="Unknown arguments: custom_query"):
        stores.call(store, "query", VectorStoreQuery(query_str="x"), custom_query=print)
    with pytest.raises(ConfigurationError, match="similarity_top_k=0"):
        stores.search(store, "x", 0)
    with pytest.raises(ConfigurationError, match="mmr_prefetch_factor or mmr_prefetch_k"):
        query = VectorStoreQuery(query_str="x", mode=Mode.MMR)
        stores.call(store, "query", query, mmr_prefetch_factor=2.0, mmr_prefetch_k=4)
    for arguments in ({"mmr_prefetch_factor": 0.5}, {"mmr_prefetch_k": 0}, {"mmr_prefetch_k": 10_001}):
        with pytest.raises(ConfigurationError, match=r"mmr_prefetch_\w+="):
            stores.call(store, "query", query, **arguments)


def test_different_nodes_by_mmr(stores: Stores) -> None:
    store = stores.store()
    texts = ["Salt melts ice on roads.", "Salt melts ice on roads!", "Salt is mined in hills.", "Owls fly."]
    stores.add(store, [TextNode(id_=str(n), text=text) for n, text in enumerate(texts)])
    close = stores.search(store, "Salt melts ice on roads.", 2, mode=Mode.MMR, mmr_threshold=1.0).ids
    assert sorted(close or []) == ["0", "1"]
    different = stores.search(store, "Salt melts ice on roads.", 2, mode=Mode.MMR, mmr_threshold=0.0).ids
    assert sorted(different or []) != ["0", "1"]
    assert len(stores.search(store, "Salt", 3, mode=Mode.MMR, mmr_prefetch_k=3).ids or []) == 3
    with pytest.raises(ConfigurationError, match="mmr_threshold"):
        stores.search(store, "Salt", mode=Mode.MMR, mmr_threshold=2.0)


# Nodes


def test_nodes_are_read_and_deleted_by_ids_and_filters(stores: Stores) -> None:
    store = stores.with_people()
    found = stores.call(store, "get_nodes", ["curie", "missing", "king"])
    assert [node.node_id for node in found] == ["curie", "king"]
    assert [node.hash for node in found] == [node.hash for node in people() if node.node_id in ("king", "curie")][::-1]
    assert [node.node_id for node in stores.call(store, "get_nodes", filters=where("author", "Stephen King"))] == ["king"]
    assert [node.node_id for node in stores.call(store, "get_nodes", ["king", "nolan"], where("year", 2010))] == ["nolan"]
    assert stores.call(store, "get_nodes", filters=where("author", "No One")) == []
    assert stores.call(store, "get_nodes", []) == []
    for name in ("get_nodes", "delete_nodes"):
        with pytest.raises(InputError, match=r"Pass node_ids or filters\."):
            stores.call(store, name)

    stores.call(store, "delete_nodes", ["king", "missing"])
    stores.call(store, "delete_nodes", [])
    assert stores.ids(store) == ["bronte", "coppola", "curie", "einstein", "nolan"]
    stores.call(store, "delete_nodes", filters=where("author", "Marie Curie"))
    stores.call(store, "delete_nodes", ["coppola", "nolan"], where("author", "Albert Einstein"))
    assert stores.ids(store) == ["bronte", "coppola", "einstein", "nolan"]
    stores.call(store, "delete_nodes", ["coppola", "nolan"], where("theme", "Mafia"))
    assert stores.ids(store) == ["bronte", "einstein", "nolan"]
    stores.call(store, "clear")
    assert stores.ids(store) == []
    stores.add(store, people()[:1])
    assert stores.search(store, "lorem").ids == ["king"]


def test_a_document_is_deleted_by_its_id(stores: Stores) -> None:
    store = stores.with_people()
    stores.call(store, "delete", "of king")
    stores.call(store, "delete", "missing")
    assert stores.ids(store) == ["bronte", "coppola", "curie", "einstein", "nolan"]
    parts = [
        TextNode(id_=f"part {n}", text=f"Part {n}.", relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="book/é ?")})
        for n in range(20)
    ]
    stores.add(store, parts, refresh=False)
    stores.call(store, "delete", "book/é ?")  # finds what no search has seen
    assert stores.ids(store) == ["bronte", "coppola", "curie", "einstein", "nolan"]
    stores.add(store, [Document(id_="whole", text="A document that is not split."), Document(id_="other", text="Another.")])
    stores.call(store, "delete", "None")
    stores.call(store, "delete", "king")
    stores.call(store, "delete", "bronte")  # a node of this id, of another document
    stores.call(store, "delete", "whole")
    assert stores.ids(store) == ["bronte", "coppola", "curie", "einstein", "nolan", "other"]


def test_every_class_of_node_comes_back(stores: Stores) -> None:
    store = stores.store()
    nodes: list[BaseNode] = [
        Document(id_="document", text="A whole document.", metadata={"a": 1, "doc_id": "the user's own"}),
        TextNode(id_="text", text="A text.", metadata={"none": None, "nested": {"a": [1, 2]}, "flag": True}),
        IndexNode(id_="index", text="An index.", index_id="of another"),
        ImageNode(id_="image", text="A picture.", metadata={"file_path": "picture.png"}),
    ]
    nodes[1].excluded_embed_metadata_keys = ["flag"]
    stores.add(store, nodes)
    found = stores.call(store, "get_nodes", [node.node_id for node in nodes])
    assert found == nodes
    assert [type(node) for node in found] == [type(node) for node in nodes]
    assert [node.hash for node in found] == [node.hash for node in nodes]
    modes = [MetadataMode.ALL, MetadataMode.EMBED, MetadataMode.LLM]
    assert [[node.get_content(mode) for mode in modes] for node in found] == [
        [node.get_content(mode) for mode in modes] for node in nodes
    ]
    assert [node.node_id for node in stores.call(store, "get_nodes", filters=where("doc_id", "the user's own"))] == ["document"]


def test_nodes_that_were_found_can_be_added_again(stores: Stores) -> None:
    store = stores.with_people()
    found = stores.search(store, "lorem ipsum", 3)
    assert found.nodes is not None
    assert stores.add(store, found.nodes) == found.ids
    assert stores.ids(store) == sorted(PEOPLE)
    again = stores.search(store, "lorem ipsum", 3)
    assert (again.nodes, again.ids) == (found.nodes, found.ids)


def test_what_is_no_node_is_refused_before_anything_is_sent(stores: Stores) -> None:
    store = stores.store()
    for nodes, message in (
        ([*people(), "no node"], "Node 6 is .*, not a BaseNode"),
        (people()[0], r"Pass a list of nodes\. For a single node, write \[node\]"),
        ("texts", "The nodes are .* Pass a list of nodes"),
    ):
        with pytest.raises(InputError, match=message):
            stores.add(store, nodes)
    with Elasticsearch(stores.url) as client:
        assert not client.indices.exists(index=stores.index_name)
    assert stores.add(store, iter(people())) == list(PEOPLE)
    assert stores.add(store, []) == []
    with pytest.raises(ConfigurationError, match="Unknown arguments: create_index_if_not_exists"):
        stores.add(store, people(), create_index_if_not_exists=True)


def test_an_index_that_does_not_exist(stores: Stores) -> None:
    store = stores.store()
    stores.call(store, "delete", "of king")
    stores.call(store, "delete_nodes", ["king"])
    stores.call(store, "delete_nodes", filters=where("author", "Stephen King"))
    stores.call(store, "clear")
    for name, argument in (("get_nodes", ["king"]), ("query", VectorStoreQuery(query_str="lorem"))):
        with pytest.raises(IndexNotFoundError, match="There is no index"):
            stores.call(store, name, argument)


# Indices and pipelines of LlamaIndex


def index_of(stores: Stores, store: JinaEISVectorStore, **arguments: Any) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(store, embed_model=stores.model(store), **arguments)


def test_an_index_over_the_store(stores: Stores) -> None:
    store = stores.store()
    index = index_of(stores, store)
    stores.call(index, "insert_nodes", people())
    retriever = index.as_retriever(similarity_top_k=2, filters=where("year", 1970, Op.GT))
    found = stores.call(retriever, "retrieve", "Lorem ipsum dolor.")
    assert found[0].node_id == "king"
    assert found[0].score is not None and "_score" not in found[0].node.metadata
    for mode in ("text_search", "mmr"):
        retriever = index.as_retriever(similarity_top_k=2, vector_store_query_mode=mode)
        assert stores.call(retriever, "retrieve", "Lorem ipsum dolor.")
    stores.call(index, "delete_nodes", ["king"])
    stores.call(index, "delete_ref_doc", "of nolan")
    assert stores.ids(store) == ["bronte", "coppola", "curie", "einstein"]


def test_index_nodes_do_not_hide_the_texts(stores: Stores) -> None:
    store = stores.store()
    index = index_of(stores, store)
    nodes = [IndexNode(id_="pointer", text="Lorem ipsum of another.", index_id="somewhere"), *people()]
    stores.call(index, "insert_nodes", nodes)
    found = stores.call(index.as_retriever(similarity_top_k=10), "retrieve", "Lorem ipsum dolor.")
    assert {node.node_id for node in found} == {"pointer", *PEOPLE}


def long_document(id_: str, word: str, sentences: int) -> Document:
    return Document(id_=id_, text=" ".join(f"{word} sentence number {n} of this document." for n in range(sentences)))


def texts_of(stores: Stores, store: JinaEISVectorStore) -> dict[str, set[str]]:
    """The first words of the nodes of each document."""
    found: dict[str, set[str]] = {}
    for node in stores.call(store, "get_nodes", filters=EVERYTHING):
        found.setdefault(node.ref_doc_id or node.node_id, set()).add(node.get_content().split()[0])
    return found


def run(stores: Stores, pipeline: IngestionPipeline, documents: Sequence[Document]) -> int:
    return len(stores.call(pipeline, "run", documents=list(documents)))


@pytest.mark.parametrize("splits", [True, False], ids=["split", "whole"])
def test_pipelines_leave_no_stale_node(stores: Stores, splits: bool) -> None:
    store = stores.store()
    splitter = [SentenceSplitter(chunk_size=40, chunk_overlap=0)] if splits else []
    pipeline = IngestionPipeline(
        transformations=[*splitter, stores.model(store)],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS,
        disable_cache=True,
    )
    documents = [long_document("a", "First", 12), long_document("b", "Second", 12)]
    assert run(stores, pipeline, documents) == len(stores.ids(store)) >= 2
    assert run(stores, pipeline, documents) == 0
    assert run(stores, pipeline, [long_document("a", "Changed", 4), documents[1]]) >= 1
    assert texts_of(stores, store).keys() == {"a", "b"}
    assert not any("First" in word for words in texts_of(stores, store).values() for word in words)
    pipeline.docstore_strategy = DocstoreStrategy.UPSERTS_AND_DELETE
    assert run(stores, pipeline, [documents[1]]) == 0
    assert texts_of(stores, store).keys() == {"b"}


def test_a_pipeline_skips_duplicates(stores: Stores) -> None:
    store = stores.store()
    pipeline = IngestionPipeline(
        transformations=[stores.model(store)],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY,
    )
    assert run(stores, pipeline, [Document(id_="a", text="Salt."), Document(id_="b", text="Salt.")]) == 1
    assert run(stores, pipeline, [Document(id_="c", text="Salt."), Document(id_="d", text="Owls.")]) == 1
    assert stores.ids(store) == ["a", "d"]


def test_documents_are_refreshed_and_updated(stores: Stores) -> None:
    store = stores.store()
    index = VectorStoreIndex.from_documents(
        [long_document("a", "First", 12), long_document("b", "Second", 12)],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=stores.model(store),
        transformations=[SentenceSplitter(chunk_size=40, chunk_overlap=0)],
    )
    before = len(stores.ids(store))
    changed = [long_document("a", "Changed", 4), long_document("b", "Second", 12), long_document("c", "Third", 1)]
    assert stores.call(index, "refresh_ref_docs", changed) == [True, False, True]
    assert stores.call(index, "refresh_ref_docs", changed) == [False, False, False]
    assert texts_of(stores, store).keys() == {"a", "b", "c"}
    assert not any("First" in word for word in texts_of(stores, store)["a"])
    assert len(stores.ids(store)) < before
    stores.call(index, "update_ref_doc", long_document("b", "Updated", 1))
    assert not any("Second" in word for word in texts_of(stores, store)["b"])


# Filters

DOCUMENTS: dict[str, Json] = {
    "a": {"lang": "en", "n": 1, "price": 0.5, "tags": ["red", "blue"], "flag": True, "note": "Ink dries slowly on paper."},
    "b": {"lang": "de", "n": 2, "price": 3.25, "tags": ["red"], "flag": False, "author": {"name": "Ada"}},
    "c": {"lang": "EN", "n": -5, "tags": [], "note": "Paper is made of wood; ink is not."},
    "d": {"lang": "", "n": 30, "price": 100.0, "tags": "green", "numbers": [1, 2, 3], "note": None},
    "e": {"n": 2, "numbers": [3], "note": "ink"},
    "f": {},
}
FILTERS: list[tuple[str, Any, FilterOperator, str]] = [
    ("lang", "en", Op.EQ, "a"),
    ("lang", "", Op.EQ, "d"),
    ("n", 2, Op.EQ, "be"),
    ("price", 3.25, Op.EQ, "b"),
    ("flag", 1, Op.EQ, "a"),
    ("flag", "false", Op.EQ, "b"),
    ("author.name", "Ada", Op.EQ, "b"),
    ("tags", "red", Op.EQ, "ab"),
    ("missing", "x", Op.EQ, ""),
    ("lang", "en", Op.NE, "bcdef"),
    ("missing", "x", Op.NE, "abcdef"),
    ("n", 2, Op.NE, "acdf"),
    ("flag", 0, Op.NE, "acdef"),
    ("n", 1, Op.GT, "bde"),
    ("n", 1, Op.GTE, "abde"),
    ("n", 2, Op.LT, "ac"),
    ("n", 1.5, Op.LTE, "ac"),
    ("price", 1, Op.GT, "bd"),
    ("lang", "d", Op.GT, "ab"),
    ("numbers", 2, Op.GT, "de"),
    ("lang", ["en", "de", "fr"], Op.IN, "ab"),
    ("n", [1, 30], Op.IN, "ad"),
    ("lang", [], Op.IN, ""),
    ("missing", ["x"], Op.IN, ""),
    ("lang", ["en", "de"], Op.NIN, "cdef"),
    ("lang", [], Op.NIN, "abcdef"),
    ("missing", ["x"], Op.NIN, "abcdef"),
    ("tags", ["blue", "green"], Op.ANY, "ad"),
    ("tags", ["red", "blue"], Op.ALL, "a"),
    ("tags", ["red"], Op.ALL, "ab"),
    ("tags", [], Op.ALL, "abd"),
    ("numbers", [1, 3], Op.ALL, "d"),
    ("tags", "blue", Op.CONTAINS, "a"),
    ("numbers", 3, Op.CONTAINS, "de"),
    ("note", "ink", Op.TEXT_MATCH, "ace"),
    ("note", "INK dries", Op.TEXT_MATCH, "a"),
    ("note", "dries ink", Op.TEXT_MATCH, ""),
    ("note", "pap", Op.TEXT_MATCH, ""),
    ("note", "Wood INK", Op.TEXT_MATCH_INSENSITIVE, "c"),
    ("missing", "ink", Op.TEXT_MATCH, ""),
    ("tags", None, Op.IS_EMPTY, "cef"),
    ("note", None, Op.IS_EMPTY, "bdf"),
    ("author", None, Op.IS_EMPTY, "acdef"),
    ("missing", None, Op.IS_EMPTY, "abcdef"),
]


def nodes_with(documents: dict[str, Json], field_type: str) -> list[TextNode]:
    vector = [1.0, *[0.0] * 31] if field_type == "dense_vector" else None
    return [TextNode(id_=id_, text=f"text {id_}", metadata=metadata, embedding=vector) for id_, metadata in documents.items()]


def with_documents(stores: Stores, documents: dict[str, Json]) -> JinaEISVectorStore:
    store = stores.store(**({"dimensions": 32} if stores.field_type == "dense_vector" else {}))
    stores.add(store, nodes_with(documents, stores.field_type))
    return store


def matching(stores: Stores, store: JinaEISVectorStore, filters: MetadataFilters) -> str:
    return "".join(sorted(node.node_id for node in stores.call(store, "get_nodes", filters=filters)))


def test_every_operator(stores: Stores) -> None:
    store = with_documents(stores, DOCUMENTS)
    expected = {f"{key} {op.value} {value}": ids for key, value, op, ids in FILTERS}
    assert {op for _, _, op, _ in FILTERS} == set(FilterOperator)
    found = {f"{key} {op.value} {value}": matching(stores, store, where(key, value, op)) for key, value, op, _ in FILTERS}
    assert found == expected


def test_filters_are_nested(stores: Stores) -> None:
    store = with_documents(stores, DOCUMENTS)
    english, two = MetadataFilter(key="lang", value="en"), MetadataFilter(key="n", value=2)
    either = MetadataFilters(filters=[english, two], condition=FilterCondition.OR)
    neither = MetadataFilters(filters=[english, two], condition=FilterCondition.NOT)
    red = MetadataFilter(key="tags", value="red", operator=Op.CONTAINS)
    assert matching(stores, store, either) == "abe"
    assert matching(stores, store, neither) == "cdf"
    assert matching(stores, store, MetadataFilters(filters=[either, red])) == "ab"
    assert matching(stores, store, MetadataFilters(filters=[either, red], condition=FilterCondition.NOT)) == "cdf"
    assert matching(stores, store, MetadataFilters(filters=[neither, red], condition=FilterCondition.OR)) == "abcdf"
    assert matching(stores, store, MetadataFilters(filters=[MetadataFilters(filters=[neither])])) == "cdf"
    assert matching(stores, store, EVERYTHING) == "abcdef"
    query = VectorStoreQuery(
        query_str="text", mode=Mode.TEXT_SEARCH, filters=MetadataFilters(filters=[either, red]), similarity_top_k=9
    )
    assert sorted(stores.call(store, "query", query).ids or []) == ["a", "b"]


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        (Op.EQ, None, "has no value. Use the operator is_empty"),
        (Op.GT, None, "has no value"),
        (Op.NE, ["a"], "has a list, and compares with one value. Use in, nin"),
        (Op.IN, "a", "Pass a list of values"),
        (Op.ALL, None, "Pass a list of values"),
        (Op.TEXT_MATCH, 1, "Words are searched in texts"),
        (Op.EQ, math.nan, "which JSON does not have"),
        (Op.IN, [math.inf], "which JSON does not have"),
    ],
)
def test_values_that_do_not_fit_their_operator(stores: Stores, operator: FilterOperator, value: Any, message: str) -> None:
    store = with_documents(stores, DOCUMENTS)
    with pytest.raises(ConfigurationError, match=f"^The filter 'lang' {operator.value}.*{message}"):
        stores.call(store, "get_nodes", filters=where("lang", value, operator))


def test_a_key_that_came_after_the_mapping_was_read(stores: Stores) -> None:
    store = with_documents(stores, {"a": {"n": 1}})
    assert matching(stores, store, where("later", "x")) == ""
    other = stores.store(**({"dimensions": 32} if stores.field_type == "dense_vector" else {}))
    stores.add(other, nodes_with({"b": {"later": "x"}, "c": {"later": "Y y"}}, stores.field_type))
    assert matching(stores, store, where("later", "x")) == "b"
    assert matching(stores, store, where("later", "y y", Op.TEXT_MATCH)) == "c"


WORDS = st.lists(st.sampled_from(["ink", "Paper", "wood", "DRIES"]), max_size=3).map(" ".join)
VALUES: dict[str, Any] = {
    "lang": st.sampled_from(["", "en", "EN", "de", "é", "日本", "a b"]),
    "n": st.integers(-3, 3),
    "price": st.integers(-8, 8).map(lambda quarters: quarters / 4),
    "note": WORDS,
}
METADATA = st.fixed_dictionaries(
    {},
    optional={key: st.one_of(st.none(), value, st.lists(value, max_size=3)) for key, value in VALUES.items()},
)
COMPARISONS = (Op.GT, Op.GTE, Op.LT, Op.LTE)
ONE_VALUE = (Op.EQ, Op.NE, Op.CONTAINS, *COMPARISONS)
LISTS = (Op.IN, Op.NIN, Op.ANY, Op.ALL)


@st.composite
def leaves(draw: st.DrawFn) -> MetadataFilter:
    key = draw(st.sampled_from([*VALUES, "missing"]))
    values = VALUES.get(key, VALUES["lang"])
    kind = draw(st.sampled_from(["one", "list", "empty", *(["words"] if key == "note" else [])]))
    if kind == "one":
        return MetadataFilter(key=key, value=draw(values), operator=draw(st.sampled_from(ONE_VALUE)))
    if kind == "list":
        return MetadataFilter(key=key, value=draw(st.lists(values, max_size=3)), operator=draw(st.sampled_from(LISTS)))
    if kind == "words":
        operator = draw(st.sampled_from([Op.TEXT_MATCH, Op.TEXT_MATCH_INSENSITIVE]))
        return MetadataFilter(key=key, value=draw(WORDS.filter(bool)), operator=operator)
    return MetadataFilter(key=key, value=None, operator=Op.IS_EMPTY)


TREES = st.recursive(
    st.builds(lambda leaf: MetadataFilters(filters=[leaf]), leaves()),
    lambda trees: st.builds(
        lambda filters, condition: MetadataFilters(filters=filters, condition=condition),
        st.lists(st.one_of(leaves(), trees), max_size=3),
        st.sampled_from(FilterCondition),
    ),
    max_leaves=6,
)


def words_of(text: str) -> list[str]:
    return text.lower().split()


def contains_phrase(text: str, phrase: str) -> bool:
    words, wanted = words_of(text), words_of(phrase)
    return any(words[first : first + len(wanted)] == wanted for first in range(len(words) - len(wanted) + 1))


def matches(leaf: MetadataFilter, metadata: Json) -> bool:
    """What an operator means, for the values of one key of a document."""
    stored, value = metadata.get(leaf.key), leaf.value
    values = [] if stored is None else stored if isinstance(stored, list) else [stored]
    listed: list[Any] = value if isinstance(value, list) else [value]
    meanings = {
        Op.EQ: lambda: value in values,
        Op.CONTAINS: lambda: value in values,
        Op.NE: lambda: value not in values,
        Op.GT: lambda: any(own > value for own in values),
        Op.GTE: lambda: any(own >= value for own in values),
        Op.LT: lambda: any(own < value for own in values),
        Op.LTE: lambda: any(own <= value for own in values),
        Op.IN: lambda: any(own in listed for own in values),
        Op.ANY: lambda: any(own in listed for own in values),
        Op.NIN: lambda: not any(own in listed for own in values),
        Op.ALL: lambda: bool(values) and all(given in values for given in listed),
        Op.TEXT_MATCH: lambda: any(contains_phrase(own, str(value)) for own in values),
        Op.TEXT_MATCH_INSENSITIVE: lambda: any(contains_phrase(own, str(value)) for own in values),
        Op.IS_EMPTY: lambda: not values,
    }
    return meanings[leaf.operator]()


def selected(tree: MetadataFilters, documents: dict[str, Json]) -> set[str]:
    """The documents that match a tree, by plain set algebra."""
    if not tree.filters:
        return set(documents)
    sets = [
        selected(entry, documents)
        if isinstance(entry, MetadataFilters)
        else {id_ for id_, metadata in documents.items() if matches(entry, metadata)}
        for entry in tree.filters
    ]
    if tree.condition is FilterCondition.AND:
        return set.intersection(*sets)
    union = set.union(*sets)
    return union if tree.condition is FilterCondition.OR else set(documents) - union


def check_filters(stores: Stores, contents: list[Json], trees: list[MetadataFilters]) -> None:
    documents = {str(n): metadata for n, metadata in enumerate(contents)}
    with Elasticsearch(stores.url) as client:
        client.options(ignore_status=404).indices.delete(index=stores.index_name)
    store = with_documents(stores, documents)
    for tree in trees:
        assert matching(stores, store, tree) == "".join(sorted(selected(tree, documents))), (tree, documents)


def test_filters_select_as_sets_do(url: str, field_type: str, filter_examples: int) -> None:
    stores = Stores(url, field_type, False)

    @settings(max_examples=filter_examples)
    @given(contents=st.lists(METADATA, min_size=1, max_size=6), trees=st.lists(TREES, min_size=1, max_size=8))
    def check(contents: list[Json], trees: list[MetadataFilters]) -> None:
        check_filters(stores, contents, trees)

    try:
        check()
    finally:
        stores.close()
