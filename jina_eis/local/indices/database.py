"""An SQLite database, in memory or in a folder locked by one process. Knows statements and transactions; thread safe."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

FILE = "jina-eis.sqlite"


class Database:
    """A database in a folder, or in memory.

    Attributes:
        lock: Held during every statement, and for the whole of a transaction.

    Raises:
        BlockingIOError: another process uses the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self.lock = threading.RLock()
        self._connection = connect(folder)

    def close(self) -> None:
        """Close the database and unlock the folder."""
        with self.lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes made inside, or roll them back on an error."""
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
        """Return the rows of a statement."""
        with self.lock:
            return self._connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of parameters."""
        with self.lock:
            self._connection.executemany(statement, rows)

    def run_all(self, statements: str) -> None:
        """Run several statements without parameters."""
        for statement in statements.split(";")[:-1]:
            self.rows(statement)


def connect(folder: Path | None) -> sqlite3.Connection:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    path = ":memory:" if folder is None else folder / FILE
    try:
        with ExitStack() as opened:
            database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
            opened.callback(database.close)
            # The lock is held until the connection is closed.
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                database.execute(f"PRAGMA {pragma}")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")
            opened.pop_all()
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise BlockingIOError(f"{folder} is in use by another local EIS: stop it, or choose another folder") from error
        raise OSError(f"{folder} cannot hold the data of a local EIS ({error}): choose another folder") from error
    return database
