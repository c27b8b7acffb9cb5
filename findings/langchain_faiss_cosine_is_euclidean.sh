#!/bin/sh
# langchain-community 0.4.2, faiss-cpu 1.15.1. FAISS with `DistanceStrategy.COSINE` compares by Euclidean distance and
# does not normalize vectors, so a vector of the query's direction comes after a shorter one of another direction.
# Relevance scores, which should be cosines, are 1 minus the squared distance, also for vectors of length 1.
# Output seen (with their cosines):
#     [3, 3], whose direction is the query's, comes second: [1, 0] (0.71), [3, 3] (1.00)
#     the score of [0.6, 0.8] for [1, 0], whose cosine is 0.6: 0.20
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-community==0.4.2 faiss-cpu==1.15.1 || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
from json import loads

from langchain_community.vectorstores import FAISS
from langchain_community.vectorstores.utils import DistanceStrategy
from langchain_core.embeddings import Embeddings


class Written(Embeddings):
    """The vector of a text is the text."""

    def embed_documents(self, texts):
        return [loads(text) for text in texts]

    def embed_query(self, text):
        return loads(text)


store = FAISS.from_texts(["[3, 3]", "[1, 0]"], Written(), distance_strategy=DistanceStrategy.COSINE)
found = [document.page_content for document in store.similarity_search("[0.3, 0.3]")]
print(f"[3, 3], whose direction is the query's, comes second: {found[0]} (0.71), {found[1]} (1.00)")
store = FAISS.from_texts(["[0.6, 0.8]"], Written(), distance_strategy=DistanceStrategy.COSINE)
((_, score),) = store.similarity_search_with_relevance_scores("[1, 0]")
print(f"the score of [0.6, 0.8] for [1, 0], whose cosine is 0.6: {score:.2f}")
assert found == ["[1, 0]", "[3, 3]"], found
assert abs(score - 0.2) < 0.01, score
EOF
