"""The passages of long documents that a reranker scores in place of whole documents.

Knows how passages are cut and ranked by words; must not know retrievers, documents or endpoints.
"""

from __future__ import annotations

from typing import Any

from ..indices import check_chunking, split_passages
from ..inference import bm25
from ..refusals import Json, illegal_argument
from .context import read_object

# The service's own window, which holds more than a reranker reads.
DEFAULT_CHUNKING = {"strategy": "sentence", "max_chunk_size": 7000, "sentence_overlap": 1}


def read_rescorer(body: Any) -> Json:
    """Return `chunk_rescorer` of a retriever, checked and with its defaults."""
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
