#!/bin/sh
# llama-index-core 0.14.25. SimpleVectorStore does not use the `mmr_threshold` of a VectorStoreQuery in the mode MMR: it
# uses that of the arguments of query(), and 0.5 without.
# Output seen:
#     in the query: ['equal', 'close']
#     argument of query(): ['equal', 'other']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery
from llama_index.core.vector_stores.types import VectorStoreQueryMode

vectors = {"equal": [1.0, 0.0], "close": [0.99, 0.1], "other": [0.1, 1.0]}
store = SimpleVectorStore()
store.add([TextNode(id_=name, embedding=vector) for name, vector in vectors.items()])
seen = []
for name, in_query, arguments in (("in the query", 0.0, {}), ("argument of query()", None, {"mmr_threshold": 0.0})):
    query = VectorStoreQuery([1.0, 0.0], similarity_top_k=2, mode=VectorStoreQueryMode.MMR, mmr_threshold=in_query)
    seen.append(store.query(query, **arguments).ids)
    print(f"{name}: {seen[-1]}")
assert seen == [["equal", "close"], ["equal", "other"]]
EOF
