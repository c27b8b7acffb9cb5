"""What type checkers say to users: nothing about right code, and something about wrong code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = [str(path) for path in sorted(Path(__file__).parent.glob("sample_*.py"))]
WRONG = """
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetreiver
JinaEISEmbeddings(dimensons=256)
JinaEISEmbeddings(dimensions="many").embed_documents("not a list")
"""
MYPY = "[mypy]\nstrict = true\n"
EVERYTHING = {"JinaEISRetreiver", "dimensons", '"dimensions"', "embed_documents"}
CHECKERS = {
    "mypy": ("mypy.ini", MYPY, EVERYTHING),
    # pydantic's plugin lets the arguments of a constructor pass where a field has several names, as inference_id has.
    "mypy-pydantic": ("mypy.ini", f"{MYPY}plugins = pydantic.mypy\n", {"JinaEISRetreiver", "embed_documents"}),
    "pyright": ("pyrightconfig.json", '{"typeCheckingMode": "strict"}', EVERYTHING),
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_right_code_passes_and_wrong_code_does_not(checker: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """One run for both, for a checker reads both frameworks for a quarter of a minute before it comes to us."""
    name, settings, wrongs = CHECKERS[checker]
    (tmp_path / name).write_text(settings)
    for sample in SAMPLES:
        (tmp_path / Path(sample).name).write_text(Path(sample).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG)
    options = ["--pythonpath", sys.executable] if checker == "pyright" else ["--cache-dir", str(_cache(pytestconfig, checker))]
    command = [sys.executable, "-m", checker.partition("-")[0], *options, *sorted(path.name for path in tmp_path.glob("*.py"))]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    told = ran.stdout + ran.stderr
    if checker == "pyright" and "nodeenv failed" in ran.stderr:
        pytest.skip("pyright has no Node.js here, and cannot fetch it")
    assert ran.returncode == 1, told
    errors = [line for line in told.splitlines() if ": error:" in line or " - error:" in line]
    assert not [line for line in errors if "wrong.py" not in line], told
    for wrong in wrongs:
        assert any(wrong in line for line in errors), told


def _cache(pytestconfig: pytest.Config, checker: str) -> Path:
    """Where mypy remembers the frameworks from one run of the tests to the next."""
    cache = getattr(pytestconfig, "cache", None)  # absent with -p no:cacheprovider
    return cache.mkdir(checker) if cache else Path(".mypy_cache")
