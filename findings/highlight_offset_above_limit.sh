#!/bin/sh
# Elasticsearch 9.5.3. `max_analyzed_offset` of a highlight protects from texts longer than the setting
# `index.highlight.max_analyzed_offset`. A value equal to the setting works; a value greater by one is not reduced to
# it, but the whole search fails, as without a value. -1 stands for the setting.
# Output seen:
#     20: 200 ['<em>alpha</em> beta gamma delta epsilon zeta']
#     21: 400 search_phase_execution_exception
#     -1: 200 ['<em>alpha</em> beta gamma delta epsilon zeta']
#     none: 400 search_phase_execution_exception
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

seen = {}
with elasticsearch() as core:
    fields = {"text": {"type": "text"}}
    core.create(
        "notes", fields, [{"text": "alpha beta gamma delta epsilon zeta"}], **{"highlight.max_analyzed_offset": 20}
    )
    for offset in (20, 21, -1, None):
        highlight = (
            {"fields": {"text": {}}} if offset is None else {"fields": {"text": {}}, "max_analyzed_offset": offset}
        )
        body = {"query": {"match": {"text": "alpha zeta"}}, "highlight": highlight}
        status, answer = core.send("POST", "/notes/_search", body)
        detail = answer["hits"]["hits"][0]["highlight"]["text"] if status == 200 else answer["error"]["type"]
        print(f"{'none' if offset is None else offset}: {status} {detail}")
        seen[offset] = status
assert seen == {20: 200, 21: 400, -1: 200, None: 400}
EOF
