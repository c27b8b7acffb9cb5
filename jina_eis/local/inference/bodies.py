"""Parsers of `_inference` bodies, which accept and refuse what Elasticsearch does.

Know tasks, fields and the types of errors, whose texts may differ. Must not know endpoints, models or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from ..refusals import Json, RefusedError, illegal_argument, invalid, parse_error, parsing, parsing_exception, status_error, token
from ..versions import Version
from . import fields as tables


@dataclass(frozen=True, slots=True)
class Item:
    """A text, or a medium as a data URI or by its address. Its kind is one of ITEM_TYPES."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed body. An input is one item, or several items that are embedded together."""

    inputs: Sequence[Sequence[Item]]
    input_type: str = "unspecified"
    query: Item | None = None
    top_n: int | None = None

    @property
    def items(self) -> list[Item]:
        """All items of the inputs, then the query."""
        return [*chain.from_iterable(self.inputs), *([] if self.query is None else [self.query])]


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, a single value in a list, and None as an empty list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def parse_task(name: str, version: Version) -> str:
    """Return the task of this name; raises RefusedError if it is unknown."""
    task = name.strip().lower()
    if task not in tables.TASK_TYPES and not (task in tables.NEWER_TASK_TYPES and version.has(task)):
        raise status_error(f"Unknown task_type [{name}]")
    return task


def read_body(raw: bytes) -> Json:
    """Parse a body, which must be a JSON object."""
    if not raw.strip():
        raise RefusedError(400, "parse_exception", "request body is required")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise parse_error("JSON", f"{error.msg} at [{error.lineno}:{error.colno}]") from error
    if not isinstance(body, dict):
        raise parsing_exception(f"Failed to parse object: expecting token of type [START_OBJECT] but found [{token(body)}]")
    return body


def check_fields(parser: str, body: Any, fields: tables.Fields, required: Sequence[str] = ()) -> Json:
    if not isinstance(body, dict):
        raise illegal_argument(f"Unsupported token [{token(body)}]")
    for name, value in body.items():
        if name not in fields:
            raise parse_error(parser, f"unknown field [{name}]")
        if type(value) not in fields[name]:
            raise parse_error(parser, f"{name} doesn't support values of type: {token(value)}")
    if missing := [name for name in required if name not in body]:
        raise illegal_argument(f"Required [{', '.join(missing)}]")
    return body


def parse_input_type(parser: str, body: Json, known: Sequence[str]) -> str:
    name = str(body.get("input_type", "unspecified")).strip().lower()
    with parsing(parser, "field [input_type]"):
        if name not in known:
            raise illegal_argument(f"Unrecognized input_type [{name}]")
    return name


def parse_shared(body: Json, version: Version) -> Parsed:
    """Parse a body of text_embedding, or of a task that no Jina endpoint has."""
    for name in ("query", "return_documents", "top_n"):
        if name in body:
            raise invalid(f"Field [{name}] cannot be specified for this task type")
    check_fields(tables.SHARED_PARSER, body, tables.SHARED)
    inputs = []
    for element in as_list(body.get("input")):
        if not isinstance(element, str | int | float):
            raise parse_error(tables.SHARED_PARSER, f"input doesn't support values of type: {token(element)}")
        # A number or a boolean is read as its JSON text.
        inputs.append([Item("text", element if isinstance(element, str) else orjson.dumps(element).decode())])
    input_type = parse_input_type(tables.SHARED_PARSER, body, tables.INPUT_TYPES)
    if not inputs:
        raise invalid("Field [input] cannot be null or an empty array")
    return Parsed(inputs, input_type)


def parse_embedding(body: Json, version: Version) -> Parsed:
    parser = "EmbeddingRequest"
    check_fields(parser, body, tables.EMBEDDING, required=["input"])
    with parsing(parser, "field [input]"):
        inputs = [parse_input(element, version) for element in as_list(body["input"])]
    input_type = parse_input_type(parser, body, (*tables.INPUT_TYPES, *tables.INTERNAL_INPUT_TYPES))
    if not inputs:
        raise invalid("Field [inputs] cannot be an empty array")
    return Parsed(inputs, input_type)


def parse_input(element: Any, version: Version) -> list[Item]:
    """Parse an input: a text, or the items of its `content`."""
    if isinstance(element, str):
        return [Item("text", element)]
    parser = "InferenceStringGroup"
    check_fields(parser, element, {"content": (dict, list)}, required=["content"])
    with parsing(parser, "field [content]"):
        if not element["content"]:
            raise illegal_argument("[content] field cannot be empty")
        return [parse_item(item, version) for item in as_list(element["content"])]


def parse_item(item: Any, version: Version) -> Item:
    """Parse an item `{"type", "format", "value"}`. Elasticsearch checks only the prefix of a data URI."""
    check_fields("InferenceString", item, tables.ITEM, required=["type", "value"])
    kind = item["type"].lower()
    kinds = tables.ITEM_TYPES if version.has("audio, video and pdf") else tables.OLD_ITEM_TYPES
    if kind not in kinds:
        raise illegal_argument(f"Unrecognized type [{item['type']}], must be one of [{', '.join(kinds)}]")
    supported = ("text",) if kind == "text" else ("base64", "url") if version.has("format url") else ("base64",)
    data_format = item.get("format", supported[0]).lower()
    if data_format not in supported:
        raise illegal_argument(f"Data type [{kind}] does not support data format [{data_format}], only {', '.join(supported)}")
    if data_format == "base64" and not tables.DATA_URI.match(item["value"][: tables.DATA_URI_COMMA]):
        raise illegal_argument("base64 inputs must be specified as data URIs with the format [data:{MIME-type};base64,...]")
    return Item(kind, item["value"])


def parse_rerank(body: Json, version: Version) -> Parsed:
    parser = "RerankRequest"
    items = (dict,) if version.has("rerank of items") else ()
    fields = {**tables.RERANK, "query": (str, *items), "input": (str, list, *items)}
    check_fields(parser, body, fields, required=["input", "query"])
    with parsing(parser, "field [input]"):
        documents = [[parse_rankable(element, version)] for element in as_list(body["input"])]
    with parsing(parser, "field [query]"):
        query = parse_rankable(body["query"], version)
    top_n = body.get("top_n")
    if not documents or not query.value or (top_n is not None and top_n < 1):
        raise invalid("Fields [input] and [query] cannot be empty, and [top_n] must be greater than or equal to 1")
    return Parsed(documents, query=query, top_n=top_n)


def parse_rankable(element: Any, version: Version) -> Item:
    if isinstance(element, str):
        return Item("text", element)
    if not version.has("rerank of items"):
        raise illegal_argument(f"Unsupported token [{token(element)}]")
    item = parse_item(element, version)
    if item.kind not in tables.OLD_ITEM_TYPES:
        raise illegal_argument(f"unsupported [type] value [{item.kind}]. Supported values are [text, image]")
    return item


def parse_completion(body: Json, version: Version) -> Parsed:
    """Parse the messages of a chat completion: its texts and images. Options of the model are ignored."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Field [messages] cannot be an empty array")
    inputs = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        inputs.append([parse_message_part(part) for part in parts])
    return Parsed(inputs)


def parse_message_part(part: Any) -> Item:
    kind = part.get("type") if isinstance(part, dict) else None
    image = part.get("image_url") if kind == "image_url" else None
    value = image.get("url") if isinstance(image, dict) else part.get("text") if kind == "text" else None
    if not isinstance(value, str):
        raise parse_error("UnifiedCompletionRequest", "failed to parse field [messages]")
    return Item("text" if kind == "text" else "image", value)


def parse_extraction(body: Json, version: Version) -> Parsed:
    parser = "DocumentExtractionRequest"
    check_fields(parser, body, tables.EXTRACTION, required=("input",))
    check_fields("task_settings", body.get("task_settings", {}), tables.EXTRACTION_SETTINGS)
    with parsing(parser, "input"):
        parsed = Parsed([parse_input(element, version) for element in as_list(body["input"])])
        if any(item.kind not in ("image", "pdf") for item in parsed.items):
            raise illegal_argument("Field [content] contains an unsupported [type] value. Supported values are [image, pdf]")
    return parsed


PARSERS: dict[str, Callable[[Json, Version], Parsed]] = {
    **dict.fromkeys(tables.SHARED_TASKS, parse_shared),
    "embedding": parse_embedding,
    "rerank": parse_rerank,
    "chat_completion": parse_completion,
    "document_extraction": parse_extraction,
}
