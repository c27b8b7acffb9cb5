#!/bin/sh
# langchain-core 1.8.3 with langchain-community 0.4.2 (faiss-cpu 1.15.1), langchain-qdrant 1.1.0 (qdrant-client
# 1.20.0) and langchain-chroma 1.1.0 (chromadb 1.5.9). In stores that compare by inner product, the relevance score is
# computed from a similarity as if it were a distance, or the reverse. It should be 1 for the best, and is what the
# `score_threshold` of a retriever applies to; the equal text gets 0. FAISS and Qdrant return only the opposite
# vector, and Chroma drops the equal text.
# Output seen (cosines with the query: same 1.0, near 0.6, opposite -1.0):
#     FAISS: {'same': 0.0, 'near': 0.4, 'opposite': 1.0}, above 0.5: ['opposite']
#     Qdrant: {'same': 0.0, 'near': 0.4, 'opposite': 1.0}, above 0.5: ['opposite']
#     Chroma: {'same': 0.0, 'near': 0.6, 'opposite': -1.0}, above 0.5: ['near']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-core==1.8.3 langchain-community==0.4.2 faiss-cpu==1.15.1 \
  langchain-qdrant==1.1.0 qdrant-client==1.20.0 langchain-chroma==1.1.0 chromadb==1.5.9 || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
from langchain_chroma import Chroma
from langchain_community.vectorstores import FAISS
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore
from qdrant_client.models import Distance

VECTORS = {"same": [1.0, 0.0], "near": [0.6, 0.8], "opposite": [-1.0, 0.0], "dummy_text": [1.0, 0.0]}


class FixedVectors(Embeddings):
    def embed_documents(self, texts):
        return [VECTORS[text] for text in texts]

    def embed_query(self, text):
        return VECTORS[text]


texts, embeddings = ["same", "near", "opposite"], FixedVectors()
stores = {
    "FAISS": FAISS.from_texts(texts, embeddings, distance_strategy="MAX_INNER_PRODUCT"),
    "Qdrant": QdrantVectorStore.from_texts(texts, embeddings, location=":memory:", distance=Distance.DOT),
    "Chroma": Chroma.from_texts(texts, embeddings, collection_configuration={"hnsw": {"space": "ip"}}),
}
seen = {}
for name, store in stores.items():
    scores = store.similarity_search_with_relevance_scores("same", k=3)
    scores = {document.page_content: round(float(score), 2) + 0.0 for document, score in scores}  # without -0.0
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.5})
    found = [document.page_content for document in retriever.invoke("same")]
    seen[name] = scores, found
    print(f"{name}: {scores}, above 0.5: {found}")
assert seen["FAISS"] == seen["Qdrant"] == ({"same": 0, "near": 0.4, "opposite": 1}, ["opposite"]), seen
assert seen["Chroma"] == ({"same": 0, "near": 0.6, "opposite": -1}, ["near"]), seen
EOF
