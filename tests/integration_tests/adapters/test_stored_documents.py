"""What is written and what comes back, in both frameworks' retrievers: ids, elements, texts, metadata. Sync and async."""

from __future__ import annotations

import asyncio
import json
import math
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from elasticsearch.serializer import JsonSerializer
from helpers import OMNI, RERANKER, Caller
from langchain_core.documents import Document
from llama_index.core.schema import Document as NodeDocument
from llama_index.core.schema import NodeWithScore, TextNode
from made import png

from jina_eis.errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, InputError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRetriever as LangChainRetriever
from llama_index_jina_eis import JinaEISEmbedding
from llama_index_jina_eis import JinaEISRetriever as LlamaIndexRetriever


class Retriever:
    """A retriever of either framework, with one interface."""

    def __init__(self, call: Caller, inner: Any) -> None:
        self.call, self.inner = call, inner
        self.langchain = isinstance(inner, LangChainRetriever)

    def element(self, text: str, metadata: dict[str, Any] | None = None, id_: str | None = None) -> Any:
        if self.langchain:
            return Document(page_content=text, metadata=metadata or {}, id=id_)
        return TextNode(text=text, metadata=metadata or {}, **({"id_": id_} if id_ else {}))

    def add(self, elements: Any, **options: Any) -> list[str]:
        result: list[str] = self.call(self.inner, "add_documents" if self.langchain else "add_nodes", elements, **options)
        return result

    def delete(self, ids: Any, **options: Any) -> None:
        self.call(self.inner, "delete" if self.langchain else "delete_nodes", ids, **options)

    def find(self, query: str) -> list[tuple[str | None, str, dict[str, Any]]]:
        """The id, text and metadata of what is found."""
        found = self.call(self.inner, "invoke" if self.langchain else "retrieve", query)
        if self.langchain:
            return [(item.id, item.page_content, item.metadata) for item in found]
        return [(item.node_id, item.text, item.node.metadata) for item in found]


@pytest.fixture(params=[LangChainRetriever, LlamaIndexRetriever], ids=["langchain", "llama_index"])
def make(request: pytest.FixtureRequest, connect: Callable[..., Any], call: Caller, index_name: str) -> Callable[..., Retriever]:
    """Creates retrievers of a framework on the index of the test."""
    return lambda **settings: Retriever(call, connect(request.param, **{"index_name": index_name, **settings}))


@pytest.fixture
def client(eis: LocalEIS) -> Iterator[Elasticsearch]:
    """A client of the embedded EIS."""
    with Elasticsearch(eis.url) as client:
        yield client


def count(client: Elasticsearch, index_name: str) -> int:
    return int(client.count(index=index_name)["count"])


def indices(client: Elasticsearch) -> set[str]:
    return set(client.indices.get(index="*"))


def test_what_is_found_is_the_same_for_every_query(make: Any, index_name: str) -> None:
    retriever = make()
    retriever.add([retriever.element("Salt melts ice.", {"lang": "en"}, "a"), retriever.element("Owls are quiet.", {}, "b")])
    plain = sorted(retriever.find("ice"))
    for settings in ({"search_type": "hybrid"}, {"rerank_inference_id": RERANKER}):
        assert sorted(make(**settings).find("owls and their prey")) == plain
    added = {"_id": "a", "_index": index_name} if retriever.langchain else {}
    assert plain[0] == ("a", "Salt melts ice.", {"lang": "en", **added})


def test_what_is_found_can_be_added_again(make: Any, client: Elasticsearch, index_name: str) -> None:
    retriever = make(highlight=1)
    retriever.add([retriever.element("Salt melts ice.", {"lang": "en"}, "a")])
    stored = client.get(index=index_name, id="a")["_source"]["metadata"]
    found = retriever.call(retriever.inner, "invoke" if retriever.langchain else "retrieve", "ice")
    if retriever.langchain:
        found[0].metadata |= {"_score": 1.0, "relevance_score": 0.5}
    else:
        found = [item.node for item in found]
    assert retriever.add(found) == ["a"]
    again = client.get(index=index_name, id="a")["_source"]["metadata"]
    assert again["lang"] == "en"
    assert {name for name in again if not name.startswith("_node")} <= {*stored, "highlights"}
    assert not {"_id", "_index", "_score", "relevance_score"} & set(again)


def test_nodes_come_back_with_their_hash_and_fusion_adds_up(connect: Any, index_name: str) -> None:
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever

    texts = [
        "Salt lowers the freezing point of water.",
        "Owls fly without a sound.",
        "Copper turns green.",
        "Rye grows on poor soil.",
    ]
    nodes = [TextNode(text=text, id_=str(n), metadata={"n": n, "d": {"x": [1]}}) for n, text in enumerate(texts)]
    meaning = connect(LlamaIndexRetriever.from_nodes, nodes=nodes, index_name=index_name, k=4)
    both = connect(LlamaIndexRetriever, index_name=index_name, search_type="hybrid", k=4)
    for found in (meaning.retrieve("salt"), both.retrieve("salt")):
        assert [item.node.hash for item in found] == [nodes[int(item.node_id)].hash for item in found]
        assert all(item.score for item in found)
    for mode in ("reciprocal_rerank", "relative_score", "dist_based_score", "simple"):
        fused = QueryFusionRetriever(
            [meaning, both], llm=MockLLM(), num_queries=1, mode=mode, similarity_top_k=4, use_async=False
        )
        found = fused.retrieve("Why is salt put on icy roads?")
        assert sorted(item.node_id for item in found) == ["0", "1", "2", "3"]
        if mode == "reciprocal_rerank":
            assert found[0].node_id == "0"
            assert found[0].score == pytest.approx(2 / 60)


def test_a_merge_by_the_id_in_the_metadata(connect: Any, index_name: str) -> None:
    ensembles = pytest.importorskip("langchain_classic.retrievers")
    one = connect(
        LangChainRetriever.from_texts, texts=["Salt melts ice.", "Owls are quiet."], ids=["a", "b"], index_name=index_name
    )
    two = connect(LangChainRetriever, index_name=index_name, search_type="hybrid")
    for key in ("_id", None):
        merged = ensembles.EnsembleRetriever(retrievers=[one, two], weights=[0.5, 0.5], id_key=key).invoke("ice")
        assert [item.id for item in merged] == ["a", "b"]


def test_scores_are_in_the_metadata_on_request(connect: Any, call: Caller, index_name: str) -> None:
    retriever = connect(LangChainRetriever, index_name=index_name, include_scores=True, rerank_inference_id=RERANKER)
    call(retriever, "add_texts", ["Salt melts ice."])
    (document,) = call(retriever, "invoke", "ice")
    assert {"_score", "relevance_score"} <= set(document.metadata)


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_ids_of_the_content_make_an_ingest_repeatable(
    make: Any, client: Elasticsearch, index_name: str, search_type: str
) -> None:
    retriever = make(search_type=search_type)
    given = [("Salt melts ice.", {"a": 1, "b": 2}), ("Owls are quiet.", {}), ("Owls are quiet.", {"other": True})]
    first = retriever.add([retriever.element(*item) for item in given], ids="content")
    reordered = [("Salt melts ice.", {"b": 2, "a": 1}), *given[1:], given[1]]
    assert retriever.add([retriever.element(*item) for item in reordered], ids="content") == [*first, first[1]]
    assert count(client, index_name) == len(set(first)) == 3
    assert {name for name, _, _ in retriever.find("owls")} == set(first)


def test_ids_are_strings(make: Any, client: Elasticsearch, index_name: str) -> None:
    retriever = make()
    elements = [retriever.element(f"text {n}") for n in range(3)]
    assert retriever.add(elements, ids=[7, 0, "x"]) == ["7", "0", "x"]
    assert {name for name, _, _ in retriever.find("text")} == {"7", "0", "x"}
    assert count(client, index_name) == 3
    for wrong, message in (
        ([1.5, "a", "b"], "An id is of type float"),
        (["", "a", "b"], "An id is an empty string"),
        (["\ud800", "a", "b"], "holds a lone surrogate"),
        (["a"], "There are fewer ids than documents"),
        ("digest", r"pass a list of ids, or ids=\"content\""),
    ):
        with pytest.raises(InputError, match=message):
            retriever.add(elements, ids=wrong)
    with pytest.raises(InputError, match="An id is an empty string"):
        retriever.delete([""])
    retriever.delete([7, "missing"])
    assert count(client, index_name) == 2


def test_of_one_id_twice_the_last_is_written(make: Any) -> None:
    retriever = make()
    added = [retriever.element(text, {}, "same") for text in ("old", "new")]
    assert retriever.add(added) == ["same", "same"]
    assert [text for _, text, _ in retriever.find("new")] == ["new"]


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_a_wrong_element_of_a_list_is_refused_before_anything_is_sent(
    make: Any, eis: LocalEIS, client: Elasticsearch, index_name: str, search_type: str
) -> None:
    retriever = make(search_type=search_type)
    elements = [retriever.element(f"Fact {n}.") for n in range(1100)]
    eis.clear()
    name = "Document" if retriever.langchain else "Node"
    for wrong, message in (
        ([*elements, "x"], f"{name} 1100 is of type str"),
        ([*elements, None], f"{name} 1100 is None"),
        (elements[0], rf"For a single {name.lower()}, write \[{name.lower()}\]"),
        ("text", f"Pass a list of {name.lower()}s"),
        (5, f"Pass a list of {name.lower()}s"),
    ):
        with pytest.raises(InputError, match=message):
            retriever.add(wrong)
    assert not eis.requests
    assert index_name not in indices(client)


def test_wrong_texts_and_metadata_are_refused(connect: Any, call: Caller, eis: LocalEIS, index_name: str) -> None:
    retriever = connect(LangChainRetriever, index_name=index_name)
    eis.clear()
    for texts, metadatas, message in (
        (["a", None], None, "Text 1 is None"),
        ("a", None, "Pass a list of texts"),
        (["a"], ["b"], "Metadata 0 is of type str"),
        (["a"], {"b": 1}, "Pass a list of dict"),
        (["a"], [], "fewer metadatas than documents"),
    ):
        with pytest.raises(InputError, match=message):
            call(retriever, "add_texts", texts, metadatas)
    assert not eis.requests
    with pytest.raises(InputError, match=r"Document 0 is llama_index\.Document, not a langchain_core\.Document\."):
        call(retriever, "add_documents", [NodeDocument(text="a")])
    assert len(call(retriever, "add_texts", ["a"], [None])) == 1


class DriveError(Exception):
    """An error that is not of this library."""


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
@pytest.mark.parametrize("number", [30, 1500])
@pytest.mark.parametrize("end", ["an error", "a wrong element"])
def test_a_source_that_fails_half_way(
    make: Any, client: Elasticsearch, index_name: str, search_type: str, number: int, end: str
) -> None:
    retriever = make(search_type=search_type)

    def source() -> Iterator[Any]:
        for n in range(number):
            yield retriever.element(f"line {n}", {}, str(n))
        if end == "an error":
            raise DriveError("the network drive is gone")
        yield "x"

    with pytest.raises(DocumentsFailedError) as caught:
        retriever.add(source())
    assert isinstance(caught.value.__cause__, DriveError if end == "an error" else InputError)
    assert caught.value.indexed == [str(n) for n in range(number)]
    assert not caught.value.failed
    assert not caught.value.untried
    assert count(client, index_name) == number


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_an_ingest_that_writes_nothing_leaves_no_new_index(
    make: Any, client: Elasticsearch, index_name: str, search_type: str
) -> None:
    retriever = make(search_type=search_type)
    assert retriever.add([]) == []
    with pytest.raises(DocumentsFailedError, match=r"'metadata\.x' is of type bytes"):
        retriever.add([retriever.element("text", {"x": b"\xff"})])
    assert index_name not in indices(client)


def test_media_that_the_field_does_not_take_leave_no_index(
    connect: Any, call: Caller, client: Elasticsearch, index_name: str, tmp_path: Path
) -> None:
    picture = tmp_path / "dark.png"
    picture.write_bytes(png(shade=20))
    settings = {"index_name": index_name, "inference_id": OMNI}
    with pytest.raises(DocumentsFailedError, match='field_type="semantic"'):
        call(connect(LangChainRetriever, **settings), "add_contents", [picture])
    assert index_name not in indices(client)
    call(connect(LangChainRetriever, **settings, field_type="semantic"), "add_contents", [picture])
    assert len(call(connect(LangChainRetriever, **settings), "invoke", picture)) == 1
    with pytest.raises(ConfigurationError, match=r"has embedding \(semantic\), and no field of type dense_vector.*delete_index"):
        call(connect(LangChainRetriever, **settings, field_type="dense_vector"), "add_contents", [picture])


def test_pictures_that_were_found_differ(connect: Any, call: Caller, index_name: str, tmp_path: Path) -> None:
    for name, shade in (("dark", 20), ("light", 230)):
        (tmp_path / f"{name}.png").write_bytes(png(shade=shade))
    retriever = connect(
        LangChainRetriever, index_name=index_name, field_type="dense_vector", search_type="knn", inference_id=OMNI
    )
    files = sorted(tmp_path.glob("*.png"))
    with files[1].open("rb") as opened:
        call(retriever, "add_contents", [files[0], opened, png(shade=90), [files[0], "a caption"], "a text"])
    found = {item.metadata.get("source") and str(item.metadata["source"]): item for item in call(retriever, "invoke", files[0])}
    assert set(found) == {str(files[0]), str(files[1]), str([str(files[0])]), None}
    assert found[str(files[1])].metadata["mime_type"] == "image/png"
    own = Document(page_content="mine", metadata={"source": "elsewhere"})
    ids = call(retriever, "add_contents", [files[0]], [own], ids="content")
    assert call(retriever, "add_contents", [files[0]], [own], ids="content") == ids
    assert call(retriever, "add_contents", [files[1]], [own], ids="content") != ids


@pytest.mark.parametrize("refresh", ["wait_for", True, False])
def test_refresh_of_every_write(make: Any, eis: LocalEIS, client: Elasticsearch, index_name: str, refresh: Any) -> None:
    retriever = make()
    for interval in (None, "-1"):
        if interval:
            client.indices.delete(index=index_name)
            client.indices.create(
                index=index_name,
                settings={"refresh_interval": interval},
                mappings={
                    "properties": {"text": {"type": "text"}, "content": {"type": "text"}, "embedding": {"type": "semantic_text"}}
                },
            )
        for act in (
            lambda: retriever.add([retriever.element("text", {}, "1")], refresh=refresh),
            lambda: retriever.delete(["1"], refresh=refresh),
        ):
            eis.clear()
            act()
            waits = any(exchange.params.get("refresh") == "wait_for" for exchange in eis.requests)
            assert waits == (refresh == "wait_for" and interval is None)
            refreshes = any(exchange.path.endswith("/_refresh") for exchange in eis.requests)
            assert refreshes == (refresh is True or (refresh == "wait_for" and interval == "-1"))


def test_delete_index(make: Any) -> None:
    retriever = make()
    with pytest.raises(IndexNotFoundError):
        retriever.call(retriever.inner, "delete_index")
    retriever.call(retriever.inner, "delete_index", missing_ok=True)


@pytest.mark.parametrize("listed", [True, False])
def test_nodes_that_bring_their_vector_are_not_embedded_again(
    connect: Any, call: Caller, eis: LocalEIS, index_name: str, listed: bool
) -> None:
    nodes = [TextNode(text=f"Fact {n} about salt.", id_=str(n)) for n in range(20)]
    connect(JinaEISEmbedding)(nodes[:10])
    retriever = connect(LlamaIndexRetriever, index_name=index_name, search_type="knn")
    eis.clear()
    call(retriever, "add_nodes", nodes[:10] if listed else iter(nodes[:10]))
    assert not any("_inference/text_embedding" in item.path for item in eis.requests)
    call(retriever, "add_nodes", nodes)
    assert sum("_inference/text_embedding" in item.path for item in eis.requests) == 1
    assert call(retriever, "retrieve", "Fact 3 about salt.")[0].node_id == "3"
    short = TextNode(text="short", id_="short", embedding=[0.5] * 3)
    with pytest.raises(InputError if listed else DocumentsFailedError, match=r"'short' has 3 dimensions.*1024"):
        call(retriever, "add_nodes", [short] if listed else iter([short]))


def test_texts_with_their_vectors(connect: Any, call: Caller, eis: LocalEIS, index_name: str) -> None:
    retriever = connect(LangChainRetriever, index_name=index_name, search_type="knn")
    pairs = [("one", [1.0] + [0.0] * 1023), ("two", [0.0] * 1023 + [1.0])]
    assert call(retriever, "add_embeddings", pairs, [{"n": 1}, {"n": 2}], ids=["1", "2"]) == ["1", "2"]
    assert not any("_inference/text_embedding" in item.path for item in eis.requests[-9:])
    assert {item.page_content for item in call(retriever, "invoke", "x")} == {"one", "two"}
    semantic = connect(LangChainRetriever, index_name=f"{index_name}-semantic")
    with pytest.raises(InputError, match="Elasticsearch embeds a semantic_text field by itself"):
        call(semantic, "add_embeddings", pairs)


def test_metadata_in_a_new_index(make: Any, client: Elasticsearch, index_name: str) -> None:
    retriever = make(metadata_mappings={"year": {"type": "integer"}})
    curve = [n / 7 for n in range(200)]
    metadata = {
        "lang": "en",
        "date": "2026-11-27",
        "curve": curve,
        "year": "1999",
        "deep": {"names": ["Ann", "Bob"]},
        "long": "x" * 5000,
    }
    retriever.add(
        [
            retriever.element("Salt.", metadata, "1"),
            retriever.element("Ice.", {"lang": "de", "date": "soon", "curve": [0.5]}, "2"),
        ]
    )
    for query in (
        {"term": {"metadata.lang": "en"}},
        {"term": {"metadata.lang.keyword": "en"}},
        {"term": {"metadata.date": "2026-11-27"}},
        {"match": {"metadata.lang.text": "EN"}},
        {"range": {"metadata.year": {"lt": 2000}}},
        {"term": {"metadata.deep.names": "Bob"}},
        {"range": {"metadata.curve": {"gt": 28}}},
        {"exists": {"field": "metadata.long.text"}},
    ):
        assert [name for name, _, _ in make(filter=query).find("salt")] == ["1"], query
    assert [name for name, _, _ in make(filter={"lang": ["de", "fr"]}).find("salt")] == ["2"]
    assert [name for name, _, _ in make(filter=[{"lang": "en"}, {"deep.names": "Ann"}]).find("salt")] == ["1"]
    (found,) = [metadata for name, _, metadata in retriever.find("salt") if name == "1"]
    assert found["curve"] == curve
    assert client.indices.get_mapping(index=index_name)[index_name]["mappings"]["properties"]["metadata"]["properties"][
        "year"
    ] == {"type": "integer"}


@pytest.mark.parametrize("deep", [lambda value: value, lambda value: {"a": [{"b": value}]}])
def test_lone_surrogates_in_metadata_are_mended(make: Any, deep: Callable[[Any], Any]) -> None:
    retriever = make()
    retriever.add([retriever.element("half \ud835 a pair", {"title": deep("half \ud835 a pair"), "k\ud835": 1}, "1")])
    ((_, text, metadata),) = retriever.find("pair")
    assert text == "half \N{REPLACEMENT CHARACTER} a pair"
    assert metadata["title"] == deep("half \N{REPLACEMENT CHARACTER} a pair")
    assert metadata["k\N{REPLACEMENT CHARACTER}"] == 1


def test_what_json_lacks_is_refused_with_its_key(connect: Any, call: Caller, index_name: str) -> None:
    retriever = connect(LangChainRetriever, index_name=index_name)
    for value in (b"x", math.nan, object()):
        with pytest.raises(DocumentsFailedError, match=r"'metadata\.deep\.x' is of type \w+"):
            call(retriever, "add_texts", ["a"], [{"deep": {"x": value}}])
    call(retriever, "add_texts", ["a"], [{"x": Decimal("1.5"), "path": Path("a/b"), "set": {"z"}}])
    (document,) = call(retriever, "invoke", "a")
    assert (document.metadata["x"], document.metadata["path"], document.metadata["set"]) == (1.5, "a/b", ["z"])


class Own(JsonSerializer):
    """A user's serializer, which writes bytes."""

    def default(self, data: Any) -> Any:
        return data.hex() if isinstance(data, bytes) else super().default(data)


def test_the_serializer_of_the_users_client_is_respected(eis: LocalEIS, index_name: str) -> None:
    documents = [Document(page_content="Salt.", metadata={"digest": b"\x01\xff"})]
    with Elasticsearch(eis.url, serializer=Own()) as client:
        retriever = LangChainRetriever(index_name=index_name, client=client)
        retriever.add_documents(documents)
        assert retriever.invoke("salt")[0].metadata["digest"] == "01ff"

    async def in_loop() -> Any:
        async with AsyncElasticsearch(eis.url, serializer=Own()) as own:
            retriever = LangChainRetriever(index_name=index_name, async_client=own)
            await retriever.aadd_documents(documents, ids=["1"])
            return await retriever.ainvoke("salt")

    assert all(item.metadata["digest"] == "01ff" for item in asyncio.run(in_loop()))


WEB = {"title": {"type": "text"}, "body": {"type": "text", "copy_to": "meaning"}, "meaning": {"type": "semantic_text"}}
NOTE = {"title": {"type": "text"}, "note": {"type": "text", "fields": {"semantic": {"type": "semantic_text"}}}}
INNER = {"doc": {"properties": {"body": {"type": "text", "copy_to": "meaning"}}}, "meaning": {"type": "semantic_text"}}
LABEL = {"text": {"type": "keyword"}, "body": {"type": "semantic_text"}}
ONE = {"body": {"type": "text"}, "lang": {"type": "keyword"}, "v": {"type": "dense_vector", "dims": 1024}}
SALT = "Salt lowers the freezing point of water."


@pytest.mark.parametrize(
    ("properties", "document", "settings"),
    [
        (WEB, {"title": "Roads", "body": SALT}, {}),
        (WEB, {"title": "Roads", "body": SALT}, {"source_fields": ["title"]}),
        (WEB, {"title": "Roads", "body": SALT}, {"search_type": "hybrid"}),
        (WEB, {"title": "Roads", "body": SALT}, {"rerank_inference_id": RERANKER, "content_field": "meaning"}),
        (NOTE, {"title": "Roads", "note": SALT}, {}),
        (NOTE, {"title": "Roads", "note": SALT}, {"content_field": "note.semantic"}),
        (INNER, {"doc": {"body": SALT}}, {}),
        (INNER, {"doc": {"body": SALT}}, {"content_field": "doc.body"}),
        (LABEL, {"text": "label", "body": SALT}, {}),
        (ONE, {"body": SALT, "lang": "en", "v": [1.0] * 1024}, {"search_type": "knn", "inference_id": ".jina-embeddings-v5-text-small"}),
    ],
)  # fmt: skip
def test_where_the_text_lies_is_read_from_the_mapping(
    make: Any, client: Elasticsearch, index_name: str, properties: Any, document: Any, settings: Any
) -> None:
    client.indices.create(index=index_name, mappings={"properties": properties})
    client.index(index=index_name, id="1", document=document, refresh=True)
    assert [text for _, text, _ in make(**settings).find("ice on roads")] == [SALT]


def test_a_text_that_the_mapping_does_not_show_is_refused(make: Any, client: Elasticsearch, index_name: str) -> None:
    two = {"title": {"type": "text", "copy_to": "meaning"}, "body": {"type": "text", "copy_to": "meaning"}}
    client.indices.create(index=index_name, mappings={"properties": {**two, "meaning": {"type": "semantic_text"}}})
    client.index(index=index_name, id="1", document={"title": "Roads", "body": SALT}, refresh=True)
    client.index(index=index_name, id="2", document={"title": "Owls"}, refresh=True)
    with pytest.raises(ConfigurationError, match=r"several text fields: title, body\. .*content_field"):
        make().find("ice")
    with pytest.raises(ConfigurationError, match=r"content_field='bodyy'.*no such field.*title, body, meaning"):
        make(content_field="bodyy").find("ice")
    with pytest.raises(ConfigurationError, match="Choose one of them: title, body"):
        make(content_field="meaning").find("ice")
    with pytest.warns(
        UserWarning, match="These documents have no text in 'body', and are returned with an empty one: 2"
    ) as warned:
        assert {name: text for name, text, _ in make(content_field="body").find("ice")} == {"1": SALT, "2": ""}
    assert len(warned) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(make(content_field="title").find("ice")) == 2


def test_several_indices(make: Any, call: Caller, client: Elasticsearch, index_name: str) -> None:
    one, two, other = (
        make(index_name=f"{index_name}-{part}", search_type=kind)
        for part, kind in (("a", "semantic"), ("b", "semantic"), ("c", "knn"))
    )
    for number, retriever in enumerate((one, two, other)):
        retriever.add([retriever.element(f"Salt and number {number}.", {"n": number}, str(number))])
    client.indices.put_alias(index=f"{index_name}-a,{index_name}-b", name=f"{index_name}-all")
    try:
        for name in (f"{index_name}-all", [f"{index_name}-a", f"{index_name}-b"], f"{index_name}-a,{index_name}-b"):
            for search_type in ("semantic", "hybrid"):
                assert {found for found, _, _ in make(index_name=name, search_type=search_type).find("salt")} == {"0", "1"}
            with pytest.raises(ConfigurationError, match=f"names 2 indices: {index_name}-a, {index_name}-b. Writing needs one"):
                make(index_name=name).add([one.element("text")])
        with pytest.raises(
            ConfigurationError,
            match=f"'embedding' is of type semantic_text in '{index_name}-a', and is of type dense_vector in '{index_name}-c'",
        ):
            make(index_name=f"{index_name}-*").find("salt")
        with pytest.raises(IndexNotFoundError):
            make(index_name=f"{index_name}-x*").add([one.element("text")])
    finally:
        for part in "abc":
            client.indices.delete(index=f"{index_name}-{part}")


def test_nodes_are_required_where_nodes_with_scores_are(connect: Any) -> None:
    from llama_index_jina_eis import JinaEISRerank

    reranker = connect(JinaEISRerank, inference_id=RERANKER, top_n=2)
    with pytest.raises(InputError, match="Node 0 is of type TextNode, not a NodeWithScore"):
        reranker.postprocess_nodes([TextNode(text="x")], query_str="x")
    twice = [NodeWithScore(node=TextNode(text=text)) for text in ("salt", "owl", "salt")]
    ranked = reranker.postprocess_nodes(twice, query_str="salt")
    assert [item.node for item in ranked] == [twice[0].node, twice[2].node]
    assert ranked[0].score == ranked[1].score


def test_json_is_one_line(make: Any) -> None:
    retriever = make()
    retriever.add([retriever.element("two\nlines", {"x": "two\nlines"}, "1")])
    assert json.dumps([text for _, text, _ in retriever.find("lines")]) == '["two\\nlines"]'
