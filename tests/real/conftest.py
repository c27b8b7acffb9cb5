"""The real node for all tests of this folder, and its front. See "The real Elasticsearch" in CONTRIBUTING.md."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from elasticsearch import Elasticsearch
from real.front import Front
from real.node import RealNode, Tools, UnavailableError, find_tools

from jina_eis.local import LocalEIS

TALLIES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which generated requests test_differential.py sends; each is made from its number alone."""
    group = parser.getgroup("generated requests to both servers")
    group.addoption("--searches", type=int, default=1000, help="number of searches (1000)")
    group.addoption("--sequences", type=int, default=300, help="number of sequences of writes (300)")
    group.addoption("--seed", type=int, default=0, help="number of the first case (0)")
    group.addoption("--tier", choices=["near", "wild"], default="near", help="what clients send, or stranger requests (near)")
    group.addoption("--case", default="", help="one case alone, such as search:17 or sequence:4")


def pytest_configure(config: pytest.Config) -> None:
    """Keep a place for what `pytest_terminal_summary` prints."""
    config.stash[TALLIES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how many answers of each kind were right, refused and wrong."""
    for tally in config.stash[TALLIES]:
        terminalreporter.section("generated requests")
        terminalreporter.write_line(tally)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run without workers of pytest-xdist, of which each would start a node."""
    if getattr(config.option, "numprocesses", None):
        config.option.numprocesses = 0


@cache
def tools_or_reason() -> Tools | str:
    try:
        return find_tools()
    except UnavailableError as error:
        return f"no real Elasticsearch: {error}"


def pytest_runtest_setup(item: pytest.Function) -> None:
    """Skip the tests of the node where it cannot start. pytest reports one line for all of them, as no fixture skips them."""
    if "_node" in item.fixturenames and isinstance(reason := tools_or_reason(), str):
        pytest.skip(reason)


@pytest.fixture
def tallies(pytestconfig: pytest.Config) -> list[str]:
    """What `pytest_terminal_summary` prints."""
    return pytestconfig.stash[TALLIES]


@pytest.fixture(scope="session")
def _node() -> Iterator[RealNode]:
    tools = tools_or_reason()
    assert isinstance(tools, Tools)
    with RealNode(tools) as node:
        refresh_quickly(node.url)
        yield node


def refresh_quickly(url: str) -> None:
    """Refresh the indices of the tests 20 times a second: each write with `wait_for` would wait up to a second otherwise."""
    template = {"settings": {"refresh_interval": "50ms"}}
    with Elasticsearch(url) as client:
        client.indices.put_index_template(name="tests", index_patterns=["test-*"], template=template)


@pytest.fixture
def node(_node: RealNode) -> RealNode:
    """The real node, started even if a test before has killed it."""
    if not _node.running:
        _node.start()
    return _node


@pytest.fixture(scope="session")
def _server() -> Iterator[LocalEIS]:
    """The embedded EIS as the version of the node."""
    with LocalEIS(model="hash", record=True, version="9.5") as eis:
        yield eis


@pytest.fixture(scope="session")
def _front(_node: RealNode, _server: LocalEIS) -> Iterator[Front]:
    with Front(_node.url, _server) as front:
        yield front


@pytest.fixture
def front(_front: Front, node: RealNode, eis: LocalEIS) -> Iterator[Front]:
    """The one address of the node and of the embedded EIS. Every index that a test makes is deleted after it."""
    yield _front
    if not node.running:
        node.start()
    with Elasticsearch(node.url) as client:
        for index in client.indices.get(index="*"):
            client.indices.delete(index=index)
