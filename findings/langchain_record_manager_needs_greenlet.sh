#!/bin/sh
# langchain-classic 1.0.8 with SQLAlchemy 2.1.9. `SQLRecordManager` cannot be imported as installed: langchain-classic
# requires SQLAlchemy without its extra `asyncio`, which installs greenlet, and imports sqlalchemy.ext.asyncio.
# Output seen:
#     as installed: ImportError
#     with greenlet: SQLRecordManager
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-classic==1.0.8 sqlalchemy==2.1.9 || exit 2
cat > "$folder/import.py" <<'EOF'
try:
    from langchain_classic.indexes import SQLRecordManager
    print(SQLRecordManager.__name__)
except ImportError as error:
    print(type(error).__name__)
EOF
before=$("$folder/bin/python" "$folder/import.py")
echo "as installed: $before"
"$folder/bin/pip" install --quiet greenlet || exit 2
after=$("$folder/bin/python" "$folder/import.py")
echo "with greenlet: $after"
test "$before" = ImportError && test "$after" = SQLRecordManager
