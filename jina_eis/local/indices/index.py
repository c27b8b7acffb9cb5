"""An index: stores its documents, and looks up their values, words and vectors; and several indices as one.

Knows the tables of an index, FTS5 as its inverted index of words, the matrices of its vectors, and when searches see a write;
must not know queries or requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import orjson

from ..inference import Array
from ..refusals import Json, TimeLimit, index_not_found
from .analysis import terms
from .database import Database
from .documents import Document, read_document
from .mapping import Field, Mapping
from .schema import COUNT_VALUES, COUNT_WORDS, CURRENT, OCCURRENCES, VECTORS, WITH_FIELD
from .values import Value
from .vectors import Matrix, scale_back, stack

T = TypeVar("T")
Clock = Callable[[], float]  # returns seconds that only grow

IDLE_SECONDS = 30.0  # an index without `refresh_interval` that was not searched for so long is refreshed by the next search
TOMBSTONE_SECONDS = 60.0  # how long the version of a deleted document is remembered
SHIFT = 40  # bits for the number of a document in its index, where several are searched
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


@dataclass(eq=False, slots=True)
class Index:
    """An index with its documents and lookups.

    Attributes:
        writes: How often its documents changed.
    """

    _database: Database
    _clock: Clock
    number: int
    name: str
    uuid: str
    created: int
    settings: Json
    mapping: Mapping
    writes: int = 0
    dropped: bool = False
    _written: float = 0.0  # when the first change since the last refresh was written
    _unseen: dict[int, Document] = field(default_factory=dict)  # that searches do not see yet
    _tombstones: dict[str, tuple[int, float]] = field(default_factory=dict)
    _vectors: dict[str, dict[int, Array]] = field(default_factory=dict)
    _matrices: dict[str, Matrix] = field(default_factory=dict)
    _searched: float = field(init=False)  # when it was searched last
    _refreshed: int = field(init=False)  # the number of changes that searches see

    def __post_init__(self) -> None:
        self._searched, self._refreshed = self._clock(), self.writes

    @property
    def hides_vectors(self) -> bool:
        """Whether its sources are returned without vectors."""
        return self.settings.get("mapping", {}).get("exclude_source_vectors", True) in (True, "true")

    @property
    def shards(self) -> Json:
        """The shards of a write: this node has no replica."""
        return {"total": 1 + int(self.settings.get("number_of_replicas") or 1), "successful": 1, "failed": 0}

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a statement; `{0}` in it is the number of the index."""
        with self._database.lock:
            if self.dropped:
                raise index_not_found(self.name)
            return self._database.rows(statement.format(self.number), parameters)

    def _docs(self, statement: str, parameters: Sequence[Any] = ()) -> list[int]:
        return [doc for (doc,) in self._rows(statement, parameters)]

    def _run(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._database.run(statement.format(self.number), rows)

    # Documents

    def keep(self, mapping: Mapping) -> None:
        """Replace the mapping, and store the number of changes."""
        root = orjson.dumps(mapping.root)
        self._run("UPDATE indices SET mapping = ?, writes = ? WHERE number = {0}", [(root, self.writes)])
        self.mapping = mapping

    def stored(self, doc_id: str) -> StoredDocument | None:
        """Return the document with this id, whether searches see it or not, or None."""
        rows = self._rows(CURRENT, (doc_id,))
        return self.complete(StoredDocument.of(rows[0])) if rows else None

    def deleted_version(self, doc_id: str) -> int:
        """Return the version of a document that was deleted lately; 0 if there was none."""
        version, when = self._tombstones.get(doc_id, (0, 0.0))
        return version if self._clock() - when < TOMBSTONE_SECONDS else 0

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
        found, kept = self.mapping.fields.get(path), self.settings.get("mapping", {}).get("exclude_source_vectors") == "false"
        return not kept and found is not None and found.kind == "dense_vector" and found.settings["index"]

    def add(
        self, doc_id: str, version: int, source: Json, document: Document, vectors: Mapped[str, Sequence[Passage]]
    ) -> tuple[int, bool]:
        """Store a document; return the number of the change, and whether there was none with this id."""
        created, seq = not self._remove(doc_id), self._next_write()
        doc = self.writes  # above those of all earlier documents
        for path in filter(self._separates_vectors, vectors):
            source = replace_value(source, path.split("."), None)
        self._rows("INSERT INTO new_{0} VALUES (?, ?, ?, ?, ?)", (doc, doc_id, version, seq, orjson.dumps(source)))
        rows = [(path, doc, passage.text, passage.vector.tobytes()) for path, passages in vectors.items() for passage in passages]
        self._run("INSERT INTO vectors_{0} VALUES (?, ?, ?, ?)", rows)
        document.vectors, document.semantic = {}, {}  # they are stored
        self._unseen[doc] = document
        return seq, created

    def delete(self, doc_id: str, version: int) -> tuple[int, bool]:
        """Delete a document and remember its version; return the number of the change, and whether there was a document."""
        found = self._remove(doc_id)
        self._tombstones[doc_id] = (version, self._clock())
        return self._next_write(), found

    def _next_write(self) -> int:
        if self.writes == self._refreshed:
            self._written = self._clock()
        self.writes += 1
        return self.writes - 1

    def _remove(self, doc_id: str) -> bool:
        rows = self._rows(CURRENT.replace(", id, version, seq, source", ""), (doc_id,))
        for row in rows:
            self._rows("INSERT INTO gone_{0} VALUES (?)", row)
            self._rows("DELETE FROM new_{0} WHERE doc = ?", row)
        return bool(rows)

    # Refreshes

    def refresh(self) -> None:
        """Let searches see all changes."""
        with self._database.transaction():
            gone, new = (self._rows(f"SELECT doc FROM {table}_{{0}} ORDER BY doc") for table in ("gone", "new"))
            self._refreshed = self.writes
            if not gone and not new:
                return
            for table, number in (*((table, "doc") for table in ("docs", "exact", "lengths", "vectors")), ("words", "rowid")):
                self._run(f"DELETE FROM {table}_{{0}} WHERE {number} = ?", gone)
            self._add_words_and_values([doc for (doc,) in new])
            self._rows("INSERT INTO docs_{0} SELECT * FROM new_{0}")
            self._rows("DELETE FROM new_{0}")
            self._rows("DELETE FROM gone_{0}")
            for vectors in self._vectors.values():
                for (doc,) in gone:
                    vectors.pop(doc, None)
            self._matrices.clear()
            self._unseen.clear()

    def refresh_if_due(self) -> None:
        """Refresh before a search, if Elasticsearch had refreshed by now."""
        now, interval = self._clock(), self.settings.get("refresh_interval")
        idle, self._searched = interval is None and now - self._searched > IDLE_SECONDS, now
        if self.writes == self._refreshed or interval in ("-1", "0"):
            return
        if idle or now - self._written >= TimeLimit.parse(interval or "1s").seconds:
            self.refresh()

    def _add_words_and_values(self, docs: Sequence[int]) -> None:
        exact: list[tuple[str, Value, int]] = []
        lengths: list[tuple[str, int, int]] = []
        words: dict[int, list[str]] = defaultdict(list)
        numbers: dict[str, int] = {}
        for doc in docs:
            document = self._unseen.get(doc) or self._read_again(doc)
            exact += [(path, value, doc) for path, value in dict.fromkeys(document.exact)]
            for path, contents in document.texts.items():
                if path not in numbers:
                    self._rows("INSERT OR IGNORE INTO paths_{0} (path) VALUES (?)", (path,))
                    numbers[path] = self._path_number(path)
                terms_by_value = [terms(text) for text in contents]
                words[doc] += [" ".join(encode_word(numbers[path], term) for term in found) for found in terms_by_value]
                lengths.append((path, doc, sum(map(len, terms_by_value))))
        self._run("INSERT INTO exact_{0} VALUES (?, ?, ?)", exact)
        self._run("INSERT INTO lengths_{0} VALUES (?, ?, ?)", lengths)
        self._run("INSERT INTO words_{0} (rowid, words) VALUES (?, ?)", [(doc, GAP.join(found)) for doc, found in words.items()])

    def _read_again(self, doc: int) -> Document:
        """Read a new document that another process wrote."""
        (row,) = self._rows("SELECT doc, id, version, seq, source FROM new_{0} WHERE doc = ?", (doc,))
        stored = self.complete(StoredDocument.of(row))
        return read_document(self.mapping, stored.id, stored.source)

    def _path_number(self, path: str) -> int:
        """Return the number of a text field; 0 if no document has it yet."""
        rows = self._rows("SELECT number FROM paths_{0} WHERE path = ?", (path,))
        return int(rows[0][0]) if rows else 0

    # Lookups for queries

    def all_docs(self) -> list[int]:
        """Return all documents, oldest first."""
        return self._docs("SELECT doc FROM docs_{0} ORDER BY doc")

    def with_field(self, path: str) -> list[int]:
        """Return the documents that have a value in a field."""
        return self._docs(WITH_FIELD, (path,))

    def with_id(self, ids: Sequence[str]) -> list[int]:
        """Return the documents with these ids."""
        listed = (orjson.dumps(ids).decode(),)
        return self._docs("SELECT doc FROM docs_{0} WHERE id IN (SELECT value FROM json_each(?))", listed)

    def between(self, path: str, bounds: Sequence[tuple[str, Value]]) -> list[int]:
        """Return the documents with a value within bounds; a bound is an SQL operator and its operand."""
        conditions = "".join(f" AND value {operator} ?" for operator, _ in bounds)
        operands = (path, *(value for _, value in bounds))
        return self._docs(f"SELECT DISTINCT doc FROM exact_{{0}} WHERE path = ?{conditions}", operands)

    def extremes(self, path: str, *, highest: bool) -> dict[int, Value]:
        """Return the lowest or highest value of a field by document."""
        chosen = "max" if highest else "min"
        return dict(self._rows(f"SELECT doc, {chosen}(value) FROM exact_{{0}} WHERE path = ? GROUP BY doc", (path,)))

    def statistics(self, field: Field) -> tuple[int, int]:
        """Return the number of documents with a value in a field, and the number of values; of words, if it is a text."""
        ((docs, values),) = self._rows(COUNT_WORDS if field.kind == "text" else COUNT_VALUES, (field.path,))
        return docs, values

    def occurrences(self, path: str, term: str) -> list[tuple[int, int, int]]:
        """Return the documents with a word in a field, its number of occurrences, and the length of the field in words."""
        return self._rows(OCCURRENCES, (encode_word(self._path_number(path), term), path))

    def positions(self, path: str, term: str) -> list[tuple[int, int]]:
        """Return the document and position of every occurrence of a word in a field."""
        word = encode_word(self._path_number(path), term)
        return self._rows("SELECT doc, offset FROM vocabulary_{0} WHERE term = ?", (word,))

    def passages(self, path: str, doc: int) -> list[Passage]:
        """Return the embedded passages of a field in a document, in order."""
        rows = self._rows("SELECT text, vector FROM vectors_{0} WHERE doc = ? AND path = ? ORDER BY rowid", (doc, path))
        return [Passage(text, np.frombuffer(vector, dtype=np.float32)) for text, vector in rows]

    def matrix(self, path: str) -> Matrix:
        """Return the vectors of a field."""
        with self._database.lock:
            if path not in self._matrices:
                vectors, rows = self._vectors.setdefault(path, {}), defaultdict(list)
                last = max(vectors, default=-1)  # what a refresh adds has higher numbers
                for doc, vector in self._rows(VECTORS, (path, last)):
                    rows[doc].append(np.frombuffer(vector, dtype=np.float32))
                vectors |= {doc: np.stack(found) for doc, found in rows.items()}
                self._matrices[path] = stack(vectors)
            return self._matrices[path]


@dataclass(frozen=True, slots=True)
class Indices:
    """The indices that a name, a list or a pattern stands for, maybe none. A document has the number of its index and its own.

    Attributes:
        name: What was requested.
        parts: The indices.
    """

    name: str
    parts: Sequence[Index]

    @property
    def names(self) -> list[str]:
        """The names of the indices."""
        return [part.name for part in self.parts]

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of all; of two with one path, that of the first index."""
        return {path: field for part in reversed(self.parts) for path, field in part.mapping.fields.items()}

    @property
    def shards(self) -> Json:
        """The shards of a search."""
        return {"total": len(self.parts), "successful": len(self.parts), "skipped": 0, "failed": 0}

    def join(self, results: Iterable[Mapped[int, T]]) -> dict[int, T]:
        """Return the results of each index, by document, as those of all."""
        return {(number << SHIFT) + doc: value for number, found in enumerate(results) for doc, value in found.items()}

    def owner(self, doc: int) -> Index:
        """Return the index of a document."""
        return self.parts[doc >> SHIFT]

    def documents(self, docs: Sequence[int]) -> dict[int, StoredDocument]:
        """Return the documents with these numbers; each holds its number in its own index."""
        return self.join(
            part.documents([_local(doc) for doc in docs if doc >> SHIFT == number]) for number, part in enumerate(self.parts)
        )

    def passages(self, path: str, doc: int) -> list[Passage]:
        """Return the embedded passages of a field in a document, in order."""
        return self.owner(doc).passages(path, _local(doc))


def _local(doc: int) -> int:
    return doc & ((1 << SHIFT) - 1)


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
