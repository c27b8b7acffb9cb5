#!/bin/sh
# llama-index-core 0.14.25. SimilarityPostprocessor without arguments is no pass-through: its cutoff is 0.0, so it
# removes nodes with a negative score (rerankers and dot products have them) and nodes without a score. None is not
# accepted as the cutoff.
# Output seen:
#     kept of -0.5, 0.0, 0.5 and None: [0.0, 0.5]
#     similarity_cutoff=None: ValidationError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import NodeWithScore, TextNode

nodes = [NodeWithScore(node=TextNode(text="a"), score=score) for score in (-0.5, 0.0, 0.5, None)]
kept = [node.score for node in SimilarityPostprocessor().postprocess_nodes(nodes)]
print("kept of -0.5, 0.0, 0.5 and None:", kept)
try:
    SimilarityPostprocessor(similarity_cutoff=None)
    refused = "accepted"
except ValueError as error:
    refused = type(error).__name__
print("similarity_cutoff=None:", refused)
assert kept == [0.0, 0.5] and refused == "ValidationError"
EOF
