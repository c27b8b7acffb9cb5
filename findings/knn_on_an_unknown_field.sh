#!/bin/sh
# Elasticsearch 9.5.3. A `knn` search on a field that the index does not have (a misspelt name, for example) is answered
# with 200 and no hits, without a failed shard. On a field of another type it is refused.
# Output seen:
#     v: 200, 1 hits
#     vv: 200, 0 hits, 0 failed shards
#     text: 400
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

seen = {}
with elasticsearch() as core:
    core.create(
        "notes",
        {"v": {"type": "dense_vector", "dims": 2, "index_options": {"type": "hnsw"}}, "text": {"type": "text"}},
        [{"v": [1, 0], "text": "a"}],
    )
    for field in ("v", "vv", "text"):
        knn = {"field": field, "query_vector": [1, 0], "k": 1, "num_candidates": 1}
        status, answer = core.send("POST", "/notes/_search", {"knn": knn})
        seen[field] = (status, len(answer["hits"]["hits"]), answer["_shards"]["failed"]) if status == 200 else (status,)
print("v: {}, {} hits".format(*seen["v"]))
print("vv: {}, {} hits, {} failed shards".format(*seen["vv"]))
print("text: {}".format(*seen["text"]))
assert seen == {"v": (200, 1, 0), "vv": (200, 0, 0), "text": (400,)}
EOF
