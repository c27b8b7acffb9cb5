#!/bin/sh
# nltk 3.10.4, llama-index-core 0.14.25, uv 0.13.9. Where uv installs hard links into its cache, its default on Linux,
# the stop words of LlamaIndex, by which its keyword indices work, can't be read: nltk refuses to open a file with several
# links, and llama-index-core ships the stop words as package files. With copies they can.
# Output seen:
#     hardlink: PermissionError
#     copy: 198 stop words
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/tools" || exit 2
"$folder/tools/bin/pip" install --quiet uv==0.13.9 || exit 2
export UV_CACHE_DIR="$folder/cache"
for mode in hardlink copy; do
  "$folder/tools/bin/uv" venv --quiet "$folder/$mode" || exit 2
  "$folder/tools/bin/uv" pip install --quiet --link-mode "$mode" --python "$folder/$mode/bin/python" \
    llama-index-core==0.14.25 nltk==3.10.4 || exit 2
  "$folder/$mode/bin/python" - "$mode" <<'EOP'
import sys

mode = sys.argv[1]
try:
    from llama_index.core.utils import globals_helper

    seen = f"{len(globals_helper.stopwords)} stop words"
except PermissionError as error:
    seen = type(error).__name__
print(f"{mode}: {seen}")
assert seen == {"hardlink": "PermissionError", "copy": "198 stop words"}[mode], seen
EOP
done
