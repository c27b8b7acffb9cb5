#!/bin/sh
# pytrec-eval-terrier 0.5.11. Scores are compared in single precision: 1000.00001 and 1000 tie, and a tie puts the
# greater document id first. So the result of rank 1 can be measured as rank 2, as for scores with a large common part.
# Output seen:
#     1000.00001 and 1000: reciprocal rank 0.5
#     0.00001 and 0: reciprocal rank 1.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pytrec-eval-terrier==0.5.11 || exit 2
"$folder/bin/python" - <<'EOF'
from pytrec_eval import RelevanceEvaluator

evaluator = RelevanceEvaluator({"query": {"a": 1}}, {"recip_rank"})
seen = []
for first, second in ((1000.00001, 1000.0), (0.00001, 0.0)):
    assert first > second
    seen.append(evaluator.evaluate({"query": {"a": first, "b": second}})["query"]["recip_rank"])
print(f"1000.00001 and 1000: reciprocal rank {seen[0]}")
print(f"0.00001 and 0: reciprocal rank {seen[1]}")
assert seen == [0.5, 1.0]
EOF
