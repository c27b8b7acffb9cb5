#!/bin/sh
# sqlite-vec 0.1.9, with the SQLite of apsw 3.54.1.0. `vec_quantize_binary` and `vec_to_json` take the last bit of a
# byte for the first number of a vector; `vec_each`, and numpy.packbits, with which sentence-transformers and
# embedding services pack binary vectors, take the first bit for it. All are accepted as bit vectors; the
# documentation does not mention an order, only the results of its examples show both. A query packed by numpy is
# farther from its own vector than from the opposite one.
# Output seen:
#     packed by numpy: distance 8 from itself, 0 from the opposite
#     packed by numpy with bitorder="little": distance 0 from itself, 8 from the opposite
#     the byte F0: vec_to_json [0,0,0,0,1,1,1,1], vec_each [1,1,1,1,0,0,0,0]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet sqlite-vec==0.1.9 apsw==3.54.1.0 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
import apsw
import numpy as np
import sqlite_vec

database = apsw.Connection(":memory:")
database.enable_load_extension(True)
database.load_extension(sqlite_vec.loadable_path())
vector = np.array([1, 1, 1, 1, -1, -1, -1, -1], dtype=np.float32)
distance = "SELECT vec_distance_hamming(vec_bit(?), vec_quantize_binary(?))"
seen = []
for name, order in (("packed by numpy", "big"), ('packed by numpy with bitorder="little"', "little")):
    query = np.packbits(vector > 0, bitorder=order).tobytes()
    seen.append([database.execute(distance, (query, other.tobytes())).get for other in (vector, -vector)])
    print(f"{name}: distance {seen[-1][0]:g} from itself, {seen[-1][1]:g} from the opposite")
as_json = database.execute("SELECT vec_to_json(vec_bit(X'F0'))").get
each = "[" + ",".join(f"{bit}" for (bit,) in database.execute("SELECT value FROM vec_each(vec_bit(X'F0'))")) + "]"
print(f"the byte F0: vec_to_json {as_json}, vec_each {each}")
assert seen == [[8, 0], [0, 8]], seen
assert (as_json, each) == ("[0,0,0,0,1,1,1,1]", "[1,1,1,1,0,0,0,0]"), (as_json, each)
EOF
