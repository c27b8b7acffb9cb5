"""The content of LlamaIndex's nodes and resources, in the types of the core.

The field that contains a string decides whether it is a path or a URL. URL fields accept no file URLs.
"""

from __future__ import annotations

import warnings
from base64 import b64decode
from pathlib import Path
from typing import Any

from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, MediaResource, MetadataMode, Node

from jina_eis.contents import Link, Medium, Part, looks_binary, medium_from_location, medium_from_url
from jina_eis.errors import InputError

__all__ = [
    "embedded_text",
    "has_image",
    "image_content",
    "image_or_text",
    "node_content",
    "node_or_resource_content",
    "node_text",
]


def node_or_resource_content(value: Any) -> Part | Link | None:
    """The medium of a node or resource, or else its text; None for other objects."""
    if isinstance(value, BaseNode):
        return _require_content(node_content(value), value.node_id)
    if isinstance(value, MediaResource):
        return _resource_content(value) or _require_content(value.text or "", "")
    return None


def image_content(value: Any) -> Part | Link | None:
    """As `node_or_resource_content`, but a string is the path, URL or data URI of an image."""
    return medium_from_location(value, "image/*") if isinstance(value, str) else node_or_resource_content(value)


def node_content(node: Any) -> Part | Link | None:
    """The image, sound or video of a node, or else its text, even if it is empty; None for other objects.

    Raises:
        InputError: the node is of a media type but contains neither a medium nor a text; or it contains several media.
    """
    if not isinstance(node, BaseNode):
        return None
    if isinstance(node, ImageNode):
        medium = _pdf_at(node.image_path) or _image_node_content(node)
        return _required_text(node) if medium is None else medium
    if not isinstance(node, Node):
        return node_text(node)
    resources = {"image/*": node.image_resource, "audio/*": node.audio_resource, "video/*": node.video_resource}
    if node.text_resource is not None and node.text_resource.text is None:  # a PDF, for which LlamaIndex has no place of its own
        resources["application/pdf"] = node.text_resource
    media = [medium for kind, resource in resources.items() if resource and (medium := _resource_content(resource, kind))]
    if len(media) > 1:
        raise InputError(
            f"the node {node.node_id} has {len(media)} media, but a node has one vector. Create a node for each medium."
        )
    if media:
        return media[0]
    text_only = node.text_resource is None or node.text_resource.text is not None
    for_media = isinstance(node, ImageDocument) or any(resources.values())
    return node_text(node) if text_only and not for_media else _required_text(node)


def embedded_text(node: Any) -> Part | Link | None:
    """The text of a node with the metadata that LlamaIndex embeds, or the medium of a node without a text, which a text field
    refuses; None for other objects."""
    if not isinstance(node, BaseNode):
        return None
    return node_text(node) if node.get_content(metadata_mode=MetadataMode.NONE) else node_content(node)


def node_text(node: BaseNode) -> str:
    """The text of a node, with the metadata that LlamaIndex embeds. Warns if it is binary data that a reader took for text."""
    text = node.get_content(metadata_mode=MetadataMode.NONE)
    kind = str(node.metadata.get("file_type") or "")
    if text and (kind.startswith(("image/", "audio/", "video/")) or looks_binary(text)):
        name = node.metadata.get("file_path") or node.metadata.get("file_name") or f"node {node.node_id}"
        warnings.warn(
            f"{name}{f' ({kind})' if kind else ''} is embedded as text. SimpleDirectoryReader reads files that it does not know "
            "as text. Load images with ImageNode(image_path=...), and sounds and videos with "
            "Document(audio_resource=MediaResource(path=...)) or video_resource.",
            stacklevel=2,
        )
    return node.get_content(metadata_mode=MetadataMode.EMBED)


def has_image(node: BaseNode) -> bool:
    """Whether a node contains an image."""
    if isinstance(node, ImageNode):
        return bool(node.image or node.image_path or node.image_url)
    return isinstance(node, Node) and node.image_resource is not None


def image_or_text(node: BaseNode, metadata_mode: MetadataMode) -> Part | Link:
    """The image of a node, or else its text with the metadata of this mode, even if it is empty."""
    image: Medium | Link | None = None
    if isinstance(node, ImageNode):
        image = _image_node_content(node)
    elif isinstance(node, Node) and node.image_resource:
        image = _resource_content(node.image_resource, "image/*")
    return node.get_content(metadata_mode=metadata_mode) if image is None else image


def _required_text(node: BaseNode) -> Part | Link:
    """The text of a node that is made for a medium and has none. Metadata alone are no content."""
    return _require_content(node_text(node) if node.get_content(metadata_mode=MetadataMode.NONE) else "", node.node_id)


def _require_content(content: Part | Link | None, node_id: str) -> Part | Link:
    if content:
        return content
    subject = f"the node {node_id}" if node_id else "it"
    raise InputError(
        f"{subject} has no content to embed. Create an ImageNode with image=<base64>, image_path or image_url; "
        "LlamaIndex drops the data of an image_resource."
    )


def _image_node_content(node: ImageNode) -> Medium | Link | None:
    """The image of a node. If the node has a path, its MIME type is a guess from the file name, and ignored."""
    if node.image:
        return _medium_from_base64(node.image, "image/*", node.image_path or "")
    if node.image_path:
        return Medium.from_path(node.image_path, "image/*")
    return medium_from_url(str(node.image_url), "image/*") if node.image_url else None


def _resource_content(resource: MediaResource, kind: str = "") -> Medium | Link | None:
    """The medium of a resource. LlamaIndex guesses its MIME type, so that of its place in a node counts for more."""
    if resource.data:
        guess = "" if resource.path else resource.mimetype or ""
        declared = kind if kind and (not guess or guess.startswith(("image/", "audio/", "video/"))) else guess
        return _medium_from_base64(resource.data.decode("ascii"), declared, str(resource.path or ""))
    if resource.path:
        return _pdf_at(resource.path) or Medium.from_path(resource.path, kind)
    return medium_from_url(str(resource.url), kind or resource.mimetype or "") if resource.url else None


def _pdf_at(path: str | Path | None) -> Medium | None:
    """The PDF at a path, which may stand in the place of an image; None for other names of files."""
    return Medium.from_path(path) if path and str(path).lower().endswith(".pdf") else None


def _medium_from_base64(base64: str, declared: str, source: str = "") -> Medium:
    if base64.startswith("ZGF0YT"):  # LlamaIndex encodes a data URI again
        base64 = b64decode(base64).decode("ascii", "replace")
    if base64[:16].lstrip().lower().startswith("data:"):
        return Medium.from_data_uri(base64, declared, source=source)
    return Medium.from_base64(base64, declared, source=source)
