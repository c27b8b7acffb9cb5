#!/bin/sh
# Elasticsearch 9.5.3. The retriever `knn` accepts `min_score` and does not apply it. The retriever `standard` with the
# same query applies it, and so does `min_score` at the top level of the search.
# Output seen:
#     knn: ['0', '1', '2']
#     standard: ['0']
#     top level: ['0']
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

with elasticsearch() as core:
    core.create(
        "notes",
        {"v": {"type": "dense_vector", "dims": 2, "index_options": {"type": "hnsw"}}},
        [{"v": v} for v in ([1, 0], [0, 1], [-1, 0.1])],
    )
    knn = {"field": "v", "query_vector": [1, 0], "k": 3, "num_candidates": 3}
    found = {
        "knn": core.ids("notes", {"retriever": {"knn": {**knn, "min_score": 0.9}}}),
        "standard": core.ids("notes", {"retriever": {"standard": {"query": {"knn": knn}, "min_score": 0.9}}}),
        "top level": core.ids("notes", {"retriever": {"knn": knn}, "min_score": 0.9}),
    }
for place, ids in found.items():
    print(f"{place}: {ids}")
assert found == {"knn": ["0", "1", "2"], "standard": ["0"], "top level": ["0"]}
EOF
