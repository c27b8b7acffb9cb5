#!/bin/sh
# llama-index-core 0.14.25. ImageDocument(image_url=...) refuses a data URI that ImageBlock(url=...) accepts. As `image`,
# the URI itself is encoded as base64 again: the picture's bytes are then the letters of the URI.
# Output seen:
#     ImageBlock(url=uri): b'\x89PNG'
#     ImageDocument(image=base64): b'\x89PNG'
#     ImageDocument(image=uri): b'data'
#     ImageDocument(image_url=uri): ValueError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 pillow==13.0.0 || exit 2
"$folder/bin/python" - <<'EOF'
import base64
import io

from llama_index.core.llms import ImageBlock
from llama_index.core.schema import ImageDocument
from PIL import Image

Image.new("RGB", (1, 1)).save(file := io.BytesIO(), "PNG")
text = base64.b64encode(file.getvalue()).decode()
uri = f"data:image/png;base64,{text}"
seen = []
for name, make in (
    ("ImageBlock(url=uri)", lambda: ImageBlock(url=uri)),
    ("ImageDocument(image=base64)", lambda: ImageDocument(image=text)),
    ("ImageDocument(image=uri)", lambda: ImageDocument(image=uri)),
    ("ImageDocument(image_url=uri)", lambda: ImageDocument(image_url=uri)),
):
    try:
        seen.append(f"{name}: {make().resolve_image().read()[:4]}")
    except ValueError as error:
        seen.append(f"{name}: {type(error).__name__}")
print(*seen, sep="\n")
assert seen == [
    r"ImageBlock(url=uri): b'\x89PNG'",
    r"ImageDocument(image=base64): b'\x89PNG'",
    "ImageDocument(image=uri): b'data'",
    "ImageDocument(image_url=uri): ValueError",
]
EOF
