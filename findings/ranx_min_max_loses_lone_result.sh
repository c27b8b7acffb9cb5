#!/bin/sh
# ranx 0.3.21. fuse with norm="min-max" gives 0 to the result of a run that has one result for a query, however high its
# score, and so to the best match of a search that found one document. With norm="max" it has 1.
# Output seen:
#     min-max: {'b': 1.0, 'a': 0.0, 'c': 0.0}
#     max: {'a': 1.0, 'b': 1.0, 'c': 0.5}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet ranx==0.3.21 || exit 2
"$folder/bin/python" - <<'EOF'
from ranx import Run, fuse

seen = {}
for norm in ("min-max", "max"):
    runs = [Run({"query": {"a": 0.9}}), Run({"query": {"b": 0.4, "c": 0.2}})]
    scores = fuse(runs, norm=norm, method="sum").to_dict()["query"]
    seen[norm] = {name: float(score) for name, score in scores.items()}
    print(f"{norm}: {seen[norm]}")
assert seen == {"min-max": {"a": 0.0, "b": 1.0, "c": 0.0}, "max": {"a": 1.0, "b": 1.0, "c": 0.5}}
EOF
