"""What contributors are told is so: the commands are those of CI, the sessions exist, and the code lies as described."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

import jina_eis
import langchain_jina_eis
import llama_index_jina_eis

ROOT = Path(__file__).parents[2]
CORE = ROOT / "jina_eis"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_ci_runs_the_checks() -> None:
    lines = read(".ci/run").splitlines()
    block = re.search(r"## Check a change\n\n```bash\n(.*?)```", read("CONTRIBUTING.md"), re.DOTALL)
    assert block
    for command in block[1].splitlines():
        assert any(re.search(rf"(^|&& ){re.escape(command)}( |$)", line) for line in lines), command
    hooks = [
        hook["entry"] for repository in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"] for hook in repository["hooks"]
    ]
    assert hooks
    assert set(hooks) <= set(block[1].splitlines())


def test_the_oldest_versions_are_the_same_everywhere() -> None:
    pins = re.compile(r'"([\w-]+==[\d.]+)"')
    oldest = set(pins.findall(read(".ci/run")))
    assert oldest == set(pins.findall(read("noxfile.py")))
    for pin in oldest:
        name, _, version = pin.partition("==")
        assert re.search(rf'"{name}(\[[\w,]+\])?>={version.removesuffix(".0")}(\.0)?[,"]', read("pyproject.toml")), pin


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_the_sessions_that_are_named_exist(page: str) -> None:
    sessions = {node.name for node in ast.parse(read("noxfile.py")).body if isinstance(node, ast.FunctionDef)}
    for named in re.findall(r"`nox -s ([\w ]+)`", read(page)):
        assert set(named.split()) <= sessions


@pytest.mark.parametrize("page", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/registration/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\((?!https:)([^)#]+)", read(page)):
        assert (ROOT / page).parent.joinpath(link).exists(), link


def test_the_table_of_the_code_names_every_module() -> None:
    table = read("CONTRIBUTING.md").partition("## How the code lies")[2].partition("Imports point")[0]
    named = {Path(name).name for name in re.findall(r"`([\w/]+\.py)`", table)}
    assert named == {path.name for path in CORE.glob("*.py")} - {"__init__.py"}


def test_the_changelog_names_the_version_and_every_public_name() -> None:
    newest = re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)[1]
    assert newest.startswith(f"[{jina_eis.__version__}] - ")
    for package in (jina_eis, langchain_jina_eis, llama_index_jina_eis):
        for name in package.__all__:
            assert name in newest or name == "__version__"
