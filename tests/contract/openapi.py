"""Checks of exchanges against Elasticsearch's official OpenAPI, the file that JINA_EIS_OPENAPI names.

The published file needs four corrections. Its alternatives overlap, so `oneOf` is read as `anyOf`. Its objects with exactly
one of several keys allow unknown keys, so additional properties are forbidden. Its dynamic templates have one key only, though
each needs a condition and a mapping. Its formats of inputs are those of 9.5: the API pages of 9.6 (operations
inference-embedding and inference-rerank) add `url`, as sections 1.2 and 1.3 of the contract state.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator

# Paths that only `doctor` requests. A subset of the file for inference may omit them.
NOT_ABOUT_INFERENCE = {"/_license", "/_security/user/_has_privileges"}
POINTS_IN_TIME = re.compile(r"/_search|(/[^/]+)?/_pit")  # the file has none, and no search without an index

# What 9.6 has and the file does not: document extraction, and chat completions that are no streams.
NEWER = re.compile(r"/_inference/(document_extraction/[^/]+|chat_completion/[^/]+)")
TASK_TYPE = "inference._types.TaskType"

_CHECKED: dict[tuple[int, bytes], list[str]] = {}
INDEX_OF_A_TEST = re.compile(r"\btest-[0-9a-f]{32}\b")

_SEMANTIC_FIELD = {  # newer than the file
    "type": "object",
    "properties": {"type": {"type": "string", "enum": ["semantic"]}, "inference_id": {"type": "string"}},
    "required": ["type", "inference_id"],
}


def available() -> bool:
    return bool(os.environ.get("JINA_EIS_OPENAPI"))


def problems(exchange: Any) -> list[str]:
    """Return the problems of a request, and those of its response if it succeeded without a fault."""
    if not available():
        return []
    if exchange.path in NOT_ABOUT_INFERENCE or NEWER.fullmatch(exchange.path) or POINTS_IN_TIME.fullmatch(exchange.path):
        return []
    operation = _operation(exchange.method, exchange.path)
    if operation is None:
        return [] if exchange.status == 501 else ["the path is not in the OpenAPI"]
    results = []
    if exchange.body is not None and "requestBody" in operation:
        results += [f"request: {problem}" for problem in _problems(operation["requestBody"], exchange.body)]
    if exchange.status == 200 and exchange.fault is None and exchange.method != "HEAD":
        results += [f"response: {problem}" for problem in _problems(operation["responses"]["200"], exchange.answer)]
    return results


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    document = json.loads(Path(os.environ["JINA_EIS_OPENAPI"]).read_text("utf-8"))
    schemas = document["components"]["schemas"]
    field = "_types.mapping.Property"
    schemas[f"{field}.semantic"] = _SEMANTIC_FIELD
    types = schemas[field]["discriminator"]["mapping"] | {"semantic": f"#/components/schemas/{field}.semantic"}
    schemas[field] = {"byType": types}
    _tighten(document)
    for name in (
        "TermQuery",
        "MatchQuery",
        "MatchPhraseQuery",
    ):  # Elasticsearch also accepts {"term": {"field": "value"}}; the file omits it
        full = schemas[f"_types.query_dsl.{name}"]
        schemas[f"_types.query_dsl.{name}"] = {"anyOf": [full, {"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
    # {"fields": ["name"]} is short for a field without a format, and the values of a field are a list.
    schemas["_types.query_dsl.FieldAndFormat"] = {"anyOf": [schemas["_types.query_dsl.FieldAndFormat"], {"type": "string"}]}
    schemas["_global.search._types.Hit"]["properties"]["fields"]["additionalProperties"] = {"type": "array", "items": {}}
    for part in schemas["_types.mapping.DynamicTemplate"]["allOf"]:
        for limit in ("maxProperties", "additionalProperties"):
            part.pop(limit, None)
    for name in ("inference._types.EmbeddingContentFormat", "inference.rerank.RerankInputFormat"):
        formats = schemas[name]["enum"]
        if "url" not in formats:
            formats.append("url")
    for name in (name for name in schemas if name.startswith(TASK_TYPE)):
        if "enum" in schemas[name] and "document_extraction" not in schemas[name]["enum"]:
            schemas[name]["enum"].append("document_extraction")
    return document


def _tighten(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _tighten(item)
    elif isinstance(node, dict):
        if "oneOf" in node:
            node["anyOf"] = node.pop("oneOf")
        node.pop("discriminator", None)
        if node.get("maxProperties") == 1 and "properties" in node:
            node.setdefault("additionalProperties", False)
        for value in node.values():
            _tighten(value)


def _by_type(validator: Any, types: dict[str, str], instance: Any, schema: Any) -> Iterator[Any]:
    """Check a field against the one schema of its type: with fields in fields, to try all 50 takes minutes."""
    kind = instance.get("type", "object") if isinstance(instance, dict) else "object"
    yield from validator.descend(instance, {"$ref": types[kind]} if kind in types else {"enum": sorted(types)})


_Validator = extend(OAS30Validator, {"byType": _by_type})


def _operation(method: str, path: str) -> dict[str, Any] | None:
    candidates = [
        (template.count("{"), item[method.lower()])
        for template, item in _document()["paths"].items()
        if method.lower() in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    return min(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _problems(holder: dict[str, Any], body: Any) -> list[str]:
    if "$ref" in holder:
        *_, section, name = holder["$ref"].split("/")
        holder = _document()["components"][section][name]
    text = json.dumps(_alike(body))
    if "test-" in text:  # the pattern reads megabytes of a file much more slowly
        text = INDEX_OF_A_TEST.sub("test", text)
    key = (id(holder), blake2b(text.encode()).digest())
    if key not in _CHECKED:  # most exchanges of a run repeat others, and a mapping takes a tenth of a second
        schema = next(iter(holder["content"].values()))["schema"]
        validator = _Validator({**schema, "components": _document()["components"]})
        errors = validator.iter_errors(json.loads(text))
        _CHECKED[key] = [f"{error.message[:200]} at {list(error.absolute_path)}" for error in errors]
    return _CHECKED[key]


def _alike(value: Any) -> Any:
    """Return the value with what the schemas do not tell apart made equal, so that each shape is validated once.

    Numbers keep their type and whether they are 0, texts of several words become one, and a list has each shape once.
    """
    if isinstance(value, dict):
        return {name: _alike(item) for name, item in value.items()}
    if isinstance(value, list):
        if set(map(type, value)) == {float}:  # a vector; most of what is sent is numbers of vectors
            return [0.0] * (0.0 in value) + [1.5] * any(value)
        return list({json.dumps(item): item for item in map(_alike, value)}.values())
    if isinstance(value, str):
        return "some words" if " " in value else value
    if isinstance(value, bool) or not value:
        return value
    return 1.5 if isinstance(value, float) else 1 if isinstance(value, int) and value > 0 else value
