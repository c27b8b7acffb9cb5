#!/bin/sh
# polars 2.1.0, pyarrow 26.0.1. polars does not take a slice of a column of fixed-size lists with a null row in it,
# the type of vectors some of which are missing. It takes the same slice without a null row, and of lists of any
# length; DuckDB and pandas take all of them. `combine_chunks` does not help; `take` makes a copy that polars takes.
# Output seen:
#     [[1, 2], None, [3, 4]]: taken
#     its rows from the second: ComputeError
#     the same rows, copied by take: taken
#     [[1, 2], [5, 6], [3, 4]] from the second: taken
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet polars==2.1.0 pyarrow==26.0.1 || exit 2
"$folder/bin/python" - <<'EOF'
import polars as pl
import pyarrow as pa

vectors = pa.list_(pa.float32(), 2)
whole = pa.table({"vector": pa.array([[1, 2], None, [3, 4]], vectors)})
without_null = pa.table({"vector": pa.array([[1, 2], [5, 6], [3, 4]], vectors)})
seen = []
for name, table in (
    ("[[1, 2], None, [3, 4]]", whole),
    ("its rows from the second", whole.slice(1)),
    ("the same rows, copied by take", whole.take([1, 2])),
    ("[[1, 2], [5, 6], [3, 4]] from the second", without_null.slice(1)),
):
    try:
        assert pl.from_arrow(table)["vector"].to_list() == table["vector"].to_pylist()
        seen.append("taken")
    except pl.exceptions.ComputeError as error:
        seen.append(type(error).__name__)
    print(f"{name}: {seen[-1]}")
assert seen == ["taken", "ComputeError", "taken", "taken"], seen
EOF
