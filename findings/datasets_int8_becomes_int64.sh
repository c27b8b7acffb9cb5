#!/bin/sh
# datasets 5.2.0. with_format("numpy") returns vectors of int8 as int64, eight times the size, and those of float16 as
# float32. `dtype` in with_format keeps them.
# Output seen:
#     int8: stored List(Value('int8')), read as int64, with dtype=int8 as int8
#     float16: stored List(Value('float16')), read as float32, with dtype=float16 as float16
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet datasets==5.2.0 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
import numpy as np
from datasets import Dataset

seen = {}
for kind in (np.int8, np.float16):
    data = Dataset.from_dict({"vector": np.ones((2, 3), kind)})
    plain = data.with_format("numpy")[:]["vector"].dtype.name
    asked = data.with_format("numpy", dtype=kind)[:]["vector"].dtype.name
    seen[kind.__name__] = (plain, asked)
    print(f"{kind.__name__}: stored {data.features['vector']}, read as {plain}, with dtype={kind.__name__} as {asked}")
assert seen == {"int8": ("int64", "int8"), "float16": ("float32", "float16")}
EOF
