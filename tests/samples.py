"""Small media of real encoders: one or more for every row of the table in docs/multimodal.md."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from functools import cache, partial
from io import BytesIO
from typing import Any

import numpy as np
import pikepdf
import pillow_heif
from made import pdf, png, wav
from PIL import Image
from recordings import recording, subtitles

__all__ = ["REFUSED", "SAMPLES", "Sample", "encoded", "sample_bytes"]

Sample = tuple[str, str, str]  # container, what is in it, the MIME type that is sent: a row of the table

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}


def encoded(kind: str, size: tuple[int, int] = (64, 48), frames: int = 1, **options: Any) -> bytes:
    """An image of Pillow. Several frames are an animation."""
    pillow_heif.register_heif_opener()
    file = BytesIO()
    first, *rest = [Image.new("RGB", size, (40 * number % 256, 90, 200)) for number in range(frames)]
    first.save(file, kind, **({"save_all": True, "append_images": rest} if rest else {}), **options)
    return file.getvalue()


def _deep_heic() -> bytes:
    file = BytesIO()
    pillow_heif.encode("RGB;16", (64, 48), np.zeros((48, 64, 3), np.uint16).tobytes(), file)
    return file.getvalue()


def _branded(brand: bytes, *compatible: bytes) -> bytes:
    """A HEIC file with other brands: what other encoders write differs there."""
    data = encoded("HEIF")
    rest = data[int.from_bytes(data[:4], "big") :]
    brands = b"".join(compatible)
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + brand + b"\0\0\0\0" + brands + rest


def _apple_png() -> bytes:
    """The PNG of an iPhone application, as Xcode writes it."""
    data = png(64, 48)
    return data[:8] + b"\0\0\0\4CgBI\x50\0\x20\2\x2b\xd5\xb3\x7f" + data[8:]


def _behind_id3(data: bytes) -> bytes:
    return b"ID3\4\0\0\0\0\0\x0a" + b"\0" * 10 + data


def _psd() -> bytes:
    return b"8BPS\0\1\0\0\0\0\0\0\0\3" + struct.pack(">IIHH", 48, 64, 8, 3) + b"\0" * 12 + b"\0\0" + b"\0" * (64 * 48 * 3)


JPEG_XL = bytes.fromhex(  # 64x48, of libjxl 0.11
    "ff0acb064016880600e40041671500800a9551c60d5ecef57cf9a1c362dac67586b6dab6b084b1d95e1824249c20dea6"
    "7bd23c0800fa812506c70140865a9601804a1200"
)


def jpeg_xl(codestream: bytes = JPEG_XL, *, ends: bool = True) -> bytes:
    """A JPEG XL in boxes. The last one may run to the end of the file."""
    size = len(codestream) + 8 if ends else 0
    return b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl " + struct.pack(">I", size) + b"jxlc" + codestream


def _sparse_webm() -> bytes:
    """As GStreamer writes it: the lengths of the header are written in eight bytes, and the doctype comes last."""

    def element(number: bytes, content: bytes) -> bytes:
        return number + b"\1" + len(content).to_bytes(7, "big") + content

    header = element(b"\x1aE\xdf\xa3", element(b"B\x87", b"\2") + element(b"B\x85", b"\2") + element(b"B\x82", b"webm\0\0\0\0"))
    track = element(b"\xae", element(b"\xd7", b"\1") + element(b"\x83", b"\2") + element(b"\x86", b"A_OPUS"))
    return header + b"\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff" + element(b"\xec", b"\0" * 300) + element(b"\x16T\xaek", track)


def _encrypted_pdf() -> bytes:
    """Opens without a password, as bank statements do."""
    file = BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(file, encryption=pikepdf.Encryption(owner="owner", user="", R=4))
    return file.getvalue()


def _zip(name: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "")
    return file.getvalue()


SAMPLES: dict[Sample, tuple[Callable[[], bytes], ...]] = {
    ("PNG, APNG", "pictures", "image/png"): (partial(png, 64, 48), partial(encoded, "PNG", frames=2), _apple_png),
    ("JPEG", "a picture", "image/jpeg"): (partial(encoded, "JPEG"), partial(encoded, "MPO", frames=2)),
    ("GIF", "pictures", "image/gif"): (partial(encoded, "GIF"), partial(encoded, "GIF", (40_000, 30))),
    ("WebP", "pictures", "image/webp"): (partial(encoded, "WEBP"), partial(encoded, "WEBP", frames=2, lossless=True)),
    ("BMP", "a picture", "image/bmp"): (partial(encoded, "BMP"),),
    ("TIFF, BigTIFF", "pictures", "image/tiff"): (partial(encoded, "TIFF"), partial(encoded, "TIFF", big_tiff=True)),
    ("HEIF", "pictures in HEVC", "image/heic"): (
        partial(encoded, "HEIF"),
        partial(encoded, "HEIF", frames=2),
        _deep_heic,
        partial(_branded, b"mif1", b"mif1", b"heic"),
        partial(_branded, b"hevc", b"msf1", b"hevc"),
        partial(_branded, b"zzzz", b"heic"),
    ),
    ("HEIF", "pictures in another codec", "image/heif"): (
        partial(_branded, b"mif1", b"mif1"),
        partial(_branded, b"avci", b"mif1"),
    ),
    ("AVIF", "pictures", "image/avif"): (partial(encoded, "AVIF"), partial(encoded, "AVIF", frames=2)),
    ("JPEG XL", "pictures", "image/jxl"): (jpeg_xl, lambda: JPEG_XL),
    ("JPEG 2000", "a picture", "image/jp2"): (partial(encoded, "JPEG2000"),),
    ("ICO", "pictures", "image/x-icon"): (partial(encoded, "ICO", (256, 256)),),
    ("Photoshop", "a picture", "image/vnd.adobe.photoshop"): (_psd,),
    ("PDF", "pages", "application/pdf"): (partial(pdf, 2), lambda: b"\r\n" + pdf(), _encrypted_pdf),
    ("WAV, RF64", "sound", "audio/wav"): (
        wav,
        partial(recording, "wav", "libmp3lame"),
        partial(recording, "wav", "pcm_s16le", options={"rf64": "always"}),
    ),
    ("MP3, MP2", "sound", "audio/mpeg"): (
        partial(recording, "mp3", "libmp3lame"),
        partial(recording, "mp3", "libmp3lame", options={"id3v2_version": "0", "write_xing": "0"}),
        partial(recording, "mp2", "mp2"),
    ),
    ("AAC", "sound", "audio/aac"): (
        partial(recording, "adts", "aac"),
        partial(recording, "adts", "aac", options={"write_id3v2": "1"}),
        lambda: _behind_id3(recording("adts", "aac")),
    ),
    ("FLAC", "sound", "audio/flac"): (partial(recording, "flac", "flac"), lambda: _behind_id3(recording("flac", "flac"))),
    ("AIFF, AIFC", "sound", "audio/x-aiff"): (partial(recording, "aiff", "pcm_s16be"), partial(recording, "aiff", "pcm_s16le")),
    ("AMR", "sound", "audio/amr"): (partial(recording, "amr", "libopencore_amrnb"),),
    ("AMR-WB", "sound", "audio/amr-wb"): (lambda: b"#!AMR-WB\n" + b"\x04" + b"\0" * 17,),
    ("CAF", "sound", "audio/x-caf"): (partial(recording, "caf", "pcm_s16le"), partial(recording, "caf", "alac")),
    ("MP4, M4A, M4B", "sound", "audio/mp4"): (
        partial(recording, "mp4", "aac"),
        partial(recording, "mp4", "aac", options={"brand": "M4B "}),
        partial(recording, "mp4", "aac", options=FRAGMENTS, live=True),
        partial(recording, "ipod", "alac"),
        partial(recording, "f4v", "aac"),
        partial(recording, "mp4", "libopus"),
    ),
    ("MP4, M4V", "video, with or without sound", "video/mp4"): (
        partial(recording, "mp4", "mpeg4"),
        partial(recording, "mp4", "aac", "libx264"),
        partial(recording, "mp4", "libx264", "aac", options=FRAGMENTS, live=True),
        partial(recording, "ipod", "libx264", "aac"),
        partial(recording, "mp4", "libsvtav1"),
    ),
    ("3GP", "sound", "audio/3gpp"): (partial(recording, "3gp", "libopencore_amrnb"),),
    ("3GP", "video", "video/3gpp"): (
        partial(recording, "3gp", "h263"),
        partial(recording, "3gp", "libopencore_amrnb", "h263"),
    ),
    ("3G2", "sound", "audio/3gpp2"): (partial(recording, "3g2", "aac"),),
    ("3G2", "video", "video/3gpp2"): (partial(recording, "3g2", "mpeg4"),),
    ("QuickTime", "sound", "audio/mp4"): (partial(recording, "mov", "pcm_s16le"),),
    ("QuickTime", "video", "video/quicktime"): (partial(recording, "mov", "mpeg4", "aac"), partial(recording, "mov", "prores")),
    ("WebM", "sound", "audio/webm"): (
        partial(recording, "webm", "libopus"),
        partial(recording, "webm", "libopus", live=True, options={"live": "1"}),
        partial(recording, "webm", "libopus", tags={"title": "long " * 1000}),
        _sparse_webm,
    ),
    ("WebM", "video", "video/webm"): (
        partial(recording, "webm", "libvpx"),
        partial(recording, "webm", "libopus", "libvpx-vp9", live=True, options={"live": "1"}),
    ),
    ("Matroska", "sound", "audio/x-matroska"): (
        partial(recording, "matroska", "libopus"),
        partial(recording, "matroska", "flac", options={"reserve_index_space": "20000"}),
    ),
    ("Matroska", "video", "video/x-matroska"): (partial(recording, "matroska", "pcm_s16le", "libx264"),),
    ("Ogg, Opus", "sound", "audio/ogg"): (partial(recording, "ogg", "libopus"), partial(recording, "oga", "flac")),
    ("Ogg", "video", "video/ogg"): (partial(recording, "ogg", "libvpx"), partial(recording, "ogg", "libopus", "libvpx")),
    ("ASF (WMA)", "sound", "audio/x-ms-wma"): (partial(recording, "asf", "libmp3lame"),),
    ("ASF (WMV)", "video", "video/x-ms-wmv"): (partial(recording, "asf", "wmv2", "libmp3lame"),),
    ("AVI", "sound", "audio/x-msvideo"): (partial(recording, "avi", "pcm_s16le"),),
    ("AVI", "video", "video/x-msvideo"): (partial(recording, "avi", "libmp3lame", "mjpeg"),),
    ("FLV", "sound", "audio/x-flv"): (partial(recording, "flv", "aac"), partial(recording, "flv", "libmp3lame")),
    ("FLV", "video", "video/x-flv"): (partial(recording, "flv", "flv"), partial(recording, "flv", "aac", "libx264")),
    ("MPEG-TS, MTS", "sound", "audio/mp2t"): (partial(recording, "mpegts", "aac"), partial(recording, "mpegts", "mp2")),
    ("MPEG-TS, MTS", "video", "video/mp2t"): (
        partial(recording, "mpegts", "mpeg2video"),
        partial(recording, "mpegts", "ac3", "libx264", options={"mpegts_m2ts_mode": "1"}),
    ),
    ("MPEG, VOB", "video", "video/mpeg"): (
        partial(recording, "vob", "mpeg2video", "ac3"),
        partial(recording, "vcd", "mpeg2video"),
        partial(recording, "m4v", "mpeg4"),
    ),
}

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {  # whole files, and what their error advises
    "Dolby Digital": (partial(recording, "ac3", "ac3"), "Convert it to MP3, for example with `ffmpeg"),
    "Sun audio": (partial(recording, "au", "pcm_s16be"), "Convert it to WAV, for example with `ffmpeg"),
    "Wave64": (partial(recording, "w64", "pcm_s16le"), "Convert it to WAV, for example with `ffmpeg"),
    "WavPack": (partial(recording, "wv", "wavpack"), "Convert it to FLAC, for example with `ffmpeg"),
    "MIDI": (lambda: b"MThd\0\0\0\6\0\0\0\1\0\x60", "holds notes and no sound. Convert it to WAV"),
    "H.264": (partial(recording, "h264", "libx264"), "Convert it to MP4, for example with `ffmpeg -i FILE -c copy"),
    "IVF": (partial(recording, "ivf", "libvpx"), "Convert it to MP4, for example with `ffmpeg"),
    "sound in a program stream": (partial(recording, "mpeg", "mp2"), "Convert it to MP3, for example with `ffmpeg"),
    "Targa": (partial(encoded, "TGA"), "Convert it to PNG, for example with `magick"),
    "Netpbm": (partial(encoded, "PPM"), "Convert it to PNG, for example with `magick"),
    "PostScript": (partial(encoded, "EPS"), "Convert it to PDF, for example with `ps2pdf"),
    "a raw photo": (partial(_branded, b"crx ", b"isom"), "Convert it to JPEG, for example with `darktable-cli"),
    "an old Office document": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504,
        "Convert it to PDF, for example with `soffice",
    ),
    "an Office document": (partial(_zip, "[Content_Types].xml"), "Convert it to PDF, for example with `soffice"),
    "an archive": (partial(_zip, "cat.png"), "application/zip. Unpack it"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "Convert SVG to PNG, for example with `rsvg-convert"),
    "subtitles": (subtitles, "neither sound nor pictures"),
}


@cache
def sample_bytes(make: Callable[[], bytes]) -> bytes:
    """The bytes of a sample, made once."""
    return make()
