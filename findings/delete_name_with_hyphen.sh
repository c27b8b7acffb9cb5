#!/bin/sh
# Elasticsearch 9.5.3. A hyphen before the name of an index is the syntax of an exclusion. `DELETE /-notes` is
# acknowledged with 200, as is the deletion of an index that does not exist, `DELETE /-missing`; nothing is deleted.
# `DELETE /missing` is refused with 404.
# Output seen:
#     DELETE /-notes: 200 {'acknowledged': True}
#     DELETE /-missing: 200 {'acknowledged': True}
#     DELETE /missing: 404
#     documents in notes: 1
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

with elasticsearch() as core:
    core.create("notes", {}, [{"text": "kept"}])
    excluded = core.send("DELETE", "/-notes")
    excluded_missing = core.send("DELETE", "/-missing")
    missing, _ = core.send("DELETE", "/missing")
    count = core.send("GET", "/notes/_count")[1].get("count")
print("DELETE /-notes:", *excluded)
print("DELETE /-missing:", *excluded_missing)
print("DELETE /missing:", missing)
print("documents in notes:", count)
assert excluded == excluded_missing == (200, {"acknowledged": True})
assert (missing, count) == (404, 1)
EOF
