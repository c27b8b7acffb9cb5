"""Nodes as documents of an index: what is stored of a node, and the node that is made of a document.

A node comes back as it was stored: its class, text, metadata, relationships and hash. Scores are no part of it.
"""

from __future__ import annotations

import json
from typing import Any

from llama_index.core.schema import BaseNode, Document, ImageDocument, ImageNode, IndexNode, Node, TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from pydantic_core import PydanticSerializationError

from jina_eis.adapters import metadata_of, passages_of, stored_metadata
from jina_eis.steps import SearchResult
from jina_eis.wire import find_lone_surrogate, json_line, well_formed_value

__all__ = ["NODE_CONTENT", "NODE_TYPE", "REF_DOC_ID", "RESOURCES", "restored_node", "stored_node"]

# The keys of LlamaIndex's Elasticsearch store, in the metadata of a document.
NODE_CONTENT = "_node_content"
NODE_TYPE = "_node_type"
REF_DOC_ID = "ref_doc_id"
_SOURCE_IDS = ("document_id", "doc_id", REF_DOC_ID)

_CLASSES: dict[str, type[BaseNode]] = {
    cls.class_name(): cls for cls in (Document, ImageDocument, ImageNode, IndexNode, Node, TextNode)
}
RESOURCES = ("image_resource", "audio_resource", "video_resource")


def stored_node(node: BaseNode, id_: str) -> dict[str, Any]:
    """The metadata of a node and, for LlamaIndex, all of its other fields, without the text and the vector.

    What a search has added to the metadata is left out.

    Raises:
        InputError: the metadata have a value that JSON lacks; it names the key.
    """
    metadata = stored_metadata(node.metadata)
    mends = find_lone_surrogate(metadata, "metadata") is not None
    if mends or id_ != node.node_id or metadata.keys() != node.metadata.keys():
        node = node.model_copy(update={"id_": id_, "metadata": well_formed_value(metadata) if mends else metadata})
    try:
        stored = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
    except PydanticSerializationError:  # lone surrogates outside of the metadata, or what JSON lacks
        json_line({"metadata": node.metadata})
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


def restored_node(result: SearchResult) -> BaseNode:
    """The node as it was stored, or a new node for a document of another application.

    `highlight` adds passages, and a new node has `_id` and `_index`: in metadata that models do not read.
    """
    metadata = result.hit.source.get("metadata")
    if isinstance(metadata, dict) and NODE_CONTENT in metadata:
        node = _with_text(_CLASSES.get(metadata.get(NODE_TYPE, ""), TextNode).from_json(metadata[NODE_CONTENT]), result.text)
        added = passages_of(result)
        node.metadata = {**node.metadata, **added}
    else:
        own = metadata_of(result)
        added = {name: own[name] for name in ("_id", "_index", "highlights") if name in own}
        node = TextNode(id_=result.hit.id, text=result.text, metadata=own)
    if added:
        node.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, *added]
        node.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, *added]
    return node


def _with_text(node: BaseNode, text: str) -> BaseNode:
    if isinstance(node, Node) and node.text_resource is not None:
        node.text_resource.text = text
    elif text or not isinstance(node, Node):  # a node of media alone has no text
        node.set_content(text)
    return node


def _with_resources(content: str, node: Node) -> str:
    """Add what LlamaIndex leaves out: the data of media, and where a text came from, which are in the hash of a node."""
    fields = json.loads(content)
    fields.pop("text", None)
    for name in RESOURCES:
        resource = getattr(node, name)
        if resource is not None and resource.data is not None:
            fields[name]["data"] = resource.data.decode("ascii")
    if node.text_resource is not None:
        fields["text_resource"] = {**node.text_resource.model_dump(mode="json"), "text": ""}
    return json.dumps(fields, ensure_ascii=False)
