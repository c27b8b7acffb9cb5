"""`JinaEISMultiModalEmbedding`: LlamaIndex's interface for models that embed texts and images into one space."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing, closing, suppress
from functools import partial
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageNode, MediaResource, Node
from pydantic import Field

from jina_eis.adapters import ENDPOINT_NAMES, ContentSettings, progress_bar
from jina_eis.contents import Content, Image, Link, Medium, Part, content_list, image_list, in_thread, label
from jina_eis.errors import InputError
from jina_eis.steps import Embedded, check_images
from jina_eis.wire import InputType, Vector

from .embedding import JinaEISEmbedding
from .media import image_content, node_content, node_or_resource_content

__all__ = ["JinaEISMultiModalEmbedding"]

AnyImage = str | BytesIO | PathLike[str] | bytes | Image | ImageNode | Node | MediaResource


class JinaEISMultiModalEmbedding(JinaEISEmbedding, ContentSettings, MultiModalEmbedding):
    """Jina's omni models on the Elastic Inference Service (EIS): texts, images, sounds and videos in one vector space.

    It embeds texts as `JinaEISEmbedding` does. In addition:

    - `get_image_embedding` and its async and batch forms take a path or URL as a string (as everywhere in LlamaIndex),
      `BytesIO`, `pathlib.Path`, bytes, a PIL image, `ImageNode`, `ImageDocument` or `MediaResource`.
    - Called with nodes, as pipelines do, it embeds the image, sound or video of a node. It embeds the text of a node only if
      the node has no medium.
    - `embed_content` and `embed_contents` take any content in any role, including PDFs and lists fused into one vector.

    Args:
        inference_id: An endpoint of task `embedding`. Default: `.jina-embeddings-v5-omni-small`.
        allow_url_fetch: Whether media may be fetched from URLs: http and https, public addresses, up to 20 MB each.
            `MultiModalVectorStoreIndex` always fetches the URLs of its nodes itself. Default: False.
        pass_urls: Whether URLs are passed on to the service, which fetches them (Elastic Stack 9.6); nothing is fetched here
            then. Default: False.

    The other arguments are those of `JinaEISEmbedding`. Images are embedded in the role of documents; for a query by image
    use `embed_content(image, input_type="search")`. The cache of an `IngestionPipeline` identifies nodes by text and metadata,
    not by image: pass it `disable_cache=True`, or give each node unique metadata that change with the image. A plain
    `VectorStoreIndex` embeds only the texts of nodes. LlamaIndex's spans contain whole nodes, including their base64.

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

    if not TYPE_CHECKING:  # type checkers derive the arguments from the fields

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            check_images(self.inference_id)

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form, under which LlamaIndex's `load_embed_model` finds the class."""
        return "JinaEISMultiModalEmbedding"

    # LlamaIndex's own methods send no events, and the async ones send all batches at once.

    def get_image_embedding(self, img_file_path: AnyImage) -> Vector:
        """Embed an image. The vector has the same length as the vectors of texts."""
        return self.get_image_embedding_batch([img_file_path])[0]

    async def aget_image_embedding(self, img_file_path: AnyImage) -> Vector:
        """As `get_image_embedding`, without blocking the event loop."""
        return (await self.aget_image_embedding_batch([img_file_path]))[0]

    def get_image_embedding_batch(self, img_file_paths: Sequence[AnyImage], show_progress: bool = False) -> list[Vector]:
        """Embed images, and return one vector for each, in input order. An empty list sends no request."""
        images = self._images(img_file_paths)
        return cast("list[Vector]", self._embed_all(images, self.document_input_type, show_progress))

    async def aget_image_embedding_batch(self, img_file_paths: Sequence[AnyImage], show_progress: bool = False) -> list[Vector]:
        """As `get_image_embedding_batch`, without blocking the event loop."""
        images = await self._aimages(img_file_paths)
        return cast("list[Vector]", await self._aembed_all(images, self.document_input_type, show_progress))

    def __call__(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> Sequence[BaseNode]:
        """Set the embedding of every node: of its image, sound or video, or else of its text."""
        nodes = nodes if isinstance(nodes, Sequence) else list(nodes)
        contents = self._node_contents(nodes)
        (text_positions, texts), (media_positions, media) = _split_texts_and_media(contents)
        text_vectors = self._embed(texts, self.document_input_type, show_progress, text_positions)
        media_vectors = self._embed_all(media, self.document_input_type, show_progress, media_positions)
        return _set_embeddings(nodes, [*text_positions, *media_positions], [*text_vectors, *media_vectors])

    async def acall(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> Sequence[BaseNode]:
        """As `__call__`, without blocking the event loop."""
        nodes = nodes if isinstance(nodes, Sequence) else list(nodes)
        contents = await self._anode_contents(nodes)
        (text_positions, texts), (media_positions, media) = _split_texts_and_media(contents)
        text_vectors = await self._aembed(texts, self.document_input_type, show_progress, text_positions)
        media_vectors = await self._aembed_all(media, self.document_input_type, show_progress, media_positions)
        return _set_embeddings(nodes, [*text_positions, *media_positions], [*text_vectors, *media_vectors])

    def _get_image_embedding(self, img_file_path: AnyImage) -> Vector:
        return self.get_image_embedding(img_file_path)

    async def _aget_image_embedding(self, img_file_path: AnyImage) -> Vector:
        return await self.aget_image_embedding(img_file_path)

    def _embed_all(
        self, contents: list[Content], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Embedded]:
        if not contents:
            return []
        with (
            self._embedding_events(_labels(contents)) as report,
            progress_bar(len(contents), show_progress) as bar,
            closing(self._content_vectors(contents, role, positions, self.num_workers, bar)) as embedded,
        ):
            return report(list(embedded))

    async def _aembed_all(
        self, contents: list[Content], role: InputType, show_progress: bool = False, positions: Sequence[int] | None = None
    ) -> list[Embedded]:
        if not contents:
            return []
        with self._embedding_events(_labels(contents)) as report, progress_bar(len(contents), show_progress) as bar:
            async with aclosing(self._acontent_vectors(contents, role, positions, self.num_workers, bar)) as embedded:
                return report([vector async for vector in embedded])

    def _adapt(self, value: Any) -> Part | Link | None:
        return node_or_resource_content(value)

    def _images(self, images: Any) -> list[Content]:
        return image_list(images, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=image_content)

    async def _aimages(self, images: Any) -> list[Content]:
        return await in_thread(
            partial(image_list, images, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=image_content)
        )

    def _node_contents(self, nodes: Sequence[BaseNode]) -> list[Content]:
        return _reject_pdfs(content_list(nodes, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=node_content))

    async def _anode_contents(self, nodes: Sequence[BaseNode]) -> list[Content]:
        read = partial(content_list, nodes, may_fetch=self.allow_url_fetch, pass_urls=self.pass_urls, adapt=node_content)
        return _reject_pdfs(await in_thread(read))


def _reject_pdfs(contents: list[Content]) -> list[Content]:
    for position, content in enumerate(contents):
        if isinstance(content, Medium) and content.modality == "pdf":
            raise InputError(f"Input {position} ({content.label}) is a PDF, but a node has one vector. Use embed_content.")
    return contents


def _labels(contents: Sequence[Content]) -> list[str]:
    """Labels of the inputs for events, without the data of media."""
    return [label(content) for content in contents]


def _split_texts_and_media(contents: Sequence[Content]) -> tuple[tuple[list[int], list[str]], tuple[list[int], list[Content]]]:
    """The texts, which can be cached, and the media, with their positions."""
    texts = {position: content for position, content in enumerate(contents) if isinstance(content, str)}
    media = {position: content for position, content in enumerate(contents) if not isinstance(content, str)}
    return (list(texts), list(texts.values())), (list(media), list(media.values()))


def _set_embeddings(nodes: Sequence[BaseNode], positions: Sequence[int], embedded: Sequence[Embedded]) -> Sequence[BaseNode]:
    """Set the vectors on the nodes, after all of them have arrived."""
    for position, vector in zip(positions, embedded, strict=True):
        nodes[position].embedding = cast(Vector, vector)
    return nodes


with suppress(ImportError):  # a later version of LlamaIndex may not have this table
    from llama_index.core.embeddings.loading import RECOGNIZED_EMBEDDINGS

    RECOGNIZED_EMBEDDINGS.setdefault(JinaEISMultiModalEmbedding.class_name(), JinaEISMultiModalEmbedding)
