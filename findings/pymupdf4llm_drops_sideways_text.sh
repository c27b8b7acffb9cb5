#!/bin/sh
# pymupdf4llm 2.0, pymupdf 2.0. to_markdown drops text that does not run from left to right on the page as it is shown: a
# page that was turned for reading has no text at all, and a caption beside a figure is missing. PyMuPDF itself reads both.
# Output seen:
#     page turned by 90 degrees: PyMuPDF 'Glaciers flow', pymupdf4llm ''
#     caption along the edge: PyMuPDF 'Glaciers flow Photo: 1927', pymupdf4llm 'Glaciers flow'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pymupdf4llm==2.0 pymupdf==2.0 || exit 2
"$folder/bin/python" - <<'EOF'
import pymupdf
import pymupdf4llm

turned = pymupdf.open()
page = turned.new_page()
page.insert_text((72, 144), "Glaciers flow")
page.set_rotation(90)
caption = pymupdf.open()
page = caption.new_page()
page.insert_text((72, 144), "Glaciers flow")
page.insert_text((60, 400), "Photo: 1927", rotate=90)
seen = {}
for name, document in (("page turned by 90 degrees", turned), ("caption along the edge", caption)):
    document = pymupdf.open(stream=document.tobytes())
    (chunk,) = pymupdf4llm.to_markdown(document, page_chunks=True, use_ocr=False)
    seen[name] = (" ".join(document[0].get_text().split()), " ".join(chunk["text"].replace("#", "").split()))
for name, (plain, markdown) in seen.items():
    print(f"{name}: PyMuPDF {plain!r}, pymupdf4llm {markdown!r}")
assert seen == {
    "page turned by 90 degrees": ("Glaciers flow", ""),
    "caption along the edge": ("Glaciers flow Photo: 1927", "Glaciers flow"),
}
EOF
