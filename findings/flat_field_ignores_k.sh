#!/bin/sh
# Elasticsearch 9.5.3. The query `knn` on a field with the index type `flat` matches every document with a vector,
# whatever `k` is. With `hnsw` it matches `k` documents of each shard. The section `knn` of a search obeys `k` with
# both.
# Output seen:
#     flat: query matches 8, section matches 2
#     hnsw: query matches 2, section matches 2
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

seen = {}
with elasticsearch() as core:
    for kind in ("flat", "hnsw"):
        field = {"type": "dense_vector", "dims": 2, "index_options": {"type": kind}}
        core.create(kind, {"v": field}, [{"v": [1, i]} for i in range(8)])
        knn = {"field": "v", "query_vector": [1, 0], "k": 2, "num_candidates": 5}
        seen[kind] = (len(core.ids(kind, {"query": {"knn": knn}})), len(core.ids(kind, {"knn": knn})))
        print(f"{kind}: query matches {seen[kind][0]}, section matches {seen[kind][1]}")
assert seen == {"flat": (8, 2), "hnsw": (2, 2)}
EOF
