"""The capabilities, as generators of calls: embed, rerank, search, index, manage endpoints, check a deployment.

A step yields calls, receives their answers in order and returns its result. There is no socket, thread, event loop, clock or
environment variable here, and nothing of `transport`.
"""

from .checkup import Check, Report, Status, examine, refused_settings
from .compatibility import check_images, compare, share_space
from .embedder import BATCH_SIZE, Embedded, Embedder, streams_at_most
from .endpoints import EndpointSpec, explain, find_endpoints, known_endpoint, look_up_endpoint, remove_endpoint
from .indexing import FieldType, Indexer, Record
from .reranker import PRELIMINARY, WINDOW_SIZE, Ranked, Ranking, Reranker, Strategy
from .rescue import RESCUES, OnError
from .search import PASSAGES, RANK_CONSTANT, Fusion, Query, Searcher, SearchResult, SearchType, check_filters

__all__ = [
    "BATCH_SIZE",
    "PASSAGES",
    "PRELIMINARY",
    "RANK_CONSTANT",
    "RESCUES",
    "WINDOW_SIZE",
    "Check",
    "Embedded",
    "Embedder",
    "EndpointSpec",
    "FieldType",
    "Fusion",
    "Indexer",
    "OnError",
    "Query",
    "Ranked",
    "Ranking",
    "Record",
    "Report",
    "Reranker",
    "SearchResult",
    "SearchType",
    "Searcher",
    "Status",
    "Strategy",
    "check_filters",
    "check_images",
    "compare",
    "examine",
    "explain",
    "find_endpoints",
    "known_endpoint",
    "look_up_endpoint",
    "refused_settings",
    "remove_endpoint",
    "share_space",
    "streams_at_most",
]
