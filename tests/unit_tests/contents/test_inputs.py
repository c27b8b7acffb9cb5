"""Inputs that can be embedded, in every accepted form, and the errors for all others."""

from __future__ import annotations

import base64
import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO, StringIO
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents.base import Blob
from langchain_core.messages import content as blocks
from made import mp4, pdf, png, wav
from PIL import Image, ImageOps

from jina_eis.contents.fetch import is_public
from jina_eis.contents.inputs import content, content_list, holds_url, label
from jina_eis.contents.links import Link, medium_from_location
from jina_eis.contents.media import Medium
from jina_eis.errors import InputError
from jina_eis.wire.inference import as_item

B64 = base64.b64encode(png()).decode()
URI = f"data:image/png;base64,{B64}"


def never(url: str) -> bytes:
    raise AssertionError(f"{url} was fetched")


def checked(item: Any, **options: Any) -> Any:
    return content(item, **{"get": never, **options})


def test_a_string_is_text_even_if_it_names_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    for text in (str(path), path.as_uri(), "https://example.com/cat.png", "data: the new oil", "data:,", "a\0b", " "):
        assert checked(text) == text
        assert checked([text, "and"]) == (text, "and")
    assert checked(path).mime == "image/png"


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, BytesIO])
def test_bytes_and_files(make: Any) -> None:
    assert checked(make(png())).data_uri() == URI


def test_a_file_is_read_from_its_position_and_the_position_is_restored() -> None:
    file = BytesIO(b"before" + png())
    file.seek(6)
    assert checked(file).data_uri() == URI
    assert file.tell() == 6
    with tempfile.NamedTemporaryFile(suffix=".png") as named, pytest.raises(InputError, match=r"The input: .*\.png is empty"):
        checked(named)
    at_its_end = BytesIO(png())
    at_its_end.read()
    with pytest.raises(InputError, match=r"is at its end. Rewind it with seek\(0\)"):
        checked(at_its_end)

    class Upload:
        async def read(self, size: int) -> bytes:
            return png()

    with pytest.raises(InputError, match="read with await"):
        checked(Upload())
    closed = BytesIO(png())
    closed.close()
    with pytest.raises(InputError, match="the file cannot be read: I/O operation on closed file"):
        checked(closed)
    with open(__file__) as opened:
        for text in (StringIO("text"), opened):
            with pytest.raises(InputError, match="Open it in binary mode"):
                checked(text)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_a_pil_image_is_sent_as_png(mode: str) -> None:
    steps = {"PA": ("P", "PA"), "RGBa": ("RGBA", "RGBa")}.get(mode, (mode,))
    image = Image.new("RGB", (30, 29), "red")
    for step in steps:
        image = image.convert(step)
    sent = Image.open(BytesIO(base64.b64decode(checked(image).data_uri().partition(",")[2])))
    assert (sent.size, sent.format) == ((30, 29), "PNG")
    assert ("A" in sent.mode) == (mode in ("LA", "PA", "RGBA", "RGBa"))
    if mode not in ("1", "L", "LA"):
        assert max(abs(a - b) for a, b in zip(sent.convert("RGB").getpixel((3, 3)), (255, 0, 0), strict=True)) < 3


def test_the_exif_orientation_of_a_pil_image_is_applied() -> None:
    file = BytesIO()
    image = Image.new("RGB", (60, 40), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    sent = Image.open(BytesIO(base64.b64decode(checked(Image.open(file)).data_uri().partition(",")[2])))
    assert sent.size == ImageOps.exif_transpose(Image.open(file)).size == (40, 60)


def test_pil_images_that_cannot_be_sent(tmp_path: Path) -> None:
    for mode in ("I", "F"):
        with pytest.raises(InputError, match=f"has mode {mode}, whose range is unknown. Scale it to 8 bits"):
            checked(Image.new(mode, (30, 30)))
    path = tmp_path / "cat.png"
    Image.new("RGB", (30, 30)).save(path)
    with Image.open(path) as closed:
        pass
    with pytest.raises(InputError, match="The input: the PIL image cannot be saved"):
        checked(closed)


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
def test_content_blocks_in_current_and_former_form(block: Any) -> None:
    assert checked(block).data_uri() == URI


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
    assert checked(block) == text


def test_content_blocks_of_the_other_media() -> None:
    for make, data, modality in (
        (blocks.create_audio_block, wav(), "audio"),
        (blocks.create_video_block, mp4(), "video"),
        (blocks.create_file_block, pdf(), "pdf"),
    ):
        block: Any = make(base64=base64.b64encode(data).decode(), mime_type=Medium.from_bytes(data).mime)  # type: ignore[operator]
        assert checked(block).modality == modality
    assert checked({"type": "audio", "base64": base64.b64encode(mp4()).decode()}).mime == "audio/mp4"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "it is None, neither a text nor a medium. Pass a str (text), pathlib.Path, bytes"),
        (5, "it is of type int"),
        (object(), "it is of type object"),
        (["salt", ""], "part 1: the text is empty"),
        ({"type": "text", "text": ""}, "the text is empty"),
        ({}, "it is a dictionary without a type, not a content block"),
        ({"type": "map"}, "the content block has type 'map'. Supported are text, text-plain, image"),
        ({"type": "tool_call"}, "the content block has type 'tool_call'"),
        ({"type": "image"}, "must hold one of text, base64 and url; this one holds none"),
        ({"type": "image", "base64": B64, "url": URI}, "this one holds base64, url"),
        ({"type": "image", "file_id": "file-1"}, "stored by another service"),
        ({"type": "image", "source_type": "id", "id": "file-1"}, "stored by another service"),
        ({"type": "image", "base64": png()}, "the base64 of the content block is of type bytes"),
        ({"type": "image_url", "image_url": {}}, "the url of the content block is None"),
        ({"type": "image", "base64": "AAA@"}, "not base64"),
        ({"type": "audio", "base64": B64}, "an audio is expected here, but its bytes are image/png"),
        ({"type": "image", "base64": B64, "mime_type": "image/jpeg"}, "declared as image/jpeg, but its bytes are image/png"),
        ({"type": "image", "base64": B64, "mime_type": "audio/wav"}, "type image and declares audio/wav"),
        ({"type": "image", "url": "file:///etc/passwd"}, "not an http or https URL. Pass files as a pathlib.Path"),
        ({"type": "image", "url": "/etc/passwd"}, "not an http or https URL"),
        ({"type": "image", "url": "http://user:secret@example.com/cat.png"}, "holds a user or password"),
        ({"type": "text-plain", "base64": base64.b64encode(b"\xff").decode()}, "is not UTF-8"),
        (["a", ["b"]], "part 1: it is a list within a list"),
        ([png(), None], "part 1: it is None"),
        ([], "an empty list"),
        ({"type": "text-plain", "url": "https://example.com/x.txt"}, "the URL of a text"),
        ({"type": "image", "url": "http://[::1/"}, "not an http or https URL"),
        ({"type": "image", "url": "\x01http://example.com/"}, "the string is not an http or https URL"),
        (["a", pdf()], "A PDF has a vector for each page: embed it alone"),
    ],
)
def test_inputs_that_cannot_be_embedded(item: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(item)
    assert message in str(caught.value)
    assert str(caught.value).startswith("The input")
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match=r"^Input 1"):
        content_list(["good", item], get=never)


@pytest.mark.parametrize(
    "items", ["text", b"bytes", Path("x"), {"type": "text", "text": "x"}, BytesIO(b"x"), Blob.from_data("x"), 5, None]
)
def test_a_single_input_is_not_a_list_of_inputs(items: Any) -> None:
    with pytest.raises(InputError, match=r"Pass a list; .*\[input\]"):
        content_list(items)


def test_any_iterable_of_inputs_is_accepted() -> None:
    def inputs() -> Iterator[Any]:
        yield "a"
        yield png()

    assert [label(item) for item in content_list(inputs())] == ["a", "<image/png, 73 bytes>"]


def test_a_list_of_one_part_is_that_part() -> None:
    assert checked(["a"]) == "a"
    assert checked([pdf()]).modality == "pdf"


def test_urls_are_fetched_only_if_allowed_and_after_all_other_checks() -> None:
    link = {"type": "image", "url": "https://example.com/cat.png"}
    with pytest.raises(
        InputError, match=r"^Input 1, part 0 is a URL, and URL fetching is off. Create the object with allow_url_fetch=True"
    ):
        content_list(["a", [link, "cat"]], get=never)
    with pytest.raises(InputError, match=r"^Input 1: .*does not exist"):
        content_list([link, Path("missing.png")], may_fetch=True, get=never)
    urls: list[str] = []
    contents = content_list([link, "b", [link, "cat"]], may_fetch=True, get=lambda url: urls.append(url) or png())  # type: ignore[func-returns-value]
    assert urls == ["https://example.com/cat.png"] * 2
    assert [label(item) for item in contents] == ["<image/png, 73 bytes>", "b", "<image/png, 73 bytes> + cat"]


def test_fetched_bytes_must_agree_with_the_declared_type() -> None:
    for link, message in (
        ({"type": "video", "url": "https://example.com/x"}, "a video is expected here"),
        ({"type": "image_url", "image_url": "https://example.com/x"}, ""),
    ):
        if message:
            with pytest.raises(InputError, match=f"^The input: {message}, but its bytes are image/png"):
                content(link, may_fetch=True, get=lambda _: png())
        else:
            assert content(link, may_fetch=True, get=lambda _: png())
    with pytest.raises(InputError, match="A PDF has a vector for each page"):
        content(["a", {"type": "file", "url": "https://example.com/x"}], may_fetch=True, get=lambda _: pdf())


def test_a_text_that_looks_like_a_file_name_is_embedded_with_a_warning(tmp_path: Path) -> None:
    addresses = ("https://example.com/cat.webp", "https://example.com/cat.png?w=1#top")
    for text in ("cat.png", "my cat photo.png", "cat.svg", "~/a b c d/cat.jpg", str(tmp_path / "CAT.JPEG"), *addresses):
        with pytest.warns(UserWarning, match=r"is embedded as text. For a file pass pathlib.Path"):
            assert checked(text) == text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("A picture of cat.png", "https://example.com/", "report.docx", "x" * 5000 + ".png"):
            assert checked(text) == text


def test_a_name_of_many_words_gives_a_warning_if_the_file_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "map of the salt depots, 2026.png"
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checked(name) == name
    Path(name).write_bytes(png())
    with pytest.warns(UserWarning, match=r"is embedded as text. For a file pass pathlib.Path"):
        assert checked(name) == name


def test_strings_that_locate_a_medium(tmp_path: Path) -> None:
    path = tmp_path / "a cat.png"
    path.write_bytes(png())
    for text, message in (
        ("", "the path is empty"),
        ("file://example.com/cat.png", "names another host"),
        ("file:///nowhere.png", "does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            medium_from_location(text)
    for text in (str(path), path.as_uri(), URI):
        medium = medium_from_location(text, "image/*")
        assert isinstance(medium, Medium)
        assert medium.data_uri() == URI
    assert medium_from_location("HTTPS://example.com/cat.png") == Link("HTTPS://example.com/cat.png")


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
        checked_content = content(block, may_fetch=True, get=lambda _: png())
    except InputError:
        return
    assert isinstance(checked_content, (str, Medium))
    if isinstance(checked_content, Medium):
        assert checked_content.data_uri() == URI


@given(st.text(min_size=1))
def test_any_text_is_embedded_unchanged(text: str) -> None:
    assert checked(text) == text
    assert checked({"type": "text", "text": text}) == text


def test_urls_are_passed_on_and_nothing_is_fetched() -> None:
    url = "https://bücher.example/a cat.png?sig=secret#top".replace(" ", "%20")
    link = {"type": "image", "url": url}
    passed, fused, text = content_list([link, ["a cat", link], "b"], pass_urls=True, may_fetch=True, get=never)
    assert (passed.modality, passed.url) == ("image", "https://xn--bcher-kva.example/a%20cat.png?sig=secret")
    assert [label(item) for item in (passed, fused)] == [
        "https://xn--bcher-kva.example/a%20cat.png",
        "a cat + https://xn--bcher-kva.example/a%20cat.png",
    ]
    assert "secret" not in repr(passed)
    assert as_item(passed) == {"type": "image", "format": "url", "value": passed.url}
    assert passed.encoded_size == len(passed.url)
    assert [holds_url(item) for item in (passed, fused, text, checked(png()))] == [True, True, False, False]


@pytest.mark.parametrize(
    ("block", "modality"),
    [
        ({"type": "image_url", "image_url": {"url": "http://example.com/x"}}, "image"),
        ({"type": "audio", "url": "http://example.com/x"}, "audio"),
        ({"type": "video", "url": "http://example.com:8080/x", "mime_type": "video/mp4"}, "video"),
        ({"type": "file", "url": "http://example.com/x", "mime_type": "application/pdf"}, "pdf"),
        ({"type": "file", "url": "http://8.8.8.8/x", "mime_type": "IMAGE/PNG; q=1"}, "image"),
    ],
)
def test_the_declared_type_of_a_url_that_is_passed_on(block: Any, modality: str) -> None:
    assert checked(block, pass_urls=True).modality == modality


@pytest.mark.parametrize(
    ("url", "message"),
    [
        *((f"http://{host}/cat.png", "does not have a public address. Fetch it yourself, and pass the bytes") for host in (
            "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "10.0.0.1", "192.168.1.1:9200", "169.254.169.254",
            "[::1]", "[fe80::1%25eth0]", "[fc00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "0.0.0.0", "localhost", "es.localhost.",
            "LOCALHOST", "１２７.0.0.1",
        )),
        ("http://127.0.0.1\\.example.com/", "has an invalid host"),
        ("http://a;b.example.com/", "has an invalid host"),
        ("ftp://example.com/", "not an http or https URL"),
        ("http://user:secret@example.com/", "holds a user or password"),
        ("http://example.com/a b", "not an http or https URL"),
    ],
)  # fmt: skip
def test_urls_that_are_not_passed_on(url: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^The input, part 1: ") as caught:
        checked(["a", {"type": "image", "url": url}], pass_urls=True)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_url_without_a_type_is_not_passed_on() -> None:
    for mime in (None, "application/octet-stream"):
        with pytest.raises(InputError, match="does not state what it is, and its bytes are not seen here"):
            checked({"type": "file", "url": "https://example.com/x?sig=secret", "mime_type": mime}, pass_urls=True)
    assert checked({"type": "file", "url": "https://example.com/x"}, may_fetch=True, get=lambda _: png())


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "[::ffff:{}]", "0x{:x}", "{:d}"]))
def test_an_address_is_passed_on_only_if_it_is_public(number: int, form: str) -> None:
    address = IPv4Address(number)
    host = form.format(number if ":x" in form or ":d" in form else address)
    try:
        passed = checked({"type": "image", "url": f"https://{host}/x"}, pass_urls=True)
    except InputError:
        assert not is_public(address)
    else:
        assert is_public(address)
        assert passed.url == f"https://{host}/x"
