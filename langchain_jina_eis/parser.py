"""`JinaEISParser`: LangChain's interface for the parsers of document loaders, over the shared core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from importlib.metadata import version
from typing import ClassVar

from langchain_core.document_loaders import BaseBlobParser
from langchain_core.documents import Document
from langchain_core.documents.base import Blob
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from jina_eis.adapters import ExtractionSettings, Page, readable
from jina_eis.contents import Medium
from jina_eis.errors import InputError
from jina_eis.transport import RateLimiter

from .media import from_blob

__all__ = ["JinaEISParser"]


class JinaEISParser(ExtractionSettings, BaseBlobParser):
    """Turns PDFs and images into Markdown, with Jina's models on the Elastic Inference Service (EIS): one document a page.

    Setup:
        Install `jina-eis[langchain,pdf]`, and set the address of your deployment. Images need no extra.

        ```bash
        pip install -U "jina-eis[langchain,pdf]"
        export ES_URL="https://my-deployment.es.example.com:443"
        export ES_API_KEY="..."
        ```

    Key init args:
        inference_id: str | None = None
            The inference endpoint; `model` is an alias. Default: `.jina-ocr-v1-chat_completion` if the deployment has it
            (Elastic Stack 9.5), else an endpoint of task `document_extraction` (9.6, experimental).
        dpi: int = 200
            Dots an inch with which pages of a PDF are rendered for OCR; at most 6,000 pixels on a side.
        timeout: float = 120
            Seconds for the request of one page. The first request may take a minute.
        rate_limiter: BaseRateLimiter | None = None
            Acquired before every request, including retries.

        es_url, es_cloud_id, es_api_key, es_user, es_password, client, async_client, max_retries, deadline, max_concurrency,
        use_case, ca_certs, verify_certs, ssl_assert_fingerprint, proxy, headers and http_compress are described at
        `ServiceSettings`. Unknown arguments are an error.

    Use:
        ```python
        from langchain_core.documents.base import Blob
        from langchain_jina_eis import JinaEISParser

        parser = JinaEISParser()
        for page in parser.lazy_parse(Blob.from_path("report.pdf")):
            print(page.metadata["page"], page.page_content)
        ```

        A loader of folders takes it as its parser: `GenericLoader(FileSystemBlobLoader(...), JinaEISParser())`.

    Async:
        ```python
        pages = await parser.aparse(Blob.from_path("report.pdf"))  # or: async for page in parser.alazy_parse(...)
        ```

    The metadata of a document: `source`, `mime_type`, `modality`; for a PDF `page`, from 1, and `pages`; for an image `width`
    and `height`; what the service knows, such as `title`; and the metadata of the blob, which override the others.

    Raises:
        ImportError: a PDF, without the extra `[pdf]`.
        ConfigurationError: (also a ValueError) invalid arguments; on first use, an endpoint that does not read pages.
        InputError: (also a ValueError) a blob that is no PDF or image, is damaged, or needs a password. No request was sent.
        JinaEISError: the service returned an error; see `jina_eis.errors` for the types. `inputs` has the position of the page,
            from 0. The documents of the pages before it were yielded.
    """

    product: ClassVar[str] = f"langchain-jina-eis/{version('jina-eis')}"

    rate_limiter: SkipJsonSchema[BaseRateLimiter | None] = Field(default=None, exclude=True, repr=False)

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """Yield the pages of a PDF, or the text of an image, in order, as they arrive. Up to eight pages are read at once."""
        with closing(self._read_pages(_medium(blob))) as pages:
            for page in pages:
                yield _document(page, blob)

    async def alazy_parse(self, blob: Blob) -> AsyncIterator[Document]:
        """As `lazy_parse`, without blocking the event loop."""
        async with aclosing(self._aread_pages(await asyncio.to_thread(_medium, blob))) as pages:
            async for page in pages:
                yield _document(page, blob)

    async def aparse(self, blob: Blob) -> list[Document]:
        """As `parse`, without blocking the event loop."""
        return [document async for document in self.alazy_parse(blob)]

    def _limiter(self) -> RateLimiter | None:
        return self.rate_limiter


def _medium(blob: Blob) -> Medium:
    part = from_blob(blob)
    if part is None:
        raise InputError(f"The blob is of type {type(blob).__name__}. Pass a Blob, such as Blob.from_path(path).")
    return readable(part)


def _document(page: Page, blob: Blob) -> Document:
    return Document(page_content=page.text, metadata={**page.metadata, **blob.metadata})
