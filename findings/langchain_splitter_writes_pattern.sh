#!/bin/sh
# langchain-text-splitters 1.1.3. CharacterTextSplitter with `is_separator_regex=True` joins the parts of a chunk with
# the pattern itself: the chunk holds text that the document does not.
# Output seen:
#     'Seven\\s*\\.\\s*Eight'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-text-splitters==1.1.3 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_text_splitters import CharacterTextSplitter

splitter = CharacterTextSplitter(separator=r"\s*\.\s*", is_separator_regex=True, chunk_size=20, chunk_overlap=0)
chunks = splitter.split_text("Seven . Eight")
print(*map(repr, chunks))
assert chunks == [r"Seven\s*\.\s*Eight"]
EOF
