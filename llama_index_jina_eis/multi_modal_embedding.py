"""`JinaEISMultiModalEmbedding`: LlamaIndex's interface for models that embed texts and images into one space."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing, closing, suppress
from functools import partial
from io import BytesIO
from os import PathLike
from typing import Any, cast

from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageNode, MediaResource, Node
from pydantic import Field

from jina_eis.adapters import ENDPOINT_NAMES, ContentSettings, with_progress
from jina_eis.contents import Content, Image, Link, Medium, Part, content_list, image_list, in_thread, label
from jina_eis.errors import InputError
from jina_eis.steps import Embedded, check_images
from jina_eis.wire import InputType, Vector

from .embedding import JinaEISEmbedding
from .media import held, image_of, node_content

__all__ = ["JinaEISMultiModalEmbedding"]

AnyImage = str | BytesIO | PathLike[str] | bytes | Image | ImageNode | Node | MediaResource


class JinaEISMultiModalEmbedding(JinaEISEmbedding, ContentSettings, MultiModalEmbedding):
    """Jina's omni models on the Elastic Inference Service (EIS): texts, images, sounds and videos in one vector space.

    It does with texts what `JinaEISEmbedding` does, and besides:

    - `get_image_embedding`, its async and batch forms take a path or URL (here a string is one, as everywhere in
      LlamaIndex), `BytesIO`, `pathlib.Path`, bytes, an image of PIL, `ImageNode`, `ImageDocument` or `MediaResource`.
    - Called with nodes, as pipelines do, it embeds the image, sound or video of those that hold one, and the text of the
      others. Of a node with both, the medium is embedded and not the text.
    - `embed_content` and `embed_contents` take anything, in any role: PDFs and several parts that become one vector too.

    Args:
        inference_id: An endpoint of task `embedding`. Default: `.jina-embeddings-v5-omni-small`.
        allow_url_fetch: Whether media may be fetched from the URLs they are given as: http and https, public addresses, up
            to 20 MB each. `MultiModalVectorStoreIndex` fetches the URLs of its nodes itself, whatever this says. Default:
            False.

    The other arguments are those of `JinaEISEmbedding`. Images get the role of documents; for a query by image use
    `embed_content(image, input_type="search")`. The cache of an `IngestionPipeline` knows nodes by their text and metadata only,
    not by their image: pass it `disable_cache=True`, or give every node metadata that differ and change with the image. A plain
    `VectorStoreIndex` embeds the texts of nodes and nothing else. LlamaIndex's spans hold whole nodes, with their base64.

    Examples:
        ```python
        from llama_index.core.indices import MultiModalVectorStoreIndex
        from llama_index_jina_eis import JinaEISMultiModalEmbedding

        model = JinaEISMultiModalEmbedding()
        index = MultiModalVectorStoreIndex.from_documents(documents, embed_model=model, image_embed_model=model)
        ```
    """

    inference_id: str = Field(
        default=".jina-embeddings-v5-omni-small", min_length=1, validation_alias=ENDPOINT_NAMES, frozen=True
    )

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        check_images(self.inference_id)

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form, under which LlamaIndex's `load_embed_model` finds the class."""
        return "JinaEISMultiModalEmbedding"

    # LlamaIndex's own versions send no events, and in async all batches at once.

    def get_image_embedding(self, img_file_path: AnyImage) -> Vector:
        """The vector of an image, as long as those of texts."""
        return self.get_image_embedding_batch([img_file_path])[0]

    async def aget_image_embedding(self, img_file_path: AnyImage) -> Vector:
        """As `get_image_embedding`, without blocking the event loop."""
        return (await self.aget_image_embedding_batch([img_file_path]))[0]

    def get_image_embedding_batch(self, img_file_paths: Sequence[AnyImage], show_progress: bool = False) -> list[Vector]:
        """One vector for each image, in their order. No images, no request."""
        images = self._images(img_file_paths)
        return cast("list[Vector]", self._embed_all(images, self.document_input_type, show_progress))

    async def aget_image_embedding_batch(self, img_file_paths: Sequence[AnyImage], show_progress: bool = False) -> list[Vector]:
        """As `get_image_embedding_batch`, without blocking the event loop."""
        images = await self._aimages(img_file_paths)
        return cast("list[Vector]", await self._aembed_all(images, self.document_input_type, show_progress))

    def __call__(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> Sequence[BaseNode]:
        """Give every node its vector: of the image, sound or video that it holds, or else of its text."""
        nodes = nodes if isinstance(nodes, Sequence) else list(nodes)
        contents = self._node_contents(nodes)
        (at_texts, texts), (at_media, media) = _divided(contents)
        of_texts = self._embed(texts, self.document_input_type, show_progress, at_texts)
        of_media = self._embed_all(media, self.document_input_type, show_progress, at_media)
        return _filled(nodes, [*at_texts, *at_media], [*of_texts, *of_media])

    async def acall(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> Sequence[BaseNode]:
        """As calling it, without blocking the event loop."""
        nodes = nodes if isinstance(nodes, Sequence) else list(nodes)
        contents = await self._anode_contents(nodes)
        (at_texts, texts), (at_media, media) = _divided(contents)
        of_texts = await self._aembed(texts, self.document_input_type, show_progress, at_texts)
        of_media = await self._aembed_all(media, self.document_input_type, show_progress, at_media)
        return _filled(nodes, [*at_texts, *at_media], [*of_texts, *of_media])

    def _get_image_embedding(self, img_file_path: AnyImage) -> Vector:
        return self.get_image_embedding(img_file_path)

    async def _aget_image_embedding(self, img_file_path: AnyImage) -> Vector:
        return await self.aget_image_embedding(img_file_path)

    def _embed_all(
        self, contents: list[Content], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Embedded]:
        if not contents:
            return []
        embedded = self._embedded(contents, role, positions, self.num_workers)
        with self._observed(_chunks(contents)) as observed, closing(embedded):
            return observed(list(with_progress(embedded, len(contents), show_progress)))

    async def _aembed_all(
        self, contents: list[Content], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Embedded]:
        if not contents:
            return []
        embedded = self._aembedded(contents, role, positions, self.num_workers)
        with self._observed(_chunks(contents)) as observed:
            async with aclosing(embedded):
                return observed([each async for each in with_progress(embedded, len(contents), show_progress)])

    def _adapt(self, value: Any) -> Part | Link | None:
        return held(value)

    def _images(self, images: Any) -> list[Content]:
        return image_list(images, may_fetch=self.allow_url_fetch, adapt=image_of)

    async def _aimages(self, images: Any) -> list[Content]:
        return await in_thread(partial(image_list, images, may_fetch=self.allow_url_fetch, adapt=image_of))

    def _node_contents(self, nodes: Sequence[BaseNode]) -> list[Content]:
        return _without_pages(content_list(nodes, may_fetch=self.allow_url_fetch, adapt=node_content))

    async def _anode_contents(self, nodes: Sequence[BaseNode]) -> list[Content]:
        read = partial(content_list, nodes, may_fetch=self.allow_url_fetch, adapt=node_content)
        return _without_pages(await in_thread(read))


def _without_pages(contents: list[Content]) -> list[Content]:
    for position, content in enumerate(contents):
        if isinstance(content, Medium) and content.modality == "pdf":
            raise InputError(f"Input {position} ({content.label}) is a PDF, and a node has one vector. Use embed_content.")
    return contents


def _chunks(contents: Sequence[Content]) -> list[str]:
    """What events are told of the inputs: never the data of a medium."""
    return [label(content) for content in contents]


def _divided(contents: Sequence[Content]) -> tuple[tuple[list[int], list[str]], tuple[list[int], list[Content]]]:
    """The texts, which caches know, and the media; each with their positions."""
    texts = {position: content for position, content in enumerate(contents) if isinstance(content, str)}
    media = {position: content for position, content in enumerate(contents) if not isinstance(content, str)}
    return (list(texts), list(texts.values())), (list(media), list(media.values()))


def _filled(nodes: Sequence[BaseNode], positions: Sequence[int], embedded: Sequence[Embedded]) -> Sequence[BaseNode]:
    """The nodes with their vectors, once all of these are there."""
    for position, vector in zip(positions, embedded, strict=True):
        nodes[position].embedding = cast(Vector, vector)
    return nodes


with suppress(ImportError):  # a table of LlamaIndex's that a later version may do without
    from llama_index.core.embeddings.loading import RECOGNIZED_EMBEDDINGS

    RECOGNIZED_EMBEDDINGS.setdefault(JinaEISMultiModalEmbedding.class_name(), JinaEISMultiModalEmbedding)
