"""The retrievers of both frameworks over dense_vector fields of the real node. One body for both, sync and async."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from llama_index.core.schema import TextNode
from real.front import Front

import langchain_jina_eis
import llama_index_jina_eis
from jina_eis.errors import DocumentsFailedError, IndexNotFoundError

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


class Document(NamedTuple):
    """A document of either framework."""

    id: str
    text: str
    metadata: Json
    score: float


class Adapter:
    """The retriever of a framework, called by its sync or its async methods."""

    def __init__(self, url: str, framework: str, face: str) -> None:
        self._langchain = framework == "langchain"
        self._asynchronous = face == "async"
        module = langchain_jina_eis if self._langchain else llama_index_jina_eis
        self._settings: Json = {"es_url": url, "index_name": f"test-{uuid.uuid4().hex}", "search_type": "knn"}
        self._make = module.JinaEISRetriever
        self._open: list[Any] = []

    def retriever(self, **settings: Any) -> Any:
        self._open.append(self._make(**{**self._settings, **settings}))
        return self._open[-1]

    def close(self) -> None:
        for retriever in self._open:
            (retriever if self._langchain else retriever.settings).close()

    def call(self, retriever: Any, method: str, *arguments: Any, **options: Any) -> Any:
        if self._asynchronous:
            return asyncio.run(getattr(retriever, f"a{method}")(*arguments, **options))
        return getattr(retriever, method)(*arguments, **options)

    def add(self, retriever: Any, texts: Sequence[str], metadatas: Sequence[Json], ids: Sequence[str]) -> list[str]:
        if self._langchain:
            return self.call(retriever, "add_texts", texts, metadatas, ids=ids)
        parts = zip(texts, metadatas, ids, strict=True)
        return self.call(
            retriever, "add_nodes", [TextNode(text=text, metadata=metadata, id_=id_) for text, metadata, id_ in parts]
        )

    def search(self, retriever: Any, query: str) -> list[Document]:
        if self._langchain:
            results = self.call(retriever, "invoke", query)
            return [Document(found.id, found.page_content, found.metadata, found.metadata["_score"]) for found in results]
        results = self.call(retriever, "retrieve", query)
        return [Document(found.node.node_id, found.node.text, found.node.metadata, found.score) for found in results]

    def ids(self, retriever: Any, query: str) -> list[str]:
        """The ids that a search finds, sorted."""
        return sorted(document.id for document in self.search(retriever, query))

    def delete(self, retriever: Any, ids: Sequence[str]) -> None:
        self.call(retriever, "delete" if self._langchain else "delete_nodes", ids)


@pytest.fixture(params=["langchain", "llama_index"])
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def adapter(front: Front, framework: str, face: str) -> Iterator[Adapter]:
    adapter = Adapter(front.url, framework, face)
    yield adapter
    adapter.close()


@pytest.mark.parametrize(
    "settings",
    [{}, {"dimensions": 256}, {"index_options": {"type": "hnsw"}}, {"inference_id": ".jina-embeddings-v5-omni-small"}],
    ids=["default", "truncated", "hnsw", "omni"],
)
def test_what_was_added_is_found(adapter: Adapter, settings: Json) -> None:
    retriever = adapter.retriever(**settings)
    assert adapter.add(retriever, TEXTS, METADATAS, IDS) == IDS
    found = adapter.search(retriever, "How do glaciers move?")
    assert found[0][:2] == (IDS[0], TEXTS[0])
    assert METADATAS[0].items() <= found[0].metadata.items()
    assert sorted(document.id for document in found) == IDS
    assert [document.score for document in found] == sorted((document.score for document in found), reverse=True)
    assert "embedding" not in found[0].metadata


def test_a_filter(adapter: Adapter) -> None:
    adapter.add(adapter.retriever(), TEXTS, METADATAS, IDS)
    food = {"term": {"metadata.topic.keyword": "food"}}
    assert adapter.ids(adapter.retriever(filter=food), "yeast") == [IDS[1], IDS[3]]
    both = [food, {"range": {"metadata.n": {"gte": 2}}}]
    assert adapter.ids(adapter.retriever(filter=both), "yeast") == [IDS[3]]
    others = {"bool": {"must_not": food}}
    assert adapter.ids(adapter.retriever(filter=others), "yeast") == [IDS[0], IDS[2], IDS[4]]


def test_documents_are_replaced_and_deleted(adapter: Adapter) -> None:
    retriever = adapter.retriever()
    adapter.add(retriever, TEXTS, METADATAS, IDS)
    adapter.add(retriever, ["Glaciers carve valleys."], [{"n": 9}], IDS[:1])
    first = adapter.search(retriever, "glaciers")[0]
    assert (first.id, first.text, first.metadata["n"]) == (IDS[0], "Glaciers carve valleys.", 9)
    adapter.delete(retriever, IDS[:4])
    assert adapter.ids(retriever, "glaciers") == IDS[4:]
    adapter.call(retriever, "delete_index")
    with pytest.raises(IndexNotFoundError):
        adapter.search(retriever, "glaciers")


def test_the_documents_that_the_node_refuses(adapter: Adapter) -> None:
    retriever = adapter.retriever()
    adapter.add(retriever, TEXTS[:1], METADATAS[:1], IDS[:1])
    with pytest.raises(DocumentsFailedError) as caught:
        adapter.add(retriever, TEXTS[1:4], [{"n": 1}, {"n": "two"}, {"n": 3}], IDS[1:4])
    assert list(caught.value.failed) == [IDS[2]]
    assert adapter.ids(retriever, "yeast") == [IDS[0], IDS[1], IDS[3]]
