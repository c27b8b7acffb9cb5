#!/bin/sh
# langchain-core 1.8.3. A retriever with only a sync method takes its arguments in `invoke`, and fails with the same in
# `ainvoke`: they are passed on to the inherited async method, which takes none.
# Output seen:
#     invoke: 3
#     ainvoke: TypeError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-core==1.8.3 || exit 2
"$folder/bin/python" - <<'EOF'
import asyncio

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever


class Retriever(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager, k=1):
        return [Document(query)] * k


found = len(Retriever().invoke("a", k=3))
print("invoke:", found)
try:
    outcome = str(len(asyncio.run(Retriever().ainvoke("a", k=3))))
except TypeError as error:
    outcome = type(error).__name__
print("ainvoke:", outcome)
assert found == 3 and outcome == "TypeError"
EOF
