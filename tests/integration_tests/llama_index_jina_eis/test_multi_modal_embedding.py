"""`JinaEISMultiModalEmbedding` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from helpers import Caller
from llama_index.core import StorageContext
from llama_index.core.embeddings.loading import load_embed_model
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.schema import Document, ImageDocument, ImageNode, MediaResource, Node, QueryBundle, TextNode
from made import mp4, pdf, png, wav
from PIL import Image

from jina_eis.errors import ConfigurationError, InputError, ServiceUnavailableError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding

B64 = base64.b64encode(png()).decode()


@pytest.fixture
def make(connect: Callable[..., Any]) -> Callable[..., JinaEISMultiModalEmbedding]:
    return partial(connect, JinaEISMultiModalEmbedding)


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"  # LlamaIndex guesses image/jpeg from the name, which does not count as declared
    path.write_bytes(png())
    return path


def test_every_type_of_image(make: Any, call: Caller, cat: Path) -> None:
    images = [
        str(cat),
        cat,
        cat.as_uri(),
        f"data:image/png;base64,{B64}",
        png(),
        BytesIO(png()),
        Image.open(BytesIO(png())),
        ImageNode(image=B64),
        ImageNode(image_path=str(cat)),
        ImageNode(image_url=f"data:image/png;base64,{B64}"),
        ImageDocument(image=B64),
        ImageDocument(image_path=str(cat)),
        Node(image_resource=MediaResource(data=png())),
        Node(image_resource=MediaResource(path=cat)),
        MediaResource(data=png(), mimetype="image/png"),
    ]
    model = make()
    vector = model.embed_content(png())
    vectors = call(model, "get_image_embedding_batch", images)
    assert len(vector) == len(model.get_text_embedding("text")) == 1024
    encoded_again = vectors.pop(6)  # PIL writes another PNG, and the stand-in hashes its bytes
    assert vectors == [vector] * (len(images) - 1)
    assert len(encoded_again) == 1024
    assert call(model, "get_image_embedding", BytesIO(png())) == vector


def test_images_are_sent_in_batches_in_the_role_of_documents(make: Any, call: Caller, eis: LocalEIS) -> None:
    model = make()
    vectors = call(model, "get_image_embedding_batch", [png(shade=n) for n in range(40)])
    assert sorted(len(exchange.body["input"]) for exchange in eis.requests) == [8, 16, 16]
    assert {exchange.body["input_type"] for exchange in eis.requests} == {"ingest"}
    assert vectors[33] == call(model, "get_image_embedding", png(shade=33))
    eis.clear()
    assert call(model, "get_image_embedding_batch", []) == []
    assert eis.requests == []


def test_vectors_of_images_and_texts_have_the_same_length(make: Any, call: Caller) -> None:
    model = make(dimensions=64)
    assert len(call(model, "get_image_embedding", png())) == len(model.get_query_embedding("text")) == 64


def test_a_query_by_image(make: Any, eis: LocalEIS) -> None:
    make().embed_content(ImageNode(image=B64), input_type="search")
    assert eis.requests[-1].body["input_type"] == "search"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("missing.png", "Input 1: the file missing.png does not exist"),
        (
            "https://example.com/cat.png",
            "Input 1 is a URL, and URL fetching is off. Create the object with allow_url_fetch=True",
        ),
        (ImageNode(image_url="https://example.com/cat.png"), "Input 1 is a URL"),
        (ImageNode(image="@@"), "Input 1: it is not base64"),
        (BytesIO(b""), "Input 1: it is empty"),
        (BytesIO(b"text"), "Input 1: it is not an image"),
        (png(27, 27), "27x27 pixels"),
        (pdf(), "Input 1 (<application/pdf"),
        (wav(), "is not an image. Use embed_content."),
        (TextNode(text="text"), "Input 1 (text) is not an image"),
        (MediaResource(data=wav(), mimetype="image/png"), "declared as image/png, but its bytes are audio/wav"),
        (None, "Input 1: it is None"),
    ],
)
def test_an_invalid_image_sends_no_request(make: Any, call: Caller, eis: LocalEIS, image: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call(make(), "get_image_embedding_batch", [png(), image])
    assert message in str(caught.value)
    assert eis.requests == []


def test_file_urls_are_rejected(make: Any, call: Caller, eis: LocalEIS, cat: Path) -> None:
    for url in (str(cat), cat.as_uri(), "ftp://example.com/cat.png"):
        for node in (
            ImageNode(image_url=url),
            Node(image_resource=MediaResource(url=url)) if "://" in url else ImageNode(image_url=url),
        ):
            with pytest.raises(InputError, match="not an http or https URL"):
                call(make(allow_url_fetch=True), "get_image_embedding_batch", [node])
            with pytest.raises(InputError, match="not an http or https URL"):
                call(make(allow_url_fetch=True), "__call__", [node])
    assert eis.requests == []


def test_nodes_may_come_from_a_generator(make: Any, call: Caller) -> None:
    assert [len(node.embedding) for node in call(make(), "__call__", (TextNode(text=text) for text in "ab"))] == [1024] * 2


def test_a_private_address_is_not_fetched_even_if_fetching_is_allowed(make: Any, call: Caller, eis: LocalEIS) -> None:
    with pytest.raises(InputError, match="which is not a public address"):
        call(make(allow_url_fetch=True), "get_image_embedding", f"{eis.url}/cat.png")
    assert eis.requests == []


def test_a_text_model_is_rejected(eis: LocalEIS) -> None:
    with pytest.raises(
        ConfigurationError, match=r"text-nano embeds no images. .jina-embeddings-v5-omni-nano does, in the same vector space"
    ):
        JinaEISMultiModalEmbedding(es_url=eis.url, model=".jina-embeddings-v5-text-nano")
    assert not isinstance(JinaEISEmbedding(es_url=eis.url), JinaEISMultiModalEmbedding)
    assert create_clip(eis).get_image_embedding(png())


def create_clip(eis: LocalEIS) -> JinaEISMultiModalEmbedding:
    return JinaEISMultiModalEmbedding(es_url=eis.url, model=".jina-clip-v2")


def test_nodes_are_embedded_by_their_content(make: Any, call: Caller, eis: LocalEIS, cat: Path) -> None:
    model = make()
    nodes = [
        TextNode(text="a text"),
        ImageNode(image=B64, text="not embedded"),
        Node(text_resource=MediaResource(text="another text")),
        Node(audio_resource=MediaResource(data=wav())),
        ImageNode(text="nothing to see"),
        TextNode(text=""),
        Node(video_resource=MediaResource(data=mp4())),
        ImageDocument(image_path=str(cat)),
        Document(text="a document"),
    ]
    assert call(model, "__call__", nodes) is nodes
    expected = ["a text", png(), "another text", wav(), "nothing to see", "", mp4(), png(), "a document"]
    assert [node.embedding for node in nodes] == [
        model.get_text_embedding(content) if isinstance(content, str) else model.embed_content(content) for content in expected
    ]


def test_an_invalid_node_leaves_all_nodes_unchanged(make: Any, call: Caller, eis: LocalEIS, cat: Path) -> None:
    for invalid, message in (
        (
            Node(image_resource=MediaResource(data=png()), audio_resource=MediaResource(data=wav())),
            "Input 1: the node .* has 2 media",
        ),
        (Node(image_resource=MediaResource(data=pdf())), "Input 1: it is declared as application/pdf|Input 1 .* is a PDF"),
        (ImageNode(image_path="missing.png"), "Input 1: the file missing.png does not exist"),
        (ImageNode(), "Input 1: the node .* has no content to embed"),
        (ImageNode(image_resource=MediaResource(data=png())), "LlamaIndex drops the data of an image_resource"),
        (Node(text_resource=MediaResource(path=cat)), r"it is declared as application/pdf"),
        (Node(text_resource=MediaResource(mimetype="application/pdf")), "has no content"),
    ):
        valid = TextNode(text="a text")
        with pytest.raises(InputError, match=message):
            call(make(), "__call__", [valid, invalid])
        assert valid.embedding is None
    assert eis.requests == []


def test_errors_name_the_positions_of_nodes(make: Any, call: Caller, eis: LocalEIS) -> None:
    nodes = [
        node for n in range(10) for node in (TextNode(text=f"text {n}"), ImageNode(image=base64.b64encode(png(shade=n)).decode()))
    ]
    for poison, position in ((f"data:image/png;base64,{nodes[13].image}", 13), ("text 8", 16)):  # type: ignore[attr-defined]
        eis.faults.clear()
        eis.faults.poison(poison, "eis_5xx")
        with pytest.raises(ServiceUnavailableError, match=rf"Input {position} failed\.") as caught:
            call(make(max_retries=0, embed_batch_size=4), "__call__", nodes)
        assert "were done" not in str(caught.value) or position == 16
        assert [node.embedding for node in nodes] == [None] * 20


def test_events_have_short_labels(make: Any, call: Caller, cat: Path, events: list[tuple[Any, str]]) -> None:
    call(make(), "get_image_embedding_batch", [png(), str(cat), f"data:image/png;base64,{B64}"])
    call(make(), "__call__", [TextNode(text="a text"), ImageNode(image=B64)])
    ends = [event for event, _ in events if isinstance(event, EmbeddingEndEvent)]
    label = "<image/png, 73 bytes>"
    assert [event.chunks for event in ends] == [[label, str(cat), label], ["a text"], [label]]
    assert [len(event.embeddings) for event in ends] == [3, 1, 1]


def test_an_ingestion_pipeline(make: Any, call: Caller, cat: Path) -> None:
    pipeline = IngestionPipeline(transformations=[make()])
    nodes = [
        TextNode(text="a text"),
        ImageNode(image_path=str(cat), metadata={"file": "cat"}),
        ImageNode(image=base64.b64encode(png(shade=2)).decode(), metadata={"file": "dog"}),
    ]
    found = asyncio.run(pipeline.arun(nodes=nodes)) if call.asynchronous else pipeline.run(nodes=nodes)
    assert [node.embedding for node in found] == make().embed_contents(["a text", png(), png(shade=2)])


def test_an_ingestion_pipeline_with_processes(make: Any, cat: Path) -> None:
    nodes = [ImageNode(image_path=str(cat), metadata={"file": "cat"}), TextNode(text="a text")]
    found = IngestionPipeline(transformations=[make()]).run(nodes=nodes, num_workers=2)
    assert sorted(len(node.embedding or []) for node in found) == [1024, 1024]


def test_one_model_embeds_texts_and_images_of_a_multi_modal_index(make: Any, call: Caller, cat: Path) -> None:
    model = make()
    nodes = [
        TextNode(text="A glacier is ice that flows."),
        TextNode(text="Bread rises because yeast makes gas."),
        ImageNode(image_path=str(cat), metadata={"file": "cat"}),
        ImageNode(image=base64.b64encode(png(shade=2)).decode(), metadata={"file": "dog"}),
    ]
    index = MultiModalVectorStoreIndex(
        nodes, storage_context=StorageContext.from_defaults(), embed_model=model, image_embed_model=model
    )
    retriever = index.as_retriever(similarity_top_k=1, image_similarity_top_k=1)
    if call.asynchronous:
        found = asyncio.run(retriever.aretrieve("How do glaciers move?"))
        similar = asyncio.run(retriever.aimage_to_image_retrieve(QueryBundle("", image_path=str(cat))))
    else:
        found = retriever.retrieve("How do glaciers move?")
        similar = retriever.image_to_image_retrieve(QueryBundle("", image_path=str(cat)))
    assert found[0].node.get_content() == "A glacier is ice that flows."
    assert similar[0].node.metadata == {"file": "cat"}
    assert similar[0].score == pytest.approx(1)


def test_round_trips_through_dictionaries_json_and_pickles(make: Any, eis: LocalEIS) -> None:
    model = make(dimensions=64, search_inference_id=".jina-embeddings-v5-text-small")
    image = model.get_image_embedding(png())
    for copied in (
        JinaEISMultiModalEmbedding.from_dict(model.to_dict()),
        JinaEISMultiModalEmbedding.from_json(model.to_json()),
        load_embed_model(json.loads(json.dumps(model.to_dict()))),
        pickle.loads(pickle.dumps(model)),
    ):
        assert isinstance(copied, JinaEISMultiModalEmbedding)
        assert copied.get_image_embedding(png()) == image
        assert copied.search_inference_id == ".jina-embeddings-v5-text-small"
