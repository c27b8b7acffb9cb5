"""A plugin of pytest that writes the verdict on each test to the file of JINA_EIS_VERDICTS, as JSON.

A test is "refused" if the embedded EIS ended it with a 501, "wrong" if anything else did, "skipped" or "passed".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import ApiError

VERDICTS: dict[str, tuple[str, str]] = {}
REFUSED = re.compile(r"does not implement \[(.*)\]\. It implements", re.DOTALL)
INDEX = re.compile(r"test_?-?[0-9a-f]{32}\w*")
WORST_LAST = ("passed", "skipped", "refused", "wrong")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Keep the worst verdict of setup, call and teardown."""
    report = yield
    verdict, detail = "passed", ""
    if report.skipped:
        verdict, detail = "skipped", str(report.longrepr[-1]) if isinstance(report.longrepr, tuple) else "xfail"
    elif report.failed and call.excinfo is not None:
        error: BaseException | None = call.excinfo.value
        verdict, detail = "wrong", call.excinfo.exconly()[:300]
        while error is not None:
            if isinstance(error, ApiError) and error.status_code == 501:
                verdict, detail = "refused", refused_feature(error)
            error = error.__cause__ or error.__context__
    before = VERDICTS.get(item.nodeid, ("passed", ""))
    VERDICTS[item.nodeid] = max(before, (verdict, detail), key=lambda found: WORST_LAST.index(found[0]))
    return report


def pytest_sessionfinish() -> None:
    """Write the verdicts."""
    Path(os.environ["JINA_EIS_VERDICTS"]).write_text(json.dumps(VERDICTS), "utf-8")


def refused_feature(error: ApiError) -> str:
    """What a 501 refuses, without the names of indices. The response to a HEAD request has its reason in a header."""
    reason = error.meta.headers.get("x-jina-eis-reason") or str(error)
    found = REFUSED.search(reason)
    return INDEX.sub("INDEX", found[1] if found else reason)[:90]
