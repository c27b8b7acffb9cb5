#!/bin/sh
# langchain-classic 1.0.8. CacheBackedEmbeddings with `query_embedding_cache=True` keeps queries and documents under the
# same keys: a query whose text was embedded as a document gets the document's vector, and the other way round. For a
# model whose queries and documents have vectors of their own, both are wrong. A store for the queries alone keeps them
# apart.
# Output seen:
#     one store: query 'a' ['document vector'], document 'b' ['query vector']
#     two stores: query 'a' ['query vector'], document 'b' ['document vector']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-classic==1.0.8 langchain-core==1.8.3 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_core.embeddings import Embeddings
from langchain_core.stores import InMemoryByteStore


class Roles(Embeddings):
    def embed_documents(self, texts):
        return [["document vector"] for _ in texts]

    def embed_query(self, text):
        return ["query vector"]


seen = {}
for name, queries in (("one store", True), ("two stores", InMemoryByteStore())):
    cached = CacheBackedEmbeddings.from_bytes_store(
        Roles(), InMemoryByteStore(), namespace="model", key_encoder="sha256", query_embedding_cache=queries
    )
    cached.embed_documents(["a"])
    cached.embed_query("b")
    seen[name] = (cached.embed_query("a")[0], cached.embed_documents(["b"])[0][0])
    print(f"{name}: query 'a' {cached.embed_query('a')}, document 'b' {cached.embed_documents(['b'])[0]}")
assert seen == {
    "one store": ("document vector", "query vector"),
    "two stores": ("query vector", "document vector"),
}
EOF
