"""What `JinaEISRetriever` and `JinaEISVectorStore` write: records of LlamaIndex's nodes, one for each page of a PDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from llama_index.core.schema import BaseNode, MetadataMode, Node, NodeRelationship

from jina_eis.adapters import RetrieverSettings, content_id, document_id
from jina_eis.contents import Content, Get, Medium, content, describe, fingerprint, parts_to_index
from jina_eis.errors import InputError
from jina_eis.steps import FieldType, Record

from .media import embedded_text, node_content, node_text
from .nodes import RESOURCES, stored_node

__all__ = ["node_records"]


def node_records(pairs: Iterable[tuple[BaseNode, Any]], settings: RetrieverSettings, get: Get | None = None) -> Iterator[Record]:
    """Yield the records of nodes with their ids: None for a node's own, "content" for one made of its content.

    A page of a PDF has the id of its node with its number, and the node as its source. What is known of a medium is in the
    metadata, unless the node has a value of this name. A node that cannot be embedded is a record of the error.
    """
    field_type = settings._indexer().field_type
    text_field = settings.content_field or settings._text_field
    for node, id_ in pairs:
        name = None if id_ == "content" else document_id(node.node_id if id_ is None else id_)
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        try:
            parts = _parts(node, field_type, settings, get)
        except InputError as error:
            yield Record(name or _content_id(node, text, None), error, {})
            continue
        for part, described, ending in parts:
            part_id = f"{name}{ending}" if name else _content_id(described, text, part)
            try:
                source = {text_field: text, "metadata": stored_node(described, part_id)}
            except InputError as error:
                yield Record(part_id, error, {})
            else:
                # Where the kind of the field is not known here, the index decides which of the two is embedded.
                undecided = bool(text) and field_type is None and isinstance(part, Medium)
                yield Record(part_id, part, source, node.embedding or None, node_text(node) if undecided else None)


def _parts(
    node: BaseNode, field_type: FieldType | None, settings: RetrieverSettings, get: Get | None
) -> list[tuple[Content | None, BaseNode, str]]:
    """Return what is indexed of a node, each part with its node and the end of its id."""
    if node.embedding and field_type == "dense_vector":  # `store.embed_model` makes empty ones
        medium = None
        with suppress(InputError):
            medium = node_content(node)
        return [(None, _described(node, describe(medium)) if isinstance(medium, Medium) else node, "")]
    adapt = embedded_text if field_type == "semantic_text" else node_content
    embedded = content(node, may_fetch=settings.allow_url_fetch, pass_urls=settings.pass_urls, adapt=adapt, get=get)
    parts: list[tuple[Content | None, BaseNode, str]] = []
    for part, facts in parts_to_index(embedded):
        if "page" in facts:
            parts.append((part, _page(node, part, facts), f"-{facts['page']}" if facts["pages"] > 1 else ""))
            if all(node.metadata.get(key) == facts[key] for key in ("page", "pages")):  # it was found, and is added again
                return [(part, node, "")]
        else:
            parts.append((part, _described(node, facts), ""))
    return parts


def _described(node: BaseNode, facts: dict[str, Any]) -> BaseNode:
    """Return the node with what is known of its medium, in metadata that are not embedded."""
    added = {name: value for name, value in facts.items() if name not in node.metadata and "://" not in str(value)}
    if not added:
        return node
    excluded = [*node.excluded_embed_metadata_keys, *added]
    return node.model_copy(update={"metadata": {**added, **node.metadata}, "excluded_embed_metadata_keys": excluded})


def _page(node: BaseNode, page: Content, facts: dict[str, Any]) -> BaseNode:
    """Return the node of a page, whose source is the node of its PDF if that has none. It holds no other pages."""
    described = _described(node, facts)
    changes: dict[str, Any] = {}
    if node.ref_doc_id is None:
        changes["relationships"] = {**node.relationships, NodeRelationship.SOURCE: node.as_related_node_info()}
    for name in RESOURCES:
        resource = getattr(node, name) if isinstance(node, Node) else None
        if resource is not None and resource.data is not None and isinstance(page, Medium):
            _, _, base64 = page.data_uri().partition(",")
            changes[name] = resource.model_copy(update={"data": base64.encode()})
    return described.model_copy(update=changes)


def _content_id(node: BaseNode, text: str, part: Content | None) -> str:
    """Return the id that is made of the content of a node: its medium, text and metadata."""
    medium = f"{fingerprint(part)} " if isinstance(part, Medium) else ""
    return content_id(f"{medium}{text}", node.metadata)
