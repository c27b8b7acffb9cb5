"""Why a hit was found: its best passages for a semantic field, and its sentences with the words that were looked for.

Knows passages, words and where they stand; must not know queries or retrievers.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..indices import SEMANTIC, SENTENCE, Field, Stored, score, values_of, words
from ..refusals import Json, illegal_argument, not_done, parsing_exception
from .context import Context, check_keys

__all__ = ["check_highlight", "highlights"]

OPTIONS = {"type", "number_of_fragments", "fragment_size", "order", "pre_tags", "post_tags", "highlight_query", "no_match_size"}
NOT_DONE = {"boundary_chars", "boundary_max_scan", "boundary_scanner", "boundary_scanner_locale", "encoder", "force_source"} | {
    "fragmenter",
    "fragment_offset",
    "matched_fields",
    "max_analyzed_offset",
    "max_fragment_length",
    "options",
    "phrase_limit",
    "require_field_match",
    "tags_schema",
}
FRAGMENTS, FRAGMENT_SIZE = 5, 100


def check_highlight(given: Any) -> dict[str, Json]:
    """The fields to highlight, with their options."""
    check_keys("highlight", given, {"fields", *OPTIONS}, NOT_DONE, need=["fields"])
    shared = {name: value for name, value in given.items() if name != "fields"}
    fields = given["fields"]
    if isinstance(fields, list) and all(isinstance(each, dict) for each in fields):
        fields = {name: options for each in fields for name, options in each.items()}
    if not isinstance(fields, dict):
        raise parsing_exception("[highlight] [fields] must be an object, or an array of objects")
    checked = {}
    for path, options in fields.items():
        if "*" in path:
            raise not_done(f"highlight on fields [{path}]")
        checked[path] = shared | check_keys("highlight_field", options, OPTIONS, NOT_DONE)
        for name in ("number_of_fragments", "fragment_size"):
            if type(checked[path].get(name, 0)) is not int or checked[path].get(name, 0) < 0:
                raise illegal_argument(f"[{name}] must be a number of 0 or more, got [{checked[path][name]}]")
        for name in ("pre_tags", "post_tags"):
            if not isinstance(checked[path].get(name, [""]), list) or not checked[path].get(name, [""]):
                raise illegal_argument(f"[{name}] must be an array of texts")
        if checked[path].get("no_match_size"):
            raise not_done("highlight.no_match_size")
        if checked[path].get("highlight_query", {"match_all": {}}) != {"match_all": {}}:
            raise not_done("highlight_query, but for match_all")
    return checked


def highlights(context: Context, hit: Stored, fields: dict[str, Json]) -> dict[str, list[str]]:
    """The fragments of a hit, by field; fields without any are left out."""
    found = {}
    for path, options in fields.items():
        field = context.field(path)
        if field is None:
            continue
        kind = options.get("type", "semantic" if field.kind in SEMANTIC else "unified")
        if (kind == "semantic") != (field.kind in SEMANTIC):
            raise illegal_argument(f"Highlighter [{kind}] does not support fields of type [{field.kind}], as [{path}] is")
        if kind not in ("semantic", "unified"):
            raise not_done(f"highlighter [{kind}]")
        fragments = passages(context, hit, field, options) if kind == "semantic" else marked(context, hit, field, options)
        if fragments:
            found[path] = fragments
    return found


def passages(context: Context, hit: Stored, field: Field, options: Json) -> list[str]:
    """The passages that are nearest to the query; in the order of the document unless by score."""
    there = context.index.passages(field.path, hit.doc)
    number = options.get("number_of_fragments", FRAGMENTS)
    if "highlight_query" in options:
        return [each.text or "" for each in there[:number]]
    vectors = context.vectors.get(field.path)
    if not vectors or not there:
        return []
    rows = np.stack([each.vector for each in there])
    norms = np.linalg.norm(rows, axis=1)
    scores = np.stack([score(rows, norms, vector, field.similarity) for vector in vectors]).max(axis=0)
    best = np.argsort(-scores, kind="stable")[:number].tolist()
    return [there[place].text or "" for place in (best if options.get("order") == "score" else sorted(best))]


def marked(context: Context, hit: Stored, field: Field, options: Json) -> list[str]:
    """Pieces of a text, with the words that were looked for between tags."""
    wanted = context.words.get(field.path, set())
    number = options.get("number_of_fragments", FRAGMENTS)
    before, after = options.get("pre_tags", ["<em>"])[0], options.get("post_tags", ["</em>"])[0]
    found = []
    for value in values_of(context.index.mapping, hit.source, field.path):
        text = str(value)
        for piece in pieces(text, options.get("fragment_size", FRAGMENT_SIZE)) if number else [text]:
            spans = [(word.start, word.end) for word in words(piece) if word.term in wanted]
            if spans:
                found.append((len(spans), tagged(piece, spans, before, after)))
    if not number:
        return [text for _, text in found]
    best = sorted(range(len(found)), key=lambda place: -found[place][0])[:number]
    return [found[place][1] for place in (best if options.get("order") == "score" else sorted(best))]


def pieces(text: str, size: int) -> list[str]:
    """The sentences of a text, cut where they are too long."""
    found = []
    for sentence in SENTENCE.findall(text):
        left = sentence.strip()
        while size and len(left) > size:
            space = re.compile(r"\s").search(left, size)
            if space is None:
                break
            found.append(left[: space.start()])
            left = left[space.end() :]
        found.append(left)
    return [each for each in found if each]


def tagged(text: str, spans: list[tuple[int, int]], before: str, after: str) -> str:
    shown, place = "", 0
    for start, end in spans:
        shown += text[place:start] + before + text[start:end] + after
        place = end
    return shown + text[place:]
