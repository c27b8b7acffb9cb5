"""Routes of index requests: finds the operation of a request, and reads its parameters and body.

Must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..indices import Action, check_actions, parse_bulk, parse_update
from ..inference import read_body
from ..refusals import TimeLimit, illegal_argument, invalid, not_implemented
from ..unsupported import refuse_unsupported
from .cluster import Cluster, Params, Request, StatusAndBody
from .parameters import ANY, ROUTES, TIME, VALUES


def find_operation(
    method: str, names: Sequence[str], params: Params, raw: bytes
) -> tuple[str, Callable[[Cluster], StatusAndBody]]:
    """Return the name of the operation of a request, and what runs it; `names` are the segments of the path.

    Raises RefusedError if it is not implemented.
    """
    path = f"/{'/'.join(names)}"
    if path.startswith("/<"):
        raise not_implemented(f"date math in the name of an index: {names[0]}")
    for methods, template, allowed, read, name in ROUTES:
        if method in methods.split() and (bound := bind(template.split("/"), names)) is not None:
            check_params(path, params, allowed.split())
            if raw and read in ("none", "deletion"):
                raise illegal_argument(f"request [{method} {path}] does not support having a body")
            request = Request(method, bound.get("{index}", ""), bound.get("{id}"), params)
            return name, partial(getattr(Cluster, name), request=request, body=read_request(read, request, raw))
    raise not_implemented(f"{method} {path}")


def bind(template: Sequence[str], names: Sequence[str]) -> dict[str, str] | None:
    """Return the values of the placeholders of a template, or None if the path does not match."""
    pairs = list(zip(template, names, strict=False))
    fits = [name and (name[0] != "_" or name == "_all" if part == "{index}" else part in ("{id}", name)) for part, name in pairs]
    return dict(pairs) if len(template) == len(names) and all(fits) else None


def check_params(path: str, params: Params, allowed: Sequence[str]) -> None:
    for name, value in params.items():
        if name not in allowed:
            refuse_unsupported("parameter", name, f"parameter {name}")
            raise illegal_argument(f"request [{path}] contains unrecognized parameter: [{name}]")
        if VALUES[name] == TIME:
            if value not in ("-1", "0"):
                TimeLimit.parse(value, name)
        elif VALUES[name] != ANY and (value or "true") not in VALUES[name].split():
            raise not_implemented(f"{name}={value}")


def read_request(kind: str, request: Request, raw: bytes) -> Any:
    """Return what a request contains in addition to its parameters: a body, the actions of a bulk request, or one action."""
    match kind:
        case "none":
            return {}
        case "object" | "optional":
            return read_body(raw) if raw.strip() or kind == "object" else {}
        case "actions":
            return parse_bulk(raw, request.index or None)
        case "deletion":
            action = Action("delete", request.index, request.id)
        case "update":
            action = Action("update", request.index, request.id, update=parse_update(raw))
        case _:
            if not raw.strip():
                raise invalid("source is missing")
            action = Action(
                "create" if kind == "new document" else request.params.get("op_type", "index"), request.index, request.id, raw
            )
    check_actions([action])
    return action
