#!/bin/sh
# Elasticsearch 9.5.3. A list of 128 to 4096 fractions in a field without a mapping (a spectrum in the metadata of a
# document, for example) makes the field a `dense_vector`. Then the list is absent from the source that a search
# returns; it is returned on request, with numbers that differ from what was sent; and a document whose list has another
# length is refused. Lists of 127 fractions make it a `float`, and lists of whole numbers a `long`.
# Output seen:
#     127 fractions: float
#     128 fractions: dense_vector
#     128 whole numbers: long
#     source: {'metadata': {}}
#     on request, changed numbers: 20 of 128, for example 52.500004 for 52.5
#     a list of 3 fractions: 400
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

lists = {"127 fractions": [i + 0.5 for i in range(127)], "128 fractions": [i + 0.5 for i in range(128)]}
lists["128 whole numbers"] = list(range(128))
types = {}
with elasticsearch() as core:
    for number, (name, values) in enumerate(lists.items()):
        core.create(f"notes{number}", {}, [{"metadata": {"spectrum": values}}])
        mapping = core.send("GET", f"/notes{number}/_mapping")[1][f"notes{number}"]["mappings"]["properties"]
        types[name] = mapping["metadata"]["properties"]["spectrum"]["type"]
        print(f"{name}: {types[name]}")
    source = core.send("POST", "/notes1/_search", {})[1]["hits"]["hits"][0]["_source"]
    print("source:", source)
    whole = core.send("POST", "/notes1/_search", {"_source": {"exclude_vectors": False}})[1]["hits"]["hits"][0][
        "_source"
    ]
    pairs = list(zip(lists["128 fractions"], whole["metadata"]["spectrum"], strict=True))
    changed = [(sent, got) for sent, got in pairs if sent != got]
    print(f"on request, changed numbers: {len(changed)} of 128, for example {changed[0][1]} for {changed[0][0]}")
    status, _ = core.send("PUT", "/notes1/_doc/other", {"metadata": {"spectrum": [0.5, 1.5, 2.5]}})
    print("a list of 3 fractions:", status)
assert list(types.values()) == ["float", "dense_vector", "long"]
assert source == {"metadata": {}} and changed and status == 400
EOF
