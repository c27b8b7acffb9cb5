#!/bin/sh
# markitdown 0.1.9, pandas 2.3.3. Cells of an Excel file that hold text are changed: "007" becomes 7.0, and "NA" NaN. A whole
# number becomes a fraction where its column has an empty cell, and empty cells become NaN. PandasExcelReader of LlamaIndex,
# which also lets pandas guess the types, does the same.
# Output seen:
#     in the file: [[1001, '007', 'x'], [1002, 'NA', None], [None, '010', 'y']]
#     | order | code | note |
#     | --- | --- | --- |
#     | 1001.0 | 7.0 | x |
#     | 1002.0 | NaN | NaN |
#     | NaN | 10.0 | y |
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet "markitdown[xlsx]==0.1.9" pandas==2.3.3 openpyxl==3.1.5 || exit 2
"$folder/bin/python" - <<'EOF'
import io

import openpyxl
from markitdown import MarkItDown

rows = [[1001, "007", "x"], [1002, "NA", None], [None, "010", "y"]]
workbook = openpyxl.Workbook()
for row in [["order", "code", "note"], *rows]:
    workbook.active.append(row)
workbook.save(file := io.BytesIO())
stored = openpyxl.load_workbook(file).active.iter_rows(min_row=2, values_only=True)
print(f"in the file: {[list(row) for row in stored]}")
file.seek(0)
lines = MarkItDown().convert_stream(file, file_extension=".xlsx").markdown.strip().split("\n")[1:]
print(*lines, sep="\n")
assert lines[2:] == ["| 1001.0 | 7.0 | x |", "| 1002.0 | NaN | NaN |", "| NaN | 10.0 | y |"]
EOF
