#!/bin/sh
# llama-index-core 0.14.25. The cache of IngestionPipeline has one key for a whole list of nodes: a hash of their texts,
# joined without a mark between them and without their ids. Other nodes whose joined texts are equal get the cached
# ones.
# Output seen:
#     first run: [('1', 'ab'), ('2', 'c')]
#     run with nodes 3 'a' and 4 'bc': [('1', 'ab'), ('2', 'c')]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode, TransformComponent


class Same(TransformComponent):
    def __call__(self, nodes, **kwargs):
        return nodes


pipeline = IngestionPipeline(transformations=[Same()])
first = pipeline.run(nodes=[TextNode(id_="1", text="ab"), TextNode(id_="2", text="c")])
second = pipeline.run(nodes=[TextNode(id_="3", text="a"), TextNode(id_="4", text="bc")])
seen = [[(node.node_id, node.text) for node in nodes] for nodes in (first, second)]
print(f"first run: {seen[0]}")
print(f"run with nodes 3 'a' and 4 'bc': {seen[1]}")
assert seen == [[("1", "ab"), ("2", "c")]] * 2
EOF
