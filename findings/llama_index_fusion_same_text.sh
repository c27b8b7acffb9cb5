#!/bin/sh
# llama-index-core 0.14.25. QueryFusionRetriever takes nodes with equal text and metadata for one node, also when their
# ids differ, and returns one of them; the plain retriever returns both. Which of the two is returned depends on the
# mode.
# Output seen:
#     without fusion: ['a', 'b']
#     simple: ['a']
#     reciprocal_rerank: ['b']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import BaseRetriever, QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, TextNode


class Two(BaseRetriever):
    def _retrieve(self, query_bundle):
        return [
            NodeWithScore(node=TextNode(id_=name, text="equal"), score=score)
            for name, score in (("a", 0.9), ("b", 0.5))
        ]


seen = {"without fusion": [result.node_id for result in Two().retrieve("query")]}
for mode in ("simple", "reciprocal_rerank"):
    fusion = QueryFusionRetriever([Two()], llm=MockLLM(), mode=mode, num_queries=1, similarity_top_k=5, use_async=False)
    seen[mode] = [result.node_id for result in fusion.retrieve("query")]
for name, ids in seen.items():
    print(f"{name}: {ids}")
assert seen == {"without fusion": ["a", "b"], "simple": ["a"], "reciprocal_rerank": ["b"]}
EOF
