"""ISO base media files: their boxes, which images in HEIF and JPEG XL have too, and the tracks of MP4 and QuickTime."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from .reader import CutOffError, DamagedError, Reader

__all__ = ["boxes", "iso_tracks"]

_UINT32 = Struct(">I")
_UINT64 = Struct(">Q")
_BOX = Struct(">I4s")


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
