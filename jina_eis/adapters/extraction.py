"""Settings of the classes that turn pages and pictures into text, and the pages that they read."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..contents import Content, Medium, count_pages, describe, describe_page, label, page_texts
from ..errors import InputError
from ..steps import DEFAULT_DPI, PAGE_TIMEOUT, PAGES_IN_FLIGHT, Extractor
from ..wire import PageText
from .inference_id import ENDPOINT_NAMES, EndpointSettings

__all__ = ["ExtractionSettings", "Page", "readable", "text_layer"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read: its Markdown, and the metadata of its document."""

    text: str
    metadata: dict[str, Any]


class ExtractionSettings(EndpointSettings):
    """Settings of the classes that turn pages and pictures into text."""

    if TYPE_CHECKING:
        model: str | None = Field(default=None)
    inference_id: str | None = Field(default=None, min_length=1, validation_alias=ENDPOINT_NAMES)
    """The endpoint. None: `.jina-ocr-v1-chat_completion` if the deployment has it, else one of task `document_extraction`."""
    timeout: float = Field(default=PAGE_TIMEOUT, gt=0, allow_inf_nan=False, frozen=True)
    """Timeout of the request for one page in seconds. The first request may take a minute, while the service loads the model."""
    dpi: int = Field(default=DEFAULT_DPI, ge=36, le=600)
    """Dots an inch with which pages of a PDF are rendered for OCR; at most 6,000 pixels on a side."""

    def _read_pages(self, medium: Medium) -> Generator[Page, None, None]:
        """Yield the pages of a PDF, or that of an image, in order. A caller that may stop early must close the generator."""
        driver, limiter, extractor = self._driver(), self._limiter(), self._extractor()
        pages = _count(medium)
        endpoint, stream = driver.run(extractor.plan(), limiter)
        calls = extractor.calls(endpoint, stream, medium, pages)
        with closing(driver.stream(calls, limiter, PAGES_IN_FLIGHT)) as texts:
            for number, text in enumerate(texts, 1):
                yield _page(medium, number, pages, text)

    async def _aread_pages(self, medium: Medium) -> AsyncGenerator[Page, None]:
        """As `_read_pages`, without blocking the event loop."""
        driver, limiter, extractor = self._driver(), self._limiter(), self._extractor()
        pages = await asyncio.to_thread(_count, medium)
        endpoint, stream = await driver.arun(extractor.plan(), limiter)
        calls = extractor.calls(endpoint, stream, medium, pages)
        number = 0
        async with aclosing(driver.astream(calls, limiter, PAGES_IN_FLIGHT)) as texts:
            async for text in texts:
                number += 1
                yield _page(medium, number, pages, text)

    def _extractor(self) -> Extractor:
        return Extractor(self.inference_id, self.dpi, self.timeout)


def text_layer(path: Path) -> Iterator[str]:
    """Yield the text of each page of a PDF file, as pypdf finds it, without a service; "" for a page without text.

    Raises:
        ImportError: pypdf is not installed.
        InputError: the PDF is damaged, needs a password, or has no pages.
        OSError: the file cannot be read.
    """
    return page_texts(Medium.from_path(path))


def readable(content: Content) -> Medium:
    """Return a PDF or an image. Raises InputError for any other content."""
    if isinstance(content, Medium) and content.modality in ("pdf", "image"):
        return content
    kind = content.mime if isinstance(content, Medium) else "a text" if isinstance(content, str) else "several parts"
    name = f"{label(content)} is" if isinstance(content, Medium) else "It is"
    raise InputError(f"{name} {kind}. Text is read out of PDFs and images.")


def _count(medium: Medium) -> int:
    return count_pages(medium) if medium.modality == "pdf" else 1


def _page(medium: Medium, number: int, pages: int, text: PageText) -> Page:
    if text.cut_off:
        warnings.warn(f"The model stopped before the end of page {number} of {medium.label}: its text is cut off.", stacklevel=2)
    known = describe_page(medium, number, pages) if medium.modality == "pdf" else describe(medium)
    return Page(text.text, {**text.metadata, **known})
