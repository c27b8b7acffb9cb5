#!/bin/sh
# llama-index-readers-file 0.7.0, llama-index-core 0.14.25, pandas 2.3.3. SimpleDirectoryReader, by PandasCSVReader, writes
# other numbers than the file has: an integer becomes a fraction if another column has one, long numbers lose their last
# digits, leading zeros are gone, and NA, None and null become nan. The names of the columns are not in the text.
# Output seen:
#     article,postcode,price,note   ->
#     9007199254740993,01069,1.5,NA -> 9007199254740992.0, 1069.0, 1.5, nan
#     12,00501,2,None               -> 12.0, 501.0, 2.0, nan
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-readers-file==0.7.0 llama-index-core==0.14.25 pandas==2.3.3 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import pathlib
import sys

from llama_index.core import SimpleDirectoryReader

lines = ["article,postcode,price,note", "9007199254740993,01069,1.5,NA", "12,00501,2,None"]
path = pathlib.Path(sys.argv[1], "articles.csv")
path.write_text("\n".join(lines) + "\n")
(document,) = SimpleDirectoryReader(input_files=[path]).load_data()
for line, text in zip(lines, ["", *document.text.split("\n")], strict=True):
    print(f"{line:<29} -> {text}".rstrip())
assert document.text == "9007199254740992.0, 1069.0, 1.5, nan\n12.0, 501.0, 2.0, nan"
EOF
