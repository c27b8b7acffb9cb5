#!/bin/sh
# pypdfium2 5.15.2. On a page with a rotation of 90 or 270 degrees, as landscape pages of a report have it, get_text_bounded
# joins lines without a space: the last word of a line and the first of the next become one word. get_text_range keeps the
# line breaks.
# Output seen:
#     rotation 0: 'Bread rises\r\nGlaciers flow\r\nBears sleep'
#     rotation 90, get_text_bounded: 'Bread rises\r\nGlaciers flowBears sleep'
#     rotation 90, get_text_range: 'Bread rises\r\nGlaciers flow\r\nBears sleep'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pypdfium2==5.15.2 pypdf==7.1.1 reportlab==5.1.0 || exit 2
"$folder/bin/python" - <<'EOF'
import io

import pypdf
import pypdfium2
from reportlab.pdfgen.canvas import Canvas


def text_page(rotation):
    """Return the text of a page that is seen upright, whose content is turned in the file."""
    canvas = Canvas(drawn := io.BytesIO(), pagesize=(300, 400) if rotation else (400, 300))
    if rotation:
        canvas.translate(300, 0)
        canvas.rotate(90)
    for number, line in enumerate(("Bread rises", "Glaciers flow", "Bears sleep")):
        canvas.drawString(30, 250 - 20 * number, line)
    canvas.save()
    writer = pypdf.PdfWriter(drawn)
    writer.pages[0].rotate(rotation)
    writer.write(file := io.BytesIO())
    return pypdfium2.PdfDocument(file.getvalue())[0].get_textpage()


upright, landscape = text_page(0), text_page(90)
seen = {
    "rotation 0": upright.get_text_bounded(),
    "rotation 90, get_text_bounded": landscape.get_text_bounded(),
    "rotation 90, get_text_range": landscape.get_text_range(),
}
for name, text in seen.items():
    print(f"{name}: {text!r}")
lines = "Bread rises\r\nGlaciers flow\r\nBears sleep"
assert list(seen.values()) == [lines, "Bread rises\r\nGlaciers flowBears sleep", lines]
EOF
