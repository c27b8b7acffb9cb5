"""`JinaEISMultiModalEmbedding` over real HTTP to the embedded EIS. One body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext
from llama_index.core.embeddings.loading import load_embed_model
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.schema import Document, ImageDocument, ImageNode, MediaResource, Node, QueryBundle, TextNode
from made import mp4, pdf, png, wav
from PIL import Image
from pydantic import Field

from jina_eis.errors import ConfigurationError, InputError, ServiceUnavailableError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding

B64 = base64.b64encode(png()).decode()


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def image(self, model: JinaEISMultiModalEmbedding, image: Any) -> list[float]:
        return asyncio.run(model.aget_image_embedding(image)) if self.asynchronous else model.get_image_embedding(image)

    def images(self, model: JinaEISMultiModalEmbedding, images: Any) -> list[list[float]]:
        if self.asynchronous:
            return asyncio.run(model.aget_image_embedding_batch(images))
        return model.get_image_embedding_batch(images)

    def nodes(self, model: JinaEISMultiModalEmbedding, nodes: Any) -> Any:
        return asyncio.run(model.acall(nodes)) if self.asynchronous else model(nodes)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISMultiModalEmbedding]]:
    made: list[JinaEISMultiModalEmbedding] = []

    def build(**arguments: Any) -> JinaEISMultiModalEmbedding:
        made.append(JinaEISMultiModalEmbedding(**{"es_url": eis.url, **arguments}))
        return made[-1]

    yield build
    for model in made:
        model.close()


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"  # LlamaIndex guesses image/jpeg from the name, which is no declaration
    path.write_bytes(png())
    return path


def test_every_form_of_an_image(make: Any, face: Face, cat: Path) -> None:
    forms = [
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
    image = model.embed_content(png())
    found = face.images(model, forms)
    assert len(image) == len(model.get_text_embedding("text")) == 1024
    drawn_again = found.pop(6)  # as PNG by another writer, so the double's hash of it may differ
    assert found == [image] * (len(forms) - 1)
    assert len(drawn_again) == 1024
    assert face.image(model, BytesIO(png())) == image


def test_batches_are_bounded_and_have_the_role_of_documents(make: Any, face: Face, eis: LocalEIS) -> None:
    model = make()
    found = face.images(model, [png(shade=n) for n in range(40)])
    assert sorted(len(exchange.body["input"]) for exchange in eis.requests) == [8, 16, 16]
    assert {exchange.body["input_type"] for exchange in eis.requests} == {"ingest"}
    assert found[33] == face.image(model, png(shade=33))
    eis.clear()
    assert face.images(model, []) == []
    assert eis.requests == []


def test_dimensions_are_those_of_texts(make: Any, face: Face) -> None:
    model = make(dimensions=64)
    assert len(face.image(model, png())) == len(model.get_query_embedding("text")) == 64


def test_a_query_by_image(make: Any, eis: LocalEIS) -> None:
    make().embed_content(ImageNode(image=B64), input_type="search")
    assert eis.requests[-1].body["input_type"] == "search"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("missing.png", "Input 1: there is no file missing.png"),
        (
            "https://example.com/cat.png",
            "Input 1 is a URL, and nothing is fetched unasked. Make the object with allow_url_fetch=True",
        ),
        (ImageNode(image_url="https://example.com/cat.png"), "Input 1 is a URL"),
        (ImageNode(image="@@"), "Input 1: it is not base64"),
        (BytesIO(b""), "Input 1: it is empty"),
        (BytesIO(b"text"), "Input 1: it is no image"),
        (png(27, 27), "27x27 pixels"),
        (pdf(), "Input 1 (<application/pdf"),
        (wav(), "is no image. Use embed_content."),
        (TextNode(text="text"), "Input 1 (text) is no image"),
        (MediaResource(data=wav(), mimetype="image/png"), "declared as image/png, but its bytes are audio/wav"),
        (None, "Input 1: it is None"),
    ],
)
def test_what_is_no_image_costs_no_request(make: Any, face: Face, eis: LocalEIS, image: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        face.images(make(), [png(), image])
    assert told in str(caught.value)
    assert eis.requests == []


def test_a_url_is_never_one_of_a_file(make: Any, face: Face, eis: LocalEIS, cat: Path) -> None:
    for url in (str(cat), cat.as_uri(), "ftp://example.com/cat.png"):
        for node in (
            ImageNode(image_url=url),
            Node(image_resource=MediaResource(url=url)) if "://" in url else ImageNode(image_url=url),
        ):
            with pytest.raises(InputError, match="not an http or https URL"):
                face.images(make(allow_url_fetch=True), [node])
            with pytest.raises(InputError, match="not an http or https URL"):
                face.nodes(make(allow_url_fetch=True), [node])
    assert eis.requests == []


def test_any_iterable_of_nodes(make: Any, face: Face) -> None:
    assert [len(node.embedding) for node in face.nodes(make(), (TextNode(text=text) for text in "ab"))] == [1024] * 2


def test_a_private_address_is_not_fetched_even_if_fetching_is_allowed(make: Any, face: Face, eis: LocalEIS) -> None:
    with pytest.raises(InputError, match="which is not a public address"):
        face.image(make(allow_url_fetch=True), f"{eis.url}/cat.png")
    assert eis.requests == []


def test_a_model_without_images_is_refused(eis: LocalEIS) -> None:
    with pytest.raises(
        ConfigurationError, match=r"text-nano embeds no images. .jina-embeddings-v5-omni-nano does, in the same vector space"
    ):
        JinaEISMultiModalEmbedding(es_url=eis.url, model=".jina-embeddings-v5-text-nano")
    assert not isinstance(JinaEISEmbedding(es_url=eis.url), JinaEISMultiModalEmbedding)
    assert make_clip(eis).get_image_embedding(png())


def make_clip(eis: LocalEIS) -> JinaEISMultiModalEmbedding:
    return JinaEISMultiModalEmbedding(es_url=eis.url, model=".jina-clip-v2")


def test_nodes_are_routed_by_what_they_hold(make: Any, face: Face, eis: LocalEIS, cat: Path) -> None:
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
    assert face.nodes(model, nodes) is nodes
    wanted = ["a text", png(), "another text", wav(), "nothing to see", "", mp4(), png(), "a document"]
    assert [node.embedding for node in nodes] == [
        model.get_text_embedding(each) if isinstance(each, str) else model.embed_content(each) for each in wanted
    ]


def test_a_node_that_cannot_be_embedded_leaves_all_as_they_were(make: Any, face: Face, eis: LocalEIS, cat: Path) -> None:
    for bad, told in (
        (
            Node(image_resource=MediaResource(data=png()), audio_resource=MediaResource(data=wav())),
            "Input 1: the node .* holds 2 media",
        ),
        (Node(image_resource=MediaResource(data=pdf())), "Input 1: it is declared as application/pdf|Input 1 .* is a PDF"),
        (ImageNode(image_path="missing.png"), "Input 1: there is no file"),
        (ImageNode(), "Input 1: the node .* holds nothing that can be embedded"),
        (ImageNode(image_resource=MediaResource(data=png())), "the data of an image_resource is dropped by LlamaIndex"),
        (Node(text_resource=MediaResource(path=cat)), "holds nothing"),
    ):
        good = TextNode(text="a text")
        with pytest.raises(InputError, match=told):
            face.nodes(make(), [good, bad])
        assert good.embedding is None
    assert eis.requests == []


def test_errors_name_the_nodes_by_their_positions(make: Any, face: Face, eis: LocalEIS) -> None:
    nodes = [
        node for n in range(10) for node in (TextNode(text=f"text {n}"), ImageNode(image=base64.b64encode(png(shade=n)).decode()))
    ]
    for poison, position in ((f"data:image/png;base64,{nodes[13].image}", 13), ("text 8", 16)):  # type: ignore[attr-defined]
        eis.faults.clear()
        eis.faults.poison(poison, "eis_5xx")
        with pytest.raises(ServiceUnavailableError, match=rf"Input {position} failed\.") as caught:
            face.nodes(make(max_retries=0, embed_batch_size=4), nodes)
        assert "were done" not in str(caught.value) or position == 16
        assert [node.embedding for node in nodes] == [None] * 20


class Handler(BaseEventHandler):
    seen: list[Any] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.seen.append(event)


def test_events_have_short_labels(make: Any, face: Face, cat: Path) -> None:
    handler = Handler()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(handler)
    try:
        face.images(make(), [png(), str(cat), f"data:image/png;base64,{B64}"])
        face.nodes(make(), [TextNode(text="a text"), ImageNode(image=B64)])
    finally:
        dispatcher.event_handlers.remove(handler)
    ends = [event for event in handler.seen if isinstance(event, EmbeddingEndEvent)]
    short = "<image/png, 73 bytes>"
    assert [event.chunks for event in ends] == [[short, str(cat), short], ["a text"], [short]]
    assert [len(event.embeddings) for event in ends] == [3, 1, 1]


def test_an_ingestion_pipeline(make: Any, face: Face, cat: Path) -> None:
    pipeline = IngestionPipeline(transformations=[make()])
    nodes = [
        TextNode(text="a text"),
        ImageNode(image_path=str(cat), metadata={"file": "cat"}),
        ImageNode(image=base64.b64encode(png(shade=2)).decode(), metadata={"file": "dog"}),
    ]
    found = asyncio.run(pipeline.arun(nodes=nodes)) if face.asynchronous else pipeline.run(nodes=nodes)
    assert [node.embedding for node in found] == make().embed_contents(["a text", png(), png(shade=2)])


def test_an_ingestion_pipeline_with_processes(make: Any, cat: Path) -> None:
    nodes = [ImageNode(image_path=str(cat), metadata={"file": "cat"}), TextNode(text="a text")]
    found = IngestionPipeline(transformations=[make()]).run(nodes=nodes, num_workers=2)
    assert sorted(len(node.embedding or []) for node in found) == [1024, 1024]


def test_one_model_for_both_sides_of_a_multi_modal_index(make: Any, face: Face, cat: Path) -> None:
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
    if face.asynchronous:
        found = asyncio.run(retriever.aretrieve("How do glaciers move?"))
        alike = asyncio.run(retriever.aimage_to_image_retrieve(QueryBundle("", image_path=str(cat))))
    else:
        found = retriever.retrieve("How do glaciers move?")
        alike = retriever.image_to_image_retrieve(QueryBundle("", image_path=str(cat)))
    assert found[0].node.get_content() == "A glacier is ice that flows."
    assert alike[0].node.metadata == {"file": "cat"}
    assert alike[0].score == pytest.approx(1)


def test_it_comes_back_from_dictionaries_json_and_pickles(make: Any, eis: LocalEIS) -> None:
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
