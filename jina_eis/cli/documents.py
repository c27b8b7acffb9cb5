"""What `jina-eis demo --docs` reads: text, Markdown, HTML and PDF files, cut into passages; and what it leaves out, by reason."""

from __future__ import annotations

import codecs
import logging
import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from ..adapters import text_layer
from ..errors import InputError
from .output import log_level

__all__ = ["LIMIT", "PASSAGE", "SUFFIXES", "Documents", "paragraphs", "read", "read_docs", "split"]

PASSAGE = 500  # characters, about 100 tokens
LIMIT = 2000  # passages; the stand-in embeds them in some minutes
_HTML = {".htm", ".html", ".xhtml"}
SUFFIXES = {".md", ".markdown", ".rst", ".txt", ".pdf", *_HTML}
"""The endings of the files that are read from folders. A file that is named is read whatever its ending."""

_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "site-packages", "venv"}  # files of programs, thousands of them
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before that of UTF-16, which it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"""<(?:meta|\?xml)\b[^>]*?(?:charset|encoding)\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_NO_TEXT = "not text, or not UTF-8"
_MOST_ACCENTS = 0.3  # of the letters: more in a guessed encoding is another alphabet
_INLINE = re.compile(
    r"a|abbr|b|bdi|bdo|cite|code|data|dfn|em|font|i|kbd|mark|q|s|samp|small|span|strong|sub|sup|time|tt|u|var|wbr"
)


class _LeftOutError(Exception):
    """A file that is not read. The text is the reason."""


@dataclass(slots=True)
class Documents:
    """Passages, a map of text to the name of the file, and what was left out."""

    passages: dict[str, str] = field(default_factory=dict)
    files: int = 0
    cut: bool = False
    guessed: list[str] = field(default_factory=list)
    suffixes: Counter[str] = field(default_factory=Counter)
    others: dict[str, list[str]] = field(default_factory=dict)

    def summary(self) -> str:
        """Return one line: how many passages of how many files, and what was left out, by reason."""
        parts = [f"{_count(len(self.passages), 'passage')} of {_count(self.files, 'file')}"]
        if self.cut:
            parts[0] = f"the first {parts[0]} (--limit)"
        if left_out := self.left_out():
            parts.append(f"left out: {left_out}")
        if self.guessed:
            parts.append(f"read as Windows-1252, since not UTF-8: {_names(self.guessed)}")
        return "; ".join(parts)

    def left_out(self) -> str:
        """Return the reasons, each with the number of files."""
        reasons = [", ".join(f"{count} {suffix}" for suffix, count in sorted(self.suffixes.items())) + " (not text for reading)"]
        reasons = reasons if self.suffixes else []
        reasons += [f"{len(names)} {reason} ({_names(names)})" for reason, names in self.others.items()]
        return ", ".join(reasons)


def read(paths: Iterable[Path], limit: int = LIMIT) -> Documents:
    """Read files and folders, up to `limit` passages. What cannot be read is left out.

    Raises:
        InputError: no file contains text; the message lists the reasons.
        OSError: a file that was named does not exist or cannot be read.
    """
    documents, paths = Documents(), list(paths)
    for name, path in _files(paths, documents):
        remaining = limit - len(documents.passages)
        if remaining <= 0:
            documents.cut = True
            break
        try:
            passages = list(_passages(name, path, remaining + 1, documents))
        except _LeftOutError as reason:
            documents.others.setdefault(str(reason), []).append(name)
            continue
        except OSError:
            if path in paths:
                raise
            documents.others.setdefault("not readable", []).append(name)
            continue
        documents.files += 1
        for passage, source in passages[:remaining]:
            documents.passages.setdefault(passage, source)
        documents.cut |= len(passages) > remaining
    if not documents.passages:
        left_out = documents.left_out()
        raise InputError(
            f"There is no text in --docs{f'; left out: {left_out}' if left_out else ''}. "
            f"Pass files, or folders with {', '.join(sorted(SUFFIXES))} files."
        )
    return documents


def read_docs(paths: Iterable[Path]) -> dict[str, str]:
    """A map of text to file name: the passages of files, and of the files in folders. Raises what `read` raises."""
    return read(paths).passages


def split(text: str, size: int = PASSAGE) -> list[str]:
    """Split a text into passages of about `size` characters, between paragraphs. Longer paragraphs are split between words."""
    passages = [""]
    for paragraph in paragraphs(text):
        for piece in textwrap.wrap(" ".join(paragraph.split()), size):
            if len(passages[-1]) + len(piece) > size and len(passages[-1]) > size // 4:  # a heading stays with its text
                passages.append("")
            passages[-1] = f"{passages[-1]}\n{piece}".lstrip()
    return [passage for passage in passages if passage]


def paragraphs(text: str) -> list[str]:
    """Split a text at its empty lines."""
    return re.split(r"\n\s*\n", text)


def _files(paths: Iterable[Path], documents: Documents) -> Iterator[tuple[str, Path]]:
    """Yield the name and path of each file to read; count the others. Hidden files and links to folders are skipped."""
    for root in paths:
        if not root.is_dir():
            yield root.name, root
            continue
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
            for path in (Path(folder, name) for name in sorted(files) if not name.startswith(".")):
                if not os.path.isfile(path):  # a link to nothing; a pipe, which would be read for ever
                    documents.others.setdefault("not a file", []).append(str(path.relative_to(root)))
                elif path.suffix.lower() in SUFFIXES:
                    yield str(path.relative_to(root)), path
                else:
                    documents.suffixes[path.suffix.lower() or "without ending"] += 1


def _passages(name: str, path: Path, most: int, documents: Documents) -> Iterator[tuple[str, str]]:
    """Yield at most `most` passages of a file, each with its source."""
    with path.open("rb") as file:
        is_pdf = file.read(1024).lstrip().startswith(b"%PDF-")
    sections = _pdf_pages(name, path) if is_pdf else iter([(name, _text(name, path, documents))])
    found = 0
    for source, text in sections:
        for passage in split(text[: 2 * PASSAGE * most]):  # a passage is shorter than this, and a file may be of any size
            yield passage, source
            found += 1
            if found == most:
                return
    if not found:
        raise _LeftOutError("PDF without text" if is_pdf else "empty")


def _pdf_pages(name: str, path: Path) -> Iterator[tuple[str, str]]:
    with log_level("pypdf", logging.CRITICAL):  # it warns of what it repairs
        try:
            for number, text in enumerate(text_layer(path), 1):
                yield f"{name} p. {number}", text
        except InputError as error:
            raise _LeftOutError("PDF with a password" if "password" in str(error) else "damaged PDF") from error
        except ImportError as error:
            raise _LeftOutError('PDF, which needs pip install "jina-eis[pdf]"') from error


def _text(name: str, path: Path, documents: Documents) -> str:
    data = path.read_bytes()
    known = _decode(data)
    text = _decode_as_windows_1252(data) if known is None else known
    if _CONTROL.search(text):
        raise _LeftOutError(_NO_TEXT)
    if known is None:
        documents.guessed.append(name)
    if path.suffix.lower() not in _HTML:
        return text
    page = _Page()
    page.feed(text)
    page.close()
    return "".join(page.text)


def _decode(data: bytes) -> str | None:
    """Decode text by its byte order mark, by the encoding that a page names, or as UTF-8. None: it is something else."""
    encodings = [encoding for mark, encoding in _BOMS if data.startswith(mark)][:1] or ["utf-8"]
    if charset := _CHARSET.search(data[:2048]):
        encodings.append(charset[1].decode())
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):  # LookupError: an encoding that does not exist
            continue
    return None


def _decode_as_windows_1252(data: bytes) -> str:
    """Decode text in the former encoding of western Europe, which contains Latin-1's letters."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise _LeftOutError(_NO_TEXT) from None
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter > "\x7f" for letter in letters) > _MOST_ACCENTS * len(letters):
        raise _LeftOutError(_NO_TEXT)
    return text


class _Page(HTMLParser):
    """The text of an HTML page, with an empty line between blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in ("script", "style"):
            self._hidden = tag
        elif not _INLINE.fullmatch(tag):
            self.text.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = ""
        elif not _INLINE.fullmatch(tag):
            self.text.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
