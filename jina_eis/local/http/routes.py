"""Routes of index requests: their paths, methods, parameters and bodies.

Knows every implemented path and parameter, and the names of unimplemented parameters. Must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..indices import Action, parse_bulk, read_lines
from ..inference import read_body
from ..refusals import Json, RefusedError, illegal_argument, not_implemented
from .cluster import Cluster

__all__ = ["Operation", "find_operation"]

Params = Mapping[str, str]
StatusAndBody = tuple[int, Json]
Allowed = dict[str, Sequence[str] | None]

# Parameters and their allowed values; None allows any value. Those in COMMON change no response here.
COMMON: Allowed = {"pretty": None, "human": None, "error_trace": ("false",)}
WAITS: Allowed = {"timeout": None, "master_timeout": None, "wait_for_active_shards": None}
SOURCE: Allowed = {"_source": None, "_source_includes": None, "_source_excludes": None} | {
    "_source_exclude_vectors": ("true", "false")
}
ONE_INDEX: Allowed = {"allow_no_indices": None, "expand_wildcards": None, "ignore_unavailable": ("false",)}
WRITE: Allowed = (
    WAITS
    | {"refresh": ("true", "false", "wait_for", ""), "include_source_on_error": None, "list_executed_pipelines": ("false",)}
    | dict.fromkeys(("require_alias", "require_data_stream"), ("false",))
)
READ: Allowed = SOURCE | {"preference": None, "realtime": None, "refresh": None}
SEARCH: Allowed = (
    SOURCE
    | ONE_INDEX
    | dict.fromkeys(("size", "from", "sort", "timeout", "track_total_hits", "preference", "request_cache", "search_type"))
    | dict.fromkeys(("allow_partial_search_results", "batched_reduce_size", "ccs_minimize_roundtrips"))
    | dict.fromkeys(("max_concurrent_shard_requests", "pre_filter_shard_size", "ignore_throttled", "typed_keys"))
    | dict.fromkeys(("rest_total_hits_as_int", "explain", "version", "seq_no_primary_term", "track_scores"), ("false",))
)
DELETE_BY_QUERY: Allowed = (
    ONE_INDEX
    | WAITS
    | {"conflicts": None, "refresh": None, "requests_per_second": None, "scroll_size": None, "slices": None}
    | {"wait_for_completion": ("true",), "request_cache": None, "preference": None}
)
OP_TYPE: Allowed = {"op_type": ("index", "create")}
NOT_IMPLEMENTED = frozenset(
    {"filter_path", "routing", "pipeline", "q", "df", "sort", "scroll", "stored_fields", "docvalue_fields", "version"}
    | {"version_type", "if_seq_no", "if_primary_term", "analyzer", "analyze_wildcard", "default_operator", "terminate_after"}
    | {"lenient", "stats", "suggest_field", "suggest_mode", "suggest_size", "suggest_text", "explain", "search_timeout"}
    | {"include_named_queries_score", "min_score", "max_docs", "flat_settings", "local", "features"}
    | {"write_index_only", "format", "_source_include", "_source_exclude", "op_type", "retry_on_conflict", "detailed"}
)


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
    index: str
    id: str
    params: Params
    raw: bytes

    @property
    def body(self) -> Json:
        """The body; empty if it is missing."""
        return read_body(self.raw) if self.raw.strip() else {}

    @property
    def required_body(self) -> Json:
        """The body; raises RefusedError if it is missing."""
        if not self.raw.strip():
            raise RefusedError(400, "parse_exception", "request body is required")
        return read_body(self.raw)


def find_operation(method: str, names: Sequence[str], params: Params, raw: bytes) -> Operation:
    """Return the operation of a request; raises RefusedError if it is not implemented.

    Args:
        method: The HTTP method.
        names: The segments of the path.
        params: The parameters of the URL.
        raw: The body.
    """
    for methods, template, allowed, route in ROUTES:
        if method in methods and (bound := bind(template.split("/"), names)) is not None:
            check_params("/".join(names), params, allowed)
            return route(IndexRequest(method, bound.get("{index}", ""), bound.get("{id}", ""), params, raw))
    raise not_implemented(f"{method} /{'/'.join(names)}")


def bind(template: Sequence[str], names: Sequence[str]) -> dict[str, str] | None:
    """Return the values of the placeholders of a template, or None if the path does not match."""
    if len(template) != len(names):
        return None
    for part, name in zip(template, names, strict=True):
        matches = (not name.startswith("_") or name == "_all") if part == "{index}" else part in ("{id}", name)
        if not matches or not name:
            return None
    return dict(zip(template, names, strict=True))


def check_params(path: str, params: Params, allowed: Allowed) -> None:
    allowed = COMMON | allowed
    for name, value in params.items():
        if name in allowed:
            values = allowed[name]
            if values is not None and value not in values:
                raise not_implemented(f"{name}={value}")
        elif name in NOT_IMPLEMENTED:
            raise not_implemented(f"parameter {name}")
        else:
            raise illegal_argument(f"request [{path}] contains unrecognized parameter: [{name}]")


def bulk(request: IndexRequest) -> Operation:
    actions = read_lines(parse_bulk(request.raw), request.index or None)
    return Operation(lambda cluster: (200, cluster.bulk(actions)), faulty=True, reads=False)


def search(request: IndexRequest) -> Operation:
    body = request.body
    return Operation(lambda cluster: (200, cluster.search(request.index, body, request.params)), faulty=True)


def mget(request: IndexRequest) -> Operation:
    body = request.required_body
    return Operation(lambda cluster: (200, cluster.mget(request.index or None, body, request.params)))


def count(request: IndexRequest) -> Operation:
    body = request.body
    return Operation(lambda cluster: (200, cluster.count(request.index, body)))


def delete_by_query(request: IndexRequest) -> Operation:
    body = request.required_body
    return Operation(lambda cluster: (200, cluster.delete_by_query(request.index, body)))


def index(request: IndexRequest) -> Operation:
    if request.method == "PUT":
        body = request.body
        return Operation(lambda cluster: (200, cluster.create(request.index, body)))
    if request.method == "DELETE":
        return Operation(lambda cluster: (200, cluster.delete(request.index)))
    return Operation(
        lambda cluster: (200, cluster.show(request.index, defaults=request.params.get("include_defaults") == "true"))
    )


def mapping(request: IndexRequest) -> Operation:
    if request.method == "GET":
        return Operation(lambda cluster: (200, cluster.show_mapping(request.index)))
    body = request.required_body
    return Operation(lambda cluster: (200, cluster.put_mapping(request.index, body)))


def refresh(request: IndexRequest) -> Operation:
    return Operation(lambda cluster: (200, cluster.refresh(request.index)))


def get(request: IndexRequest) -> Operation:
    return Operation(lambda cluster: cluster.get(request.index, request.id, request.params))


def put(request: IndexRequest) -> Operation:
    return write(request, "create" if request.params.get("op_type") == "create" else "index")


def create(request: IndexRequest) -> Operation:
    return write(request, "create")


def update(request: IndexRequest) -> Operation:
    return write(request, "update")


def write(request: IndexRequest, kind: str) -> Operation:
    action = Action(kind, request.index, request.id or None, request.required_body)
    return Operation(lambda cluster: cluster.write(action))


def delete(request: IndexRequest) -> Operation:
    action = Action("delete", request.index, request.id)
    return Operation(lambda cluster: cluster.write(action))


ROUTES: tuple[tuple[tuple[str, ...], str, Allowed, Callable[[IndexRequest], Operation]], ...] = (
    (("POST", "PUT"), "_bulk", WRITE, bulk),
    (("POST", "PUT"), "{index}/_bulk", WRITE, bulk),
    (("GET", "POST"), "_mget", READ, mget),
    (("GET", "POST"), "{index}/_mget", READ, mget),
    (("GET", "POST"), "{index}/_search", SEARCH, search),
    (("GET", "POST"), "{index}/_count", ONE_INDEX | {"preference": None}, count),
    (("POST",), "{index}/_delete_by_query", DELETE_BY_QUERY, delete_by_query),
    (("GET", "HEAD", "DELETE"), "{index}", ONE_INDEX | WAITS | {"include_defaults": ("true", "false")}, index),
    (("PUT",), "{index}", WAITS, index),
    (("GET", "PUT", "POST"), "{index}/_mapping", ONE_INDEX | WAITS, mapping),
    (("GET", "POST"), "{index}/_refresh", ONE_INDEX, refresh),
    (("POST",), "{index}/_doc", WRITE | OP_TYPE, put),
    (("PUT", "POST"), "{index}/_doc/{id}", WRITE | OP_TYPE, put),
    (("PUT", "POST"), "{index}/_create/{id}", WRITE, create),
    (("POST",), "{index}/_update/{id}", WRITE | {"retry_on_conflict": None}, update),
    (("GET", "HEAD"), "{index}/_doc/{id}", READ, get),
    (("DELETE",), "{index}/_doc/{id}", WRITE, delete),
)
