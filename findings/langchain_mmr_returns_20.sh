#!/bin/sh
# langchain-core 1.8.3. InMemoryVectorStore.max_marginal_relevance_search returns at most 20 documents, whatever `k`,
# unless `fetch_k` is passed: it chooses among the 20 most similar. There is no warning.
# Output seen:
#     similarity_search(k=30): 30 documents
#     max_marginal_relevance_search(k=30): 20 documents
#     max_marginal_relevance_search(k=30, fetch_k=30): 30 documents
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-core==1.8.3 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore


class Lengths(Embeddings):
    def embed_documents(self, texts):
        return [[1.0, len(text) / 100] for text in texts]

    def embed_query(self, text):
        return [1.0, 0.0]


store = InMemoryVectorStore(Lengths())
store.add_texts(["a" * i for i in range(1, 41)])
counts = [
    len(store.similarity_search("query", k=30)),
    len(store.max_marginal_relevance_search("query", k=30)),
    len(store.max_marginal_relevance_search("query", k=30, fetch_k=30)),
]
print(f"similarity_search(k=30): {counts[0]} documents")
print(f"max_marginal_relevance_search(k=30): {counts[1]} documents")
print(f"max_marginal_relevance_search(k=30, fetch_k=30): {counts[2]} documents")
assert counts == [30, 20, 30]
EOF
