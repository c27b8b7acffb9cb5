#!/bin/sh
# Elasticsearch 9.5.3. A document with a list of objects, each with 128 fractions, is refused, because the fractions
# become a vector and a document may have one of a field. The field stays mapped as a vector of 128 all the same: from
# then on a document with 12 fractions there, which an index without that attempt takes, is refused too.
# Output seen:
#     two lists of 128: 400, mapped as dense_vector
#     12 fractions: 400
#     12 fractions, other index: 201
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

with elasticsearch() as core:
    two = {"parts": [{"shares": [1.5] * 128}, {"shares": [2.5] * 128}]}
    few = {"parts": [{"shares": [1.5] * 12}]}
    refused, _ = core.send("POST", "/notes/_doc", two)
    status, answer = core.send("GET", "/notes/_mapping")
    assert status == 200, answer
    kind = answer["notes"]["mappings"]["properties"]["parts"]["properties"]["shares"]["type"]
    after, _ = core.send("POST", "/notes/_doc", few)
    other, _ = core.send("POST", "/other/_doc", few)
print(f"two lists of 128: {refused}, mapped as {kind}")
print(f"12 fractions: {after}")
print(f"12 fractions, other index: {other}")
assert (refused, kind, after, other) == (400, "dense_vector", 400, 201)
EOF
