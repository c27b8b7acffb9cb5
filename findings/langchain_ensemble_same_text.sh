#!/bin/sh
# langchain-classic 1.0.8 with langchain-core 1.8.3. EnsembleRetriever takes documents with equal text for one document,
# also when their ids and metadata differ, and returns the first of them.
# Output seen:
#     retriever: ['1', '2', '3']
#     EnsembleRetriever: ['1', '3']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-classic==1.0.8 langchain-core==1.8.3 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_classic.retrievers import EnsembleRetriever
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever


class Three(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [
            Document(id="1", page_content="Closed on Monday.", metadata={"source": "museum.html"}),
            Document(id="2", page_content="Closed on Monday.", metadata={"source": "library.html"}),
            Document(id="3", page_content="Open on Sunday.", metadata={"source": "museum.html"}),
        ]


seen = {
    type(retriever).__name__.replace("Three", "retriever"): [found.id for found in retriever.invoke("Monday")]
    for retriever in (Three(), EnsembleRetriever(retrievers=[Three()], weights=[1.0]))
}
for name, ids in seen.items():
    print(f"{name}: {ids}")
assert seen == {"retriever": ["1", "2", "3"], "EnsembleRetriever": ["1", "3"]}
EOF
