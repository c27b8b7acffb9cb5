"""What the tests of the documentation read: the README and every page, and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if DOCS / "registration" not in page.parents)
README = ROOT / "README.md"

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n+)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)(?: \{ #([\w-]+) \})?$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        language: What stands behind the fence.
        code: Its lines.
        line: Of the page, on which the code begins.
        not_run: Why it is not run, as an HTML comment before it says; None if it is run.
    """

    language: str
    code: str
    line: int
    not_run: str | None


def name(page: Path) -> str:
    """What a page is called in the names of tests."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of a language, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["code"], text.count("\n", 0, found.start("code")) + 1, found["why"])
        for found in _BLOCK.finditer(text)
        if found["language"] == language
    ]


def links(page: Path) -> list[str]:
    """Where the links of a page lead."""
    return _LINK.findall(_SPAN.sub("`", _FENCED.sub("", page.read_text(encoding="utf-8"))))


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and MkDocs make them."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return {given or _slug(title) for title, given in _HEADING.findall(text)}


def rows(page: Path) -> list[list[str]]:
    """The cells of all tables of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def _slug(title: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())
