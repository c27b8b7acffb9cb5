"""Media by `JinaEISEmbeddings`, over real HTTP to the embedded EIS. One body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from langchain_core.documents.base import Blob
from langchain_core.vectorstores import InMemoryVectorStore
from made import mp4, pdf, png, wav

from jina_eis.contents.fetch import Fetcher
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError, JinaEISError, RequestRejectedError
from jina_eis.local import LocalEIS
from jina_eis.transport.address import Address
from langchain_jina_eis import JinaEISEmbeddings

OMNI = ".jina-embeddings-v5-omni-small"
TEXT = ".jina-embeddings-v5-text-small"


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def contents(self, embeddings: JinaEISEmbeddings, items: Any, **how: Any) -> Any:
        if self.asynchronous:
            return asyncio.run(embeddings.aembed_contents(items, **how))
        return embeddings.embed_contents(items, **how)

    def content(self, embeddings: JinaEISEmbeddings, item: Any, **how: Any) -> Any:
        if self.asynchronous:
            return asyncio.run(embeddings.aembed_content(item, **how))
        return embeddings.embed_content(item, **how)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISEmbeddings]]:
    made: list[JinaEISEmbeddings] = []

    def build(**arguments: Any) -> JinaEISEmbeddings:
        made.append(JinaEISEmbeddings(**{"es_url": eis.url, "model": OMNI, **arguments}))
        return made[-1]

    yield build
    for embeddings in made:
        embeddings.close()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


@pytest.mark.parametrize(
    "item",
    ["a text", png(), wav(), mp4(), ["a text", png()], Blob.from_data(png())],
    ids=["text", "image", "audio", "video", "fused", "blob"],
)
def test_one_vector_for_everything_but_a_pdf(make: Any, face: Face, eis: LocalEIS, item: Any) -> None:
    vector = face.content(make(), item)
    assert len(vector) == 1024
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert face.contents(make(), [item]) == [vector]
    assert [exchange.body["input_type"] for exchange in eis.requests] == ["ingest", "ingest"]


def test_a_pdf_has_a_vector_for_every_page(make: Any, face: Face) -> None:
    pages = face.content(make(), pdf(3))
    assert [len(page) for page in pages] == [1024] * 3
    assert face.content(make(), pdf(1)) != pages
    assert len(face.content(make(), pdf(1))) == 1


def test_many_of_all_kinds_in_their_order(make: Any, face: Face, eis: LocalEIS) -> None:
    items = [
        item
        for n in range(20)
        for item in (f"text {n}", png(shade=n), [f"text {n}", png(shade=n)], *([pdf(2)] if n % 7 == 0 else []))
    ]
    found = face.contents(make(), items)
    assert len(found) == len(items)
    eis.clear()
    embeddings = make()
    assert found == [face.content(embeddings, item) for item in items[:12]] + found[12:]
    assert found[-1] == face.content(embeddings, items[-1])


def test_nothing_asked_nothing_sent(make: Any, face: Face, eis: LocalEIS) -> None:
    assert face.contents(make(), []) == []
    assert eis.requests == []


def test_a_string_that_names_a_file_is_embedded_as_text(make: Any, face: Face, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    assert face.content(make(), str(path)) == make().embed_documents([str(path)])[0]
    assert all(exchange.body["input"] == [str(path)] for exchange in eis.requests)
    assert face.content(make(), path) == face.content(make(), png())


def test_the_role_of_a_query_by_image(make: Any, face: Face, eis: LocalEIS) -> None:
    face.content(make(), png(), input_type="search")
    face.contents(make(document_input_type="clustering"), ["a"])
    assert [exchange.body["input_type"] for exchange in eis.requests] == ["search", "clustering"]
    with pytest.raises(ConfigurationError, match="nothing tells what goes to search_inference_id"):
        make(model=TEXT, search_inference_id=OMNI, query_input_type="clustering", document_input_type="clustering")
    with pytest.raises(InputError, match="input_type='query': it is 'ingest', 'search'"):
        face.content(make(), png(), input_type="query")


def test_texts_indexed_by_a_text_model_are_searched_by_an_omni_model(make: Any, face: Face, eis: LocalEIS) -> None:
    old = make(model=TEXT)
    store = InMemoryVectorStore(old)
    store.add_texts(["A glacier is ice that flows.", "Bread rises because yeast makes gas."])
    new = make(model=TEXT, search_inference_id=OMNI)
    assert new.embed_query("How do glaciers move?") == old.embed_query("How do glaciers move?")
    store.embedding = new
    assert store.similarity_search("How do glaciers move?", k=1)[0].page_content.startswith("A glacier")
    assert len(face.content(new, png(), input_type="search")) == 1024
    paths = [(exchange.path.rpartition("/")[2], exchange.body["input_type"]) for exchange in eis.requests]
    assert paths == [(TEXT, "ingest"), (OMNI, "search"), (TEXT, "search"), (OMNI, "search"), (OMNI, "search")]
    with pytest.raises(InputError, match=f"embeds text only. {OMNI} does, in the same vector space"):
        face.content(new, png())  # as a document, which is the text model's part


def test_models_of_different_spaces_are_refused(make: Any, eis: LocalEIS) -> None:
    with pytest.raises(ConfigurationError, match="different vector spaces"):
        make(model=".jina-embeddings-v3", search_inference_id=OMNI)
    assert eis.requests == []
    embeddings = make(dimensions=256)
    assert embeddings.shares_space_with(TEXT)
    assert not asyncio.run(embeddings.ashares_space_with(".jina-embeddings-v5-text-nano"))


@pytest.mark.parametrize(
    "item",
    [
        png(20, 20),
        b"text",
        Path("missing.png"),
        "data:image/png;base64,@",
        {"type": "image", "url": "https://example.com/cat.png"},
        None,
        [],
    ],
    ids=["tiny", "bytes", "path", "data-uri", "url", "none", "nothing"],
)
def test_what_cannot_be_embedded_costs_no_request(make: Any, face: Face, eis: LocalEIS, item: Any) -> None:
    with pytest.raises(InputError, match=r"^Input 40"):
        face.contents(make(), [*["good"] * 40, item])
    with pytest.raises(InputError, match=r"^The input"):
        face.content(make(), item)
    assert eis.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]"])
def test_a_private_address_is_not_fetched_even_if_fetching_is_allowed(make: Any, face: Face, eis: LocalEIS, host: str) -> None:
    port = eis.url.rpartition(":")[2]
    with pytest.raises(InputError, match="which is not a public address"):
        face.content(make(allow_url_fetch=True), {"type": "image", "url": f"http://{host}:{port}/cat.png"})
    assert eis.requests == []


@pytest.mark.parametrize("fault", ["rate_limit", "eis_5xx", "timeout", "drop", "cut", "bad_gateway"])
def test_a_fault_that_passes_costs_no_second_reading(make: Any, face: Face, eis: LocalEIS, tmp_path: Path, fault: Any) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    good = face.content(make(), path)
    opened: list[str] = []
    watching = True
    sys.addaudithook(lambda event, found: opened.append(str(found[0])) if watching and event == "open" else None)
    eis.faults.queue(fault, fault)
    eis.clear()
    assert face.contents(make(), [path, "text", pdf(2)])[0] == good
    watching = False
    assert opened.count(str(path)) == 2  # its head when it was checked, and the whole of it when it was sent
    assert len(eis.requests) == 4


def test_the_input_at_fault_is_found(make: Any, face: Face, eis: LocalEIS) -> None:
    items = [png(shade=n) for n in range(40)]
    items[21] = items[21] + b"poison"
    eis.faults.poison("data:image/png;base64," + base64.b64encode(items[21]).decode(), "too_few")
    with pytest.raises(JinaEISError):
        face.contents(make(), items)
    eis.faults.clear()
    broken = png()[:33] + b"%PDF-1.4"  # what only the service finds out
    assert face.contents(make(), [broken])
    not_a_pdf = b"%PDF-1.4 of nothing"
    with pytest.raises(RequestRejectedError, match=r"Input 17 failed\. The first 17 were done") as caught:
        face.contents(make(), [*items[:17], not_a_pdf, *items[22:]])
    assert caught.value.inputs is not None
    assert list(caught.value.inputs) == [17]


@pytest.mark.parametrize("fault", ["too_few", "too_many", "empty", "ragged", "not_finite"])
def test_a_wrong_answer_is_an_error(make: Any, face: Face, eis: LocalEIS, fault: Any) -> None:
    eis.faults.always(fault)
    with pytest.raises(InvalidAnswerError):
        face.contents(make(max_retries=0), [png(), "text"])


def test_a_file_that_goes_before_its_turn(make: Any, face: Face, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())

    class Treacherous:
        """Removes the file after it was checked."""

        def read(self, size: int) -> bytes:
            path.unlink()
            return png()

    with pytest.raises(InputError, match=r"cat\.png can no longer be read: No such file or directory\. Input 1 failed\."):
        face.contents(make(), ["text", path, Treacherous()])


def test_large_media_travel_a_few_at_a_time(make: Any, face: Face, eis: LocalEIS) -> None:
    assert len(face.contents(make(), [png(shade=n, noise=1_500_000) for n in range(5)])) == 5
    assert sorted(len(exchange.body["input"]) for exchange in eis.requests) == [1, 2, 2]


def test_a_blob_is_what_it_holds(make: Any, face: Face, tmp_path: Path) -> None:
    embeddings = make()
    image, text = face.content(embeddings, png()), face.content(embeddings, "hello")
    (tmp_path / "cat.jpg").write_bytes(png())  # LangChain guesses image/jpeg from the name, which is no declaration
    (tmp_path / "note.txt").write_text("hello")
    assert face.content(embeddings, Blob.from_path(tmp_path / "cat.jpg")) == image
    assert face.content(embeddings, Blob.from_data(png(), mime_type="image/png")) == image
    for blob in (
        Blob.from_path(tmp_path / "note.txt"),
        Blob.from_data("hello"),
        Blob.from_data(b"hello", mime_type="text/plain"),
    ):
        assert face.content(embeddings, blob) == text
    for blob, told in (
        (Blob.from_data(png(), mime_type="image/jpeg"), "declared as image/jpeg, but its bytes are image/png"),
        (Blob.from_path(tmp_path / "missing.txt"), "cannot be read as text: No such file"),
        (Blob.from_path(tmp_path / "missing.png"), "no file"),
        (Blob.from_data(b"\xff", mime_type="text/plain"), "cannot be read as text"),
        (Blob.from_data(b""), "is empty"),
        (Blob.from_data(""), "an empty text"),
        (
            Blob.from_data(base64.b64encode(png()).decode(), mime_type="image/png"),
            "a Blob with a string for data, declared as image/png",
        ),
    ):
        with pytest.raises(InputError, match=told):
            face.content(embeddings, blob)


def test_embed_image_as_vector_stores_call_it(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "a cat.png"
    path.write_bytes(png())
    embeddings = make()
    image = embeddings.embed_content(png())
    uri = "data:image/png;base64," + base64.b64encode(png()).decode()
    assert embeddings.embed_image(uris=[str(path), path, path.as_uri(), uri]) == [image] * 4
    for uris, told in (
        ([str(tmp_path / "dog.png")], "no file"),
        (["https://example.com/cat.png"], "nothing is fetched unasked"),
        (["https://localhost/cat.png", "missing"], "no file"),
        ("cat.png", "uris is a list of paths"),
    ):
        with pytest.raises(InputError, match=told):
            embeddings.embed_image(uris)
    (tmp_path / "page.pdf").write_bytes(pdf())
    with pytest.raises(InputError, match="an image is expected here, but its bytes are application/pdf"):
        embeddings.embed_image([str(tmp_path / "page.pdf")])
    with pytest.raises(InputError, match=r"is no image. Use embed_content"):
        embeddings.embed_image([tmp_path / "page.pdf"])
    assert embeddings.embed_image([png()]) == [image]


def test_equal_images_find_each_other_beside_texts(make: Any, face: Face) -> None:
    embeddings = make()
    red, blue, text = face.contents(embeddings, [png(shade=1), png(shade=2), "a cat"])
    query = face.content(embeddings, png(shade=2), input_type="search")
    assert cosine(query, blue) > 0.999 > 0.5 > max(abs(cosine(query, red)), abs(cosine(query, text)))


def test_a_cancelled_task_fetches_no_more(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # takes connections, and never answers
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/cat.png"
    monkeypatch.setattr("jina_eis.contents.inputs.Fetcher", partial(Fetcher, permits=lambda _: True))
    embeddings = make(allow_url_fetch=True)

    async def cancel() -> None:
        task = asyncio.create_task(embeddings.aembed_contents([{"type": "image", "url": url}] * 20))
        taken.append((await asyncio.to_thread(listener.accept))[0])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    taken: list[socket.socket] = []
    asyncio.run(asyncio.wait_for(cancel(), 10))  # which also waits for the threads of the loop
    deadline = time.monotonic() + 5
    while any("jina-eis-fetch" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for each in (listener, *taken):
        each.close()


def test_clients_of_your_own_that_compress(make: Any, face: Face, eis: LocalEIS) -> None:
    async def compressed() -> Any:
        async with AsyncElasticsearch(eis.url, http_compress=True) as client:
            embeddings = JinaEISEmbeddings(async_client=client, model=OMNI)
            return await embeddings.aembed_content(png(noise=500_000))

    with Elasticsearch(eis.url, http_compress=True) as client:
        embeddings = JinaEISEmbeddings(client=client, model=OMNI)
        found = asyncio.run(compressed()) if face.asynchronous else embeddings.embed_content(png(noise=500_000))
    assert found == face.content(make(), png(noise=500_000))


def test_a_cloud_id_compresses_nothing() -> None:
    """Base64 hardly shrinks, and the async client cannot compress large bodies without holding up the loop."""
    cloud_id = "name:" + base64.b64encode(b"eu.example.com$abc$def").decode()
    assert Address(cloud_id=cloud_id).client_arguments()["http_compress"] is False
