"""Queries for meaning: nearest vectors to a query vector, or to the embedding of a text or medium.

The search is exact, so `num_candidates`, `rescore_vector` and `visit_percentage` have no effect. Knows vector fields;
must not know words or compound queries.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ..indices import SEMANTIC, Field, as_list, nearest, score_at_similarity
from ..inference import Array, Item, parse_item
from ..refusals import Json, RefusedError, ShardError, TimeLimit, illegal_argument, not_implemented, status_error
from .context import Context, Scores, as_number, check_keys, query_failed, scalar

__all__ = ["knn_query", "knn_search", "match_meaning", "semantic"]

MIN_K = 10  # fewest documents that a semantic query retrieves
MAX_CANDIDATES = 10_000
KNN = {"field", "query_vector", "query_vector_builder", "k", "num_candidates", "filter", "similarity", "boost"} | {
    "rescore_vector",
    "visit_percentage",
}


def semantic(context: Context, body: Any) -> Scores:
    """Evaluate `semantic`: the passages closest in meaning."""
    check_keys("semantic", body, {"field", "query", "boost"}, required=["field", "query"])
    field = context.field(str(body["field"]))
    if field is None:
        return {}
    if field.kind != "semantic_text":
        reason = f"Field [{field.path}] of type [{field.kind}] does not support semantic queries"
        raise ShardError(400, "illegal_argument_exception", reason)
    return match_meaning(context, field, body["query"], as_number(body, "boost", 1.0))


def match_meaning(context: Context, field: Field, text: Any, boost: float) -> Scores:
    """Return the best documents of a semantic field for a text."""
    vector = context.inference.embed_query(field.search_inference_id, [Item("text", str(scalar("match", text)))])
    return nearest_documents(context, field, vector, max(context.size, MIN_K), context.within, None, boost)


def knn_query(context: Context, body: Any) -> Scores:
    """Evaluate `knn` as a query."""
    check_knn("knn", body, {"inner_hits"})
    field = context.field(str(body["field"]))
    if field is not None and field.kind not in ("dense_vector", *SEMANTIC):
        raise query_failed(context, "[knn] queries are only supported on [dense_vector] fields")
    return knn(context, field, body)


def knn_search(context: Context, body: Any, name: str = "knn") -> Scores:
    """Evaluate `knn` next to a query or as a retriever; neither supports semantic fields."""
    check_knn(name, body, {"inner_hits"})
    field = context.field(str(body["field"]))
    if field is not None and field.kind != "dense_vector":
        raise query_failed(context, "[knn] queries are only supported on [dense_vector] fields")
    return knn(context, field, body)


def check_knn(name: str, body: Any, unsupported: Collection[str]) -> None:
    check_keys(name, body, KNN, unsupported, required=["field"])
    k, candidates = body.get("k", 1), body.get("num_candidates", MAX_CANDIDATES)
    for option, value in (("k", k), ("num_candidates", candidates)):
        if type(value) is not int or value < 1:
            raise illegal_argument(f"[{option}] must be greater than 0")
    if candidates < k:
        raise illegal_argument("[num_candidates] cannot be less than [k]")
    if candidates > MAX_CANDIDATES:
        raise illegal_argument(f"[num_candidates] cannot exceed [{MAX_CANDIDATES}]")
    if "query_vector" in body and "query_vector_builder" in body:
        raise illegal_argument("only one of [query_vector] and [query_vector_builder] must be provided")
    if "query_vector" not in body and "query_vector_builder" not in body:
        raise illegal_argument("either [query_vector] or [query_vector_builder] must be provided")


def knn(context: Context, field: Field | None, body: Json) -> Scores:
    vector = query_vector(context, field, body)
    if field is None:
        return {}
    if field.settings.get("index") is False:
        reason = f"to perform knn search on field [{field.path}], its mapping must have [index] set to [true]"
        raise query_failed(context, reason)
    k = body.get("k", min(context.size, body.get("num_candidates", context.size)))
    among = context.matching_all(as_list(body.get("filter")))
    min_similarity = as_number(body, "similarity", 0.0) if "similarity" in body else None
    return nearest_documents(context, field, vector, max(k, 1), among, min_similarity, as_number(body, "boost", 1.0))


def nearest_documents(
    context: Context,
    field: Field,
    vector: Array,
    k: int,
    among: Collection[int] | None,
    min_similarity: float | None,
    boost: float,
) -> Scores:
    """Return the documents with the nearest vectors in a field, ordered by document number."""
    matrix = context.index.matrix(field.path)
    length = matrix.rows.shape[1] if len(matrix.docs) else field.settings.get("dims", vector.size)
    if length != vector.size:
        reason = f"the query vector has a different dimension [{vector.size}] than the index vectors [{length}]"
        raise query_failed(context, reason)
    if field.kind in SEMANTIC:
        context.vectors.setdefault(field.path, []).append(vector)
    hits = nearest(matrix, vector, field.similarity, k, among)
    if min_similarity is not None:
        # Scores are float32: 1e-6 is their precision.
        min_score = score_at_similarity(min_similarity, field.similarity) - 1e-6
        hits = [(doc, score) for doc, score in hits if score >= min_score]
    return {doc: score * boost for doc, score in sorted(hits)}


def query_vector(context: Context, field: Field | None, body: Json) -> Array:
    numbers = body.get("query_vector")
    if numbers is not None:
        if not isinstance(numbers, list) or not numbers or any(type(number) not in (int, float) for number in numbers):
            raise (
                not_implemented("query_vector that is not an array of numbers")
                if isinstance(numbers, str)
                else illegal_argument("[knn] failed to parse field [query_vector]")
            )
        vector = np.array(numbers, dtype=np.float32)
        if field is not None and field.similarity == "cosine" and not vector.any():
            raise query_failed(context, "The [cosine] similarity does not support vectors with zero magnitude.")
        if field is not None and field.similarity == "dot_product" and abs(float(vector @ vector) - 1.0) > 1e-4:
            raise query_failed(context, "The [dot_product] similarity can only be used with unit-length vectors.")
        return vector
    return embedded_query(context, field, body["query_vector_builder"])


def embedded_query(context: Context, field: Field | None, builders: Any) -> Array:
    """Return the vector of the query from an inference endpoint."""
    if not isinstance(builders, dict) or len(builders) != 1:
        raise illegal_argument("[query_vector_builder] must have one builder")
    ((name, builder),) = builders.items()
    field_endpoint = None if field is None or field.kind not in SEMANTIC else field.search_inference_id
    if name == "text_embedding":
        check_keys(name, builder, {"model_id", "model_text"}, required=["model_text"])
        endpoint = builder.get("model_id", field_endpoint)
        if endpoint is None:
            raise illegal_argument("Required [model_id]")
        task = context.inference.registry.get(endpoint).task
        if "model_id" in builder and task != "text_embedding":
            raise status_error(
                f"Incompatible task_type, the requested type [text_embedding] does not match the model type [{task}]"
            )
        return context.inference.embed_query(endpoint, [Item("text", str(builder["model_text"]))])
    if name == "embedding":
        check_keys(name, builder, {"inference_id", "input", "timeout"}, required=["input"])
        TimeLimit.parse(str(builder.get("timeout", "30s")))
        endpoint = builder.get("inference_id", field_endpoint)
        if endpoint is None:
            raise illegal_argument("[inference_id] must be specified")
        items = [read_item(value) for value in as_list(builder["input"])]
        if not items:
            raise illegal_argument("[input] cannot be an empty array")
        return context.inference.embed_query(endpoint, items, "embedding")
    if name == "lookup":
        raise not_implemented("query_vector_builder.lookup")
    raise RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")


def read_item(value: Any) -> Item:
    return Item("text", value) if isinstance(value, str) else parse_item(value)
