"""The README and the pages of the documentation, and their code blocks, links and tables."""

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
_OUTPUT = re.compile(r"\n+(?:It prints[^\n]*:\n+)?```text\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)(?: \{ #([\w-]+) \})?$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: The language after the fence.
        code: The source.
        line: The line of the page on which the code begins.
        not_run: The reason, from an HTML comment before the block, for not running it; None if it is run.
        output: What it prints: the block of text that follows at once, or after a line "It prints:".
    """

    language: str
    code: str
    line: int
    not_run: str | None
    output: str | None = None


def name(page: Path) -> str:
    """The name of a page in test ids."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[Block]:
    """The code blocks in a language, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match["language"],
            match["code"],
            text.count("\n", 0, match.start("code")) + 1,
            match["why"],
            output["output"] if (output := _OUTPUT.match(text, match.end())) else None,
        )
        for match in _BLOCK.finditer(text)
        if match["language"] == language
    ]


def links(page: Path) -> list[str]:
    """The targets of the links of a page."""
    return _LINK.findall(_SPAN.sub("`", _FENCED.sub("", page.read_text(encoding="utf-8"))))


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and MkDocs generate them."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return {explicit or _slug(title) for title, explicit in _HEADING.findall(text)}


def rows(page: Path) -> list[list[str]]:
    """The cells of all tables of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def _slug(title: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())
