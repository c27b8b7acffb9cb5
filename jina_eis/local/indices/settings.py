"""Names and settings of indices, checked and returned as by Elasticsearch. Knows no documents, queries or storage."""

from __future__ import annotations

from typing import Any

from ..inference import Registry
from ..refusals import Json, RefusedError, illegal_argument, mapper_parsing, not_implemented
from ..versions import Version
from .index import Index
from .mapping import Mapping
from .sources import hides_vectors

__all__ = [
    "check_name",
    "check_similarities",
    "check_versions",
    "complete_settings",
    "read_settings",
    "show_defaults",
    "show_settings",
]

FORBIDDEN = '\\/*?"<>| ,'
NAME_BYTES = 255
UNSUPPORTED = ("analysis", "default_pipeline", "final_pipeline", "sort", "time_series")
VECTORS = "vectordb_document"  # the index mode
EXCLUDED = "exclude_source_vectors"


def check_name(name: str) -> None:
    """Refuse an invalid index name."""
    problem = None
    if any(character in FORBIDDEN for character in name):
        characters = ", ".join(f"'{character}'" for character in FORBIDDEN)
        problem = f"must not contain the following characters [{characters}]"
    elif "#" in name or ":" in name:
        problem = f"must not contain '{'#' if '#' in name else ':'}'"
    elif name[:1] in ("_", "-", "+"):
        problem = "must not start with '_', '-', or '+'"
    elif name in (".", ".."):
        problem = "must not be '.' or '..'"
    elif len(name.encode("utf-8", "replace")) > NAME_BYTES:
        problem = f"index name is too long, ({len(name.encode('utf-8', 'replace'))} > {NAME_BYTES})"
    elif name != name.lower():
        problem = "must be lowercase"
    if problem is not None:
        refused = RefusedError(400, "invalid_index_name_exception", f"Invalid index name [{name}], {problem}")
        refused.details.update(index_uuid="_na_", index=name)
        raise refused


def complete_settings(settings: Json, version: Version) -> Json:
    """Check the mode of a new index, and return its settings with the default of the version for vectors in sources."""
    mode, mapping = str(settings.get("mode") or "standard").lower(), settings.get("mapping", {})
    if mode in ("time_series", "logsdb", "lookup") or (mode == "vectordb_columnar" and version.has(mode)):
        raise not_implemented(f"settings.index.mode: {mode}")
    if mode != "standard" and not (mode == VECTORS and version.has(VECTORS)):
        raise illegal_argument(f"No enum constant org.elasticsearch.index.IndexMode.{mode.upper()}")
    if mode == VECTORS and mapping.get(EXCLUDED, True) in (False, "false"):
        raise illegal_argument(f"[index.mapping.{EXCLUDED}] cannot be set to [false] when [index.mode={VECTORS}]")
    if mode == VECTORS or not version.has("sources without vectors"):
        mapping = {EXCLUDED: str(mode == VECTORS).lower()} | mapping
    return settings | {"mapping": mapping} if mapping else settings


def read_settings(body: Any) -> Json:
    """Return the settings of an index as a tree, without the optional `index` prefix."""
    if not isinstance(body, dict):
        raise illegal_argument("malformed settings, expected an object")
    tree: Json = {}
    for name, value in body.items():
        node, names = tree, name.split(".")
        for parent in names[:-1]:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise illegal_argument(f"setting [{name}] is below [{parent}], which has a value")
        node[names[-1]] = merge(node.get(names[-1]), read_settings(value) if isinstance(value, dict) else value)
    index = tree.pop("index", {})
    tree = merge(tree, index) if isinstance(index, dict) else tree
    for name in UNSUPPORTED:
        if tree.get(name) not in (None, {}, "_none", "standard"):
            raise not_implemented(f"settings.index.{name}")
    for name, similarity in tree.get("similarity", {}).items():
        if not isinstance(similarity, dict) or similarity.get("type") != "BM25" or similarity.keys() - {"type", "k1", "b"}:
            raise not_implemented(f"settings.index.similarity.{name}: {similarity}")
    return tree


def merge(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {name: merge(old.get(name), value) for name, value in new.items()}


def check_similarities(mapping: Mapping, settings: Json) -> None:
    """Refuse fields with a similarity that the index does not define."""
    for field in mapping.fields.values():
        name = field.settings.get("similarity", "BM25")
        if field.kind == "text" and name != "BM25" and name not in settings.get("similarity", {}):
            if name == "boolean":
                raise not_implemented(f"similarity [boolean] of field [{field.path}]")
            reason = f"Unknown Similarity type [{name}] for field [{field.path}]"
            raise mapper_parsing(f"Failed to parse mapping: {reason}", mapper_parsing(reason))


def check_versions(mapping: Mapping, registry: Registry) -> None:
    """Refuse fields that this version does not have."""
    for field in mapping.fields.values():
        if field.kind == "semantic" and not registry.version.has("semantic fields"):
            reason = f"The mapper type [semantic] declared on field [{field.path}] does not exist."
            raise mapper_parsing(f"Failed to parse mapping: {reason}", mapper_parsing(reason))
        if field.kind == "semantic_text" and not registry.version.has("embedding in semantic_text"):
            for endpoint in (registry.find(field.inference_id), registry.find(field.search_inference_id)):
                if endpoint is not None and endpoint.task == "embedding":
                    raise illegal_argument(
                        f"Wrong [task_type], expected text_embedding or sparse_embedding, got embedding, for [{endpoint.id}] "
                        f"on field [{field.path}]"
                    )


def show_settings(index: Index) -> Json:
    """Return the settings as GET does: every value is a string."""
    generated = {
        "creation_date": index.created,
        "uuid": index.uuid,
        "version": {"created": 9_060_099},
        "provided_name": index.name,
    }
    return {"index": as_text({"number_of_shards": 1, "number_of_replicas": 1} | index.settings | generated)}


def show_defaults(index: Index) -> Json:
    """Return the defaults of settings that the index does not set, of those that depend on its age."""
    if "exclude_source_vectors" in index.settings.get("mapping", {}):
        return {}
    return {"index": as_text({"mapping": {"exclude_source_vectors": hides_vectors(index)}})}


def as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_text(element) for element in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
