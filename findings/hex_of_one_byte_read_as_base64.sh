#!/bin/sh
# Elasticsearch 9.5.3. A vector of 8 bits, written in hexadecimal, is read as Base64 in a document and as hexadecimal in
# a query: a search for the string that was stored does not find it with the score 1. With 16 bits both are hexadecimal.
# Output seen:
#     8 bits, 'ff': stored [125], score 0.75
#     16 bits, 'ffff': stored [-1, -1], score 1.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

seen = []
with elasticsearch() as core:
    for text in ("ff", "ffff"):
        bits = 4 * len(text)
        core.create(f"bits{bits}", {"v": {"type": "dense_vector", "element_type": "bit", "dims": bits}}, [{"v": text}])
        knn = {"field": "v", "query_vector": text, "k": 1, "num_candidates": 1}
        status, answer = core.send("POST", f"/bits{bits}/_search", {"knn": knn, "fields": ["v"]})
        assert status == 200, answer
        (hit,) = answer["hits"]["hits"]
        seen.append((hit["fields"]["v"], hit["_score"]))
        print(f"{bits} bits, '{text}': stored {seen[-1][0]}, score {seen[-1][1]}")
assert seen == [([125], 0.75), ([-1, -1], 1.0)]
EOF
