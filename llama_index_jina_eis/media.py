"""What LlamaIndex's nodes and resources hold, as the core knows it."""

from __future__ import annotations

from typing import Any

from llama_index.core.schema import BaseNode, ImageNode, MediaResource, MetadataMode, Node

from jina_eis.errors import InputError
from jina_eis.inputs import Link, Part, address
from jina_eis.media import Medium

__all__ = ["held", "image_of", "medium_of"]


def held(value: Any) -> Part | Link | None:
    """What a node or resource holds: its medium, or else its text. None for any other object."""
    if isinstance(value, BaseNode):
        medium = medium_of(value)
        return value.get_content(metadata_mode=MetadataMode.EMBED) if medium is None else medium
    if isinstance(value, MediaResource):
        medium = _resource(value)
        return value.text if medium is None else medium
    return None


def image_of(value: Any) -> Part | Link | None:
    """As `held`, where a string names an image: a path, a URL or a data URI."""
    return address(value, "image/*") if isinstance(value, str) else held(value)


def medium_of(node: BaseNode) -> Medium | Link | None:
    """The image, sound or video of a node; None if it is a text."""
    if isinstance(node, ImageNode):
        if node.image:
            return _encoded(node.image, node.image_mimetype or "image/*")
        place = node.image_path or node.image_url
        return address(str(place), "image/*") if place else None
    if not isinstance(node, Node):
        return None
    resources = {"image": node.image_resource, "audio": node.audio_resource, "video": node.video_resource}
    media = [medium for kind, resource in resources.items() if resource and (medium := _resource(resource, f"{kind}/*"))]
    if len(media) > 1:
        raise InputError(f"the node {node.node_id} holds {len(media)} media and can have one vector only. Make a node of each.")
    return media[0] if media else None


def _resource(resource: MediaResource, kind: str = "") -> Medium | Link | None:
    """The medium of a resource. Only beside data, its MIME type is more than a guess by the name of a file."""
    if resource.data:
        return _encoded(resource.data.decode("ascii"), resource.mimetype or kind)
    if resource.path:
        return Medium.from_path(resource.path, kind)
    return address(str(resource.url), kind) if resource.url else None


def _encoded(base64: str, declared: str) -> Medium:
    return Medium.from_data_uri(base64, declared) if base64.startswith("data:") else Medium.from_base64(base64, declared)
