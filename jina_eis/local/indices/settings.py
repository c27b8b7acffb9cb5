"""Names and settings of indices, checked and returned as by Elasticsearch. Knows no documents, queries or storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..inference import Registry
from ..refusals import Json, RefusedError, TimeLimit, illegal_argument, mapper_parsing, not_implemented, read_flag
from ..unsupported import refuse_unsupported
from ..versions import Version
from .index import Index
from .mapping import Mapping
from .parameters import EXCLUDED, FORBIDDEN, GENERATED, MAX_SHARDS, NAME_BYTES, VECTORS
from .values import format_value, read_value


def check_name(name: str) -> None:
    """Refuse an invalid index name."""
    valid = name == name.lower() and not set(name) & FORBIDDEN and len(name.encode("utf-8", "replace")) <= NAME_BYTES
    if not valid or name in ("", ".", "..") or name.startswith(("_", "-", "+")):
        rules = f"must be lowercase, of 1 to {NAME_BYTES} bytes, must not begin with _, - or +, nor contain {sorted(FORBIDDEN)}"
        details = {"index_uuid": "_na_", "index": name}
        raise RefusedError(400, "invalid_index_name_exception", f"Invalid index name [{name}], {rules}", details=details)


def define_index(name: str, body: Json, registry: Registry) -> tuple[Json, Mapping]:
    """Return the settings and the mapping of a new index, checked."""
    check_name(name)
    for key, value in body.items():
        if key not in ("settings", "mappings", "aliases") or not isinstance(value, dict):
            raise RefusedError(400, "parse_exception", f"unknown key [{key}] for create index, or no object")
    settings = new_settings(read_settings(body.get("settings", {})), registry.version)
    return settings, add_fields(Mapping({}), settings, body.get("mappings", {}), registry)


def new_settings(settings: Json, version: Version) -> Json:
    """Return the settings of a new index, checked, with the default of the version for vectors in sources."""
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
        k1, b = (float(read_value("float", similarity.get(key) or 0)) for key in ("k1", "b"))
        if similarity.get("type") != "BM25" or similarity.keys() - {"type", "k1", "b"} or k1 < 0 or not 0 <= b <= 1:
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
        case _ if name == "mode" or (head == "similarity" and len(rest) == 2):
            pass  # new_settings knows the modes of each version, and read_settings all of a similarity
        case "mapping.exclude_source_vectors":
            read_flag(text or "true")
        case _:
            refuse_unsupported("setting", head if name != "mapping" else "", f"settings.index.{name}")
            raise illegal_argument(f"unknown setting [index.{name}] please check that any required plugins are installed")


def add_fields(old: Mapping, settings: Json, put: Json, registry: Registry) -> Mapping:
    """Return a mapping with new fields; refuses those of newer versions, and with a similarity that the index does not have."""
    mapping = old.merged(put, registry.find)
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
    return mapping


def show_index(index: Index, defaults: str) -> Json:
    """Return mapping and settings as GET does, every setting as a text; if asked, with a default that depends on its age."""
    own = {"creation_date": str(index.created), "uuid": index.uuid, "provided_name": index.name}
    answer: Json = {"mappings": index.mapping.definition, "settings": {"index": GENERATED | index.settings | own}}
    if read_flag(defaults):
        is_set = EXCLUDED in index.settings.get("mapping", {})
        answer["defaults"] = {} if is_set else {"index": {"mapping": {EXCLUDED: format_value(index.hides_vectors)}}}
    return answer
