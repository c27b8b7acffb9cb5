#!/bin/sh
# pandas 3.1.1 with pyarrow 26.0.1. A DataFrame with a column of fixed-size lists (ArrowDtype) is written by `to_parquet`, and
# `read_parquet` of the file raises. It works with dtype_backend="pyarrow", and without the metadata that pandas has written.
# Output seen:
#     default: NotImplementedError
#     dtype_backend="pyarrow": 1 row
#     without metadata: 1 row
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pandas==3.1.1 pyarrow==26.0.1 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

path, plain = f"{sys.argv[1]}/vectors.parquet", f"{sys.argv[1]}/plain.parquet"
vectors = pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))
pd.DataFrame({"vector": pd.Series(vectors, dtype=pd.ArrowDtype(vectors.type))}).to_parquet(path)
pq.write_table(pq.read_table(path).replace_schema_metadata(None), plain)
seen = []
for name, file, options in (
    ("default", path, {}),
    ('dtype_backend="pyarrow"', path, {"dtype_backend": "pyarrow"}),
    ("without metadata", plain, {}),
):
    try:
        seen.append(f"{name}: {len(pd.read_parquet(file, **options))} row")
    except NotImplementedError as error:
        seen.append(f"{name}: {type(error).__name__}")
print(*seen, sep="\n")
assert seen == ["default: NotImplementedError", 'dtype_backend="pyarrow": 1 row', "without metadata: 1 row"]
EOF
