"""What is sent for a medium, whichever way it comes in, by both frameworks: the type and MIME type of the request."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from helpers import OMNI, Caller
from langchain_core.documents import Document as LangChainDocument
from langchain_core.documents.base import Blob
from llama_index.core.schema import Document, ImageDocument, ImageNode, MediaResource, Node, TextNode
from made import png, wav
from recordings import recording
from samples import SAMPLES, encoded, sample_bytes

from jina_eis.contents.media import LARGEST
from jina_eis.errors import InputError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISVectorStore
from langchain_jina_eis import JinaEISRetriever as LangChainRetriever
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding, JinaEISRetriever

FRAMEWORKS = {"langchain": JinaEISEmbeddings, "llama_index": JinaEISMultiModalEmbedding}
FILES = [
    pytest.param(mime, make, id=f"{name} {mime} {n}")
    for (name, _, mime), makes in SAMPLES.items()
    for n, make in enumerate(makes)
]
KINDS = {  # files of different containers, and how the kind of their tracks is found
    "image/png": lambda: png(64, 48, noise=1_500_000),  # larger than aiohttp sends at once
    "image/avif": lambda: encoded("AVIF", frames=2),
    "audio/mp4": lambda: recording("mp4", "aac"),
    "video/3gpp": lambda: recording("3gp", "h263"),
    "audio/webm": lambda: recording("webm", "libopus"),
}


@pytest.fixture(params=FRAMEWORKS)
def model(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Any:
    return connect(FRAMEWORKS[request.param], model=OMNI)


def sent(eis: LocalEIS) -> tuple[str, str, bytes]:
    """The type, MIME type and data of the last request."""
    part = eis.requests[-1].body["input"][0]["content"]
    assert part["format"] == "base64"
    header, _, data = part["value"].partition(";base64,")
    return part["type"], header.removeprefix("data:"), base64.b64decode(data, validate=True)


def expected(mime: str, data: bytes) -> tuple[str, str, bytes]:
    return "pdf" if mime == "application/pdf" else mime.partition("/")[0], mime, data


@pytest.mark.parametrize(("mime", "make"), FILES)
def test_the_content_of_a_file_decides(model: Any, eis: LocalEIS, tmp_path: Path, mime: str, make: Any) -> None:
    path = tmp_path / "report.docx"
    path.write_bytes(sample_bytes(make))
    Caller(False)(model, "embed_content", path)
    assert sent(eis) == expected(mime, sample_bytes(make))


def _block(kind: str, data: str, **more: str) -> dict[str, str]:
    return {"type": kind, "base64": data, **more}


WAYS: dict[str, Callable[[Path, bytes, str], Any]] = {
    "path": lambda path, data, kind: path,
    "bytes": lambda path, data, kind: data,
    "bytearray": lambda path, data, kind: bytearray(data),
    "open file": lambda path, data, kind: BytesIO(data),
    "data URI": lambda path, data, kind: f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}",
    "data URI of a recorder": lambda path, data, kind: (
        f'\n data:application/octet-stream;codecs="a,b";name=c,d;base64,\n{base64.encodebytes(data).decode()}'.rstrip("=\n")
    ),
    "content block": lambda path, data, kind: _block(kind, base64.b64encode(data).decode()),
    "content block of a file": lambda path, data, kind: _block("file", base64.b64encode(data).decode()),
    "block with a URL": lambda path, data, kind: {
        "type": kind,
        "url": f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}",
    },
}
ONLY_LANGCHAIN: dict[str, Callable[[Path, bytes, str], Any]] = {
    "Blob": lambda path, data, kind: Blob.from_data(data),
    "Blob with a path": lambda path, data, kind: Blob.from_path(path),
}
ONLY_LLAMA_INDEX: dict[str, Callable[[Path, bytes, str], Any]] = {
    "MediaResource": lambda path, data, kind: MediaResource(data=data),
    "MediaResource with a path": lambda path, data, kind: MediaResource(path=path),
    "Node": lambda path, data, kind: Node(**{f"{kind}_resource": MediaResource(data=data)}),
    "Document": lambda path, data, kind: Document(**{f"{kind}_resource": MediaResource(path=path)}),
}


@pytest.mark.parametrize("name", ["file", "file.3gp", "file.mp4", "file.png", "file.pdf"])  # names from which types are guessed
@pytest.mark.parametrize("mime", KINDS)
def test_every_way_in_has_the_same_result(model: Any, call: Caller, eis: LocalEIS, tmp_path: Path, mime: str, name: str) -> None:
    data = KINDS[mime]()
    path = tmp_path / name
    path.write_bytes(data)
    ways = WAYS | (ONLY_LANGCHAIN if isinstance(model, JinaEISEmbeddings) else ONLY_LLAMA_INDEX)
    for way, make in ways.items():
        call(model, "embed_content", make(path, data, mime.partition("/")[0]))
        assert sent(eis) == expected(mime, data), way


IMAGES = {
    "ImageNode": lambda path, data: ImageNode(image=base64.b64encode(data).decode()),
    "ImageNode with a path": lambda path, data: ImageNode(image_path=str(path)),
    "ImageNode with a data URI": lambda path, data: ImageNode(image=f"data:image/png;base64,{base64.b64encode(data).decode()}"),
    "ImageDocument": lambda path, data: ImageDocument(image=base64.b64encode(data).decode()),
    "ImageDocument with a path": lambda path, data: ImageDocument(image_path=str(path)),
    "ImageDocument with a data URI": lambda path, data: ImageDocument(
        image=f"data:image/png;base64,{base64.b64encode(data).decode()}"
    ),
}


@pytest.mark.parametrize("way", IMAGES)
def test_images_of_llama_index(connect: Any, call: Caller, eis: LocalEIS, tmp_path: Path, way: str) -> None:
    model = connect(JinaEISMultiModalEmbedding)
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    node = IMAGES[way](path, png())
    call(model, "__call__", [node])
    assert sent(eis) == expected("image/png", png())
    call(model, "get_image_embedding", node)
    assert sent(eis) == expected("image/png", png())


@pytest.mark.parametrize("make", [ImageNode, ImageDocument])
@pytest.mark.parametrize("given", [{}, {"path": "cat.png"}, {"metadata": {"file": "cat.png"}}])
def test_an_object_for_an_image_that_has_none(connect: Any, call: Caller, eis: LocalEIS, make: Any, given: Any) -> None:
    model = connect(JinaEISMultiModalEmbedding)
    for method, argument in (("__call__", [make(**given)]), ("get_image_embedding", make(**given))):
        with pytest.raises(InputError, match="has no content to embed"):
            call(model, method, argument)
    assert eis.requests == []
    call(model, "__call__", [make(text="a cat")])
    assert eis.requests[-1].body["input"] == ["a cat"]


def test_text_that_is_binary_data(connect: Any, call: Caller, index_name: str) -> None:
    tone = wav(4000).decode("utf-8", "ignore")
    model = connect(JinaEISMultiModalEmbedding)
    retriever = connect(JinaEISRetriever, index_name=index_name)
    for node in (
        TextNode(text=tone, metadata={"file_type": "audio/x-wav", "file_path": "music/tone.wav"}),
        TextNode(text=tone, metadata={"file_path": "music/tone.wav"}),
        Document(text="a caption", metadata={"file_type": "image/avif", "file_name": "music/tone.wav"}),
    ):
        for target, method in ((model, "__call__"), (retriever, "add_nodes")):
            with pytest.warns(UserWarning, match=r"music/tone\.wav .*is embedded as text.*MediaResource\(path="):
                call(target, method, [node])


def test_texts_that_are_binary_data(connect: Any, call: Caller, index_name: str) -> None:
    texts = ["a text\nof two lines", png(64, 64, noise=999).decode("utf-8", "ignore")]
    settings = {"index_name": index_name}
    for target, method, argument in (
        (connect(JinaEISEmbeddings), "embed_documents", texts),
        (connect(JinaEISEmbeddings), "stream_documents", texts),
        (connect(JinaEISEmbedding), "get_text_embedding_batch", texts),
        (connect(LangChainRetriever, **settings), "add_texts", texts),
        (connect(JinaEISVectorStore, **settings), "add_documents", [LangChainDocument(page_content=text) for text in texts]),
    ):
        with pytest.warns(UserWarning, match="looks like binary data"):
            call(target, method, argument)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            call(target, method, argument[:1])


def test_raw_base64_and_binary_data_in_a_string(model: Any, call: Caller, eis: LocalEIS) -> None:
    for text, message in (
        (base64.b64encode(png()).decode(), "it is the base64 of a medium"),
        (base64.encodebytes(recording("mp4", "aac")).decode(), "it is the base64 of a medium"),
        (png(64, 64, noise=999).decode("utf-8", "ignore"), "looks like binary data"),
    ):
        with pytest.warns(UserWarning, match=message):
            call(model, "embed_content", text)
        assert eis.requests[-1].body["input"] == [text]


PEAK = """
import asyncio, resource, sys
from pathlib import Path
from langchain_jina_eis import JinaEISEmbeddings

url, way, name = sys.argv[1:]
path = Path(name)
model = JinaEISEmbeddings(es_url=url, model=".jina-embeddings-v5-omni-small", timeout=120)


def embed(item):
    return asyncio.run(model.aembed_content(item)) if way == "async" else model.embed_content(item)


embed(path.with_name("small.wav"))
item = {"bytes": path.read_bytes, "file": lambda: open(path, "rb")}.get(way, lambda: path)()
before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
embed(item)
(peak,) = [int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")]
print((peak - before) / path.stat().st_size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("way", ["path", "bytes", "file", "async"])
def test_the_memory_for_a_large_file(eis: LocalEIS, tmp_path: Path, way: str) -> None:
    path = tmp_path / "large.wav"
    (tmp_path / "small.wav").write_bytes(wav())
    path.write_bytes(wav() + os.urandom(1000) * 70_000)
    result = subprocess.run([sys.executable, "-c", PEAK, eis.url, way, str(path)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 3.2  # 1.4 to 2.4
    eis.clear()  # the record of the request is large


def test_a_file_that_is_too_large_is_not_read(model: Any, call: Caller, eis: LocalEIS, tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    path.write_bytes(wav())
    os.truncate(path, 200 * 10**6)  # a sparse file: it uses no space on the disk

    class Unread(BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            return LARGEST + 1 if whence else 0

        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError

    for item in (path, Unread()):
        with pytest.raises(InputError, match=r"MB; a request to Elasticsearch holds 77.6 MB at most"):
            call(model, "embed_content", item)
    assert eis.requests == []
