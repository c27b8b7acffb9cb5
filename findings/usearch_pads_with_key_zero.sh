#!/bin/sh
# usearch 2.26.6. A search with several queries for more results than the index holds fills `keys` with 0, which may be
# the key of an entry, and `distances` with NaN; `counts` tells how many are results. A search with one query returns
# fewer.
# Output seen:
#     one query: keys [0, 1]
#     two queries: keys [[0, 1, 0], [1, 0, 0]], counts [2, 2]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet usearch==2.26.6 numpy==2.4.6 || exit 2
"$folder/bin/python" - <<'EOF'
import numpy as np
from usearch.index import Index

index = Index(ndim=2, metric="cos")
vectors = np.eye(2, dtype=np.float32)
index.add(np.array([0, 1]), vectors)
one, two = index.search(vectors[0], 3), index.search(vectors, 3)
print(f"one query: keys {one.keys.tolist()}")
print(f"two queries: keys {two.keys.tolist()}, counts {two.counts.tolist()}")
assert one.keys.tolist() == [0, 1]
assert two.keys.tolist() == [[0, 1, 0], [1, 0, 0]] and two.counts.tolist() == [2, 2]
assert np.isnan(two.distances[:, 2]).all()
EOF
