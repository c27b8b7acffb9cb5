"""Nodes of media in an index: what is stored of an image, and a PDF as one entry a page. One body for the store and retriever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import OMNI, Caller
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import BaseNode, Document, ImageNode, MediaResource, MetadataMode, Node, TextNode
from llama_index.core.vector_stores.types import MetadataFilters, VectorStoreQuery
from made import pdf, png, wav

from jina_eis.errors import DocumentsFailedError, InputError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISMultiModalEmbedding, JinaEISRetriever, JinaEISVectorStore

TEXTS = ["Salt melts ice on roads.", "Owls are quiet."]
EVERYTHING = MetadataFilters(filters=[])


class Target:
    """A store or a retriever on the index of the test."""

    def __init__(self, adapter: Any, call: Caller, store: JinaEISVectorStore) -> None:
        self.adapter, self.call, self.store = adapter, call, store

    def add(self, nodes: Any, **options: Any) -> list[str]:
        if isinstance(self.adapter, JinaEISRetriever):
            return self.call(self.adapter, "add_nodes", nodes, **options)
        return asyncio.run(self.adapter.async_add(nodes)) if self.call.asynchronous else self.adapter.add(nodes)

    def nodes(self) -> dict[str, BaseNode]:
        return {node.node_id: node for node in self.store.get_nodes(filters=EVERYTHING)}

    def find(self, query: str) -> BaseNode:
        if isinstance(self.adapter, JinaEISRetriever):
            return self.call(self.adapter, "retrieve", query)[0].node
        return (self.call(self.adapter, "query", VectorStoreQuery(query_str=query)).nodes or [])[0]


@pytest.fixture(params=[JinaEISVectorStore, JinaEISRetriever], ids=["store", "retriever"])
def target(request: pytest.FixtureRequest, connect: Callable[..., Any], call: Caller, index_name: str) -> Callable[..., Target]:
    """Creates a store or retriever for a type of field."""

    def create(field_type: str, inference_id: str = OMNI) -> Target:
        settings = {"index_name": index_name, "field_type": field_type, "inference_id": inference_id}
        search = {"search_type": "knn"} if field_type == "dense_vector" and request.param is JinaEISRetriever else {}
        return Target(connect(request.param, **settings, **search), call, connect(JinaEISVectorStore, **settings))

    return create


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf(texts=TEXTS))
    return path


FORMS: dict[str, Callable[[Path], BaseNode]] = {
    "text_resource": lambda path: Document(id_="report", text_resource=MediaResource(path=path)),
    "image_resource": lambda path: Node(id_="report", image_resource=MediaResource(path=path)),
    "ImageNode": lambda path: ImageNode(id_="report", image_path=str(path)),
    "data": lambda path: Node(id_="report", image_resource=MediaResource(data=path.read_bytes(), mimetype="application/pdf")),
}


@pytest.mark.parametrize("field_type", ["semantic", "dense_vector"])
@pytest.mark.parametrize("form", FORMS)
def test_a_pdf_becomes_one_entry_a_page(target: Any, report: Path, field_type: str, form: str) -> None:
    adapter = target(field_type)
    assert adapter.add([FORMS[form](report), TextNode(id_="text", text="A glacier is ice.")]) == ["report-1", "report-2", "text"]
    known = {"mime_type": "application/pdf", "modality": "pdf", "pages": 2} | ({} if form == "data" else {"source": str(report)})
    nodes = adapter.nodes()
    assert [nodes[f"report-{number}"].metadata for number in (1, 2)] == [{**known, "page": 1}, {**known, "page": 2}]
    assert {node.ref_doc_id for node in nodes.values()} == {"report", None}
    found = adapter.find(TEXTS[1])
    assert found.metadata["page"] == 2
    assert found.get_content(metadata_mode=MetadataMode.EMBED) == ""
    adapter.add([found])  # what was found, and is added again
    assert adapter.nodes().keys() == {"report-1", "report-2", "text"}
    adapter.store.delete("report")
    assert adapter.nodes().keys() == {"text"}


def test_ids_made_of_pages(connect: Any, call: Caller, index_name: str, report: Path) -> None:
    settings = {"index_name": index_name, "field_type": "semantic", "inference_id": OMNI}
    retriever = connect(JinaEISRetriever, **settings)
    images = [ImageNode(image_path=str(report)), Node(image_resource=MediaResource(data=png(shade=1)))]
    ids = call(retriever, "add_nodes", images, ids="content")
    assert len(set(ids)) == 3
    again = [*images, Node(image_resource=MediaResource(data=png(shade=2)))]
    assert call(retriever, "add_nodes", again, ids="content")[:3] == ids


def test_a_text_index_refuses_media_before_it_is_created(target: Any, eis: LocalEIS, index_name: str, report: Path) -> None:
    picture = report.with_name("cat.png")
    picture.write_bytes(png())
    for node in (Document(text_resource=MediaResource(path=report)), ImageNode(image_path=str(picture), metadata={"a": "b"})):
        with pytest.raises(DocumentsFailedError, match=r'field_type="semantic".* inference_id="\.jina-embeddings-v5-omni-small"'):
            target("semantic_text").add([node])
    with Elasticsearch(eis.url) as client:
        assert not client.indices.exists(index=index_name)
    target("semantic_text").add([ImageNode(id_="captioned", text="A cat", image_path=str(picture))])  # its text is embedded
    assert target("semantic_text").find("cat").node_id == "captioned"


def test_media_without_an_omni_endpoint_leave_no_index(target: Any, eis: LocalEIS, index_name: str) -> None:
    with pytest.raises((DocumentsFailedError, InputError), match="omni"):
        target("dense_vector", ".jina-embeddings-v5-text-small").add([Node(image_resource=MediaResource(data=png()))])
    with Elasticsearch(eis.url) as client:
        assert not client.indices.exists(index=index_name)


@pytest.mark.parametrize("field_type", ["semantic", "dense_vector"])
def test_media_are_described_in_the_metadata(target: Any, tmp_path: Path, field_type: str) -> None:
    (tmp_path / "cat.png").write_bytes(png())
    (tmp_path / "tone.wav").write_bytes(wav())
    adapter = target(field_type)
    adapter.add(
        [
            ImageNode(id_="cat", image_path=str(tmp_path / "cat.png"), metadata={"source": "the web"}),
            Document(id_="tone", audio_resource=MediaResource(path=tmp_path / "tone.wav")),
            TextNode(id_="text", text="A glacier is ice."),
        ]
    )
    nodes = adapter.nodes()
    image = {"source": "the web", "mime_type": "image/png", "modality": "image", "width": 28, "height": 28}
    assert nodes["cat"].metadata == image
    assert nodes["cat"].excluded_embed_metadata_keys == ["mime_type", "modality", "width", "height"]
    sound = {"source": str(tmp_path / "tone.wav"), "mime_type": "audio/wav", "modality": "audio"}
    assert nodes["tone"].metadata == {**sound, "seconds": nodes["tone"].metadata["seconds"]}
    assert nodes["text"].metadata == {}


def test_media_with_vectors_of_an_index_are_described(connect: Any, index_name: str, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png())
    omni = connect(JinaEISMultiModalEmbedding, inference_id=OMNI)
    store = connect(JinaEISVectorStore, index_name=index_name, field_type="dense_vector", inference_id=OMNI)
    missing = ImageNode(id_="gone", image_path=str(tmp_path / "gone.png"), embedding=[1.0] * 1024)
    store.add([*omni([ImageNode(id_="cat", image_path=str(tmp_path / "cat.png"))]), missing])
    nodes = {node.node_id: node for node in store.get_nodes(filters=EVERYTHING)}
    assert nodes["cat"].metadata["source"] == str(tmp_path / "cat.png")
    assert nodes["gone"].metadata == {}


@pytest.mark.parametrize(
    ("field_type", "endpoint", "embedded"), [("semantic", OMNI, "data:image"), ("semantic_text", None, "A ")]
)
def test_the_index_decides_what_of_a_captioned_image_is_embedded(
    connect: Any, call: Caller, eis: LocalEIS, index_name: str, field_type: Any, endpoint: Any, embedded: str
) -> None:
    """A retriever without a `field_type` does not know it before it asks the index."""
    connect(JinaEISRetriever, index_name=index_name, field_type=field_type, inference_id=endpoint).add_nodes([TextNode(text="a")])
    caption = Node(id_="cat", text_resource=MediaResource(text="A cat"), image_resource=MediaResource(data=png()))
    retriever = connect(JinaEISRetriever, index_name=index_name)
    eis.clear()
    call(retriever, "add_nodes", [caption])
    (written,) = [exchange.body[1] for exchange in eis.requests if exchange.path.endswith("/_bulk")]
    assert embedded in str(written["embedding"])
    assert written["content"] == "A cat"


def test_an_index_of_llama_index_updates_the_pages_of_a_document(connect: Any, index_name: str, report: Path) -> None:
    store = connect(JinaEISVectorStore, index_name=index_name, field_type="semantic", inference_id=OMNI)
    index = VectorStoreIndex(
        [], embed_model=store.embed_model, storage_context=StorageContext.from_defaults(vector_store=store), transformations=[]
    )
    index.insert_nodes([ImageNode(id_="report", image_path=str(report), metadata={"name": "first"})])
    assert {found.node.metadata["page"] for found in index.as_retriever(similarity_top_k=4).retrieve("salt")} == {1, 2}
    index.delete_ref_doc("report")
    assert store.get_nodes(filters=EVERYTHING) == []


def test_a_damaged_pdf_fails_alone(target: Any, report: Path) -> None:
    report.with_name("bad.pdf").write_bytes(b"%PDF-1.7\nnothing")
    nodes = [ImageNode(id_="bad", image_path=str(report.with_name("bad.pdf"))), TextNode(id_="text", text="A glacier is ice.")]
    with pytest.raises(DocumentsFailedError, match="is damaged") as caught:
        target("semantic").add(nodes)
    assert (list(caught.value.failed), caught.value.indexed) == (["bad"], ["text"])
