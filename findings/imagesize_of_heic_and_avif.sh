#!/bin/sh
# imagesize 2.0.1, on files of Pillow 13.0.0 and pillow-heif 1.8.1. The size of a HEIC file is that of its coded picture,
# before it is cropped to the size shown. An AVIF file has a size, and with a rotation by Exif none (-1).
# Output seen:
#     HEIC of 60x40: (64, 64)
#     AVIF of 60x40: (60, 40)
#     AVIF of 60x40, rotated: (-1, -1)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet imagesize==2.0.1 pillow==13.0.0 pillow-heif==1.8.1 || exit 2
"$folder/bin/python" - <<'EOF'
import io

import imagesize
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
image, rotated = Image.new("RGB", (60, 40)), Image.Exif()
rotated[0x112] = 6
seen = []
for name, kind, options in (
    ("HEIC of 60x40", "HEIF", {}),
    ("AVIF of 60x40", "AVIF", {}),
    ("AVIF of 60x40, rotated", "AVIF", {"exif": rotated}),
):
    image.save(file := io.BytesIO(), kind, **options)
    file.seek(0)
    seen.append(f"{name}: {imagesize.get(file)}")
print(*seen, sep="\n")
assert seen == [
    "HEIC of 60x40: (64, 64)",
    "AVIF of 60x40: (60, 40)",
    "AVIF of 60x40, rotated: (-1, -1)",
]
EOF
