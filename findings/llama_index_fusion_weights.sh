#!/bin/sh
# llama-index-core 0.14.25. QueryFusionRetriever accepts `retriever_weights` with each mode, and does not use them with
# the mode `reciprocal_rerank`. With `relative_score` it does.
# Output seen:
#     reciprocal_rerank: {'a': 0.0167, 'b': 0.0167}
#     relative_score: {'b': 1.0, 'a': 0.0}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import BaseRetriever, QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, TextNode


class One(BaseRetriever):
    def __init__(self, name):
        self._name = name
        super().__init__()

    def _retrieve(self, query_bundle):
        return [NodeWithScore(node=TextNode(id_=self._name, text=self._name), score=0.5)]


seen = {}
for mode in ("reciprocal_rerank", "relative_score"):
    fusion = QueryFusionRetriever(
        [One("a"), One("b")],
        llm=MockLLM(),
        mode=mode,
        retriever_weights=[0.0, 1.0],
        num_queries=1,
        similarity_top_k=2,
        use_async=False,
    )
    seen[mode] = {result.node_id: round(result.score, 4) for result in fusion.retrieve("query")}
    print(f"{mode}: {seen[mode]}")
assert seen == {"reciprocal_rerank": {"a": 0.0167, "b": 0.0167}, "relative_score": {"b": 1.0, "a": 0.0}}
EOF
