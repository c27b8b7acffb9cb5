#!/bin/sh
# langchain-classic 1.0.8. EnsembleRetriever adds up the ranks of a text that one retriever returns several times, as
# for a passage that two pages share: repeated at ranks 2 and 3, it comes before the text of rank 1, also with a single
# retriever.
# Output seen:
#     the retriever: ['best', 'repeated', 'repeated']
#     EnsembleRetriever of it: ['repeated', 'best']
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
        texts = ("best", "repeated", "repeated")
        return [Document(page_content=text, metadata={"page": page}) for page, text in enumerate(texts)]


alone = [document.page_content for document in Three().invoke("query")]
ensemble = EnsembleRetriever(retrievers=[Three()], weights=[1.0])
fused = [document.page_content for document in ensemble.invoke("query")]
print(f"the retriever: {alone}")
print(f"EnsembleRetriever of it: {fused}")
assert alone == ["best", "repeated", "repeated"]
assert fused == ["repeated", "best"]
EOF
