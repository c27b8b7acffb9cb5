#!/bin/sh
# langchain-community 0.4.2. BSHTMLLoader joins the text of neighbouring elements without a space, if there is no white
# space between their tags, as in pages without line breaks: headings, list items and cells of tables become one word, which
# no search for words finds. The argument get_text_separator=" " separates them, and breaks words with letters in bold.
# WebBaseLoader does the same.
# Output seen:
#     BSHTMLLoader(path): Black bearDo not feedKeep awayWeight150250
#     BSHTMLLoader(path, get_text_separator=" "): Black bear Do not feed Keep away Weight 150 250
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-community==0.4.2 beautifulsoup4==4.15.0 lxml==6.1.3 || exit 2
"$folder/bin/python" - "$folder" <<'EOF'
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
from langchain_community.document_loaders import BSHTMLLoader

path = pathlib.Path(sys.argv[1], "page.html")
path.write_text(
    "<html><body><h1>Black bear</h1><ul><li>Do not feed</li><li>Keep away</li></ul>"
    "<table><tr><td>Weight</td><td>150</td><td>250</td></tr></table></body></html>"
)
seen = [BSHTMLLoader(path).load()[0].page_content, BSHTMLLoader(path, get_text_separator=" ").load()[0].page_content]
print(f"BSHTMLLoader(path): {seen[0]}")
print(f'BSHTMLLoader(path, get_text_separator=" "): {seen[1]}')
assert seen == ["Black bearDo not feedKeep awayWeight150250", "Black bear Do not feed Keep away Weight 150 250"]
EOF
