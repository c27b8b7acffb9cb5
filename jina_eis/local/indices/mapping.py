"""What fields an index has: a mapping is flattened, extended, and shown as it was put.

Must not know documents, queries or what stores them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field

from ..inference import Endpoint
from ..refusals import Json, mapper_parsing, not_done
from .fieldtypes import SEMANTIC, SIMILARITIES, check_dynamic, extended, failed, read_properties

__all__ = ["SEMANTIC", "SIMILARITIES", "Field", "Mapping"]

ROOT = {"properties", "dynamic", "_meta", "_source", "date_detection"}
ROOT_NOT_DONE = frozenset({"_routing", "_size", "dynamic_date_formats", "dynamic_templates", "numeric_detection", "runtime"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or an object of them.

    Attributes:
        path: Its full name, with dots.
        kind: Its type.
        source: Where documents have its values: a multi-field has those of the field that it belongs to.
        settings: Its definition.
        siblings: The paths of its multi-fields.
    """

    path: str
    kind: str
    source: str
    settings: Json
    siblings: tuple[str, ...] = ()

    @property
    def copies(self) -> list[str]:
        """The fields that get its values too."""
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
        """How its vectors compare."""
        settings = self.settings.get("model_settings", {}) if self.kind in SEMANTIC else self.settings
        return str(settings.get("similarity", "cosine"))


@dataclass(frozen=True, slots=True)
class Mapping:
    """The fields of an index; never changed, but replaced.

    Attributes:
        root: The definition as GET shows it.
        fields: Every field and object, by its path.
    """

    root: Json
    fields: Mapped[str, Field] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Json) -> Mapping:
        """A mapping that was checked before."""
        return cls(root, {each.path: each for each in flatten(root.get("properties", {}), "")})

    def merged(self, put: Json, find: Callable[[str], Endpoint | None]) -> Mapping:
        """This mapping and what is put, if that is right and changes no field that there is.

        Args:
            put: What a client sends.
            find: Gives the inference endpoint of an id, if it exists.
        """
        if not isinstance(put, dict):
            raise failed(mapper_parsing("Expected a map of [properties] and other parameters"))
        unknown = [name for name in put if name not in ROOT]
        for name in unknown:
            if name in ROOT_NOT_DONE:
                raise not_done(f"mappings.{name}")
        if unknown:
            listed = ", ".join(f"{name} : {put[name]}" for name in unknown)
            raise failed(mapper_parsing(f"Root mapping definition has unsupported parameters:  [{listed}]"))
        if put.get("_source", {}) not in ({}, {"enabled": True}):
            raise not_done(f"mappings._source: {put['_source']}")
        check_dynamic(put)
        root = copy.deepcopy(self.root) | {name: value for name, value in put.items() if name != "properties"}
        properties = put.get("properties", {})
        if properties:
            root["properties"] = extended(root.get("properties", {}), read_properties(properties, "", find), "")
        return Mapping.of(root)

    def with_field(self, path: str, settings: Json) -> Mapping:
        """This mapping and one more field, or one with more settings."""
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
