"""The implemented parameters of fields and of the index of vectors, with their defaults. Tables."""

from __future__ import annotations

from ..refusals import Json
from .values import ISO_DATE, NUMBERS

SEMANTIC = ("semantic_text", "semantic")
# The implemented parameters of each type with their defaults.
OBJECTS = {"chunking_settings", "model_settings", "index_options"}  # of a semantic field
LEAF: Json = {"index": True, "doc_values": True, "copy_to": [], "fields": {}}
PARAMETERS: dict[str, Json] = {
    "text": {"index": True, "copy_to": [], "fields": {}, "analyzer": "default", "similarity": None},
    "keyword": LEAF | {"ignore_above": (1 << 31) - 1},
    "boolean": LEAF,
    "date": LEAF | {"format": ISO_DATE, "locale": "en"},
    **dict.fromkeys(NUMBERS, LEAF),
    "dense_vector": {"dims": None, "index": True, "similarity": None, "index_options": None, "element_type": "float"},
    **dict.fromkeys(SEMANTIC, dict.fromkeys(OBJECTS | {"inference_id", "search_inference_id"}) | {"fields": {}, "copy_to": []}),
}
UPDATABLE = frozenset({"copy_to", "fields", "ignore_above"})
# The index of vectors: its keys with their defaults.
GRAPH: Json = {"m": 16, "ef_construction": 100}
RESCORED: Json = {"rescore_vector": {"oversample": 3.0}}
INDEX_OPTIONS: dict[str, Json] = dict.fromkeys(("hnsw", "int8_hnsw", "int4_hnsw"), GRAPH)
INDEX_OPTIONS |= {"flat": {}, "int8_flat": {}, "int4_flat": {}, "bbq_hnsw": GRAPH | RESCORED, "bbq_flat": RESCORED}
