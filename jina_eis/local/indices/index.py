"""An index: stores its documents, and looks up their values, words and vectors.

Knows the tables of an index, FTS5 as its inverted index of words, and the matrices of its vectors; must not know queries,
requests or how documents are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from ..inference import Array
from ..refusals import Json, index_not_found
from .analysis import terms
from .database import Database
from .mapping import Mapping
from .values import Value
from .vectors import Matrix, scale_back, stack

__all__ = ["CREATE", "TABLES", "Index", "Passage", "StoredDocument"]

# Each index has its own tables, so that deleting it is fast. A word is stored as `<number of its field>_<word>`.
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
GAP = " _ "  # between the values of a field, so that no phrase matches across two values


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A stored document; `doc` is its number, `seq` the number of its last change."""

    doc: int
    id: str
    version: int
    seq: int
    source: Json

    @classmethod
    def of(cls, row: Sequence[Any]) -> StoredDocument:
        """Build the document from a row."""
        doc, doc_id, version, seq, source = row
        return cls(doc, doc_id, version, seq, orjson.loads(source))


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document and its vector; `text` is None for a vector sent by a client."""

    text: str | None
    vector: Array


class Index:
    """An index with its documents and lookups."""

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
        """Return the rows of a statement; `{0}` in it is the number of the index."""
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
        """Count a change and return its number."""
        with self._database.lock:
            ((number,),) = self._rows("SELECT writes FROM indices WHERE number = {0}")
            self._rows("UPDATE indices SET writes = writes + 1 WHERE number = {0}")
        return int(number)

    def stored(self, doc_id: str) -> StoredDocument | None:
        """Return the document with this id, or None."""
        rows = self._rows("SELECT doc, id, version, seq, source FROM docs_{0} WHERE id = ?", (doc_id,))
        return self.complete(StoredDocument.of(rows[0])) if rows else None

    def documents(self, docs: Sequence[int]) -> dict[int, StoredDocument]:
        """Return the documents with these numbers, without those deleted since; their vectors are None."""
        marks = ",".join("?" * len(docs))
        rows = self._rows(f"SELECT doc, id, version, seq, source FROM docs_{{0}} WHERE doc IN ({marks})", docs)
        return {row[0]: StoredDocument.of(row) for row in rows}

    def complete(self, stored: StoredDocument) -> StoredDocument:
        """Return a document with its vectors, in the digits of their float32."""
        source = stored.source
        for path, blob in self._rows("SELECT path, vector FROM vectors_{0} WHERE doc = ? AND text IS NULL", (stored.doc,)):
            if self._separates_vectors(path):
                vector = np.frombuffer(blob, dtype=np.float32)
                if self.mapping.fields[path].similarity == "cosine":
                    vector = scale_back(vector)
                numbers = orjson.loads(orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY))
                source = replace_value(source, path.split("."), numbers)
        return replace(stored, source=source)

    def _separates_vectors(self, path: str) -> bool:
        """Return whether sources are stored without the vectors of a field, as in Elasticsearch since 9.2."""
        field = self.mapping.fields.get(path)
        return field is not None and field.kind == "dense_vector" and field.settings.get("index", True) is not False

    def add(
        self,
        doc_id: str,
        version: int,
        source: Json,
        exact: Iterable[tuple[str, Value]],
        texts: Mapped[str, Sequence[str]],
        vectors: Mapped[str, Sequence[Passage]],
    ) -> int:
        """Store a document under an unused id, and return the number of the change."""
        seq = self.next_write()
        for path in filter(self._separates_vectors, vectors):
            source = replace_value(source, path.split("."), None)
        row = (doc_id, version, seq, orjson.dumps(source))
        doc = self._database.insert(f"INSERT INTO docs_{self.number} (id, version, seq, source) VALUES (?, ?, ?, ?)", row)
        self._run("INSERT INTO exact_{0} VALUES (?, ?, ?)", [(path, value, doc) for path, value in dict.fromkeys(exact)])
        words = []
        for path, values in texts.items():
            terms_by_value = [terms(value) for value in values]
            self._run("INSERT OR IGNORE INTO paths_{0} (path) VALUES (?)", [(path,)])
            number = self._path_number(path)
            words += [" ".join(encode_word(number, term) for term in value_terms) for value_terms in terms_by_value]
            self._run("INSERT INTO lengths_{0} VALUES (?, ?, ?)", [(path, doc, sum(map(len, terms_by_value)))])
        if words:
            self._run("INSERT INTO words_{0} (rowid, words) VALUES (?, ?)", [(doc, GAP.join(words))])
        for path, passages in vectors.items():
            if passages:
                rows = [(path, doc, passage.text, passage.vector.tobytes()) for passage in passages]
                self._run("INSERT INTO vectors_{0} VALUES (?, ?, ?, ?)", rows)
                self._update_cache(path, doc, np.stack([passage.vector for passage in passages]))
        return seq

    def remove(self, doc: int) -> None:
        """Delete a document."""
        for path in list(self._vectors):
            self._update_cache(path, doc, None)
        for table in ("docs", "exact", "lengths", "vectors"):
            self._run(f"DELETE FROM {table}_{{0}} WHERE doc = ?", [(doc,)])
        self._run("DELETE FROM words_{0} WHERE rowid = ?", [(doc,)])

    def _path_number(self, path: str) -> int:
        """Return the number of a text field; 0 if no document has it yet."""
        rows = self._rows("SELECT number FROM paths_{0} WHERE path = ?", (path,))
        return int(rows[0][0]) if rows else 0

    # Lookups for queries

    def all_docs(self) -> list[int]:
        """Return all documents, oldest first."""
        return [doc for (doc,) in self._rows("SELECT doc FROM docs_{0} ORDER BY doc")]

    def with_field(self, path: str) -> list[int]:
        """Return the documents that have a value in a field."""
        tables = "SELECT doc FROM exact_{0} WHERE path = ?1 UNION SELECT doc FROM lengths_{0} WHERE path = ?1"
        rows = self._rows(f"{tables} UNION SELECT doc FROM vectors_{{0}} WHERE path = ?1", (path,))
        return [doc for (doc,) in rows]

    def with_id(self, ids: Sequence[str]) -> list[int]:
        """Return the documents with these ids."""
        rows = self._rows("SELECT doc FROM docs_{0} WHERE id IN (SELECT value FROM json_each(?))", (orjson.dumps(ids).decode(),))
        return [doc for (doc,) in rows]

    def between(self, path: str, bounds: Sequence[tuple[str, Value]]) -> list[int]:
        """Return the documents with a value within bounds; a bound is an SQL operator and its operand."""
        conditions = "".join(f" AND value {operator} ?" for operator, _ in bounds)
        rows = self._rows(
            f"SELECT DISTINCT doc FROM exact_{{0}} WHERE path = ?{conditions}", (path, *(value for _, value in bounds))
        )
        return [doc for (doc,) in rows]

    def extremes(self, path: str, *, highest: bool) -> dict[int, Value]:
        """Return the lowest or highest value of a field by document."""
        chosen = "max" if highest else "min"
        return dict(self._rows(f"SELECT doc, {chosen}(value) FROM exact_{{0}} WHERE path = ? GROUP BY doc", (path,)))

    def value_statistics(self, path: str) -> tuple[int, int]:
        """Return the number of documents with a value in a field, and the number of values."""
        ((docs, values),) = self._rows("SELECT count(DISTINCT doc), count(*) FROM exact_{0} WHERE path = ?", (path,))
        return int(docs), int(values)

    def text_statistics(self, path: str) -> tuple[int, int]:
        """Return the number of documents with a word in a field, and the number of words."""
        ((docs, words),) = self._rows(
            "SELECT count(*), ifnull(sum(length), 0) FROM lengths_{0} WHERE path = ? AND length > 0", (path,)
        )
        return int(docs), int(words)

    def occurrences(self, path: str, term: str) -> list[tuple[int, int, int]]:
        """Return the documents with a word in a field, its number of occurrences, and the length of the field in words."""
        word = encode_word(self._path_number(path), term)
        return self._rows(
            "SELECT found.doc, found.times, lengths.length FROM "
            "(SELECT doc, count(*) AS times FROM vocabulary_{0} WHERE term = ?1 GROUP BY doc) AS found "
            "JOIN lengths_{0} AS lengths ON lengths.path = ?2 AND lengths.doc = found.doc",
            (word, path),
        )

    def positions(self, path: str, term: str) -> list[tuple[int, int]]:
        """Return the document and position of every occurrence of a word in a field."""
        word = encode_word(self._path_number(path), term)
        return self._rows("SELECT doc, offset FROM vocabulary_{0} WHERE term = ?", (word,))

    def passages(self, path: str, doc: int) -> list[Passage]:
        """Return the embedded passages of a field in a document, in order."""
        rows = self._rows("SELECT text, vector FROM vectors_{0} WHERE doc = ? AND path = ? ORDER BY rowid", (doc, path))
        return [Passage(text, np.frombuffer(vector, dtype=np.float32)) for text, vector in rows]

    def clear_cache(self) -> None:
        """Discard the cached vectors; they are read from the database when next used."""
        self._vectors.clear()
        self._matrices.clear()

    def matrix(self, path: str) -> Matrix:
        """Return the vectors of a field."""
        with self._database.lock:
            if path not in self._matrices:
                self._matrices[path] = stack(self._load(path))
            return self._matrices[path]

    def _load(self, path: str) -> dict[int, Array]:
        if path not in self._vectors:
            rows: dict[int, list[Array]] = {}
            for doc, vector in self._rows("SELECT doc, vector FROM vectors_{0} WHERE path = ? ORDER BY rowid", (path,)):
                rows.setdefault(doc, []).append(np.frombuffer(vector, dtype=np.float32))
            self._vectors[path] = {doc: np.stack(vectors) for doc, vectors in rows.items()}
        return self._vectors[path]

    def _update_cache(self, path: str, doc: int, vectors: Array | None) -> None:
        self._matrices.pop(path, None)
        if path in self._vectors:  # otherwise they are read from the database on first use
            if vectors is None:
                self._vectors[path].pop(doc, None)
            else:
                self._vectors[path][doc] = vectors


def replace_value(node: Any, names: Sequence[str], value: Any) -> Any:
    """Return a copy of a source with another value at a path, which a key may spell with dots."""
    if isinstance(node, list):
        return [replace_value(element, names, value) for element in node]
    if isinstance(node, dict):
        for cut in range(1, len(names) + 1):
            if (name := ".".join(names[:cut])) in node:
                return node | {name: replace_value(node[name], names[cut:], value) if names[cut:] else value}
    return node


def encode_word(number: int, term: str) -> str:
    """Return a word as stored in FTS5: in ASCII letters, digits and `_`, which its tokeniser does not split."""
    return f"{number}_{term}" if term.isascii() and term.isalnum() else f"{number}__{term.encode('utf-8', 'replace').hex()}"
