#!/bin/sh
# langgraph 1.2.24. `InMemoryStore(index={"embed": embeddings.embed_documents, ...})` embeds searches with the same function,
# so as documents; the object itself keeps the two apart.
# Output seen:
#     function: ['documents', 'documents']
#     object: ['documents', 'query']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langgraph==1.2.24 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_core.embeddings import Embeddings
from langgraph.store.memory import InMemoryStore


class Recording(Embeddings):
    def __init__(self):
        self.calls = []

    def embed_query(self, text):
        self.calls.append("query")
        return [1.0, 0.0]

    def embed_documents(self, texts):
        self.calls.append("documents")
        return [[1.0, 0.0] for _ in texts]


seen = {}
for kind in ("function", "object"):
    embeddings = Recording()
    store = InMemoryStore(index={"embed": embeddings if kind == "object" else embeddings.embed_documents, "dims": 2})
    store.put(("notes",), "1", {"text": "a"})
    store.search(("notes",), query="b")
    seen[kind] = embeddings.calls
    print(f"{kind}:", embeddings.calls)
assert seen == {"function": ["documents", "documents"], "object": ["documents", "query"]}
EOF
