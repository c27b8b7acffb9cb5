#!/bin/sh
# langchain-elasticsearch 1.0.0, on Elasticsearch 9.5.3. ElasticsearchStore asks for 50 candidates unless `fetch_k` is
# passed, also when `k` is greater: similarity_search(query, k=51) is refused by Elasticsearch.
# Output seen:
#     k=50: 50 documents
#     k=51: 400 [num_candidates] cannot be less than [k]
#     k=51, fetch_k=51: 51 documents
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-elasticsearch==1.0.0 langchain-core==1.8.3 elasticsearch==8.19.3 || exit 2
PYTHONPATH="$here:$here/../tests" "$folder/bin/python" - <<'EOF'
import math

from elasticsearch import BadRequestError, Elasticsearch
from langchain_core.embeddings import Embeddings
from langchain_elasticsearch import ElasticsearchStore
from real_core import elasticsearch


class Lengths(Embeddings):
    def embed_query(self, text):
        return [math.cos(len(text) / 100), math.sin(len(text) / 100)]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


seen = {}
with elasticsearch() as core, Elasticsearch(core.url) as client:
    store = ElasticsearchStore("notes", embedding=Lengths(), client=client)
    store.add_texts(["a" * i for i in range(1, 61)])
    for arguments in ({"k": 50}, {"k": 51}, {"k": 51, "fetch_k": 51}):
        name = ", ".join(f"{key}={value}" for key, value in arguments.items())
        try:
            seen[name] = f"{len(store.similarity_search('aaaa', **arguments))} documents"
        except BadRequestError as error:
            seen[name] = f"{error.status_code} {error.body['error']['reason']}"
        print(f"{name}: {seen[name]}")
assert seen["k=50"] == "50 documents" and seen["k=51"].startswith("400") and seen["k=51, fetch_k=51"] == "51 documents"
EOF
