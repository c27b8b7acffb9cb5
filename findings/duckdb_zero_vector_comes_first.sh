#!/bin/sh
# DuckDB 2.0.1. The cosine similarity to a vector of zeros is NaN, which DuckDB sorts above every number: in a search
# for the most similar, the row with zeros is first. With the distance, ascending, it is last.
# Output seen:
#     similarity, descending: [('zeros', nan), ('equal', 1.0), ('at right angles', 0.0)]
#     distance, ascending: [('equal', 0.0), ('at right angles', 1.0), ('zeros', nan)]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet duckdb==2.0.1 || exit 2
"$folder/bin/python" - <<'EOF'
import duckdb

duckdb.sql("CREATE TABLE notes (name VARCHAR, vector FLOAT[2])")
duckdb.sql("INSERT INTO notes VALUES ('equal', [1, 0]), ('zeros', [0, 0]), ('at right angles', [0, 1])")
orders = {}
for name, function, order in (
    ("similarity, descending", "array_cosine_similarity", "DESC"),
    ("distance, ascending", "array_cosine_distance", "ASC"),
):
    sql = f"SELECT name, {function}(vector, [1, 0]::FLOAT[2]) AS value FROM notes ORDER BY value {order}"
    rows = duckdb.sql(sql).fetchall()
    orders[name] = [row[0] for row in rows]
    print(f"{name}: {rows}")
assert orders["similarity, descending"] == ["zeros", "equal", "at right angles"]
assert orders["distance, ascending"] == ["equal", "at right angles", "zeros"]
EOF
