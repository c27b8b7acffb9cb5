"""Indices, mappings, documents and their storage; splitting of texts into terms and passages.

This room may import `inference`, which embeds semantic fields. It knows no query.
"""

from .actions import Action, parse_bulk, read_lines
from .analysis import terms
from .bulk import WRITE_SHARDS, Writer
from .chunking import check_chunking, split_passages
from .documents import values_of
from .index import Index, StoredDocument
from .inner import InnerInference
from .mapping import SEMANTIC, Field, Mapping
from .settings import (
    check_name,
    check_similarities,
    check_versions,
    complete_settings,
    read_settings,
    show_defaults,
    show_settings,
)
from .sources import SourceFilter, hides_vectors
from .storage import Storage
from .values import BITS, DATE_FORMATS, NUMBERS, PRECISIONS, Value, as_list, format_value, read_date_span, read_value
from .vectors import as_score, nearest, score, stack

__all__ = [
    "BITS",
    "DATE_FORMATS",
    "NUMBERS",
    "PRECISIONS",
    "SEMANTIC",
    "WRITE_SHARDS",
    "Action",
    "Field",
    "Index",
    "InnerInference",
    "Mapping",
    "SourceFilter",
    "Storage",
    "StoredDocument",
    "Value",
    "Writer",
    "as_list",
    "as_score",
    "check_chunking",
    "check_name",
    "check_similarities",
    "check_versions",
    "complete_settings",
    "format_value",
    "hides_vectors",
    "nearest",
    "parse_bulk",
    "read_date_span",
    "read_lines",
    "read_settings",
    "read_value",
    "score",
    "show_defaults",
    "show_settings",
    "split_passages",
    "stack",
    "terms",
    "values_of",
]
