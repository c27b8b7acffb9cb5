#!/bin/sh
# Pillow 13.0.0. Saving a picture as AVIF removes the orientation from the Exif object that was passed, which is the one of
# the picture itself for exif=picture.getexif(). What is saved afterwards with it, in any format, is not turned any more.
# Output seen:
#     before: 6
#     after PNG: 6
#     after AVIF: None
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet pillow==13.0.0 || exit 2
"$folder/bin/python" - <<'EOF'
import io

from PIL import Image

ORIENTATION = 0x112
exif = Image.Exif()
exif[ORIENTATION] = 6
Image.new("RGB", (60, 40)).save(file := io.BytesIO(), "JPEG", exif=exif)
picture = Image.open(file)
seen = {"before": picture.getexif().get(ORIENTATION)}
for kind in ("PNG", "AVIF"):
    picture.save(io.BytesIO(), kind, exif=picture.getexif())
    seen[f"after {kind}"] = picture.getexif().get(ORIENTATION)
for name, orientation in seen.items():
    print(f"{name}: {orientation}")
assert seen == {"before": 6, "after PNG": 6, "after AVIF": None}
EOF
