#!/bin/sh
# langchain-core 1.8.3. index() with `cleanup="incremental"` deletes passages that have not changed, and embeds them
# again, if the passages of one source do not fit into one batch: cleaning up after the first batch, it deletes those
# still to come.
# Output seen:
#     batch_size 2: added 0, skipped 2, deleted 0, embedded []
#     batch_size 1: added 1, skipped 1, deleted 1, embedded ['two']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-core==1.8.3 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import InMemoryVectorStore


class Counting(Embeddings):
    def embed_documents(self, texts):
        self.embedded.extend(texts)
        return [[1.0, 0.0] for _ in texts]

    def embed_query(self, text):
        return [1.0, 0.0]


seen = []
for size in (2, 1):
    model, records = Counting(), InMemoryRecordManager("notes")
    store = InMemoryVectorStore(model)
    passages = [Document(page_content=text, metadata={"source": "page"}) for text in ("one", "two")]
    for _ in range(2):
        model.embedded = []
        arguments = {"cleanup": "incremental", "source_id_key": "source", "key_encoder": "sha256"}
        counts = index(passages, records, store, batch_size=size, **arguments)
    seen.append((counts["num_added"], counts["num_skipped"], counts["num_deleted"], model.embedded))
    print("batch_size {}: added {}, skipped {}, deleted {}, embedded {}".format(size, *seen[-1]))
assert seen == [(0, 2, 0, []), (1, 1, 1, ["two"])]
EOF
