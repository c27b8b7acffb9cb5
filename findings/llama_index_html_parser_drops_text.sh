#!/bin/sh
# llama-index-core 0.14.25. HTMLNodeParser drops the text of tables, of <div>, <pre>, <blockquote> and all other tags that
# are not in its list of tags, and makes a node of its own of words in bold, which are then missing in their sentence.
# Output seen:
#     p: 'Do\nfeed the bears.'
#     b: 'not'
#     absent: Opening hours, Weight, 150 kg, pip install
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 beautifulsoup4==4.15.0 || exit 2
"$folder/bin/python" - <<'EOF'
from llama_index.core.node_parser import HTMLNodeParser
from llama_index.core.schema import Document

page = """<html><body><p>Do <b>not</b> feed the bears.</p><div>Opening hours</div>
<table><tr><td>Weight</td><td>150 kg</td></tr></table><pre>pip install</pre></body></html>"""
nodes = HTMLNodeParser().get_nodes_from_documents([Document(text=page)])
for node in nodes:
    print(f"{node.metadata['tag']}: {node.text!r}")
absent = [text for text in ("Opening hours", "Weight", "150 kg", "pip install") if all(text not in node.text for node in nodes)]
print(f"absent: {', '.join(absent)}")
assert [node.text for node in nodes] == ["Do\nfeed the bears.", "not"]
assert absent == ["Opening hours", "Weight", "150 kg", "pip install"]
EOF
