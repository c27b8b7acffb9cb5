"""Reading of documents: returns their exact values, texts, vectors, and inputs to embed.

Knows mappings and dynamic fields; must not know storage, inference or requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..inference import Array, Item, parse_item
from ..refusals import Json, RefusedError, illegal_argument, wrapping
from ..versions import Version
from .actions import document_error, document_errors
from .fieldtypes import complete_vector, read_count, split_name
from .mapping import Field, Mapping, templated
from .parameters import BINARY_LIMIT, IGNORE_ABOVE, ISO_DATE, MAX_KEYWORD_BYTES, METADATA, NUMBERS, SEMANTIC, VECTOR_LENGTHS
from .values import Value, date_format_of, format_value, read_value, read_vector
from .vectors import norm_problem


@dataclass(slots=True)
class Document:
    """The indexed parts of a document, and its mapping with any new fields."""

    mapping: Mapping
    exact: list[tuple[str, Value]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    vectors: dict[str, Array] = field(default_factory=dict)
    semantic: dict[str, list[Item]] = field(default_factory=dict)


def read_document(mapping: Mapping, doc_id: str, source: Json) -> Document:
    """Read a document; the mapping of the result also has its new fields. Raises RefusedError for a wrong value."""
    reader = Reader(Document(mapping), doc_id)
    reader.read_object(source, "", mapping.root.get("dynamic", "true"))
    return reader.document


def values_of(mapping: Mapping, source: Json, path: str) -> list[Any]:
    """Return the original values of a field in a document, including those copied to it."""
    field = mapping.fields.get(path)
    if field is None:
        return []
    origins = [field.source, *(other.path for other in mapping.fields.values() if path in other.copies)]
    return [value for origin in origins for value in leaves(source, origin.split("."))]


def leaves(node: Any, names: list[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for element in node:
            yield from leaves(element, names)
    elif not names:
        if node is not None:
            yield node
    elif isinstance(node, dict):
        for cut in range(1, len(names) + 1):  # a key may contain dots
            if (name := ".".join(names[:cut])) in node:
                yield from leaves(node[name], names[cut:])


def flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for element in value:
            yield from flatten(element)
    elif value is not None:
        yield value


class Reader:
    """Reads one document."""

    def __init__(self, document: Document, doc_id: str) -> None:
        self.document = document
        self._id = doc_id

    def read_object(self, node: Json, prefix: str, dynamic: str) -> None:
        """Read the fields of an object, whose paths begin with the prefix."""
        for name, value in node.items():
            if not prefix and name in METADATA and value is not None:
                cause = document_error(f"Field [{name}] is a metadata field and cannot be added inside a document.")
                raise self._value_error(name, name, value, cause)
            with document_errors():
                head, *rest = split_name(name)
            leaf = self.document.mapping.fields.get(f"{prefix}{head}")
            if rest and leaf is not None and leaf.kind != "object":
                raise self._value_error(leaf.path, leaf.kind, value, illegal_argument(f"Cannot parse object as {leaf.kind}"))
            self._read(f"{prefix}{head}", {".".join(rest): value} if rest else value, dynamic)

    def _read(self, path: str, value: Any, dynamic: str) -> None:
        field = self.document.mapping.fields.get(path)
        if field is None:
            if dynamic == "false" or not self._add_field(path, value, dynamic):
                return
            field = self.document.mapping.fields[path]
        if field.kind != "object":
            self._read_leaf(field, value)
            return
        for element in flatten(value):
            if not isinstance(element, dict):
                tried = f"object mapping for [{field.path}] tried to parse field [{field.path.split('.')[-1]}] as object"
                raise document_error(f"{tried}, but found a concrete value")
            self.read_object(element, f"{field.path}.", field.settings.get("dynamic", dynamic))

    def _add_field(self, path: str, value: Any, dynamic: str) -> bool:
        """Add a field to the mapping; return False if the value has no type yet."""
        if dynamic == "strict":
            parent = path.rpartition(".")[0] or "_doc"
            reason = f"mapping set to strict, dynamic introduction of [{path.split('.')[-1]}] within [{parent}] is not allowed"
            raise document_error(reason, kind="strict_dynamic_mapping_exception")
        first = next(flatten(value), None)
        if first is None:
            return False
        mapping = self.document.mapping
        with document_errors():
            settings = templated(path, first, mapping.root) or new_field(value, first, mapping.root)
            self.document.mapping = mapping.with_field(path, settings)
        return True

    def _read_leaf(self, field: Field, value: Any) -> None:
        if field.kind == "dense_vector":
            self._read_vector(field, value)
        else:
            for element in flatten(value):
                self._read_value(field, element)
        for sibling in field.siblings:
            self._read_leaf(self.document.mapping.fields[sibling], value)
        for target in field.copies:
            dynamic = self.document.mapping.root.get("dynamic", "true")
            known = target in self.document.mapping.fields
            if known or (dynamic != "false" and self._add_field(target, value, dynamic)):
                self._read_leaf(self.document.mapping.fields[target], value)

    def _value_error(self, path: str, kind: str, value: Any, cause: RefusedError) -> RefusedError:
        reason = f"failed to parse field [{path}] of type [{kind}] in document with id '{self._id}'."
        return document_error(f"{reason} Preview of field's value: '{format_value(value)[:100]}'", cause)

    def _read_value(self, field: Field, value: Any) -> None:
        if value == "" and field.kind in NUMBERS:
            return
        with wrapping(lambda refused: self._value_error(field.path, field.kind, value, refused)):
            if field.kind in SEMANTIC:
                self.document.semantic.setdefault(field.path, []).append(semantic_item(field.kind, value))
                return
            indexed = read_value(field.kind, value, field.date_format)
        if field.kind == "text":
            self.document.texts.setdefault(field.path, []).append(str(indexed))
            return
        if field.kind == "keyword":
            if field.ignores(str(indexed)):
                return
            if "ignore_above" not in field.settings and len(str(indexed).encode()) > MAX_KEYWORD_BYTES:
                immense = f'Document contains at least one immense term in field="{field.path}"'
                raise document_error(f"{immense} (whose UTF8 encoding is longer than the max length {MAX_KEYWORD_BYTES})")
        self.document.exact.append((field.path, indexed))

    def _read_vector(self, field: Field, value: Any) -> None:
        if value is None:
            return
        with document_errors():
            dims = field.settings.get("dims")
            vector = read_vector(value, dims)
            if field.path in self.document.vectors:
                raise illegal_argument(f"Field [{field.path}] of type [dense_vector] doesn't support multiple values")
            if dims not in (None, len(vector)):
                where = f"The [dense_vector] field [{field.path}] in doc [document with id '{self._id}']"
                raise illegal_argument(f"{where} has a different dimension [{len(vector)}] than defined in the mapping [{dims}]")
            if not np.isfinite(vector).all():
                raise illegal_argument("element_type [float] vectors do not support non-finite values")
            if problem := norm_problem(vector, field.similarity, field.settings["index"]):
                raise illegal_argument(problem)
        if dims is None:
            settings = complete_vector(field.settings | {"dims": read_count("dims", len(vector), field.path)}, field.path)
            self.document.mapping = self.document.mapping.with_field(field.path, settings)
        self.document.vectors[field.path] = vector


def new_field(value: Any, first: Any, root: Json) -> Json:
    """Return the definition that Elasticsearch derives from the first value of a field."""
    if isinstance(first, dict):
        return {"properties": {}}
    if isinstance(first, int):
        return {"type": "boolean" if isinstance(first, bool) else "long"}
    if isinstance(first, float):
        numbers = list(flatten(value)) if isinstance(value, list) else []
        if len(numbers) in VECTOR_LENGTHS and set(map(type, numbers)) == {float}:
            return complete_vector({"type": "dense_vector", "dims": len(numbers)}, "")
        return {"type": "float"}
    if root.get("date_detection", True) and (date_format := date_format_of(first)) is not None:
        return {"type": "date"} | ({} if date_format == ISO_DATE else {"format": date_format, "locale": ""})
    return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": IGNORE_ABOVE}}}


def semantic_item(kind: str, value: Any) -> Item:
    """Return the input that a semantic field embeds: a text or, for type `semantic`, also a medium."""
    if isinstance(value, str):
        return Item("text", value)
    if isinstance(value, int | float | bool) and kind == "semantic_text":
        return Item("text", format_value(value))
    if not isinstance(value, dict) or kind == "semantic_text":
        raise illegal_argument(f"expected a String{' or an Object' if kind == 'semantic' else ''}, got {type(value).__name__}")
    item = parse_item(value, Version(9, 5))  # the first with this type; no version takes addresses here
    if item.kind != "text" and (size := len(item.value.partition(",")[2].rstrip("=")) * 3 // 4) > BINARY_LIMIT:
        limit = f"[{BINARY_LIMIT}] of [indices.inference.max_binary_input_size]"
        raise illegal_argument(f"the {item.kind} has {size} bytes, more than the {limit}")
    return item
