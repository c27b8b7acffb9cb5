"""Speed of the embedded EIS, compared with the real Elasticsearch and with an earlier version of itself.

    pip install "jina-eis[local]"
    python benchmarks/local.py --before ../earlier/.venv/bin/python

The real Elasticsearch is the server core that `tests/real` starts; it needs a JDK and, the first time, Maven. Without them its
rows are left out. `--before` is a Python with an earlier version installed; without it, its rows are left out. Each server runs
in a process of its own with indices in memory (the real core: on disk), rounds alternate between the servers, and a ratio is the
median of the ratios of the rounds. The client sends prepared bytes and reads the answers without parsing them.

bulk: documents a second by `_bulk`, 200 in a request, into an index of 1,024 dimensions with default options.
knn, knn of 8: kNN searches a second over 20,000 such documents, by one client and by eight at once.
first, first of 8: the same, of the first 200 searches after the server has started, as in the tests of an application.
match: `match` searches a second over 20,000 texts of 40 words.
embed: embedding requests a second with 16 texts of 40 words each, by the stand-in without a language model.
start: time from `LocalEIS()` to its first answer.

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import orjson

TESTS = Path(__file__).parents[1] / "tests"
DIMENSIONS = 1024
BATCH = 200  # documents in a bulk request
CLIENTS = 8
SEARCH = "/speed/_search"
EMBED = "/_inference/text_embedding/.jina-embeddings-v5-text-small"
WORDS = 40  # of a text
VOCABULARY = 5_000
STARTS = 5
STARTS_OF_SERVERS = 3  # for the first searches
TARGETS = {"bulk": 2.2, "knn": 2.5, "knn of 8": 4.0, "first": 2.5, "first of 8": 4.0, "match": 1.0, "embed": 1.5, "start": 1.0}
SERVE = """
import sys
from jina_eis.local import LocalEIS
with LocalEIS(model='hash') as eis:
    print(eis.url, flush=True)
    sys.stdin.read()
"""
START = """
import time
from jina_eis.local import LocalEIS
import urllib.request
began = time.perf_counter()
with LocalEIS(model='hash') as eis:
    urllib.request.urlopen(eis.url).read()
    print(time.perf_counter() - began)
"""


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Compare the embedded EIS with the real Elasticsearch and an earlier version.")
    parser.add_argument("--documents", type=int, default=20_000, help="in each index (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of searches in a round (default: %(default)s)")
    parser.add_argument("--before", help="a Python with an earlier version installed")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    print("\n| | embedded EIS | compared with | its result | ratio | target |\n|---|---|---|---|---|---|")
    results = [*compare_with_real(options), *compare_with_before(options)]
    return 0 if all(results) else 1


def compare_with_real(options: argparse.Namespace) -> Iterator[bool]:
    """Measure vectors beside the real core."""
    with ExitStack() as stack:
        try:
            urls = [stack.enter_context(embedded(sys.executable)), stack.enter_context(real_core())]
        except RuntimeError as missing:
            print(f"\nWithout the real core: {missing}\n")
            return
        mappings = {"properties": {"vector": {"type": "dense_vector", "dims": DIMENSIONS}, "text": {"type": "text"}}}
        batches = vector_batches(options.documents)
        yield report("bulk", "real core", [[write(url, mappings, batches) for url in urls] for _ in range(options.rounds)])
        queries = [orjson.dumps({"knn": knn}) for knn in knn_options(200)]
        for name, clients in (("knn", 1), ("knn of 8", CLIENTS)):
            rounds = [[searches(url, queries, clients, options.seconds) for url in urls] for _ in range(options.rounds)]
            yield report(name, "real core", rounds)
    for name, clients in (("first", 1), ("first of 8", CLIENTS)):
        rounds = []
        for _ in range(STARTS_OF_SERVERS):
            with embedded(sys.executable) as mine, real_core() as its:
                for url in (mine, its):
                    write(url, mappings, batches)
                rounds.append([first_searches(url, queries, clients) for url in (mine, its)])
        yield report(name, "real core", rounds)


def compare_with_before(options: argparse.Namespace) -> Iterator[bool]:
    """Measure texts and the start beside an earlier version."""
    if options.before is None:
        return
    pythons = [sys.executable, options.before]
    with embedded(pythons[0]) as new, embedded(pythons[1]) as old:
        batches = vector_batches(options.documents)
        for url in (new, old):
            write(url, {"properties": {"vector": {"type": "dense_vector", "dims": DIMENSIONS}}}, batches)
        queries = [orjson.dumps({"knn": knn}) for knn in knn_options(200)]
        for name, clients in (("knn", 1), ("knn of 8", CLIENTS)):
            rounds = [[searches(url, queries, clients, options.seconds) for url in (new, old)] for _ in range(options.rounds)]
            yield report(name, "earlier version", rounds)
        for url in (new, old):
            write(url, {"properties": {"text": {"type": "text"}}}, text_batches(options.documents))
        dice = np.random.default_rng(3)
        words = [" ".join(f"w{n}" for n in zipf(dice, 2)) for _ in range(200)]
        queries = [orjson.dumps({"query": {"match": {"text": text}}}) for text in words]
        rounds = [[searches(url, queries, 1, options.seconds) for url in (new, old)] for _ in range(options.rounds)]
        yield report("match", "earlier version", rounds)
        rounds = [[searches(url, embeddings(), 1, options.seconds, EMBED) for url in (new, old)] for _ in range(options.rounds)]
        yield report("embed", "earlier version", rounds)
    yield report("start", "earlier version", [[1 / start(python) for python in pythons] for _ in range(STARTS)])


def report(name: str, other: str, rounds: Sequence[Sequence[float]]) -> bool:
    """Print a row of the table: medians a second, and the median of the ratios."""
    mine, its = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(new / old for new, old in rounds)
    print(f"| {name} | {mine:,.1f}/s | {other} | {its:,.1f}/s | {ratio:.2f} | {TARGETS[name]} |", flush=True)
    return ratio >= TARGETS[name]


@contextmanager
def embedded(python: str) -> Iterator[str]:
    """Serve the embedded EIS of a Python in a process of its own."""
    folder = tempfile.gettempdir()  # not the checkout: an installed version must not be hidden by it
    path = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")} if python == sys.executable else {"PYTHONPATH": ""}
    command = [python, "-c", SERVE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env={**os.environ, **path})
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


@contextmanager
def real_core() -> Iterator[str]:
    """Start the real core; raises RuntimeError with what is missing."""
    sys.path.insert(0, str(TESTS))
    from real.node import RealNode, UnavailableError, find_tools

    try:
        tools = find_tools()
    except UnavailableError as error:
        raise RuntimeError(str(error)) from error
    with RealNode(tools) as node:
        yield node.url


def start(python: str) -> float:
    """Return the seconds that a start takes, without the import."""
    path = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")} if python == sys.executable else {"PYTHONPATH": ""}
    command = [python, "-c", START]
    return float(subprocess.check_output(command, cwd=tempfile.gettempdir(), env={**os.environ, **path}))


class Client:
    """A connection to a server; checks the status of every answer."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=600)

    def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of the answer."""
        kind = "application/x-ndjson" if path.endswith("_bulk") else "application/json"
        self._connection.request(method, path, body, {} if body is None else {"content-type": kind})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400 and method != "DELETE":
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return answer


def write(url: str, mappings: dict[str, object], batches: Sequence[bytes]) -> float:
    """Write the documents into a new index, and return how many were written a second."""
    client = Client(url)
    client.send("DELETE", "/speed")
    client.send("PUT", "/speed", orjson.dumps({"mappings": mappings}))
    began = time.perf_counter()
    for batch in batches:
        if b'"errors":false' not in client.send("POST", "/speed/_bulk", batch)[:60]:
            raise RuntimeError("a document was refused")
    seconds = time.perf_counter() - began
    client.send("POST", "/speed/_refresh")
    return len(batches) * BATCH / seconds


def searches(url: str, bodies: Sequence[bytes], clients: int, seconds: float, path: str = SEARCH) -> float:
    """Return the searches, or other requests, a second of some clients at once."""

    def run(first: int) -> int:
        client = Client(url)
        client.send("POST", path, bodies[first])  # the first search of a connection is not counted
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            client.send("POST", path, bodies[(first + done) % len(bodies)])
            done += 1
        return done

    with ThreadPoolExecutor(clients) as threads:
        return sum(threads.map(run, range(clients))) / seconds


def first_searches(url: str, bodies: Sequence[bytes], clients: int) -> float:
    """Return the searches a second of some clients that share these."""

    def run(first: int) -> None:
        client = Client(url)
        for body in bodies[first::clients]:
            client.send("POST", SEARCH, body)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(run, range(clients)))
    return len(bodies) / (time.perf_counter() - began)


def batch_of(documents: Iterator[object]) -> bytes:
    """A bulk request of these documents."""
    return b"".join(b'{"index":{}}\n' + orjson.dumps(document) + b"\n" for document in documents)


def batches_of(count: int, document: Callable[[int], object]) -> list[bytes]:
    """Bulk requests of as many documents, by number."""
    return [batch_of(document(n) for n in range(first, first + BATCH)) for first in range(0, count, BATCH)]


def vectors(seed: int, count: int) -> np.ndarray:
    """Unit vectors around 200 centres, as texts about 200 subjects have."""
    centres = np.random.default_rng(0).standard_normal((200, DIMENSIONS))
    dice = np.random.default_rng(seed)
    points = centres[dice.integers(200, size=count)] + dice.standard_normal((count, DIMENSIONS))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def vector_batches(count: int) -> list[bytes]:
    """Bulk requests whose numbers have eight digits, as those of the service."""
    rows = vectors(1, count)
    return batches_of(count, lambda n: {"vector": [round(x, 8) for x in rows[n].tolist()], "text": f"document {n}"})


def knn_options(count: int) -> list[dict[str, object]]:
    """Searches for the ten nearest vectors."""
    queries = [[round(x, 8) for x in row.tolist()] for row in vectors(2, count)]
    return [{"field": "vector", "query_vector": query, "k": 10, "num_candidates": 100} for query in queries]


def zipf(dice: np.random.Generator, count: int) -> list[int]:
    """Numbers of words."""
    return np.minimum(dice.zipf(1.2, count), VOCABULARY).tolist()


def text_batches(count: int) -> list[bytes]:
    """Bulk requests of texts whose words are as frequent as those of a language."""
    dice = np.random.default_rng(4)
    return batches_of(count, lambda n: {"text": " ".join(f"w{word}" for word in zipf(dice, WORDS))})


def embeddings() -> list[bytes]:
    """Requests with 16 texts each, more texts than the embedded EIS remembers."""
    dice = np.random.default_rng(5)
    texts = [[" ".join(f"w{word}" for word in zipf(dice, WORDS)) for _ in range(16)] for _ in range(1000)]
    return [orjson.dumps({"input": sixteen, "input_type": "ingest"}) for sixteen in texts]


if __name__ == "__main__":
    sys.exit(main())
