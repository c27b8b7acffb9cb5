"""Highlights of a hit: its best passages for a semantic field, and its sentences with the query terms for a text field.

Knows passages, words and their positions; must not know queries or retrievers.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..indices import SEMANTIC, SENTENCE, Field, StoredDocument, score, values_of, words
from ..refusals import Json, ShardError, illegal_argument, not_implemented, parsing_exception
from .context import Context, check_keys

__all__ = ["check_highlight", "highlights"]

OPTIONS = {
    "type",
    "number_of_fragments",
    "fragment_size",
    "order",
    "pre_tags",
    "post_tags",
    "highlight_query",
    "no_match_size",
    "max_analyzed_offset",
}
UNSUPPORTED = {
    "boundary_chars",
    "boundary_max_scan",
    "boundary_scanner",
    "boundary_scanner_locale",
    "encoder",
    "force_source",
} | {
    "fragmenter",
    "fragment_offset",
    "matched_fields",
    "max_fragment_length",
    "options",
    "phrase_limit",
    "require_field_match",
    "tags_schema",
}
FRAGMENTS, FRAGMENT_SIZE = 5, 100
MAX_ANALYZED = 1_000_000  # characters; the default of index.highlight.max_analyzed_offset


def check_highlight(body: Any) -> dict[str, Json]:
    """Return the fields to highlight with their checked options."""
    check_keys("highlight", body, {"fields", *OPTIONS}, UNSUPPORTED, required=["fields"])
    shared = {name: value for name, value in body.items() if name != "fields"}
    fields = body["fields"]
    if isinstance(fields, list) and all(isinstance(entry, dict) for entry in fields):
        fields = {name: options for entry in fields for name, options in entry.items()}
    if not isinstance(fields, dict):
        raise parsing_exception("[highlight] [fields] must be an object, or an array of objects")
    checked = {}
    for path, options in fields.items():
        if "*" in path:
            raise not_implemented(f"highlight on fields [{path}]")
        checked[path] = shared | check_keys("highlight_field", options, OPTIONS, UNSUPPORTED)
        for name in ("number_of_fragments", "fragment_size"):
            if type(checked[path].get(name, 0)) is not int or checked[path].get(name, 0) < 0:
                raise illegal_argument(f"[{name}] must be a number of 0 or more, got [{checked[path][name]}]")
        if not -1 <= checked[path].get("max_analyzed_offset", 1) != 0:
            raise illegal_argument("[max_analyzed_offset] must be a positive integer, or -1")
        for name in ("pre_tags", "post_tags"):
            if not isinstance(checked[path].get(name, [""]), list) or not checked[path].get(name, [""]):
                raise illegal_argument(f"[{name}] must be an array of texts")
        if checked[path].get("no_match_size"):
            raise not_implemented("highlight.no_match_size")
        if checked[path].get("highlight_query", {"match_all": {}}) != {"match_all": {}}:
            raise not_implemented("highlight_query other than match_all")
    return checked


def highlights(context: Context, hit: StoredDocument, fields: dict[str, Json]) -> dict[str, list[str]]:
    """Return the fragments of a hit by field, without the fields that have none."""
    fragments_by_field = {}
    for path, options in fields.items():
        field = context.field(path)
        if field is None:
            continue
        kind = options.get("type", "semantic" if field.kind in SEMANTIC else "unified")
        if (kind == "semantic") != (field.kind in SEMANTIC):
            raise illegal_argument(f"Highlighter [{kind}] does not support fields of type [{field.kind}], as [{path}] is")
        if kind not in ("semantic", "unified"):
            raise not_implemented(f"highlighter [{kind}]")
        fragments = (
            best_passages(context, hit, field, options) if kind == "semantic" else tagged_pieces(context, hit, field, options)
        )
        if fragments:
            fragments_by_field[path] = fragments
    return fragments_by_field


def best_passages(context: Context, hit: StoredDocument, field: Field, options: Json) -> list[str]:
    """Return the passages nearest to the query, in document order unless the options ask for score order."""
    passages = context.index.passages(field.path, hit.doc)
    number = options.get("number_of_fragments", FRAGMENTS)
    if "highlight_query" in options:
        return [passage.text or "" for passage in passages[:number]]
    vectors = context.vectors.get(field.path)
    if not vectors or not passages:
        return []
    rows = np.stack([passage.vector for passage in passages])
    norms = np.linalg.norm(rows, axis=1)
    scores = np.stack([score(rows, norms, vector, field.similarity) for vector in vectors]).max(axis=0)
    best = np.argsort(-scores, kind="stable")[:number].tolist()
    return [passages[position].text or "" for position in (best if options.get("order") == "score" else sorted(best))]


def tagged_pieces(context: Context, hit: StoredDocument, field: Field, options: Json) -> list[str]:
    """Return the pieces of a text that contain query terms, with the terms between tags."""
    query_terms = context.words.get(field.path, set())
    number = options.get("number_of_fragments", FRAGMENTS)
    before, after = options.get("pre_tags", ["<em>"])[0], options.get("post_tags", ["</em>"])[0]
    tagged = []  # pairs: number of query terms, tagged piece
    for value in values_of(context.index.mapping, hit.source, field.path):
        text = str(value)
        if len(text) > MAX_ANALYZED:
            text = analyzed_part(context, hit, field, text, options.get("max_analyzed_offset", MAX_ANALYZED + 1))
        for piece in split_sentences(text, options.get("fragment_size", FRAGMENT_SIZE)) if number else [text]:
            spans = [(word.start, word.end) for word in words(piece) if word.term in query_terms]
            if spans:
                tagged.append((len(spans), add_tags(piece, spans, before, after)))
    if not number:
        return [text for _, text in tagged]
    best = sorted(range(len(tagged)), key=lambda position: -tagged[position][0])[:number]
    return [tagged[position][1] for position in (best if options.get("order") == "score" else sorted(best))]


def analyzed_part(context: Context, hit: StoredDocument, field: Field, text: str, offset: int) -> str:
    """Return the start of a long text that is highlighted. -1 stands for the limit of the index."""
    if offset > MAX_ANALYZED:
        reason = (
            f"The length [{len(text)}] of field [{field.path}] in doc[{hit.doc}]/index[{context.index.name}] exceeds the "
            f"[index.highlight.max_analyzed_offset] limit [{MAX_ANALYZED}]. To avoid this error, set the query parameter "
            f"[max_analyzed_offset] to a value less than index setting [{MAX_ANALYZED}] and this will tolerate long field values "
            "by truncating them."
        )
        raise ShardError(400, "illegal_argument_exception", reason)
    return text[: MAX_ANALYZED if offset < 0 else offset]


def split_sentences(text: str, size: int) -> list[str]:
    """Split a text into sentences, and cut sentences longer than `size` at the next space; 0 cuts none."""
    pieces = []
    for sentence in SENTENCE.findall(text):
        rest = sentence.strip()
        while size and len(rest) > size:
            space = re.compile(r"\s").search(rest, size)
            if space is None:
                break
            pieces.append(rest[: space.start()])
            rest = rest[space.end() :]
        pieces.append(rest)
    return [piece for piece in pieces if piece]


def add_tags(text: str, spans: list[tuple[int, int]], before: str, after: str) -> str:
    result, position = "", 0
    for start, end in spans:
        result += text[position:start] + before + text[start:end] + after
        position = end
    return result + text[position:]
