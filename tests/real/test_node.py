"""The node of these tests: which one it is, that it keeps what it has acknowledged, and that it always ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from real.front import Front
from real.node import RealNode

STARTED = """
import sys
from real.node import RealNode, find_tools
with RealNode(find_tools()) as node:
    print(node.pid, flush=True)
    sys.stdin.read()
"""


def test_it_is_the_pinned_version(node: RealNode) -> None:
    with Elasticsearch(node.url) as client:
        ((_, described),) = client.nodes.info()["nodes"].items()
    assert described["version"] == "9.5.3"
    assert described["transport_address"].startswith("127.0.0.1:")
    assert [module["name"] for module in described["modules"]] == ["transport-netty4"]


def test_what_was_acknowledged_survives_a_kill(front: Front, node: RealNode) -> None:
    url = node.url
    with Elasticsearch(front.url) as client:
        lines = [line for n in range(200) for line in ({"index": {"_id": str(n)}}, {"n": n, "text": f"text {n}"})]
        assert not client.bulk(index="kept", operations=lines)["errors"]
        node.kill()
        assert not node.running
        node.start()
        assert node.url == url
        assert client.get(index="kept", id="199")["_source"] == {"n": 199, "text": "text 199"}
        assert client.count(index="kept")["count"] == 200


@pytest.mark.usefixtures("node")  # which skips where no node can start
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", STARTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert runs(pid)
        owner.kill()
    until = time.monotonic() + 20
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.1)
    try:
        assert not runs(pid)
    finally:
        if runs(pid):
            os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"  # ended, and not yet waited for
