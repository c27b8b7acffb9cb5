#!/bin/sh
# langchain-text-splitters 1.1.3. The splitters of HTML take words in <b>, <em>, <a> and other inline tags out of their
# sentence: HTMLSemanticPreservingSplitter puts them before it, HTMLHeaderTextSplitter after it. A "not" is elsewhere then,
# and what is embedded reads as the contrary.
# Output seen:
#     HTMLHeaderTextSplitter: Do feed the bears, run from them. / not / never
#     HTMLSemanticPreservingSplitter: not never Do feed the bears, run from them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-text-splitters==1.1.3 beautifulsoup4==4.15.0 || exit 2
"$folder/bin/python" - <<'EOF'
import warnings

warnings.simplefilter("ignore")
from langchain_text_splitters import HTMLHeaderTextSplitter, HTMLSemanticPreservingSplitter

page = "<html><body><h1>Bears</h1><p>Do <b>not</b> feed the bears, <em>never</em> run from them.</p></body></html>"
seen = {}
for splitter in HTMLHeaderTextSplitter, HTMLSemanticPreservingSplitter:
    last = splitter([("h1", "title")]).split_text(page)[-1].page_content
    seen[splitter.__name__] = " / ".join(line.strip() for line in last.split("\n"))
for name, text in seen.items():
    print(f"{name}: {text}")
assert seen == {
    "HTMLHeaderTextSplitter": "Do feed the bears, run from them. / not / never",
    "HTMLSemanticPreservingSplitter": "not never Do feed the bears, run from them.",
}
EOF
