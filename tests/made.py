"""Media made by code: small, and of exact sizes."""

from __future__ import annotations

import random
import struct
import wave
import zlib
from io import BytesIO


def png(width: int = 28, height: int = 28, shade: int = 0, noise: int = 0) -> bytes:
    """A grey image; with `noise`, followed by about so many bytes that do not compress."""
    rows = b"".join(b"\0" + bytes([shade % 256]) * width for _ in range(height))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    made = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + made + random.Random(shade).randbytes(noise)


def wav(samples: int = 80) -> bytes:
    """Silence."""
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * samples)
    return file.getvalue()


def mp4() -> bytes:
    """The head of a video."""
    return struct.pack(">I", 24) + b"ftypisom\0\0\2\0isommp42" + struct.pack(">I", 8) + b"mdat"


def pdf(pages: int = 1) -> bytes:
    """Blank pages."""
    kids = " ".join(f"{3 + page} 0 R" for page in range(pages))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        *(["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>"] * pages),
    ]
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(made)}\n%%EOF\n"
    return made + (table + end).encode()
