"""Type checkers report errors in wrong user code, and none in correct user code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = [str(path) for path in sorted(Path(__file__).parent.glob("sample_*.py"))]
WRONG = """
from jina_eis import doctor
from jina_eis.batch import EmbedBatch
from llama_index_jina_eis import JinaEISEmbedding
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetreiver, JinaEISRetriever
JinaEISEmbeddings(dimensons=256)
JinaEISEmbeddings(dimensions="many").embed_documents("not a list")
JinaEISRetriever.from_texts(["a"], index_nmae="facts")
JinaEISEmbedding(embed_batch_sise=8)
EmbedBatch(colunm="body", tiemout=30)
doctor(es_ulr="http://localhost:9200")
"""
MYPY = "[mypy]\nstrict = true\n"
ALL_ERRORS = {
    "JinaEISRetreiver",
    "dimensons",
    '"dimensions"',
    "embed_documents",
    "index_nmae",
    "embed_batch_sise",
    "tiemout",
    "es_ulr",
}
CHECKERS = {
    "mypy": ("mypy.ini", MYPY, ALL_ERRORS),
    # pydantic's plugin does not check constructor arguments if a field has an alias, as inference_id has.
    "mypy-pydantic": ("mypy.ini", f"{MYPY}plugins = pydantic.mypy\n", {"JinaEISRetreiver", "embed_documents", "index_nmae"}),
    "pyright": ("pyrightconfig.json", '{"typeCheckingMode": "strict"}', ALL_ERRORS),
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_correct_code_passes_and_wrong_code_fails(checker: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """One run checks both, because a checker needs 15 seconds to read the frameworks."""
    name, settings, expected = CHECKERS[checker]
    (tmp_path / name).write_text(settings)
    for sample in SAMPLES:
        (tmp_path / Path(sample).name).write_text(Path(sample).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG)
    options = (
        ["--pythonpath", sys.executable] if checker == "pyright" else ["--cache-dir", str(_cache_folder(pytestconfig, checker))]
    )
    command = [sys.executable, "-m", checker.partition("-")[0], *options, *sorted(path.name for path in tmp_path.glob("*.py"))]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    output = ran.stdout + ran.stderr
    if checker == "pyright" and "nodeenv failed" in ran.stderr:
        pytest.skip("pyright has no Node.js and cannot download it")
    assert ran.returncode == 1, output
    errors = [line for line in output.splitlines() if ": error:" in line or " - error:" in line]
    assert not [line for line in errors if "wrong.py" not in line], output
    for text in expected:
        assert any(text in line for line in errors), output


def _cache_folder(pytestconfig: pytest.Config, checker: str) -> Path:
    """Return a folder in which mypy caches the frameworks between runs."""
    cache = getattr(pytestconfig, "cache", None)  # absent with -p no:cacheprovider
    return cache.mkdir(checker) if cache else Path(".mypy_cache")
