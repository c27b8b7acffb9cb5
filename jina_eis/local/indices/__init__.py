"""Indices, mappings, documents and their storage; splitting of texts into terms and passages.

This room may import `inference`, which embeds semantic fields. It knows no query.
"""

from .actions import Action, check_actions, parse_bulk, parse_update
from .analysis import terms
from .bulk import Writer
from .chunking import check_chunking, split_passages
from .documents import values_of
from .index import Clock, Index, Indices, StoredDocument
from .mapping import Field
from .parameters import BITS, NUMBERS, PRECISIONS, SEMANTIC
from .settings import add_fields, define_index, show_index
from .sources import SourceFilter, show_values
from .storage import Storage
from .values import BELOW_ZERO, Value, as_float32, format_value, read_date_span, round_number
from .vectors import as_score, nearest, norm_problem, score, stack

__all__ = [
    "BELOW_ZERO",
    "BITS",
    "NUMBERS",
    "PRECISIONS",
    "SEMANTIC",
    "Action",
    "Clock",
    "Field",
    "Index",
    "Indices",
    "SourceFilter",
    "Storage",
    "StoredDocument",
    "Value",
    "Writer",
    "add_fields",
    "as_float32",
    "as_score",
    "check_actions",
    "check_chunking",
    "define_index",
    "format_value",
    "nearest",
    "norm_problem",
    "parse_bulk",
    "parse_update",
    "read_date_span",
    "round_number",
    "score",
    "show_index",
    "show_values",
    "split_passages",
    "stack",
    "terms",
    "values_of",
]
