"""The kinds of tracks in a container: "video", "audio", "image", "other".

One function for each container. It follows the lengths that the container states, and reads no media data: a file of any size
costs a few hundred reads at most. Written here because no library decides truncated files: MediaInfo reports the sound
that comes first in a truncated video, and has no wheels for musl and for Windows on ARM. Knows nothing about MIME types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import BinaryIO

__all__ = [
    "CutOffError",
    "DamagedError",
    "Reader",
    "asf_tracks",
    "avi_tracks",
    "boxes",
    "flv_tracks",
    "iso_tracks",
    "matroska_tracks",
    "ogg_tracks",
    "program_stream_tracks",
    "transport_stream_tracks",
    "wave_seconds",
]

MOST_READS = 20_000  # in one file; more means that it is damaged, or made to be slow
FLV_TAGS = 100  # of sound, which last some two seconds: a video would have begun by then

SEGMENT, CLUSTER = 0x18538067, 0x1F43B675  # elements of Matroska

_UINT16 = Struct(">H")
_UINT32 = Struct(">I")
_UINT64 = Struct(">Q")
_BOX = Struct(">I4s")
_CHUNK = Struct("<4sI")


class CutOffError(Exception):
    """The file ends before its tracks are described."""


class DamagedError(Exception):
    """The bytes do not have the structure of the container, so its tracks are unknown."""


@dataclass(slots=True)
class Reader:
    """Reads parts of a file, a limited number of times.

    Attributes:
        file: The file, which can seek.
        size: Its size in bytes.
        seconds: The duration, once a walk has found it.
        furthest: The end of what was read.
    """

    file: BinaryIO
    size: int
    seconds: float | None = None
    furthest: int = 0
    reads: int = field(default=0, repr=False)

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes. Raises CutOffError if the file ends before, DamagedError after too many reads."""
        if offset + length > self.size:
            raise CutOffError
        self.reads += 1
        self.furthest = max(self.furthest, offset + length)
        if self.reads > MOST_READS:
            raise DamagedError
        self.file.seek(offset)
        data = self.file.read(length)
        if len(data) < length:  # the file was truncated since its size was read
            raise CutOffError
        return data


def iso_tracks(reader: Reader) -> set[str]:
    """MP4, QuickTime and the rest of the family: the handlers of the tracks in `moov` (ISO/IEC 14496-12, 8.4.3).

    Pictures of chapters (audio books, podcasts) are tracks too. Tracks that serve another as chapters do not count.
    """
    has_media = False
    kind = b""
    for kind, start, end in boxes(reader, 0, reader.size):
        if kind == b"moov":
            return _movie_tracks(reader, start, end)
        has_media = has_media or kind == b"moof" or (kind == b"mdat" and end > start)
    if not has_media and kind == b"mdat":
        raise DamagedError  # it is complete, and there is nothing that a track could describe
    raise CutOffError


def boxes(reader: Reader, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each box, and the first and last offset of its content. Raises CutOffError if one exceeds the file."""
    while start + 8 <= end:
        size, kind = _BOX.unpack(reader.at(start, 8))
        header = 8
        if size == 1:
            size, header = _UINT64.unpack(reader.at(start + 8, 8))[0], 16
        elif size == 0 and kind in (b"mdat", b"jxlc", b"jxlp"):  # the last box
            size = end - start
        if size < header or not kind.isascii() or b"\0" in kind:
            raise DamagedError
        if start + size > reader.size:
            raise CutOffError
        yield kind, start + header, start + size
        start += size


def _movie_tracks(reader: Reader, start: int, end: int) -> set[str]:
    tracks: list[tuple[int, str]] = []
    chapters: set[int] = set()
    for kind, first, last in boxes(reader, start, end):
        if kind == b"mvhd":
            reader.seconds = _movie_seconds(reader.at(first, min(32, last - first)))
        elif kind == b"cmov":  # a compressed movie header of QuickTime
            raise DamagedError
        elif kind == b"trak":
            number, handler, served_by = _movie_track(reader, first, last)
            tracks.append((number, handler))
            chapters |= served_by
    return {handler for number, handler in tracks if number not in chapters}


def _movie_track(reader: Reader, start: int, end: int) -> tuple[int, str, set[int]]:
    """Return the number of a track, its kind, and the numbers of the tracks with its chapters."""
    number, handler = 0, b""
    chapters: set[int] = set()
    for part, first, last in boxes(reader, start, end):
        if part == b"tkhd":
            header = reader.at(first, 24)
            number = _UINT32.unpack_from(header, 20 if header[0] else 12)[0]
        elif part == b"mdia":
            handlers = [reader.at(at + 8, 4) for kind, at, _ in boxes(reader, first, last) if kind == b"hdlr"]
            handler = handlers[0] if handlers else b""
        elif part == b"tref":
            for use, at, to in boxes(reader, first, last):
                if use == b"chap":
                    data = reader.at(at, min(to - at, 400) // 4 * 4)
                    chapters.update(value for (value,) in _UINT32.iter_unpack(data))
    if not (handler.isascii() and handler.decode().isprintable() and handler):
        raise DamagedError
    names = {b"vide": "video", b"MPEG": "video", b"soun": "audio", b"pict": "image"}
    return number, names.get(handler, "other"), chapters


def _movie_seconds(header: bytes) -> float | None:
    """Return the duration in `mvhd`; None if it is not known yet, as in files that are written in fragments."""
    if len(header) < 32:
        return None
    scale, duration = (
        (_UINT32.unpack_from(header, 20)[0], _UINT64.unpack_from(header, 24)[0])
        if header[0]
        else (_UINT32.unpack_from(header, 12)[0], _UINT32.unpack_from(header, 16)[0])
    )
    unknown = not scale or not duration or duration in (2**32 - 1, 2**64 - 1)
    return None if unknown else duration / scale


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


_TS_VIDEO = {0x01, 0x02, 0x10, 0x1B, 0x1C, 0x1E, 0x1F, 0x20, 0x21, 0x24, 0x27, 0x32, 0x33, 0x42, 0xD1, 0xD2, 0xD4, 0xEA}
_TS_AUDIO = {0x03, 0x04, 0x0F, 0x11, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x8A, 0xA1, 0xA2, 0xC1, 0xC2}
_TS_AUDIO_DESCRIPTORS = {0x6A, 0x7A, 0x7B, 0x7C, 0x7F}  # AC-3, E-AC-3, DTS, AAC, and the extensions that include Opus


def transport_stream_tracks(reader: Reader, first: int, packet: int) -> set[str]:
    """MPEG transport streams: the stream types in its program maps (ISO/IEC 13818-1, 2.4.4.8).

    Args:
        reader: The file.
        first: Offset of the first sync byte.
        packet: Distance of the sync bytes: 188, or 192 in files of camcorders.
    """
    found: set[str] = set()
    maps: set[int] | None = None
    sections: dict[int, bytes] = {}
    start = first
    while start + 188 <= reader.size:
        data = reader.at(start, 188)
        start += packet
        pid = _UINT16.unpack_from(data, 1)[0] & 0x1FFF
        if data[0] != 0x47:
            raise DamagedError
        if not (pid == 0 if maps is None else pid in maps):
            continue
        sections[pid] = _ts_section(data, sections.get(pid, b""))
        section = sections[pid]
        if len(section) < 3 or len(section) < 3 + (_UINT16.unpack_from(section, 1)[0] & 0xFFF):
            continue
        end = 3 + (_UINT16.unpack_from(section, 1)[0] & 0xFFF) - 4  # without the checksum
        if maps is None:
            pairs = [Struct(">HH").unpack_from(section, at) for at in range(8, end - 3, 4)]
            maps = {pid & 0x1FFF for program, pid in pairs if program}
        else:
            found.update(_ts_streams(section[:end]))
            maps.discard(pid)
        if "video" in found or not maps:
            return found
    raise CutOffError


def _ts_section(packet: bytes, begun: bytes) -> bytes:
    """Append the payload of a packet to a section that has begun; one that starts here replaces it."""
    start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if not packet[3] & 0x10 or start >= 188:
        return begun
    if packet[1] & 0x40:  # a section starts, after as many bytes as the first one states
        return packet[start + 1 + packet[start] :]
    return begun + packet[start:] if begun else begun


def _ts_streams(section: bytes) -> Iterator[str]:
    if len(section) < 12:
        return
    at = 12 + (_UINT16.unpack_from(section, 10)[0] & 0xFFF)
    while at + 5 <= len(section):
        kind = section[at]
        length = _UINT16.unpack_from(section, at + 3)[0] & 0xFFF
        descriptors = section[at + 5 : at + 5 + length]
        at += 5 + length
        if kind in _TS_VIDEO:
            yield "video"
        elif kind in _TS_AUDIO or (kind == 6 and any(tag in _TS_AUDIO_DESCRIPTORS for tag in _ts_tags(descriptors))):
            yield "audio"
        else:
            yield "video" if b"HEVC" in descriptors or b"VC-1" in descriptors else "other"


def _ts_tags(descriptors: bytes) -> Iterator[int]:
    at = 0
    while at + 2 <= len(descriptors):
        yield descriptors[at]
        at += 2 + descriptors[at + 1]


def program_stream_tracks(reader: Reader) -> set[str]:
    """MPEG program streams (MPG, VOB): the stream ids of its packets (ISO/IEC 13818-1, 2.5), up to the first of a video."""
    found: set[str] = set()
    start = 0
    while start < reader.size or not found:
        prefix, code = reader.at(start, 3), reader.at(start + 3, 1)[0]
        if code == 0xB9 and prefix == b"\0\0\1":
            return found
        if prefix == b"\0\0\0":  # a Video CD fills its sectors up with zeros
            zeros = reader.at(start, min(2**16, reader.size - start))
            start += max(1, len(zeros) - len(zeros.lstrip(b"\0")) - 2)
            continue
        if prefix != b"\0\0\1":
            raise DamagedError
        if code in (0xB3, 0xB0) or 0xE0 <= code <= 0xEF:  # an elementary stream of video, or a packet of one
            return {"video"}
        if code == 0xBA:
            marker = reader.at(start + 4, 1)[0]
            start += 14 + (reader.at(start + 13, 1)[0] & 7) if marker >> 6 == 1 else 12
            continue
        found.add("audio" if 0xC0 <= code <= 0xDF or code == 0xBD else "other")
        start += 6 + _UINT16.unpack(reader.at(start + 4, 2))[0]
    return found
