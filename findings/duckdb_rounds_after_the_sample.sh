#!/bin/sh
# DuckDB 2.0.1, daft 0.7.26. The type of a column of a CSV or JSON file is that of its first rows. Where these are
# integers, DuckDB rounds the fractions of rows after the first 20,480 (`sample_size`), and Daft cuts them off in a
# JSON file of 2 MB. Neither raises an error.
# Output seen (a file of 300,000 times 1, then 0.6):
#     DuckDB, CSV: 1
#     DuckDB, JSON: 1
#     DuckDB, JSON, sample_size=-1: 0.6
#     Daft, JSON: 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet duckdb==2.0.1 daft==0.7.26 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import os
import sys

import daft
import duckdb

os.chdir(sys.argv[1])
numbers = [1] * 300_000 + [0.6]
with open("numbers.csv", "w") as file:
    file.write("number\n" + "".join(f"{number}\n" for number in numbers))
with open("numbers.jsonl", "w") as file:
    file.writelines(f'{{"number": {number}}}\n' for number in numbers)
seen = {}
for name, function in (
    ("CSV", "read_csv('numbers.csv')"),
    ("JSON", "read_json('numbers.jsonl')"),
    ("JSON, sample_size=-1", "read_json('numbers.jsonl', sample_size=-1)"),
):
    seen[f"DuckDB, {name}"] = duckdb.sql(f"SELECT number FROM {function}").fetchall()[-1][0]
seen["Daft, JSON"] = daft.read_json("numbers.jsonl").to_pydict()["number"][-1]
print(*(f"{name}: {number}" for name, number in seen.items()), sep="\n")
assert [*seen.values()] == [1, 1, 0.6, 0], seen
EOF
