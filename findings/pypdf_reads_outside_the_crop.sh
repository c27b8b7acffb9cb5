#!/bin/sh
# pypdf 7.1.1, pdfplumber 0.11.10, pypdfium2 5.15.2. The text of a page includes what is outside its crop box, so what no
# viewer shows: where each half of a scanned spread is a page, by the crop box, both pages have the text of both. PyMuPDF
# and pypdfium2's get_text_bounded read what is shown.
# Output seen:
#     pypdf: ['Left words Right words', 'Left words Right words']
#     pdfplumber: ['Left words Right words', 'Left words Right words']
#     pypdfium2 get_text_range: ['Left words Right words', 'Left words Right words']
#     pypdfium2 get_text_bounded: ['Left words', 'Right words']
#     pymupdf: ['Left words', 'Right words']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pypdf==7.1.1 pdfplumber==0.11.10 pypdfium2==5.15.2 pymupdf==2.0 || exit 2
"$folder/bin/python" - <<'EOF'
import io

import pdfplumber
import pymupdf
import pypdf
import pypdfium2

spread = pymupdf.open()
page = spread.new_page(width=400, height=300)
page.insert_text((30, 50), "Left words")
page.insert_text((230, 50), "Right words")
writer = pypdf.PdfWriter()
for left in (0, 200):
    page = pypdf.PdfReader(io.BytesIO(spread.tobytes())).pages[0]
    page.cropbox = pypdf.generic.RectangleObject((left, 0, left + 200, 300))
    writer.add_page(page)
writer.write(file := io.BytesIO())
data = file.getvalue()
pages = [page.get_textpage() for page in pypdfium2.PdfDocument(data)]
texts = {
    "pypdf": [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages],
    "pdfplumber": [page.extract_text() for page in pdfplumber.open(io.BytesIO(data)).pages],
    "pypdfium2 get_text_range": [page.get_text_range() for page in pages],
    "pypdfium2 get_text_bounded": [page.get_text_bounded() for page in pages],
    "pymupdf": [page.get_text() for page in pymupdf.open(stream=data)],
}
seen = {name: [" ".join(text.split()) for text in texts[name]] for name in texts}
for name, text in seen.items():
    print(f"{name}: {text}")
both, halves = ["Left words Right words"] * 2, ["Left words", "Right words"]
assert list(seen.values()) == [both, both, both, halves, halves]
EOF
