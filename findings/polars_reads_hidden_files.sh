#!/bin/sh
# polars 2.1.0. `read_parquet(folder)` reads hidden files too, as those with checksums that Spark writes beside its parts, and
# fails. pyarrow, which pandas uses, skips names that begin with a dot or an underscore. With "folder/*.parquet" polars reads it.
# Output seen:
#     pyarrow: 1 row
#     polars, folder: InvalidOperationError directory contained paths with different file extensions
#     polars, folder/*.parquet: 1 row
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env" || exit 2
"$folder/env/bin/pip" install --quiet polars==2.1.0 pyarrow==26.0.1 || exit 2
"$folder/env/bin/python" - "$folder" <<'EOF'
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

parts = Path(sys.argv[1], "parts")
parts.mkdir()
pl.DataFrame({"id": ["a"]}).write_parquet(parts / "part-00000.snappy.parquet")
(parts / ".part-00000.snappy.parquet.crc").write_bytes(b"crc\0\0\0\2\0\1\2\3\4")  # Spark writes such a file for each part
print(f"pyarrow: {pq.read_table(parts).num_rows} row")
try:
    failure = ""
    pl.read_parquet(parts)
except pl.exceptions.InvalidOperationError as error:
    failure = f"{type(error).__name__} {str(error).partition(':')[0]}"
print(f"polars, folder: {failure or 'read'}")
print(f"polars, folder/*.parquet: {len(pl.read_parquet(parts / '*.parquet'))} row")
assert failure == "InvalidOperationError directory contained paths with different file extensions"
EOF
