"""What is sent and what comes back: a builder for every request, with the reader that checks its answer.

The only room that knows paths, bodies, JSON keys and formats. A reader returns what was asked for or raises a typed error.
Nothing here sends, waits or remembers.
"""

from .call import Call, Steps, ask
from .endpoints import (
    About,
    EndpointInfo,
    about,
    delete_endpoint,
    get_endpoint,
    licence,
    list_endpoints,
    privileges,
    put_endpoint,
)
from .indices import (
    VECTORS,
    Field,
    Hit,
    Index,
    Outcome,
    Write,
    builder,
    bulk,
    create_index,
    delete_index,
    elasticsearch_score,
    get_index,
    model_score,
    refresh_index,
    search,
)
from .inference import InputType, Vector, embed, rerank, well_formed

__all__ = [
    "VECTORS",
    "About",
    "Call",
    "EndpointInfo",
    "Field",
    "Hit",
    "Index",
    "InputType",
    "Outcome",
    "Steps",
    "Vector",
    "Write",
    "about",
    "ask",
    "builder",
    "bulk",
    "create_index",
    "delete_endpoint",
    "delete_index",
    "elasticsearch_score",
    "embed",
    "get_endpoint",
    "get_index",
    "licence",
    "list_endpoints",
    "model_score",
    "privileges",
    "put_endpoint",
    "refresh_index",
    "rerank",
    "search",
    "well_formed",
]
