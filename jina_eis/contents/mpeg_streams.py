"""MPEG transport and program streams: the kinds of their tracks. Neither has a header, so their packets are read."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from .reader import CutOffError, DamagedError, Reader

__all__ = ["program_stream_tracks", "transport_stream_tracks"]

_UINT16 = Struct(">H")

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
