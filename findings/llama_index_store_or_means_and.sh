#!/bin/sh
# llama-index-vector-stores-elasticsearch 0.7.0, on Elasticsearch 9.5.3. ElasticsearchStore does not read the condition
# of MetadataFilters: filters combined by OR must all match, and filters that NOT should exclude must match.
# Output seen:
#     music or words: []
#     not music: ['music']
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
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery
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
    music, words = MetadataFilter(key="topic", value="music"), MetadataFilter(key="topic", value="words")
    seen = {}
    for name, filters, condition in (("music or words", [music, words], "or"), ("not music", [music], "not")):
        query = VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=3)
        query.filters = MetadataFilters(filters=filters, condition=condition)
        seen[name] = store.query(query).ids
        print(f"{name}: {seen[name]}")
    asyncio_run(client.close())
assert seen == {"music or words": [], "not music": ["music"]}
EOF
