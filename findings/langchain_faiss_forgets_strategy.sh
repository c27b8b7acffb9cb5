#!/bin/sh
# langchain-community 0.4.2, faiss-cpu 1.15.1. `FAISS.save_local` does not store the distance strategy, and
# `load_local` takes the default. An index of inner products still compares by them, but `score_threshold`, a minimum
# before, is then a maximum: the same search returns the other documents. `load_local(..., distance_strategy=...)`
# restores it.
# Output seen:
#     made: same (1.0), near (0.6)
#     loaded: right angle (0.0), opposite (-1.0)
#     loaded with distance_strategy: same (1.0), near (0.6)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-community==0.4.2 faiss-cpu==1.15.1 || exit 2
"$folder/bin/python" -W ignore - "$folder" <<'EOF'
import sys

from langchain_community.vectorstores import FAISS
from langchain_community.vectorstores.utils import DistanceStrategy
from langchain_core.embeddings import Embeddings

VECTORS = {"same": [1.0, 0.0], "near": [0.6, 0.8], "right angle": [0.0, 1.0], "opposite": [-1.0, 0.0]}


class FixedVectors(Embeddings):
    def embed_documents(self, texts):
        return [VECTORS[text] for text in texts]

    def embed_query(self, text):
        return VECTORS[text]


path, embeddings, strategy = f"{sys.argv[1]}/index", FixedVectors(), DistanceStrategy.MAX_INNER_PRODUCT
made = FAISS.from_texts([*VECTORS], embeddings, distance_strategy=strategy)
made.save_local(path)
loaded = FAISS.load_local(path, embeddings, allow_dangerous_deserialization=True)
again = FAISS.load_local(path, embeddings, allow_dangerous_deserialization=True, distance_strategy=strategy)
seen = []
for name, store in (("made", made), ("loaded", loaded), ("loaded with distance_strategy", again)):
    found = store.similarity_search_with_score("same", k=4, score_threshold=0.5)
    seen.append([document.page_content for document, _ in found])
    print(f"{name}: {', '.join(f'{document.page_content} ({score:.1f})' for document, score in found)}")
assert seen == [["same", "near"], ["right angle", "opposite"], ["same", "near"]], seen
EOF
