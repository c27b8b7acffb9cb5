#!/bin/sh
# langchain-chroma 1.1.0, chromadb 1.5.9. `add_documents` and `update_document` with the id of a stored document
# replace its text, and merge its metadata into those stored: keys that the new document does not have stay, and
# filters by them find it. LangChain's InMemoryVectorStore replaces the whole document. Delete the document first.
# Output seen:
#     stored: {'state': 'draft'}, then {'year': 2026}
#     metadata of the second text: {'state': 'draft', 'year': 2026}
#     the filter state = draft finds: ['The second text.']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-chroma==1.1.0 chromadb==1.5.9 || exit 2
"$folder/bin/python" -W ignore - <<'EOF'
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

store = Chroma(embedding_function=DeterministicFakeEmbedding(size=8))
store.add_documents([Document("The first text.", id="1", metadata={"state": "draft"})])
store.add_documents([Document("The second text.", id="1", metadata={"year": 2026})])
(document,) = store.get_by_ids(["1"])
metadata = dict(sorted(document.metadata.items()))
found = [document.page_content for document in store.similarity_search("text", filter={"state": "draft"})]
print("stored: {'state': 'draft'}, then {'year': 2026}")
print(f"metadata of the second text: {metadata}")
print(f"the filter state = draft finds: {found}")
assert document.page_content == "The second text."
assert metadata == {"state": "draft", "year": 2026}, metadata
assert found == ["The second text."], found
EOF
