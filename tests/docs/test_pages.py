"""The tables of the pages match the code, every link has a target, and every page is in the navigation."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import DOCS, PAGES, README, ROOT, anchors, links, name, rows
from pydantic_core import PydanticUndefined

import jina_eis.errors
import langchain_jina_eis
import llama_index_jina_eis
from jina_eis import MODELS
from jina_eis.adapters import RetrieverSettings
from jina_eis.models import EmbeddingModel, Model

ERRORS = {
    error_name: error_class
    for error_name, error_class in vars(jina_eis.errors).items()
    if inspect.isclass(error_class) and issubclass(error_class, jina_eis.errors.JinaEISError)
}
CONFIGURATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [README, *PAGES], ids=name)
def test_linked_pages_and_anchors_exist(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{name(page)}: {link}"
        assert target.is_relative_to(DOCS if page != README else ROOT), f"{name(page)}: {link} is not on the site"
        assert not anchor or anchor in anchors(target), f"{name(page)}: {link}"


def test_the_readme_links_to_the_pages() -> None:
    linked = {link.partition("#")[0] for link in links(README)}
    assert {name(page) for page in PAGES if page.parent == DOCS} - {"docs/index.md", "docs/doctor.md"} <= linked


def test_every_page_is_in_the_navigation() -> None:
    assert sorted(_leaves(CONFIGURATION["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


def test_the_site_loads_nothing_from_other_hosts() -> None:
    assert CONFIGURATION["theme"]["font"] is False
    assert not {"site_url", "repo_url", "edit_uri", "extra_javascript"} & set(CONFIGURATION)
    assert all((DOCS / style).is_file() for style in CONFIGURATION["extra_css"])


def test_every_error_is_in_the_table() -> None:
    table = {row[0].strip("`"): row for row in rows(DOCS / "errors.md") if row[0].startswith("`")}
    assert set(table) == set(ERRORS) == {exported for exported in jina_eis.errors.__all__ if exported[0].isupper()}
    for error, (_, cause, remedy, retried) in table.items():
        assert cause and remedy, error
        if error != "JinaEISError":
            assert retried == ("yes" if ERRORS[error].transient else "no"), error


@pytest.mark.parametrize("page", [README, DOCS / "models.md"], ids=name)
def test_the_table_of_models_matches_the_code(page: Path) -> None:
    table = {row[0].split("`")[1]: row for row in rows(page) if row[0].startswith("`.jina") and len(row) == 5}
    assert list(table) == [model.endpoint for model in MODELS]
    for model in MODELS:
        _, task, dimensions, context, since = table[model.endpoint]
        assert dimensions == _sizes(model)
        assert context.split()[0] == f"{model.context:,}"
        assert since.rstrip("¹") == model.since
        assert ("rerank" in task) == (model.task == "rerank")


def test_the_table_of_limits_matches_the_code() -> None:
    table = {row[0]: row[1:] for row in rows(DOCS / "pacing.md") if len(row) == 3}
    text = {
        "jina-embeddings-v5-text-small, jina-embeddings-v5-text-nano": [m for m in MODELS if "v5-text" in m.name],
        "jina-embeddings-v3": [m for m in MODELS if m.name == "jina-embeddings-v3"],
        "jina-reranker-v2-base-multilingual, v3, v3.5": [
            m for m in MODELS if m.task == "rerank" and m.name != "jina-reranker-m0"
        ],
    }
    for row, models in text.items():
        for model in models:
            assert model.per_minute is not None
            assert table[row] == [
                f"{model.per_minute[role]:,}" if role in model.per_minute else "" for role in ("ingest", "search")
            ]
    (unpublished,) = (row.split(", ") for row, cells in table.items() if cells == ["not published", "not published"])
    assert set(unpublished) == {model.name for model in MODELS if model.per_minute is None}


CLASSES = {
    "LangChain": {
        "embeddings": langchain_jina_eis.JinaEISEmbeddings,
        "reranker": langchain_jina_eis.JinaEISRerank,
        "retriever": langchain_jina_eis.JinaEISRetriever,
        "store": langchain_jina_eis.JinaEISVectorStore,
        "parser": langchain_jina_eis.JinaEISParser,
    },
    "LlamaIndex": {
        "embeddings": llama_index_jina_eis.JinaEISEmbedding,
        "multi-modal": llama_index_jina_eis.JinaEISMultiModalEmbedding,
        "reranker": llama_index_jina_eis.JinaEISRerank,
        "retriever": llama_index_jina_eis.JinaEISRetriever,
        "store": llama_index_jina_eis.JinaEISVectorStore,
        "reader": llama_index_jina_eis.JinaEISReader,
    },
}


@pytest.mark.parametrize(
    ("framework", "kind"), [(framework, kind) for framework, kinds in CLASSES.items() for kind in kinds], ids=lambda value: value
)
def test_the_table_of_settings_has_every_argument_of_a_class(framework: str, kind: str) -> None:
    table = {}
    for setting, *classes, default, meaning in rows(DOCS / "settings.md"):
        names = re.findall(r"`(\w+)`", setting)
        takers = classes[[*CLASSES].index(framework)]
        if names and (takers == "all" or kind in takers.split(", ")):
            assert meaning
            table[names[-1] if framework == "LlamaIndex" else names[0]] = default
    own = _arguments(CLASSES[framework][kind])
    assert table.keys() == own.keys()
    for setting, default in table.items():
        literal = re.fullmatch("`([^`]+)`", default)
        if literal and not literal[1].startswith("ES_") and own[setting] not in (inspect.Parameter.empty, PydanticUndefined):
            assert own[setting] == ast.literal_eval(literal[1]), setting


TOKENS_PER_MINUTE = {("v5 text", "ingest"): 30e6, ("v5 text", "search"): 6e6, ("v3", "ingest"): 6e6, ("rerankers", "search"): 6e6}


def test_the_table_of_times_follows_from_the_limits() -> None:
    limits = {"v5 text": "jina-embeddings-v5-text-small", "v3": "jina-embeddings-v3", "rerankers": "jina-reranker-v3.5"}
    table = [row for row in rows(DOCS / "pacing.md") if len(row) == 4 and row[0].startswith(("embed", "rerank"))]
    assert len(table) == 5
    for work, *numbers, seconds in table:
        amount, *documents, tokens = (int(number.replace(",", "")) for number in re.findall(r" ([\d,]+) (?=[a-z])", work))
        kind = "rerankers" if work.startswith("rerank") else work.rpartition(" with ")[2]
        role = "ingest" if "passages" in work else "search"
        requests = -(-amount // 16) if role == "ingest" else amount
        total = amount * tokens * (documents[0] if documents else 1)
        assert numbers == [f"{requests:,}", f"{total:,}"], work
        model = next(model for model in MODELS if model.name == limits[kind])
        assert model.per_minute is not None
        least = 60 * max(requests / model.per_minute[role], total / TOKENS_PER_MINUTE[kind, role])
        assert seconds == f"{least:,.0f} s", work


def test_the_table_of_lengths_matches_the_code() -> None:
    table = {}
    for endpoints, length in (row for row in rows(DOCS / "splitting.md") if len(row) == 2 and row[0].startswith("`.jina")):
        table |= dict.fromkeys(re.findall(r"`\.([\w.-]+)`", endpoints), int(re.sub(r"\D", "", length.split(" tokens")[0])))
    assert table == {model.name: getattr(model, "document_tokens", None) or model.context for model in MODELS}


def _sizes(model: Model) -> str:
    if not isinstance(model, EmbeddingModel):
        return ""
    return f"{model.dimensions} ({', '.join(str(size) for size in model.matryoshka if size != model.dimensions)})"


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    if isinstance(nav, dict):
        nav = list(nav.values())
    return [leaf for entry in nav for leaf in _leaves(entry)]


def _arguments(cls: type) -> dict[str, Any]:
    """The arguments of a class with their defaults; those of the settings that LlamaIndex's retriever passes on."""
    found: dict[str, Any] = {}
    for argument in inspect.signature(cls).parameters.values():
        if argument.kind is inspect.Parameter.VAR_KEYWORD:
            found |= {setting: field.default for setting, field in RetrieverSettings.model_fields.items()}
        else:
            field = getattr(cls, "model_fields", {}).get(argument.name)
            found[argument.name] = field.default if field else argument.default
    return found
