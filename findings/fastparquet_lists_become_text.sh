#!/bin/sh
# fastparquet 2026.9.0 with pandas 3.1.1, pyarrow 26.0.1 and polars 2.1.0. A column of lists of numbers is written as JSON
# text. fastparquet reads lists again; pandas with pyarrow reads strings, and polars bytes, without an error.
# Output seen:
#     fastparquet: [[1.0, 2.0]]
#     pandas with pyarrow: ['[1.0,2.0]']
#     polars: [b'[1.0,2.0]']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import sys

import fastparquet
import pandas as pd
import polars as pl

path = f"{sys.argv[1]}/vectors.parquet"
fastparquet.write(path, pd.DataFrame({"vector": [[1.0, 2.0]]}))
seen = [
    f"fastparquet: {fastparquet.ParquetFile(path).to_pandas()['vector'].tolist()}",
    f"pandas with pyarrow: {pd.read_parquet(path, engine='pyarrow')['vector'].tolist()}",
    f"polars: {pl.read_parquet(path)['vector'].to_list()}",
]
print(*seen, sep="\n")
assert seen == ["fastparquet: [[1.0, 2.0]]", "pandas with pyarrow: ['[1.0,2.0]']", "polars: [b'[1.0,2.0]']"]
EOF
