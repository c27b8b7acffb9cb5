"""The rows of input files: JSON lines, CSV, Parquet and text. Everything is checked before anything is sent."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..adapters import content_id
from ..errors import InputError
from ..steps import estimate_tokens
from ..wire import well_formed
from .columns import load

__all__ = ["Row", "Scan", "Source"]

DIGEST_LENGTH = 40  # hexadecimal digits of SHA-256: 160 bits
TEXT_FILES = (".txt", ".text", ".md", ".markdown", ".rst")
PARQUET_ROWS = 1_024  # in memory
FIRST_ROWS = 100  # of JSON lines, of which at least one has the column: a single row may lack it
LONGEST_CELL = 2**31 - 1  # of a CSV file, in characters; Python's default is 131,072


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an input.

    Attributes:
        id: The value of the id column; None without one.
        text: The text, as UTF-8 can encode it; None if it is missing.
        problem: Why the value of the text column cannot be embedded; None if it can.
        rest: The other columns.
        place: Where the row is: the file, and its line or row.
    """

    id: str | None
    text: str | None
    problem: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    @property
    def key(self) -> str:
        """The id; without an id column, the digest of the text."""
        return content_id(self.text or "", {}) if self.id is None else self.id


@dataclass(frozen=True, slots=True)
class Scan:
    """What a pass over all rows has found.

    Attributes:
        rows: Number of rows.
        texts: Number of rows with a text.
        tokens: Estimated tokens of all texts; None if they were not counted.
        digest: Digest of the ids and texts, in order.
    """

    rows: int
    texts: int
    tokens: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Source:
    """Input files, read in order.

    Args:
        paths: Files with the suffix .jsonl or .ndjson, .csv or .tsv, .parquet, or of a text file (.txt, .md, .rst).
        column: The column with the texts.
        id_column: The column with the ids: strings or whole numbers. None for ids made of the content.
        lines: Whether each line of a text file is a text. Empty lines are skipped. Otherwise, a file is one text.
        limit: Maximum number of rows; None for all.
        separator: The character between the cells of .csv and .tsv files; None for a comma, or a tab in .tsv.

    Raises:
        InputError: a path is not a file, or has another suffix; the separator is not one character.
    """

    paths: Sequence[Path]
    column: str = "text"
    id_column: str | None = None
    lines: bool = False
    limit: int | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and (len(self.separator) != 1 or self.separator in '"\r\n'):
            raise InputError(f"The separator {self.separator!r} is not one character, such as ';'.")
        for path in self.paths:
            if path.exists() and not path.is_file():
                raise InputError(f"{path} is not a file. Pass files, such as {path}/*.jsonl.")
            if path.suffix.lower() not in READERS:
                array = path.suffix.lower() == ".json"
                advice = (
                    "Write one object a line: jq -c '.[]' FILE.json > FILE.jsonl" if array else f"Pass {', '.join(READERS)} files"
                )
                raise InputError(f"{path}: files of this type are not read. {advice}.")

    def rows(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            InputError: a file cannot be parsed, lacks a column, or has a row without a valid id; the error names the place.
            OSError: a file cannot be read.
        """
        return islice((row for path in self.paths for row in READERS[path.suffix.lower()](self, path)), self.limit)

    def scan(self, *, count_tokens: bool = False) -> Scan:
        """Read all rows once, and return their number and digest. Raises what `rows` raises."""
        digest = hashlib.sha256()
        number = texts = estimated = 0
        for number, row in enumerate(self.rows(), 1):  # noqa: B007 - the last number is used
            digest.update(json.dumps([row.id, row.text, row.problem]).encode() + b"\n")
            if row.problem is None:
                texts += 1
                estimated += estimate_tokens(row.text or "") if count_tokens else 0
        return Scan(number, texts, estimated if count_tokens else None, digest.hexdigest()[:DIGEST_LENGTH])

    def state(self) -> list[tuple[int, int, int]]:
        """Return what changes when a file is written: size, time and inode of each."""
        stats = [os.stat(path) for path in self.paths]
        return [(stat.st_size, stat.st_mtime_ns, stat.st_ino) for stat in stats]

    def _row(self, values: Mapping[str, Any], place: str) -> Row:
        if self.id_column is None:
            id_ = None
        else:
            value = values.get(self.id_column)
            if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
                raise InputError(
                    f"{place}: the id in column {self.id_column!r} is {value!r}. Every row needs a text or whole number."
                )
            id_ = well_formed(str(value))
        text = values.get(self.column)
        rest = {name: value for name, value in values.items() if name not in (self.column, self.id_column)}
        if isinstance(text, str):
            return Row(id_, well_formed(text), None, rest, place)
        if text is None:
            return Row(id_, None, "The text is missing.", rest, place)
        problem = f"The value is not a text but of type {type(text).__name__}."
        return Row(id_, well_formed(str(text)), problem, rest, place)

    def _check_columns(self, names: Sequence[str], path: Path) -> None:
        for flag, name in (("--column", self.column), ("--id-column", self.id_column)):
            if name is not None and names.count(name) != 1:
                problem = "several columns" if name in names else "no column"
                columns = ", ".join(map(repr, names)) or "none"
                raise InputError(f"{path} has {problem} {name!r}. Its columns: {columns}. {_separator_of(names, flag)}")


def _json_lines(source: Source, path: Path) -> Iterator[Row]:
    objects = _json_objects(path)
    first = list(islice(objects, min(FIRST_ROWS, source.limit or FIRST_ROWS)))
    if first:
        source._check_columns(list(dict.fromkeys(chain.from_iterable(values for _, values in first))), path)
    for place, values in chain(first, objects):
        yield source._row(values, place)


def _json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, line in _lines(path):
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InputError(f"{place} is not JSON: {error}.") from None
        if not isinstance(values, dict):
            raise InputError(f'{place} is not a JSON object. Each line is one row, such as {{"text": "Glaciers flow."}}.')
        yield place, values


def _csv(source: Source, path: Path) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        separator = source.separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
        reader = csv.DictReader(file, delimiter=separator, strict=True)
        try:
            if reader.fieldnames is None:
                return
            source._check_columns(list(reader.fieldnames), path)
            for values in reader:
                place = f"{path}, line {reader.line_num}"
                if None in values or None in values.values():
                    raise InputError(f"{place}: the row has {'more' if None in values else 'fewer'} cells than the header.")
                yield source._row(values, place)
        except UnicodeDecodeError:
            raise _not_utf8(path) from None
        except csv.Error as error:
            advice = "A cell with a quote, a separator or a line break is quoted, and quotes inside it are doubled."
            raise InputError(f"{path}, line {reader.reader.line_num}: {error}. {advice}") from None


def _parquet(source: Source, path: Path) -> Iterator[Row]:
    pa, parquet = load("pyarrow"), load("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            source._check_columns(file.schema_arrow.names, path)
            number = 0
            for batch in file.iter_batches(PARQUET_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield source._row(values, f"{path}, row {number}")
    except pa.ArrowException as error:
        raise InputError(f"{path} cannot be read as Parquet: {str(error).rstrip('.')}.") from None


def _text(source: Source, path: Path) -> Iterator[Row]:
    if source.id_column is not None:
        raise InputError(f"{path} is a text file and has no columns. Leave --id-column out, or pass the path as a JSON line.")
    if source.lines:
        for place, line in _lines(path):
            yield Row(None, well_formed(line.rstrip("\r\n")), place=place)
    else:
        try:
            yield Row(None, path.read_text(encoding="utf-8-sig"), place=str(path))
        except UnicodeDecodeError:
            raise _not_utf8(path) from None


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines that are not empty, each with its place."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", line
        except UnicodeDecodeError:
            raise _not_utf8(path) from None


def _separator_of(names: Sequence[str], flag: str) -> str:
    """Return what to do about a header without a column."""
    found = next((mark for mark in (";", "\t", "|", ",") if len(names) == 1 and mark in names[0]), None)
    return f"Choose one with {flag}." if found is None else f"If {found!r} separates the cells, pass it as --separator."


def _not_utf8(path: Path) -> InputError:
    return InputError(f"{path} is not UTF-8 text. Convert it, or leave it out.")


READERS: dict[str, Callable[[Source, Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
    **dict.fromkeys(TEXT_FILES, _text),
}
