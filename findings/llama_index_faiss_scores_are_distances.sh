#!/bin/sh
# llama-index-vector-stores-faiss 0.7.0, faiss-cpu 1.15.1, llama-index-core 0.14.25. The scores of nodes from
# FaissVectorStore with IndexFlatL2, the index of LlamaIndex's own example, are squared distances, where other stores
# return similarities: the best node has the least. So `SimilarityPostprocessor` with a cutoff removes the best node,
# and keeps the opposite one.
# Output seen:
#     scores: same 0.0, near 0.8, opposite 4.0
#     after a cutoff of 0.5: ['near', 'opposite']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-vector-stores-faiss==0.7.0 llama-index-core==0.14.25 \
  faiss-cpu==1.15.1 || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
import faiss
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import TextNode
from llama_index.vector_stores.faiss import FaissVectorStore

VECTORS = {"same": [1.0, 0.0], "near": [0.6, 0.8], "opposite": [-1.0, 0.0]}


class FixedVectors(BaseEmbedding):
    def _get_text_embedding(self, text):
        return VECTORS[text]

    def _get_query_embedding(self, query):
        return VECTORS[query]

    async def _aget_query_embedding(self, query):
        return VECTORS[query]


storage = StorageContext.from_defaults(vector_store=FaissVectorStore(faiss.IndexFlatL2(2)))
index = VectorStoreIndex([TextNode(text=text) for text in VECTORS], storage_context=storage, embed_model=FixedVectors())
nodes = index.as_retriever(similarity_top_k=3).retrieve("same")
scores = {node.text: round(float(node.score), 1) for node in nodes}
kept = [node.text for node in SimilarityPostprocessor(similarity_cutoff=0.5).postprocess_nodes(nodes)]
print(f"scores: {', '.join(f'{text} {score}' for text, score in scores.items())}")
print(f"after a cutoff of 0.5: {kept}")
assert scores == {"same": 0, "near": 0.8, "opposite": 4}, scores
assert kept == ["near", "opposite"], kept
EOF
