"""The best passages of a document: those that a highlight shows, and those that a reranker scores in place of the whole.

Must not know queries or retrievers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..indices import SEMANTIC, Field, StoredDocument, check_chunking, score, split_passages, stack
from ..inference import bm25
from ..refusals import Json, illegal_argument, not_implemented, parse_error
from ..versions import Version
from .context import Context, read_object
from .options import DEFAULT_CHUNKING, FRAGMENTS, HIGHLIGHT


def check_highlight(body: Any, context: Context) -> dict[str, Json]:
    """Return the semantic fields to highlight with their checked options."""
    shared = read_object("highlight", body, {"fields": "objects", **HIGHLIGHT}, others=True)
    fields, checked, existing = shared.pop("fields", {}), {}, context.indices.fields
    if not isinstance(fields, dict):
        raise not_implemented("highlight.fields that is not an object")
    for path, own in fields.items():
        options = checked[path] = shared | read_object("highlight", own, HIGHLIGHT, others=True)
        field = existing.get(path)
        if "*" in path or (field is not None and field.kind not in SEMANTIC):
            raise not_implemented(f"highlight on fields [{path}], only on fields of type [semantic_text] and [semantic]")
        if options.get("number_of_fragments", FRAGMENTS) < 0 or not -1 <= options.get("max_analyzed_offset", 1) != 0:
            raise illegal_argument("[number_of_fragments] must be 0 or more, and [max_analyzed_offset] 1 or more, or -1")
    return {path: options for path, options in checked.items() if path in existing}


def highlights(context: Context, hit: StoredDocument, fields: dict[str, Json]) -> dict[str, list[str]]:
    """Return the passages of a hit by field, without the fields that have none."""
    own = context.index.mapping.fields
    found = {path: nearest_passages(context, hit, own[path], options) for path, options in fields.items() if path in own}
    return {path: passages for path, passages in found.items() if passages}


def nearest_passages(context: Context, hit: StoredDocument, field: Field, options: Json) -> list[str]:
    """Return the passages nearest to the query, in document order unless the options ask for score order."""
    passages, vectors = context.index.passages(field.path, hit.doc), context.vectors.get(field.path)
    if not vectors or not passages:
        return []
    matrix = stack({position: passage.vector[np.newaxis] for position, passage in enumerate(passages)})
    scores = np.stack([score(matrix, vector, field.similarity) for vector in vectors]).max(axis=0)
    best = np.argsort(-scores, kind="stable")[: options.get("number_of_fragments", FRAGMENTS)].tolist()
    return [passages[position].text or "" for position in (best if options.get("order") == "score" else sorted(best))]


def read_rescorer(body: Any, version: Version) -> Json:
    """Return `chunk_rescorer` of a retriever, checked and with its defaults."""
    if not version.has("chunk_rescorer"):
        raise parse_error("text_similarity_reranker", "unknown field [chunk_rescorer]")
    options = read_object("chunk_rescorer", body, {"size": "int", "chunking_settings": "object"})
    size, chunking = options.get("size", 1), options.get("chunking_settings", {})
    if size < 1:
        raise illegal_argument(f"size must be greater than 0, was: {size}")
    if chunking.keys() == {"max_chunk_size"}:
        chunking = {"strategy": "sentence", "sentence_overlap": 0} | chunking
    check_chunking(chunking)
    return {"size": size, "chunking_settings": chunking or DEFAULT_CHUNKING}


def best_passages(text: str, query: str, rescorer: Json) -> list[str]:
    """Return the passages of a text that match the words of a query best, best first; of equal ones, the first."""
    passages = split_passages(text, rescorer["chunking_settings"]) or [text]
    scores = bm25(query, passages)
    best = sorted(range(len(passages)), key=lambda position: -scores[position])
    return [passages[position] for position in best[: rescorer["size"]]]
