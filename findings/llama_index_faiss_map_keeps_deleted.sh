#!/bin/sh
# llama-index-vector-stores-faiss 0.7.0, faiss-cpu 1.15.1, llama-index-core 0.14.25. FaissMapVectorStore, the variant
# of FaissVectorStore that can delete, takes the `ref_doc_id` of `delete` for the id of a node. So `delete_ref_doc` of
# an index leaves the vectors, and removes the nodes from the other stores: each later search that finds one of the
# vectors raises a KeyError.
# Output seen:
#     vectors before and after delete_ref_doc: 2, 2
#     the next search: KeyError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-vector-stores-faiss==0.7.0 llama-index-core==0.14.25 \
  faiss-cpu==1.15.1 || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
import faiss
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.vector_stores.faiss import FaissMapVectorStore

vectors = faiss.IndexIDMap2(faiss.IndexFlatL2(8))
storage = StorageContext.from_defaults(vector_store=FaissMapVectorStore(vectors))
documents = [Document(text="Glaciers flow.", id_="a"), Document(text="Bread rises.", id_="b")]
index = VectorStoreIndex.from_documents(documents, storage_context=storage, embed_model=MockEmbedding(embed_dim=8))
before = vectors.ntotal
index.delete_ref_doc("b", delete_from_docstore=True)
print(f"vectors before and after delete_ref_doc: {before}, {vectors.ntotal}")
try:
    seen = f"{len(index.as_retriever(similarity_top_k=2).retrieve('ice'))} nodes"
except KeyError as error:
    seen = type(error).__name__
print(f"the next search: {seen}")
assert (before, vectors.ntotal) == (2, 2), vectors.ntotal
assert seen == "KeyError", seen
EOF
