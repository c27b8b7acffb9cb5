"""Bulk requests: parses their lines into actions. Knows only their syntax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..refusals import Json, RefusedError, illegal_argument, invalid, not_implemented

__all__ = ["Action", "parse_bulk", "read_lines"]

KINDS = ("create", "delete", "index", "update")
TARGET = {"_index", "_id"}
TARGET_UNSUPPORTED = {"routing", "pipeline", "version", "version_type", "if_seq_no", "if_primary_term", "dynamic_templates"}
TARGET_IGNORED = {"retry_on_conflict", "require_alias", "require_data_stream", "list_executed_pipelines"}


@dataclass(frozen=True, slots=True)
class Action:
    """A write of one document."""

    kind: str
    index: str
    id: str | None
    body: Json | None = None


def parse_bulk(raw: bytes) -> list[Any]:
    """Return the parsed lines of a bulk request."""
    if not raw.strip():
        raise RefusedError(400, "parse_exception", "request body is required")
    if not raw.endswith(b"\n"):
        raise illegal_argument("The bulk request must be terminated by a newline [\\n]")
    try:
        return [orjson.loads(line) for line in raw.split(b"\n") if line.strip()]
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, "x_content_parse_exception", f"[{error.lineno}:{error.colno}] {error.msg}") from error


def read_lines(lines: Sequence[Any], index: str | None) -> list[Action]:
    """Return the actions of a bulk request; a malformed line refuses the whole request."""
    actions, position = [], 0
    while position < len(lines):
        number, line = position + 1, lines[position]
        if not isinstance(line, dict) or len(line) != 1:
            raise illegal_argument(f"Malformed action/metadata line [{number}], expected START_OBJECT with one action")
        ((kind, target),) = line.items()
        if kind not in KINDS:
            raise illegal_argument(
                f"Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update] "
                f"but found [{kind}]"
            )
        if not isinstance(target, dict):
            raise illegal_argument(f"Malformed action/metadata line [{number}], expected START_OBJECT but found another value")
        for name in target.keys() - TARGET:
            if name in TARGET_UNSUPPORTED:
                raise not_implemented(f"{name} in a bulk action")
            if name not in TARGET_IGNORED:
                raise illegal_argument(f"Action/metadata line [{number}] contains an unknown parameter [{name}]")
        name = target.get("_index", index)
        if not name:
            raise invalid("index is missing")
        body = None
        if kind != "delete":
            position += 1
            body = lines[position] if position < len(lines) else None
            if not isinstance(body, dict):
                raise illegal_argument(f"Malformed document on line [{number + 1}], expected START_OBJECT")
        doc_id = target.get("_id")
        actions.append(Action(kind, str(name), None if doc_id is None else str(doc_id), body))
        position += 1
    if not actions:
        raise invalid("no requests added")
    return actions
