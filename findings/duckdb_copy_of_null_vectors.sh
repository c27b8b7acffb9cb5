#!/bin/sh
# DuckDB 2.0.1 with pyarrow 26.0.1. COPY of a column FLOAT[2] with a null row writes a Parquet file that pyarrow, and so pandas,
# cannot read. DuckDB reads it, and pyarrow reads it if the column was cast to FLOAT[].
# Output seen:
#     FLOAT[2]: duckdb reads [[1.0, 2.0], None, [3.0, 4.0]], pyarrow: ArrowInvalid
#     FLOAT[]: duckdb reads [[1.0, 2.0], None, [3.0, 4.0]], pyarrow: 3 rows
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet duckdb==2.0.1 pyarrow==26.0.1 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

vectors = pa.table({"vector": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))})
seen = {}
for kind in ("FLOAT[2]", "FLOAT[]"):
    path = f"{sys.argv[1]}/vectors.parquet"
    duckdb.sql(f"COPY (SELECT vector::{kind} AS vector FROM vectors) TO '{path}' (FORMAT parquet)")
    rows = [row[0] for row in duckdb.sql(f"SELECT vector FROM '{path}'").fetchall()]
    try:
        seen[kind] = f"{pq.read_table(path).num_rows} rows"
    except pa.ArrowInvalid as error:
        seen[kind] = type(error).__name__
    print(f"{kind}: duckdb reads {rows}, pyarrow: {seen[kind]}")
assert seen == {"FLOAT[2]": "ArrowInvalid", "FLOAT[]": "3 rows"}
EOF
