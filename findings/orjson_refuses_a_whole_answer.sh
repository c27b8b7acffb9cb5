#!/bin/sh
# elasticsearch-py 9.5.1 with orjson 3.13.0, on Elasticsearch 9.5.3. Elasticsearch returns half of a surrogate pair as
# the escape that it was sent as. One such document makes every search that finds it fail with OrjsonSerializer, also
# for the other hits.
# Output seen:
#     JsonSerializer: 3 hits
#     OrjsonSerializer: SerializationError
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet elasticsearch==9.5.1 elastic-transport==9.4.2 orjson==3.13.0 || exit 2
PYTHONPATH="$here:$here/../tests" "$folder/bin/python" - <<'EOF'
from elastic_transport import JsonSerializer, OrjsonSerializer, SerializationError
from elasticsearch import Elasticsearch
from real_core import elasticsearch

seen = {}
with elasticsearch() as core:
    core.create("notes", {}, [{"text": "one"}, {"text": "cut \ud83d"}, {"text": "three"}])
    for kind in (JsonSerializer, OrjsonSerializer):
        with Elasticsearch(core.url, serializer=kind()) as client:
            try:
                seen[kind.__name__] = f"{len(client.search(index='notes')['hits']['hits'])} hits"
            except SerializationError as error:
                seen[kind.__name__] = type(error).__name__
for name, result in seen.items():
    print(f"{name}: {result}")
assert seen == {"JsonSerializer": "3 hits", "OrjsonSerializer": "SerializationError"}
EOF
