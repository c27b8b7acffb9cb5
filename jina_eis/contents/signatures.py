"""What a file is: its signature and, where a container can hold several things, its tracks.

`identify` returns the MIME type of the content, or refuses it with advice on what to convert it to. Names and declared types
are not considered here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import BinaryIO

from ..errors import InputError
from .formats import (
    AVIF,
    HEIC,
    HEIF,
    MIDI,
    MOVIES,
    RAW_PHOTO,
    RAW_PHOTOS,
    SIGNATURES,
    UNLIKELY_BY_CHANCE,
    Refusal,
    convert,
)
from .iso_media import iso_tracks
from .mpeg_streams import program_stream_tracks, transport_stream_tracks
from .reader import CutOffError, DamagedError, Reader
from .tracks import asf_tracks, avi_tracks, flv_tracks, matroska_tracks, ogg_tracks, wave_seconds

__all__ = ["Identity", "has_signature", "identify"]

HEAD = 8192  # bytes; every signature lies within them
HEADER = 128  # bytes; a container whose structure is damaged behind them holds something, and what is not known
PDF_HEADER = 1024  # bytes in which readers search for the header of a PDF (PDF 1.7, appendix H, note 13)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is.

    Attributes:
        mime: MIME type of its content.
        certain: Whether the tracks of the container were found. Else there is no more than its header: the type is that of a
            video, and a declaration may be right that it holds sound alone.
        seconds: Duration, where the walk through the tracks found it.
    """

    mime: str
    certain: bool = True
    seconds: float | None = None


_CHUNKED = (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM")
_BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # the sizes of all versions of the header
_CONTAINERS: tuple[tuple[bytes, str, Callable[[Reader], set[str]]], ...] = (
    (b"OggS", "ogg", ogg_tracks),
    (b"FLV\1", "x-flv", flv_tracks),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "x-ms-asf", asf_tracks),
)
_OWN_TYPES = {  # QuickTime has no type for sound alone; those of ASF have other names
    "audio/quicktime": "audio/mp4",
    "audio/x-ms-asf": "audio/x-ms-wma",
    "video/x-ms-asf": "video/x-ms-wmv",
}
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # the first box of a file without `ftyp`


def has_signature(head: bytes) -> bool:
    """Whether bytes begin as a medium does, in a way that does not happen by chance."""
    container = head.startswith((b"RIFF", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"FLV\1")) or head[4:8] == b"ftyp"
    return container or any(head.startswith(signature, offset) for offset, signature, _ in UNLIKELY_BY_CHANCE)


def identify(file: BinaryIO, size: int, name: str = "") -> Identity:
    """Return what a file is.

    Args:
        file: The file, which can seek.
        size: Its size in bytes.
        name: Its name for errors; "" for none.

    Raises:
        InputError: no medium, a format that is to be converted, or a container that is cut off before its tracks.
    """
    subject = name or "it"
    reader = Reader(file, size)
    file.seek(0)
    head = file.read(HEAD)
    try:
        found = _identified(reader, head)
    except CutOffError:
        raise InputError(
            f"{subject} is cut off or damaged: the part that describes its tracks is missing. Copy or download it again. "
            "If it plays, convert it, for example with `ffmpeg -i FILE video.mp4`."
        ) from None
    if isinstance(found, Identity):
        return found
    if isinstance(found, Refusal):
        raise InputError(f"{subject} is not an image, audio, video or PDF in a known format: it is {found.name}. {found.advice}")
    raise InputError(
        f"{subject} is not an image, audio, video or PDF in a known format: it begins with {head[:12]!r}. "
        f"{_advice_for(head)}".rstrip()
    )


def _identified(reader: Reader, head: bytes) -> Identity | Refusal | None:
    if head.startswith(_CHUNKED):
        return _of_chunks(reader, head)
    for offset, signature, result in SIGNATURES:
        if head.startswith(signature, offset):
            return Identity(result) if isinstance(result, str) else result
    if head[4:8] == b"ftyp":
        return _of_brands(reader, head)
    if head[4:8] in _QUICKTIME_BOXES:
        return _of_old_quicktime(reader, head[4:8])
    for signature, subtype, walk in _CONTAINERS:
        if head.startswith(signature):
            return _of_tracks(reader, subtype, walk, unknown="audio" if subtype == "ogg" else "video")
    if head.startswith(b"\x1aE\xdf\xa3"):
        doctype = head.find(b"B\x82", 0, 100)
        return _of_tracks(reader, "webm" if b"webm" in head[doctype : doctype + 14] else "x-matroska", matroska_tracks)
    if head.startswith((b"\0\0\1\xba", b"\0\0\1\xb3", b"\0\0\1\xb0")):
        return _of_program_stream(reader)
    if (sync := _transport_stream_sync(head)) is not None:
        return _of_tracks(reader, "mp2t", partial(transport_stream_tracks, first=sync[0], packet=sync[1]))
    if head.startswith(b"ID3"):
        return _behind_id3(reader)
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return Identity("image/bmp")
    if mime := _mpeg_audio(reader, 0):
        return Identity(mime)
    return Identity("application/pdf") if _has_pdf_header(head) else None


def _of_old_quicktime(reader: Reader, first_box: bytes) -> Identity | Refusal | None:
    """QuickTime without `ftyp`. Any bytes may begin like it by chance, so its tracks must be there."""
    try:
        identity = _of_tracks(reader, "quicktime", iso_tracks)
    except CutOffError:
        if first_box in (b"moov", b"mdat", b"wide"):
            raise
        return None
    return None if isinstance(identity, Identity) and not identity.certain else identity


def _of_chunks(reader: Reader, head: bytes) -> Identity | Refusal | None:
    """RIFF and IFF files."""
    form = head[8:12]
    if form == b"AVI ":
        return _of_tracks(reader, "x-msvideo", avi_tracks)
    if form == b"WAVE":
        return Identity("audio/wav", seconds=wave_seconds(Reader(BytesIO(head), reader.size)))
    if form == b"RMID":
        return MIDI
    mime = {b"WEBP": "image/webp", b"AIFF": "audio/x-aiff", b"AIFC": "audio/x-aiff"}.get(form)
    return Identity(mime) if mime else None


def _of_tracks(reader: Reader, subtype: str, walk: Callable[[Reader], set[str]], unknown: str = "video") -> Identity | Refusal:
    """Return the type that the tracks of a container make it; `unknown` is its kind where it has none that can be read."""
    try:
        kinds = walk(reader)
    except DamagedError:
        if reader.furthest > HEADER:  # the zeros of a download that was interrupted, for example
            raise CutOffError from None
        return Identity(_mime(unknown, subtype), certain=False)
    if "unknown" in kinds and "video" not in kinds:
        raise CutOffError
    for kind in ("video", "audio", "image"):
        if kind in kinds:
            return Identity(_mime(kind, subtype), seconds=reader.seconds)
    return Refusal("a container with neither sound nor pictures", "Pass its text, or a file with sound or pictures.")


def _mime(kind: str, subtype: str) -> str:
    if kind == "image":
        return "image/heif"  # a sequence of pictures
    mime = f"{kind}/{subtype}"
    return _OWN_TYPES.get(mime, mime)


def _of_brands(reader: Reader, head: bytes) -> Identity | Refusal | None:
    """ISO media files. The major brand decides between images and movies; if it is not known, the first that is known."""
    length = max(16, min(int.from_bytes(head[:4], "big"), 1024))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4) if len(head[at : at + 4]) == 4)]
    for brand in brands:
        if brand in RAW_PHOTOS:
            return RAW_PHOTO
        if brand in HEIC:
            return Identity("image/heic")
        if brand in AVIF:
            return Identity("image/avif")
        if brand in HEIF:
            return Identity("image/avif" if AVIF & {*brands} else "image/heic" if HEIC & {*brands} else "image/heif")
        if brand.startswith(MOVIES):
            subtype = {b"3gp": "3gpp", b"3ge": "3gpp", b"3gg": "3gpp", b"3gr": "3gpp", b"3gs": "3gpp", b"3g2": "3gpp2"}.get(
                brand[:3]
            )
            subtype = subtype or ("quicktime" if brand == b"qt  " else "mp4")
            return _of_tracks(reader, subtype, iso_tracks, "audio" if brand[:3] in (b"M4A", b"M4B", b"M4P") else "video")
    try:
        identity = _of_tracks(reader, "mp4", iso_tracks)
    except CutOffError:
        return None
    return identity if isinstance(identity, Identity) and identity.certain else None


def _of_program_stream(reader: Reader) -> Identity | Refusal:
    identity = _of_tracks(reader, "mpeg", program_stream_tracks)
    if isinstance(identity, Identity) and identity.mime == "audio/mpeg":
        return convert("an MPEG program stream with sound alone", "MP3", "ffmpeg -i FILE sound.mp3")
    return identity


def _transport_stream_sync(head: bytes) -> tuple[int, int] | None:
    """Return the offset and distance of the sync bytes of a transport stream."""
    for first, packet in ((0, 188), (4, 192)):
        positions = range(first, min(len(head), first + 5 * packet), packet)
        if len(positions) >= 2 and all(head[at] == 0x47 for at in positions):
            return first, packet
    return None


def _behind_id3(reader: Reader) -> Identity | Refusal:
    """What follows the ID3 tags: MP3 in most files, but also AAC, FLAC and others."""
    start = 0
    while (head := reader.at(start, 10)).startswith(b"ID3"):
        length = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        start += 10 + length + (10 if head[5] & 0x10 else 0)
    begin = reader.at(start, 4)
    if begin == b"fLaC":
        return Identity("audio/flac")
    if begin in (b"RIFF", b"FORM"):
        return Identity("audio/wav" if begin == b"RIFF" else "audio/x-aiff")
    if begin in (b"TTA1", b"MAC ", b"wvpk"):
        return convert("lossless audio that is not FLAC", "FLAC", "ffmpeg -i FILE sound.flac")
    first = reader.at(start, 6) if start + 6 <= reader.size else b"\0" * 6
    return Identity(_frame(first)[0] or "audio/mpeg")  # padding may follow the tag


_BIT_RATES = {  # kbit/s by version 1 and layer; and for layers of versions 2 and 2.5 (ISO/IEC 11172-3, 13818-3)
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def _mpeg_audio(reader: Reader, start: int) -> str | None:
    """Return the type of MPEG audio or AAC in frames, if two frames follow each other."""
    if start + 10 > reader.size:
        return None
    mime, length = _frame(reader.at(start, 6))
    if not length or start + length + 6 > reader.size:
        return None
    return mime if _frame(reader.at(start + length, 6))[0] == mime else None


def _frame(header: bytes) -> tuple[str, int]:
    """Return the MIME type and length of a frame; ("", 0) for other bytes."""
    if header[0] == 0x56 and header[1] >> 5 == 7:  # LOAS, which frames AAC for broadcasting
        return "audio/aac", 3 + ((header[1] & 31) << 8 | header[2])
    if header[0] != 0xFF or header[1] < 0xE0:
        return "", 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    if layer == 4:
        length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
        return ("audio/aac", length) if header[1] >> 4 == 15 and length >= 7 and header[2] >> 2 & 15 < 13 else ("", 0)
    rate, frequency = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or rate in (0, 15) or frequency == 3:
        return "", 0
    bits = _BIT_RATES[1 if version == 3 else 2, layer][rate - 1] * 1000
    hertz = (44100, 48000, 32000)[frequency] // {3: 1, 2: 2, 0: 4}[version]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return "audio/mpeg", (12 * bits // hertz + padding) * 4
    return "audio/mpeg", (72 if layer == 3 and version != 3 else 144) * bits // hertz + padding


def _has_pdf_header(head: bytes) -> bool:
    """Whether a line in the first bytes is the header of a PDF: mail programs and scanners write others before it."""
    start = head.find(b"%PDF-", 0, PDF_HEADER)
    return start >= 0 and (not head[:start].strip(b" \t\r\n\0\xef\xbb\xbf") or head[start - 1 : start] in b"\r\n")


def _advice_for(head: bytes) -> str:
    """Return advice about bytes that are not a medium; "" for none."""
    if b"<svg" in head:
        return "Convert SVG to PNG, for example with `rsvg-convert FILE -o image.png`."
    readable = head.decode("utf-8", "ignore").isprintable() and head.isascii()
    return "Pass text as a str." if readable else ""
