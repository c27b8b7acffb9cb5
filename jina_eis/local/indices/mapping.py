"""Mappings: the fields of an index, flattened, extended, and shown as Elasticsearch understood them.

Must not know documents, queries or storage.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..refusals import Json, illegal_argument, mapper_parsing, not_implemented, read_flag, wrapping
from ..unsupported import refuse_unsupported
from .fieldtypes import Find, merge_properties, read_dynamic, read_properties
from .parameters import ISO_DATE, SEMANTIC, TEMPLATE_OPTIONS, TEMPLATE_TYPES, USUAL
from .values import utf16_length

MAX_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or an object of fields.

    Attributes:
        path: Full name, with dots.
        kind: Type.
        source: Path of its values in documents; for a multi-field, that of its parent field.
        settings: Definition, without defaults.
        siblings: Paths of its multi-fields.
    """

    path: str
    kind: str
    source: str
    settings: Json
    siblings: tuple[str, ...] = ()

    @property
    def copies(self) -> list[str]:
        """The fields that its values are copied to."""
        return list(self.settings.get("copy_to", ()))

    def ignores(self, text: str) -> bool:
        """Return whether a value is too long for a keyword field."""
        return "ignore_above" in self.settings and utf16_length(text) > self.settings["ignore_above"]

    @property
    def date_format(self) -> str:
        """The formats of its dates."""
        return str(self.settings.get("format", ISO_DATE))

    @property
    def inference_id(self) -> str:
        """The endpoint that embeds documents."""
        return str(self.settings["inference_id"])

    @property
    def search_inference_id(self) -> str:
        """The endpoint that embeds queries."""
        return str(self.settings.get("search_inference_id", self.inference_id))

    @property
    def similarity(self) -> str:
        """The similarity function of its vectors."""
        settings = self.settings.get("model_settings", {}) if self.kind in SEMANTIC else self.settings
        return str(settings.get("similarity", "cosine"))


@dataclass(frozen=True, slots=True)
class Mapping:
    """The fields of an index; immutable.

    Attributes:
        root: The definition, in which every object has `properties`.
        fields: All fields and objects by path.
    """

    root: Json
    fields: Mapped[str, Field] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Json) -> Mapping:
        """Build a mapping from a checked definition."""
        fields = {field.path: field for field in flatten(root.get("properties", {}), "")}
        if len(fields) > MAX_FIELDS:
            raise illegal_argument(f"Limit of total fields [{MAX_FIELDS}] has been exceeded")
        return cls(root, fields)

    @property
    def definition(self) -> Json:
        """The definition as GET returns it."""
        return show_object(self.root)

    def merged(self, put: Json, find: Find) -> Mapping:
        """Return this mapping merged with a definition from a client; refuses changes to existing fields."""
        with wrapping(lambda refused: mapper_parsing(f"Failed to parse mapping: {refused.reason}", refused)):
            new = {name: read_root(name, value) for name, value in put.items() if name != "properties"}
            properties = read_properties(put.get("properties", {}), "", find)
        merged = merge_properties(self.root.get("properties", {}), properties, "")
        kept = {name: value for name, value in new.items() if value is not None}
        result = Mapping.of(self.root | kept | {"properties": merged})
        for target in {target for origin in result.fields.values() for target in origin.copies} & result.fields.keys():
            if result.fields[target].kind == "object":
                raise illegal_argument(f"Cannot copy to field [{target}], since it is an object")
        return result

    def with_field(self, path: str, settings: Json) -> Mapping:
        """Return this mapping with a new field, or with more settings of a field."""
        root = copy.deepcopy(self.root)
        *parents, name = path.split(".")
        node = root.setdefault("properties", {})
        for parent in parents:
            node = node.setdefault(parent, {}).setdefault("properties", {})
        node[name] = node.get(name, {}) | settings
        return Mapping.of(root)


def read_root(name: str, value: Any) -> Any:
    """Return a parameter of the whole mapping; None keeps what was there."""
    readers: dict[str, Callable[[Any], Any]] = {"dynamic": read_dynamic, "date_detection": read_flag}
    readers["dynamic_templates"] = check_templates
    if name in readers:
        return readers[name](value)
    if name == "_meta" and isinstance(value, dict | None):
        return value
    if name == "_source" and value in ({}, {"enabled": True}):
        return None
    refuse_unsupported("mappings", name, f"mappings.{name}: {value}")
    raise mapper_parsing(f"Root mapping definition has unsupported parameters:  [{name} : {value}]")


def show_object(settings: Json) -> Json:
    """Return the definition of an object as GET does: one without fields has its type."""
    inner = {
        name: show_object(field) | ({} if field["properties"] else {"type": "object"}) if "properties" in field else field
        for name, field in settings.get("properties", {}).items()
    }
    rest = {name: value for name, value in settings.items() if name != "properties"}
    return rest | ({"properties": inner} if inner else {})


def flatten(properties: Json, prefix: str) -> Iterator[Field]:
    for name, settings in properties.items():
        path = f"{prefix}{name}"
        subs = {f"{path}.{sub}": definition for sub, definition in settings.get("fields", {}).items()}
        yield Field(path, settings.get("type", "object"), path, settings, tuple(subs))
        yield from (Field(sub, definition["type"], path, definition) for sub, definition in subs.items())
        yield from flatten(settings.get("properties", {}), f"{path}.")


def check_templates(templates: Any) -> Any:
    """Return dynamic templates after checking their form."""
    for template in templates if isinstance(templates, list) else [templates]:
        ((name, body),) = template.items() if isinstance(template, dict) and len(template) == 1 else [("", None)]
        options = body if isinstance(body, dict) else {}
        for key, value in {"mapping": None, "match_mapping_type": "*", **options}.items():
            known = value in TEMPLATE_TYPES if key == "match_mapping_type" else isinstance(value, TEMPLATE_OPTIONS.get(key, ()))
            if not known or (key == "mapping" and "'{" in str(value)):  # a placeholder
                raise not_implemented(f"dynamic_templates.{name}.{key}: {value}")
    return templates


def templated(path: str, first: Any, root: Json) -> Json | None:
    """Return the definition of a new field with this first value by the first template that matches; None if none does."""
    kind = {dict: "object", bool: "boolean", int: "long", float: "double"}.get(type(first), "string")
    for (body,) in map(dict.values, root.get("dynamic_templates", ())):
        if body.get("match_mapping_type", "*") in ("*", kind) and fnmatchcase(path, body.get("path_match", "*")):
            return {"type": USUAL.get(kind, kind), **body["mapping"]}
    return None
