#!/bin/sh
# llama-index-vector-stores-chroma 0.6.0, chromadb 1.5.9. `ChromaVectorStore.add` with the id of a stored node returns
# the id and changes nothing: text, metadata and vector stay those of the first. It calls `add` of Chroma, whose
# docstring says that an existing id raises a ValueError, and which does not. Delete the nodes first.
# Output seen:
#     returned: ['1']
#     text: The first text.
#     nearest to the second vector: similarity 0.14
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-vector-stores-chroma==0.6.0 llama-index-core==0.14.25 \
  chromadb==1.5.9 || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
import chromadb
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.vector_stores.chroma import ChromaVectorStore

store = ChromaVectorStore(chroma_collection=chromadb.EphemeralClient().create_collection("nodes"))
store.add([TextNode(id_="1", text="The first text.", embedding=[1.0, 0.0])])
returned = store.add([TextNode(id_="1", text="The second text.", embedding=[0.0, 1.0])])
result = store.query(VectorStoreQuery(query_embedding=[0.0, 1.0], similarity_top_k=1))
print(f"returned: {returned}")
print(f"text: {result.nodes[0].text}")
print(f"nearest to the second vector: similarity {result.similarities[0]:.2f}")
assert returned == ["1"], returned
assert result.nodes[0].text == "The first text.", result.nodes
assert result.similarities[0] < 0.2, result.similarities
EOF
