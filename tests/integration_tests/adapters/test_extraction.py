"""`JinaEISParser` and `JinaEISReader` over HTTP to the embedded EIS: one test body for both, sync and async."""

from __future__ import annotations

import asyncio
import pickle
import threading
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from helpers import Caller, posts, worker_threads
from langchain_core.documents.base import Blob
from llama_index.core import SimpleDirectoryReader
from llama_index.core.schema import ImageNode
from made import pdf, png, wav

from jina_eis.contents import Medium
from jina_eis.errors import ConfigurationError, EndpointNotFoundError, InputError, JinaEISError, RateLimitError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISParser
from llama_index_jina_eis import JinaEISReader

TEXTS = ["Salt melts ice.", "Owls are quiet.", "Bread rises."]
OCR = "/_inference/chat_completion/.jina-ocr-v1-chat_completion"
Read = Callable[..., list[tuple[str, dict[str, Any]]]]


@pytest.fixture(params=[JinaEISParser, JinaEISReader])
def adapter(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def read(adapter: Any, call: Caller, connect: Callable[..., Any]) -> Read:
    """Read a file. Returns the text and metadata of each document."""

    def read_file(path: Any, extra: dict[str, Any] | None = None, **settings: Any) -> list[tuple[str, dict[str, Any]]]:
        reader = connect(adapter, **settings)
        if adapter is JinaEISReader:
            return [(page.text, page.metadata) for page in call(reader, "load_data", path, extra)]
        pages = call(reader, "parse", Blob.from_path(path, metadata=extra) if isinstance(path, Path) else path)
        return [(page.page_content, page.metadata) for page in pages]

    return read_file


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf(texts=TEXTS))
    return path


@pytest.fixture
def extraction(eis: LocalEIS) -> Iterator[str]:
    """An endpoint of task document_extraction."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    with Elasticsearch(eis.url) as client:
        body = {"service": "elastic", "service_settings": {"model_id": "jina-reader"}}
        client.perform_request("PUT", "/_inference/document_extraction/mine", headers=headers, body=body)
        eis.clear()
        yield "mine"
        client.perform_request("DELETE", "/_inference/mine", headers=headers)


@pytest.mark.parametrize("version", ["9.5", "9.6"])
def test_a_pdf_is_rendered_and_read_page_by_page(read: Read, report: Path, version: str) -> None:
    with LocalEIS(model="hash", record=True, version=version) as eis:
        pages = read(report, {"owner": "Ada", "pages": "three"}, es_url=eis.url, dpi=100)
        known = {"source": str(report), "mime_type": "application/pdf", "modality": "pdf", "owner": "Ada", "pages": "three"}
        assert [metadata for _, metadata in pages] == [{**known, "page": number} for number in (1, 2, 3)]
        by_page = sorted(posts(eis), key=lambda post: str(post.answer))
        assert {post.path for post in by_page} == {OCR + ("/_stream" if version == "9.5" else "")}
        assert {post.params["timeout"] for post in by_page} == {"120s"}
        images = [Medium.from_data_uri(post.body["messages"][0]["content"][0]["image_url"]["url"]) for post in by_page]
        assert [image.pixels for image in images] == [(100, 100)] * 3
        assert len({text for text, _ in pages}) == 3 and all(text.startswith("An image of 100x100") for text, _ in pages)
        if version == "9.6":
            contents = [post.answer["choices"][0]["message"]["content"] for post in by_page]
            assert sorted(text for text, _ in pages) == contents


def test_extraction_returns_the_text_of_each_page(read: Read, report: Path, extraction: str, eis: LocalEIS) -> None:
    pages = read(report, inference_id=extraction)
    assert [(text, metadata["page"], metadata["pages"]) for text, metadata in pages] == [
        (text, number, 3) for number, text in enumerate(TEXTS, 1)
    ]
    assert {post.path for post in posts(eis)} == {"/_inference/document_extraction/mine"}
    assert len(posts(eis)) == 3


def test_an_image_is_one_document(read: Read, tmp_path: Path, eis: LocalEIS) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(png(60, 40))
    ((text, metadata),) = read(path)
    assert text.startswith("An image of 60x40 pixels")
    assert metadata == {"source": str(path), "mime_type": "image/png", "modality": "image", "width": 60, "height": 40}
    assert len(posts(eis)) == 1


@pytest.mark.parametrize("fault", ["cut", "drop", "too_few", "rate_limit", "eis_5xx", "timeout", "bad_gateway"])
def test_a_stream_that_breaks_is_requested_again(read: Read, report: Path, fault: Any) -> None:
    with LocalEIS(model="hash", record=True, version="9.5") as eis:
        expected = read(report, es_url=eis.url)
        eis.faults.queue(fault, fault)
        assert read(report, es_url=eis.url) == expected
        assert len(posts(eis)) == 3 + 5


@pytest.mark.parametrize("fault", ["empty", "garbage", "too_many", "eis_422"])
def test_an_answer_without_one_text_is_an_error_with_the_page(
    read: Read, report: Path, extraction: str, eis: LocalEIS, fault: Any
) -> None:
    eis.faults.always(fault)
    with pytest.raises(JinaEISError) as raised:
        read(report, inference_id=extraction)
    assert raised.value.inputs == (0,) and not raised.value.transient


def test_pages_before_a_failure_are_yielded(connect: Callable[..., Any], report: Path, eis: LocalEIS, extraction: str) -> None:
    third = Medium.from_bytes(pdf(texts=TEXTS))
    parser = connect(JinaEISParser, inference_id=extraction, max_retries=0)
    parser.parse(Blob.from_path(report))
    value = next(post.body["input"][0]["content"]["value"] for post in posts(eis) if TEXTS[2] in str(post.answer))
    assert third.mime == "application/pdf"
    eis.faults.poison(value, "rate_limit")

    async def asynchronous() -> list[str]:
        got = []
        with pytest.raises(RateLimitError) as raised:
            async for page in parser.alazy_parse(Blob.from_path(report)):
                got.append(page.page_content)  # noqa: PERF401 - of what came before the error
        assert raised.value.inputs == (2,) and raised.value.completed == 2
        return got

    got = []
    with pytest.raises(RateLimitError, match=r"Input 2 failed\. The first 2 were done"):
        for page in parser.lazy_parse(Blob.from_path(report)):
            got.append(page.page_content)  # noqa: PERF401 - of what came before the error
    assert got == TEXTS[:2] == asyncio.run(asynchronous())


def test_a_caller_that_stops_early_leaves_nothing_behind(connect: Callable[..., Any], report: Path) -> None:
    parser = connect(JinaEISParser)
    before = set(worker_threads())
    pages = parser.lazy_parse(Blob.from_path(report))
    assert next(pages).metadata["page"] == 1
    pages.close()
    for thread in set(worker_threads()) - before:
        thread.join(60)
        assert not thread.is_alive()

    async def first() -> int:
        pages = parser.alazy_parse(Blob.from_path(report))
        page = await anext(pages)
        await pages.aclose()
        return len(asyncio.all_tasks()) * 10 + page.metadata["page"]

    assert asyncio.run(first()) == 11


def test_at_most_eight_pages_are_read_at_once(connect: Callable[..., Any], call: Caller, eis: LocalEIS) -> None:
    eis.faults.latency = 0.2
    pages = call(connect(JinaEISParser), "parse", Blob.from_data(pdf(20)))
    assert [page.metadata["page"] for page in pages] == list(range(1, 21))
    assert "source" not in pages[0].metadata, "bytes without a name have no source"
    assert 1 < eis.most_in_flight <= 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wav(), "is audio/wav. Text is read out of PDFs and images"),
        (b"%PDF-1.7\nnothing", "is damaged"),
        ("password", "needs a password"),
        (b"", "is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_before_a_request(
    read: Read, tmp_path: Path, eis: LocalEIS, data: Any, message: str
) -> None:
    if data == "password":
        file = BytesIO()
        with pikepdf.new() as document:
            document.add_blank_page()
            document.save(file, encryption=pikepdf.Encryption(owner="owner", user="secret", R=6))
        data = file.getvalue()
    path = tmp_path / "file.pdf"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read(path)
    assert not eis.requests


def test_texts_and_other_objects_are_refused(connect: Callable[..., Any], call: Caller, eis: LocalEIS) -> None:
    for blob in (Blob.from_data("text"), Blob.from_data(b"text", mime_type="text/plain"), "report.pdf"):
        with pytest.raises(InputError, match=r"It is a text|Pass a Blob"):
            call(connect(JinaEISParser), "parse", blob)
    for file in (["a text", png()], ImageNode(text="no image"), 7):
        with pytest.raises(InputError, match=r"several parts|no content|a text|cannot be embedded"):
            call(connect(JinaEISReader), "load_data", file)
    assert not eis.requests


def test_the_reader_takes_what_llama_index_has(connect: Callable[..., Any], call: Caller, report: Path, extraction: str) -> None:
    reader = connect(JinaEISReader, inference_id=extraction)
    for file in (report, str(report), report.read_bytes(), BytesIO(report.read_bytes())):
        assert [page.text for page in call(reader, "load_data", file)] == TEXTS
    assert [page.text for page in call(reader, "lazy_load_data", report)] == TEXTS
    (page,) = call(reader, "load_data", ImageNode(image=b64encode(png()).decode()))
    assert page.metadata["mime_type"] == "image/png"


def test_a_directory_is_read_with_one_document_a_page(
    connect: Callable[..., Any], call: Caller, report: Path, extraction: str
) -> None:
    (report.parent / "scan.png").write_bytes(png(60, 40))
    reader = connect(JinaEISReader, inference_id=extraction)
    folder = SimpleDirectoryReader(report.parent, file_extractor={".pdf": reader, ".png": reader}, raise_on_error=True)
    pages = call(folder, "load_data")
    assert [page.text for page in pages][:3] == TEXTS and "60x40" in pages[3].text
    assert [(page.metadata["file_name"], page.metadata.get("page")) for page in pages] == [
        *(("report.pdf", number) for number in (1, 2, 3)),
        ("scan.png", None),
    ]


def test_a_file_system_is_read(connect: Callable[..., Any], call: Caller, report: Path, extraction: str) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    system = MemoryFileSystem()
    system.pipe("/scans/report.pdf", report.read_bytes())
    folder = SimpleDirectoryReader(
        "/scans", file_extractor={".pdf": connect(JinaEISReader, inference_id=extraction)}, fs=system, raise_on_error=True
    )
    pages = call(folder, "load_data")
    assert [page.text for page in pages] == TEXTS
    assert pages[0].metadata["source"] == "/scans/report.pdf"


@pytest.mark.parametrize(
    ("version", "settings", "kind", "message"),
    [
        ("9.4", {}, ConfigurationError, "This deployment has no endpoint that reads pages"),
        ("9.6", {"model": ".jina-embeddings-v3"}, ConfigurationError, "which does not read pages"),
        ("9.6", {"model": "jina-ocr"}, EndpointNotFoundError, "There is no inference endpoint 'jina-ocr'"),
    ],
)
def test_a_deployment_without_such_an_endpoint(
    read: Read, report: Path, version: str, settings: Any, kind: Any, message: str
) -> None:
    with LocalEIS(model="hash", record=True, version=version) as eis:
        with pytest.raises(kind, match=message):
            read(report, es_url=eis.url, **settings)
        assert not posts(eis)


def test_a_page_that_is_cut_off_gives_a_warning(
    adapter: Any, connect: Callable[..., Any], call: Caller, report: Path, eis: LocalEIS
) -> None:
    from jina_eis.adapters import extraction as settings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = settings._page(Medium.from_path(report), 2, 3, settings.PageText("text"))
    assert page.text == "text"
    with pytest.warns(UserWarning, match="before the end of page 2 of .*report.pdf"):
        settings._page(Medium.from_path(report), 2, 3, settings.PageText("text", cut_off=True))


@pytest.mark.parametrize("settings", [{"dpi": 20}, {"dpi": 1000}, {"timeout": 0}, {"prompt": "x"}, {"inference_id": ""}])
def test_invalid_settings(adapter: Any, eis: LocalEIS, settings: Any) -> None:
    with pytest.raises(ConfigurationError):
        adapter(es_url=eis.url, **settings)


def test_a_client_of_the_user(adapter: Any, report: Path, extraction: str, eis: LocalEIS) -> None:
    async def read() -> int:
        async with AsyncElasticsearch(eis.url, http_compress=True) as client:
            reader = adapter(async_client=client)
            return len(await (reader.aparse(Blob.from_path(report)) if adapter is JinaEISParser else reader.aload_data(report)))

    with Elasticsearch(eis.url) as client:
        reader = adapter(client=client)
        assert len(reader.parse(Blob.from_path(report)) if adapter is JinaEISParser else reader.load_data(report)) == 3
    assert asyncio.run(read()) == 3


def test_threads_share_an_object_and_it_can_be_pickled(adapter: Any, report: Path, eis: LocalEIS) -> None:
    reader = pickle.loads(pickle.dumps(adapter(es_url=eis.url, es_api_key="secret-key", dpi=72)))
    assert "secret-key" not in repr(reader) and reader.dpi == 72
    counts: list[int] = []

    def target() -> None:
        counts.append(len(reader.parse(Blob.from_path(report)) if adapter is JinaEISParser else reader.load_data(report)))

    threads = [threading.Thread(target=target) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader.close()
    assert counts == [3] * 4


def test_the_reader_has_a_serialised_form(eis: LocalEIS) -> None:
    reader = JinaEISReader(es_url=eis.url, es_api_key="secret-key", dpi=300)
    assert "secret-key" not in reader.to_json()
    assert JinaEISReader.from_dict(reader.to_dict()).dpi == 300
