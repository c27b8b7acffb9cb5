"""An index: its documents, and what can be looked up in them.

Knows the tables of an index, FTS5 as an inverted index of words that were made here, and the matrices of its vectors; must
not know queries, requests, nor how documents are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from ..inference import Array
from ..refusals import Json, index_not_found
from .analysis import terms
from .database import Database
from .mapping import Mapping
from .values import Value
from .vectors import Matrix, stack

__all__ = ["CREATE", "TABLES", "Index", "Passage", "Stored"]

# Each index has its own, so that it is gone at once. A word is stored as `<number of its field>_<word>`.
CREATE = """
CREATE TABLE docs_{0} (
    doc INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL,
    source BLOB NOT NULL
);
CREATE TABLE exact_{0} (path TEXT NOT NULL, value NOT NULL, doc INTEGER NOT NULL);
CREATE INDEX exact_value_{0} ON exact_{0} (path, value, doc);
CREATE INDEX exact_doc_{0} ON exact_{0} (doc);
CREATE TABLE paths_{0} (number INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL);
CREATE TABLE lengths_{0} (
    path TEXT NOT NULL, doc INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (path, doc)
) WITHOUT ROWID;
CREATE INDEX lengths_doc_{0} ON lengths_{0} (doc);
CREATE TABLE vectors_{0} (path TEXT NOT NULL, doc INTEGER NOT NULL, text TEXT, vector BLOB NOT NULL);
CREATE INDEX vectors_doc_{0} ON vectors_{0} (doc);
CREATE VIRTUAL TABLE words_{0} USING fts5 (words, columnsize = 0, tokenize = "ascii tokenchars '_'");
CREATE VIRTUAL TABLE vocabulary_{0} USING fts5vocab ('words_{0}', 'instance');
"""
TABLES = ("vocabulary", "words", "docs", "exact", "paths", "lengths", "vectors")
GAP = " _ "  # between the values of a field, so that no phrase spans two of them


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it is kept."""

    doc: int
    id: str
    version: int
    seq: int
    source: Json

    @classmethod
    def of(cls, row: Sequence[Any]) -> Stored:
        """The document of a row."""
        doc, doc_id, version, seq, source = row
        return cls(doc, doc_id, version, seq, orjson.loads(source))


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document, and its vector; a vector that a client sent has no text."""

    text: str | None
    vector: Array


class Index:
    """An index, and all that can be looked up in it."""

    def __init__(
        self, database: Database, number: int, name: str, uid: str, created: int, settings: Json, mapping: Mapping
    ) -> None:
        self.number = number
        self.name = name
        self.uuid = uid
        self.created = created
        self.settings = settings
        self.mapping = mapping
        self.dropped = False
        self._database = database
        self._vectors: dict[str, dict[int, Array]] = {}
        self._matrices: dict[str, Matrix] = {}

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """What a statement answers, in which `{0}` is the number of the index."""
        with self._database.lock:
            if self.dropped:
                raise index_not_found(self.name)
            return self._database.rows(statement.format(self.number), parameters)

    def _run(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._database.run(statement.format(self.number), rows)

    # Documents

    def set_mapping(self, mapping: Mapping) -> None:
        """Replace the mapping."""
        if mapping is not self.mapping:
            self._run("UPDATE indices SET mapping = ? WHERE number = {0}", [(orjson.dumps(mapping.root),)])
            self.mapping = mapping

    def next_write(self) -> int:
        """The number of one more change."""
        with self._database.lock:
            ((number,),) = self._rows("SELECT writes FROM indices WHERE number = {0}")
            self._rows("UPDATE indices SET writes = writes + 1 WHERE number = {0}")
        return int(number)

    def stored(self, doc_id: str) -> Stored | None:
        """The document of an id."""
        rows = self._rows("SELECT doc, id, version, seq, source FROM docs_{0} WHERE id = ?", (doc_id,))
        return Stored.of(rows[0]) if rows else None

    def documents(self, docs: Sequence[int]) -> dict[int, Stored]:
        """The documents of these numbers, as far as they are still there."""
        marks = ",".join("?" * len(docs))
        rows = self._rows(f"SELECT doc, id, version, seq, source FROM docs_{{0}} WHERE doc IN ({marks})", docs)
        return {row[0]: Stored.of(row) for row in rows}

    def add(
        self,
        doc_id: str,
        version: int,
        source: Json,
        exact: Iterable[tuple[str, Value]],
        texts: Mapped[str, Sequence[str]],
        vectors: Mapped[str, Sequence[Passage]],
    ) -> int:
        """Store a document whose id is free, and return the number of the change."""
        seq = self.next_write()
        row = (doc_id, version, seq, orjson.dumps(source))
        doc = self._database.insert(f"INSERT INTO docs_{self.number} (id, version, seq, source) VALUES (?, ?, ?, ?)", row)
        self._run("INSERT INTO exact_{0} VALUES (?, ?, ?)", [(path, value, doc) for path, value in exact])
        words = []
        for path, values in texts.items():
            found = [terms(value) for value in values]
            self._run("INSERT OR IGNORE INTO paths_{0} (path) VALUES (?)", [(path,)])
            number = self._path_number(path)
            words += [" ".join(coded(number, term) for term in each) for each in found]
            self._run("INSERT INTO lengths_{0} VALUES (?, ?, ?)", [(path, doc, sum(map(len, found)))])
        if words:
            self._run("INSERT INTO words_{0} (rowid, words) VALUES (?, ?)", [(doc, GAP.join(words))])
        for path, passages in vectors.items():
            if passages:
                rows = [(path, doc, each.text, each.vector.tobytes()) for each in passages]
                self._run("INSERT INTO vectors_{0} VALUES (?, ?, ?, ?)", rows)
                self._change(path, doc, np.stack([each.vector for each in passages]))
        return seq

    def remove(self, doc: int) -> None:
        """Delete a document."""
        for path in list(self._vectors):
            self._change(path, doc, None)
        for table in ("docs", "exact", "lengths", "vectors"):
            self._run(f"DELETE FROM {table}_{{0}} WHERE doc = ?", [(doc,)])
        self._run("DELETE FROM words_{0} WHERE rowid = ?", [(doc,)])

    def _path_number(self, path: str) -> int:
        """The number of a field of text; 0 as long as no document has it."""
        rows = self._rows("SELECT number FROM paths_{0} WHERE path = ?", (path,))
        return int(rows[0][0]) if rows else 0

    # What queries look up

    def all_docs(self) -> list[int]:
        """Every document, the oldest first."""
        return [doc for (doc,) in self._rows("SELECT doc FROM docs_{0} ORDER BY doc")]

    def with_field(self, path: str) -> list[int]:
        """The documents that have a value for a field."""
        tables = "SELECT doc FROM exact_{0} WHERE path = ?1 UNION SELECT doc FROM lengths_{0} WHERE path = ?1"
        rows = self._rows(f"{tables} UNION SELECT doc FROM vectors_{{0}} WHERE path = ?1", (path,))
        return [doc for (doc,) in rows]

    def with_id(self, ids: Sequence[str]) -> list[int]:
        """The documents of these ids."""
        rows = self._rows("SELECT doc FROM docs_{0} WHERE id IN (SELECT value FROM json_each(?))", (orjson.dumps(ids).decode(),))
        return [doc for (doc,) in rows]

    def with_value(self, path: str, value: Value) -> list[int]:
        """The documents with just this value."""
        return [doc for (doc,) in self._rows("SELECT DISTINCT doc FROM exact_{0} WHERE path = ? AND value = ?", (path, value))]

    def between(self, path: str, bounds: Sequence[tuple[str, Value]]) -> list[int]:
        """The documents with a value within bounds, each of which is an operator of SQL and what it compares with."""
        wanted = "".join(f" AND value {operator} ?" for operator, _ in bounds)
        rows = self._rows(f"SELECT DISTINCT doc FROM exact_{{0}} WHERE path = ?{wanted}", (path, *(value for _, value in bounds)))
        return [doc for (doc,) in rows]

    def value_statistics(self, path: str) -> tuple[int, int]:
        """How many documents have a value for a field, and how many values there are."""
        ((docs, values),) = self._rows("SELECT count(DISTINCT doc), count(*) FROM exact_{0} WHERE path = ?", (path,))
        return int(docs), int(values)

    def text_statistics(self, path: str) -> tuple[int, int]:
        """How many documents have a text in a field, and how many words there are."""
        ((docs, words),) = self._rows("SELECT count(*), ifnull(sum(length), 0) FROM lengths_{0} WHERE path = ?", (path,))
        return int(docs), int(words)

    def occurrences(self, path: str, term: str) -> list[tuple[int, int, int]]:
        """The documents with a word in a field, how often it is there, and how many words the field has in each."""
        word = coded(self._path_number(path), term)
        return self._rows(
            "SELECT found.doc, found.times, lengths.length FROM "
            "(SELECT doc, count(*) AS times FROM vocabulary_{0} WHERE term = ?1 GROUP BY doc) AS found "
            "JOIN lengths_{0} AS lengths ON lengths.path = ?2 AND lengths.doc = found.doc",
            (word, path),
        )

    def positions(self, path: str, term: str) -> list[tuple[int, int]]:
        """The documents with a word in a field, and where, once for each time."""
        word = coded(self._path_number(path), term)
        return self._rows("SELECT doc, offset FROM vocabulary_{0} WHERE term = ?", (word,))

    def passages(self, path: str, doc: int) -> list[Passage]:
        """The pieces of a document that were embedded for a field, in their order."""
        rows = self._rows("SELECT text, vector FROM vectors_{0} WHERE doc = ? AND path = ? ORDER BY rowid", (doc, path))
        return [Passage(text, np.frombuffer(vector, dtype=np.float32)) for text, vector in rows]

    def forget(self) -> None:
        """Read the vectors from the database again."""
        self._vectors.clear()
        self._matrices.clear()

    def matrix(self, path: str) -> Matrix:
        """The vectors of a field."""
        with self._database.lock:
            if path not in self._matrices:
                self._matrices[path] = stack(self._loaded(path))
            return self._matrices[path]

    def _loaded(self, path: str) -> dict[int, Array]:
        if path not in self._vectors:
            found: dict[int, list[Array]] = {}
            for doc, vector in self._rows("SELECT doc, vector FROM vectors_{0} WHERE path = ? ORDER BY rowid", (path,)):
                found.setdefault(doc, []).append(np.frombuffer(vector, dtype=np.float32))
            self._vectors[path] = {doc: np.stack(vectors) for doc, vectors in found.items()}
        return self._vectors[path]

    def _change(self, path: str, doc: int, vectors: Array | None) -> None:
        self._matrices.pop(path, None)
        if path in self._vectors:  # else it is read from the database when it is needed
            if vectors is None:
                self._vectors[path].pop(doc, None)
            else:
                self._vectors[path][doc] = vectors


def coded(number: int, term: str) -> str:
    """A word as FTS5 keeps it: in letters and digits that its tokeniser leaves alone."""
    return f"{number}_{term}" if term.isascii() and term.isalnum() else f"{number}__{term.encode('utf-8', 'replace').hex()}"
