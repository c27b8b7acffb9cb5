"""What can be embedded: every form that is taken, and what becomes of everything else."""

from __future__ import annotations

import base64
import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents.base import Blob
from langchain_core.messages import content as blocks
from made import mp4, pdf, png, wav
from PIL import Image, ImageOps

from jina_eis.contents.inputs import content, content_list, label
from jina_eis.contents.links import Link, address
from jina_eis.contents.media import Medium
from jina_eis.errors import InputError

B64 = base64.b64encode(png()).decode()
URI = f"data:image/png;base64,{B64}"


def never(url: str) -> bytes:
    raise AssertionError(f"{url} was fetched")


def one(item: Any, **how: Any) -> Any:
    return content(item, **{"get": never, **how})


def test_a_string_is_text_even_if_it_names_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    for text in (str(path), path.as_uri(), "https://example.com/cat.png", "data: the new oil", "data:,", "a\0b", " "):
        assert one(text) == text
        assert one([text, "and"]) == (text, "and")
    assert one(path).mime == "image/png"


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, BytesIO])
def test_bytes_and_files(make: Any) -> None:
    assert one(make(png())).data_uri() == URI


def test_a_file_is_read_from_where_it_stands_and_left_there() -> None:
    file = BytesIO(b"before" + png())
    file.seek(6)
    assert one(file).data_uri() == URI
    assert file.tell() == 6
    with tempfile.NamedTemporaryFile(suffix=".png") as named, pytest.raises(InputError, match=r"The input: .*\.png is empty"):
        one(named)
    at_its_end = BytesIO(png())
    at_its_end.read()
    with pytest.raises(InputError, match=r"stands at its end. Go back with seek\(0\)"):
        one(at_its_end)

    class Upload:
        async def read(self, size: int) -> bytes:
            return png()

    with pytest.raises(InputError, match="read with await"):
        one(Upload())
    closed = BytesIO(png())
    closed.close()
    with pytest.raises(InputError, match="a file that cannot be read: I/O operation on closed file"):
        one(closed)
    with open(__file__) as opened:
        for text in (StringIO("text"), opened):
            with pytest.raises(InputError, match="Open it in binary mode"):
                one(text)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_an_image_of_pil_travels_as_png(mode: str) -> None:
    steps = {"PA": ("P", "PA"), "RGBa": ("RGBA", "RGBa")}.get(mode, (mode,))
    image = Image.new("RGB", (30, 29), "red")
    for step in steps:
        image = image.convert(step)
    sent = Image.open(BytesIO(base64.b64decode(one(image).data_uri().partition(",")[2])))
    assert (sent.size, sent.format) == ((30, 29), "PNG")
    assert ("A" in sent.mode) == (mode in ("LA", "PA", "RGBA", "RGBa"))
    if mode not in ("1", "L", "LA"):
        assert max(abs(a - b) for a, b in zip(sent.convert("RGB").getpixel((3, 3)), (255, 0, 0), strict=True)) < 3


def test_an_image_of_pil_is_turned_as_its_camera_was_held() -> None:
    file = BytesIO()
    image = Image.new("RGB", (60, 40), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    sent = Image.open(BytesIO(base64.b64decode(one(Image.open(file)).data_uri().partition(",")[2])))
    assert sent.size == ImageOps.exif_transpose(Image.open(file)).size == (40, 60)


def test_images_of_pil_that_cannot_travel(tmp_path: Path) -> None:
    for mode in ("I", "F"):
        with pytest.raises(InputError, match=f"of mode {mode}, whose range nobody knows. Scale it to 8 bits"):
            one(Image.new(mode, (30, 30)))
    path = tmp_path / "cat.png"
    Image.new("RGB", (30, 30)).save(path)
    with Image.open(path) as closed:
        pass
    with pytest.raises(InputError, match="The input: an image of PIL that cannot be saved"):
        one(closed)


@pytest.mark.parametrize(
    "block",
    [
        blocks.create_image_block(base64=B64, mime_type="image/png"),
        {"type": "image", "base64": B64},
        {"type": "image", "url": URI},
        {"type": "image", "base64": B64, "mime_type": "application/octet-stream", "id": "lc_1", "index": 0, "extras": {}},
        {"type": "file", "base64": B64},
        {"type": "image", "source_type": "base64", "data": B64, "mime_type": "image/png"},
        {"type": "image", "source_type": "url", "url": URI},
        {"type": "image_url", "image_url": {"url": URI, "detail": "low"}},
        {"type": "image_url", "image_url": URI},
        URI,
    ],
)
def test_content_blocks_of_today_and_yesterday(block: Any) -> None:
    assert one(block).data_uri() == URI


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (blocks.create_text_block("hello"), "hello"),
        (blocks.create_plaintext_block("hello"), "hello"),
        ({"type": "text", "text": URI}, URI),  # the way to embed such a text as text
        ({"type": "text-plain", "base64": base64.b64encode("héllo".encode()).decode(), "mime_type": "text/plain"}, "héllo"),
        ({"type": "file", "base64": base64.b64encode(b"hello").decode(), "mime_type": "text/plain"}, "hello"),
        ({"type": "text", "source_type": "text", "text": "hello"}, "hello"),
    ],
)
def test_content_blocks_with_text(block: Any, text: str) -> None:
    assert one(block) == text


def test_content_blocks_of_the_other_media() -> None:
    for make, data, modality in (
        (blocks.create_audio_block, wav(), "audio"),
        (blocks.create_video_block, mp4(), "video"),
        (blocks.create_file_block, pdf(), "pdf"),
    ):
        block: Any = make(base64=base64.b64encode(data).decode(), mime_type=Medium.from_bytes(data).mime)  # type: ignore[operator]
        assert one(block).modality == modality
    assert one({"type": "audio", "base64": base64.b64encode(mp4()).decode()}).mime == "audio/mp4"


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (None, "it is None, which cannot be embedded. Pass a str (text), pathlib.Path, bytes"),
        (5, "it is of type int"),
        (object(), "it is of type object"),
        ("", "an empty text"),
        ({"type": "text", "text": ""}, "an empty text"),
        ({}, "a content block of type None. It takes text, text-plain, image"),
        ({"type": "tool_call"}, "a content block of type 'tool_call'"),
        ({"type": "image"}, "holds one of text, base64 and url, and this one holds none"),
        ({"type": "image", "base64": B64, "url": URI}, "and this one holds base64, url"),
        ({"type": "image", "file_id": "file-1"}, "kept by another service"),
        ({"type": "image", "source_type": "id", "id": "file-1"}, "kept by another service"),
        ({"type": "image", "base64": png()}, "whose base64 is of type bytes"),
        ({"type": "image_url", "image_url": {}}, "whose url is None"),
        ({"type": "image", "base64": "AAA@"}, "not base64"),
        ({"type": "audio", "base64": B64}, "an audio is expected here, but its bytes are image/png"),
        ({"type": "image", "base64": B64, "mime_type": "image/jpeg"}, "declared as image/jpeg, but its bytes are image/png"),
        ({"type": "image", "base64": B64, "mime_type": "audio/wav"}, "type image that declares audio/wav"),
        ({"type": "image", "url": "file:///etc/passwd"}, "not an http or https URL. Files are passed as a pathlib.Path"),
        ({"type": "image", "url": "/etc/passwd"}, "not an http or https URL"),
        ({"type": "image", "url": "http://user:secret@example.com/cat.png"}, "holds a user or password"),
        ({"type": "text-plain", "base64": base64.b64encode(b"\xff").decode()}, "holds no UTF-8"),
        (["a", ["b"]], "part 1: a list in a list"),
        ([png(), None], "part 1: it is None"),
        ([], "an empty list"),
        ({"type": "text-plain", "url": "https://example.com/x.txt"}, "a text by URL"),
        ({"type": "image", "url": "http://[::1/"}, "not an http or https URL"),
        ({"type": "image", "url": "\x01http://example.com/"}, "this is not an http or https URL"),
        (["a", pdf()], "A PDF has a vector for every page: embed it alone"),
    ],
)
def test_what_cannot_be_embedded(item: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        one(item)
    assert told in str(caught.value)
    assert str(caught.value).startswith("The input")
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match=r"^Input 1"):
        content_list(["good", item], get=never)


@pytest.mark.parametrize(
    "items", ["text", b"bytes", Path("x"), {"type": "text", "text": "x"}, BytesIO(b"x"), Blob.from_data("x"), 5, None]
)
def test_a_single_input_is_no_list_of_inputs(items: Any) -> None:
    with pytest.raises(InputError, match=r"Inputs come as a list.*\[input\]"):
        content_list(items)


def test_any_iterable_will_do() -> None:
    def made() -> Iterator[Any]:
        yield "a"
        yield png()

    assert [label(each) for each in content_list(made())] == ["a", "<image/png, 73 bytes>"]


def test_a_list_of_one_is_that_one() -> None:
    assert one(["a"]) == "a"
    assert one([pdf()]).modality == "pdf"


def test_urls_are_fetched_only_when_allowed_and_after_everything_else_was_checked() -> None:
    link = {"type": "image", "url": "https://example.com/cat.png"}
    with pytest.raises(
        InputError, match=r"^Input 1, part 0 is a URL, and nothing is fetched unasked. Make the object with allow_url_fetch=True"
    ):
        content_list(["a", [link, "cat"]], get=never)
    with pytest.raises(InputError, match=r"^Input 1: .*no file"):
        content_list([link, Path("missing.png")], may_fetch=True, get=never)
    asked: list[str] = []
    found = content_list([link, "b", [link, "cat"]], may_fetch=True, get=lambda url: asked.append(url) or png())  # type: ignore[func-returns-value]
    assert asked == ["https://example.com/cat.png"] * 2
    assert [label(each) for each in found] == ["<image/png, 73 bytes>", "b", "<image/png, 73 bytes> + cat"]


def test_what_was_fetched_must_be_what_it_was_said_to_be() -> None:
    for link, told in (
        ({"type": "video", "url": "https://example.com/x"}, "a video is expected here"),
        ({"type": "image_url", "image_url": "https://example.com/x"}, ""),
    ):
        if told:
            with pytest.raises(InputError, match=f"^The input: {told}, but its bytes are image/png"):
                content(link, may_fetch=True, get=lambda _: png())
        else:
            assert content(link, may_fetch=True, get=lambda _: png())
    with pytest.raises(InputError, match="A PDF has a vector for every page"):
        content(["a", {"type": "file", "url": "https://example.com/x"}], may_fetch=True, get=lambda _: pdf())


def test_a_text_that_looks_like_a_mistake_is_warned_of(tmp_path: Path) -> None:
    for text in ("cat.png", str(tmp_path / "CAT.JPEG"), "https://example.com/cat.webp"):
        with pytest.warns(UserWarning, match=r"is embedded as the text that it is. For the file pass pathlib.Path"):
            assert one(text) == text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("A picture of cat.png", "https://example.com/", "report.docx", "x" * 5000 + ".png"):
            assert one(text) == text


def test_an_address_where_strings_are_addresses(tmp_path: Path) -> None:
    path = tmp_path / "a cat.png"
    path.write_bytes(png())
    for text, told in (
        ("", "an empty path"),
        ("file://example.com/cat.png", "a file of another host"),
        ("file:///nowhere.png", "no file"),
    ):
        with pytest.raises(InputError, match=told):
            address(text)
    for text in (str(path), path.as_uri(), URI):
        medium = address(text, "image/*")
        assert isinstance(medium, Medium)
        assert medium.data_uri() == URI
    assert address("HTTPS://example.com/cat.png") == Link("HTTPS://example.com/cat.png")


KEYS = st.sampled_from(["type", "text", "base64", "data", "url", "image_url", "file_id", "id", "mime_type", "source_type", "x"])
VALUES = st.one_of(
    st.sampled_from(
        [
            "text",
            "text-plain",
            "image",
            "audio",
            "video",
            "file",
            "image_url",
            "base64",
            "url",
            "id",
            B64,
            URI,
            "image/png",
            "https://example.com/x",
        ]
    ),
    st.none(),
    st.text(),
    st.integers(),
    st.binary(),
    st.dictionaries(st.just("url"), st.sampled_from([URI, "http://", "http://[", "", None])),
)


@given(st.dictionaries(KEYS, VALUES))
def test_any_block_is_an_input_or_an_input_error(block: dict[str, Any]) -> None:
    try:
        found = content(block, may_fetch=True, get=lambda _: png())
    except InputError:
        return
    assert isinstance(found, (str, Medium))
    if isinstance(found, Medium):
        assert found.data_uri() == URI


@given(st.text(min_size=1))
def test_any_text_stays_what_it_is(text: str) -> None:
    assert one(text) == text
    assert one({"type": "text", "text": text}) == text
