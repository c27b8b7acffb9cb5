#!/bin/sh
# pyarrow 26.0.1. A list type read from a Parquet file equals the type that was written and has another hash: the name of its
# items differs, which `==` ignores and `hash` does not. A set or dictionary of types or schemas holds both.
# Output seen:
#     equal: True, equal hashes: False, types in the set: 2
#     written fixed_size_list<item: float>[2], read fixed_size_list<element: float>[2]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pyarrow==26.0.1 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

path = f"{sys.argv[1]}/vectors.parquet"
written = pa.list_(pa.float32(), 2)
pq.write_table(pa.table({"vector": pa.array([[1.0, 2.0]], written)}), path)
read = pq.read_schema(path).field("vector").type
same_hash = hash(written) == hash(read)
print(f"equal: {written == read}, equal hashes: {same_hash}, types in the set: {len({written, read})}")
print(f"written {written}, read {read}")
assert written == read
assert not same_hash
assert len({written, read}) == 2
EOF
