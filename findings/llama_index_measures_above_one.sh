#!/bin/sh
# llama-index-core 0.14.25. The measures of retrieval count an id that was retrieved twice as two hits, so that average
# precision and nDCG exceed 1, their greatest value. Ids repeat where they are those of documents with several passages, or
# where a retriever merges lists.
# Output seen:
#     ap: 1.375
#     ndcg: 1.264
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.evaluation.retrieval.metrics import NDCG, AveragePrecision

seen = {
    metric.metric_name: metric().compute(expected_ids=["a", "b"], retrieved_ids=["a", "a", "c", "b"]).score
    for metric in (AveragePrecision, NDCG)
}
for name, score in seen.items():
    print(f"{name}: {score:.3f}")
assert seen["ap"] == 1.375
assert seen["ndcg"] > 1.2
EOF
