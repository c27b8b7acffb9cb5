"""Files for the registries of LangChain and LlamaHub match the packages."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

import langchain_jina_eis

ROOT = Path(__file__).parents[2]
REGISTRATION = ROOT / "docs" / "registration"


def load_yaml(name: str) -> Any:
    return yaml.safe_load((REGISTRATION / name).read_text(encoding="utf-8"))


def test_langchain_rows_name_every_class() -> None:
    sections = load_yaml("integration_external_docs.yaml")["python"]
    rows = [row for section in sections.values() for row in section]
    assert set(sections) == {"embeddings", "document_loaders", "retrievers", "vectorstores"}
    assert all(set(row) == {"name", "pypi", "docs_url"} and row["pypi"] == "jina-eis" for row in rows)
    named = {re.search(r"\((\w+)\)", row["name"])[1] for row in rows}  # type: ignore[index]
    assert named == set(langchain_jina_eis.__all__) - {"JinaEISTranslator"}  # a part of the store
    for row in rows:
        page = row["docs_url"].split("/")[3] or "index"
        assert (ROOT / "docs" / f"{page}.md").is_file()


def test_llamahub_listing_names_every_class() -> None:
    listing = load_yaml("llamahub.yaml")
    for module in listing["modules"]:
        assert import_module(module["import_path"]).__all__ == module["classes"]
        assert f".{module['kind']}." in module["import_path"]


def test_pyproject_matches_the_llamahub_listing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    modules = load_yaml("llamahub.yaml")["modules"]
    assert project["tool"]["llamahub"]["import_path"] in {module["import_path"] for module in modules}
    assert set(project["tool"]["llamahub"]["class_authors"]) == {name for module in modules for name in module["classes"]}
    assert f'pip install "{project["project"]["name"]}[llama-index]"' == load_yaml("llamahub.yaml")["install"]
