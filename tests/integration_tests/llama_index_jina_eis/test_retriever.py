"""`llama_index_jina_eis.JinaEISRetriever` over real HTTP to the embedded EIS. One body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from llama_index.core import StorageContext
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import AutoMergingRetriever, QueryFusionRetriever
from llama_index.core.schema import ImageNode, MetadataMode, NodeRelationship, QueryBundle, RelatedNodeInfo, TextNode
from made import png

from jina_eis.errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, InputError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding, JinaEISRetriever

OMNI = ".jina-embeddings-v5-omni-small"
RERANKER = ".jina-reranker-v3"
TEXTS = [
    "A glacier is ice that flows slowly downhill under its own weight.",
    "Bread rises because yeast makes gas.",
    "Cats sleep for most of the day.",
    "Yeast is a fungus; bakers and brewers keep it.",
]


def nodes() -> list[TextNode]:
    made = [TextNode(id_=f"node-{n}", text=text, metadata={"n": n, "author": "me"}) for n, text in enumerate(TEXTS)]
    for node in made:
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="the-document")
        node.excluded_embed_metadata_keys = ["n"]
    return made


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def __call__(self, retriever: Any, name: str, *arguments: Any, **how: Any) -> Any:
        if self.asynchronous:
            return asyncio.run(getattr(retriever, f"a{name}")(*arguments, **how))
        return getattr(retriever, name)(*arguments, **how)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISRetriever]]:
    """Retrievers over an index of the test's own."""
    made: list[JinaEISRetriever] = []
    name = f"test-{uuid.uuid4().hex}"

    def build(**arguments: Any) -> JinaEISRetriever:
        made.append(JinaEISRetriever(**{"es_url": eis.url, "index_name": name, **arguments}))
        return made[-1]

    yield build
    for retriever in made:
        retriever.settings.close()
    with Elasticsearch(eis.url) as client:
        client.options(ignore_status=404).indices.delete(index=name)


@pytest.mark.parametrize("search_type", ["semantic", "knn", "hybrid"])
@pytest.mark.parametrize("rerank", [None, RERANKER])
def test_nodes_come_back_as_they_went_in(make: Any, face: Face, eis: LocalEIS, search_type: str, rerank: str | None) -> None:
    retriever = make(search_type=search_type, rerank_inference_id=rerank)
    given = nodes()
    assert face(retriever, "add_nodes", given) == [node.node_id for node in given]
    found = face(retriever, "retrieve", "How do glaciers move?")
    first = found[0].node
    assert (first.node_id, first.text, first.relationships) == (given[0].node_id, given[0].text, given[0].relationships)
    assert {"n": 0, "author": "me"}.items() <= first.metadata.items()
    assert first.get_content(metadata_mode=MetadataMode.EMBED) == given[0].get_content(metadata_mode=MetadataMode.EMBED)
    assert first.get_content(metadata_mode=MetadataMode.LLM) == given[0].get_content(metadata_mode=MetadataMode.LLM)
    assert {each.node.node_id for each in found} == {node.node_id for node in given}
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    eis.clear()
    face(retriever, "retrieve", "How do glaciers move?")
    assert [exchange.path.rpartition("/")[2] for exchange in eis.requests] == ["_search"]  # one request, whatever it does


def test_what_is_embedded_is_what_llama_index_embeds(make: Any, face: Face, eis: LocalEIS) -> None:
    face(make(search_type="knn"), "add_nodes", nodes())
    sent = next(exchange for exchange in eis.requests if exchange.path.startswith("/_inference"))
    assert sent.body["input"][0] == f"author: me\n\n{TEXTS[0]}"


def test_a_bundle_with_an_embedding_or_an_image(make: Any, face: Face, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png(shade=1))
    retriever = make(search_type="knn", inference_id=OMNI, k=1)
    images = [ImageNode(id_=f"image-{n}", image=base64.b64encode(png(shade=n)).decode(), metadata={"n": n}) for n in range(3)]
    face(retriever, "add_nodes", [*images, *nodes()])
    assert face(retriever, "retrieve", QueryBundle("", image_path=str(path)))[0].node.node_id == "image-1"
    assert face(retriever, "retrieve", ImageQuery(str(path)))[0].node.node_id == "image-1"
    vector = JinaEISMultiModalEmbedding(es_url=eis.url).embed_content(png(shade=2), input_type="search")
    assert face(retriever, "retrieve", QueryBundle("", embedding=vector))[0].node.node_id == "image-2"
    trusting = make(search_type="knn", inference_id=OMNI, k=1, trust_query_embedding=True)
    assert face(trusting, "retrieve", QueryBundle("glacier", embedding=vector))[0].node.node_id == "image-2"
    assert face(retriever, "retrieve", QueryBundle("glacier", embedding=vector))[0].node.node_id == "node-0"
    assert face(retriever, "retrieve", QueryBundle("x", custom_embedding_strs=[TEXTS[0]]))[0].node.node_id == "node-0"
    reranked = make(search_type="knn", inference_id=OMNI, rerank_inference_id=RERANKER, k=2)
    assert face(reranked, "retrieve", QueryBundle("yeast", image_path=str(path)))[0].node.node_id in ("node-1", "node-3")
    for bundle, told in (
        (QueryBundle(""), "The query is empty"),
        (QueryBundle("x", custom_embedding_strs=["a", "b"]), "has 2 texts to embed"),
        (QueryBundle("", image_path="missing.png"), "no file missing.png"),
        (QueryBundle("", image_path="https://example.com/x.png"), "nothing is fetched unasked"),
    ):
        with pytest.raises(InputError, match=told):
            face(retriever, "retrieve", bundle)
    with pytest.raises(InputError, match="The query is no text, and the reranker reads it"):
        face(reranked, "retrieve", QueryBundle("", image_path=str(path)))


class ImageQuery(QueryBundle):
    """A query by image alone, as LlamaIndex's retrievers make it."""

    def __init__(self, path: str) -> None:
        super().__init__(query_str="", image_path=path)


def test_a_semantic_field_embeds_images_by_itself(make: Any, face: Face) -> None:
    retriever = make(field_type="semantic", inference_id=OMNI, k=1)
    images = [ImageNode(id_=f"image-{n}", image=base64.b64encode(png(shade=n)).decode()) for n in range(3)]
    face(retriever, "add_nodes", images)
    bundle = QueryBundle("", image_path="data:image/png;base64," + (images[2].image or ""))
    assert face(retriever, "retrieve", bundle)[0].node.image == images[2].image


def test_best_passages_and_chosen_fields(make: Any, face: Face) -> None:
    retriever = make(highlight=True, source_fields=["metadata.author"])
    face(retriever, "add_nodes", nodes())
    (first, *_) = face(retriever, "retrieve", "glacier")
    assert first.node.metadata["highlights"][0].endswith(TEXTS[0])
    assert first.node.relationships[NodeRelationship.SOURCE].node_id == "the-document"


def test_deleting_and_what_others_indexed(make: Any, face: Face, eis: LocalEIS) -> None:
    retriever = make()
    face(retriever, "add_nodes", nodes())
    face(retriever, "delete_nodes", ["node-0", "nobody"])
    with Elasticsearch(eis.url) as client:
        client.index(
            index=retriever.settings.index_name,
            id="foreign",
            document={"content": "Glaciers carve valleys.", "embedding": "Glaciers carve valleys.", "metadata": {"n": 9}},
        )
    found = face(retriever, "retrieve", "glacier")
    assert found[0].node.node_id == "foreign"
    assert found[0].node.get_content() == "Glaciers carve valleys."
    assert found[0].node.metadata["n"] == 9
    assert "node-0" not in {each.node.node_id for each in found}


def test_nodes_that_fail_are_named(make: Any, face: Face) -> None:
    bad = ImageNode(id_="bad", image_path="missing.png")
    retriever = make(search_type="knn", inference_id=OMNI)
    with pytest.raises(DocumentsFailedError, match=r"1 of 5 documents failed: 'bad': .*no file missing\.png") as caught:
        face(retriever, "add_nodes", [*nodes(), bad])
    assert len(caught.value.indexed) == 4


def test_it_composes_with_fusion_auto_merging_and_query_engines(make: Any, face: Face) -> None:
    retriever = make()
    parent = TextNode(id_="parent", text=" ".join(TEXTS))
    leaves = nodes()
    parent.relationships[NodeRelationship.CHILD] = [RelatedNodeInfo(node_id=leaf.node_id) for leaf in leaves]
    for leaf in leaves:
        leaf.relationships[NodeRelationship.PARENT] = RelatedNodeInfo(node_id="parent")
    face(retriever, "add_nodes", leaves)
    storage = StorageContext.from_defaults()
    storage.docstore.add_documents([parent, *leaves])
    merged = face(AutoMergingRetriever(retriever, storage, simple_ratio_thresh=0.1), "retrieve", "yeast")
    assert [each.node.node_id for each in merged] == ["parent"]
    fused = QueryFusionRetriever([retriever, make(k=2)], llm=MockLLM(), num_queries=1, mode="reciprocal_rerank", use_async=False)
    assert face(fused, "retrieve", "yeast")
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    assert face(engine, "query", "How do glaciers move?").source_nodes


def test_beside_an_index_of_llama_indexes_own(make: Any, face: Face, eis: LocalEIS) -> None:
    retriever = make(search_type="knn", dimensions=64)
    face(retriever, "add_nodes", nodes())
    vector = JinaEISEmbedding(es_url=eis.url, dimensions=64).get_query_embedding("How do glaciers move?")
    assert face(retriever, "retrieve", QueryBundle("", embedding=vector))[0].node.node_id == "node-0"


def test_what_cannot_work(make: Any, face: Face) -> None:
    with pytest.raises(IndexNotFoundError, match="There is no index"):
        face(make(), "retrieve", "ice")
    for settings, told in (
        ({"index_nam": "x"}, "JinaEISRetriever has no argument index_nam. Did you mean index_name?"),
        ({"rerank_inference_id": OMNI}, "is an endpoint for embedding, not for rerank"),
        ({"filter": {"n": 1}}, "is no query of Elasticsearch"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            make(**settings)


def test_made_of_nodes(make: Any, eis: LocalEIS, face: Face) -> None:
    settings = {"es_url": eis.url, "index_name": make().settings.index_name}
    if face.asynchronous:
        retriever = asyncio.run(JinaEISRetriever.afrom_nodes(nodes(), **settings))
    else:
        retriever = JinaEISRetriever.from_nodes(nodes(), **settings)
    assert len(face(retriever, "retrieve", "ice")) == 4
