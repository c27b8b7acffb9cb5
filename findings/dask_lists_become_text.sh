#!/bin/sh
# dask 2026.8.0 with pandas 3.1.1. A column of lists or arrays becomes text in `from_pandas`, `from_dict`, `from_map`
# and `from_delayed`. The text of an array of more than 1,000 numbers has only its first and last three: the vectors
# are lost. The option that turns this off, `dataframe.convert-string`, is documented as one for strings.
# Output seen:
#     a list: '[1.0, 2.0]'
#     an array of 1,024 numbers: '[0. 0. 0. ... 0. 0. 0.]'
#     with dataframe.convert-string off: [1.0, 2.0]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet "dask[dataframe]==2026.8.0" pandas==3.1.1 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

seen = []
for name, vector, convert in (
    ("a list", [1.0, 2.0], None),
    ("an array of 1,024 numbers", np.zeros(1_024), None),
    ("with dataframe.convert-string off", [1.0, 2.0], False),
):
    with dask.config.set({"dataframe.convert-string": convert}):
        frame = dd.from_pandas(pd.DataFrame({"vector": [vector]}), npartitions=1)
        (value,) = frame.compute(scheduler="synchronous")["vector"]
    seen.append(value)
    print(f"{name}: {value!r}")
assert seen == ["[1.0, 2.0]", "[0. 0. 0. ... 0. 0. 0.]", [1.0, 2.0]], seen
EOF
