"""The content of LlamaIndex's nodes and resources, in the types of the core.

The field that contains a string decides whether it is a path or a URL. URL fields accept no file URLs.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.schema import BaseNode, ImageNode, MediaResource, MetadataMode, Node

from jina_eis.contents import Link, Medium, Part, medium_from_location, medium_from_url
from jina_eis.errors import InputError

__all__ = ["image_content", "node_content", "node_or_resource_content"]


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
        medium = _image_node_content(node)
        return _require_content(_embedded_text(node), node.node_id) if medium is None else medium
    if not isinstance(node, Node):
        return _embedded_text(node)
    resources = {"image": node.image_resource, "audio": node.audio_resource, "video": node.video_resource}
    media = [medium for kind, resource in resources.items() if resource and (medium := _resource_content(resource, f"{kind}/*"))]
    if len(media) > 1:
        raise InputError(
            f"the node {node.node_id} has {len(media)} media, but a node has one vector. Create a node for each medium."
        )
    if media:
        return media[0]
    text_only = node.text_resource is None or node.text_resource.text is not None
    return (
        _embedded_text(node)
        if text_only and not any(resources.values())
        else _require_content(_embedded_text(node), node.node_id)
    )


def _embedded_text(node: BaseNode) -> str:
    return node.get_content(metadata_mode=MetadataMode.EMBED)


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
        return _medium_from_base64(node.image, "image/*" if node.image_path else node.image_mimetype or "image/*")
    if node.image_path:
        return Medium.from_path(node.image_path, "image/*")
    return medium_from_url(str(node.image_url), "image/*") if node.image_url else None


def _resource_content(resource: MediaResource, kind: str = "") -> Medium | Link | None:
    if resource.data:
        return _medium_from_base64(resource.data.decode("ascii"), kind if resource.path else resource.mimetype or kind)
    if resource.path:
        return Medium.from_path(resource.path, kind)
    return medium_from_url(str(resource.url), kind or resource.mimetype or "") if resource.url else None


def _medium_from_base64(base64: str, declared: str) -> Medium:
    return Medium.from_data_uri(base64, declared) if base64.startswith("data:") else Medium.from_base64(base64, declared)
