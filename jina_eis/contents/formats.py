"""Signatures and brands of formats: which are sent as what, and what the others should be converted to.

Only tables. Where they come from: the specifications of the formats, and the files of FFmpeg, Pillow, libheif and GStreamer.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AVIF",
    "HEIC",
    "HEIF",
    "MIDI",
    "MOVIES",
    "RAW_PHOTO",
    "RAW_PHOTOS",
    "SIGNATURES",
    "UNLIKELY_BY_CHANCE",
    "Refusal",
    "convert",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A format that the models do not read, and the advice to convert it."""

    name: str
    advice: str


def convert(name: str, to: str, command: str) -> Refusal:
    """Advise to convert a format. `FILE` in the command stands for the file."""
    return Refusal(name, f"Convert it to {to}, for example with `{command}`.")


_OFFICE = convert("an Office document", "PDF", "soffice --headless --convert-to pdf FILE")
_ARCHIVE = "Unpack it, and pass the files in it."
RAW_PHOTO = convert("a raw photo", "JPEG", "darktable-cli FILE photo.jpg")
MIDI = convert("MIDI, which holds notes and no sound", "WAV", "fluidsynth -F sound.wav soundfont.sf2 FILE")
_TO_WAV = "ffmpeg -i FILE sound.wav"
_TO_MP4 = "ffmpeg -i FILE video.mp4"
_TO_PNG = "magick FILE image.png"

# Bytes at an offset, and what they are. The first row that matches decides.
SIGNATURES: tuple[tuple[int, bytes, str | Refusal], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"CR\2\0", RAW_PHOTO),  # Canon's CR2 is a TIFF
    (0, b"IIU\0", RAW_PHOTO),
    (0, b"IIRO", RAW_PHOTO),
    (0, b"IIRS", RAW_PHOTO),
    (0, b"FUJIFILMCCD-RAW", RAW_PHOTO),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/j2c"),
    (0, b"8BPS\0", "image/vnd.adobe.photoshop"),
    (0, b"\0\0\1\0", "image/x-icon"),
    (0, b"\0\0\2\0", convert("a cursor or a Targa image", "PNG", _TO_PNG)),
    (0, b"II\xbc", convert("JPEG XR", "PNG", _TO_PNG)),
    (0, b"gimp xcf", convert("a GIMP image", "PNG", _TO_PNG)),
    (0, b"qoif", convert("a QOI image", "PNG", _TO_PNG)),
    (0, b"DDS ", convert("a DirectDraw surface", "PNG", _TO_PNG)),
    (0, b"v/1\1", convert("an OpenEXR image", "PNG", _TO_PNG)),
    (0, b"#?RADIANCE", convert("a Radiance HDR image", "PNG", _TO_PNG)),
    (0, b"\xd7\xcd\xc6\x9a", convert("a Windows metafile", "PNG", _TO_PNG)),
    (40, b" EMF\0\0", convert("an enhanced metafile", "PNG", _TO_PNG)),
    *((0, b"P%d\n" % number, convert("a Netpbm image", "PNG", _TO_PNG)) for number in range(1, 8)),
    (0, b"\n\5\1", convert("a PCX image", "PNG", _TO_PNG)),
    (0, b"icns", convert("an Apple icon", "PNG", "sips -s format png FILE --out image.png")),
    (0, b"AC10", convert("an AutoCAD drawing", "PDF", "dwg2pdf FILE")),
    (128, b"DICM", convert("a DICOM image", "PNG", "dcmj2pnm --write-png FILE image.png")),
    (0, b"fLaC", "audio/flac"),
    (0, b"caff\0\1", "audio/x-caf"),
    (0, b"#!AMR-WB", "audio/amr-wb"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"MThd", MIDI),
    (0, b".snd", convert("Sun/NeXT audio", "WAV", _TO_WAV)),
    (0, b"Creative Voice File", convert("Creative Voice", "WAV", _TO_WAV)),
    (0, b"riff\x2e\x91\xcf\x11", convert("Sony Wave64", "WAV", _TO_WAV)),
    (0, b"wvpk", convert("WavPack", "FLAC", "ffmpeg -i FILE sound.flac")),
    (0, b"TTA1", convert("True Audio", "FLAC", "ffmpeg -i FILE sound.flac")),
    (0, b"MAC ", convert("Monkey's Audio", "FLAC", "ffmpeg -i FILE sound.flac")),
    (0, b"MPCK", convert("Musepack", "WAV", _TO_WAV)),
    (0, b"MP+", convert("Musepack", "WAV", _TO_WAV)),
    (0, b"DSD ", convert("DSD audio", "FLAC", "ffmpeg -i FILE sound.flac")),
    (0, b"FRM8", convert("DSD audio", "FLAC", "ffmpeg -i FILE sound.flac")),
    (0, b"\x0b\x77", convert("Dolby Digital", "MP3", "ffmpeg -i FILE sound.mp3")),
    (0, b"\x7f\xfe\x80\x01", convert("DTS audio", "MP3", "ffmpeg -i FILE sound.mp3")),
    (0, b".RMF", convert("RealMedia", "MP4", _TO_MP4)),
    (0, b".ra\xfd", convert("RealAudio", "WAV", _TO_WAV)),
    (0, b"DKIF", convert("IVF video", "MP4", _TO_MP4)),
    (0, b"nut/multimedia container", convert("a NUT container", "MP4", _TO_MP4)),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", convert("MXF", "MP4", _TO_MP4)),
    (0, b"\x1f\x07\x00", convert("DV video", "MP4", _TO_MP4)),
    (0, b"\xb7\xd8\0\x207\x49\xda\x11", convert("Windows TV", "MP4", _TO_MP4)),
    (0, b"#EXTM3U", convert("a playlist", "MP4", _TO_MP4)),
    (0, b"\0\0\0\1\x67", convert("H.264 without a container", "MP4", "ffmpeg -i FILE -c copy video.mp4")),
    (0, b"\0\0\1\x67", convert("H.264 without a container", "MP4", "ffmpeg -i FILE -c copy video.mp4")),
    (0, b"\0\0\0\1\x40\1", convert("H.265 without a container", "MP4", "ffmpeg -i FILE -c copy video.mp4")),
    (0, b"AT&TFORM", convert("DjVu", "PDF", "ddjvu -format=pdf FILE pages.pdf")),
    (0, b"%!PS", convert("PostScript", "PDF", "ps2pdf FILE pages.pdf")),
    (0, b"\xc5\xd0\xd3\xc6", convert("PostScript", "PDF", "ps2pdf FILE pages.pdf")),
    (0, b"{\\rtf", _OFFICE),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OFFICE),
    (30, b"mimetypeapplication/epub+zip", convert("an EPUB", "PDF", "ebook-convert FILE book.pdf")),
    (30, b"mimetypeapplication/vnd.oasis", _OFFICE),
    (60, b"BOOKMOBI", convert("a Kindle book", "PDF", "ebook-convert FILE book.pdf")),
    *((30, name, _OFFICE) for name in (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"ppt/", b"xl/")),
    (0, b"PK\3\4", Refusal("application/zip", _ARCHIVE)),
    (0, b"\x1f\x8b", Refusal("application/gzip", _ARCHIVE)),
    (0, b"7z\xbc\xaf\x27\x1c", Refusal("a 7z archive", _ARCHIVE)),
    (0, b"Rar!\x1a\x07", Refusal("a RAR archive", _ARCHIVE)),
    (0, b"\xfd7zXZ\0", Refusal("an xz archive", _ARCHIVE)),
    (0, b"\x28\xb5\x2f\xfd", Refusal("a Zstandard archive", _ARCHIVE)),
    (0, b"BZh", Refusal("a bzip2 archive", _ARCHIVE)),
    (257, b"ustar", Refusal("a tar archive", _ARCHIVE)),
)
UNLIKELY_BY_CHANCE = tuple(row for row in SIGNATURES if len(row[1]) >= 3 and isinstance(row[2], str))

# Brands of `ftyp`. Images: ISO/IEC 23008-12, table 1 and annexes; AVIF 1.1, section 6. The rest are movies.
HEIC = frozenset(b"heic heix heim heis hevc hevx hevm hevs".split())
AVIF = frozenset(b"avif avis avio".split())
HEIF = frozenset(b"mif1 mif2 mif3 msf1 miaf avci avcs vvic vvis evbi evbs jpeg jpgs j2ki j2is".split())
RAW_PHOTOS = {b"crx "}
MOVIES = tuple(
    b"iso mp4 mp7 avc hvc av01 M4 F4 f4 3g qt dash msdh cmf piff mmp4 isml MSNV ND ndas KDDI XAVC dby1 mj dv da dm".split()
    + b"CAEP caqv SDV sdv jpsi MPPI nvr1 niko pana ROSS".split()
)
