#!/bin/sh
# langchain-core 1.8.3. InMemoryVectorStore gives a retriever for `search_type="similarity_score_threshold"`, whose
# every search raises a NotImplementedError without a message, though the store has scores.
# Output seen:
#     with scores: [('text', 1.0)]
#     retriever with a threshold: NotImplementedError ''
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-core==1.8.3 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
store.add_texts(["text"])
scores = [(found.page_content, round(score, 4)) for found, score in store.similarity_search_with_score("text")]
retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.5})
try:
    seen = repr(retriever.invoke("text"))
except NotImplementedError as error:
    seen = f"NotImplementedError {str(error)!r}"
print(f"with scores: {scores}")
print(f"retriever with a threshold: {seen}")
assert scores == [("text", 1.0)] and seen == "NotImplementedError ''"
EOF
