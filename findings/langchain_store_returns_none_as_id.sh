#!/bin/sh
# langchain-elasticsearch 1.0.0, on Elasticsearch 9.5.3. If some of the documents passed to add_documents have an id,
# the others are stored under ids that Elasticsearch generates, and None is returned for them: they cannot be deleted by
# what was returned. If no document has an id, the store generates and returns one for each.
# Output seen:
#     one of two has an id: ['given', None]
#     stored under None: False, documents: 2
#     none has an id: 2 strings
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-elasticsearch==1.0.0 langchain-core==1.8.3 elasticsearch==8.19.3 || exit 2
PYTHONPATH="$here:$here/../tests" "$folder/bin/python" - <<'EOF'
import math

from elasticsearch import Elasticsearch
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_elasticsearch import ElasticsearchStore
from real_core import elasticsearch


class Lengths(Embeddings):
    def embed_query(self, text):
        return [math.cos(len(text) / 100), math.sin(len(text) / 100)]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


with elasticsearch() as core, Elasticsearch(core.url) as client:
    store = ElasticsearchStore("notes", embedding=Lengths(), client=client)
    mixed = store.add_documents([Document("one", id="given"), Document("two")])
    stored = bool(client.exists(index="notes", id="None"))
    count = client.count(index="notes")["count"]
    generated = store.add_documents([Document("three"), Document("four")])
print("one of two has an id:", mixed)
print(f"stored under None: {stored}, documents: {count}")
print(f"none has an id: {sum(isinstance(i, str) for i in generated)} strings")
assert (mixed, stored, count) == (["given", None], False, 2) and all(isinstance(i, str) for i in generated)
EOF
