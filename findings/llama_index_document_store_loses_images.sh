#!/bin/sh
# llama-index-core 0.14.25. `to_dict` leaves out the bytes of an ImageDocument, so `from_dict` and a document store return
# it without its picture and without an error. The text stays, and so does the picture in a copy by pickle.
# Output seen:
#     document: text True, image True
#     pickle: text True, image True
#     from_dict: text True, image False
#     SimpleDocumentStore: text True, image False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet llama-index-core==0.14.25 pillow==13.0.0 || exit 2
"$folder/bin/python" - <<'EOF'
import io
import pickle

from llama_index.core.schema import ImageDocument
from llama_index.core.storage.docstore import SimpleDocumentStore
from PIL import Image

Image.new("RGB", (1, 1)).save(file := io.BytesIO(), "PNG")
document = ImageDocument(id_="a", text="A dot.", image=file.getvalue())
store = SimpleDocumentStore()
store.add_documents([document])
seen = [
    f"{name}: text {bool(copy.text)}, image {bool(copy.image)}"
    for name, copy in (
        ("document", document),
        ("pickle", pickle.loads(pickle.dumps(document))),
        ("from_dict", ImageDocument.from_dict(document.to_dict())),
        ("SimpleDocumentStore", store.get_document("a")),
    )
]
print(*seen, sep="\n")
assert seen == [
    "document: text True, image True",
    "pickle: text True, image True",
    "from_dict: text True, image False",
    "SimpleDocumentStore: text True, image False",
]
EOF
