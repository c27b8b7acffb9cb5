"""Files of real encoders: what is sent for each of them, whole and cut off."""

from __future__ import annotations

import re
import time
import tracemalloc
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import recording
from samples import JPEG_XL, REFUSED, SAMPLES, Sample, encoded, jpeg_xl, sample_bytes

from jina_eis.contents import describe
from jina_eis.contents.media import Medium
from jina_eis.contents.signatures import HEAD, HEADER
from jina_eis.errors import InputError

PAGE = Path(__file__).parents[3] / "docs" / "multimodal.md"
FILES = [(sample, make) for sample, makes in SAMPLES.items() for make in makes]
IDS = [f"{container} {mime} {number}" for (container, _, mime), makes in SAMPLES.items() for number, _ in enumerate(makes)]


def modality_of(mime: str) -> str:
    return "pdf" if mime == "application/pdf" else mime.partition("/")[0]


@pytest.mark.parametrize(("sample", "make"), FILES, ids=IDS)
def test_what_is_sent_is_decided_by_the_content(sample: Sample, make: object, tmp_path: Path) -> None:
    data = sample_bytes(make)  # type: ignore[arg-type]
    misnamed = tmp_path / "report.docx"
    misnamed.write_bytes(data)
    for medium in (Medium.from_bytes(data), Medium.from_path(misnamed)):
        assert (medium.mime, medium.modality) == (sample[2], modality_of(sample[2]))


def test_the_table_of_the_page_has_a_row_for_every_sample() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w/.+-]+)`[^|]* \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [*SAMPLES]


@pytest.mark.parametrize(("make", "advice"), REFUSED.values(), ids=[*REFUSED])
def test_the_error_for_a_refused_file_has_advice(make: object, advice: str) -> None:
    with pytest.raises(InputError, match=re.escape(advice)):
        Medium.from_bytes(sample_bytes(make))  # type: ignore[arg-type]


@pytest.mark.parametrize(("sample", "make"), FILES, ids=IDS)
def test_a_file_that_is_cut_off_is_refused_or_sent_as_what_it_is(sample: Sample, make: object) -> None:
    data = sample_bytes(make)  # type: ignore[arg-type]
    step = max(1, len(data) // 200)
    lengths = {*range(1, min(len(data), 200)), *range(0, len(data), step), *range(max(1, len(data) - 100), len(data))} - {0}
    for length in lengths:
        with suppress(InputError):
            assert Medium.from_bytes(data[:length]).modality == modality_of(sample[2]), f"cut at {length} of {len(data)}"


@pytest.mark.parametrize(("sample", "make"), FILES, ids=IDS)
@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_a_download_that_was_interrupted_is_no_other_kind(sample: Sample, make: object, fill: bytes) -> None:
    data = sample_bytes(make)  # type: ignore[arg-type]
    for length in range(HEADER, len(data), max(1, len(data) // 100)):
        with suppress(InputError):
            assert Medium.from_bytes(data[:length] + fill * (len(data) - length)).modality == modality_of(sample[2])


@given(st.sampled_from(FILES), st.data())
@settings(max_examples=300)
def test_a_damaged_file_raises_no_foreign_error(file: tuple[Sample, object], draw: st.DataObject) -> None:
    data = bytearray(sample_bytes(file[1]))  # type: ignore[arg-type]
    for _ in range(draw.draw(st.integers(1, 8))):
        at = draw.draw(st.integers(0, min(len(data), 3000) - 1))
        data[at : at + 1] = draw.draw(st.binary(max_size=9))
    with suppress(InputError):
        assert Medium.from_bytes(data or b"\0").size == len(data)


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\0\0\0\x08free", b"\0\0\0\x08ABCD", b"\x47" + b"\0" * 187])
@pytest.mark.parametrize(
    "start",
    [
        b"\xff\xd8\xff\xe0",
        b"\0\0\0\x10ftypheic\0\0\0\0",
        b"\0\0\0\x10ftypisom\0\0\0\0",
        b"II*\0\x08\0\0\0\xff\xff",
        recording("webm", "libopus")[:40],
        b"OggS\0\2" + b"\0" * 21,
        b"FLV\1\5\0\0\0\x09\0\0\0\0",
        b"RIFF\0\0\0\0AVI ",
        b"ID3\4\0\0\0\0\0\0",
        b"\0\0\1\xba",
        b"",
    ],
)
def test_time_and_memory_do_not_grow_with_a_damaged_file(start: bytes, fill: bytes) -> None:
    size = 16 * 2**20
    file = start + fill * ((size - len(start)) // len(fill))
    tracemalloc.start()
    begin = time.process_time()
    with suppress(InputError):
        Medium.from_bytes(file)
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 2  # of a slow machine, with tracemalloc; some 50 ms without
    assert peak < 2**20


class Counting(BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_the_media_data_of_a_large_file_are_not_read(container: str) -> None:
    from jina_eis.contents.signatures import identify

    data = recording(container, "aac")
    start = data.index(b"mdat") - 4
    grown = int.from_bytes(data[start : start + 4], "big") + 10**7
    file = Counting(data[:start] + grown.to_bytes(4, "big") + b"mdat" + b"\0" * 10**7 + data[start + 8 :])
    assert identify(file, len(file.getvalue())).mime == "audio/mp4"
    assert file.count < HEAD + 2000


def test_pictures_of_chapters_do_not_make_a_video() -> None:
    data = recording("mp4", "aac", "mjpeg")
    assert Medium.from_bytes(data).modality == "video"
    track = data.index(b"trak") - 4
    video = int.from_bytes(data[data.index(b"tkhd", data.index(b"trak", track + 8)) + 16 :][:4], "big")
    reference = b"\0\0\0\x14tref\0\0\0\x0cchap" + video.to_bytes(4, "big")
    moov = data.index(b"moov") - 4
    for box in (moov, track):
        size = int.from_bytes(data[box : box + 4], "big") + len(reference)
        data = data[:box] + size.to_bytes(4, "big") + data[box + 4 :]
    end = track + int.from_bytes(data[track : track + 4], "big") - len(reference)
    assert Medium.from_bytes(data[:end] + reference + data[end:]).mime == "audio/mp4"


def test_quicktime_without_brands() -> None:
    data = recording("mov", "pcm_s16le")
    bare = data[int.from_bytes(data[:4], "big") :]
    assert bare[4:8] in (b"wide", b"mdat", b"moov")
    assert Medium.from_bytes(bare).mime == "audio/mp4"
    for text in (b"Feelfree to embed this", b"\0\0\0\x08free of charge", b"2022skip"):
        with pytest.raises(InputError):
            Medium.from_bytes(text)


def test_a_live_flv_states_both_tracks_and_may_have_sound_alone() -> None:
    data = bytearray(recording("flv", "aac", seconds=3))
    data[4] = 5
    assert Medium.from_bytes(data).mime == "audio/x-flv"
    with pytest.raises(InputError, match="cut off"):
        Medium.from_bytes(data[: len(data) // 10])


def test_a_container_without_tracks_is_what_is_declared() -> None:
    header = b"\0\0\0\x18ftypisom\0\0\2\0isommp42" + b"\0\0\0\x08mdat"
    for declared, mime in (("", "video/mp4"), ("audio/mp4", "audio/mp4"), ("audio/*", "audio/mp4"), ("video/mp4", "video/mp4")):
        assert Medium.from_bytes(header, declared).mime == mime
    assert Medium.from_bytes(header.replace(b"isom", b"M4A ")).mime == "audio/mp4"
    with pytest.raises(InputError, match="declared as image/png"):
        Medium.from_bytes(header, "image/png")


@pytest.mark.parametrize(
    ("container", "codec", "guesses"),
    [
        ("mp4", "aac", ["video/mp4", "application/mp4", "audio/x-m4a", "audio/3gpp"]),
        ("3gp", "h263", ["audio/3gpp", "video/mp4"]),
        ("webm", "libopus", ["video/webm", "audio/webm;codecs=opus", "video/x-matroska"]),
        ("asf", "libmp3lame", ["video/x-ms-asf", "video/x-ms-wmv"]),
    ],
)
def test_within_a_family_of_containers_a_declaration_is_a_hint(container: str, codec: str, guesses: list[str]) -> None:
    data = recording(container, codec)
    mime = Medium.from_bytes(data).mime
    assert [Medium.from_bytes(data, guess).mime for guess in guesses] == [mime] * len(guesses)
    other = "video" if mime.startswith("audio") else "audio"
    with pytest.raises(InputError, match=f"an? {other} is expected here, but its bytes are {mime}"):
        Medium.from_bytes(data, f"{other}/*")


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000"])
def test_the_size_of_an_image_is_right_or_left_open(kind: str) -> None:
    assert Medium.from_bytes(encoded(kind, (70, 44))).pixels == (70, 44)
    with pytest.raises(InputError, match="200x20 pixels; the models take at least 28x28"):
        Medium.from_bytes(encoded(kind, (200, 20)))


def test_the_size_of_other_images() -> None:
    upright = {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}
    assert Medium.from_bytes(encoded("JPEG", (70, 44), **upright)).pixels == (44, 70)
    assert Medium.from_bytes(encoded("AVIF", (70, 44), **upright)).pixels == (44, 70)
    assert Medium.from_bytes(encoded("ICO", (256, 256))).pixels == (256, 256)
    with pytest.raises(InputError, match="16x16 pixels"):
        Medium.from_bytes(encoded("ICO", (256, 256), sizes=[(16, 16)]))
    assert Medium.from_bytes(encoded("JPEG2000", (70, 44), no_jp2=True)).pixels == (70, 44)
    endless = encoded("JPEG", (70, 44)).replace(b"\x08\0\x2c\0\x46", b"\x08\0\0\0\x46", 1)  # the height follows the data
    assert Medium.from_bytes(endless).pixels is None


def codestream(*fields: tuple[int, int]) -> bytes:
    """A JPEG XL header of numbers and their lengths in bits, as the standard writes it: the lowest bit first."""
    bits, length = 0, 0
    for value, count in fields:
        bits |= value << length
        length += count
    return b"\xff\x0a" + bits.to_bytes(20, "little")


@given(
    st.integers(28, 2**18),
    st.integers(28, 2**18),
    st.integers(1, 8),
    st.sampled_from([(9, 0), (13, 1), (18, 2), (30, 3)]),
    st.booleans(),
)
def test_the_size_of_any_jpeg_xl(width: int, height: int, orientation: int, length: tuple[int, int], boxed: bool) -> None:
    bits, selector = next(form for form in (length, (18, 2)) if max(width, height) <= 1 << form[0])
    sides = [(height - 1, bits), (0, 3), (selector, 2), (width - 1, bits)]
    header = codestream((0, 1), (selector, 2), *sides, (0, 1), (1, 1), (orientation - 1, 3))
    medium = Medium.from_bytes(jpeg_xl(header) if boxed else header)
    assert medium.pixels == ((width, height) if orientation < 5 else (height, width))


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ([(1, 1), (5, 5), (3, 3), (1, 1)], (64, 48)),  # multiples of 8, in a known ratio
        ([(1, 1), (5, 5), (0, 3), (9, 5), (1, 1)], (80, 48)),
        ([(0, 1), (1, 2), (1079, 13), (5, 3), (1, 1)], (1920, 1080)),
        ([(0, 1), (3, 2), (2**30 - 1, 30), (0, 3), (0, 2), (99, 9), (1, 1)], None),  # larger than any image
    ],
)
def test_the_forms_of_the_size_of_a_jpeg_xl(fields: list[tuple[int, int]], size: Any) -> None:
    assert Medium.from_bytes(codestream(*fields)).pixels == size
    assert Medium.from_bytes(jpeg_xl(codestream(*fields), ends=False)).pixels == size


def test_a_jpeg_xl_that_is_cut_off_is_sent_without_its_size() -> None:
    for data in (JPEG_XL, jpeg_xl()):
        sizes = {Medium.from_bytes(data[:end]).pixels for end in range(len(data) - len(JPEG_XL) + 2, len(data) + 1)}
        assert sizes == {None, (64, 48)}


def test_what_is_known_of_a_medium(tmp_path: Path) -> None:
    path = tmp_path / "voice.mp4"
    path.write_bytes(recording("mp4", "aac"))
    assert describe(Medium.from_path(path)) == {
        "source": str(path),
        "mime_type": "audio/mp4",
        "modality": "audio",
        "seconds": pytest.approx(0.3, abs=0.05),
    }
    for container, codec in (("wav", "pcm_s16le"), ("matroska", "flac"), ("mov", "mpeg4")):
        assert Medium.from_bytes(recording(container, codec)).seconds == pytest.approx(0.3, abs=0.05)
    assert describe(Medium.from_bytes(encoded("HEIF", (70, 44)))) == {
        "mime_type": "image/heic",
        "modality": "image",
        "width": 70,
        "height": 44,
    }
