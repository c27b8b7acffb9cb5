"""Media are identified by their bytes; other bytes are refused."""

from __future__ import annotations

import base64
import os
import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import mp4, pdf, png, wav
from PIL import Image

from jina_eis.contents.encoding import CHUNK, decode_base64, looks_like_data_uri
from jina_eis.contents.media import LARGEST, Medium
from jina_eis.errors import InputError

OGG = b"OggS\0\2" + b"\0" * 20 + b"\1\x1e\1vorbis" + b"\0" * 100
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webmB\x87\x81\4" + b"\0" * 100


def encoded_image(kind: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "modality", "mime"),
    [
        (png(), "image", "image/png"),
        (encoded_image("JPEG"), "image", "image/jpeg"),
        (encoded_image("GIF"), "image", "image/gif"),
        (encoded_image("WEBP"), "image", "image/webp"),
        (encoded_image("BMP"), "image", "image/bmp"),
        (encoded_image("TIFF"), "image", "image/tiff"),
        (wav(), "audio", "audio/wav"),
        (b"ID3\4" + b"\0" * 100, "audio", "audio/mpeg"),
        (b"fLaC\0\0\0\x22" + b"\0" * 100, "audio", "audio/flac"),
        (OGG, "audio", "audio/ogg"),
        (mp4(), "video", "video/mp4"),
        (WEBM, "video", "video/webm"),
        (b"RIFF\x24\0\0\0AVI LIST" + b"\0" * 100, "video", "video/x-msvideo"),
        (b"\0\0\0\x18ftypdash\0\0\0\0iso6dash" + b"\0" * 100, "video", "video/mp4"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1isom" + b"\0" * 100, "image", "image/heif"),
        (b"\r\n" + pdf(), "pdf", "application/pdf"),
        (pdf(), "pdf", "application/pdf"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_medium_is_identified_by_its_bytes(data: bytes, modality: str, mime: str, tmp_path: Path) -> None:
    misnamed = tmp_path / "report.docx"
    misnamed.write_bytes(data)
    encoded = base64.b64encode(data).decode()
    for medium in (Medium.from_bytes(data), Medium.from_path(misnamed), Medium.from_base64(encoded)):
        assert (medium.modality, medium.mime, medium.size) == (modality, mime, len(data))
        assert medium.data_uri() == f"data:{mime};base64,{encoded}"
        assert medium.encoded_size == len(encoded)


@pytest.mark.parametrize(
    ("data", "declared", "mime"),
    [
        (encoded_image("JPEG"), "image/jpg", "image/jpeg"),
        (encoded_image("JPEG"), "IMAGE/JPEG; charset=binary", "image/jpeg"),
        (encoded_image("JPEG"), "image/*", "image/jpeg"),
        (encoded_image("JPEG"), "application/octet-stream", "image/jpeg"),
        (wav(), "audio/x-wav", "audio/wav"),
        (b"RIFF\x24\0\0\0AVI LIST" + b"\0" * 100, "video/vnd.avi", "video/x-msvideo"),
        # the bytes of a container do not show whether it holds pictures
        (mp4(), "audio/mp4", "audio/mp4"),
        (mp4(), "audio/x-m4a", "audio/mp4"),
        (mp4(), "video/quicktime", "video/quicktime"),
        (mp4(), "audio/*", "audio/mp4"),
        (WEBM, "audio/webm", "audio/webm"),
        (OGG, "video/ogg", "video/ogg"),
        (OGG, "application/ogg", "audio/ogg"),
    ],
)
def test_a_declared_type_that_fits_the_bytes(data: bytes, declared: str, mime: str) -> None:
    assert Medium.from_bytes(data, declared).mime == mime


@pytest.mark.parametrize("declared", ["image/jpeg", "audio/*", "video/*", "video/mp4", "application/pdf", "text/plain"])
def test_a_declared_type_that_contradicts_the_bytes(declared: str) -> None:
    for make in (
        lambda: Medium.from_bytes(png(), declared),
        lambda: Medium.from_base64(base64.b64encode(png()).decode(), declared),
        lambda: Medium.from_data_uri(Medium.from_bytes(png()).data_uri(), declared),
    ):
        with pytest.raises(InputError, match=r"(declared as .*|an? (audio|video) is expected here), but its bytes are image/png"):
            make()


@pytest.mark.parametrize(
    "data",
    [
        b"Hello, world",
        b"{}",
        b"<html></html>",
        b"\0" * 64,
        bytes(range(7, 99)),
        b"BMW builds cars in Bavaria",
        b"GIFs are images",
    ],
)
def test_bytes_that_are_not_a_medium(data: bytes) -> None:
    with pytest.raises(InputError, match=r"not an image, audio, video or PDF|is damaged or not an image"):
        Medium.from_bytes(data)


def test_advice_about_bytes_that_are_not_a_medium() -> None:
    for data, advice in (
        (b"Hello, world", "Pass text as a str."),
        (b"<svg xmlns=''></svg>", "Convert SVG to PNG, for example with `rsvg-convert FILE -o image.png`."),
        (b"\0\1\2", r"x02'\."),
    ):
        with pytest.raises(InputError, match=f"{advice}$"):
            Medium.from_bytes(data)


def test_the_error_names_a_known_type_that_is_not_a_medium() -> None:
    with pytest.raises(InputError, match="application/zip"):
        Medium.from_bytes(b"PK\3\4" + b"\0" * 100)


@pytest.mark.parametrize(("width", "height"), [(27, 28), (28, 27), (1, 1), (27, 5000)])
def test_an_image_that_is_too_small(width: int, height: int) -> None:
    with pytest.raises(InputError, match=f"{width}x{height} pixels; the models take at least 28x28"):
        Medium.from_bytes(png(width, height))
    assert Medium.from_bytes(png(28, 28))


def test_an_image_whose_header_is_truncated_or_invalid() -> None:
    for data in (png()[:18], encoded_image("JPEG")[:30], png()[:16] + struct.pack(">II", 2**31 - 1, 28) + png()[24:]):
        with pytest.raises(InputError, match="is damaged or not an image"):
            Medium.from_bytes(data)


@pytest.mark.parametrize("make", [lambda: Medium.from_bytes(b""), lambda: Medium.from_data_uri("data:image/png;base64,")])
def test_an_empty_medium_is_refused(make: object) -> None:
    with pytest.raises(InputError, match="is empty"):
        make()  # type: ignore[operator]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(png())
    os.truncate(path, LARGEST)
    assert Medium.from_path(path).size == LARGEST
    os.truncate(path, LARGEST + 1)  # a sparse file: it uses no space on the disk
    with pytest.raises(InputError, match=r"77.6 MB; a request to Elasticsearch holds 77.6 MB"):
        Medium.from_path(path)


def test_paths_that_do_not_name_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the file .*cat.png does not exist. A relative path starts at"):
        Medium.from_path("cat.png")
    with pytest.raises(InputError, match=r"expanduser\(\)"):
        Medium.from_path("~/cat.png")
    with pytest.raises(InputError, match="is a directory"):
        Medium.from_path(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a device or pipe"):  # to open it would block for ever
        Medium.from_path(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"cannot be read: .*embedded null"):
        Medium.from_path("a\0b")
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"empty\.png is empty"):
        Medium.from_path(tmp_path / "empty.png")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may read every file")
def test_a_file_without_read_permission(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "secret.png").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        Medium.from_path(tmp_path / "secret.png")


def test_a_file_that_is_deleted_before_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png())
    medium = Medium.from_path(tmp_path / "cat.png")
    (tmp_path / "cat.png").unlink()
    with pytest.raises(InputError, match=r"cat\.png can no longer be read: No such file"):
        medium.data_uri()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("data:image/png,rawdata", "begins with 'data:image/png,rawdata'"),
        ("data:image/png;base64", "instead of data:<MIME type>;base64,"),
        ("data:;base64,@@@@", "the data URI (without a type) is invalid: it is not base64"),
        ("data:image/png;base64,@@@@", "not base64"),
        ("data:image/png;base64,iVBORw0KG", "not base64, or a part of it is missing"),
    ],
)
def test_an_invalid_data_uri(uri: str, message: str) -> None:
    with pytest.raises(InputError, match=r"the data URI .*is invalid") as caught:
        Medium.from_data_uri(uri)
    assert message in str(caught.value)


def test_a_data_uri_with_parameters_capitals_and_line_breaks() -> None:
    encoded = base64.encodebytes(png(64, 64, shade=9)).decode()
    assert "\n" in encoded.strip()
    medium = Medium.from_data_uri(f"DATA:Image/PNG;charset=utf-8;BASE64,{encoded}")
    assert medium.data_uri() == f"data:image/png;base64,{base64.b64encode(png(64, 64, shade=9)).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        "data:image/png;base64,",
        "data:image/png;codecs=avc1.42000a,mp4a.40.2;base64,",
        'data:image/png;codecs="vp8,opus";base64,',
        "data:image/png;name=a,b.png;base64,",
        "data:image/png;charset=utf-8;name=%2Fcat.png;base64,",
        " \r\n\tdata:image/png;base64,",
        "data:image/png;base64,\r\n",
        "data:image/png; base64 ,",
        "data:application/octet-stream;base64,",
        "data:;base64,",
        "data:base64,",
    ],
)
def test_a_data_uri_as_browsers_write_it(header: str) -> None:
    for data in (png(), png(noise=1), png(noise=2)):
        encoded = base64.b64encode(data).decode()
        for text in (encoded, encoded.rstrip("="), base64.encodebytes(data).decode(), encoded.replace("=", "%3D")):
            assert looks_like_data_uri(header + text)
            assert Medium.from_data_uri(header + text).data_uri() == f"data:image/png;base64,{encoded}"


def test_a_text_about_data_and_base64_is_no_data_uri() -> None:
    for text in ("Data: base64, or bytes.", "data: base64,", "Data;base64, or bytes", "data: ; and base64,"):
        assert not looks_like_data_uri(text)


@given(
    st.binary(max_size=300),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([" ", "\n", "\r\n", "\t"])), max_size=9),
    st.booleans(),
)
def test_base64_with_white_space_and_without_padding(data: bytes, spaces: list[tuple[int, str]], padded: bool) -> None:
    text = base64.b64encode(data).decode()
    text = text if padded else text.rstrip("=")
    for position, space in spaces:
        text = text[:position] + space + text[position:]
    assert decode_base64(f"prefix{text}", 6, LARGEST) == data


def test_base64_that_is_decoded_in_parts() -> None:
    data = os.urandom(CHUNK)
    for text in (base64.b64encode(data).decode(), base64.encodebytes(data).decode().rstrip("=\n")):
        assert decode_base64(text, 0, LARGEST) == data
    for text in ("QQ==" + "A" * CHUNK, "A" * (CHUNK - 4) + "QQ==" + "AAAA", "A" * CHUNK + "é", "A" * CHUNK + "Q"):
        with pytest.raises(InputError, match="not base64"):
            decode_base64(text, 0, LARGEST)


@given(st.integers(28, 60), st.integers(28, 60), st.integers(0, 255), st.integers(0, 2000))
def test_a_data_uri_survives_a_round_trip(width: int, height: int, shade: int, noise: int) -> None:
    data = png(width, height, shade, noise)
    uri = Medium.from_bytes(data).data_uri()
    assert looks_like_data_uri(uri)
    assert base64.b64decode(uri.partition(",")[2]) == data
    assert Medium.from_data_uri(uri).data_uri() == uri


@given(st.one_of(st.text(), st.text().map("data:image/png;base64,".__add__), st.binary().map(base64.b64encode).map(bytes.decode)))
def test_any_string_is_a_medium_or_an_input_error(text: str) -> None:
    for make in (Medium.from_data_uri, Medium.from_base64):
        with suppress(InputError):
            assert make(text).size


@given(
    st.binary(),
    st.sampled_from(
        [b"", png(), encoded_image("JPEG"), encoded_image("GIF"), encoded_image("BMP"), encoded_image("TIFF"), pdf(), wav()]
    ),
    st.data(),
)
def test_any_bytes_are_a_medium_or_an_input_error(tail: bytes, begin: bytes, data: st.DataObject) -> None:
    broken = begin[: data.draw(st.integers(0, len(begin)))] + tail
    with suppress(InputError):
        assert Medium.from_bytes(broken).size == len(broken)


def test_a_label_and_a_repr_never_hold_the_data() -> None:
    medium = Medium.from_bytes(png(noise=12_000))
    assert medium.label == "<image/png, 12.1 kB>"
    assert len(repr(medium)) < 200
