#!/bin/sh
# llama-index-core 0.14.25. SimpleVectorStore.query does not use the `doc_ids` of the query, and so returns nodes of
# other documents. It uses `node_ids`.
# Output seen:
#     no restriction: ['a', 'b']
#     doc_ids ['B']: ['a', 'b']
#     node_ids ['b']: ['b']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery

store = SimpleVectorStore()
for name, vector in (("a", [1.0, 0.0]), ("b", [1.0, 1.0])):
    source = RelatedNodeInfo(node_id=name.upper())
    store.add([TextNode(id_=name, embedding=vector, relationships={NodeRelationship.SOURCE: source})])
seen = {}
for name, restriction in (
    ("no restriction", {}),
    ("doc_ids ['B']", {"doc_ids": ["B"]}),
    ("node_ids ['b']", {"node_ids": ["b"]}),
):
    seen[name] = store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=5, **restriction)).ids
    print(f"{name}: {seen[name]}")
assert seen == {"no restriction": ["a", "b"], "doc_ids ['B']": ["a", "b"], "node_ids ['b']": ["b"]}
EOF
