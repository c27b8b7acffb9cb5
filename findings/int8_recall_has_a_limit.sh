#!/bin/sh
# Elasticsearch 9.5.3. With the index type `int8_hnsw`, `num_candidates` above some value does not raise the recall, not
# even when it is the number of documents: the candidates are ranked by the quantized vectors. `rescore_vector` raises
# it. Recall of the 10 nearest of 3000 vectors that are similar to each other, 20 queries.
# Output seen (differs by some hundredths from run to run):
#     num_candidates 10: 0.73
#     num_candidates 100: 0.95
#     num_candidates 3000: 0.95
#     num_candidates 3000, oversample 5: 1.00
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
import random

from real_core import elasticsearch

DIMENSIONS, SIZE, QUERIES = 32, 3000, 20
rng = random.Random(3)


def vector():
    values = [rng.gauss(0, 1) for _ in range(DIMENSIONS)]
    values[0] += 12
    length = sum(value * value for value in values) ** 0.5
    return [round(value / length, 6) for value in values]


def nearest(query):
    scores = [sum(a * b for a, b in zip(query, other, strict=True)) for other in vectors]
    return {str(i) for i in sorted(range(SIZE), key=lambda i: -scores[i])[:10]}


vectors = [vector() for _ in range(SIZE)]
queries = [(query, nearest(query)) for query in (vector() for _ in range(QUERIES))]
recalls = []
with elasticsearch() as core:
    field = {"type": "dense_vector", "dims": DIMENSIONS, "similarity": "cosine", "index_options": {"type": "int8_hnsw"}}
    core.create("notes", {"v": field}, [{"v": values} for values in vectors])
    core.send("POST", "/notes/_forcemerge?max_num_segments=1")
    for candidates, oversample in ((10, None), (100, None), (3000, None), (3000, 5)):
        rescore = {"rescore_vector": {"oversample": oversample}} if oversample else {}
        hits = 0
        for query, expected in queries:
            knn = {"field": "v", "query_vector": query, "k": 10, "num_candidates": candidates, **rescore}
            hits += len(expected & set(core.ids("notes", {"knn": knn})))
        recalls.append(hits / (10 * QUERIES))
        print(f"num_candidates {candidates}{', oversample 5' if oversample else ''}: {recalls[-1]:.2f}")
assert recalls[0] < recalls[1] < 0.98 and abs(recalls[2] - recalls[1]) <= 0.01 and recalls[3] > 0.99
EOF
