#!/bin/sh
# llama-index-core 0.14.25. SentenceSplitter gives wrong `start_char_idx` for chunks with equal text: it finds the
# second in the first, one sentence further, so chunks that follow one another appear to overlap.
# Output seen:
#     true starts: [0, 300, 600]
#     start_char_idx: [0, 5, 10]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core import Document
from llama_index.core.node_parser import SentenceSplitter

text = "Yes. " * 180
splitter = SentenceSplitter(
    chunk_size=60, chunk_overlap=0, tokenizer=lambda part: part.split(), include_metadata=False
)
nodes = splitter.get_nodes_from_documents([Document(text=text)])
assert [node.text for node in nodes] == [text[:299]] * 3
seen = [node.start_char_idx for node in nodes]
print("true starts: [0, 300, 600]")
print(f"start_char_idx: {seen}")
assert seen == [0, 5, 10]
EOF
