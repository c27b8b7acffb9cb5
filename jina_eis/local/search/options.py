"""The options of searches, and the kind of their values: tables. All other options are refused."""

from __future__ import annotations

# The JSON types that each kind of option accepts.
KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "text": (str,),
    "value": (int, bool),
    "object": (dict,),
    "array": (list,),
    "objects": (dict, list),
    "input": (str, dict, list),
    "source": (bool, str, dict, list),
    "vector": (int, float, str, dict, list),
}

# A search.
SEARCH = {"query": "object", "knn": "objects", "retriever": "object", "size": "int", "from": "int", "min_score": "float"} | {
    "_source": "source",
    "fields": "array",
    "highlight": "object",
    "sort": "source",
    "pit": "object",
    "search_after": "array",
    "timeout": "text",
    "track_total_hits": "value",
}
HIGHLIGHT = {"number_of_fragments": "int", "order": "text", "max_analyzed_offset": "int"}
# Queries and searches by meaning.
KNN = (
    dict.fromkeys(("k", "num_candidates"), "int")
    | dict.fromkeys(("similarity", "boost"), "float")
    | dict.fromkeys(("query_vector_builder", "rescore_vector"), "object")
    | {"field": "text", "query_vector": "vector", "filter": "objects"}
)
SEMANTIC_QUERY = {"field": "text", "query": "text", "boost": "float"}
BUILDERS = {"text_embedding": ("model_id", "model_text"), "embedding": ("inference_id", "input")}  # their endpoint and input
SCORED_WHOLE = ("flat", "int8_flat", "int4_flat")  # index types for which `knn` as a query scores every vector
# Retrievers.
STANDARD = {"query": "object", "filter": "objects"}
KNN_RETRIEVER = {name: kind for name, kind in KNN.items() if name != "boost"}
WINDOWED = {"rank_window_size": "int"}
LINEAR = WINDOWED | {"retrievers": "array"}
RRF = LINEAR | {"rank_constant": "int"}
RERANK = (
    WINDOWED
    | {"retriever": "object", "field": "text", "chunk_rescorer": "object", "min_score": "float"}
    | dict.fromkeys(("inference_id", "inference_text"), "text")
)
DIVERSIFY = (
    WINDOWED
    | {"retriever": "object", "type": "text", "field": "text", "query_vector": "vector", "query_vector_builder": "object"}
    | {"size": "int", "lambda": "float"}
)
COMPONENT = {"retriever": "object", "weight": "float"}
# The errors for queries without a required option, or without a field.
MISSING = {
    "field": "[exists] must be provided with a [field]",
    "filter": "[constant_score] requires a 'filter' element",
    "query": "No text specified for text query",
    "value": "value cannot be null",
    "": "field name is null or empty",
}
# Numbers and names of searches.
WINDOW = 10_000  # the most hits
SHARD_ORDER = [{"_shard_doc": "asc"}]  # of the pages of a point in time
MIN_K = 10  # fewest documents that a semantic query retrieves
MAX_CANDIDATES = 10_000
CLAUSES = ("must", "filter", "should", "must_not")
QUERIES_INSIDE = {"bool": CLAUSES, "constant_score": ("filter",)}  # options of compound queries
# Retrievers: how many hits they rank, the constant of rrf and the reranker by default; and those that combine others.
RANKED = 10
RANK_CONSTANT = 60
RERANKER = ".rerank-v1-elasticsearch"
COMPOUND = ("linear", "rrf", "text_similarity_reranker")
FRAGMENTS = 5  # of a highlight
# The service's own window for the passages of a reranker, which holds more than that reads.
DEFAULT_CHUNKING = {"strategy": "sentence", "max_chunk_size": 7000, "sentence_overlap": 1}
