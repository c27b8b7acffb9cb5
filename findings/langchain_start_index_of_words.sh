#!/bin/sh
# langchain-text-splitters 1.1.3. With `add_start_index` and a length function that counts words or tokens, the start of
# a chunk can be -1, though the chunk is in the text as it is: the splitter takes the overlap, in words, for characters.
# Output seen:
#     words: start_index [0, -1, 16, -1], in the text at [0, 7, 16, 23]
#     characters: start_index [0, 13, 20, 29], in the text at [0, 13, 20, 29]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-text-splitters==1.1.3 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_text_splitters import RecursiveCharacterTextSplitter

text = "yes no maybe so yes no never mind"
seen = {}
for name, arguments in (
    ("words", {"chunk_size": 3, "chunk_overlap": 1, "length_function": lambda part: len(part.split())}),
    ("characters", {"chunk_size": 13, "chunk_overlap": 5}),
):
    splitter = RecursiveCharacterTextSplitter(add_start_index=True, **arguments)
    chunks = splitter.create_documents([text])
    starts = [chunk.metadata["start_index"] for chunk in chunks]
    seen[name] = (starts, [text.index(chunk.page_content) for chunk in chunks])
    print(f"{name}: start_index {starts}, in the text at {seen[name][1]}")
assert seen == {"words": ([0, -1, 16, -1], [0, 7, 16, 23]), "characters": ([0, 13, 20, 29], [0, 13, 20, 29])}
EOF
