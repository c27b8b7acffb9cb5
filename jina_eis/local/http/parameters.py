"""The parameters of index requests: which each kind of request may have, and their implemented values. Tables."""

from __future__ import annotations

FLAG, TIME, TRUE, FALSE, ANY = "true false", "time", "true", "false", "any"
# The implemented values of each parameter; an empty text counts as true. TIME is a time value, ANY is checked elsewhere.
VALUES = {
    **dict.fromkeys(
        ("pretty", "human", "allow_no_indices", "include_source_on_error", "_source_exclude_vectors", "include_defaults"), FLAG
    ),
    **dict.fromkeys(("_source", "_source_includes", "_source_excludes", "size", "from", "sort", "track_total_hits"), ANY),
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
READ = SOURCE + "realtime refresh "
SEARCH = INDEX + SOURCE + "size from sort timeout track_total_hits "
