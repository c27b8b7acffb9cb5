"""Highlights of a hit: the best passages of its semantic fields.

Knows passages; must not know queries or retrievers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..indices import SEMANTIC, Field, StoredDocument, score, stack
from ..refusals import Json, illegal_argument, not_implemented
from .context import Context, read_object
from .options import HIGHLIGHT

FRAGMENTS = 5


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
        if options.get("number_of_fragments", FRAGMENTS) < 0:
            raise illegal_argument("[number_of_fragments] must be 0 or more")
        if not -1 <= options.get("max_analyzed_offset", 1) != 0:
            raise illegal_argument("[max_analyzed_offset] must be a positive integer, or -1")
    return {path: options for path, options in checked.items() if path in existing}


def highlights(context: Context, hit: StoredDocument, fields: dict[str, Json]) -> dict[str, list[str]]:
    """Return the passages of a hit by field, without the fields that have none."""
    own = context.index.mapping.fields
    found = {path: best_passages(context, hit, own[path], options) for path, options in fields.items() if path in own}
    return {path: passages for path, passages in found.items() if passages}


def best_passages(context: Context, hit: StoredDocument, field: Field, options: Json) -> list[str]:
    """Return the passages nearest to the query, in document order unless the options ask for score order."""
    passages, vectors = context.index.passages(field.path, hit.doc), context.vectors.get(field.path)
    if not vectors or not passages:
        return []
    matrix = stack({position: passage.vector[np.newaxis] for position, passage in enumerate(passages)})
    scores = np.stack([score(matrix, vector, field.similarity) for vector in vectors]).max(axis=0)
    best = np.argsort(-scores, kind="stable")[: options.get("number_of_fragments", FRAGMENTS)].tolist()
    return [passages[position].text or "" for position in (best if options.get("order") == "score" else sorted(best))]
