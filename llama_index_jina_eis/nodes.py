"""Nodes as documents of an index: what is stored of a node, and the node that is made of a document.

A node comes back as it was stored: its class, text, metadata, relationships and hash. Scores are no part of it.
"""

from __future__ import annotations

import json
from typing import Any

from llama_index.core.schema import BaseNode, Document, ImageDocument, ImageNode, IndexNode, Node, TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from pydantic_core import PydanticSerializationError

from jina_eis.wire import well_formed_value

__all__ = ["NODE_CONTENT", "NODE_TYPE", "REF_DOC_ID", "restored_node", "stored_node"]

# The keys of LlamaIndex's Elasticsearch store, in the metadata of a document.
NODE_CONTENT = "_node_content"
NODE_TYPE = "_node_type"
REF_DOC_ID = "ref_doc_id"
_SOURCE_IDS = ("document_id", "doc_id", REF_DOC_ID)

_CLASSES: dict[str, type[BaseNode]] = {
    cls.class_name(): cls for cls in (Document, ImageDocument, ImageNode, IndexNode, Node, TextNode)
}
_RESOURCES = ("image_resource", "audio_resource", "video_resource")


def stored_node(node: BaseNode) -> dict[str, Any]:
    """The metadata of a node and, for LlamaIndex, all of its other fields, without the text and the vector."""
    try:
        stored = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
    except PydanticSerializationError:  # lone surrogates
        node = type(node).from_dict(well_formed_value(node.dict()))
        stored = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
    if node.ref_doc_id is None:  # LlamaIndex writes "None", which a search for a document of this id would find
        for name in _SOURCE_IDS:
            stored.pop(name)
            if name in node.metadata:
                stored[name] = node.metadata[name]
    if isinstance(node, Node):
        stored[NODE_CONTENT] = _with_resources(stored[NODE_CONTENT], node)
    return stored


def restored_node(id_: str, text: str, metadata: dict[str, Any], foreign_metadata: dict[str, Any]) -> BaseNode:
    """The node that was stored, or a new one for a document of another application.

    Args:
        id_: The id of the document.
        text: Its text.
        metadata: Its metadata as they are stored.
        foreign_metadata: The metadata of the new node.
    """
    content = metadata.get(NODE_CONTENT)
    if content is None:
        return TextNode(id_=id_, text=text, metadata=foreign_metadata)
    node = _CLASSES.get(metadata.get(NODE_TYPE, ""), TextNode).from_json(content)
    if isinstance(node, Node) and node.text_resource is not None:
        node.text_resource.text = text
    elif text or not isinstance(node, Node):
        node.set_content(text)
    return node


def _with_resources(content: str, node: Node) -> str:
    """Add what LlamaIndex leaves out: the data of media, and where a text came from, which are in the hash of a node."""
    fields = json.loads(content)
    fields.pop("text", None)
    for name in _RESOURCES:
        resource = getattr(node, name)
        if resource is not None and resource.data is not None:
            fields[name]["data"] = resource.data.decode("ascii")
    if node.text_resource is not None:
        fields["text_resource"] = {**node.text_resource.model_dump(mode="json"), "text": ""}
    return json.dumps(fields, ensure_ascii=False)
