"""Indices, mappings, documents and their storage; splitting of texts into terms and passages.

This room may import `inference`, which embeds semantic fields. It knows no query.
"""

from .actions import Action, parse_bulk, read_lines
from .analysis import terms, words
from .bulk import WRITE_SHARDS, Writer
from .chunking import SENTENCE
from .documents import values_of
from .index import Index, StoredDocument
from .inner import InnerInference
from .mapping import SEMANTIC, Field, Mapping
from .settings import check_name, check_similarities, read_settings, show_settings
from .sources import SourceFilter
from .storage import Storage
from .values import BITS, NUMBERS, Value, as_list, last_of_date, read_value
from .vectors import nearest, score, score_at_similarity

__all__ = [
    "BITS",
    "NUMBERS",
    "SEMANTIC",
    "SENTENCE",
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
    "check_name",
    "check_similarities",
    "last_of_date",
    "nearest",
    "parse_bulk",
    "read_lines",
    "read_settings",
    "read_value",
    "score",
    "score_at_similarity",
    "show_settings",
    "terms",
    "values_of",
    "words",
]
