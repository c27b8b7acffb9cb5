"""Queries, retrievers, scores and highlights over one index.

This room knows `indices` and `inference`. It does not know HTTP, and it does not write.
"""

from .search import SHARDS, matching, search_index

__all__ = ["SHARDS", "matching", "search_index"]
