"""What LlamaIndex's nodes and resources hold, as the core knows it.

Their fields say whether a string is a path or a URL; a URL is never one of a file here.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.schema import BaseNode, ImageNode, MediaResource, MetadataMode, Node

from jina_eis.contents import Link, Medium, Part, address, link
from jina_eis.errors import InputError

__all__ = ["held", "image_of", "node_content"]


def held(value: Any) -> Part | Link | None:
    """What a node or resource holds: its medium, or else its text. None for any other object."""
    if isinstance(value, BaseNode):
        return _something(node_content(value), value.node_id)
    if isinstance(value, MediaResource):
        return _resource(value) or _something(value.text or "", "")
    return None


def image_of(value: Any) -> Part | Link | None:
    """As `held`, where a string names an image: a path, a URL or a data URI."""
    return address(value, "image/*") if isinstance(value, str) else held(value)


def node_content(node: Any) -> Part | Link | None:
    """The image, sound or video of a node, or else its text, even if that is empty; None for what is no node.

    Raises:
        InputError: a node that is made for a medium, and holds neither one nor a text; or that holds several media.
    """
    if not isinstance(node, BaseNode):
        return None
    if isinstance(node, ImageNode):
        medium = _image(node)
        return _something(_text(node), node.node_id) if medium is None else medium
    if not isinstance(node, Node):
        return _text(node)
    resources = {"image": node.image_resource, "audio": node.audio_resource, "video": node.video_resource}
    media = [medium for kind, resource in resources.items() if resource and (medium := _resource(resource, f"{kind}/*"))]
    if len(media) > 1:
        raise InputError(f"the node {node.node_id} holds {len(media)} media and can have one vector only. Make a node of each.")
    if media:
        return media[0]
    plain = node.text_resource is None or node.text_resource.text is not None
    return _text(node) if plain and not any(resources.values()) else _something(_text(node), node.node_id)


def _text(node: BaseNode) -> str:
    return node.get_content(metadata_mode=MetadataMode.EMBED)


def _something(content: Part | Link | None, node_id: str) -> Part | Link:
    if content:
        return content
    which = f"the node {node_id}" if node_id else "it"
    raise InputError(
        f"{which} holds nothing that can be embedded. An ImageNode takes image=<base64>, image_path or image_url; "
        "the data of an image_resource is dropped by LlamaIndex."
    )


def _image(node: ImageNode) -> Medium | Link | None:
    """The image of a node. Beside a path, its MIME type is a guess by the name of the file."""
    if node.image:
        return _encoded(node.image, "image/*" if node.image_path else node.image_mimetype or "image/*")
    if node.image_path:
        return Medium.from_path(node.image_path, "image/*")
    return link(str(node.image_url), "image/*") if node.image_url else None


def _resource(resource: MediaResource, kind: str = "") -> Medium | Link | None:
    if resource.data:
        return _encoded(resource.data.decode("ascii"), kind if resource.path else resource.mimetype or kind)
    if resource.path:
        return Medium.from_path(resource.path, kind)
    return link(str(resource.url), kind) if resource.url else None


def _encoded(base64: str, declared: str) -> Medium:
    return Medium.from_data_uri(base64, declared) if base64.startswith("data:") else Medium.from_base64(base64, declared)
