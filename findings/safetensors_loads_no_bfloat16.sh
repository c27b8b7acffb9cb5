#!/bin/sh
# safetensors 0.8.0 with numpy 2.4.6 and ml_dtypes 0.6.0. safetensors.numpy.save writes arrays of bfloat16 and float8,
# and safetensors.numpy.load raises a KeyError for what it wrote.
# Output seen:
#     float16: loaded [1.5, 2.0]
#     bfloat16: KeyError 'BF16'
#     float8_e4m3fn: KeyError 'F8_E4M3'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6 ml_dtypes==0.6.0 || exit 2
"$folder/bin/python" - <<'EOF'
import ml_dtypes
import numpy as np
from safetensors.numpy import load, save

seen = {}
for kind in (np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
    written = save({"vector": np.array([1.5, 2.0], kind)})
    try:
        seen[kind.__name__] = f"loaded {load(written)['vector'].tolist()}"
    except KeyError as error:
        seen[kind.__name__] = f"KeyError {error}"
    print(f"{kind.__name__}: {seen[kind.__name__]}")
assert seen == {
    "float16": "loaded [1.5, 2.0]",
    "bfloat16": "KeyError 'BF16'",
    "float8_e4m3fn": "KeyError 'F8_E4M3'",
}
EOF
