#!/bin/sh
# sqlite-vec 0.1.9, with the SQLite of apsw 3.54.1.0. In a search of the k nearest rows of a vec0 table, conditions
# such as `n > 2` and `kind != 'draft'` choose among all rows, as documented for metadata columns and for lists of
# ids. `NOT kind = 'draft'`, which means the same, comparisons of the id, and a list of ids with one member are
# applied to the k nearest rows, so that few or none are left. For operators that metadata columns do not support, the
# documentation warns of errors or wrong results; it does not mention the id.
# Output seen:
#     n > 2: [3, 4]
#     id > 2: []
#     id = 4: []
#     id IN (3, 4): [3, 4]
#     id IN (4): []
#     kind != 'draft': [3, 4]
#     NOT kind = 'draft': []
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet sqlite-vec==0.1.9 apsw==3.54.1.0 || exit 2
"$folder/bin/python" - <<'EOF'
import apsw
import sqlite_vec

database = apsw.Connection(":memory:")
database.enable_load_extension(True)
database.load_extension(sqlite_vec.loadable_path())
database.execute("CREATE VIRTUAL TABLE t USING vec0(id INTEGER PRIMARY KEY, v FLOAT[2], kind TEXT, n INTEGER)")
for number in range(1, 5):
    kind = "draft" if number < 3 else "final"
    database.execute("INSERT INTO t VALUES (?, ?, ?, ?)", (number, f"[1, {number}]", kind, number))
seen = {}
for condition in ("n > 2", "id > 2", "id = 4", "id IN (3, 4)", "id IN (4)", "kind != 'draft'", "NOT kind = 'draft'"):
    rows = database.execute(f"SELECT id FROM t WHERE v MATCH '[1, 1]' AND k = 2 AND {condition} ORDER BY distance")
    seen[condition] = [number for (number,) in rows]
    print(f"{condition}: {seen[condition]}")
assert [*seen.values()] == [[3, 4], [], [], [3, 4], [], [3, 4], []], seen
EOF
