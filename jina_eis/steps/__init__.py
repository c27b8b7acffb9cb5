"""Capabilities as generators of calls: embed, rerank, search, index, manage endpoints, check a deployment.

Steps yield calls, receive their results in order and return a result. There is no socket, thread, event loop, clock or
environment variable here. This package does not know `transport`.
"""

from .checkup import Check, Report, Status, check_deployment, settings_report
from .compatibility import check_images, compare, share_space
from .embedder import BATCH_SIZE, AnyEmbedded, Embedded, Embedder, max_in_flight, unpacked_pages
from .endpoints import EndpointSpec, explain, fetch_endpoint, find_endpoints, known_endpoint, remove_endpoint
from .extraction import DEFAULT_DPI, PAGE_TIMEOUT, PAGES_IN_FLIGHT, Extractor
from .fields import SearchType, describe_index
from .filters import as_queries, check_filters, filter_field
from .folding import Folding, blocks
from .indexing import Indexer, delete_matching
from .ingest_records import Record
from .ingest_settings import FieldType, Refresh
from .lengths import LengthCheck, TooLong, report
from .mmr import maximal_marginal_relevance
from .names import find_default_reranker, resolve
from .namespace import stand_in, vector_namespace
from .relevance import check_reachable, relevance, relevances
from .reranker import PRELIMINARY, Ranking, Reranker, Strategy
from .rescue import RESCUES, OnError, keep_failing_inputs
from .retrievers import CHUNK_WORDS, RANK_CONSTANT, Fusion
from .search import Searcher
from .search_body import PASSAGES
from .search_endpoint import switch_search_endpoint
from .search_settings import Query, SearchResult
from .tokens import tokens as estimate_tokens
from .version import Version, require, server_version, too_old
from .windows import Ranked

__all__ = [
    "BATCH_SIZE",
    "CHUNK_WORDS",
    "DEFAULT_DPI",
    "PAGES_IN_FLIGHT",
    "PAGE_TIMEOUT",
    "PASSAGES",
    "PRELIMINARY",
    "RANK_CONSTANT",
    "RESCUES",
    "AnyEmbedded",
    "Check",
    "Embedded",
    "Embedder",
    "EndpointSpec",
    "Extractor",
    "FieldType",
    "Folding",
    "Fusion",
    "Indexer",
    "LengthCheck",
    "OnError",
    "Query",
    "Ranked",
    "Ranking",
    "Record",
    "Refresh",
    "Report",
    "Reranker",
    "SearchResult",
    "SearchType",
    "Searcher",
    "Status",
    "Strategy",
    "TooLong",
    "Version",
    "as_queries",
    "blocks",
    "check_deployment",
    "check_filters",
    "check_images",
    "check_reachable",
    "compare",
    "delete_matching",
    "describe_index",
    "estimate_tokens",
    "explain",
    "fetch_endpoint",
    "filter_field",
    "find_default_reranker",
    "find_endpoints",
    "keep_failing_inputs",
    "known_endpoint",
    "max_in_flight",
    "maximal_marginal_relevance",
    "relevance",
    "relevances",
    "remove_endpoint",
    "report",
    "require",
    "resolve",
    "server_version",
    "settings_report",
    "share_space",
    "stand_in",
    "switch_search_endpoint",
    "too_old",
    "unpacked_pages",
    "vector_namespace",
]
