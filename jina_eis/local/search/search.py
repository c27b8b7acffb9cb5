"""A search: reads its body, runs its query or retriever, and returns its hits.

Knows the options of a `_search` body; must not know how queries score, nor HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from ..indices import SEMANTIC, Field, Index, InnerInference, SourceFilter, StoredDocument, as_list, read_value, values_of
from ..refusals import (
    Json,
    RefusedError,
    ShardError,
    TimeLimit,
    illegal_argument,
    invalid,
    not_implemented,
    parsing_exception,
    token,
)
from .context import Context, Scores
from .highlight import check_highlight, highlights
from .parsers import parse_flag, parse_number, read_object, read_options
from .queries import evaluate
from .retrievers import Ranking, check_window, name_of, rank_scores, retrieve, shard_errors
from .semantic import knn_search

__all__ = ["SHARDS", "matching_documents", "search_index"]

SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
# The options of a search, and the kind of their values.
KNOWN = {"query": "object", "knn": "objects", "retriever": "object", "size": "int", "from": "int", "min_score": "float"} | {
    "_source": "source",
    "fields": "array",
    "highlight": "object",
    "track_total_hits": "value",
    "timeout": "value",
}
# Unsupported options of Elasticsearch, and the value that disables each.
UNSUPPORTED: dict[str, Any] = {
    **dict.fromkeys(("aggregations", "aggs", "collapse", "docvalue_fields", "ext", "indices_boost", "pit", "post_filter"), ...),
    **dict.fromkeys(("rank", "rescore", "runtime_mappings", "script_fields", "search_after", "slice", "sort", "stats"), ...),
    **dict.fromkeys(("stored_fields", "suggest"), ...),
    **dict.fromkeys(("explain", "profile", "seq_no_primary_term", "track_scores", "version"), False),
    "include_named_queries_score": False,
    "terminate_after": 0,
}
WINDOW = 10_000
BOOLEANS = ("True", "False", "true", "false")
HIDDEN = {"_doc_count", "_field_names", "_routing", "_seq_no", "_version", "_tier", "_ignored"}  # metadata in `fields`
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def search_index(index: Index, inference: InnerInference, body: Json, params: Mapping[str, str]) -> Json:
    """Return the response to a search."""
    began = time.monotonic()
    options = read_body(body, params)
    size, start, limit = options["size"], options["from"], options["track_total_hits"]
    if start + size > WINDOW:
        reason = f"Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{start + size}]."
        with shard_errors(Context(index, inference, evaluate, 0)):
            raise ShardError(400, "illegal_argument_exception", reason)
    given = options.get("_source")
    if isinstance(given, dict) and "exclude_vectors" in given and not inference.registry.version.has("sources without vectors"):
        raise parsing_exception("Unknown key for a VALUE_BOOLEAN in [exclude_vectors].")
    source = SourceFilter.of(given, params)
    context = Context(index, inference, evaluate, size, start)
    fields = check_highlight(options["highlight"], context) if "highlight" in options else {}
    requested = [read_field(spec) for spec in options.get("fields", ())]
    ranking = run(context, options)
    page = ranking.hits[start : start + size]
    stored = index.documents([doc for doc, _ in page])
    names = {"matched_queries": [name]} if (name := name_of(options.get("retriever"))) else {}
    hits = []
    with shard_errors(context):
        for doc, score in page:
            if doc in stored:  # a missing document was deleted since the ranking
                hit = {"_index": index.name, "_id": stored[doc].id, "_score": as_float32(score)}
                hits.append(hit | show_values(index, stored[doc], source, requested) | names)
                if fields and (fragments := highlights(context, stored[doc], fields)):
                    hits[-1]["highlight"] = fragments
    best = as_float32(ranking.hits[0][1]) if ranking.hits and size else None
    result = {} if limit is False else {"total": total(len(ranking.matched), limit)}
    early = {"terminated_early": False} if limit is True and not size and "knn" not in options else {}
    took = int((time.monotonic() - began) * 1000)
    return {"took": took, "timed_out": False, **early, "_shards": SHARDS, "hits": result | {"max_score": best, "hits": hits}}


def matching_documents(index: Index, inference: InnerInference, query: Any) -> list[int]:
    """Return the documents that match a query."""
    context = Context(index, inference, evaluate, WINDOW)
    with shard_errors(context):
        return list(evaluate(query, context))


def read_body(body: Json, params: Mapping[str, str]) -> Json:
    """Return the options of a search, checked, converted and with their defaults; a parameter of the URL replaces its option."""
    given = {name: params[name] for name in ("size", "from", "track_total_hits", "timeout") if name in params}
    options = {"size": 10, "from": 0, "track_total_hits": WINDOW} | read_options(body, KNOWN, UNSUPPORTED)
    options |= read_options(given, KNOWN, {})
    for name, phrase in (("size", ", found"), ("from", " but was")):
        if options[name] < 0:
            raise illegal_argument(f"[{name}] parameter cannot be negative{phrase} [{options[name]}]")
    conflicting = [name for name in ("query", "knn") if name in options and "retriever" in options]
    if conflicting:
        raise invalid(*(f"cannot specify [retriever] and [{name}]" for name in conflicting))
    if str(options.get("timeout", -1)) != "-1":
        TimeLimit.parse(str(options["timeout"]))
    limit = options["track_total_hits"]
    options["track_total_hits"] = parse_flag(limit) if str(limit) in BOOLEANS else parse_number(limit)
    if options["track_total_hits"] < -1:
        reason = "[track_total_hits] parameter must be positive or equals to -1, got"
        raise illegal_argument(f"{reason} {options['track_total_hits']}")
    if options["track_total_hits"] == -1:
        options["track_total_hits"] = False
    return options


def run(context: Context, options: Json) -> Ranking:
    """Return the ranking of the search."""
    min_score = options.get("min_score")
    if "retriever" in options:
        check_window(options["retriever"], options["size"])
        if min_score is None:
            return retrieve(options["retriever"], context)
        ranking = retrieve(options["retriever"], replace(context, size=WINDOW, start=0))
        for leaf in ("standard", "knn"):  # their own replaces it [9.5.3]
            min_score = options["retriever"].get(leaf, {}).get("min_score", min_score)
        return rank_scores(dict(ranking.hits), context.depth, float(min_score))
    with shard_errors(context):
        scores: Scores = {}
        if "query" in options or not options.get("knn"):
            scores = dict(evaluate(options.get("query", {"match_all": {}}), context))
        for knn in as_list(options.get("knn")):
            if not isinstance(knn, dict):
                reason = f"malformed knn format, within the knn search array only objects are allowed; found {token(knn)}"
                raise RefusedError(400, "x_content_parse_exception", f"[1:1] {reason}")
            for doc, score in knn_search(context, knn).items():
                scores[doc] = scores.get(doc, 0.0) + score
        return rank_scores(scores, context.depth, min_score)


def total(count: int, limit: int) -> Json:
    """Return the number of matches; a limit of True counts all."""
    if limit is not True and count > limit:
        return {"value": limit, "relation": "gte"}
    return {"value": count, "relation": "eq"}


def as_float32(score: float) -> float:
    """Return a score with the digits of its float32, as Elasticsearch does."""
    return float(str(np.float32(score)))


def read_field(spec: Any) -> Json:
    """Return an entry of `fields` with its options."""
    if isinstance(spec, str | int | float):
        return {"field": str(spec).lower() if isinstance(spec, bool) else str(spec)}
    kinds = {"field": "text", "format": "text"}
    return read_object("fetch_field_and_format", spec, kinds, {"include_unmapped"}, required=["field"])


def show_values(index: Index, stored: StoredDocument, source: SourceFilter, requested: list[Json]) -> Json:
    """Return the parts of a hit that hold values: `_source`, `fields`, and what the index ignored."""
    parts: Json = {}
    ignored = {path: values for path in index.mapping.fields if (values := ignored_values(index, stored.source, path))}
    if ignored:
        parts["_ignored"] = sorted(ignored)
    if source.show:
        parts["_source"] = source.apply(stored, index, parsed=bool(requested))
    for spec in requested:
        for path in paths_of(index, spec["field"]):
            if found := field_values(index, stored, path, spec.get("format")):
                parts.setdefault("fields", {})[path] = found
            if path in ignored:
                parts.setdefault("ignored_field_values", {})[path] = ignored[path]
    return parts


def ignored_values(index: Index, source: Json, path: str) -> list[Any]:
    """Return the values that are too long for a keyword field."""
    field = index.mapping.fields[path]
    if field.kind != "keyword" or "ignore_above" not in field.settings:
        return []
    return [
        value for value in leaves(index, source, path) if len(str(read_value("keyword", value))) > field.settings["ignore_above"]
    ]


def paths_of(index: Index, name: str) -> Iterator[str]:
    """Yield the fields that an entry of `fields` names or matches."""
    if "*" in name:
        yield from (path for path, field in index.mapping.fields.items() if field.kind != "object" and fnmatchcase(path, name))
    elif name in HIDDEN:
        raise not_implemented(f"fields [{name}]")
    elif name == "_source":
        reason = "error fetching [_source]: Cannot fetch values for internal field [_source]."
        raise ShardError(400, "illegal_argument_exception", reason)
    elif name in ("_id", "_index") or (name in index.mapping.fields and index.mapping.fields[name].kind != "object"):
        yield name


def field_values(index: Index, stored: StoredDocument, path: str, style: str | None) -> list[Any]:
    """Return the values of a field, as its type shows them; for a semantic field with format `chunks`, its passages."""
    if path in ("_id", "_index"):
        return [stored.id if path == "_id" else index.name]
    field = index.mapping.fields[path]
    if style is not None:
        if style != "chunks" or field.kind not in SEMANTIC:
            raise not_implemented(f"format [{style}] of field [{path}]")
        return [passage.text for passage in index.passages(path, stored.doc)]
    if field.kind == "dense_vector":
        return leaves(index, index.complete(stored).source, path)
    ignored = ignored_values(index, stored.source, path)
    return [show_value(field, value) for value in leaves(index, stored.source, path) if value not in ignored]


def show_value(field: Field, value: Any) -> Any:
    """Return a value in the form of its type."""
    if field.kind in SEMANTIC:
        return value
    indexed = read_value(field.kind, value)
    if field.kind == "boolean":
        return indexed == "true"
    if field.kind == "date":
        return f"{(EPOCH + timedelta(milliseconds=int(indexed))).isoformat(timespec='milliseconds')[:-6]}Z"
    return as_float32(float(indexed)) if field.kind in ("float", "half_float") else indexed


def leaves(index: Index, source: Json, path: str) -> list[Any]:
    return flatten(values_of(index.mapping, source, path))


def flatten(values: list[Any]) -> list[Any]:
    return [inner for value in values for inner in (flatten(value) if isinstance(value, list) else [value])]
