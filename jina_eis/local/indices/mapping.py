"""Mappings: the fields of an index, flattened, extended, and returned as sent.

Must not know documents, queries or storage.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field

from ..inference import Endpoint
from ..refusals import Json, mapper_parsing, not_implemented
from .fieldtypes import SEMANTIC, SIMILARITIES, check_dynamic, merge_properties, parse_failure, read_properties

__all__ = ["SEMANTIC", "SIMILARITIES", "Field", "Mapping"]

ROOT = {"properties", "dynamic", "_meta", "_source", "date_detection", "dynamic_templates"}
ROOT_UNSUPPORTED = frozenset({"_routing", "_size", "dynamic_date_formats", "numeric_detection", "runtime"})
FRACTIONS = [{"fractions": {"match_mapping_type": "double", "mapping": {"type": "float"}}}]  # lists are not vectors


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or an object of fields.

    Attributes:
        path: Full name, with dots.
        kind: Type.
        source: Path of its values in documents; for a multi-field, that of its parent field.
        settings: Definition.
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
        target = self.settings.get("copy_to", [])
        return target if isinstance(target, list) else [target]

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
        root: The definition that GET returns.
        fields: All fields and objects by path.
    """

    root: Json
    fields: Mapped[str, Field] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Json) -> Mapping:
        """Build a mapping from a checked definition."""
        return cls(root, {field.path: field for field in flatten(root.get("properties", {}), "")})

    def merged(self, put: Json, find: Callable[[str], Endpoint | None]) -> Mapping:
        """Return this mapping merged with a new definition; refuses changes to existing fields.

        Args:
            put: Definition from a client.
            find: Returns the inference endpoint with an id, or None.
        """
        if not isinstance(put, dict):
            raise parse_failure(mapper_parsing("Expected a map of [properties] and other parameters"))
        unknown = [name for name in put if name not in ROOT]
        for name in unknown:
            if name in ROOT_UNSUPPORTED:
                raise not_implemented(f"mappings.{name}")
        if unknown:
            parameters = ", ".join(f"{name} : {put[name]}" for name in unknown)
            raise parse_failure(mapper_parsing(f"Root mapping definition has unsupported parameters:  [{parameters}]"))
        if put.get("_source", {}) not in ({}, {"enabled": True}):
            raise not_implemented(f"mappings._source: {put['_source']}")
        if put.get("dynamic_templates", FRACTIONS) != FRACTIONS:
            raise not_implemented(f"mappings.dynamic_templates other than {FRACTIONS}")
        check_dynamic(put)
        root = copy.deepcopy(self.root) | {name: value for name, value in put.items() if name != "properties"}
        properties = put.get("properties", {})
        if properties:
            root["properties"] = merge_properties(root.get("properties", {}), read_properties(properties, "", find), "")
        return Mapping.of(root)

    def with_field(self, path: str, settings: Json) -> Mapping:
        """Return this mapping with a new field, or with more settings of a field."""
        root = copy.deepcopy(self.root)
        *parents, name = path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault("properties", {}).setdefault(parent, {})
        node = node.setdefault("properties", {})
        node[name] = node.get(name, {}) | settings
        return Mapping.of(root)


def flatten(properties: Json, prefix: str) -> Iterator[Field]:
    for name, settings in properties.items():
        path = f"{prefix}{name}"
        subs = {f"{path}.{sub}": definition for sub, definition in settings.get("fields", {}).items()}
        yield Field(path, settings.get("type", "object"), path, settings, tuple(subs))
        yield from (Field(sub, definition["type"], path, definition) for sub, definition in subs.items())
        yield from flatten(settings.get("properties", {}), f"{path}.")
