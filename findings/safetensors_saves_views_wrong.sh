#!/bin/sh
# safetensors 0.8.0 with numpy 2.4.6. safetensors.numpy.save takes an array's values in the order in which they lie in
# memory. For a slice, such as vectors cut to fewer dimensions, and for a transpose, load returns the same shape with
# other values; there is no error. numpy.ascontiguousarray before saving avoids it.
# Output seen:
#     first 2 dimensions: saved [[0.0, 1.0], [3.0, 4.0]], loaded [[0.0, 1.0], [2.0, 3.0]]
#     transpose: saved [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], loaded [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
#     copy of the slice: saved [[0.0, 1.0], [3.0, 4.0]], loaded [[0.0, 1.0], [3.0, 4.0]]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
import numpy as np
from safetensors.numpy import load, save

vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
same = {}
for name, array in (
    ("first 2 dimensions", vectors[:, :2]),
    ("transpose", vectors.T),
    ("copy of the slice", np.ascontiguousarray(vectors[:, :2])),
):
    loaded = load(save({"vectors": array}))["vectors"]
    same[name] = np.array_equal(loaded, array)
    print(f"{name}: saved {array.tolist()}, loaded {loaded.tolist()}")
assert same == {"first 2 dimensions": False, "transpose": False, "copy of the slice": True}
EOF
