"""The code of the README and of every page, run from top to bottom as a reader would, on the embedded EIS."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from made import pdf, png
from pages import PAGES, README, ROOT, Block, blocks, name

from jina_eis.cli.main import _parser
from jina_eis.local import LocalEIS

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings it there
    import tomli as tomllib

ALL = [README, *PAGES]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


@pytest.mark.parametrize("page", [page for page in ALL if blocks(page, "python")], ids=name)
def test_python_runs(page: Path, eis: LocalEIS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    monkeypatch.chdir(tmp_path)
    Path("cat.png").write_bytes(png())
    Path("report.pdf").write_bytes(pdf(2))
    monkeypatch.setattr(Settings, "_embed_model", None)  # which some pages set
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        # Blank lines before it, so that a traceback names the line of the page.
        source = "\n" * (block.line - 1) + block.code
        if block.not_run:
            ast.parse(source, name(page))
            continue
        code = compile(source, name(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, names))
        else:
            exec(code, names)


def test_hardly_anything_is_not_run() -> None:
    left_out = {name(page) for page in ALL for block in blocks(page, "python") if block.not_run}
    assert left_out <= {"docs/migration.md"}


def test_every_block_is_found() -> None:
    for page in ALL:
        fences = re.findall(r"^\s*(?:```|~~~)(\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert all(language in ("python", "bash", "json", "text") for language in fences), name(page)
        assert len(fences) == sum(len(blocks(page, language)) for language in set(fences)), name(page)


@pytest.mark.parametrize("page", [page for page in ALL if "jina-eis " in page.read_text(encoding="utf-8")], ids=name)
def test_commands_exist(page: Path) -> None:
    spans = re.findall(r"(?<!`)`(jina-eis [^`\n]+)`", page.read_text(encoding="utf-8"))
    commands = [command for block in blocks(page, "bash") for command in _commands(block)]
    for command in [*commands, *(shlex.split(span) for span in spans)]:
        if command[0] == "jina-eis":
            try:
                _parser().parse_args(command[1:])
            except SystemExit:
                pytest.fail(f"{name(page)}: {shlex.join(command)}")


@pytest.mark.parametrize("page", ALL, ids=name)
def test_what_is_installed_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"""["']?(?:jina-eis|\.)\[([\w,-]+)\]""", text)
    assert {extra for extras in named for extra in extras.split(",")} <= set(EXTRAS)


@pytest.mark.parametrize("command", ['pip install ".[all]" && jina-eis demo', 'pip install ".[all,dev]" && pytest'])
def test_the_commands_that_the_readme_promises(command: str) -> None:
    assert any(block.code.strip() == command for block in blocks(README, "bash"))


def _commands(block: Block) -> Iterator[list[str]]:
    """The commands of a block, without the variables set before them."""
    for line in block.code.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&|;"):
                if command:
                    yield command
                command = []
            elif command or not re.match(r"\w+=", word):
                command.append(word)
