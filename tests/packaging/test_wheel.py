"""The wheel and the sdist, built once, and the package without its extras."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["jina_eis", "langchain_jina_eis", "llama_index_jina_eis"]
ALIASES = {
    "llama_index.embeddings.jina_eis": ["JinaEISEmbedding", "JinaEISMultiModalEmbedding"],
    "llama_index.postprocessor.jina_eis_rerank": ["JinaEISRerank"],
    "llama_index.readers.jina_eis": ["JinaEISReader"],
    "llama_index.retrievers.jina_eis": ["JinaEISRetriever"],
    "llama_index.vector_stores.jina_eis": ["JinaEISVectorStore"],
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both, built as for a release, with the installed build tools."""
    folder = tmp_path_factory.mktemp("dist")
    ran = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))))


def test_the_wheel_contains_only_the_packages_and_their_aliases(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    folders = [*PACKAGES, *(alias.replace(".", "/") for alias in ALIASES)]
    assert {name for name in names if name.endswith("py.typed")} == {f"{folder}/py.typed" for folder in folders}
    assert all(name.startswith(tuple(f"{folder}/" for folder in folders)) for name in names)
    assert {Path(name).suffix for name in names} == {".py", ".typed"}
    kinds = ("embeddings", "postprocessor", "retrievers", "vector_stores")
    for namespace in ("llama_index", *(f"llama_index/{kind}" for kind in kinds)):
        assert f"{namespace}/__init__.py" not in names, "it would hide LlamaIndex's package"


def test_every_module_of_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert modules <= names


def test_the_sdist_contains_the_files_for_tests_and_releases(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "noxfile.py",
        "mkdocs.yml",
    }
    folders = {*PACKAGES, "namespace", "tests", "docs", "notebooks", "benchmarks", "examples"}
    assert {name.partition("/")[0] for name in names} - {""} == files | folders | {"PKG-INFO", ".gitignore"}
    assert {"tests/conftest.py", "benchmarks/throughput.py", "docs/index.md"} <= names
    assert len([name for name in names if name.startswith("notebooks/") and name.endswith(".ipynb")]) == 5
    assert not [name for name in names if re.search(r"__pycache__|_cache|checkpoint|\.(pyc|egg-info|whl|log)$", name)]


def test_the_metadata(metadata: Message) -> None:
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "langchain",
        "llama-index",
        "local",
        "pdf",
        "batch",
        "ray",
        "models",
        "all",
        "notebooks",
        "docs",
        "dev",
    }
    classifiers = metadata.get_all("Classifier", [])
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(classifiers)
    assert "Typing :: Typed" in classifiers
    assert metadata["License-File"] == "LICENSE"
    assert not metadata.get_all("Project-URL"), "there is no public repository yet"


def test_the_readme_renders_on_a_package_index(dist: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_are_the_same_classes(alias: str) -> None:
    module, package = import_module(alias), import_module("llama_index_jina_eis")
    assert module.__all__ == ALIASES[alias]
    assert all(getattr(module, name) is getattr(package, name) for name in module.__all__)


def test_every_public_class_of_llama_index_has_an_alias() -> None:
    aliased = [name for names in ALIASES.values() for name in names]
    assert sorted(aliased) == sorted(import_module("llama_index_jina_eis").__all__)


@pytest.mark.parametrize(
    ("statement", "absent", "extra"),
    [
        ("from langchain_jina_eis import JinaEISRerank", "langchain_core", "langchain"),
        ("from llama_index_jina_eis import JinaEISRerank", "llama_index", "llama-index"),
        ("from jina_eis.local import LocalEIS", "starlette", "local"),
        ("from jina_eis.local import LocalEIS", "numpy", "local"),
    ],
)
def test_the_error_names_a_missing_extra(statement: str, absent: str, extra: str) -> None:
    code = f"import sys; sys.modules[{absent!r}] = None\n{statement}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stderr.splitlines()[-1].endswith(f'pip install "jina-eis[{extra}]"'), ran.stderr
