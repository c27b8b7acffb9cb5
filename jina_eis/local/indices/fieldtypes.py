"""Field definitions, read as Elasticsearch does: types, parameters, defaults, and what a later definition may change.

Must not know mappings, documents or queries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..inference import Endpoint, as_list
from ..refusals import Json, illegal_argument, mapper_parsing, not_implemented, read_flag
from ..unsupported import refuse_unsupported
from .chunking import check_chunking
from .parameters import DATE_FORMATS, GRAPH, INDEX_OPTIONS, OBJECTS, PARAMETERS, SEMANTIC, UPDATABLE
from .values import format_value

Find = Callable[[str], Endpoint | None]  # returns the inference endpoint with an id, or None

DEFAULT_INFERENCE_ID = ".jina-embeddings-v5-text-small"
SIMILARITIES = ("l2_norm", "cosine", "dot_product", "max_inner_product")
MAX_DIMENSIONS = 4096
BBQ_DIMENSIONS = 384  # from here on, the default index of vectors is bbq_hnsw
LEAST_BBQ_DIMENSIONS = 64


def read_properties(properties: Any, prefix: str, find: Find) -> Json:
    """Check field definitions and return those parameters that differ from their defaults; the prefix ends with a dot."""
    if not isinstance(properties, dict):
        raise not_implemented("[properties] that is no object")
    fields: Json = {}
    for name, settings in properties.items():
        parts = split_name(name)
        field = read_field(settings, f"{prefix}{'.'.join(parts)}", find)
        for part in reversed(parts[1:]):
            field = {"properties": {part: field}}
        fields = merge_properties(fields, {parts[0]: field}, prefix)
    return fields


def split_name(name: str) -> list[str]:
    """Return the parts of a name with dots."""
    parts = name.rstrip(".").split(".")
    if name.isspace():
        raise not_implemented("the name of a field that is white space")
    if not all(part.strip() for part in parts):
        raise illegal_argument(f"field name cannot be empty, or contain only dots or whitespace: [{name}]")
    return parts


def merge_properties(old: Json, new: Json, prefix: str) -> Json:
    """Merge new definitions into old ones; refuses changes of fixed parameters."""
    merged = dict(old)
    for name, settings in new.items():
        merged[name] = settings if name not in old else merge_field(old[name], settings, f"{prefix}{name}")
    return merged


def merge_field(old: Json, new: Json, path: str) -> Json:
    old_type, new_type = old.get("type", "object"), new.get("type", "object")
    if old_type != new_type:
        raise illegal_argument(f"mapper [{path}] cannot be changed from type [{old_type}] to [{new_type}]")
    if old_type == "object":
        return old | new | {"properties": merge_properties(old["properties"], new["properties"], f"{path}.")}
    if old_type in SEMANTIC:  # what is left out stays
        new = old | new
    fixed = {"inference_id"} if old_type in SEMANTIC else PARAMETERS[old_type].keys() - UPDATABLE
    if old_type == "dense_vector" and "dims" not in old:
        fixed &= old.keys()
    before, after = PARAMETERS[old_type] | old, PARAMETERS[old_type] | new
    changed = sorted(name for name in fixed if before[name] != after[name])
    if changed == ["index_options"]:
        raise not_implemented(f"a change of index_options of field [{path}]")
    if changed:
        raise illegal_argument(f"Mapper for [{path}] conflicts with existing mapper: cannot update parameters {changed}")
    fields = merge_properties(old.get("fields", {}), new.get("fields", {}), f"{path}.")
    return new | ({"fields": fields} if fields else {})


def read_field(settings: Any, path: str, find: Find, *, multi: bool = False) -> Json:
    """Check the definition of a field; return its type, and what differs from the defaults."""
    if not isinstance(settings, dict) or (
        multi and (settings.get("type") == "object" or settings.keys() & {"fields", "copy_to"})
    ):
        raise not_implemented(f"this definition of field [{path}]: {settings}")
    is_object = not multi and any(settings.get(name) is not None for name in ("properties", "enabled"))
    kind = settings.get("type", "object" if is_object else None)
    if kind == "object":
        return read_object(settings, path, find)
    refuse_unsupported("field type", kind, f"type [{kind}] of field [{path}]")
    if kind not in list(PARAMETERS):
        raise mapper_parsing(f"The mapper type [{kind}] declared on field [{path}] does not exist")
    read = {name: read_parameter(kind, name, value, path) for name, value in settings.items() if name != "type"}
    checked = {"type": kind} | {name: value for name, value in read.items() if value != PARAMETERS[kind][name]}
    if "fields" in checked:
        multi_fields = checked["fields"].items()
        checked["fields"] = {sub: read_field(inner, f"{path}.{sub}", find, multi=True) for sub, inner in multi_fields}
    if kind in SEMANTIC:
        check_semantic(checked, path, find)
    return complete_vector(checked, path) if kind == "dense_vector" else checked


def read_parameter(kind: str, name: str, value: Any, path: str) -> Any:
    """Return a parameter as Elasticsearch understands it."""
    if name not in PARAMETERS[kind]:
        refuse_unsupported("field", name, f"{name} of field [{path}] of type [{kind}]")
        raise mapper_parsing(f"unknown parameter [{name}] on mapper [{path.split('.')[-1]}] of type [{kind}]")
    if value is None and name not in ("similarity", "index_options") and kind not in SEMANTIC:
        raise mapper_parsing(f"[{name}] on mapper [{path.split('.')[-1]}] of type [{kind}] must not have a [null] value")
    default = PARAMETERS[kind][name]
    if isinstance(default, bool):
        return read_flag(value)
    if name in ("ignore_above", "dims"):
        return read_count(name, value, path)
    if name == "fields" or (kind in SEMANTIC and name in OBJECTS):
        if not isinstance(value, dict | None):
            raise not_implemented(f"[{name}] that is no object, of field [{path}]")
        return value or {}
    if name == "copy_to":
        return [format_value(target) for target in as_list(value)]
    if value is None or kind in SEMANTIC or name == "index_options":
        return value
    text = format_value(value)
    accepted = {"locale": ("", "en"), "analyzer": ("standard", "default"), "element_type": ("float",)}
    known = set(text.split("||")) <= DATE_FORMATS.keys() if name == "format" else text in accepted.get(name, (text,))
    if not known or text == "boolean":  # a similarity
        raise not_implemented(f"{name} [{text}] of field [{path}] of type [{kind}]")
    return text


def read_count(name: str, value: Any, path: str) -> int:
    if type(value) is not int:
        raise not_implemented(f"[{name}] of field [{path}] that is no whole number")
    if name == "dims" and not 1 <= value <= MAX_DIMENSIONS:
        raise mapper_parsing(f"The number of dimensions should be in the range [1, {MAX_DIMENSIONS}] but was [{value}]")
    if not 0 <= value < 1 << 31:
        raise illegal_argument(f"[{name}] must be a positive integer, got [{value}] for field [{path}]")
    return value


def read_dynamic(value: Any) -> str:
    """Return a value of `dynamic` as a text; refuses those that are not implemented."""
    text = format_value(value)
    if text not in ("true", "false", "strict"):
        raise not_implemented(f"dynamic [{text}]")
    return text


def read_object(settings: Json, path: str, find: Find) -> Json:
    if settings.keys() - {"type", "properties", "dynamic", "enabled"} or not read_flag(settings.get("enabled", True)):
        raise not_implemented(f"this definition of field [{path}]: {settings}")
    dynamic = {"dynamic": read_dynamic(settings["dynamic"])} if "dynamic" in settings else {}
    return dynamic | {"properties": read_properties(settings.get("properties", {}), f"{path}.", find)}


def complete_vector(settings: Json, path: str) -> Json:
    """Add the defaults that Elasticsearch shows in the definition of a vector."""
    options, dims = settings.get("index_options"), settings.get("dims")
    similarity = settings.get("similarity") or "cosine"
    if similarity not in SIMILARITIES:
        accepted = ", ".join(SIMILARITIES)
        raise mapper_parsing(f"Unknown value [{similarity}] for field [similarity] - accepted values are [{accepted}]")
    if not settings.get("index", True):
        if settings.get("similarity") or options:
            raise illegal_argument(f"Field [similarity] or [index_options] of field [{path}] can only be set when it is indexed")
        return settings
    if options is None and dims is not None:
        options = {"type": "bbq_hnsw" if dims >= BBQ_DIMENSIONS else "int8_hnsw"}
    completed = {} if options is None else {"index_options": read_index_options(options, dims, path)}
    return settings | {"index": True, "similarity": similarity} | completed


def read_index_options(options: Any, dims: int | None, path: str) -> Json:
    if not isinstance(options, dict) or options.get("type") is None:
        raise mapper_parsing("[index_options] requires field [type] to be configured")
    kind = options["type"]
    if kind == "bbq_disk":
        raise not_implemented(f"index_options [bbq_disk] of field [{path}]")
    if kind not in list(INDEX_OPTIONS):
        raise mapper_parsing(f"Unknown vector index options type [{kind}] for field [{path}]")
    if kind.startswith("bbq") and dims is not None and dims < LEAST_BBQ_DIMENSIONS:
        raise illegal_argument(f"{kind} does not support dimensions fewer than {LEAST_BBQ_DIMENSIONS}; provided={dims}")
    if kind.startswith("int4") and (dims or 0) % 2:
        raise illegal_argument(f"{kind} only supports even dimensions; provided={dims}")
    completed: Json = {"type": kind} | INDEX_OPTIONS[kind]
    for name, value in options.items():
        if name in GRAPH and name in completed:
            completed[name] = completed[name] if value is None else read_count(name, value, path)
        elif value not in (None, completed.get(name)):
            raise not_implemented(f"index_options [{name}: {value}] of field [{path}]")
    return completed


def check_semantic(settings: Json, path: str, find: Find) -> None:
    kind = settings["type"]
    if kind == "semantic_text":
        settings.setdefault("inference_id", DEFAULT_INFERENCE_ID)
    if settings.get("inference_id") is None:
        raise mapper_parsing(f"Field [inference_id] is required on field [{path}] of type [{kind}]")
    accepted = ("embedding",) if kind == "semantic" else ("text_embedding", "sparse_embedding", "embedding")
    for name in ("inference_id", "search_inference_id"):
        if (inference_id := settings.get(name)) is None:
            continue
        if not isinstance(inference_id, str) or not inference_id:
            raise illegal_argument(f"[{name}] on mapper [{path}] of type [{kind}] must not be empty")
        endpoint = find(inference_id)
        if endpoint is not None and endpoint.task not in accepted:
            wrong = f"Wrong [task_type], expected {' or '.join(accepted)}, got {endpoint.task}"
            raise illegal_argument(f"{wrong}, for [{name}] [{inference_id}] on field [{path}]")
    if settings.get("index_options", {}).keys() - {"dense_vector"}:
        raise not_implemented(f"index_options {sorted(settings['index_options'])} of field [{path}]")
    if "chunking_settings" in settings:
        check_chunking(settings["chunking_settings"])
