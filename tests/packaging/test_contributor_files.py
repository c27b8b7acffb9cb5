"""Statements in files for contributors are true: commands, nox sessions, links, paths and the map of the code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import jina_eis
import langchain_jina_eis
import llama_index_jina_eis

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:md|py|toml)))`|`([\w.-]+(?:/[\w.-]+)+)`")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_ci_runs_the_commands_of_contributing() -> None:
    lines = [line.strip() for line in read(".ci/run").splitlines()]
    block = re.search(r"## Check a change\n\n```bash\n(.*?)```", read("CONTRIBUTING.md"), re.DOTALL)
    assert block
    for command in block[1].splitlines():
        assert any(re.search(rf"(^|&& ){re.escape(command)}( |$)", line) for line in lines), command
    hooks = [
        hook["entry"] for repository in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"] for hook in repository["hooks"]
    ]
    assert hooks
    assert set(hooks) <= set(block[1].splitlines())


def test_the_oldest_versions_are_equal_in_every_file() -> None:
    pins = re.compile(r'"([\w-]+==[\d.]+)"')
    oldest = set(pins.findall(read(".ci/run")))
    assert oldest == set(pins.findall(read("noxfile.py")))
    for pin in oldest:
        name, _, version = pin.partition("==")
        assert re.search(rf'"{name}(\[[\w,]+\])?>={version.removesuffix(".0")}(\.0)?[,"]', read("pyproject.toml")), pin


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_named_sessions_exist(page: str) -> None:
    sessions = {node.name for node in ast.parse(read("noxfile.py")).body if isinstance(node, ast.FunctionDef)}
    for names in re.findall(r"`nox -s ([\w ]+)`", read(page)):
        assert set(names.split()) <= sessions


@pytest.mark.parametrize("page", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/registration/README.md"])
def test_linked_files_exist(page: str) -> None:
    for link in re.findall(r"\]\((?!https:)([^)#]+)", read(page)):
        assert (ROOT / page).parent.joinpath(link).exists(), link


def test_every_path_in_contributing_exists() -> None:
    for line in read("CONTRIBUTING.md").splitlines():
        paths = ["".join(groups) for groups in PATH.findall(line)]
        room = ROOT / paths[0] if line.startswith("| `") and paths and paths[0].endswith("/") else ROOT
        for path in paths:
            assert (ROOT / path).exists() or (room / path).exists(), f"{path}: {line}"


def test_the_map_names_every_room_and_module() -> None:
    rows = re.findall(r"^\| `([\w/]+/)` \|.*\| (.*) \|$", read("CONTRIBUTING.md"), re.MULTILINE)
    on_map = {room + module for room, modules in rows for module in re.findall(r"`(\w+\.py)`", modules)}
    packages = [ROOT / "jina_eis", ROOT / "langchain_jina_eis", ROOT / "llama_index_jina_eis"]
    modules = {path.relative_to(ROOT).as_posix() for package in packages for path in package.rglob("*.py")}
    assert on_map == {module for module in modules if not module.endswith("/__init__.py")}


def test_the_map_has_the_layers_of_the_import_contracts() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if "jina_eis.cli" in contract.get("layers", []))
    block = re.search(r"```text\n(jina_eis\.cli\n.*?)```", read("CONTRIBUTING.md"), re.DOTALL)
    assert block
    on_map = [re.findall(r"\w*jina_eis[\w.]*", line) for line in block[1].splitlines()]
    assert on_map == [re.findall(r"(?<!\()\b\w*jina_eis[\w.]*", layer) for layer in layers]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_the_command_for_the_unit_tests_is_named(page: str) -> None:
    assert "`pytest tests/unit_tests`" in read(page)


def test_the_changelog_names_the_version_and_every_public_name() -> None:
    unreleased, *sections = re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    if not unreleased.startswith("[Unreleased]\n"):
        unreleased, sections = "", [unreleased, *sections]
    assert sections[0].startswith(f"[{jina_eis.__version__}] - ")
    for package in (jina_eis, langchain_jina_eis, llama_index_jina_eis):
        for name in package.__all__:
            assert name in unreleased + sections[0] or name == "__version__"
