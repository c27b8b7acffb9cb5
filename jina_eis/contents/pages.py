"""Pages of a PDF: counted and split with pypdf, rendered with pypdfium2. Both are imported when the first page is needed.

A page is numbered from 1. Nothing here knows what a page is made for.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .inputs import Content
from .media import Medium, describe

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = [
    "count_pages",
    "describe_page",
    "known_pages",
    "page_image",
    "page_pdf",
    "page_texts",
    "parts_to_index",
    "split_pages",
]

LONGEST_SIDE = 6000  # pixels of a rendered page: A0 at 128 dots an inch, 100 MB in memory
POINTS = 72  # an inch

_pdfium = threading.Lock()  # PDFium may be called by one thread at a time


def count_pages(pdf: Medium) -> int:
    """Return the number of pages.

    Raises:
        ImportError: pypdf is not installed.
        InputError: the PDF is damaged, needs a password, or has no pages.
    """
    with pdf.open() as file:
        return len(_reader(file, pdf).pages)


def known_pages(pdf: Medium) -> int | None:
    """Return the number of pages; None at a URL, and where pypdf is not installed. Raises InputError as `count_pages` does."""
    try:
        return count_pages(pdf) if pdf.url is None else None
    except ImportError:
        return None


def split_pages(pdf: Medium) -> Iterator[Medium]:
    """Yield each page as a PDF of its own. Raises what `count_pages` raises, before the first page."""
    with pdf.open() as file:
        reader = _reader(file, pdf)
        for number in range(1, len(reader.pages) + 1):
            yield _single_page(reader, pdf, number)


def page_texts(pdf: Medium) -> Iterator[str]:
    """Yield the text of each page; "" for a page without text. Raises what `count_pages` raises, before the first page."""
    with pdf.open() as file:
        for number, page in enumerate(_reader(file, pdf).pages, 1):
            try:
                text = page.extract_text()
            except Exception as error:  # as in _reader
                raise InputError(f"page {number} of {pdf.label} is damaged: pypdf cannot read it ({error}).") from error
            yield text.strip()


def page_pdf(pdf: Medium, number: int) -> Medium:
    """Return one page as a PDF of its own. Raises what `count_pages` raises."""
    with pdf.open() as file:
        return _single_page(_reader(file, pdf), pdf, number)


def page_image(pdf: Medium, number: int, dpi: int) -> Medium:
    """Return one page as a PNG, with the values of its forms.

    Args:
        pdf: The PDF.
        number: The number of the page.
        dpi: Dots an inch. Fewer are used for a page with a side of more than 6,000 pixels.

    Raises:
        ImportError: pypdfium2 is not installed.
        InputError: PDFium cannot read the page.
    """
    try:
        import pypdfium2
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from error
    with pdf.open() as file, _pdfium:
        try:
            with closing(pypdfium2.PdfDocument(file)) as document:
                document.init_forms()
                page = document[number - 1]
                scale = min(dpi / POINTS, LONGEST_SIDE / max(*page.get_size(), 1))
                image = _png(page.render(scale=scale, rev_byteorder=True))
        except (pypdfium2.PdfiumError, IndexError) as error:
            raise InputError(f"page {number} of {pdf.label} cannot be rendered: {error}") from error
    return Medium.from_bytes(image, name=f"page {number} of {pdf.label}", source=pdf.source)


def describe_page(pdf: Medium, number: int, pages: int) -> dict[str, Any]:
    """Return what is known of a page, as metadata of a document: that of its PDF, `page` from 1, and the number of `pages`."""
    return {**describe(pdf), "page": number, "pages": pages}


def parts_to_index(content: Content) -> Iterator[tuple[Content, dict[str, Any]]]:
    """Yield what an index holds of an input, each with what is known of it as metadata: each page of a PDF, else the input.

    Several media in one input are described together: what they differ in is a list.
    """
    if isinstance(content, Medium) and content.modality == "pdf" and content.url is None:
        pages = count_pages(content)
        for number, page in enumerate(split_pages(content), 1):
            yield page, describe_page(content, number, pages)
        return
    known = [describe(part) for part in (content if isinstance(content, tuple) else (content,)) if isinstance(part, Medium)]
    names = dict.fromkeys(name for facts in known for name in facts)
    values = {name: [facts[name] for facts in known if name in facts] for name in names}
    yield content, {name: found[0] if len(set(found)) == 1 else found for name, found in values.items()}


def _reader(file: Any, pdf: Medium) -> PdfReader:
    """Return a reader of a PDF that can be read and has pages."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from error
    if pdf.modality != "pdf":
        raise InputError(f"{pdf.label} is {pdf.mime}, not a PDF.")
    try:
        reader = PdfReader(file)
        locked = reader.is_encrypted and not reader.decrypt("")
        pages = 0 if locked else len(reader.pages)
    except DependencyError as error:
        raise _missing_extra(error) from error
    except Exception as error:  # for a damaged file also TypeError and others, in addition to pypdf's own errors
        raise InputError(f"{pdf.label} is damaged: pypdf cannot read it ({error}).") from error
    if locked:
        raise InputError(f"{pdf.label} needs a password. Save it without one, for example: qpdf --password=… --decrypt IN OUT")
    if not pages:
        raise InputError(f"{pdf.label} has no pages.")
    return reader


def _single_page(reader: PdfReader, pdf: Medium, number: int) -> Medium:
    from pypdf import PdfWriter

    name = f"page {number} of {pdf.label}"
    file = BytesIO()
    try:
        writer = PdfWriter()
        writer.add_page(reader.pages[number - 1])
        writer.write(file)
    except Exception as error:  # as above
        raise InputError(f"{name} is damaged: pypdf cannot read it ({error}).") from error
    return Medium.from_bytes(file.getvalue(), "application/pdf", name=name, source=pdf.source)


def _png(bitmap: Any) -> bytes:
    """Return a bitmap of PDFium, in RGB, as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    compressor = zlib.compressobj(1)
    compressed = BytesIO()
    with memoryview(bitmap.buffer) as buffer:
        pixels = buffer.cast("B")
        for start in range(0, height * stride, stride):
            compressed.write(compressor.compress(b"\0"))  # the row is not filtered
            compressed.write(compressor.compress(pixels[start : start + 3 * width]))
    compressed.write(compressor.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", compressed.getvalue()) + chunk(b"IEND", b"")


def _missing_extra(error: Exception) -> ImportError:
    return ImportError(f'Reading the pages of a PDF needs the extra [pdf]: pip install "jina-eis[pdf]" ({error})')
