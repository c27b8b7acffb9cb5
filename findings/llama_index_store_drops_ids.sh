#!/bin/sh
# llama-index-vector-stores-elasticsearch 0.7.0, on Elasticsearch 9.5.3. ElasticsearchStore.query uses neither
# `node_ids` nor `doc_ids` of the query, and so returns nodes that were not asked for. SimpleVectorStore uses
# `node_ids`.
# Output seen:
#     no restriction: ['a', 'b']
#     node_ids ['b']: ['a', 'b']
#     doc_ids ['B']: ['a', 'b']
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-vector-stores-elasticsearch==0.7.0 llama-index-core==0.14.25 elasticsearch==8.19.3 || exit 2
PYTHONPATH="$here:$here/../tests" "$folder/bin/python" - <<'EOF'
from elasticsearch import AsyncElasticsearch
from llama_index.core.async_utils import asyncio_run
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.vector_stores.elasticsearch import ElasticsearchStore
from real_core import elasticsearch

nodes = []
for name, vector in (("a", [1.0, 0.0]), ("b", [1.0, 1.0])):
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=name.upper())}
    nodes.append(TextNode(id_=name, text=name, embedding=vector, relationships=source))
seen = []
with elasticsearch() as core:
    client = AsyncElasticsearch(core.url)
    store = ElasticsearchStore("notes", es_client=client)
    store.add(nodes)
    for restriction in ({}, {"node_ids": ["b"]}, {"doc_ids": ["B"]}):
        seen.append(store.query(VectorStoreQuery([1.0, 0.0], similarity_top_k=5, **restriction)).ids)
        name = "".join(f"{key} {value}" for key, value in restriction.items()) or "no restriction"
        print(f"{name}: {seen[-1]}")
    asyncio_run(client.close())
assert seen == [["a", "b"]] * 3
EOF
