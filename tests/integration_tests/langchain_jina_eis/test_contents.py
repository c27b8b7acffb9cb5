"""`JinaEISEmbeddings` with media, over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import math
import socket
import sys
import threading
import time
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from helpers import OMNI, TEXT, Caller, posts
from langchain_core.documents.base import Blob
from langchain_core.vectorstores import InMemoryVectorStore
from made import mp4, pdf, png, wav

from jina_eis.contents import Medium
from jina_eis.contents.fetch import Fetcher
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError, JinaEISError, RequestRejectedError
from jina_eis.local import LocalEIS
from jina_eis.transport import Address, Connection
from langchain_jina_eis import JinaEISEmbeddings
from llama_index_jina_eis import JinaEISMultiModalEmbedding


@pytest.fixture
def make(connect: Callable[..., Any]) -> Callable[..., JinaEISEmbeddings]:
    return partial(connect, JinaEISEmbeddings, model=OMNI)


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


@pytest.mark.parametrize(
    "item",
    ["a text", png(), wav(), mp4(), ["a text", png()], Blob.from_data(png())],
    ids=["text", "image", "audio", "video", "fused", "blob"],
)
def test_every_item_except_a_pdf_has_one_vector(make: Any, call: Caller, eis: LocalEIS, item: Any) -> None:
    vector = call(make(), "embed_content", item)
    assert len(vector) == 1024
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert call(make(), "embed_contents", [item]) == [vector]
    assert [exchange.body["input_type"] for exchange in eis.requests] == ["ingest", "ingest"]


def test_a_pdf_has_a_vector_for_every_page(make: Any, call: Caller) -> None:
    pages = call(make(), "embed_content", pdf(3))
    assert [len(page) for page in pages] == [1024] * 3
    assert call(make(), "embed_content", pdf(1)) != pages
    assert len(call(make(), "embed_content", pdf(1))) == 1


@pytest.mark.parametrize("adapter", [JinaEISEmbeddings, JinaEISMultiModalEmbedding])
def test_pages_of_a_pdf(connect: Callable[..., Any], call: Caller, eis: LocalEIS, adapter: Any) -> None:
    omni = connect(adapter, model=OMNI)
    assert call(omni, "embed_pages", pdf(3)) == call(omni, "embed_content", pdf(3))
    assert len(call(omni, "embed_pages", [Medium.from_bytes(pdf(1))], input_type="search")) == 1
    assert [exchange.body["input_type"] for exchange in posts(eis)] == ["ingest", "ingest", "search"]
    eis.clear()
    for item, kind in ((png(), "image/png"), ("a text", "a text"), (["a text", png()], "a list")):
        with pytest.raises(InputError, match=f"The input is {kind}, not a PDF. Use embed_content"):
            call(omni, "embed_pages", item)
    assert not eis.requests


@pytest.mark.parametrize(
    ("fault", "pages", "problem"), [("too_few", 3, "2 vectors.*3 pages"), ("too_many", 1, "2 vectors.*1 page")]
)
def test_pages_without_a_vector_of_their_own(
    call: Caller, make: Callable[..., JinaEISEmbeddings], eis: LocalEIS, fault: Any, pages: int, problem: str
) -> None:
    eis.faults.queue(fault)
    with pytest.raises(InvalidAnswerError, match=rf"The service returned {problem}\."):
        call(make(), "embed_pages", pdf(pages))


def test_the_embedded_eis_embeds_a_page_by_its_text(make: Any, call: Caller) -> None:
    pages = call(make(), "embed_pages", pdf(texts=["Salt melts ice on roads.", "Owls are quiet."]))
    assert pages == make().embed_documents(["Salt melts ice on roads.", "Owls are quiet."])


def test_many_items_of_all_kinds_keep_their_order(make: Any, call: Caller, eis: LocalEIS) -> None:
    items = [
        item
        for n in range(20)
        for item in (f"text {n}", png(shade=n), [f"text {n}", png(shade=n)], *([pdf(2)] if n % 7 == 0 else []))
    ]
    found = call(make(), "embed_contents", items)
    assert len(found) == len(items)
    eis.clear()
    embeddings = make()
    assert found == [call(embeddings, "embed_content", item) for item in items[:12]] + found[12:]
    assert found[-1] == call(embeddings, "embed_content", items[-1])


def test_an_empty_list_sends_no_request(make: Any, call: Caller, eis: LocalEIS) -> None:
    assert call(make(), "embed_contents", []) == []
    assert eis.requests == []


def test_a_string_that_names_a_file_is_embedded_as_text(make: Any, call: Caller, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    assert call(make(), "embed_content", str(path)) == make().embed_documents([str(path)])[0]
    assert all(exchange.body["input"] == [str(path)] for exchange in eis.requests)
    assert call(make(), "embed_content", path) == call(make(), "embed_content", png())


def test_input_type_sets_the_role(make: Any, call: Caller, eis: LocalEIS) -> None:
    call(make(), "embed_content", png(), input_type="search")
    call(make(document_input_type="clustering"), "embed_contents", ["a"])
    assert [exchange.body["input_type"] for exchange in eis.requests] == ["search", "clustering"]
    with pytest.raises(ConfigurationError, match="queries for search_inference_id cannot be distinguished"):
        make(model=TEXT, search_inference_id=OMNI, query_input_type="clustering", document_input_type="clustering")
    with pytest.raises(InputError, match="input_type='query': pass 'ingest', 'search'"):
        call(make(), "embed_content", png(), input_type="query")


def test_texts_indexed_by_a_text_model_are_searched_by_an_omni_model(make: Any, call: Caller, eis: LocalEIS) -> None:
    old = make(model=TEXT)
    store = InMemoryVectorStore(old)
    store.add_texts(["A glacier is ice that flows.", "Bread rises because yeast makes gas."])
    new = make(model=TEXT, search_inference_id=OMNI)
    assert new.embed_query("How do glaciers move?") == old.embed_query("How do glaciers move?")
    store.embedding = new
    assert store.similarity_search("How do glaciers move?", k=1)[0].page_content.startswith("A glacier")
    assert len(call(new, "embed_content", png(), input_type="search")) == 1024
    paths = [(exchange.path.rpartition("/")[2], exchange.body["input_type"]) for exchange in eis.requests]
    assert paths == [(TEXT, "ingest"), (OMNI, "search"), (TEXT, "search"), (OMNI, "search"), (OMNI, "search")]
    with pytest.raises(InputError, match=f"embeds only text. {OMNI} does, in the same vector space"):
        call(new, "embed_content", png())  # as a document, which the text model embeds


def test_models_of_different_spaces_are_rejected(make: Any, eis: LocalEIS) -> None:
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
def test_an_invalid_item_sends_no_request(make: Any, call: Caller, eis: LocalEIS, item: Any) -> None:
    with pytest.raises(InputError, match=r"^Input 40"):
        call(make(), "embed_contents", [*["good"] * 40, item])
    with pytest.raises(InputError, match=r"^The input"):
        call(make(), "embed_content", item)
    assert eis.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]"])
def test_a_private_address_is_not_fetched_even_if_fetching_is_allowed(make: Any, call: Caller, eis: LocalEIS, host: str) -> None:
    port = eis.url.rpartition(":")[2]
    with pytest.raises(InputError, match="which is not a public address"):
        call(make(allow_url_fetch=True), "embed_content", {"type": "image", "url": f"http://{host}:{port}/cat.png"})
    assert eis.requests == []


@pytest.mark.parametrize("fault", ["rate_limit", "eis_5xx", "timeout", "drop", "cut", "bad_gateway"])
def test_a_retry_does_not_read_the_file_again(make: Any, call: Caller, eis: LocalEIS, tmp_path: Path, fault: Any) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    good = call(make(), "embed_content", path)
    opened: list[str] = []
    watching = True
    sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if watching and event == "open" else None)
    eis.faults.queue(fault, fault)
    eis.clear()
    assert call(make(), "embed_contents", [path, "text", pdf(2)])[0] == good
    watching = False
    assert opened.count(str(path)) == 2  # its first bytes for the check, and the whole file for the request
    assert len(eis.requests) == 4


def test_the_error_names_the_input_that_caused_it(make: Any, call: Caller, eis: LocalEIS) -> None:
    items = [png(shade=n) for n in range(40)]
    items[21] = items[21] + b"poison"
    eis.faults.poison("data:image/png;base64," + base64.b64encode(items[21]).decode(), "too_few")
    with pytest.raises(JinaEISError):
        call(make(), "embed_contents", items)
    eis.faults.clear()
    broken = png()[:33] + b"%PDF-1.4"  # only the service detects this
    assert call(make(), "embed_contents", [broken])
    not_a_pdf = b"%PDF-1.4 of nothing"
    with pytest.raises(RequestRejectedError, match=r"Input 17 failed\. The first 17 were done") as caught:
        call(make(), "embed_contents", [*items[:17], not_a_pdf, *items[22:]])
    assert caught.value.inputs is not None
    assert list(caught.value.inputs) == [17]


@pytest.mark.parametrize("fault", ["too_few", "too_many", "empty", "ragged", "not_finite"])
def test_a_wrong_answer_is_an_error(make: Any, call: Caller, eis: LocalEIS, fault: Any) -> None:
    eis.faults.always(fault)
    with pytest.raises(InvalidAnswerError):
        call(make(max_retries=0), "embed_contents", [png(), "text"])


def test_a_file_deleted_after_the_check(make: Any, call: Caller, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())

    class DeletingFile:
        """Deletes the other file after that was checked."""

        def read(self, size: int) -> bytes:
            path.unlink()
            return png()

    with pytest.raises(InputError, match=r"cat\.png can no longer be read: No such file or directory\. Input 1 failed\."):
        call(make(), "embed_contents", ["text", path, DeletingFile()])


def test_large_media_are_sent_a_few_per_request(make: Any, call: Caller, eis: LocalEIS) -> None:
    assert len(call(make(), "embed_contents", [png(shade=n, noise=1_500_000) for n in range(5)])) == 5
    assert sorted(len(exchange.body["input"]) for exchange in eis.requests) == [1, 2, 2]


def test_a_blob_is_embedded_by_its_content(make: Any, call: Caller, tmp_path: Path) -> None:
    embeddings = make()
    image, text = call(embeddings, "embed_content", png()), call(embeddings, "embed_content", "hello")
    (tmp_path / "cat.jpg").write_bytes(png())  # LangChain guesses image/jpeg from the name, which does not count as declared
    (tmp_path / "note.txt").write_text("hello")
    assert call(embeddings, "embed_content", Blob.from_path(tmp_path / "cat.jpg")) == image
    assert call(embeddings, "embed_content", Blob.from_data(png(), mime_type="image/png")) == image
    for blob in (
        Blob.from_path(tmp_path / "note.txt"),
        Blob.from_data("hello"),
        Blob.from_data(b"hello", mime_type="text/plain"),
    ):
        assert call(embeddings, "embed_content", blob) == text
    for blob, message in (
        (Blob.from_data(png(), mime_type="image/jpeg"), "declared as image/jpeg, but its bytes are image/png"),
        (Blob.from_path(tmp_path / "missing.txt"), "cannot be read as text: No such file"),
        (Blob.from_path(tmp_path / "missing.png"), "does not exist"),
        (Blob.from_data(b"\xff", mime_type="text/plain"), "cannot be read as text"),
        (Blob.from_data(b""), "is empty"),
        (Blob.from_data(""), "the text is empty"),
        (
            Blob.from_data(base64.b64encode(png()).decode(), mime_type="image/png"),
            "a Blob has a string as data and is declared as image/png",
        ),
    ):
        with pytest.raises(InputError, match=message):
            call(embeddings, "embed_content", blob)


def test_embed_image_takes_the_arguments_of_vector_stores(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "a cat.png"
    path.write_bytes(png())
    embeddings = make()
    image = embeddings.embed_content(png())
    uri = "data:image/png;base64," + base64.b64encode(png()).decode()
    assert embeddings.embed_image(uris=[str(path), path, path.as_uri(), uri]) == [image] * 4
    for uris, message in (
        ([str(tmp_path / "dog.png")], "the file .*dog.png does not exist"),
        (["https://example.com/cat.png"], "URL fetching is off"),
        (["https://localhost/cat.png", "missing"], "Input 1: the file missing does not exist"),
        ("cat.png", "Pass uris as a list of paths"),
    ):
        with pytest.raises(InputError, match=message):
            embeddings.embed_image(uris)
    (tmp_path / "page.pdf").write_bytes(pdf())
    with pytest.raises(InputError, match="an image is expected here, but its bytes are application/pdf"):
        embeddings.embed_image([str(tmp_path / "page.pdf")])
    with pytest.raises(InputError, match=r"is not an image. Use embed_content"):
        embeddings.embed_image([tmp_path / "page.pdf"])
    assert embeddings.embed_image([png()]) == [image]


def test_equal_images_are_nearest_to_each_other(make: Any, call: Caller) -> None:
    embeddings = make()
    red, blue, text = call(embeddings, "embed_contents", [png(shade=1), png(shade=2), "a cat"])
    query = call(embeddings, "embed_content", png(shade=2), input_type="search")
    assert cosine(query, blue) > 0.999 > 0.5 > max(abs(cosine(query, red)), abs(cosine(query, text)))


def test_a_cancelled_task_stops_fetching(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # accepts connections and never responds
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/cat.png"
    monkeypatch.setattr("jina_eis.contents.inputs.Fetcher", partial(Fetcher, permits=lambda _: True, seconds=300.0))
    embeddings = make(allow_url_fetch=True)

    async def cancel() -> None:
        task = asyncio.create_task(embeddings.aembed_contents([{"type": "image", "url": url}] * 20))
        accepted.append((await asyncio.to_thread(listener.accept))[0])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    accepted: list[socket.socket] = []
    started = time.monotonic()
    asyncio.run(asyncio.wait_for(cancel(), 60))  # also waits for the threads of the loop
    assert time.monotonic() - started < 100
    deadline = time.monotonic() + 60
    while any("jina-eis-fetch" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for connection in (listener, *accepted):
        connection.close()


def test_a_custom_client_may_compress_requests(make: Any, call: Caller, eis: LocalEIS) -> None:
    async def compressed() -> Any:
        async with AsyncElasticsearch(eis.url, http_compress=True) as client:
            embeddings = JinaEISEmbeddings(async_client=client, model=OMNI)
            return await embeddings.aembed_content(png(noise=500_000))

    with Elasticsearch(eis.url, http_compress=True) as client:
        embeddings = JinaEISEmbeddings(client=client, model=OMNI)
        found = asyncio.run(compressed()) if call.asynchronous else embeddings.embed_content(png(noise=500_000))
    assert array("f", found) == array("f", call(make(), "embed_content", png(noise=500_000)))


def test_a_cloud_id_does_not_switch_compression_on() -> None:
    """Base64 hardly compresses, and the async client would block the loop while it compresses large bodies."""
    cloud_id = "name:" + base64.b64encode(b"eu.example.com$abc$def").decode()
    connection = Connection(Address(cloud_id=cloud_id), timeout=1, connections=1, product="test/1")
    node = connection._sync_client().transport.node_pool.all()[0]
    assert node.config.http_compress is False
    connection.close()
