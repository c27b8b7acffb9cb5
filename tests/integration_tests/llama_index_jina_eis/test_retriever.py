"""`llama_index_jina_eis.JinaEISRetriever` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import FACTS, OMNI, RERANKER, Caller
from llama_index.core import Document, Settings, StorageContext
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import AutoMergingRetriever, QueryFusionRetriever
from llama_index.core.schema import ImageNode, MetadataMode, NodeRelationship, QueryBundle, RelatedNodeInfo, TextNode
from made import png

from jina_eis.errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, InputError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding, JinaEISRetriever


def nodes() -> list[TextNode]:
    created = [TextNode(id_=f"node-{n}", text=text, metadata={"n": n, "author": "me"}) for n, text in enumerate(FACTS)]
    for node in created:
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="the-document")
        node.excluded_embed_metadata_keys = ["n"]
    return created


@pytest.fixture
def make(connect: Callable[..., Any], index_name: str) -> Callable[..., JinaEISRetriever]:
    """Creates retrievers on the index of the test."""
    return partial(connect, JinaEISRetriever, index_name=index_name)


@pytest.mark.parametrize("search_type", ["semantic", "knn", "hybrid"])
@pytest.mark.parametrize("rerank", [None, RERANKER])
def test_nodes_are_returned_as_they_were_added(
    make: Any, call: Caller, eis: LocalEIS, search_type: str, rerank: str | None
) -> None:
    retriever = make(search_type=search_type, rerank_inference_id=rerank)
    originals = nodes()
    assert call(retriever, "add_nodes", originals) == [node.node_id for node in originals]
    found = call(retriever, "retrieve", "How do glaciers move?")
    first = found[0].node
    assert (first.node_id, first.text, first.relationships) == (
        originals[0].node_id,
        originals[0].text,
        originals[0].relationships,
    )
    assert {"n": 0, "author": "me"}.items() <= first.metadata.items()
    assert first.get_content(metadata_mode=MetadataMode.EMBED) == originals[0].get_content(metadata_mode=MetadataMode.EMBED)
    assert first.get_content(metadata_mode=MetadataMode.LLM) == originals[0].get_content(metadata_mode=MetadataMode.LLM)
    assert {result.node.node_id for result in found} == {node.node_id for node in originals}
    assert [result.score for result in found] == sorted((result.score for result in found), reverse=True)
    eis.clear()
    call(retriever, "retrieve", "How do glaciers move?")
    assert [exchange.path.rpartition("/")[2] for exchange in eis.requests] == ["_search"]  # one request for all search types


def test_the_embedded_text_is_that_of_llama_index(make: Any, call: Caller, eis: LocalEIS) -> None:
    call(make(search_type="knn"), "add_nodes", nodes())
    sent = next(exchange for exchange in eis.requests if exchange.path.startswith("/_inference"))
    assert sent.body["input"][0] == f"author: me\n\n{FACTS[0]}"


def test_a_query_bundle_with_an_embedding_or_an_image(make: Any, call: Caller, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png(shade=1))
    retriever = make(search_type="knn", inference_id=OMNI, k=1)
    images = [ImageNode(id_=f"image-{n}", image=base64.b64encode(png(shade=n)).decode(), metadata={"n": n}) for n in range(3)]
    call(retriever, "add_nodes", [*images, *nodes()])
    assert call(retriever, "retrieve", QueryBundle("", image_path=str(path)))[0].node.node_id == "image-1"
    assert call(retriever, "retrieve", ImageQuery(str(path)))[0].node.node_id == "image-1"
    vector = JinaEISMultiModalEmbedding(es_url=eis.url).embed_content(png(shade=2), input_type="search")
    assert call(retriever, "retrieve", QueryBundle("", embedding=vector))[0].node.node_id == "image-2"
    trusting = make(search_type="knn", inference_id=OMNI, k=1, trust_query_embedding=True)
    assert call(trusting, "retrieve", QueryBundle("glacier", embedding=vector))[0].node.node_id == "image-2"
    assert call(retriever, "retrieve", QueryBundle("glacier", embedding=vector))[0].node.node_id == "node-0"
    assert call(retriever, "retrieve", QueryBundle("x", custom_embedding_strs=[FACTS[0]]))[0].node.node_id == "node-0"
    reranked = make(search_type="knn", inference_id=OMNI, rerank_inference_id=RERANKER, k=2)
    assert call(reranked, "retrieve", QueryBundle("yeast", image_path=str(path)))[0].node.node_id in ("node-1", "node-3")
    for bundle, message in (
        (QueryBundle(""), "The query is empty"),
        (QueryBundle("x", custom_embedding_strs=["a", "b"]), "has 2 texts to embed"),
        (QueryBundle("", image_path="missing.png"), "the file missing.png does not exist"),
        (QueryBundle("", image_path="https://example.com/x.png"), "URL fetching is off"),
    ):
        with pytest.raises(InputError, match=message):
            call(retriever, "retrieve", bundle)
    with pytest.raises(InputError, match="The query has no text, and the reranker needs it"):
        call(reranked, "retrieve", QueryBundle("", image_path=str(path)))


class ImageQuery(QueryBundle):
    """A query with an image only, as LlamaIndex's retrievers create it."""

    def __init__(self, path: str) -> None:
        super().__init__(query_str="", image_path=path)


def test_a_semantic_field_embeds_images_itself(make: Any, call: Caller) -> None:
    retriever = make(field_type="semantic", inference_id=OMNI, k=1)
    images = [ImageNode(id_=f"image-{n}", image=base64.b64encode(png(shade=n)).decode()) for n in range(3)]
    call(retriever, "add_nodes", images)
    bundle = QueryBundle("", image_path="data:image/png;base64," + (images[2].image or ""))
    assert call(retriever, "retrieve", bundle)[0].node.image == images[2].image


def test_highlight_and_source_fields(make: Any, call: Caller) -> None:
    retriever = make(highlight=True, source_fields=["metadata.author"])
    call(retriever, "add_nodes", nodes())
    (first, *_) = call(retriever, "retrieve", "glacier")
    assert first.node.metadata["highlights"][0].endswith(FACTS[0])
    assert first.node.relationships[NodeRelationship.SOURCE].node_id == "the-document"


def test_deleted_nodes_and_documents_of_other_applications(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make()
    call(retriever, "add_nodes", nodes())
    call(retriever, "delete_nodes", ["node-0", "missing"])
    with Elasticsearch(eis.url) as client:
        client.index(
            index=retriever.settings.index_name,
            id="foreign",
            document={"content": "Glaciers carve valleys.", "embedding": "Glaciers carve valleys.", "metadata": {"n": 9}},
            refresh=True,
        )
    found = call(retriever, "retrieve", "glacier")
    assert found[0].node.node_id == "foreign"
    assert found[0].node.get_content() == "Glaciers carve valleys."
    assert found[0].node.metadata["n"] == 9
    assert "node-0" not in {result.node.node_id for result in found}


def test_the_error_names_the_nodes_that_failed(make: Any, call: Caller) -> None:
    invalid = ImageNode(id_="invalid", image_path="missing.png")
    retriever = make(search_type="knn", inference_id=OMNI)
    with pytest.raises(
        DocumentsFailedError, match=r"1 of 5 documents failed: 'invalid': .*the file missing\.png does not exist"
    ) as caught:
        call(retriever, "add_nodes", [*nodes(), invalid])
    assert len(caught.value.indexed) == 4


def test_it_works_in_fusion_auto_merging_and_query_engines(make: Any, call: Caller) -> None:
    retriever = make()
    parent = TextNode(id_="parent", text=" ".join(FACTS))
    leaves = nodes()
    parent.relationships[NodeRelationship.CHILD] = [RelatedNodeInfo(node_id=leaf.node_id) for leaf in leaves]
    for leaf in leaves:
        leaf.relationships[NodeRelationship.PARENT] = RelatedNodeInfo(node_id="parent")
    call(retriever, "add_nodes", leaves)
    storage = StorageContext.from_defaults()
    storage.docstore.add_documents([parent, *leaves])
    merged = call(AutoMergingRetriever(retriever, storage, simple_ratio_thresh=0.1), "retrieve", "yeast")
    assert [result.node.node_id for result in merged] == ["parent"]
    fused = QueryFusionRetriever([retriever, make(k=2)], llm=MockLLM(), num_queries=1, mode="reciprocal_rerank", use_async=False)
    assert call(fused, "retrieve", "yeast")
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    assert call(engine, "query", "How do glaciers move?").source_nodes


def test_a_query_bundle_with_a_vector_of_the_embedding_adapter(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make(search_type="knn", dimensions=64)
    call(retriever, "add_nodes", nodes())
    vector = JinaEISEmbedding(es_url=eis.url, dimensions=64).get_query_embedding("How does ice flow downhill?")
    assert call(retriever, "retrieve", QueryBundle("", embedding=vector))[0].node.node_id == "node-0"


def test_invalid_arguments_are_rejected(make: Any, call: Caller) -> None:
    with pytest.raises(IndexNotFoundError, match="There is no index"):
        call(make(), "retrieve", "ice")
    for settings, message in (
        ({"index_nam": "x"}, "JinaEISRetriever has no argument index_nam. Did you mean index_name?"),
        ({"rerank_inference_id": OMNI}, "is an endpoint for embedding, not for rerank"),
        ({"filter": "n:1"}, "is no filter. Pass an Elasticsearch query"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            make(**settings)


def test_from_nodes(make: Any, eis: LocalEIS, call: Caller) -> None:
    settings = {"es_url": eis.url, "index_name": make().settings.index_name}
    if call.asynchronous:
        retriever = asyncio.run(JinaEISRetriever.afrom_nodes(nodes(), **settings))
    else:
        retriever = JinaEISRetriever.from_nodes(nodes(), **settings)
    assert len(call(retriever, "retrieve", "ice")) == 4


def test_documents_are_split(make: Any, call: Caller, eis: LocalEIS, index_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_transformations", None)
    monkeypatch.setattr(Settings, "_node_parser", None)
    documents = [Document(id_=f"d{n}", text=" ".join([fact] * 12), metadata={"n": n}) for n, fact in enumerate(FACTS)]
    settings = {"es_url": eis.url, "index_name": index_name, "k": 100}

    def indexed(documents: Any = documents, **options: Any) -> list[Any]:
        retriever = call(JinaEISRetriever, "from_documents", documents, **settings, **options)
        found = call(retriever, "retrieve", "glacier ice")
        call(retriever, "delete_index")
        retriever.settings.close()
        return found

    split = indexed(transformations=[SentenceSplitter(chunk_size=60, chunk_overlap=0)])
    assert len(split) > len(documents)
    assert {found.node.ref_doc_id for found in split} == {"d0", "d1", "d2", "d3"}
    assert {found.node.metadata["n"] for found in split} == {0, 1, 2, 3}
    assert len(indexed()) == len(documents)  # shorter than a chunk of LlamaIndex's default
    whole = indexed(transformations=[])
    assert sorted(found.node_id for found in whole) == ["d0", "d1", "d2", "d3"]
    for wrong, message in ((documents[0], "Pass a list of documents"), ([*documents, "x"], "Document 4 is")):
        with pytest.raises(InputError, match=message):
            indexed(wrong)
