"""Inference endpoints, request bodies and the stand-in models.

The lowest room of the embedded EIS: it knows no index, no query and no HTTP.
"""

from .bodies import Item, Parsed, as_list, check_fields, parse_item, parse_task, read_body
from .registry import Endpoint, Registry
from .service import Job, answer, check_inputs, check_types, embed_inputs, plan
from .standin import Array, StandIn, bm25, fit, mean
from .weights import load

__all__ = [
    "Array",
    "Endpoint",
    "Item",
    "Job",
    "Parsed",
    "Registry",
    "StandIn",
    "answer",
    "as_list",
    "bm25",
    "check_fields",
    "check_inputs",
    "check_types",
    "embed_inputs",
    "fit",
    "load",
    "mean",
    "parse_item",
    "parse_task",
    "plan",
    "read_body",
]
