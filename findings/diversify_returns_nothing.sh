#!/bin/sh
# Elasticsearch 9.5.3. The retriever `diversify` returns no hit, and no error, on an index whose setting
# `index.mapping.exclude_source_vectors` is false. The total still counts the matches.
# Output seen:
#     exclude_source_vectors True: total 6, hits ['0', '1', '2']
#     exclude_source_vectors False: total 6, hits []
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

seen = []
with elasticsearch() as core:
    for exclude in (True, False):
        fields = {"v": {"type": "dense_vector", "dims": 2, "index_options": {"type": "hnsw"}}, "text": {"type": "text"}}
        documents = [{"v": [1, i / 3], "text": "common"} for i in range(6)]
        core.create(f"notes{exclude}".lower(), fields, documents, **{"mapping.exclude_source_vectors": exclude})
        inner = {"standard": {"query": {"match": {"text": "common"}}}}
        diversify = {
            "type": "mmr",
            "field": "v",
            "query_vector": [1, 0],
            "lambda": 0.5,
            "rank_window_size": 6,
            "size": 3,
        }
        body = {"retriever": {"diversify": {**diversify, "retriever": inner}}}
        status, answer = core.send("POST", f"/notes{exclude}/_search".lower(), body)
        assert status == 200, answer
        ids = [hit["_id"] for hit in answer["hits"]["hits"]]
        seen.append((answer["hits"]["total"]["value"], len(ids), answer["_shards"]["failed"]))
        print(f"exclude_source_vectors {exclude}: total {seen[-1][0]}, hits {ids}")
assert seen == [(6, 3, 0), (6, 0, 0)]
EOF
