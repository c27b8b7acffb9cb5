"""Storage of indices and created endpoints, in a folder or in memory. Thread safe.

Knows the list of indices; must not know their contents, queries or requests.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import orjson

from ..refusals import Json, RefusedError
from .database import Database
from .index import Clock, Index
from .mapping import Mapping
from .schema import CREATE, SCHEMA, TABLES
from .settings import read_settings


class Storage:
    """The indices and created endpoints, in a folder or in memory.

    Attributes:
        writing: Lock to hold during all steps of a change to documents or mappings.
    """

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self.writing = threading.RLock()
        self._clock = clock
        self._database = Database(folder)
        self._database.run_all(SCHEMA)
        self._load()

    def _load(self) -> None:
        self._indices: dict[str, Index] = {}
        columns = "number, name, uuid, created, settings, mapping, writes"
        for number, name, uid, created, settings, root, writes in self._database.rows(f"SELECT {columns} FROM indices"):
            try:  # an earlier version of the local EIS stored them as they were sent
                tree, mapping = read_settings(orjson.loads(settings)), Mapping({}).merged(orjson.loads(root), lambda name: None)
            except RefusedError as refused:
                self.close()
                reason = f"{refused.reason.partition('. It implements')[0]}: choose another folder, and index the documents again"
                raise OSError(f"the index [{name}] was created by an earlier version with other options; {reason}") from refused
            self._database.run_all(CREATE.format(number))
            self._indices[name] = Index(self._database, self._clock, number, name, uid, created, tree, mapping, writes)
            self._indices[name].refresh()

    def close(self) -> None:
        """Close the database and unlock the folder."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes made inside, or roll them back on an error."""
        try:
            with self._database.transaction():
                yield
        except BaseException:
            self._load()
            raise

    def find(self, name: str) -> Index | None:
        """Return the index with this name, or the only one with this alias; or None."""
        with self._database.lock:
            found = [self._indices[name]] if name in self._indices else self.resolve(name)
            return found[0] if len(found) == 1 else None

    def resolve(self, name: str) -> list[Index]:
        """Return the indices that a name, an alias or a pattern stands for, by name."""
        with self._database.lock:
            aliased = {index for alias, index in self.aliases() if fnmatchcase(alias, name)}
            return [index for own, index in sorted(self._indices.items()) if own in aliased or fnmatchcase(own, name)]

    def users_of(self, endpoint: str) -> list[str]:
        """Return the names of the indices that have a field with this inference endpoint, for documents or for queries."""
        named = ("inference_id", "search_inference_id")
        fields = [(index, field.settings) for index in self.resolve("*") for field in index.mapping.fields.values()]
        return list(dict.fromkeys(index.name for index, settings in fields if endpoint in map(settings.get, named)))

    def aliases(self) -> list[tuple[str, str]]:
        """Return all aliases, each with the name of an index."""
        return self._database.rows("SELECT alias, name FROM aliases ORDER BY alias, name")

    def change_alias(self, alias: str, index: Index, *, add: bool) -> None:
        """Give an index an alias, or take it away."""
        statement = "INSERT OR IGNORE INTO aliases VALUES (?, ?)" if add else "DELETE FROM aliases WHERE alias = ? AND name = ?"
        self._database.rows(statement, (alias, index.name))

    def create(self, name: str, settings: Json, mapping: Mapping) -> Index:
        """Create an index; refuses the name of an existing index."""
        if (existing := self.find(name)) is not None:
            reason = f"index [{name}/{existing.uuid}] already exists"
            names = {"index_uuid": existing.uuid, "index": name}
            raise RefusedError(400, "resource_already_exists_exception", reason, details=names)
        uid, created = uuid.uuid4().hex[:22], int(time.time() * 1000)
        with self.transaction():
            row = (name, uid, created, orjson.dumps(settings), orjson.dumps(mapping.root))
            self._database.rows("INSERT INTO indices (name, uuid, created, settings, mapping) VALUES (?, ?, ?, ?, ?)", row)
            ((number,),) = self._database.rows("SELECT last_insert_rowid()")
            self._database.run_all(CREATE.format(number))
            self._indices[name] = index = Index(self._database, self._clock, number, name, uid, created, settings, mapping)
        return index

    def drop(self, index: Index) -> None:
        """Delete an index."""
        with self.transaction():
            for table in TABLES:
                self._database.rows(f"DROP TABLE {table}_{index.number}")
            self._database.rows("DELETE FROM indices WHERE number = ?", (index.number,))
            self._database.rows("DELETE FROM aliases WHERE name = ?", (index.name,))
            index.dropped = True
            del self._indices[index.name]

    def endpoints(self) -> list[tuple[str, Json]]:
        """Return the ids of the created endpoints, and their definitions as sent."""
        rows = self._database.rows("SELECT id, definition FROM endpoints")
        return [(name, orjson.loads(definition)) for name, definition in rows]

    def keep_endpoint(self, name: str, definition: Json | None) -> None:
        """Store an endpoint; with None as definition, delete it."""
        if definition is None:
            self._database.rows("DELETE FROM endpoints WHERE id = ?", (name,))
        else:
            self._database.rows("INSERT OR REPLACE INTO endpoints VALUES (?, ?)", (name, orjson.dumps(definition)))
