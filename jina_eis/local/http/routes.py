"""Routes of index requests: their paths, methods, parameters and bodies.

Knows every implemented path and parameter, and the names of unimplemented parameters. Must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..indices import Action, check_actions, parse_bulk, parse_update
from ..inference import read_body
from ..refusals import Json, TimeLimit, illegal_argument, invalid, not_implemented, read_flag
from ..unsupported import refuse_unsupported
from .cluster import Cluster
from .parameters import ANY, COMMON, DELETE, INDEX, READ, SEARCH, TIME, VALUES, WAITS, WRITE

Params = Mapping[str, str]
StatusAndBody = tuple[int, Json]


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation that a request asks for.

    Attributes:
        run: Runs it on a cluster, and returns a status and a body.
        faulty: Whether faults apply to it.
        reads: Whether it changes nothing, so that it may run before its fault is taken.
    """

    run: Callable[[Cluster], StatusAndBody]
    faulty: bool = False
    reads: bool = True


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """A request to an index, or to several in one bulk request."""

    method: str
    template: str
    index: str
    id: str | None
    params: Params
    raw: bytes

    @property
    def refresh(self) -> str:
        """When searches shall see a write."""
        return self.params.get("refresh", "false") or "true"


def find_operation(method: str, names: Sequence[str], params: Params, raw: bytes) -> Operation:
    """Return the operation of a request; raises RefusedError if it is not implemented.

    Args:
        method: The HTTP method.
        names: The segments of the path.
        params: The parameters of the URL.
        raw: The body.
    """
    path = f"/{'/'.join(names)}"
    for methods, template, allowed, read, run in ROUTES:
        if method in methods.split() and (bound := bind(template.split("/"), names)) is not None:
            check_params(path, params, allowed.split())
            if raw and read in (no_body, delete):
                raise illegal_argument(f"request [{method} {path}] does not support having a body")
            request = IndexRequest(method, template, bound.get("{index}", ""), bound.get("{id}"), params, raw)
            return Operation(
                partial(run, request, read(request)), template.endswith(("_bulk", "_search")), not template.endswith("_bulk")
            )
    raise not_implemented(f"{method} {path}")


def bind(template: Sequence[str], names: Sequence[str]) -> dict[str, str] | None:
    """Return the values of the placeholders of a template, or None if the path does not match."""
    if len(template) != len(names):
        return None
    for part, name in zip(template, names, strict=True):
        matches = (not name.startswith("_") or name == "_all") if part == "{index}" else part in ("{id}", name)
        if not matches or not name:
            return None
    return dict(zip(template, names, strict=True))


def check_params(path: str, params: Params, allowed: Sequence[str]) -> None:
    for name, value in params.items():
        if name not in allowed:
            refuse_unsupported("parameter", name, f"parameter {name}")
            raise illegal_argument(f"request [{path}] contains unrecognized parameter: [{name}]")
        if VALUES[name] == TIME and not path.endswith("_search"):
            if value not in ("-1", "0"):
                TimeLimit.parse(value, name)
        elif VALUES[name] not in (TIME, ANY) and (value or "true") not in VALUES[name].split():
            raise not_implemented(f"{name}={value}")


# What a request contains in addition to its parameters.


def no_body(request: IndexRequest) -> Json:
    return {}


def optional_body(request: IndexRequest) -> Json:
    return read_body(request.raw) if request.raw.strip() else {}


def required_body(request: IndexRequest) -> Json:
    return read_body(request.raw)


def bulk(request: IndexRequest) -> list[Action]:
    return parse_bulk(request.raw, request.index or None)


def document(request: IndexRequest) -> Action:
    if not request.raw.strip():
        raise invalid("source is missing")
    kind = "create" if "_create" in request.template else request.params.get("op_type", "index")
    return Action(kind, request.index, request.id, request.raw)


def update(request: IndexRequest) -> Action:
    return Action("update", request.index, request.id, update=parse_update(request.raw))


def alias_actions(request: IndexRequest) -> Json:
    kind = "remove" if request.method == "DELETE" else "add"
    return {"actions": [{kind: {**optional_body(request), "index": request.index.split(","), "alias": request.id}}]}


def delete(request: IndexRequest) -> Action:
    return Action("delete", request.index, request.id)


def write(request: IndexRequest, action: Any, cluster: Cluster) -> StatusAndBody:
    check_actions([action])
    return cluster.write(action, request.refresh)


def delete_by_query(request: IndexRequest, body: Any, cluster: Cluster) -> StatusAndBody:
    return 200, cluster.delete_by_query(request.index, body, request.refresh == "true")


def show(request: IndexRequest, _: Any, cluster: Cluster) -> StatusAndBody:
    return 200, cluster.show(request.index, defaults=read_flag(request.params.get("include_defaults", "false")))


Row = tuple[str, str, str, Callable[[IndexRequest], Any], Callable[[IndexRequest, Any, Cluster], StatusAndBody]]
# Methods, path, parameters, what reads the body, and what runs the operation.
ROUTES: tuple[Row, ...] = (
    ("POST PUT", "_bulk", WRITE, bulk, lambda to, actions, es: (200, es.bulk(actions, to.refresh))),
    ("POST PUT", "{index}/_bulk", WRITE, bulk, lambda to, actions, es: (200, es.bulk(actions, to.refresh))),
    ("GET POST", "{index}/_mget", READ, required_body, lambda to, body, es: (200, es.mget(to.index, body, to.params))),
    ("GET POST", "{index}/_search", SEARCH, optional_body, lambda to, body, es: (200, es.search(to.index, body, to.params))),
    ("POST", "{index}/_pit", INDEX + "keep_alive", no_body, lambda to, body, es: (200, es.open_point_in_time(to.index))),
    ("DELETE", "_pit", COMMON, required_body, lambda to, body, es: (200, {"succeeded": True, "num_freed": 1})),
    ("GET POST", "_search", SEARCH, optional_body, lambda to, body, es: (200, es.search_point_in_time(body, to.params))),
    ("GET POST", "{index}/_count", INDEX, optional_body, lambda to, body, es: (200, es.count(to.index, body))),
    ("POST", "{index}/_delete_by_query", INDEX + DELETE + "conflicts", required_body, delete_by_query),
    ("GET HEAD", "{index}", INDEX + "master_timeout include_defaults", no_body, show),
    ("DELETE", "{index}", INDEX + WAITS, no_body, lambda to, body, es: (200, es.delete(to.index))),
    ("PUT", "{index}", WAITS + "wait_for_active_shards", optional_body, lambda to, body, es: (200, es.create(to.index, body))),
    ("GET", "{index}/_mapping", INDEX + WAITS, no_body, lambda to, body, es: (200, es.show_mapping(to.index))),
    ("PUT POST", "{index}/_mapping", INDEX + WAITS, required_body, lambda to, body, es: (200, es.put_mapping(to.index, body))),
    ("POST", "_aliases", WAITS, required_body, lambda to, body, es: (200, es.change_aliases(body))),
    ("PUT POST DELETE", "{index}/_alias/{id}", WAITS, alias_actions, lambda to, body, es: (200, es.change_aliases(body))),
    ("PUT POST DELETE", "{index}/_aliases/{id}", WAITS, alias_actions, lambda to, body, es: (200, es.change_aliases(body))),
    ("GET POST", "{index}/_refresh", INDEX, no_body, lambda to, body, es: (200, es.refresh(to.index))),
    ("POST", "{index}/_doc", WRITE + "op_type", document, write),
    ("PUT POST", "{index}/_doc/{id}", WRITE + "op_type", document, write),
    ("PUT POST", "{index}/_create/{id}", WRITE, document, write),
    ("POST", "{index}/_update/{id}", WRITE + "retry_on_conflict", update, write),
    ("GET HEAD", "{index}/_doc/{id}", READ, no_body, lambda to, body, es: es.get(to.index, to.id or "", to.params)),
    ("DELETE", "{index}/_doc/{id}", DELETE, delete, write),
)
