"""Names and settings of indices, checked and returned as by Elasticsearch. Knows no documents, queries or storage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..inference import Registry
from ..refusals import Json, RefusedError, TimeLimit, illegal_argument, mapper_parsing, not_implemented, read_flag
from ..unsupported import refuse_unsupported
from ..versions import Version
from .index import Index
from .mapping import Mapping
from .values import format_value, read_value

FORBIDDEN = frozenset('\\/*?"<>| ,#:')
NAME_BYTES = 255
MAX_SHARDS = 1024
VECTORS = "vectordb_document"  # the index mode
EXCLUDED = "exclude_source_vectors"


def check_name(name: str) -> None:
    """Refuse an invalid index name."""
    valid = name == name.lower() and not set(name) & FORBIDDEN and len(name.encode("utf-8", "replace")) <= NAME_BYTES
    if not valid or name in ("", ".", "..") or name.startswith(("_", "-", "+")):
        rules = f"must be lowercase, of 1 to {NAME_BYTES} bytes, must not begin with _, - or +, nor contain {sorted(FORBIDDEN)}"
        details = {"index_uuid": "_na_", "index": name}
        raise RefusedError(400, "invalid_index_name_exception", f"Invalid index name [{name}], {rules}", details=details)


def new_settings(body: Json, version: Version) -> Json:
    """Return the settings of a new index, checked, with the default of the version for vectors in sources."""
    settings = read_settings(body)
    mode, mapping = str(settings.get("mode") or "standard").lower(), settings.get("mapping", {})
    if mode not in ("standard", VECTORS):
        raise not_implemented(f"settings.index.mode: {mode}")
    if mode == VECTORS and (not version.has(VECTORS) or mapping.get(EXCLUDED) == "false"):
        raise illegal_argument(f"[index.mode={VECTORS}] needs version 9.5, and no [index.mapping.{EXCLUDED}] of [false]")
    if mode == VECTORS or not version.has("sources without vectors"):
        mapping = {EXCLUDED: str(mode == VECTORS).lower()} | mapping
    return settings | {"mapping": mapping} if mapping else settings


def read_settings(body: Json) -> Json:
    """Return the settings of an index as a tree of texts, without the optional `index` prefix."""
    tree: Json = {}
    for name, value in leaves(body, ""):
        short, node = name.removeprefix("index."), tree
        text = None if value is None else format_value(value)
        check_setting(short, text)
        *parents, last = short.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = text
    for name, similarity in tree.get("similarity", {}).items():
        if similarity.get("type") != "BM25" or similarity.keys() - {"type", "k1", "b"}:
            raise not_implemented(f"settings.index.similarity.{name}: {similarity}")
    return tree


def leaves(settings: Json, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        yield from leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]


def check_setting(name: str, text: str | None) -> None:
    """Refuse a setting that does not exist, is invalid or is not implemented; None asks for its default."""
    head, *rest = name.split(".")
    match name:
        case "refresh_interval":
            if text not in (None, "-1", "0"):
                TimeLimit.parse(str(text), f"index.{name}")
        case "number_of_shards" | "number_of_replicas":
            least = 1 if name == "number_of_shards" else 0
            if text is not None and not (text.isdigit() and least <= int(text) <= MAX_SHARDS):
                raise illegal_argument(f"Failed to parse value [{text}] for setting [index.{name}] must be >= {least}")
        case "mode":
            pass  # new_settings knows the modes of each version
        case "mapping.exclude_source_vectors":
            read_flag(text or "true")
        case _ if head == "similarity" and len(rest) == 2:
            if rest[1] in ("k1", "b") and not 0 <= float(read_value("float", text)) <= (1 if rest[1] == "b" else math.inf):
                raise illegal_argument(f"illegal {rest[1]} value: {text}, must be non-negative, and [b] at most 1")
        case _:
            refuse_unsupported("setting", head if name != "mapping" else "", f"settings.index.{name}")
            raise illegal_argument(f"unknown setting [index.{name}] please check that any required plugins are installed")


def check_mapping(mapping: Mapping, settings: Json, registry: Registry) -> None:
    """Refuse fields that this version does not have, or with a similarity that the index does not define."""
    for field in mapping.fields.values():
        similarity, reason = field.settings.get("similarity", "BM25"), ""
        if field.kind == "text" and similarity != "BM25" and similarity not in settings.get("similarity", {}):
            reason = f"Unknown Similarity type [{similarity}] for field [{field.path}]"
        if field.kind == "semantic" and not registry.version.has("semantic fields"):
            reason = f"The mapper type [semantic] declared on field [{field.path}] does not exist."
        if reason:
            raise mapper_parsing(f"Failed to parse mapping: {reason}", mapper_parsing(reason))
        if field.kind == "semantic_text" and not registry.version.has("embedding in semantic_text"):
            endpoints = registry.find(field.inference_id), registry.find(field.search_inference_id)
            if any(endpoint is not None and endpoint.task == "embedding" for endpoint in endpoints):
                raise illegal_argument(f"Wrong [task_type], expected text_embedding, got embedding, on field [{field.path}]")


def show_settings(index: Index) -> Json:
    """Return the settings as GET does: every value is a string."""
    generated = {
        "creation_date": str(index.created),
        "uuid": index.uuid,
        "version": {"created": "9060099"},
        "provided_name": index.name,
        "routing": {"allocation": {"include": {"_tier_preference": "data_content"}}},
    }
    return {"index": {"number_of_shards": "1", "number_of_replicas": "1"} | index.settings | generated}


def show_defaults(index: Index) -> Json:
    """Return the defaults of settings that the index does not set, of those that depend on its age."""
    if EXCLUDED in index.settings.get("mapping", {}):
        return {}
    return {"index": {"mapping": {EXCLUDED: format_value(index.hides_vectors)}}}
