#!/bin/sh
# langchain-community 0.4.2. `KNNRetriever` and `SVMRetriever` embed documents with `embed_query`, one call for each, so
# models with roles embed documents as queries.
# Output seen:
#     KNNRetriever: embed_query of each text: True, embed_documents: False
#     SVMRetriever: embed_query of each text: True, embed_documents: False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-community==0.4.2 numpy || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
from langchain_community.retrievers import KNNRetriever, SVMRetriever
from langchain_core.embeddings import Embeddings


class Recording(Embeddings):
    def __init__(self):
        self.calls = []

    def embed_query(self, text):
        self.calls.append(("query", text))
        return [1.0, 0.0]

    def embed_documents(self, texts):
        self.calls.append(("documents", *texts))
        return [[1.0, 0.0] for _ in texts]


for retriever in (KNNRetriever, SVMRetriever):
    embeddings = Recording()
    retriever.from_texts(["a", "b"], embeddings)
    as_queries = sorted(embeddings.calls) == [("query", "a"), ("query", "b")]
    as_documents = any(role == "documents" for role, *_ in embeddings.calls)
    print(f"{retriever.__name__}: embed_query of each text: {as_queries}, embed_documents: {as_documents}")
    assert as_queries and not as_documents
EOF
