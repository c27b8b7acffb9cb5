"""Field definitions, checked as Elasticsearch does: types, parameters and defaults.

Must not know mappings, documents or queries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..inference import Endpoint
from ..refusals import Json, RefusedError, illegal_argument, mapper_parsing, not_implemented
from .chunking import check_chunking
from .values import DATE_FORMATS, NUMBERS

__all__ = ["SEMANTIC", "SIMILARITIES", "check_dynamic", "merge_properties", "parse_failure", "read_properties"]

DEFAULT_INFERENCE_ID = ".jina-embeddings-v5-text-small"
SEMANTIC = ("semantic_text", "semantic")
SIMILARITIES = ("cosine", "dot_product", "l2_norm", "max_inner_product")
MAX_DIMENSIONS = 4096

# Parameters that are stored without effect, then the parameters of each type.
SHARED = {"type", "meta", "store", "index", "doc_values", "fields", "copy_to", "eager_global_ordinals"}
STATISTICS = {"index_options", "index_phrases", "index_prefixes", "term_vector", "fielddata", "position_increment_gap"}
VECTOR_INDEX = {"index_options", "meta", "type", "fields"}
PARAMETERS: dict[str, set[str]] = {
    "text": SHARED | STATISTICS | {"analyzer", "search_analyzer", "search_quote_analyzer", "similarity"},
    "keyword": SHARED | {"ignore_above", "norms", "index_options"},
    "boolean": SHARED,
    "date": SHARED | {"format"},
    **dict.fromkeys(NUMBERS, SHARED | {"coerce"}),
    "object": {"type", "properties", "dynamic", "enabled"},
    "dense_vector": VECTOR_INDEX | {"dims", "similarity", "index", "element_type"},
    "semantic_text": VECTOR_INDEX | {"inference_id", "search_inference_id", "chunking_settings", "model_settings"},
    "semantic": VECTOR_INDEX | {"inference_id", "search_inference_id", "chunking_settings", "model_settings"},
}
# Types and parameters that Elasticsearch supports and the local EIS does not.
UNSUPPORTED_TYPES = frozenset(
    {"aggregate_metric_double", "alias", "binary", "completion", "constant_keyword", "counted_keyword", "date_nanos"}
    | {"date_range", "double_range", "flattened", "float_range", "geo_point", "geo_shape", "histogram", "integer_range", "ip"}
    | {"ip_range", "join", "long_range", "match_only_text", "murmur3", "nested", "passthrough", "percolator", "point"}
    | {"rank_feature", "rank_features", "rank_vectors", "scaled_float", "search_as_you_type", "shape", "sparse_vector"}
    | {"token_count", "unsigned_long", "version", "wildcard"}
)
UNSUPPORTED_PARAMETERS = frozenset(
    {"ignore_malformed", "normalizer", "norms", "null_value", "script", "split_queries_on_whitespace", "subobjects"}
)


def parse_failure(cause: RefusedError) -> RefusedError:
    """Return the error for a mapping that cannot be parsed, with its cause."""
    return mapper_parsing(f"Failed to parse mapping: {cause.reason}", cause)


def read_properties(properties: Any, prefix: str, find: Callable[[str], Endpoint | None]) -> Json:
    """Check field definitions and return them with their defaults.

    Args:
        properties: Definitions from a client.
        prefix: Path of the enclosing object, with a trailing dot.
        find: Returns the inference endpoint with an id, or None.
    """
    if not isinstance(properties, dict):
        raise parse_failure(
            mapper_parsing(f"Expected map for property [properties] on field [{prefix[:-1]}] but got {properties}")
        )
    fields: Json = {}
    for name, settings in properties.items():
        head, dot, rest = name.partition(".")
        if not head:
            raise parse_failure(illegal_argument("field name cannot be an empty string"))
        nested = {"properties": {rest: settings}} if dot else settings
        fields = merge_properties(fields, {head: read_field(nested, f"{prefix}{head}", find)}, prefix)
    return fields


def merge_properties(old: Json, new: Json, prefix: str) -> Json:
    """Merge new definitions into old ones; an existing field may gain settings, and keeps its fixed ones."""
    merged = dict(old)
    for name, settings in new.items():
        path, existing = f"{prefix}{name}", old.get(name)
        if existing is None:
            merged[name] = settings
            continue
        old_type, new_type = existing.get("type", "object"), settings.get("type", "object")
        if old_type != new_type:
            if "object" in (old_type, new_type):
                raise illegal_argument(f"can't merge a non object mapping [{path}] with an object mapping")
            raise illegal_argument(f"mapper [{path}] cannot be changed from type [{old_type}] to [{new_type}]")
        for fixed in ("dims", "similarity", "inference_id", "analyzer", "index"):
            if old_type != "object" and fixed in existing and settings.get(fixed, existing[fixed]) != existing[fixed]:
                raise illegal_argument(
                    f"Mapper for [{path}] conflicts with existing mapper:\n\tCannot update parameter [{fixed}] "
                    f"from [{existing[fixed]}] to [{settings[fixed]}]"
                )
        merged[name] = existing | settings
        for key, inner_prefix in (("properties", f"{path}."), ("fields", f"{path}.")):
            if key in existing or key in settings:
                merged[name][key] = merge_properties(existing.get(key, {}), settings.get(key, {}), inner_prefix)
    return merged


def read_field(settings: Any, path: str, find: Callable[[str], Endpoint | None], *, multi: bool = False) -> Json:
    """Check the definition of a field and return it with its defaults."""
    if not isinstance(settings, dict):
        raise parse_failure(
            mapper_parsing(f"Expected map for property [fields] on field [{path}] but got a {type(settings).__name__}")
        )
    kind = settings.get("type", "object" if "properties" in settings or not settings else None)
    if not isinstance(kind, str):
        raise parse_failure(mapper_parsing(f"No type specified for field [{path}]"))
    if kind in UNSUPPORTED_TYPES:
        raise not_implemented(f"type [{kind}] of field [{path}]")
    if kind not in PARAMETERS:
        raise parse_failure(
            mapper_parsing(
                f"The mapper type [{kind}] declared on field [{path}] does not exist. It might have been created within a future "
                "version or requires a plugin to be installed. Check the documentation."
            )
        )
    for name in settings:
        if name not in PARAMETERS[kind]:
            if name in UNSUPPORTED_PARAMETERS or name in PARAMETERS["text"]:
                raise not_implemented(f"parameter [{name}] of field [{path}] of type [{kind}]")
            raise parse_failure(mapper_parsing(f"unknown parameter [{name}] on mapper [{path.split('.')[-1]}] of type [{kind}]"))
    checked = dict(settings)
    for name in ("fields", "meta", "chunking_settings", "index_options" if kind in SEMANTIC else "fields"):
        if not isinstance(settings.get(name) or {}, dict):
            raise parse_failure(mapper_parsing(f"[{name}] of field [{path}] must be an object"))
    copies = settings.get("copy_to", [])
    if not all(isinstance(target, str) for target in (copies if isinstance(copies, list) else [copies])):
        raise parse_failure(mapper_parsing(f"[copy_to] of field [{path}] must be a field, or an array of fields"))
    if type(settings.get("ignore_above", 0)) is not int:
        raise parse_failure(mapper_parsing(f"[ignore_above] of field [{path}] must be a number"))
    try:
        if kind in CHECKS:
            CHECKS[kind](checked, path, find)
    except RefusedError as refused:
        raise refused if refused.status == 501 else parse_failure(refused) from refused
    if kind == "object" and "properties" in settings:
        checked["properties"] = read_properties(settings["properties"], f"{path}.", find)
    if "fields" in settings:
        if multi:
            raise parse_failure(mapper_parsing(f"Type [{kind}] used in multi field [{path}] cannot have fields of its own"))
        multi_fields = settings["fields"].items()
        checked["fields"] = {name: read_field(sub, f"{path}.{name}", find, multi=True) for name, sub in multi_fields}
    return checked


def check_dynamic(settings: Json) -> None:
    """Refuse unsupported values of `dynamic`."""
    if settings.get("dynamic", True) not in (True, False, "true", "false", "strict"):
        raise not_implemented(f"dynamic: {settings['dynamic']}")


def check_object(settings: Json, path: str, find: Callable[[str], Endpoint | None]) -> None:
    check_dynamic(settings)
    if not isinstance(settings.get("enabled", True), bool):
        raise illegal_argument(f"Failed to parse value [{settings['enabled']}] as only [true] or [false] are allowed.")


def check_text(settings: Json, path: str, find: Callable[[str], Endpoint | None]) -> None:
    for name in ("analyzer", "search_analyzer", "search_quote_analyzer"):
        if settings.get(name, "standard") not in ("standard", "default"):
            raise not_implemented(f"{name} [{settings[name]}] of field [{path}], only [standard] is supported")


def check_date(settings: Json, path: str, find: Callable[[str], Endpoint | None]) -> None:
    formats = str(settings.get("format", DATE_FORMATS[0])).split("||")
    if any(name not in DATE_FORMATS for name in formats):
        raise not_implemented(f"format [{settings['format']}] of field [{path}], only {'||'.join(DATE_FORMATS)} is supported")


def check_vector(settings: Json, path: str, find: Callable[[str], Endpoint | None]) -> None:
    dims = settings.get("dims")
    if dims is not None and (type(dims) is not int or not 1 <= dims <= MAX_DIMENSIONS):
        raise mapper_parsing(
            f"The number of dimensions should be in the range [1, {MAX_DIMENSIONS}] but was [{dims}] on field [{path}]"
        )
    if settings.get("element_type", "float") != "float":
        raise not_implemented(f"element_type [{settings['element_type']}] of field [{path}], only [float] is supported")
    if "similarity" in settings:
        if settings["similarity"] not in SIMILARITIES:
            accepted = ", ".join(SIMILARITIES)
            raise mapper_parsing(
                f"Unknown value [{settings['similarity']}] for field [similarity] on field [{path}] - "
                f"accepted values are [{accepted}]"
            )
        if settings.get("index") is False:
            raise illegal_argument(
                "Field [similarity] can only be specified for a field of type [dense_vector] when it is indexed"
            )
    settings.setdefault("index", True)
    if settings["index"]:
        settings.setdefault("similarity", "cosine")


def check_semantic(settings: Json, path: str, find: Callable[[str], Endpoint | None]) -> None:
    kind = settings["type"]
    if kind == "semantic_text":
        settings.setdefault("inference_id", DEFAULT_INFERENCE_ID)
    for name in ("inference_id", "search_inference_id"):
        inference_id = settings.get(name)
        if inference_id is None and name == "inference_id":
            raise mapper_parsing(f"Field [inference_id] is required on field [{path}] of type [{kind}]")
        if inference_id is not None and (not isinstance(inference_id, str) or not inference_id):
            raise illegal_argument(f"[{name}] on mapper [{path}] of type [{kind}] must not be empty")
        endpoint = None if inference_id is None else find(inference_id)
        accepted = ("embedding",) if kind == "semantic" else ("text_embedding", "sparse_embedding", "embedding")
        if endpoint is not None and endpoint.task not in accepted:
            raise illegal_argument(
                f"Wrong [task_type], expected {' or '.join(accepted)}, got {endpoint.task}, for [{name}] "
                f"[{inference_id}] on field [{path}]"
            )
    if settings.get("index_options", {}).keys() - {"dense_vector"}:
        raise not_implemented(
            f"index_options {sorted(settings['index_options'])} of field [{path}], only [dense_vector] is supported"
        )
    if settings.get("chunking_settings") is not None:
        check_chunking(settings["chunking_settings"])


CHECKS: dict[str, Callable[[Json, str, Callable[[str], Endpoint | None]], None]] = {
    "object": check_object,
    "text": check_text,
    "date": check_date,
    "dense_vector": check_vector,
    "semantic_text": check_semantic,
    "semantic": check_semantic,
}
