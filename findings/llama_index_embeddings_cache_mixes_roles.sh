#!/bin/sh
# llama-index-core 0.14.25. An embedding model with `embeddings_cache` finds texts and queries under the same key: a
# query whose text was embedded as a text gets the text's vector, and the other way round.
# Output seen:
#     without cache: query 'a' [0.0, 1.0], text 'b' [1.0, 0.0]
#     with cache: query 'a' [1.0, 0.0], text 'b' [0.0, 1.0]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.storage.kvstore import SimpleKVStore


class Roles(BaseEmbedding):
    def _get_text_embedding(self, text):
        return [1.0, 0.0]

    def _get_query_embedding(self, query):
        return [0.0, 1.0]

    async def _aget_query_embedding(self, query):
        return [0.0, 1.0]


seen = {}
for name, cache in (("without cache", None), ("with cache", SimpleKVStore())):
    model = Roles(embeddings_cache=cache)
    model.get_text_embedding("a")
    model.get_query_embedding("b")
    seen[name] = (model.get_query_embedding("a"), model.get_text_embedding("b"))
    print(f"{name}: query 'a' {seen[name][0]}, text 'b' {seen[name][1]}")
assert seen == {
    "without cache": ([0.0, 1.0], [1.0, 0.0]),
    "with cache": ([1.0, 0.0], [0.0, 1.0]),
}
EOF
