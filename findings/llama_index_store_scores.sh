#!/bin/sh
# llama-index-vector-stores-elasticsearch 0.7.0, on Elasticsearch 9.5.3. The similarities of ElasticsearchStore are
# relative to the results of the same query: the best is 1 and the worst is 0, whatever their distance. The same
# document has other similarities with another `similarity_top_k`, and a minimum similarity removes the worst result of
# any query.
# Output seen (the cosines are 1.000, 0.995 and 0.981):
#     similarity_top_k=2: {'music': 1.0, 'words': 0.0}
#     similarity_top_k=3: {'music': 1.0, 'words': 0.74, 'maths': 0.0}
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-vector-stores-elasticsearch==0.7.0 llama-index-core==0.14.25 elasticsearch==8.19.3 || exit 2
PYTHONPATH="$here:$here/../tests" "$folder/bin/python" - <<'EOF'
from elasticsearch import AsyncElasticsearch
from llama_index.core.async_utils import asyncio_run
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.vector_stores.elasticsearch import ElasticsearchStore
from real_core import elasticsearch

with elasticsearch() as core:
    client = AsyncElasticsearch(core.url)
    store = ElasticsearchStore("notes", es_client=client)
    metadata = [{"topic": "music", "year": 2001}, {"topic": "words", "year": 2002}, {"topic": "maths", "year": 2003}]
    store.add(
        [
            TextNode(id_=item["topic"], text="a", metadata=item, embedding=[1.0, number / 10])
            for number, item in enumerate(metadata)
        ]
    )
    seen = []
    for k in (2, 3):
        result = store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=k))
        seen.append({name: round(score, 2) for name, score in zip(result.ids, result.similarities, strict=True)})
        print(f"similarity_top_k={k}: {seen[-1]}")
    asyncio_run(client.close())
assert seen[0] == {"music": 1.0, "words": 0.0}
assert seen[1]["words"] > 0.5 and seen[1]["maths"] == 0.0
EOF
