"""The tables of the database, and the longer statements on them: SQL. `{0}` is the number of an index."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS indices (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, uuid TEXT NOT NULL, created INTEGER NOT NULL,
    settings BLOB NOT NULL, mapping BLOB NOT NULL, writes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS aliases (alias TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (alias, name));
CREATE TABLE IF NOT EXISTS endpoints (id TEXT PRIMARY KEY, definition BLOB NOT NULL);
"""

# Each index has its own tables, so that deleting it is fast. Searches see the documents of `docs`; a refresh moves those of `new`
# there, and deletes those of `gone`. A word is stored as `<number of its field>_<word>`.
COLUMNS = "id TEXT UNIQUE NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL, source BLOB NOT NULL"
LENGTHS = "path TEXT NOT NULL, doc INTEGER NOT NULL, length INTEGER NOT NULL"
CREATE = f"""
CREATE TABLE IF NOT EXISTS docs_{{0}} (doc INTEGER PRIMARY KEY AUTOINCREMENT, {COLUMNS});
CREATE TABLE IF NOT EXISTS new_{{0}} (doc INTEGER PRIMARY KEY, {COLUMNS});
CREATE TABLE IF NOT EXISTS gone_{{0}} (doc INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS exact_{{0}} (path TEXT NOT NULL, value NOT NULL, doc INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS exact_value_{{0}} ON exact_{{0}} (path, value, doc);
CREATE INDEX IF NOT EXISTS exact_doc_{{0}} ON exact_{{0}} (doc);
CREATE TABLE IF NOT EXISTS paths_{{0}} (number INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS lengths_{{0}} ({LENGTHS}, PRIMARY KEY (path, doc)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lengths_doc_{{0}} ON lengths_{{0}} (doc);
CREATE TABLE IF NOT EXISTS vectors_{{0}} (path TEXT NOT NULL, doc INTEGER NOT NULL, text TEXT, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS vectors_doc_{{0}} ON vectors_{{0}} (doc);
CREATE VIRTUAL TABLE IF NOT EXISTS words_{{0}} USING fts5 (words, columnsize = 0, tokenize = "ascii tokenchars '_'");
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary_{{0}} USING fts5vocab ('words_{{0}}', 'instance');
"""
TABLES = ("vocabulary", "words", "docs", "new", "gone", "exact", "paths", "lengths", "vectors")
CURRENT = """
SELECT doc, id, version, seq, source FROM new_{0} WHERE id = ?1
UNION ALL SELECT doc, id, version, seq, source FROM docs_{0} WHERE id = ?1 AND doc NOT IN gone_{0}
"""

# The documents with a value in a field; the numbers of documents and words of a text field; the documents with a word.
WITH_FIELD = """
SELECT doc FROM exact_{0} WHERE path = ?1 UNION SELECT doc FROM lengths_{0} WHERE path = ?1
UNION SELECT doc FROM vectors_{0} WHERE path = ?1 AND doc IN (SELECT doc FROM docs_{0})
"""
COUNT_VALUES = "SELECT count(DISTINCT doc), count(*) FROM exact_{0} WHERE path = ?"
COUNT_WORDS = "SELECT count(*), ifnull(sum(length), 0) FROM lengths_{0} WHERE path = ? AND length > 0"
OCCURRENCES = """
SELECT found.doc, found.times, lengths.length FROM
(SELECT doc, count(*) AS times FROM vocabulary_{0} WHERE term = ?1 GROUP BY doc) AS found
JOIN lengths_{0} AS lengths ON lengths.path = ?2 AND lengths.doc = found.doc
"""
# The vectors of a field in the documents above a number.
VECTORS = "SELECT doc, vector FROM vectors_{0} WHERE path = ? AND doc > ? AND doc IN (SELECT doc FROM docs_{0}) ORDER BY rowid"
