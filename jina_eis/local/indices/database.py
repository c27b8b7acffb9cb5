"""An SQLite database, in memory or in a folder that one process at a time has. Knows statements and transactions; thread safe."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Database"]

FILE = "jina-eis.sqlite"


class Database:
    """The database of a folder, or one in memory.

    Attributes:
        lock: Held by every statement, and by a transaction from its beginning to its end.

    Raises:
        BlockingIOError: another process has the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self.lock = threading.RLock()
        self._connection = connect(folder)

    def close(self) -> None:
        """Let another process have the folder."""
        with self.lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is done inside, or nothing of it if it fails."""
        with self.lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """What a statement answers."""
        with self.lock:
            return self._connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each of the rows."""
        with self.lock:
            self._connection.executemany(statement, rows)

    def insert(self, statement: str, parameters: Sequence[Any]) -> int:
        """The number of the row that a statement inserts."""
        with self.lock:
            return int(self._connection.execute(statement, parameters).lastrowid or 0)

    def run_all(self, statements: str) -> None:
        """Run several statements without parameters."""
        for statement in statements.split(";")[:-1]:
            self.rows(statement)


def connect(folder: Path | None) -> sqlite3.Connection:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        database = sqlite3.connect(
            ":memory:" if folder is None else folder / FILE, isolation_level=None, check_same_thread=False, timeout=1
        )
        try:
            # Kept until the connection is closed.
            for statement in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                database.execute(f"PRAGMA {statement}")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")
        except BaseException:
            database.close()
            raise
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise BlockingIOError(f"{folder} is in use by another local EIS: stop it, or choose another folder") from error
        raise OSError(f"{folder} cannot hold the data of a local EIS ({error}): choose another folder") from error
    return database
