"""Reading of documents: returns their exact values, texts, vectors, and inputs to embed.

Knows mappings and dynamic fields; must not know storage, inference or requests.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..inference import Array, Item, parse_item
from ..refusals import Json, RefusedError, illegal_argument
from ..versions import Version
from .mapping import SEMANTIC, Field, Mapping
from .values import Value, format_value, looks_like_date, read_value

__all__ = ["Document", "read_document", "values_of"]

IGNORE_ABOVE = 256
VECTOR_LENGTHS = range(128, 4097)  # a new field with an array of so many fractions becomes a dense_vector
BINARY_LIMIT = 1 << 20
MAX_KEYWORD_BYTES = 32_766
METADATA = frozenset({"_doc_count", "_feature", "_field_names", "_id", "_ignored", "_index", "_nested_path", "_routing"}) | {
    "_seq_no",
    "_source",
    "_tier",
    "_version",
}
SCALARS = (str, int, float, bool)


@dataclass(slots=True)
class Document:
    """The indexed parts of a document, and its mapping with any new fields."""

    mapping: Mapping
    exact: list[tuple[str, Value]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    vectors: dict[str, Array] = field(default_factory=dict)
    semantic: dict[str, list[Item]] = field(default_factory=dict)


def read_document(mapping: Mapping, doc_id: str, source: Json) -> Document:
    """Read a document. The mapping of the result also has the new fields of the document.

    Raises:
        RefusedError: a value that its field does not accept.
    """
    reader = Reader(Document(mapping), doc_id)
    reader.read_object(source, "", mapping.root.get("dynamic", True))
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


def parse_failure(reason: str, cause: RefusedError | None = None, kind: str = "document_parsing_exception") -> RefusedError:
    return RefusedError(400, kind, f"[1:1] {reason}", cause)


class Reader:
    """Reads one document."""

    def __init__(self, document: Document, doc_id: str) -> None:
        self.document = document
        self._id = doc_id

    def read_object(self, node: Json, prefix: str, dynamic: Any) -> None:
        for name, value in node.items():
            if not prefix and name in METADATA:
                reason = f"Field [{name}] is a metadata field and cannot be added inside a document."
                raise parse_failure(f"{reason} Use the index API request parameters.")
            path = name.rstrip(".")
            if not all(part.strip() for part in path.split(".")):
                raise parse_failure(f"field name cannot contain only whitespace or dots: [{name}]")
            head, dot, rest = path.partition(".")
            self._read(f"{prefix}{head}", {rest: value} if dot else value, dynamic)

    def _read(self, path: str, value: Any, dynamic: Any) -> None:
        field = self.document.mapping.fields.get(path)
        if field is None:
            if value is None or dynamic in (False, "false") or not self._add_field(path, value, dynamic):
                return
            field = self.document.mapping.fields[path]
        if field.kind == "object":
            self._read_objects(field, value, dynamic)
        else:
            self._read_leaf(field, value)

    def _read_objects(self, field: Field, value: Any, dynamic: Any) -> None:
        if not field.settings.get("enabled", True):
            return
        for element in flatten(value):
            if not isinstance(element, dict):
                last = field.path.split(".")[-1]
                raise parse_failure(
                    f"object mapping for [{field.path}] tried to parse field [{last}] as object, but found a concrete value"
                )
            self.read_object(element, f"{field.path}.", field.settings.get("dynamic", dynamic))

    def _add_field(self, path: str, value: Any, dynamic: Any) -> bool:
        """Add a field to the mapping; return False if the value has no type yet."""
        first = next(flatten(value), None)
        if first is None:
            return False
        if dynamic == "strict":
            parent = path.rpartition(".")[0] or "_doc"
            reason = f"mapping set to strict, dynamic introduction of [{path.split('.')[-1]}] within [{parent}] is not allowed"
            raise parse_failure(reason, kind="strict_dynamic_mapping_exception")
        mapping = self.document.mapping
        self.document.mapping = mapping.with_field(path, new_field(value, first, mapping.root))
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
            if target not in self.document.mapping.fields:
                self._add_field(target, value, True)
            self._read_leaf(self.document.mapping.fields[target], value)

    def _read_value(self, field: Field, value: Any) -> None:
        try:
            if field.kind in SEMANTIC:
                self.document.semantic.setdefault(field.path, []).append(semantic_item(field.kind, value))
                return
            if not isinstance(value, SCALARS):
                raise RefusedError(400, "illegal_state_exception", "Can't get text on a START_OBJECT at 1:1")
            indexed = read_value(field.kind, value)
        except RefusedError as refused:
            if refused.status == 501:
                raise
            raise parse_failure(
                f"failed to parse field [{field.path}] of type [{field.kind}] in document with id '{self._id}'. "
                f"Preview of field's value: '{format_value(value)[:100]}'",
                refused,
            ) from refused
        if field.kind == "keyword" and "ignore_above" not in field.settings and len(str(indexed).encode()) > MAX_KEYWORD_BYTES:
            raise parse_failure(
                f'Document contains at least one immense term in field="{field.path}" (whose UTF8 encoding is longer than the '
                f"max length {MAX_KEYWORD_BYTES}), all of which were skipped."
            )
        if field.kind == "text":
            self.document.texts.setdefault(field.path, []).append(str(indexed))
        elif not (field.kind == "keyword" and len(str(indexed)) > field.settings.get("ignore_above", 1 << 31)):
            self.document.exact.append((field.path, indexed))

    def _read_vector(self, field: Field, value: Any) -> None:
        numbers = [value] if isinstance(value, int | float) and not isinstance(value, bool) else value
        try:
            if field.path in self.document.vectors:
                raise illegal_argument(
                    f"Field [{field.path}] of type [dense_vector] doesn't support indexing multiple values for the same field "
                    "in the same document"
                )
            if value is None:
                return
            if not isinstance(numbers, list) or not set(map(type, numbers)) <= {int, float}:
                raise illegal_argument(f"Field [{field.path}] of type [dense_vector] takes an array of numbers")
            vector = np.array(numbers, dtype=np.float32)
            dims = field.settings.get("dims")
            if dims is None:
                self.document.mapping = self.document.mapping.with_field(field.path, {"dims": len(numbers)})
            elif dims != len(numbers):
                raise illegal_argument(
                    f"The [dense_vector] field [{field.path}] in doc [document with id '{self._id}'] has a different dimension "
                    f"[{len(numbers)}] than defined in the mapping [{dims}]"
                )
            check_norm(field, vector)
        except RefusedError as refused:
            raise parse_failure(f"failed to parse: {refused.reason}", refused) from refused
        self.document.vectors[field.path] = vector


def check_norm(field: Field, vector: Array) -> None:
    if not np.isfinite(vector).all():
        raise illegal_argument("element_type [float] vectors do not support non-finite values")
    norm, preview = float(np.linalg.norm(vector)), ", ".join(str(number) for number in vector[:5].tolist())
    if field.similarity == "cosine" and field.settings.get("index", True) and norm == 0.0:
        raise illegal_argument(
            f"The [cosine] similarity does not support vectors with zero magnitude. Preview of invalid vector: [{preview}]"
        )
    if field.similarity == "dot_product" and abs(norm * norm - 1.0) > 1e-4:
        raise illegal_argument(
            f"The [dot_product] similarity can only be used with unit-length vectors. Preview of invalid vector: [{preview}]"
        )


def new_field(value: Any, first: Any, root: Json) -> Json:
    """Return the definition that Elasticsearch derives from the first value of a field."""
    if isinstance(first, dict):
        return {"properties": {}}
    if isinstance(first, bool):
        return {"type": "boolean"}
    if isinstance(first, int):
        return {"type": "long"}
    if isinstance(first, float):
        fractions = isinstance(value, list) and all(type(number) is float for number in value)
        if fractions and len(value) in VECTOR_LENGTHS and "dynamic_templates" not in root:
            return {"type": "dense_vector", "dims": len(value), "index": True, "similarity": "cosine"}
        return {"type": "float"}
    if root.get("date_detection", True) and looks_like_date(first):
        return {"type": "date"}
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
    if item.kind != "text":
        try:
            size = len(b64decode(item.value.partition(",")[2]))
        except ValueError:
            size = 0  # the service reports the invalid Base64
        if size > BINARY_LIMIT:
            raise illegal_argument(
                f"the {item.kind} has {size} bytes, more than the [{BINARY_LIMIT}] of [indices.inference.max_binary_input_size]"
            )
    return item
