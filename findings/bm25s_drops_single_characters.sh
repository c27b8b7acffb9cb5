#!/bin/sh
# bm25s 0.3.16. The default of `tokenize` drops each word of one character, in texts and in queries: "vitamin C" and
# "vitamin K" are one query, and "C" is a query without words.
# Output seen:
#     vitamin C: ['vitamin']
#     vitamin K: ['vitamin']
#     C: []
#     Windows 7: ['windows']
#     Windows 10: ['windows', '10']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet bm25s==0.3.16 || exit 2
"$folder/bin/python" - <<'EOF'
import bm25s

seen = {
    text: bm25s.tokenize([text], return_ids=False, show_progress=False)[0]
    for text in ("vitamin C", "vitamin K", "C", "Windows 7", "Windows 10")
}
for text, words in seen.items():
    print(f"{text}: {[word for word in words if word]}")
assert {text: [word for word in words if word] for text, words in seen.items()} == {
    "vitamin C": ["vitamin"],
    "vitamin K": ["vitamin"],
    "C": [],
    "Windows 7": ["windows"],
    "Windows 10": ["windows", "10"],
}
EOF
