#!/bin/sh
# elasticsearch-py 9.5.1 with orjson 3.13.0, on Elasticsearch 9.5.3. A document with the value NaN is refused with the
# client's default serializer. With OrjsonSerializer it is stored, with null in place of NaN.
# Output seen:
#     JsonSerializer: 400 document_parsing_exception
#     OrjsonSerializer: stored as {'score': None}
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet elasticsearch==9.5.1 elastic-transport==9.4.2 orjson==3.13.0 || exit 2
PYTHONPATH="$here:$here/../tests" "$folder/bin/python" - <<'EOF'
from elastic_transport import JsonSerializer, OrjsonSerializer
from elasticsearch import BadRequestError, Elasticsearch
from real_core import elasticsearch

seen = {}
with elasticsearch() as core:
    for kind in (JsonSerializer, OrjsonSerializer):
        with Elasticsearch(core.url, serializer=kind()) as client:
            try:
                client.index(index="notes", id="1", document={"score": float("nan")})
                seen[kind.__name__] = f"stored as {client.get(index='notes', id='1')['_source']}"
            except BadRequestError as error:
                seen[kind.__name__] = f"{error.status_code} {error.error}"
for name, result in seen.items():
    print(f"{name}: {result}")
assert seen == {
    "JsonSerializer": "400 document_parsing_exception",
    "OrjsonSerializer": "stored as {'score': None}",
}
EOF
