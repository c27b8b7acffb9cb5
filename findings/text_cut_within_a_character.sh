#!/bin/sh
# Elasticsearch 9.5.3. A text that was cut in the middle of a UTF-16 surrogate pair (an emoji, for example) is accepted
# when the half is written as a JSON escape. If the half is the last character of the text, no word of the text can be
# found. If anything follows the half, every word can be found. In a field of type `keyword` the half is indexed as a
# question mark.
# Output seen:
#     'alpha beta \ud83d': match on alpha finds 0
#     'alpha beta \ud83d.': match on alpha finds 1
#     keyword '\ud83d': term ? finds 1
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

HALF = "\ud83d"
texts = [f"alpha beta {HALF}", f"alpha beta {HALF}."]
counts = []
with elasticsearch() as core:
    for number, text in enumerate(texts):
        core.create(f"notes{number}", {"text": {"type": "text"}}, [{"text": text}])
        counts.append(len(core.ids(f"notes{number}", {"query": {"match": {"text": "alpha"}}})))
        print(f"{text!r}: match on alpha finds {counts[-1]}")
    core.create("tags", {"tag": {"type": "keyword"}}, [{"tag": HALF}])
    counts.append(len(core.ids("tags", {"query": {"term": {"tag": "?"}}})))
    print(f"keyword {HALF!r}: term ? finds {counts[-1]}")
assert counts == [0, 1, 1]
EOF
