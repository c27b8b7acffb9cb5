"""The size of an image in pixels. `imagesize` reads most headers; this module reads those that it does not know or misreads."""

from __future__ import annotations

import struct
from typing import BinaryIO

from .iso_media import boxes
from .reader import CutOffError, DamagedError, Reader

__all__ = ["pixel_size"]

MOST_PIXELS = 1_000_000  # on each side; no format has larger images, so a header with more is damaged
MOST_READS = 5_000  # `imagesize` searches damaged files byte by byte
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")  # a codestream, and one in boxes
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width and height in a header of JPEG XL
_MEASURED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"II+\0")  # by `imagesize`


class _Budget:
    """A file that can be read a limited number of times."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads = 0

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if self._reads > MOST_READS:
            raise ValueError("the header is too long")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)


def pixel_size(file: BinaryIO) -> tuple[int, int] | None:
    """Return the width and height of an image as it is displayed; None if its format does not tell, or is not known here.

    Raises:
        ValueError: the header is cut off or damaged.
    """
    file.seek(0)
    head = file.read(64)
    if head[4:8] == b"ftyp":
        return _heif_size(file)
    if head.startswith(_JPEG_XL):
        return _jpeg_xl_size(file)
    try:
        width, height = _own_size(file, head) or _size_by_library(file)
    except (struct.error, IndexError):
        raise ValueError("the header is cut off") from None
    if max(width, height) > MOST_PIXELS or (width < 0 and head.startswith(_MEASURED)):
        raise ValueError("the header is damaged")
    return (width, height) if min(width, height) > 0 else None  # a JPEG may state its height at its end, and 0 here


def _own_size(file: BinaryIO, head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"GIF8"):  # `imagesize` reads signed numbers
        return struct.unpack_from("<HH", head, 6)
    if head.startswith(b"BM") and head[14:18] == b"\x0c\0\0\0":  # the header of OS/2
        return struct.unpack_from("<HH", head, 18)
    if head[12:16] == b"CgBI":  # a PNG of Xcode: this chunk comes before IHDR
        return struct.unpack_from(">II", head, 28 + int.from_bytes(head[8:12], "big"))
    if head.startswith(b"8BPS"):  # Photoshop: the height comes first
        height, width = struct.unpack_from(">II", head, 14)
        return width, height
    if head.startswith(b"\xff\x4f\xff\x51"):  # a JPEG 2000 codestream: the extent of the grid, less the offset
        right, bottom, left, top = struct.unpack_from(">IIII", head, 8)
        return right - left, bottom - top
    if head.startswith(b"\0\0\1\0"):  # an icon: its largest image; 0 stands for 256
        (count,) = struct.unpack_from("<H", head, 4)
        file.seek(6)
        entries = file.read(16 * min(count, 256))
        return max(((entries[at] or 256, entries[at + 1] or 256) for at in range(0, len(entries), 16)), default=(0, 0))
    return None


def _heif_size(file: BinaryIO) -> tuple[int, int] | None:
    """HEIC and AVIF (ISO/IEC 23008-12, 6.5): the properties of the primary item. `imagesize` leaves out that it is cropped."""
    reader = Reader(file, file.seek(0, 2))
    try:
        for kind, start, end in boxes(reader, 0, reader.size):
            if kind == b"meta":
                return _size_of_primary_item(reader, start + 4, end)
    except (CutOffError, DamagedError, struct.error, KeyError, IndexError):
        pass
    return None


def _size_of_primary_item(reader: Reader, start: int, end: int) -> tuple[int, int] | None:
    parts = {kind: (first, last) for kind, first, last in boxes(reader, start, end) if kind in (b"pitm", b"iprp")}
    version, *_, high, low = reader.at(parts[b"pitm"][0], 6)
    primary = high << 8 | low if version == 0 else int.from_bytes(reader.at(parts[b"pitm"][0] + 4, 4), "big")
    inner = {kind: (first, last) for kind, first, last in boxes(reader, *parts[b"iprp"])}
    properties = [(kind, reader.at(first, min(36, last - first))) for kind, first, last in boxes(reader, *inner[b"ipco"])]
    first, last = inner[b"ipma"]
    size: tuple[int, int] | None = None
    for index in _associations(reader.at(first, last - first), primary):
        kind, data = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"ispe":
            size = struct.unpack_from(">II", data, 4)
        elif kind == b"clap":
            width, width_divisor, height, height_divisor = struct.unpack_from(">IIII", data)
            size = (width // width_divisor, height // height_divisor) if width_divisor and height_divisor else None
        elif kind == b"irot" and size and data[0] & 1:
            size = size[1], size[0]
    return size if size and max(size) <= MOST_PIXELS and min(size) > 0 else None


def _associations(data: bytes, item: int) -> list[int]:
    """Return the numbers of the properties of an item, in the order in which they apply."""
    long_ids, long_indexes = data[0] > 0, data[3] & 1
    at = 8
    for _ in range(int.from_bytes(data[4:8], "big")):
        length = 4 if long_ids else 2
        found, count = int.from_bytes(data[at : at + length], "big"), data[at + length]
        at += length + 1
        width = 2 if long_indexes else 1
        if found == item:
            mask = 0x7FFF if long_indexes else 0x7F
            return [int.from_bytes(data[at + width * n : at + width * (n + 1)], "big") & mask for n in range(count)]
        at += width * count
    return []


class _Bits:
    """Reads numbers bit by bit, the lowest bit of a byte first."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def __call__(self, count: int) -> int:
        if count > self._left:
            raise CutOffError
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        self._left -= count
        return value


def _jpeg_xl_size(file: BinaryIO) -> tuple[int, int] | None:
    """JPEG XL (ISO/IEC 18181-1, annex D): the size and the orientation at the start of the codestream, which boxes may wrap."""
    reader = Reader(file, file.seek(0, 2))
    try:
        start, end = _codestream(reader)
        width, height = _size_in_codestream(_Bits(reader.at(start + 2, min(16, end - start - 2))))
    except (CutOffError, DamagedError, struct.error):
        return None
    return (width, height) if max(width, height) <= MOST_PIXELS else None


def _codestream(reader: Reader) -> tuple[int, int]:
    """Return the first and last offset of the codestream, or of its first part."""
    if reader.at(0, 2) == _JPEG_XL[0]:
        return 0, reader.size
    for kind, start, end in boxes(reader, 0, reader.size):
        if kind in (b"jxlc", b"jxlp"):
            return start + 4 * (kind == b"jxlp"), end  # a part begins with its number
    raise CutOffError


def _size_in_codestream(read: _Bits) -> tuple[int, int]:
    in_eights = read(1)

    def length() -> int:
        return 8 * (read(5) + 1) if in_eights else read((9, 13, 18, 30)[read(2)]) + 1

    height = length()
    ratio = read(3)
    width = height * _RATIOS[ratio - 1][0] // _RATIOS[ratio - 1][1] if ratio else length()
    turned = not read(1) and read(1) and read(3) > 3  # not all defaults, extra fields, orientation
    return (height, width) if turned else (width, height)


def _size_by_library(file: BinaryIO) -> tuple[int, int]:
    """Return the size, or (-1, -1) if the header is damaged or of an unknown format."""
    import imagesize

    file.seek(0)
    width, height = imagesize.get(_Budget(file))
    return round(width), round(height)
