#!/bin/sh
# llama-index-vector-stores-elasticsearch 0.7.0, on Elasticsearch 9.5.3. ElasticsearchStore sends each filter to the
# subfield `.keyword`, which only strings have: a filter on a number finds nothing, without an error. A filter in the
# language of Elasticsearch (`es_filter`) works.
# Output seen:
#     topic == "words": ['words']
#     year == 2002: []
#     es_filter: ['words']
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
    seen = []
    for key, value in (("topic", "words"), ("year", 2002)):
        query = VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=3)
        query.filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value)])
        seen.append(store.query(query).ids)
    query = VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=3)
    seen.append(store.query(query, es_filter=[{"term": {"metadata.year": 2002}}]).ids)
    asyncio_run(client.close())
for name, ids in zip(('topic == "words"', "year == 2002", "es_filter"), seen, strict=True):
    print(f"{name}: {ids}")
assert seen == [["words"], [], ["words"]]
EOF
