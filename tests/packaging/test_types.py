"""What type checkers say to users: nothing about right code, and something about wrong code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = [str(path) for path in sorted(Path(__file__).parent.glob("sample_*.py"))]
PLAIN = "[mypy]\nstrict = true\n[mypy-llama_index.core.*]\nimplicit_reexport = true\n"
WITH_PLUGIN = PLAIN.replace("strict = true\n", "strict = true\nplugins = pydantic.mypy\n")
WRONG = """
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetreiver
JinaEISEmbeddings(dimensons=256)
JinaEISEmbeddings(dimensions="many").embed_documents("not a list")
"""


def checked(checker: str, tmp_path: Path, files: list[str]) -> tuple[int, str]:
    """The status and the output of a checker. Each is told which Python has the packages."""
    command = {
        "mypy": ["mypy", "--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path), *files],
        "pyright": ["pyright", "--pythonpath", sys.executable, *files],
    }[checker]
    ran = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    if checker == "pyright" and "Failed to download" in ran.stderr:
        pytest.skip("pyright has no Node.js here, and cannot fetch it")
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("checker", "settings"), [("mypy", PLAIN), ("mypy", WITH_PLUGIN), ("pyright", "")], ids=["mypy", "mypy-pydantic", "pyright"]
)
def test_what_users_write_is_right(checker: str, settings: str, tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(settings)
    status, told = checked(checker, tmp_path, SAMPLES)
    assert status == 0, told


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_what_is_wrong_is_found(checker: str, tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(PLAIN)
    (tmp_path / "wrong.py").write_text(WRONG)
    status, told = checked(checker, tmp_path, [str(tmp_path / "wrong.py")])
    assert status == 1
    for name in ("JinaEISRetreiver", "dimensons", '"dimensions"', "embed_documents"):
        assert name in told, told
