"""The kinds of tracks in a container: "video", "audio", "image", "other".

One function for each container. It follows the lengths that the container states, and reads no media data: a file of any size
costs a few hundred reads at most. Written here because no library decides truncated files: MediaInfo reports the sound
that comes first in a truncated video, and has no wheels for musl and for Windows on ARM. Knows nothing about MIME types.
ISO base media and MPEG streams, whose structures are larger, have a module of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from .reader import CutOffError, DamagedError, Reader

__all__ = ["asf_tracks", "avi_tracks", "flv_tracks", "matroska_tracks", "ogg_tracks", "wave_seconds"]

FLV_TAGS = 100  # of sound, which last some two seconds: a video would have begun by then

SEGMENT, CLUSTER = 0x18538067, 0x1F43B675  # elements of Matroska

_UINT32 = Struct(">I")
_CHUNK = Struct("<4sI")


def matroska_tracks(reader: Reader) -> set[str]:
    """Matroska and WebM: the types of the entries in `Tracks` (RFC 9559, 5.1.4). Live recordings have unknown lengths."""
    found: set[str] = set()
    header_end = _element(reader, 0)[2]
    segment, start, end = _element(reader, header_end)
    while segment == 0xEC:  # Void
        segment, start, end = _element(reader, end)
    if segment != SEGMENT:
        raise DamagedError
    while start < end:
        kind, first, last = _element(reader, start, end)
        if kind == 0x1549A966:  # Info
            reader.seconds = _matroska_seconds(reader, first, last)
        elif kind == 0x1654AE6B:  # Tracks
            for entry, entry_first, entry_last in _elements(reader, first, last):
                if entry == 0xAE:
                    found.add(_matroska_track(reader, entry_first, entry_last))
                    if "video" in found:
                        break
            return found
        start = last
    raise CutOffError


def _matroska_track(reader: Reader, start: int, end: int) -> str:
    types = [reader.at(first, last - first) for kind, first, last in _elements(reader, start, end) if kind == 0x83]
    number = int.from_bytes(types[0], "big") if types else 0
    if not 1 <= number <= 0x21:  # a buttons or metadata track has 0x20 or 0x21
        raise DamagedError
    return {1: "video", 2: "audio", 3: "video"}.get(number, "other")


def _element(reader: Reader, start: int, end: int | None = None) -> tuple[int, int, int]:
    """Return the id of an element, and the first and last offset of its content.

    Segments and clusters may have an unknown length, which reaches to the end (RFC 8794, section 6.2).
    """
    head = reader.at(start, min(12, max(2, reader.size - start)))
    id_length = 9 - head[0].bit_length()
    if id_length > 4:
        raise DamagedError
    if len(head) <= id_length:
        raise CutOffError
    size_length = 9 - head[id_length].bit_length()
    if size_length > 8:
        raise DamagedError
    if len(head) < id_length + size_length:
        raise CutOffError
    size = int.from_bytes(head[id_length : id_length + size_length], "big") & ((1 << 7 * size_length) - 1)
    first = start + id_length + size_length
    kind = int.from_bytes(head[:id_length], "big")
    if size < (1 << 7 * size_length) - 1:
        return kind, first, first + size
    if kind not in (SEGMENT, CLUSTER):
        raise DamagedError
    return kind, first, end or reader.size


def _elements(reader: Reader, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    while start < end:
        kind, first, last = _element(reader, start, end)
        yield kind, first, last
        start = last


def _matroska_seconds(reader: Reader, start: int, end: int) -> float | None:
    scale, duration = 1_000_000, 0.0
    for kind, first, last in _elements(reader, start, min(end, reader.size)):
        if kind == 0x2AD7B1:
            scale = int.from_bytes(reader.at(first, min(8, last - first)), "big")
        elif kind == 0x4489 and last - first in (4, 8):
            (duration,) = Struct(">f" if last - first == 4 else ">d").unpack(reader.at(first, last - first))
    return duration * scale / 1e9 if 0 < duration < float("inf") else None


_OGG_CODECS = {  # the first bytes of a stream
    b"\x01vorbis": "audio",
    b"OpusHead": "audio",
    b"\x7fFLAC": "audio",
    b"fLaC": "audio",
    b"Speex   ": "audio",
    b"PCM     ": "audio",
    b"\x01audio\0": "audio",
    b"\x80theora": "video",
    b"\x80daala": "video",
    b"OVP80": "video",
    b"BBCD\0": "video",
    b"\x01video\0": "video",
    b"\x80kate": "other",
    b"CMML\0": "other",
    b"fishead\0": "other",
    b"\x01text\0": "other",
}


def ogg_tracks(reader: Reader) -> set[str]:
    """Ogg: the codecs of its streams, all of which begin before the data of any of them (RFC 3533, section 4)."""
    found: set[str] = set()
    start = 0
    while True:
        header = reader.at(start, 27)
        if not header.startswith(b"OggS"):
            raise DamagedError
        if not header[5] & 2:  # the first page that begins no stream
            return found
        lengths = reader.at(start + 27, header[26])
        payload = reader.at(start + 27 + len(lengths), sum(lengths))
        found.add(next((kind for first, kind in _OGG_CODECS.items() if payload.startswith(first)), "unknown"))
        if "video" in found:
            return found
        start += 27 + len(lengths) + len(payload)


_ASF_STREAM = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")
_ASF_EXTENSION = bytes.fromhex("b503bf5f2ea9cf118ee300c00c205365")
_ASF_EXTENDED_STREAM = bytes.fromhex("cba5e61472c632438399a96952065b5a")
_ASF_TYPES = {
    bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b"): "audio",
    bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b"): "video",
}


def asf_tracks(reader: Reader) -> set[str]:
    """ASF (WMA, WMV): the types of its stream properties (ASF specification, 3.3)."""
    (size,) = Struct("<Q").unpack(reader.at(16, 8))
    return set(_asf_objects(reader, 30, size))


def _asf_objects(reader: Reader, start: int, end: int) -> Iterator[str]:
    while start + 24 <= end:
        name = reader.at(start, 16)
        (size,) = Struct("<Q").unpack(reader.at(start + 16, 8))
        if size < 24:
            raise DamagedError
        if start + size > reader.size:
            raise CutOffError
        if name == _ASF_STREAM:
            yield _ASF_TYPES.get(reader.at(start + 24, 16), "other")
        elif name == _ASF_EXTENSION:
            yield from _asf_objects(reader, start + 46, start + size)
        elif name == _ASF_EXTENDED_STREAM:
            data = reader.at(start, min(size, 2**16))
            inner = data.find(_ASF_STREAM, 24)
            if inner >= 0:
                yield _ASF_TYPES.get(data[inner + 24 : inner + 40], "other")
        start += size


def avi_tracks(reader: Reader) -> set[str]:
    """AVI: the types of its stream headers, in the list `hdrl`."""
    found: set[str] = set()
    for name, start, end in _chunks(reader, 12, reader.size):
        if name == b"LIST" and reader.at(start, 4) == b"hdrl":
            for inner, first, last in _chunks(reader, start + 4, end):
                if inner == b"LIST" and reader.at(first, 4) == b"strl":
                    for part, at, _ in _chunks(reader, first + 4, last):
                        if part == b"strh":
                            kind = reader.at(at, 4)
                            found.add({b"vids": "video", b"iavs": "video", b"auds": "audio"}.get(kind, "other"))
            return found
    raise CutOffError


def _chunks(reader: Reader, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each RIFF chunk, and the first and last offset of its content."""
    while start + 8 <= end:
        name, size = _CHUNK.unpack(reader.at(start, 8))
        if name == b"\0\0\0\0" or (name == b"LIST" and size < 4):
            raise DamagedError
        if start + 8 + size > reader.size:
            raise CutOffError
        yield name, start + 8, start + 8 + size
        start += 8 + size + size % 2


def wave_seconds(reader: Reader) -> float | None:
    """The duration of a WAV file; None if its header does not state it."""
    rate = 0
    try:
        for name, start, end in _chunks(reader, 12, reader.size):
            if name == b"fmt ":
                (rate,) = Struct("<I").unpack(reader.at(start + 8, 4))
            elif name == b"data":
                return (end - start) / rate if rate else None
    except (CutOffError, DamagedError):
        pass
    return None


def flv_tracks(reader: Reader) -> set[str]:
    """FLV: its first tags, because the flags of its header are often wrong. Files of a live server have both flags set."""
    flags = reader.at(4, 1)[0]
    sounds = 0
    (start,) = _UINT32.unpack(reader.at(5, 4))
    start += 4
    while start < reader.size and sounds < FLV_TAGS:
        header = reader.at(start, 11)
        size = int.from_bytes(header[1:4], "big")
        kind = header[0] & 31
        if kind == 9 or (kind == 18 and b"videocodecid" in reader.at(start + 11, min(size, 2**16))):
            return {"video"}
        if kind not in (8, 18):
            raise DamagedError
        sounds += kind == 8
        start += 11 + size + 4
    if start > reader.size or not sounds or (flags & 1 and sounds < FLV_TAGS // 2):
        raise CutOffError
    return {"audio"}
