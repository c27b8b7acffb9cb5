#!/bin/sh
# langchain-text-splitters 1.1.3. MarkdownHeaderTextSplitter removes the indentation of every line, in fenced code too: nested
# lists become flat, and Python code loses its blocks. It does so with `strip_headers=False` as well.
# Output seen:
#     '# Steps\n- first\n- part of first\n```\nif late:\nhurry()\n```'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-text-splitters==1.1.3 || exit 2
"$folder/bin/python" - <<'EOF'
from langchain_text_splitters import MarkdownHeaderTextSplitter

splitter = MarkdownHeaderTextSplitter([("#", "title")], strip_headers=False)
(section,) = splitter.split_text("# Steps\n- first\n    - part of first\n```\nif late:\n    hurry()\n```")
print(repr(section.page_content))
assert section.page_content == "# Steps\n- first\n- part of first\n```\nif late:\nhurry()\n```"
EOF
