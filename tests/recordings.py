"""Small recordings of real encoders, made by PyAV: containers of sound, of video, of both and of neither."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO, RawIOBase
from typing import Any

import av
import numpy as np

__all__ = ["recording", "subtitles"]

RATE = {"libopencore_amrnb": 8000, "libopus": 48000}


class _Pipe(RawIOBase):
    """A file that cannot seek, as when a recorder writes live."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


def recording(
    container: str,
    *codecs: str,
    options: dict[str, str] | None = None,
    live: bool = False,
    tags: dict[str, str] | None = None,
    seconds: float = 0.3,
) -> bytes:
    """Encode noise-free sound and moving pictures.

    Args:
        container: FFmpeg's name of the format.
        codecs: FFmpeg's names of the encoders, one for each track.
        options: Options of the format.
        live: Write to a file that cannot seek.
        tags: Metadata of the file.
        seconds: Length.
    """
    file: Any = _Pipe() if live else BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        output.metadata.update(tags or {})
        streams = [_add_stream(output, codec) for codec in codecs]
        for stream in streams:
            frames = _pictures(seconds) if stream.type == "video" else _sound(stream, seconds)
            for frame in frames:
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return bytes(file.data) if live else bytes(file.getvalue())


def _add_stream(output: Any, codec: str) -> Any:
    if av.codec.Codec(codec, "w").type == "video":
        stream = output.add_stream(codec, rate=10)
        stream.width, stream.height = (176, 144) if codec == "h263" else (64, 48)
        stream.pix_fmt = {"mjpeg": "yuvj420p", "prores": "yuv422p10le", "gif": "rgb8"}.get(codec, "yuv420p")
        stream.time_base = Fraction(1, 10)
        return stream
    return output.add_stream(codec, rate=RATE.get(codec, 44100), layout="mono")


def _pictures(seconds: float) -> Any:
    for number in range(max(1, round(seconds * 10))):
        pixels = np.full((48, 64, 3), number * 20 % 256, np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        yield frame


def _sound(stream: Any, seconds: float) -> Any:
    rate = stream.rate
    wave = (np.sin(np.arange(round(rate * seconds)) * 0.06) * 8000).astype(np.int16)[np.newaxis]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    yield frame


def subtitles() -> bytes:
    """A Matroska file with subtitles alone."""
    file = BytesIO()
    text = BytesIO(b"1\n00:00:00,000 --> 00:00:01,000\nhello\n\n")
    with av.open(text, format="srt") as source, av.open(file, "w", format="matroska") as output:
        stream = output.add_stream_from_template(source.streams[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return file.getvalue()
