"""The Python of the README, run from top to bottom as a reader would, on the embedded EIS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from made import pdf, png

from jina_eis.local import LocalEIS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(eis: LocalEIS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    monkeypatch.chdir(tmp_path)
    Path("cat.png").write_bytes(png())
    Path("report.pdf").write_bytes(pdf(2))
    monkeypatch.setattr(Settings, "_embed_model", None)  # which it sets
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        exec(block, names)
