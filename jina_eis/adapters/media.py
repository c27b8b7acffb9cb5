"""Settings of the adapters that also embed media, and the vectors of images, sounds, videos and PDFs.

It knows no framework: the classes of the frameworks state what their own objects contain, and embed the list.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from functools import partial
from typing import Any, cast, get_args, overload

from ..contents import Content, Embeddable, Image, Link, Medium, Part, content, content_list, in_thread, known_pages, label
from ..errors import InputError, InvalidAnswerError
from ..steps import AnyEmbedded, Embedded, Folding, max_in_flight, unpacked_pages
from ..wire import EndpointInfo, InputType, Steps, Vector, Watch
from .embedding import EmbeddingSettings
from .embedding_calls import Calls, content_calls

__all__ = ["ContentSettings"]


class ContentSettings(EmbeddingSettings):
    """Settings of the adapters that also embed media, with methods that neither framework defines."""

    allow_url_fetch: bool = False
    """Whether media may be fetched from URLs: http and https, public addresses, up to 20 MB each."""
    pass_urls: bool = False
    """Whether URLs of media are passed on to the service, which fetches them: nothing is fetched here, even
    with `allow_url_fetch`. Needs Elastic Stack 9.6, which documents it for images. A URL with a private, loopback or
    link-local address is refused; a name is resolved by the service alone."""

    @overload
    def embed_content(self, item: str | Image, *, input_type: InputType | None = None) -> Vector: ...

    @overload
    def embed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded: ...

    def embed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded:
        """Embed a text, image, sound, video or PDF. Media need a model that embeds them, such as an omni model.

        A `str` is text, even if it is the path of a file, unless it starts as the data URI of a medium does
        (`data:image/png;base64,`). Media: `pathlib.Path`, bytes, a file opened in binary mode, a data URI, a PIL image,
        LangChain's `Blob` and content blocks (`{"type": "image", "base64": ...}`); URLs in blocks need
        `allow_url_fetch=True` or `pass_urls=True`.
        The bytes of a medium determine its type.

        Args:
            item: One of these, or a list of them, which becomes one vector (Elastic Stack 9.5).
            input_type: The role. Default: the role of documents; use "search" for a query by image.

        Returns:
            One vector. For a PDF, always a list of vectors, one for each page: `embed_pages` has a precise type for it.

        Raises:
            InputError: the item cannot be embedded. No request was sent.
        """
        role = self._role(input_type)
        read = content(item, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return self._embed_all([read], role)[0]

    @overload
    async def aembed_content(self, item: str | Image, *, input_type: InputType | None = None) -> Vector: ...

    @overload
    async def aembed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded: ...

    async def aembed_content(self, item: Embeddable, *, input_type: InputType | None = None) -> Embedded:
        """As `embed_content`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content, item, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return (await self._aembed_all([await in_thread(read)], role))[0]

    def embed_pages(self, pdf: Embeddable, *, input_type: InputType | None = None) -> list[Vector]:
        """Embed the pages of a PDF, and return one vector for each, in order, as `embed_content` does.

        With the extra `[pdf]`, the pages are counted before the request, and the vectors are compared with them.

        Args:
            pdf: A PDF, of any type that `embed_content` takes.
            input_type: The role. Default: the role of documents.

        Raises:
            InputError: it is not a PDF, or cannot be embedded. No request was sent.
            InvalidAnswerError: the service returned another number of vectors than the PDF has pages.
        """
        role = self._role(input_type)
        read = content(pdf, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        pages = known_pages(_require_pdf(read))
        return _one_for_each_page(self._embed_all([read], role)[0], pages, label(read))

    async def aembed_pages(self, pdf: Embeddable, *, input_type: InputType | None = None) -> list[Vector]:
        """As `embed_pages`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content, pdf, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        medium = _require_pdf(await in_thread(read))
        pages = await asyncio.to_thread(known_pages, medium)
        return _one_for_each_page((await self._aembed_all([medium], role))[0], pages, label(medium))

    @overload
    def embed_contents(self, items: Iterable[str | Image], *, input_type: InputType | None = None) -> list[Vector]: ...

    @overload
    def embed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Embedded]: ...

    def embed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Any]:
        """Embed items, and return one result for each, in input order. `embed_content` describes the types of an item.

        All items are checked before the first request. Files are read when they are sent, large files a few at a time. Fetched
        media are kept in memory until they are sent.

        Args:
            items: Any number of items. A list among them is one item.
            input_type: The role of all items. Default: the role of documents.

        Returns:
            One vector for each item; for a PDF, a list of vectors, one for each page.

        Raises:
            InputError: an item cannot be embedded; the error names its position. No request was sent, unless a file changed
                after it was checked.
            JinaEISError: some items were not embedded; the error names them. No result is returned.
        """
        role = self._role(input_type)
        read = content_list(items, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return self._embed_all(read, role)

    @overload
    async def aembed_contents(self, items: Iterable[str | Image], *, input_type: InputType | None = None) -> list[Vector]: ...

    @overload
    async def aembed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Embedded]: ...

    async def aembed_contents(self, items: Iterable[Embeddable], *, input_type: InputType | None = None) -> list[Any]:
        """As `embed_contents`, without blocking the event loop."""
        role = self._role(input_type)
        read = partial(content_list, items, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=self._adapt)
        return await self._aembed_all(await in_thread(read), role)

    def _embed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        raise NotImplementedError

    async def _aembed_all(self, contents: list[Content], role: InputType) -> list[Embedded]:
        raise NotImplementedError

    def _content_vectors(
        self,
        contents: Sequence[Content],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        watch: Watch | None = None,
    ) -> Generator[Embedded, None, None]:
        """Yield the results of texts and media, in input order. A caller that may stop early must close the generator."""
        limit = min(filter(None, (ahead, max_in_flight(contents))), default=None)
        return self._stream(*self._content_calls(contents, role, positions), role, limit, watch=watch)

    def _acontent_vectors(
        self,
        contents: Sequence[Content],
        role: InputType,
        positions: Sequence[int] | None = None,
        ahead: int | None = None,
        watch: Watch | None = None,
    ) -> AsyncGenerator[Embedded, None]:
        """As `_content_vectors`, without blocking the event loop."""
        limit = min(filter(None, (ahead, max_in_flight(contents))), default=None)
        return self._astream(*self._content_calls(contents, role, positions), role, limit, watch=watch)

    def _content_calls(
        self, contents: Sequence[Content], role: InputType, positions: Sequence[int] | None
    ) -> tuple[Steps[EndpointInfo], Folding[AnyEmbedded, Embedded], Calls[AnyEmbedded]]:
        """As `_text_calls`, for texts and media."""
        embedder, folding = self._embedder(role), Folding[AnyEmbedded, Embedded](unpacked_pages)
        calls = content_calls(embedder, folding, contents, role, positions, self._length_check())
        return embedder.plan(contents), folding, calls

    def _role(self, input_type: InputType | None) -> InputType:
        if input_type is None:
            return self.document_input_type
        if input_type not in get_args(InputType):
            suggestion = {"query": "search", "document": "ingest", "passage": "ingest"}.get(str(input_type))
            hint = f" Did you mean {suggestion!r}?" if suggestion else ""
            raise InputError(f"input_type={input_type!r}: pass {', '.join(map(repr, get_args(InputType)))} or None.{hint}")
        return input_type

    def _adapt(self, value: Any) -> Part | Link | None:
        """The content of a framework object; None for other objects."""
        raise NotImplementedError


def _require_pdf(content: Content) -> Medium:
    if isinstance(content, Medium) and content.modality == "pdf":
        return content
    kind = content.mime or content.modality if isinstance(content, Medium) else "a text" if isinstance(content, str) else "a list"
    raise InputError(f"The input is {kind}, not a PDF. Use embed_content.")


def _one_for_each_page(vectors: Embedded, pages: int | None, name: str) -> list[Vector]:
    found = cast("list[Vector]", vectors)
    if pages is not None and len(found) != pages:
        raise InvalidAnswerError(
            f"The service returned {len(found)} vectors for {name}, which has {pages} page{'s' * (pages > 1)}."
        )
    return found
