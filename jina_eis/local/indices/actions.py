"""Writes as requests state them: their lines, documents and updates. Knows only their syntax."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import orjson

from ..refusals import Json, RefusedError, illegal_argument, invalid, not_implemented, parse_error, wrapping
from ..unsupported import refuse_unsupported
from .parameters import ACTIONS, ID_BYTES, UPDATE
from .values import format_value


@dataclass(frozen=True, slots=True)
class Action:
    """A write: `source` is the JSON of a document, or `update` the body of an update."""

    kind: str
    index: str
    id: str | None
    source: bytes = b""
    update: Json | None = None


def parse_bulk(raw: bytes, index: str | None) -> list[Action]:
    """Return the actions of a bulk request; a malformed action or update refuses the whole request."""
    if not raw:
        raise RefusedError(400, "parse_exception", "request body is required")
    if not raw.endswith(b"\n"):
        raise illegal_argument("The bulk request must be terminated by a newline [\\n]")
    actions, lines = [], enumerate(raw.split(b"\n")[:-1], 1)
    for number, line in lines:
        if not line.strip():
            continue
        kind, target = read_action_line(number, line)
        if (name := target.get("_index", index)) is None:
            raise invalid("index is missing")
        if kind == "delete":
            actions.append(Action(kind, name, target.get("_id")))
        elif (following := next(lines, None)) is not None:  # a last action without its document is not read
            update = parse_update(following[1]) if kind == "update" else None
            actions.append(Action(kind, name, target.get("_id"), following[1], update))
    check_actions(actions)
    return actions


def read_action_line(number: int, line: bytes) -> tuple[str, dict[str, str]]:
    """Return the kind of an action, and its index and id as far as they are named."""
    parsed = parse_json(line)
    kind, options = next(iter(parsed.items())) if isinstance(parsed, dict) and len(parsed) == 1 else ("", None)
    if kind not in ACTIONS or not isinstance(options, dict):
        raise illegal_argument(f"Malformed action/metadata line [{number}], expected one of {', '.join(ACTIONS)}, got {parsed}")
    for name, value in options.items():
        ignored = value is None or (name == "retry_on_conflict" and type(value) is int)
        if not ignored and (name not in ("_index", "_id") or isinstance(value, list | dict)):
            refuse_unsupported("bulk action", name, f"{name} in a bulk action")
            raise illegal_argument(f"Action/metadata line [{number}] contains an unknown parameter [{name}]")
    return kind, {name: format_value(options[name]) for name in ("_index", "_id") if options.get(name) is not None}


def check_actions(actions: list[Action]) -> None:
    """Refuse a request with an action that Elasticsearch does not begin."""
    problems = [] if actions else ["no requests added"]
    for action in actions:
        if action.id is None and action.kind in ("update", "delete"):
            problems.append("id is missing")
        if len((action.id or "").encode("utf-8", "replace")) > ID_BYTES:
            problems.append(f"id [{action.id}] is too long, must be no longer than {ID_BYTES} bytes")
        if action.kind == "update" and "doc" not in (action.update or {}):
            problems.append("script or doc is missing")
    if problems:
        raise invalid(*problems)


def parse_update(raw: bytes) -> Json:
    """Return the body of an update."""
    body = parse_json(raw) if raw.strip() else {}
    if not isinstance(body, dict):
        raise parse_error("UpdateRequest", f"Expected START_OBJECT but was: {type(body).__name__}")
    for name, value in body.items():
        refuse_unsupported("update", name, f"[{name}] in an update")
        if UPDATE.get(name) is bool and isinstance(value, str):
            raise not_implemented(f"[{name}] as a text in an update")
        if not isinstance(value, UPDATE.get(name, ())):
            raise parse_error("UpdateRequest", f"unknown field [{name}], or one with a value of type {type(value).__name__}")
    return body


def read_source(raw: bytes) -> Json:
    """Return a document."""
    with document_errors():
        source = parse_json(raw)
    if not isinstance(source, dict):
        raise document_error("Malformed content, must start with an object")
    return source


def document_error(reason: str, cause: RefusedError | None = None, kind: str = "document_parsing_exception") -> RefusedError:
    """Return the error for a document that cannot be read."""
    return RefusedError(400, kind, f"[1:1] {reason}", cause)


def document_errors() -> AbstractContextManager[None]:
    """Replace an error raised inside by that for a document that cannot be read."""
    return wrapping(lambda refused: document_error(f"failed to parse: {refused.reason}", refused))


def parse_json(raw: bytes) -> Any:
    """Parse JSON. Of a key that occurs twice, which Elasticsearch refuses, the last is read."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "surrogate" in error.msg or str(error.doc)[error.pos : error.pos + 1] == "/" or "infinity" in error.msg:
            raise not_implemented("JSON with half a surrogate pair, a comment, or a number beyond all others") from error
        kind = "x_content_e_o_f_exception" if "end of data" in error.msg else "x_content_parse_exception"
        raise RefusedError(400, kind, f"[{error.lineno}:{error.colno}] {error.msg}") from error
