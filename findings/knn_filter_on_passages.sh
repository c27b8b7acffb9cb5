#!/bin/sh
# Elasticsearch 9.5.3. Filters of a `knn` search on a vector within `nested` passages: A query on a field of the
# passages matches nothing in a search, unless it is in a query `nested`; as the filter of `knn` it applies to the
# passages, and the passage found is one that matches. In a query `nested` it applies to the documents: the best passage
# of a document need not match, and `inner_hits` of the document is empty. A list of a passage's condition and a
# document's condition works; one `bool` with the same two in `must` returns nothing.
# Output seen (documents with the numbers of their inner hits):
#     search: []
#     plain filter: [('B', [1]), ('A', [1])]
#     nested filter: [('A', []), ('B', [])]
#     list of two: [('B', [1])]
#     bool of two: []
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here:$here/../tests" python3 - <<'EOF'
from real_core import elasticsearch

passages = {
    "type": "nested",
    "properties": {
        "v": {"type": "dense_vector", "dims": 2, "index_options": {"type": "hnsw"}},
        "topic": {"type": "keyword"},
    },
}
words = {"term": {"passages.topic": "words"}}
language = {"term": {"language": "fr"}}
filters = {
    "plain filter": words,
    "nested filter": {"nested": {"path": "passages", "query": words}},
    "list of two": [words, language],
    "bool of two": {"bool": {"must": [words, language]}},
}
documents = [
    {"name": "A", "language": "en", "passages": [{"v": [1, 0], "topic": "music"}, {"v": [0, 1], "topic": "words"}]},
    {
        "name": "B",
        "language": "fr",
        "passages": [{"v": [0.9, 0.1], "topic": "music"}, {"v": [0.8, 0.2], "topic": "words"}],
    },
]
seen = {}
with elasticsearch() as core:
    core.create("notes", {"passages": passages, "language": {"type": "keyword"}}, documents)
    seen["search"] = core.ids("notes", {"query": words})
    for name, condition in filters.items():
        knn = {"field": "passages.v", "query_vector": [1, 0], "k": 4, "num_candidates": 4, "filter": condition}
        status, answer = core.send("POST", "/notes/_search", {"knn": {**knn, "inner_hits": {}}})
        assert status == 200, answer
        seen[name] = [
            (
                hit["_source"]["name"],
                [inner["_nested"]["offset"] for inner in hit["inner_hits"]["passages"]["hits"]["hits"]],
            )
            for hit in answer["hits"]["hits"]
        ]
for name, found in seen.items():
    print(f"{name}: {found}")
assert list(seen.values()) == [[], [("B", [1]), ("A", [1])], [("A", []), ("B", [])], [("B", [1])], []]
EOF
