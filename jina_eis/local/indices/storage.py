"""The indices and the endpoints that were made, and where they are kept. Thread safe.

Knows which indices there are; must not know what is in them, nor queries and requests.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from ..refusals import Json, RefusedError, index_not_found
from .database import Database
from .index import CREATE, TABLES, Index
from .mapping import Mapping

__all__ = ["Storage"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS indices (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, uuid TEXT NOT NULL, created INTEGER NOT NULL,
    settings BLOB NOT NULL, mapping BLOB NOT NULL, writes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS endpoints (id TEXT PRIMARY KEY, definition BLOB NOT NULL);
"""


class Storage:
    """What is kept, in a folder or in memory.

    Attributes:
        writing: Held by whoever changes documents or mappings, over all steps of the change.
    """

    def __init__(self, folder: Path | None) -> None:
        self.writing = threading.RLock()
        self._database = Database(folder)
        self._database.run_all(SCHEMA)
        rows = self._database.rows("SELECT number, name, uuid, created, settings, mapping FROM indices")
        self._indices = {
            name: Index(self._database, number, name, uid, created, orjson.loads(settings), Mapping.of(orjson.loads(mapping)))
            for number, name, uid, created, settings, mapping in rows
        }

    def close(self) -> None:
        """Let another process have the folder."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is done inside, or nothing of it if it fails."""
        try:
            with self._database.transaction():
                yield
        except BaseException:
            for index in list(self._indices.values()):
                index.forget()
            raise

    def find(self, name: str) -> Index | None:
        """The index of this name."""
        with self._database.lock:
            return self._indices.get(name)

    def get(self, name: str) -> Index:
        """The index of this name; refuses with 404."""
        found = self.find(name)
        if found is None:
            raise index_not_found(name)
        return found

    def create(self, name: str, settings: Json, mapping: Mapping) -> Index:
        """Make an index; refuses a name that is taken."""
        with self.transaction():
            if (there := self._indices.get(name)) is not None:
                reason = f"index [{name}/{there.uuid}] already exists"
                refused = RefusedError(400, "resource_already_exists_exception", reason)
                refused.details.update(index_uuid=there.uuid, index=name)
                raise refused
            uid, created = uuid.uuid4().hex[:22], int(time.time() * 1000)
            number = self._database.insert(
                "INSERT INTO indices (name, uuid, created, settings, mapping) VALUES (?, ?, ?, ?, ?)",
                (name, uid, created, orjson.dumps(settings), orjson.dumps(mapping.root)),
            )
            self._database.run_all(CREATE.format(number))
        self._indices[name] = index = Index(self._database, number, name, uid, created, settings, mapping)
        return index

    def drop(self, name: str) -> None:
        """Delete an index; refuses with 404."""
        with self.transaction():
            index = self.get(name)
            for table in TABLES:
                self._database.rows(f"DROP TABLE {table}_{index.number}")
            self._database.rows("DELETE FROM indices WHERE number = ?", (index.number,))
            index.dropped = True
            del self._indices[name]

    def endpoints(self) -> list[tuple[str, Json]]:
        """The endpoints that were made: their ids, and their definitions as they were put."""
        return [(name, orjson.loads(each)) for name, each in self._database.rows("SELECT id, definition FROM endpoints")]

    def keep_endpoint(self, name: str, definition: Json | None) -> None:
        """Keep an endpoint, or with None forget it."""
        if definition is None:
            self._database.rows("DELETE FROM endpoints WHERE id = ?", (name,))
        else:
            self._database.rows("INSERT OR REPLACE INTO endpoints VALUES (?, ?)", (name, orjson.dumps(definition)))
