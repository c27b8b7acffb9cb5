#!/bin/sh
# Elasticsearch 9.5.3. The query `knn` with `similarity` counts the documents that are below it where hits are not asked
# for: with `size` 0 and in _count. With hits, the total is right, and the option `knn` of a search is right with both.
# Output seen:
#     query, size 10: total 1
#     query, size 0: total 5
#     query, _count: 5
#     option, size 10: total 1
#     option, size 0: total 1
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

knn = {"field": "v", "query_vector": [1, 0], "k": 5, "num_candidates": 6, "similarity": 0.99}
seen = []
with elasticsearch() as core:
    core.create("notes", {"v": {"type": "dense_vector", "dims": 2}}, [{"v": [1, i / 3]} for i in range(6)])
    for name, part in (("query", {"query": {"knn": knn}}), ("option", {"knn": knn})):
        for size in (10, 0):
            status, answer = core.send("POST", "/notes/_search", {**part, "size": size})
            assert status == 200, answer
            seen.append(answer["hits"]["total"]["value"])
            print(f"{name}, size {size}: total {seen[-1]}")
        if name == "query":
            status, answer = core.send("POST", "/notes/_count", part)
            assert status == 200, answer
            seen.append(answer["count"])
            print(f"query, _count: {seen[-1]}")
assert seen == [1, 5, 5, 1, 1]
EOF
