"""Requests and responses: a function that builds each request, with the reader that checks its response.

Only this package knows paths, bodies, JSON keys and formats. A reader returns the expected result or raises a typed error.
Nothing here sends, waits or keeps state.
"""

from .apis import api_of
from .call import Call, Steps, ask
from .documents import Deletion, Outcome, Write, bulk, check_json, delete_by_query, get_documents
from .endpoints import (
    About,
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
from .extraction import PageText, extract_text, read_image
from .formats import (
    Dumps,
    find_lone_surrogate,
    json_line,
    read_cbor,
    read_json,
    well_formed,
    well_formed_value,
)
from .indices import (
    VECTORS,
    Field,
    Index,
    create_index,
    delete_index,
    get_index,
    get_refresh_interval,
    keeps_vectors_in_source,
    put_search_endpoint,
    refresh_index,
)
from .inference import InputType, Vector, embed, rerank
from .searches import (
    MAX_HITS,
    Hit,
    close_point_in_time,
    elasticsearch_score,
    model_score,
    open_point_in_time,
    query_vector_builder,
    search,
    search_point_in_time,
)
from .vectors import PackedVector, read_singles, unpacked, with_shortest_digits
from .watch import Watch, Watches, followed, watched

__all__ = [
    "MAX_HITS",
    "VECTORS",
    "About",
    "Call",
    "ClusterInfo",
    "Deletion",
    "Dumps",
    "EndpointInfo",
    "Field",
    "Hit",
    "Index",
    "InputType",
    "Outcome",
    "PackedVector",
    "PageText",
    "Steps",
    "Vector",
    "Watch",
    "Watches",
    "Write",
    "api_of",
    "ask",
    "bulk",
    "check_json",
    "close_point_in_time",
    "create_index",
    "delete_by_query",
    "delete_endpoint",
    "delete_index",
    "elasticsearch_score",
    "embed",
    "extract_text",
    "find_lone_surrogate",
    "followed",
    "get_cluster_info",
    "get_documents",
    "get_endpoint",
    "get_index",
    "get_licence",
    "get_privileges",
    "get_refresh_interval",
    "get_version",
    "json_line",
    "keeps_vectors_in_source",
    "list_endpoints",
    "model_score",
    "open_point_in_time",
    "put_endpoint",
    "put_search_endpoint",
    "query_vector_builder",
    "read_cbor",
    "read_image",
    "read_json",
    "read_singles",
    "refresh_index",
    "rerank",
    "search",
    "search_point_in_time",
    "unpacked",
    "watched",
    "well_formed",
    "well_formed_value",
    "with_shortest_digits",
]
