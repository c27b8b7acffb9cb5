#!/bin/sh
# pillow-heif 1.8.1, Pillow 13.0.0. A picture that is saved as HEIC with exif=picture.getexif() loses its orientation: it is
# read back as it lies in the file, with an orientation of 1. With the same Exif as bytes it is turned, and of Pillow's own
# formats each one keeps the orientation either way.
# Output seen:
#     shown: (40, 60)
#     HEIF, exif=picture.getexif(): (60, 40)
#     HEIF, exif=picture.getexif().tobytes(): (40, 60)
#     JPEG, exif=picture.getexif(): (40, 60)
#     JPEG, exif=picture.getexif().tobytes(): (40, 60)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pillow-heif==1.8.1 pillow==13.0.0 || exit 2
"$folder/bin/python" - <<'EOF'
import io

import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
exif = Image.Exif()
exif[0x112] = 6
Image.new("RGB", (60, 40)).save(original := io.BytesIO(), "JPEG", exif=exif)
seen = {"shown": ImageOps.exif_transpose(Image.open(original)).size}
for kind in ("HEIF", "JPEG"):
    for name in ("picture.getexif()", "picture.getexif().tobytes()"):
        picture = Image.open(original)
        exif = picture.getexif().tobytes() if "tobytes" in name else picture.getexif()
        picture.save(file := io.BytesIO(), kind, exif=exif)
        seen[f"{kind}, exif={name}"] = ImageOps.exif_transpose(Image.open(file)).size
for name, size in seen.items():
    print(f"{name}: {size}")
assert list(seen.values()) == [(40, 60), (60, 40), (40, 60), (40, 60), (40, 60)]
EOF
