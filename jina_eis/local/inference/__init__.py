"""Inference endpoints, request bodies and the stand-in models.

The lowest room of the embedded EIS: it knows no index, no query and no HTTP.
"""

from .bodies import Item, as_list, check_fields, parse_item, parse_task, read_body
from .inner import InnerInference
from .registry import Endpoint, Registry
from .service import answer, check_types, plan
from .standin import Array, StandIn, bm25
from .weights import load

__all__ = [
    "Array",
    "Endpoint",
    "InnerInference",
    "Item",
    "Registry",
    "StandIn",
    "answer",
    "as_list",
    "bm25",
    "check_fields",
    "check_types",
    "load",
    "parse_item",
    "parse_task",
    "plan",
    "read_body",
]
