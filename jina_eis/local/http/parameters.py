"""Index requests: their paths and operations, the parameters of each, and their implemented values. Tables."""

from __future__ import annotations

from typing import Any

FLAG, TIME, TRUE, FALSE, ANY = "true false", "time", "true", "false", "any"
# The implemented values of each parameter; an empty text counts as true. TIME is a time value, ANY is checked elsewhere.
VALUES = {
    **dict.fromkeys(
        ("pretty", "human", "allow_no_indices", "include_source_on_error", "_source_exclude_vectors", "include_defaults"), FLAG
    ),
    **dict.fromkeys(("_source", "_source_includes", "_source_excludes", "sort"), ANY),
    **dict.fromkeys(("timeout", "master_timeout", "keep_alive"), TIME),
    **dict.fromkeys(("ignore_unavailable", "require_alias"), FALSE),
    "expand_wildcards": "open closed hidden none all open,hidden",
    "realtime": TRUE,
    "refresh": "true false wait_for",
    "wait_for_active_shards": "0 1",
    "conflicts": "abort proceed",
    "op_type": "index create",
    "retry_on_conflict": "0 1 2 3 4 5 6 7 8 9",
}
COMMON = "pretty human "
INDEX = COMMON + "allow_no_indices expand_wildcards ignore_unavailable "
WAITS = COMMON + "timeout master_timeout "
DELETE = COMMON + "timeout wait_for_active_shards refresh "
WRITE = DELETE + "require_alias include_source_on_error "
SOURCE = COMMON + "_source _source_includes _source_excludes _source_exclude_vectors "
READ = SOURCE + "realtime "
SEARCH = INDEX + SOURCE + "sort timeout "

# Methods, path, parameters, what the body is, and the operation of the cluster.
ROUTES = (
    ("POST PUT", "_bulk", WRITE, "actions", "bulk"),
    ("POST PUT", "{index}/_bulk", WRITE, "actions", "bulk"),
    ("GET POST", "{index}/_mget", READ, "object", "mget"),
    ("GET POST", "{index}/_search", SEARCH, "optional", "search"),
    ("POST", "{index}/_pit", INDEX + "keep_alive", "none", "open_point_in_time"),
    ("DELETE", "_pit", COMMON, "object", "close_point_in_time"),
    ("GET POST", "_search", SEARCH, "optional", "search_point_in_time"),
    ("GET POST", "{index}/_count", INDEX, "optional", "count"),
    ("POST", "{index}/_delete_by_query", INDEX + DELETE + "conflicts", "object", "delete_by_query"),
    ("GET HEAD", "{index}", INDEX + "master_timeout include_defaults", "none", "show"),
    ("DELETE", "{index}", INDEX + WAITS, "none", "delete"),
    ("PUT", "{index}", WAITS + "wait_for_active_shards", "optional", "create"),
    ("GET", "{index}/_mapping", INDEX + WAITS, "none", "show_mapping"),
    ("PUT POST", "{index}/_mapping", INDEX + WAITS, "object", "put_mapping"),
    ("PUT POST DELETE", "{index}/_alias/{id}", WAITS, "optional", "change_alias"),
    ("GET POST", "{index}/_refresh", INDEX, "none", "refresh"),
    ("POST", "{index}/_doc", WRITE + "op_type", "document", "write"),
    ("PUT POST", "{index}/_doc/{id}", WRITE + "op_type", "document", "write"),
    ("PUT POST", "{index}/_create/{id}", WRITE, "new document", "write"),
    ("POST", "{index}/_update/{id}", WRITE + "retry_on_conflict", "update", "write"),
    ("GET HEAD", "{index}/_doc/{id}", READ, "none", "get"),
    ("DELETE", "{index}/_doc/{id}", DELETE, "deletion", "write"),
)
# What a deletion by query reports in addition to its counts: nothing throttles it.
UNTHROTTLED = {"version_conflicts": 0, "noops": 0, "retries": {"bulk": 0, "search": 0}, "throttled_millis": 0} | {
    "requests_per_second": -1.0,
    "throttled_until_millis": 0,
    "failures": [],
}
# The options of the server.
UVICORN: dict[str, Any] = {
    "ws": "none",
    "lifespan": "off",
    "interface": "asgi3",
    "loop": "asyncio",
    "proxy_headers": False,
    "server_header": False,
    "log_level": "critical",
    "access_log": False,
    "timeout_graceful_shutdown": 1,
    "timeout_keep_alive": 3600,  # a client that pauses, or a machine that stops for seconds, finds its connections open
}
# The responses of faults that replace any other: status, body, and a content type of their own.
REPLACED: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "bad_gateway": (502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"content-type": "text/html"}),
    "no_upstream": (503, b"no healthy upstream", {}),
    "garbage": (200, b"<!-- not JSON -->", {}),
}
AUTHENTICATE = ['Basic realm="security" charset="UTF-8"', "ApiKey"]
FAULTY = ("bulk", "search", "search_point_in_time")  # operations on indices that faults apply to
THREADS = 32  # waiting searches are computed together, so the more the better
UNKNOWN_FORMAT = "json", "application/json"  # of the error of a format
