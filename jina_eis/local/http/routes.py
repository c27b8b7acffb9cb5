"""Which request is for what: paths, methods, parameters and bodies of the requests to indices.

Knows all paths and parameters that are done, and the names of parameters that are not; must not know what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..indices import Action, parse_bulk, read_lines
from ..inference import read_body
from ..refusals import Json, RefusedError, illegal_argument, not_done
from .cluster import Cluster

__all__ = ["Operation", "find_operation"]

Params = Mapping[str, str]
Answer = tuple[int, Json]
Known = dict[str, Sequence[str] | None]

# Parameters that change no answer here, by what may be said with them; None is anything.
ANY: Known = {"pretty": None, "human": None, "error_trace": ("false",)}
WAITS: Known = {"timeout": None, "master_timeout": None, "wait_for_active_shards": None}
SOURCE: Known = {"_source": None, "_source_includes": None, "_source_excludes": None} | {
    "_source_exclude_vectors": ("true", "false")
}
ONE_INDEX: Known = {"allow_no_indices": None, "expand_wildcards": None, "ignore_unavailable": ("false",)}
WRITE: Known = (
    WAITS
    | {"refresh": ("true", "false", "wait_for", ""), "include_source_on_error": None, "list_executed_pipelines": ("false",)}
    | dict.fromkeys(("require_alias", "require_data_stream"), ("false",))
)
READ: Known = SOURCE | {"preference": None, "realtime": None, "refresh": None}
SEARCH: Known = (
    SOURCE
    | ONE_INDEX
    | dict.fromkeys(("size", "from", "timeout", "track_total_hits", "preference", "request_cache", "search_type"))
    | dict.fromkeys(("allow_partial_search_results", "batched_reduce_size", "ccs_minimize_roundtrips"))
    | dict.fromkeys(("max_concurrent_shard_requests", "pre_filter_shard_size", "ignore_throttled", "typed_keys"))
    | dict.fromkeys(("rest_total_hits_as_int", "explain", "version", "seq_no_primary_term", "track_scores"), ("false",))
)
DELETE_BY_QUERY: Known = (
    ONE_INDEX
    | WAITS
    | {"conflicts": None, "refresh": None, "requests_per_second": None, "scroll_size": None, "slices": None}
    | {"wait_for_completion": ("true",), "request_cache": None, "preference": None}
)
OP_TYPE: Known = {"op_type": ("index", "create")}
NOT_DONE = frozenset(
    {"filter_path", "routing", "pipeline", "q", "df", "sort", "scroll", "stored_fields", "docvalue_fields", "version"}
    | {"version_type", "if_seq_no", "if_primary_term", "analyzer", "analyze_wildcard", "default_operator", "terminate_after"}
    | {"lenient", "stats", "suggest_field", "suggest_mode", "suggest_size", "suggest_text", "explain", "search_timeout"}
    | {"include_named_queries_score", "min_score", "max_docs", "flat_settings", "include_defaults", "local", "features"}
    | {"write_index_only", "format", "_source_include", "_source_exclude", "op_type", "retry_on_conflict", "detailed"}
)


@dataclass(frozen=True, slots=True)
class Operation:
    """A request that was understood.

    Attributes:
        run: What it does, given its cluster.
        faulty: Whether it may be told to go wrong.
        reads: Whether it changes nothing, so that it may be run before it goes wrong.
    """

    run: Callable[[Cluster], Answer]
    faulty: bool = False
    reads: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request."""

    method: str
    index: str
    id: str
    params: Params
    raw: bytes

    @property
    def body(self) -> Json:
        """Its body, which may be missing."""
        return read_body(self.raw) if self.raw.strip() else {}

    @property
    def needed_body(self) -> Json:
        """Its body, which must not be missing."""
        if not self.raw.strip():
            raise RefusedError(400, "parse_exception", "request body is required")
        return read_body(self.raw)


def find_operation(method: str, names: Sequence[str], params: Params, raw: bytes) -> Operation:
    """What a request is for; refuses what is not done.

    Args:
        method: Its method.
        names: Its path.
        params: The parameters of its URL.
        raw: Its body.
    """
    for methods, template, known, route in ROUTES:
        if method in methods and (bound := bind(template.split("/"), names)) is not None:
            check_params("/".join(names), params, known)
            return route(Asked(method, bound.get("{index}", ""), bound.get("{id}", ""), params, raw))
    raise not_done(f"{method} /{'/'.join(names)}")


def bind(template: Sequence[str], names: Sequence[str]) -> dict[str, str] | None:
    """What stands for the placeholders of a template, if a path fits it."""
    if len(template) != len(names):
        return None
    for wanted, name in zip(template, names, strict=True):
        fits = not name.startswith("_") if wanted == "{index}" else wanted in ("{id}", name)
        if not fits or not name:
            return None
    return dict(zip(template, names, strict=True))


def check_params(path: str, params: Params, known: Known) -> None:
    allowed = ANY | known
    for name, value in params.items():
        if name in allowed:
            values = allowed[name]
            if values is not None and value not in values:
                raise not_done(f"{name}={value}")
        elif name in NOT_DONE:
            raise not_done(f"parameter {name}")
        else:
            raise illegal_argument(f"request [{path}] contains unrecognized parameter: [{name}]")


def bulk(asked: Asked) -> Operation:
    actions = read_lines(parse_bulk(asked.raw), asked.index or None)
    return Operation(lambda cluster: (200, cluster.bulk(actions)), faulty=True, reads=False)


def search(asked: Asked) -> Operation:
    body = asked.body
    return Operation(lambda cluster: (200, cluster.search(asked.index, body, asked.params)), faulty=True)


def mget(asked: Asked) -> Operation:
    body = asked.needed_body
    return Operation(lambda cluster: (200, cluster.mget(asked.index or None, body, asked.params)))


def count(asked: Asked) -> Operation:
    body = asked.body
    return Operation(lambda cluster: (200, cluster.count(asked.index, body)))


def delete_by_query(asked: Asked) -> Operation:
    body = asked.needed_body
    return Operation(lambda cluster: (200, cluster.delete_by_query(asked.index, body)))


def index(asked: Asked) -> Operation:
    if asked.method == "PUT":
        body = asked.body
        return Operation(lambda cluster: (200, cluster.create(asked.index, body)))
    if asked.method == "DELETE":
        return Operation(lambda cluster: (200, cluster.delete(asked.index)))
    return Operation(lambda cluster: (200, cluster.show(asked.index)))


def mapping(asked: Asked) -> Operation:
    if asked.method == "GET":
        return Operation(lambda cluster: (200, cluster.show_mapping(asked.index)))
    body = asked.needed_body
    return Operation(lambda cluster: (200, cluster.put_mapping(asked.index, body)))


def refresh(asked: Asked) -> Operation:
    return Operation(lambda cluster: (200, cluster.refresh(asked.index)))


def get(asked: Asked) -> Operation:
    return Operation(lambda cluster: cluster.get(asked.index, asked.id, asked.params))


def put(asked: Asked) -> Operation:
    return write(asked, "create" if asked.params.get("op_type") == "create" else "index")


def create(asked: Asked) -> Operation:
    return write(asked, "create")


def update(asked: Asked) -> Operation:
    return write(asked, "update")


def write(asked: Asked, kind: str) -> Operation:
    action = Action(kind, asked.index, asked.id or None, asked.needed_body)
    return Operation(lambda cluster: cluster.write(action))


def delete(asked: Asked) -> Operation:
    action = Action("delete", asked.index, asked.id)
    return Operation(lambda cluster: cluster.write(action))


ROUTES: tuple[tuple[tuple[str, ...], str, Known, Callable[[Asked], Operation]], ...] = (
    (("POST", "PUT"), "_bulk", WRITE, bulk),
    (("POST", "PUT"), "{index}/_bulk", WRITE, bulk),
    (("GET", "POST"), "_mget", READ, mget),
    (("GET", "POST"), "{index}/_mget", READ, mget),
    (("GET", "POST"), "{index}/_search", SEARCH, search),
    (("GET", "POST"), "{index}/_count", ONE_INDEX | {"preference": None}, count),
    (("POST",), "{index}/_delete_by_query", DELETE_BY_QUERY, delete_by_query),
    (("GET", "HEAD", "DELETE"), "{index}", ONE_INDEX | WAITS, index),
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
