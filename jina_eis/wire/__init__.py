"""Requests and responses: a function that builds each request, with the reader that checks its response.

Only this package knows paths, bodies, JSON keys and formats. A reader returns the expected result or raises a typed error.
Nothing here sends, waits or keeps state.
"""

from .call import Call, Steps, ask
from .endpoints import (
    ClusterInfo,
    EndpointInfo,
    delete_endpoint,
    get_cluster_info,
    get_endpoint,
    get_licence,
    get_privileges,
    get_version,
    list_endpoints,
    put_endpoint,
)
from .formats import find_lone_surrogate, read_json, well_formed, well_formed_value
from .indices import (
    VECTORS,
    Field,
    Hit,
    Index,
    Outcome,
    Write,
    bulk,
    create_index,
    delete_index,
    elasticsearch_score,
    get_index,
    keeps_vectors_in_source,
    model_score,
    put_search_endpoint,
    query_vector_builder,
    refresh_index,
    search,
)
from .inference import InputType, Vector, embed, rerank

__all__ = [
    "VECTORS",
    "Call",
    "ClusterInfo",
    "EndpointInfo",
    "Field",
    "Hit",
    "Index",
    "InputType",
    "Outcome",
    "Steps",
    "Vector",
    "Write",
    "ask",
    "bulk",
    "create_index",
    "delete_endpoint",
    "delete_index",
    "elasticsearch_score",
    "embed",
    "find_lone_surrogate",
    "get_cluster_info",
    "get_endpoint",
    "get_index",
    "get_licence",
    "get_privileges",
    "get_version",
    "keeps_vectors_in_source",
    "list_endpoints",
    "model_score",
    "put_endpoint",
    "put_search_endpoint",
    "query_vector_builder",
    "read_json",
    "refresh_index",
    "rerank",
    "search",
    "well_formed",
    "well_formed_value",
]
