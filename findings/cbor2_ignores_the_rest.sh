#!/bin/sh
# cbor2 6.3.0. `loads` decodes the first value of the bytes and ignores all that follows, where json and msgpack
# raise. Two answers that were joined by mistake are one.
# Output seen:
#     cbor2: [1]
#     json: JSONDecodeError
#     msgpack: ExtraData
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet cbor2==6.3.0 msgpack==1.1.2 || exit 2
"$folder/bin/python" - <<'EOF'
import json

import cbor2
import msgpack

seen = []
for name, twice, loads in (
    ("cbor2", cbor2.dumps([1]) + cbor2.dumps([2]), cbor2.loads),
    ("json", b"[1][2]", json.loads),
    ("msgpack", msgpack.packb([1]) + msgpack.packb([2]), msgpack.unpackb),
):
    try:
        seen.append(f"{name}: {loads(twice)}")
    except ValueError as error:
        seen.append(f"{name}: {type(error).__name__}")
print(*seen, sep="\n")
assert seen == ["cbor2: [1]", "json: JSONDecodeError", "msgpack: ExtraData"]
EOF
