#!/bin/sh
# milvus-lite 3.2.2, pymilvus 3.0.2. `upsert` of a row without a field that the stored row has keeps the old value of
# the field. The documentation of Milvus says that a row replaces the stored one with all its fields, unless
# `partial_update=True` is passed. `insert` with the same id replaces the row.
# Output seen (stored: {'id': 1, 'state': 'draft'}, then a row without a state):
#     upsert: state draft
#     upsert, partial_update=False: state draft
#     insert: state None
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet milvus-lite==3.2.2 pymilvus==3.0.2 || exit 2
"$folder/bin/python" -W ignore - "$folder" <<'EOF'
import sys

from pymilvus import MilvusClient

client = MilvusClient(f"{sys.argv[1]}/rows.db")
seen = {}
for name, write in (
    ("upsert", client.upsert),
    ("upsert, partial_update=False", lambda *row: client.upsert(*row, partial_update=False)),
    ("insert", client.insert),
):
    client.create_collection("rows", dimension=2)
    client.insert("rows", [{"id": 1, "vector": [1.0, 0.0], "state": "draft"}])
    write("rows", [{"id": 1, "vector": [0.0, 1.0]}])
    (row,) = client.query("rows", filter="id == 1", output_fields=["*"])
    assert [*row["vector"]] == [0, 1]
    seen[name] = row.get("state")
    print(f"{name}: state {seen[name]}")
    client.drop_collection("rows")
assert [*seen.values()] == ["draft", "draft", None], seen
EOF
