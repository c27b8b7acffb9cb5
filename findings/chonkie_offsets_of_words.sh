#!/bin/sh
# chonkie 1.7.0. `start_index` and `end_index` of the chunks of `TokenChunker("word")` do not count the space between
# two chunks: they are off by one in the second chunk, by two in the third, and so on, and do not give the chunk's
# text. Those of other tokenizers and chunkers do.
# Output seen:
#     one two: 'one two'
#     three four: ' three fou'
#     five six: 'r five s'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet chonkie==1.7.0 || exit 2
"$folder/bin/python" - <<'EOF'
from chonkie import TokenChunker

text = "one two three four five six"
chunks = TokenChunker("word", chunk_size=2).chunk(text)
seen = {chunk.text: text[chunk.start_index : chunk.end_index] for chunk in chunks}
print(*(f"{chunk}: {part!r}" for chunk, part in seen.items()), sep="\n")
assert seen == {"one two": "one two", "three four": " three fou", "five six": "r five s"}, seen
EOF
