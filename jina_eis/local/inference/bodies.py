"""Parsers of `_inference` bodies, which accept and refuse what Elasticsearch does.

Know tasks, fields, tokens and their errors. Must not know endpoints, models or HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from ..refusals import Json, RefusedError, illegal_argument, invalid, parse_error, status_error
from ..versions import Version

__all__ = ["PARSERS", "Item", "Parsed", "parse_task", "read_body"]

SHARED_PARSER = "cluster:internal/xpack/inference"  # the name that Elasticsearch uses in its errors
SHARED_TASKS = ("text_embedding", "sparse_embedding", "completion")
TASK_TYPES = (*SHARED_TASKS, "rerank", "chat_completion")
NEWER_TASK_TYPES = ("embedding", "document_extraction")
INPUT_TYPES = ("ingest", "search", "classification", "clustering", "unspecified")
INTERNAL_INPUT_TYPES = ("internal_ingest", "internal_search")
OLD_ITEM_TYPES = ("text", "image")
ITEM_TYPES = (*OLD_ITEM_TYPES, "audio", "video", "pdf")
OLD_FORMATS = ("text", "base64")

DATA_URI = re.compile(r"data:[^/,]+/[^,]+;base64,")
DATA_URI_COMMA = 256  # the comma must come before this position

STRING, NUMBER, BOOLEAN, ARRAY, OBJECT = "VALUE_STRING", "VALUE_NUMBER", "VALUE_BOOLEAN", "START_ARRAY", "START_OBJECT"
TOKENS: dict[type, str] = {
    str: STRING,
    int: NUMBER,
    float: NUMBER,
    bool: BOOLEAN,
    list: ARRAY,
    dict: OBJECT,
    type(None): "VALUE_NULL",
}


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


def parse_task(name: str, version: Version) -> str:
    """Return the task of this name; raises RefusedError if it is unknown."""
    task = name.strip().lower()
    if task not in TASK_TYPES and not (task in NEWER_TASK_TYPES and version.has(task)):
        raise status_error(f"Unknown task_type [{name}]")
    return task


def read_body(raw: bytes) -> Json:
    """Parse a body, which must be a JSON object."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, "x_content_parse_exception", f"[{error.lineno}:{error.colno}] {error.msg}") from error
    if not isinstance(body, dict):
        reason = f"Failed to parse object: expecting token of type [{OBJECT}] but found [{token(body)}]"
        raise RefusedError(400, "parsing_exception", reason)
    return body


def token(value: Any) -> str:
    return TOKENS[type(value)]


@contextmanager
def parsing(parser: str, name: str) -> Iterator[None]:
    """Wrap the errors of a field as Elasticsearch does: the useful text is the innermost cause."""
    try:
        yield
    except RefusedError as refused:
        raise parse_error(parser, f"failed to parse field [{name}]", refused) from refused


def check_fields(parser: str, body: Json, fields: Mapping[str, Collection[str]], required: Sequence[str] = ()) -> None:
    for name, value in body.items():
        if name not in fields:
            raise parse_error(parser, f"unknown field [{name}]")
        if token(value) not in fields[name]:
            raise parse_error(parser, f"{name} doesn't support values of type: {token(value)}")
    missing = [name for name in required if name not in body]
    if missing:
        raise illegal_argument(f"Required [{', '.join(missing)}]")


def parse_input_type(parser: str, body: Json, *, internal: bool) -> str:
    name = str(body.get("input_type", "unspecified")).strip().lower()
    with parsing(parser, "input_type"):
        if name in INTERNAL_INPUT_TYPES and not internal:
            raise illegal_argument(f"Unrecognized input_type [{name}]")
        if name not in (*INPUT_TYPES, *INTERNAL_INPUT_TYPES):
            raise illegal_argument(f"No enum constant org.elasticsearch.inference.InputType.{name.upper()}")
    return name


def parse_shared(body: Json, task: str, version: Version) -> Parsed:
    """Parse a body of text_embedding, or of a task that no Jina endpoint has."""
    fields = {
        "input": (STRING, ARRAY),
        "input_type": (STRING,),
        "query": (STRING,),
        "return_documents": (BOOLEAN,),
        "top_n": (NUMBER,),
        "task_settings": (OBJECT,),
        "timeout": (STRING,),
    }
    check_fields(SHARED_PARSER, body, fields)
    content = body.get("input")
    inputs = []
    for element in content if isinstance(content, list) else [content] if content is not None else []:
        if token(element) not in (STRING, NUMBER, BOOLEAN):
            raise parse_error(SHARED_PARSER, f"input doesn't support values of type: {token(element)}")
        # A number or a boolean is read as its JSON text.
        inputs.append([Item("text", element if isinstance(element, str) else orjson.dumps(element).decode())])
    input_type = parse_input_type(SHARED_PARSER, body, internal=False)
    problems = ["Field [input] cannot be null"] if content is None else []
    problems += ["Field [input] cannot be an empty array"] if content == [] else []
    for name in ("query", "return_documents", "top_n"):
        if name in body:
            problems.append(f"Field [{name}] cannot be specified for task type [{task}]")
    if problems:
        raise invalid(*problems)
    return Parsed(inputs, input_type)


def parse_embedding(body: Json, task: str, version: Version) -> Parsed:
    parser = "EmbeddingRequest"
    fields = {"input": (STRING, ARRAY, OBJECT), "input_type": (STRING,), "task_settings": (OBJECT,)}
    check_fields(parser, body, fields, required=("input",))
    content = body["input"]
    with parsing(parser, "input"):
        inputs = [parse_input(element, version) for element in (content if isinstance(content, list) else [content])]
    input_type = parse_input_type(parser, body, internal=True)
    if not inputs:
        raise invalid("Field [inputs] cannot be an empty array")
    return Parsed(inputs, input_type)


def parse_input(element: Any, version: Version) -> list[Item]:
    """Parse an input: a text, or the items of its `content`."""
    if isinstance(element, str):
        return [Item("text", element)]
    if not isinstance(element, dict):
        raise illegal_argument(f"Unsupported token [{token(element)}]")
    parser = "InferenceStringGroup"
    check_fields(parser, element, {"content": tuple(TOKENS.values())}, required=("content",))
    content = element["content"]
    with parsing(parser, "content"):
        if content is None:
            raise illegal_argument("[content] field cannot be null")
        if content == []:
            raise illegal_argument("[content] field cannot be an empty array")
        return [parse_item(item, version) for item in (content if isinstance(content, list) else [content])]


def parse_item(item: Any, version: Version) -> Item:
    """Parse an item `{"type", "format", "value"}`. Elasticsearch checks only the prefix of a data URI."""
    parser = "InferenceString"
    if not isinstance(item, dict):
        raise illegal_argument(f"Unsupported token [{token(item)}]")
    check_fields(parser, item, {"type": (STRING,), "format": (STRING,), "value": (STRING,)}, required=())
    kind = str(item.get("type", "")).lower()
    kinds = ITEM_TYPES if version.has("audio, video and pdf") else OLD_ITEM_TYPES
    if "type" in item and kind not in kinds:
        with parsing(parser, "type"):
            raise illegal_argument(f"Unrecognized type [{item['type']}], must be one of [{', '.join(kinds)}]")
    missing = [name for name in ("type", "value") if name not in item]
    if missing:
        raise illegal_argument(f"Required [{', '.join(missing)}]")
    formats = (*OLD_FORMATS, "url") if version.has("format url") else OLD_FORMATS
    supported = ("text",) if kind == "text" else formats[1:]
    data_format = str(item.get("format", supported[0])).lower()
    if data_format not in formats:
        with parsing(parser, "format"):
            raise illegal_argument(f"Unrecognized format [{item['format']}], must be one of [{', '.join(formats)}]")
    if data_format not in supported:
        listed = ", ".join(supported)
        raise illegal_argument(
            f"Data type [{kind}] does not support data format [{data_format}], supported formats are [{listed}]"
        )
    if data_format == "base64" and not DATA_URI.match(item["value"][:DATA_URI_COMMA]):
        raise illegal_argument("base64 inputs must be specified as data URIs with the format [data:{MIME-type};base64,...]")
    return Item(kind, item["value"])


def parse_rerank(body: Json, task: str, version: Version) -> Parsed:
    parser = "RerankRequest"
    items = (OBJECT,) if version.has("rerank of items") else ()
    fields = {
        "query": (STRING, *items),
        "input": (STRING, ARRAY, *items),
        "top_n": (NUMBER,),
        "return_documents": (BOOLEAN,),  # accepted and ignored, as by the service
        "task_settings": (OBJECT,),
    }
    check_fields(parser, body, fields, required=("input", "query"))
    content = body["input"]
    with parsing(parser, "input"):
        documents = [
            parse_rankable("input", element, version) for element in (content if isinstance(content, list) else [content])
        ]
    with parsing(parser, "query"):
        query = parse_rankable("query", body["query"], version)
    top_n = body.get("top_n")
    if isinstance(top_n, float):
        with parsing(parser, "top_n"):
            raise illegal_argument(f"{top_n} cannot be converted to Integer without data loss")
    problems = ["Field [input] cannot be an empty array"] if not documents else []
    problems += ["Field [query] cannot be empty"] if not query.value else []
    problems += ["Field [top_n] must be greater than or equal to 1"] if top_n is not None and top_n < 1 else []
    if problems:
        raise invalid(*problems)
    return Parsed([[document] for document in documents], query=query, top_n=top_n)


def parse_rankable(name: str, element: Any, version: Version) -> Item:
    if not isinstance(element, str) and not version.has("rerank of items"):
        raise illegal_argument(f"{name} doesn't support values of type: {token(element)}")
    item = Item("text", element) if isinstance(element, str) else parse_item(element, version)
    if item.kind not in ("text", "image"):
        raise illegal_argument(
            f"Field [{name}] contains unsupported [type] value [{item.kind}]. Supported values are [text, image]"
        )
    return item


def parse_completion(body: Json, task: str, version: Version) -> Parsed:
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


def parse_extraction(body: Json, task: str, version: Version) -> Parsed:
    parser = "DocumentExtractionRequest"
    check_fields(parser, body, {"input": (ARRAY, OBJECT), "task_settings": (OBJECT,)}, required=("input",))
    check_fields("task_settings", body.get("task_settings", {}), {"output_format": (STRING,), "css": (OBJECT,)})
    content = body["input"]
    with parsing(parser, "input"):
        inputs = [parse_input(element, version) for element in (content if isinstance(content, list) else [content])]
        for item in chain.from_iterable(inputs):
            if item.kind not in ("image", "pdf"):
                reason = f"contains unsupported [type] value [{item.kind}]. Supported values are [image, pdf]"
                raise illegal_argument(f"Field [content] {reason}")
    return Parsed(inputs)


PARSERS: dict[str, Callable[[Json, str, Version], Parsed]] = {
    **dict.fromkeys(SHARED_TASKS, parse_shared),
    "embedding": parse_embedding,
    "rerank": parse_rerank,
    "chat_completion": parse_completion,
    "document_extraction": parse_extraction,
}
