#!/bin/sh
# pandas 3.1.1. `read_json` turns strings of JSON into numbers, so that ids lose their zeros in front, and into dates in
# a column with the name "modified". dtype=False keeps both as they are.
# Output seen:
#     default: {'id': 123, 'modified': Timestamp('2023-11-14 22:13:20'), 'text': 'cat'}
#     dtype=False: {'id': '0123', 'modified': '1700000000', 'text': 'cat'}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pandas==3.1.1 || exit 2
"$folder/bin/python" - <<'EOF'
import io

import pandas as pd

line = '{"id": "0123", "modified": "1700000000", "text": "cat"}'
seen = []
for name, options in (("default", {}), ("dtype=False", {"dtype": False})):
    seen.append(f"{name}: {pd.read_json(io.StringIO(line), lines=True, **options).iloc[0].to_dict()}")
print(*seen, sep="\n")
assert seen == [
    "default: {'id': 123, 'modified': Timestamp('2023-11-14 22:13:20'), 'text': 'cat'}",
    "dtype=False: {'id': '0123', 'modified': '1700000000', 'text': 'cat'}",
]
EOF
