"""The code of the page about large corpora that needs an engine."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def code_of(engine: str) -> str:
    """Return the code block under the heading of an engine."""
    found = re.search(rf"^### {engine}\n.*?^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found, engine
    return found[1]
