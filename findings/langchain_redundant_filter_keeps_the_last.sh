#!/bin/sh
# langchain-community 0.4.2. EmbeddingsRedundantFilter drops the first of two similar documents and keeps the last: of results
# in the order of their rank, the best is dropped, and its copies with the lowest rank stay. A comment in its code intends
# the contrary, "dropping the second document of any highly similar pair".
# Output seen:
#     results: bears 1, bread 2, bears 3, bears 4
#     kept: bread 2, bears 4
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-community==0.4.2 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
import warnings

warnings.simplefilter("ignore")
from langchain_community.document_transformers import EmbeddingsRedundantFilter
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings


class Topics(Embeddings):
    def embed_documents(self, texts):
        return [[1.0, 0.0] if "bears" in text else [0.0, 1.0] for text in texts]

    def embed_query(self, text):
        return self.embed_documents([text])[0]


results = [Document(page_content=text) for text in ("bears 1", "bread 2", "bears 3", "bears 4")]
kept = [document.page_content for document in EmbeddingsRedundantFilter(embeddings=Topics()).transform_documents(results)]
print(f"results: {', '.join(document.page_content for document in results)}")
print(f"kept: {', '.join(kept)}")
assert kept == ["bread 2", "bears 4"]
EOF
