"""The types of values, the implemented parameters of fields and of the index of vectors, with their defaults. Tables."""

from __future__ import annotations

from ..refusals import Json

# The types of numbers: the bits of whole ones, and the fractions.
BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
PRECISIONS = ("float", "double", "half_float")
NUMBERS = (*BITS, *PRECISIONS)
ISO_DATE = "strict_date_optional_time||epoch_millis"  # the format of a date field
SLASHED_DATE = "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis"  # that of a new field with a text such as 2026/11/27
# Patterns of the formats, which find year, month, day, hour, minute, second, fraction and zone.
DATE_FORMATS = {
    "strict_date_optional_time": r"(-?\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?)?)?)?",
    "yyyy/MM/dd HH:mm:ss": r"(-?\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)()()",
    "yyyy/MM/dd": r"(-?\d{4})/(\d\d)/(\d\d)()()()()()",
    "epoch_millis": r"-?\d+(\.\d+)?",
}
NAMED_ZONE = r"-?\d{4}-\d\d-\d\dT[\d:.,]*[A-Z][A-Za-z]+[\w/+:-]*"  # a date with the name of its zone
# Numbers as texts, as Java reads them: a fraction may have spaces around it and the suffix of a type.
WHOLE_TEXT = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?"
FRACTION_TEXT = r"[\0- ]*([+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|NaN|Infinity))[dDfF]?[\0- ]*"
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
# Dynamic templates: their options, the types of values, and those of new fields that differ from them.
TEMPLATE_OPTIONS = {"match_mapping_type": str, "path_match": str, "mapping": dict}
TEMPLATE_TYPES = ("*", "string", "long", "double", "boolean", "object", "date")
USUAL = {"string": "text", "double": "float"}
# Names at the top of a document that are not those of fields.
METADATA = {"_id", "_source", "_index", "_routing", "_data_stream_timestamp", "_ignored_source", "_seq_no", "_version"}
METADATA |= {"_field_names", "_nested_path", "_ignored"}
# The settings of every index that GET shows, unless it has others.
GENERATED: Json = {"number_of_shards": "1", "number_of_replicas": "1", "version": {"created": "9060099"}}
GENERATED |= {"routing": {"allocation": {"include": {"_tier_preference": "data_content"}}}}
# Names and settings of indices.
FORBIDDEN = frozenset('\\/*?"<>| ,#:')
NAME_BYTES = 255
MAX_SHARDS = 1024
VECTORS = "vectordb_document"  # the index mode
EXCLUDED = "exclude_source_vectors"
# Documents and writes.
ACTIONS = ("create", "delete", "index", "update")
UPDATE = {"doc": dict, "upsert": dict, "doc_as_upsert": bool, "detect_noop": bool}
ID_BYTES = 512
IGNORE_ABOVE = 256
VECTOR_LENGTHS = range(128, 4097)  # a new field with an array of so many fractions becomes a dense_vector
BINARY_LIMIT = 1 << 20
MAX_KEYWORD_BYTES = 32_766
# The chunking settings of each strategy, and the least size of a passage in words.
CHUNKING = {"sentence": {"strategy", "max_chunk_size", "sentence_overlap"}, "none": {"strategy"}}
MIN_SIZE = 20
# Vectors that are rounded to bytes.
LARGE = 1 << 21  # numbers of a matrix from which rounding pays
REPEATED = 10  # searches after which it pays: it takes as long as about 25
CHUNK = 256  # rows that are rounded at once, so that they stay in the cache
SHORT = 4  # of so many documents, more than one is not worth a copy of the vectors
EPSILON = 2.0**-24  # relative error of an operation on float32
LEAST_STEP = 1e-15  # shorter vectors are rounded to zeros
TINY = 1e-17  # length of a vector whose squares are too small for float32
