#!/bin/sh
# ir_measures 0.4.3. Measures of one call rank tied results in different ways: in the same run the relevant document is
# first for RR@10 and last for P@1, nDCG@10 and RR.
# Output seen:
#     RR@10: 1.0
#     RR: 0.3333
#     nDCG@10: 0.5
#     P@1: 0.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet ir_measures==0.4.3 pytrec-eval-terrier==0.5.11 || exit 2
"$folder/bin/python" - <<'EOF'
import ir_measures
from ir_measures import RR, P, nDCG

measures = [RR @ 10, RR, nDCG @ 10, P @ 1]
seen = ir_measures.calc_aggregate(measures, {"query": {"a": 1}}, {"query": {"a": 1.0, "b": 1.0, "c": 1.0}})
for measure in measures:
    print(f"{measure}: {round(seen[measure], 4)}")
assert [round(seen[measure], 4) for measure in measures] == [1.0, 0.3333, 0.5, 0.0]
EOF
