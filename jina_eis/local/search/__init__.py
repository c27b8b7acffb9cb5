"""Queries, retrievers, scores and highlights over one index.

This room may import `indices` and `inference`. It knows nothing of HTTP and never writes to an index.
"""

from .search import matching_documents, search_index

__all__ = ["matching_documents", "search_index"]
