"""LangChain's and LangGraph's tools that are built on a vector store, over `JinaEISVectorStore`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import FACTS, QUERY, Caller
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.runnables import RunnableLambda
from langchain_core.stores import InMemoryByteStore, InMemoryStore
from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery
from langchain_core.tools import create_retriever_tool

from jina_eis.errors import ConfigurationError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRetriever, JinaEISTranslator, JinaEISVectorStore

pytest.importorskip("langchain_classic")
KINDS = {"semantic_text": {}, "dense_vector": {"field_type": "dense_vector", "dimensions": 64}}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, connect: Callable[..., Any], index_name: str) -> Iterator[JinaEISVectorStore]:
    """An empty store."""
    return connect(JinaEISVectorStore, index_name=index_name, **KINDS[request.param])


def stored(store: JinaEISVectorStore) -> set[str]:
    """The texts in the index."""
    with Elasticsearch(str(store.es_url)) as client:
        hits = client.search(index=store.index_name, size=100, source=["text"])["hits"]["hits"]
    return {hit["_source"]["text"] for hit in hits}


def page(text: str, source: str) -> Document:
    return Document(page_content=text, metadata={"source": source})


@pytest.fixture(params=[False, True], ids=["index", "aindex"])
def ingest(request: pytest.FixtureRequest, store: JinaEISVectorStore) -> Callable[..., dict[str, int]]:
    """Run LangChain's `index` or `aindex` over one record manager. Returns the numbers of added, updated and deleted documents."""
    records = InMemoryRecordManager("facts")
    records.create_schema()

    def run(documents: list[Document], cleanup: Any, **options: Any) -> dict[str, int]:
        settings = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "blake2b", **options}
        if request.param:
            result: Any = asyncio.run(aindex(documents, records, store, **settings))
        else:
            result = index(documents, records, store, **settings)
        return {name.removeprefix("num_"): number for name, number in result.items() if number}

    return run


@pytest.mark.parametrize(
    ("cleanup", "removed", "left"),
    [
        (None, {}, {"a1", "a2", "a3", "b1"}),
        ("incremental", {"deleted": 1}, {"a2", "a3", "b1"}),
        ("full", {"deleted": 2}, {"a2", "a3"}),
        ("scoped_full", {"deleted": 1}, {"a2", "a3", "b1"}),
    ],
)
def test_index(
    ingest: Callable[..., dict[str, int]], store: JinaEISVectorStore, cleanup: str | None, removed: dict[str, int], left: set[str]
) -> None:
    first = [page("a1", "a"), page("a2", "a"), page("b1", "b")]
    assert ingest(first, cleanup) == {"added": 3}
    assert ingest(first, cleanup) == {"skipped": 3}
    assert stored(store) == {"a1", "a2", "b1"}
    assert ingest([page("a2", "a"), page("a3", "a")], cleanup) == {"added": 1, "skipped": 1, **removed}
    assert stored(store) == left


def test_index_writes_again_after_an_error(ingest: Callable[..., dict[str, int]], store: JinaEISVectorStore) -> None:
    def pages() -> Iterator[Document]:
        yield page("a1", "a")
        yield page("a2", "a")
        raise OSError("the network drive is gone")

    with pytest.raises(OSError, match="drive"):
        ingest(list_of(pages), "incremental", batch_size=1)
    assert ingest([page("a1", "a"), page("a2", "a")], "incremental")
    assert stored(store) == {"a1", "a2"}
    assert ingest([page("a1", "a"), page("a2", "a")], "incremental", force_update=True) == {"updated": 2}
    assert stored(store) == {"a1", "a2"}


class list_of:  # noqa: N801 - reads as a function
    """An iterable over what a generator function yields, as LangChain's loaders are."""

    def __init__(self, generate: Callable[[], Iterator[Document]]) -> None:
        self._generate = generate

    def __iter__(self) -> Iterator[Document]:
        return self._generate()

    def lazy_load(self) -> Iterator[Document]:
        return self._generate()


def test_parent_document_retriever(store: JinaEISVectorStore, call: Caller) -> None:
    from langchain_classic.retrievers import ParentDocumentRetriever
    from langchain_text_splitters import CharacterTextSplitter

    splitter = CharacterTextSplitter(separator=". ", chunk_size=40, chunk_overlap=0)
    retriever = ParentDocumentRetriever(
        vectorstore=store, docstore=InMemoryStore(), child_splitter=splitter, search_kwargs={"k": 2}
    )
    parents = [page(". ".join([fact] * 3), str(n)) for n, fact in enumerate(FACTS)]
    call(retriever, "add_documents", parents)
    assert parents[0] in call(retriever, "invoke", FACTS[0])
    for search_type in ("mmr", "similarity_score_threshold"):
        retriever.search_type = search_type
        assert parents[0] in call(retriever, "invoke", FACTS[0])


def test_multi_vector_retriever(store: JinaEISVectorStore, call: Caller) -> None:
    from langchain_classic.retrievers import MultiVectorRetriever

    retriever = MultiVectorRetriever(vectorstore=store, byte_store=InMemoryByteStore(), id_key="doc_id", search_kwargs={"k": 3})
    wholes = [Document(page_content=f"{fact} And so on.", metadata={}) for fact in FACTS]
    retriever.docstore.mset([(str(n), whole) for n, whole in enumerate(wholes)])
    call(store, "add_texts", FACTS, [{"doc_id": str(n)} for n in range(len(FACTS))])
    assert call(retriever, "invoke", FACTS[1])[0].page_content == wholes[1].page_content


def test_ensemble_retriever(store: JinaEISVectorStore, call: Caller, eis: LocalEIS) -> None:
    from langchain_classic.retrievers import EnsembleRetriever

    store.add_texts(FACTS, [{"key": f"key {n}"} for n in range(len(FACTS))], ids=[str(n) for n in range(len(FACTS))])
    retrievers = [store.as_retriever(), store.as_retriever(search_type="mmr")]
    found = call(EnsembleRetriever(retrievers=retrievers, id_key="key"), "invoke", QUERY)
    assert sorted(document.metadata["key"] for document in found) == [f"key {n}" for n in range(len(FACTS))]
    assert len(call(EnsembleRetriever(retrievers=retrievers), "invoke", QUERY)) == len(FACTS), "each document once"


def test_ensemble_of_retriever_classes(store: JinaEISVectorStore, connect: Callable[..., Any], call: Caller) -> None:
    from langchain_classic.retrievers import EnsembleRetriever

    store.add_texts(FACTS, ids=[str(n) for n in range(len(FACTS))])
    kinds = ("knn", "hybrid") if store.field_type else ("semantic", "hybrid")
    retrievers = [connect(JinaEISRetriever, index_name=store.index_name, search_type=kind) for kind in kinds]
    found = call(EnsembleRetriever(retrievers=retrievers, id_key="_id"), "invoke", QUERY)
    assert sorted(document.id for document in found) == [str(n) for n in range(len(FACTS))]


def equals(attribute: str, value: Any, comparator: Comparator = Comparator.EQ) -> Comparison:
    return Comparison(comparator=comparator, attribute=attribute, value=value)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (equals("lang", "en"), {1, 3}),
        (equals("lang", "en", Comparator.NE), {0, 2}),
        (equals("n", 2, Comparator.GT), {3}),
        (equals("n", 2, Comparator.GTE), {2, 3}),
        (equals("n", 2, Comparator.LT), {0, 1}),
        (equals("n", 2, Comparator.LTE), {0, 1, 2}),
        (equals("n", [0, 3], Comparator.IN), {0, 3}),
        (equals("lang", ["en", "fr"], Comparator.NIN), {0, 2}),
        (equals("tags", "two words", Comparator.CONTAIN), {2}),
        (equals("title", "words of", Comparator.CONTAIN), {1}),
        (equals("title", "title words", Comparator.LIKE), {1}),
        (equals("day", {"type": "date", "date": "2024-02-01"}, Comparator.GTE), {2, 3}),
        (Operation(operator=Operator.AND, arguments=[equals("lang", "en"), equals("n", 1)]), {1}),
        (Operation(operator=Operator.OR, arguments=[equals("lang", "en"), equals("n", 0)]), {0, 1, 3}),
        (Operation(operator=Operator.NOT, arguments=[equals("lang", "en")]), {0, 2}),
        (None, {0, 1, 2, 3}),
    ],
)
def test_self_query(store: JinaEISVectorStore, call: Caller, filter_: Any, expected: set[int]) -> None:
    from langchain_classic.retrievers import SelfQueryRetriever

    metadatas = [
        {"n": n, "lang": "en" if n % 2 else "de", "tags": ["one", "two words"] if n == 2 else ["one"], "day": f"2024-0{n}-02"}
        | ({"title": "The words of a title"} if n == 1 else {})
        for n in range(len(FACTS))
    ]
    store.add_texts(FACTS, metadatas)
    written = StructuredQuery(query=QUERY, filter=filter_)
    retriever = SelfQueryRetriever(
        query_constructor=RunnableLambda(lambda _: written),
        vectorstore=store,
        structured_query_translator=JinaEISTranslator(),
    )
    assert {document.metadata["n"] for document in call(retriever, "invoke", "whatever")} == expected


def test_a_limit_of_a_self_query(store: JinaEISVectorStore) -> None:
    from langchain_classic.retrievers import SelfQueryRetriever

    store.add_texts(FACTS)
    written = StructuredQuery(query=QUERY, filter=None, limit=2)
    constructor: Any = RunnableLambda(lambda _: written)
    retriever = SelfQueryRetriever(
        query_constructor=constructor, vectorstore=store, structured_query_translator=JinaEISTranslator()
    )
    assert len(retriever.invoke("whatever")) == 2


def test_a_comparison_with_a_list_needs_in() -> None:
    translator = JinaEISTranslator()
    for wrong in (equals("n", [1]), equals("n", 1, Comparator.IN)):
        with pytest.raises(ConfigurationError, match="in and nin"):
            translator.visit_comparison(wrong)


def test_translated_names_for_indices_of_elasticsearch_store() -> None:
    translator = JinaEISTranslator(exact=".keyword", words="")
    assert translator.visit_comparison(equals("lang", "en")) == {"term": {"metadata.lang.keyword": "en"}}
    assert translator.visit_comparison(equals("n", 1)) == {"term": {"metadata.n": 1}}
    assert translator.visit_comparison(equals("title", "ice", Comparator.LIKE)) == {
        "match": {"metadata.title": {"query": "ice", "operator": "and"}}
    }


def test_a_tool(store: JinaEISVectorStore, call: Caller) -> None:
    store.add_texts(FACTS)
    tool = create_retriever_tool(store.as_retriever(search_kwargs={"k": 1}), "facts", "Facts about nature.")
    assert call(tool, "invoke", {"query": FACTS[2]}) == FACTS[2]


def test_a_tool_in_a_langgraph_graph(store: JinaEISVectorStore, call: Caller) -> None:
    pytest.importorskip("langgraph")
    from langchain_core.messages import AIMessage
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    store.add_texts(FACTS)
    tool = create_retriever_tool(store.as_retriever(search_kwargs={"k": 1}), "facts", "Facts about nature.")
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([tool]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    asked = AIMessage("", tool_calls=[{"name": "facts", "args": {"query": FACTS[2]}, "id": "1", "type": "tool_call"}])
    assert call(graph.compile(), "invoke", {"messages": [asked]})["messages"][-1].content == FACTS[2]
