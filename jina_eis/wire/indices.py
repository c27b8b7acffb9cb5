"""Requests to an index as a whole, and the readers of their responses: its mapping, its settings, its life.

It knows no document and no search.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..errors import ConfigurationError, IndexNotFoundError, InvalidAnswerError
from .call import Call

__all__ = [
    "Field",
    "Index",
    "create_index",
    "delete_index",
    "get_index",
    "get_refresh_interval",
    "keeps_vectors_in_source",
    "mapping_path",
    "put_search_endpoint",
    "quoted",
    "refresh_index",
]

VECTORS = ("dense_vector", "semantic", "semantic_text")
# How fields of a new index are mapped that no mapping names. Without the first, a list of 128 or more fractions in the metadata
# becomes a vector [Elasticsearch 9.5.3]. LlamaIndex keeps whole nodes in the second, which no query reads. The others: filters
# compare a string as a whole, as `metadata.x` or, as in indices of other stores, `metadata.x.keyword`.
IGNORE_ABOVE = 1024  # characters of a string that filters can compare; of a longer one only the words are indexed
_KEYWORD = {"type": "keyword", "ignore_above": IGNORE_ABOVE}
TEMPLATES = [
    {"fractions": {"match_mapping_type": "double", "mapping": {"type": "float"}}},
    {
        "nodes": {
            "path_match": "metadata._node_content",
            "match_mapping_type": "string",
            "mapping": {**_KEYWORD, "index": False, "doc_values": False},
        }
    },
    {
        "strings": {
            "path_match": "metadata.*",
            "match_mapping_type": "string",
            "mapping": {**_KEYWORD, "fields": {"keyword": _KEYWORD, "text": {"type": "text"}}},
        }
    },
]
META = "jina_eis"  # the key of this library in the `_meta` of the mappings that it creates
_UNITS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}  # of times


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an index.

    Attributes:
        name: Full name, with dots.
        type: Type in the mapping.
        inference_id: The endpoint that embeds a semantic_text or semantic field.
        search_inference_id: The endpoint that embeds queries for it.
        dims: Length of the vectors of a dense_vector field.
        element_type: Type of the numbers of a dense_vector field.
        index_type: How a dense_vector field is indexed, such as bbq_hnsw; None if the mapping does not report it.
        similarity: The similarity function of its vectors; None if the mapping does not report it.
        ignore_above: Length above which a keyword field does not index a value; None for no limit.
        copies_to: The fields that its values are copied to.
        parent: For a multi-field, the field whose values it has; None for any other field.
    """

    name: str
    type: str
    inference_id: str | None = None
    search_inference_id: str | None = None
    dims: int | None = None
    element_type: str = "float"
    index_type: str | None = None
    similarity: str | None = None
    ignore_above: int | None = None
    copies_to: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index and its fields.

    Attributes:
        name: Its name.
        fields: Its fields, by name.
        inference_id: The endpoint that made its dense vectors, if this library recorded it.
        properties: Its fields, as in its mapping.
        parts: If the name is a list, a pattern or an alias of several indices, each of them; `fields` are then those of all, of
            one name the first.
    """

    name: str
    fields: Mapping[str, Field]
    inference_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[Index] = ()

    def of_types(self, *types: str) -> list[Field]:
        """Return the fields of these types."""
        return [field for field in self.fields.values() if field.type in types]


def get_index(index: str, *, cache: bool) -> Call[Index]:
    """Describe an index. With `cache`, sent once in the life of a driver, or until a search fails or the index is recreated."""
    return Call("GET", mapping_path(index), lambda body: _read_index(index, body), cache=cache)


def keeps_vectors_in_source(index: str) -> Call[bool]:
    """Return whether an index keeps vectors in `_source`: its setting or its age decides. Sent once in the life of a driver."""
    return Call("GET", f"/{quoted(index)}", _read_keeps_vectors, params={"include_defaults": "true"}, cache=True)


def create_index(
    index: str,
    properties: Mapping[str, Any],
    inference_id: str | None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[bool]:
    """Create an index.

    Args:
        index: Its name.
        properties: Its fields, as in a mapping.
        inference_id: The endpoint of its dense vectors, which is recorded in the mapping; None for none.
        settings: Its settings, as Elasticsearch takes them; None for the defaults.
        metadata: Fields below `metadata`, as in a mapping; others are mapped by their first value.
    """
    if metadata:
        properties = {**properties, "metadata": {"properties": metadata}}
    mappings: dict[str, Any] = {"properties": properties, "dynamic_templates": TEMPLATES, "date_detection": False}
    if inference_id:
        mappings["_meta"] = {META: {"inference_id": inference_id}}
    body = {"mappings": mappings} | ({"settings": settings} if settings else {})
    return Call("PUT", f"/{quoted(index)}", bool, body=body, invalidates=mapping_path(index))


def put_search_endpoint(index: str, properties: Mapping[str, Any], field: str, inference_id: str) -> Call[bool]:
    """Change the endpoint that embeds queries for a field. All else in the mapping stays as it is.

    Args:
        index: The index.
        properties: Its fields, as in its mapping: what an update leaves out returns to its default.
        field: Full name of a semantic_text or semantic field.
        inference_id: The endpoint.
    """
    body = {"properties": _with_setting(properties, field, "search_inference_id", inference_id)}
    return Call("PUT", mapping_path(index), bool, body=body, invalidates=mapping_path(index))


def delete_index(index: str) -> Call[bool]:
    """Delete an index and its documents.

    Raises:
        ConfigurationError: the name is not the plain name of one index: Elasticsearch would delete several indices, or none.
    """
    if not index or any(sign in index for sign in ",*") or index.startswith(("-", "_", "<")):
        raise ConfigurationError(
            f"index_name={index!r}: one index is deleted at a time. Pass its name, without a comma, *, or a leading -, _ or <."
        )
    return Call("DELETE", f"/{quoted(index)}", bool, invalidates=mapping_path(index))


def refresh_index(index: str) -> Call[bool]:
    """Make written documents visible to searches."""
    return Call("POST", f"/{quoted(index)}/_refresh", bool)


def get_refresh_interval(index: str) -> Call[float | None]:
    """Return the seconds between two refreshes of an index; infinite if there are none, None for Elasticsearch's default."""
    return Call("GET", f"/{quoted(index)}", _read_refresh_interval)


def _read_index(name: str, body: Any) -> Index:
    if body == {}:
        raise IndexNotFoundError(f"The index {name!r} does not exist.")
    try:
        # a key is the index's own name, even if an alias was requested
        parts = [_read_one_index(name if len(body) == 1 else own, body[own]) for own in sorted(body)]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError(f"Elasticsearch did not describe the index {name!r}.") from None
    if len(parts) == 1:
        return parts[0]
    fields = {field.name: field for part in reversed(parts) for field in part.fields.values()}
    endpoints = {part.inference_id for part in parts}
    return Index(name, fields, endpoints.pop() if len(endpoints) == 1 else None, {}, parts)


def _read_one_index(name: str, description: Any) -> Index:
    mappings = description["mappings"]
    meta = (mappings.get("_meta") or {}).get(META) or {}
    properties = mappings.get("properties") or {}
    fields = {field.name: field for field in _read_fields(properties, "")}
    return Index(name, fields, meta.get("inference_id"), properties)


def _read_fields(properties: Mapping[str, Any], prefix: str, parent: str | None = None) -> Iterator[Field]:
    for name, description in properties.items():
        full_name = f"{prefix}{name}"
        copies = description.get("copy_to") or ()
        yield Field(
            full_name,
            description.get("type", "object"),
            description.get("inference_id"),
            description.get("search_inference_id"),
            description.get("dims"),
            description.get("element_type", "float"),
            (description.get("index_options") or {}).get("type"),
            (description.get("model_settings") or description).get("similarity"),
            description.get("ignore_above"),
            (copies,) if isinstance(copies, str) else tuple(copies),
            parent,
        )
        yield from _read_fields(description.get("properties") or {}, f"{full_name}.")
        yield from _read_fields(description.get("fields") or {}, f"{full_name}.", full_name)


def _read_keeps_vectors(body: Any) -> bool:
    try:
        return any(_keeps_vectors(description) for description in body.values())
    except (AttributeError, TypeError, ValueError):
        raise InvalidAnswerError("Elasticsearch did not describe the settings of an index.") from None


def _keeps_vectors(description: Any) -> bool:
    for group in ("settings", "defaults"):  # for an index of a version before 9.2, the default is false
        kept = ((description.get(group) or {}).get("index") or {}).get("mapping") or {}
        if "exclude_source_vectors" in kept:
            return str(kept["exclude_source_vectors"]).lower() == "false"
    return False


def _with_setting(properties: Mapping[str, Any], path: str, name: str, value: Any) -> dict[str, Any]:
    """Return the definition of the top-level field on the path, in which the field of this path has another setting."""
    for key, definition in properties.items():
        if key == path:
            return {key: {**definition, name: value}}
        if path.startswith(f"{key}."):
            for group in ("properties", "fields"):
                inner = definition.get(group) or {}
                if changed := _with_setting(inner, path.removeprefix(f"{key}."), name, value):
                    return {key: {**definition, group: {**inner, **changed}}}
    return {}


def _read_refresh_interval(body: Any) -> float | None:
    try:
        (description,) = body.values()
        interval = (description.get("settings") or {}).get("index", {}).get("refresh_interval")
        if interval is None:
            return None
        number, unit = re.fullmatch(r"(-?\d+)([a-z]*)", str(interval)).groups()  # type: ignore[union-attr]
        return math.inf if int(number) < 0 else int(number) * _UNITS[unit or "ms"]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError("Elasticsearch did not describe the settings of one index.") from None


def mapping_path(index: str) -> str:
    """Return the path of the mapping of an index, and of the cached description of it."""
    return f"/{quoted(index)}/_mapping"


def quoted(index: str) -> str:
    """Return the name of an index as part of a path."""
    return quote(index, safe="")
