"""Queries for meaning: nearest vectors to a query vector, or to the embedding of a text or medium.

The search is exact, so `num_candidates` and `rescore_vector` have no effect. Knows vector fields;
must not know words or compound queries.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from typing import Any

import numpy as np

from ..indices import SEMANTIC, Field, as_score, nearest, norm_problem
from ..inference import Array, Item, as_list, parse_item
from ..refusals import Json, RefusedError, ShardError, illegal_argument, not_implemented, parsing_exception
from ..versions import Version
from .context import Context, Scores, multiply, query_failed, read_object, scalar
from .options import BUILDERS, KNN, MAX_CANDIDATES, MIN_K, SCORED_WHOLE, SEMANTIC_QUERY


def semantic(context: Context, body: Any) -> Scores:
    """Evaluate `semantic`: the passages closest in meaning."""
    options = read_object("semantic", body, SEMANTIC_QUERY, required=["field", "query"])
    field = context.field(options["field"])
    if field is None:
        return {}
    if field.kind != "semantic_text":
        reason = f"Field [{field.path}] of type [{field.kind}] does not support semantic queries"
        raise ShardError(400, "illegal_argument_exception", reason)
    return multiply(match_meaning(context, field, options["query"]), options.get("boost", 1.0))


def match_meaning(context: Context, field: Field, text: Any) -> Scores:
    """Return the best documents of a semantic field for a text."""
    vector = context.inference.embed_query(field.search_inference_id, [Item("text", str(scalar("match", text)))])
    return nearest_documents(context, field, vector, max(context.size, MIN_K), context.within)


def knn_query(context: Context, body: Any) -> Scores:
    """Evaluate `knn` as a query."""
    options = read_knn(body)
    if "similarity" in options and not context.size:
        raise not_implemented("knn.similarity in a search that only counts")  # Elasticsearch counts the others, too [9.5.3]
    field = context.field(options["field"])
    if field is not None and field.settings.get("index_options", {}).get("type") in SCORED_WHOLE:
        query_vector(context, field, options)
        options["k"] = len(context.index.all_docs())
    return knn(context, field, options, ("dense_vector", *SEMANTIC))


def knn_search(context: Context, body: Any) -> Scores:
    """Evaluate `knn` next to a query or as a retriever; neither supports semantic fields."""
    options = read_knn(body, k=context.size)
    return knn(context, context.field(options["field"]), options, ("dense_vector",))


def read_knn(body: Any, **defaults: int) -> Json:
    options = defaults | read_object("knn", body, KNN, required=["field"])
    if not 1 <= options.get("k", 1) <= options.get("num_candidates", MAX_CANDIDATES) <= MAX_CANDIDATES:
        raise illegal_argument(f"[k] must be 1 or more, and [num_candidates] from [k] to [{MAX_CANDIDATES}]")
    if options.get("boost", 1.0) < 0:
        raise illegal_argument(f"negative [boost] are not allowed in [{options['boost']}]")
    if ("query_vector" in options) == ("query_vector_builder" in options):
        raise illegal_argument("exactly one of [query_vector] and [query_vector_builder] must be provided")
    return options


def knn(context: Context, field: Field | None, options: Json, kinds: Collection[str]) -> Scores:
    if field is not None and field.kind not in kinds:
        raise query_failed(context, "[knn] queries are only supported on [dense_vector] fields")
    vector = query_vector(context, field, options)
    among = context.matching_all(as_list(options.get("filter")))
    if field is None:
        return {}
    if field.settings.get("index") is False:
        reason = f"to perform knn search on field [{field.path}], its mapping must have [index] set to [true]"
        raise query_failed(context, reason)
    k = options.get("k", min(context.size, options.get("num_candidates", context.size)))
    scores = nearest_documents(context, field, vector, k, among)
    if "similarity" in options:
        least = options["similarity"] ** 2 if field.similarity == "l2_norm" else options["similarity"]
        least_score = as_score(np.array(least), field.similarity) - 1e-6  # the precision of float32
        scores = {doc: score for doc, score in scores.items() if score >= least_score}
    return multiply(scores, options.get("boost", 1.0))


def nearest_documents(context: Context, field: Field, vector: Array, k: int, among: Collection[int] | None) -> Scores:
    """Return the documents with the nearest vectors in a field, ordered by document number."""
    matrix = context.index.matrix(field.path)
    length = matrix.rows.shape[1] if len(matrix.docs) else field.settings.get("dims", vector.size)
    if length != vector.size:
        reason = f"the query vector has a different dimension [{vector.size}] than the index vectors [{length}]"
        raise query_failed(context, reason)
    if field.kind in SEMANTIC:
        context.vectors.setdefault(field.path, []).append(vector)
    return dict(sorted(nearest(matrix, vector, field.similarity, k, among)))


def query_vector(context: Context, field: Field | None, options: Json) -> Array:
    if "query_vector" not in options:
        return embedded_query(context, field, options["query_vector_builder"])
    vector = read_vector(options["query_vector"], context.version)
    if not vector.astype(np.float64) @ vector <= np.finfo(np.float32).max:
        reason = "this usually means the vector values are too extreme to fit within a float. Preview of invalid vector:"
        raise query_failed(context, f"NaN or Infinite magnitude detected, {reason} {vector[:5].tolist()}")
    if field is not None and (problem := norm_problem(vector, field.similarity, True)):
        raise query_failed(context, problem)
    return vector


def read_vector(value: Any, version: Version) -> Array:
    """Return a query vector sent as numbers, or as base64: numbers of 4 bytes, from the highest byte on."""
    if isinstance(value, str) and version.has("query_vector in base64"):
        try:
            return np.frombuffer(b64decode(value, validate=True), dtype=">f4").astype(np.float32)
        except ValueError:
            raise parsing_exception("[knn] failed to parse field [query_vector]: not a valid base64 or hex string") from None
    if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
        raise not_implemented("query_vector with other values than numbers")
    return np.array(value, dtype=np.float64).astype(np.float32)


def embedded_query(context: Context, field: Field | None, builders: Any) -> Array:
    """Return the vector of the query from an inference endpoint."""
    if not isinstance(builders, dict) or len(builders) != 1:
        raise illegal_argument("[query_vector_builder] must have one builder")
    ((name, builder),) = builders.items()
    if name not in BUILDERS:
        raise not_implemented(f"query_vector_builder.{name}")
    endpoint_key, input_key = BUILDERS[name]
    read_object(name, builder, {endpoint_key: "text", input_key: "input"}, [input_key], others=True)
    endpoint = builder.get(endpoint_key, field.search_inference_id if field is not None and field.kind in SEMANTIC else None)
    if endpoint is None:
        raise illegal_argument(f"Required [{endpoint_key}]")
    if name == "text_embedding":
        task = name if endpoint_key in builder else None
        return context.inference.embed_query(endpoint, [Item("text", str(builder[input_key]))], task)
    if not context.version.has("query_vector_builder.embedding"):
        raise RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
    inputs = as_list(builder[input_key])
    items = [Item("text", value) if isinstance(value, str) else parse_item(value, context.version) for value in inputs]
    if not items:
        raise illegal_argument("[input] cannot be an empty array")
    return context.inference.embed_query(endpoint, items, name)
