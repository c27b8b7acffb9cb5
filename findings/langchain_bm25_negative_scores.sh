#!/bin/sh
# langchain-community 0.4.2 with rank_bm25 0.2.2. BM25Retriever gives a word that most documents contain a negative weight
# if the same holds for most words: the first result is the one document without the word.
# Output seen:
#     cat: ['dog', 'cat mat', 'cat mat', 'cat mat']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-community==0.4.2 langchain-core==1.8.3 rank_bm25==0.2.2 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_community.retrievers import BM25Retriever

retriever = BM25Retriever.from_texts(["cat mat", "cat mat", "cat mat", "dog"], k=4)
seen = [found.page_content for found in retriever.invoke("cat")]
print(f"cat: {seen}")
assert seen == ["dog", "cat mat", "cat mat", "cat mat"]
EOF
