#!/bin/sh
# llama-index-core 0.14.25. DocumentBlock takes bytes that happen to be valid base64 for base64 and decodes them: a text
# file of eight letters comes back as six other bytes. With a space in it, it comes back unchanged.
# Output seen:
#     b'abcdefgh': b'i\xb7\x1dy\xf8!'
#     b'abc defg': b'abc defg'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.llms import DocumentBlock

seen = []
for data in (b"abcdefgh", b"abc defg"):
    block = DocumentBlock(data=data, title="notes.txt", document_mimetype="text/plain")
    seen.append((data, block.resolve_document().read()))
for data, result in seen:
    print(f"{data}: {result}")
assert seen == [(b"abcdefgh", b"i\xb7\x1dy\xf8!"), (b"abc defg", b"abc defg")]
EOF
