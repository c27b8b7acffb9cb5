#!/bin/sh
# polars 2.1.0. The type of a column of lists is that of the first list: after a list of integers, the fractions of later
# lists are cut off without an error. The same numbers in another order, or beside each other in one list, keep their
# fractions or raise.
# Output seen:
#     [[1, 0], [0.6, 0.8]]: [[1, 0], [0, 0]]
#     [[0.6, 0.8], [1, 0]]: [[0.6, 0.8], [1.0, 0.0]]
#     [1, 0.6]: TypeError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet polars==2.1.0 || exit 2
"$folder/bin/python" - <<'EOF'
import polars as pl

seen = []
for values in ([[1, 0], [0.6, 0.8]], [[0.6, 0.8], [1, 0]], [1, 0.6]):
    try:
        seen.append(f"{values}: {pl.Series(values).to_list()}")
    except TypeError as error:
        seen.append(f"{values}: {type(error).__name__}")
print(*seen, sep="\n")
assert seen == [
    "[[1, 0], [0.6, 0.8]]: [[1, 0], [0, 0]]",
    "[[0.6, 0.8], [1, 0]]: [[0.6, 0.8], [1.0, 0.0]]",
    "[1, 0.6]: TypeError",
]
EOF
