"""`JinaEISReader`: LlamaIndex's interface for readers of files, over the shared core."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing, closing
from importlib.metadata import version
from typing import Any, ClassVar

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document
from pydantic import Field

from jina_eis.adapters import ExtractionSettings, Page, readable
from jina_eis.contents import Embeddable, Medium, content

from .media import node_or_resource_content
from .plugin import Plugin

__all__ = ["JinaEISReader"]


class JinaEISReader(ExtractionSettings, Plugin, BasePydanticReader):  # the first has the timeout that counts
    """Turns PDFs and images into Markdown, with Jina's models on the Elastic Inference Service (EIS): one document a page.

    Args:
        inference_id: The inference endpoint; `model` is an alias. Default: `.jina-ocr-v1-chat_completion` if the deployment has
            it (Elastic Stack 9.5), else an endpoint of task `document_extraction` (9.6, experimental).
        dpi: Dots an inch with which pages of a PDF are rendered for OCR; at most 6,000 pixels on a side. Default: 200.
        timeout: Seconds for the request of one page. The first request may take a minute. Default: 120.

    es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, max_retries, deadline, max_concurrency, use_case,
    ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress are described at `ServiceSettings`. Unknown
    arguments are an error. PDFs need the extra `[pdf]`.

    The metadata of a document: `source`, `mime_type`, `modality`; for a PDF `page`, from 1, and `pages`; for an image `width` and
    `height`; what the service knows, such as `title`; and `extra_info`, which overrides the others.

    Raises:
        ImportError: a PDF, without the extra `[pdf]`.
        ConfigurationError: (also a ValueError) invalid arguments; on first use, an endpoint that does not read pages.
        InputError: (also a ValueError) a file that is no PDF or image, is damaged, or needs a password. No request was sent.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types. `inputs` has the position of the page,
            from 0.

    Examples:
        ```python
        from llama_index.core import SimpleDirectoryReader
        from llama_index_jina_eis import JinaEISReader

        reader = JinaEISReader()
        pages = reader.load_data("report.pdf")
        folder = SimpleDirectoryReader("scans", file_extractor={".pdf": reader, ".png": reader}, raise_on_error=True)
        ```
    """

    product: ClassVar[str] = f"llama-index-jina-eis/{version('jina-eis')}"

    is_remote: bool = Field(default=True)
    """LlamaIndex's field: the pages are read by a service."""

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "JinaEISReader"

    def lazy_load_data(self, file: Embeddable, extra_info: dict[str, Any] | None = None, fs: Any = None) -> Iterable[Document]:
        """Yield the pages of a PDF, or the text of an image, in order, as they arrive. Up to eight pages are read at once.

        Args:
            file: A path, also as a string; bytes, a file opened in binary mode, or a node or resource with an image.
            extra_info: Metadata of each document.
            fs: The file system of the path, of fsspec, as `SimpleDirectoryReader` passes it. None: that of the machine.
        """
        with closing(self._read_pages(_medium(file, fs))) as pages:
            for page in pages:
                yield _document(page, extra_info)

    def load_data(self, file: Embeddable, extra_info: dict[str, Any] | None = None, fs: Any = None) -> list[Document]:
        """As `lazy_load_data`, as a list."""
        return list(self.lazy_load_data(file, extra_info, fs))

    async def aload_data(self, file: Embeddable, extra_info: dict[str, Any] | None = None, fs: Any = None) -> list[Document]:
        """As `load_data`, without blocking the event loop."""
        async with aclosing(self._aread_pages(await asyncio.to_thread(_medium, file, fs))) as pages:
            return [_document(page, extra_info) async for page in pages]

    async def alazy_load_data(
        self, file: Embeddable, extra_info: dict[str, Any] | None = None, fs: Any = None
    ) -> Iterable[Document]:
        """As `aload_data`: LlamaIndex's interface awaits all pages."""
        return await self.aload_data(file, extra_info, fs)


def _medium(file: Any, fs: Any) -> Medium:
    if fs is not None:
        with fs.open(str(file), "rb") as opened:
            return readable(Medium.from_bytes(opened.read(), source=str(file)))
    if isinstance(file, str):
        return readable(Medium.from_path(file))
    return readable(content(file, adapt=node_or_resource_content))


def _document(page: Page, extra_info: dict[str, Any] | None) -> Document:
    return Document(text=page.text, metadata={**page.metadata, **(extra_info or {})})
