"""Plain technical English: words and names that this project avoids, in code, tests and pages."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "benchmarks",
    "docs",
    "examples",
    "findings",
    "jina_eis",
    "langchain_jina_eis",
    "llama_index_jina_eis",
    "namespace",
    "notebooks",
    "tests",
)
FILES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")))
    if path.suffix in (".py", ".md", ".ipynb") and path != Path(__file__)
)

INSTEAD = {  # of a word or phrase: a plainer one
    "told": "message, reported",
    "said": "reported, written",
    "says": "returns, reports, states",
    "whoever": "the caller",
    "nobody": "no caller, none",
    "who asks": "credentials, the caller",
    "anew": "again",
    "likewise": "also",
    "besides": "in addition",
    "amid": "among",
    "at fault": "caused by",
    "what passes": "transient",
    "what stays": "permanent",
    "sent again": "retried",
    "tried again": "retried",
}
WORDS = re.compile(rf"\b({'|'.join(phrase.replace(' ', chr(92) + 's+') for phrase in INSTEAD)})\b", re.IGNORECASE)
NAMES = {  # that do not state what they hold or return
    *("_told", "_way", "_or", "_listed", "_amount", "_said", "shown", "able", "there", "each", "made"),
    *("Wanted", "Found", "Asked"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    if path.suffix != ".py":
        found = [f"{word}: {INSTEAD[' '.join(word.lower().split())]}" for word in WORDS.findall(text)]
    else:
        found = [*_prose_problems(text), *_name_problems(text)]
    assert not found, "\n".join(found)


def _prose_problems(source: str) -> Iterator[str]:
    """Words to avoid in comments and strings; `word` in backquotes is code."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for word in WORDS.findall(token.string):
                yield f"line {token.start[0]}: {word}: {INSTEAD[' '.join(word.lower().split())]}"


def _name_problems(source: str) -> Iterator[str]:
    """Names to avoid, and words to avoid within names."""
    for node in ast.walk(ast.parse(source)):
        name = getattr(node, "name", None) or getattr(node, "id", None) or getattr(node, "arg", None)
        if isinstance(name, str):
            words = WORDS.search(name.replace("_", " "))
            if name in NAMES or words:
                yield f"line {getattr(node, 'lineno', 0)}: name {name}"
