#!/bin/sh
# datasets 5.2.0 with pyarrow 26.0.1. `pyarrow.parquet.write_table` writes a table without rows as a file with one empty row
# group. datasets cannot load a set of files in which one begins so; pyarrow and pandas can. A ParquetWriter that is closed
# without a table writes a file without row groups, which datasets loads.
# Output seen:
#     write_table: 1 row group, pyarrow reads 1 row, datasets: ArrowInvalid BatchSize must be greater than 0, got 0
#     ParquetWriter: 0 row groups, pyarrow reads 1 row, datasets: 1 row
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env" || exit 2
"$folder/env/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1 || exit 2
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 "$folder/env/bin/python" - "$folder" <<'EOF'
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import load_dataset

rows = pa.table({"id": pa.array(["a"], pa.string())})
empty = rows.slice(0, 0)


def load(name: str) -> str:
    folder = Path(sys.argv[1], name)
    files = [str(folder / "0.parquet"), str(folder / "1.parquet")]
    groups = pq.read_metadata(files[1]).num_row_groups
    plural = "" if groups == 1 else "s"
    try:
        loaded = f"{len(list(load_dataset('parquet', data_files=files, split='train', streaming=True)))} row"
    except pa.ArrowInvalid as error:
        loaded = f"{type(error).__name__} {error}"
    return f"{name}: {groups} row group{plural}, pyarrow reads {pq.read_table(folder).num_rows} row, datasets: {loaded}"


for name in ("write_table", "ParquetWriter"):
    Path(sys.argv[1], name).mkdir()
    pq.write_table(rows, Path(sys.argv[1], name, "0.parquet"))
pq.write_table(empty, Path(sys.argv[1], "write_table", "1.parquet"))
with pq.ParquetWriter(Path(sys.argv[1], "ParquetWriter", "1.parquet"), empty.schema):
    pass
seen = [load("write_table"), load("ParquetWriter")]
print(*seen, sep="\n")
assert seen == [
    "write_table: 1 row group, pyarrow reads 1 row, datasets: ArrowInvalid BatchSize must be greater than 0, got 0",
    "ParquetWriter: 0 row groups, pyarrow reads 1 row, datasets: 1 row",
]
EOF
