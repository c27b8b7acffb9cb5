"""How fast the client is, and what it costs, beside the fastest client that can be written by hand.

    pip install "jina-eis[langchain,llama-index]"
    python benchmarks/throughput.py

Everything is measured in one run against `service.py`, which answers after a given latency and runs in a process of its own.
Each row of each round is a fresh process, rounds are interleaved, and every number is the median of its rounds. Imports and
the first request of a process are not part of wall and CPU time; peak memory is that of the whole process.

Parts, each with its verdict:

throughput: wall time, CPU time of the client, and peak memory for a list of texts, 16 requests in flight. The limit is an
    asyncio client of twenty lines with aiohttp and orjson, without checks, errors or retries; its sibling uses threads and
    urllib3. The loop is what one writes with the Elasticsearch client alone. Other packages join if they are installed, as
    they come, but for the address. What sends one request at a time is measured in one round only.
capacity: 64 requests in flight allowed, and a service that takes 12 and refuses the others, beside the limit with 12.
stream: peak memory for 100,000 texts whose vectors are dropped as they come.
start: importing `langchain_jina_eis` and making its embeddings, beside importing LangChain's base class alone.
query: one query at a time, beside the Elasticsearch client alone, by a service without latency.

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, distribution
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

T = TypeVar("T")
Vectors = list[list[float]]
Embed = Callable[[list[str]], Any]  # returns vectors, or what is awaited for them

ENDPOINT = ".jina-embeddings-v5-text-small"
PATH = f"/_inference/text_embedding/{ENDPOINT}?timeout=60s"
BATCH = 16
IN_FLIGHT = 16
LENGTH = 200  # characters of a text
CAPACITY = 12
ALLOWED = 64
STREAMED = 100_000
STARTS = 9
QUERIES = 200

WALL = 1.10  # of the limit
CPU = 1.3  # of the limit
WALL_REFUSED = 1.3  # of the limit with as many requests in flight as the service takes
REFUSED = 0.10  # of the requests
MEMORY = 300  # MB
START = 1.3  # of the base class alone


def main() -> int:
    """Measure the parts, print their tables and verdicts."""
    parser = argparse.ArgumentParser(description="Time, memory and refusals of the clients, side by side.")
    parser.add_argument("--texts", type=int, default=4096, help="texts in a list (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that an answer takes (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure (default: all)")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    results = [PARTS[name](options) for name in options.only]
    return 0 if all(results) else 1


# ---- What is measured ----


def limit(url: str, in_flight: int) -> Embed:
    """The least that a program can do: tasks that take batches from a queue, and no check of anything."""
    import aiohttp
    import orjson

    async def embed(texts: list[str]) -> Vectors:
        batches = list(enumerate(batched(texts)))[::-1]
        answers: list[Vectors] = [[]] * len(batches)

        async def work(session: aiohttp.ClientSession) -> None:
            while batches:
                index, batch = batches.pop()
                body = orjson.dumps({"input": batch, "input_type": "ingest"})
                async with session.post(url + PATH, data=body, headers={"content-type": "application/json"}) as response:
                    answer = orjson.loads(await response.read())
                answers[index] = [item["embedding"] for item in answer["text_embedding"]]

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(work(session) for _ in range(in_flight)))
        return [vector for vectors in answers for vector in vectors]

    return embed


def limit_of_threads(url: str, in_flight: int) -> Embed:
    """The same with threads."""
    import orjson
    import urllib3

    pool = urllib3.PoolManager(maxsize=in_flight)

    def work(batch: list[str]) -> Vectors:
        body = orjson.dumps({"input": batch, "input_type": "ingest"})
        response = pool.request("POST", url + PATH, body=body, headers={"content-type": "application/json"})
        return [item["embedding"] for item in orjson.loads(response.data)["text_embedding"]]

    def embed(texts: list[str]) -> Vectors:
        with ThreadPoolExecutor(in_flight) as threads:
            return [vector for vectors in threads.map(work, batched(texts)) for vector in vectors]

    return embed


def langchain(url: str, in_flight: int) -> Embed:
    """`JinaEISEmbeddings`."""
    from langchain_jina_eis import JinaEISEmbeddings

    return JinaEISEmbeddings(es_url=url, max_concurrency=in_flight).embed_documents


def alangchain(url: str, in_flight: int) -> Embed:
    """`JinaEISEmbeddings`, async."""
    from langchain_jina_eis import JinaEISEmbeddings

    return JinaEISEmbeddings(es_url=url, max_concurrency=in_flight).aembed_documents


def llama_index(url: str, in_flight: int) -> Embed:
    """`JinaEISEmbedding`."""
    from llama_index_jina_eis import JinaEISEmbedding

    return JinaEISEmbedding(es_url=url, max_concurrency=in_flight).get_text_embedding_batch


def allama_index(url: str, in_flight: int) -> Embed:
    """`JinaEISEmbedding`, async."""
    from llama_index_jina_eis import JinaEISEmbedding

    return JinaEISEmbedding(es_url=url, max_concurrency=in_flight).aget_text_embedding_batch


def loop(url: str, in_flight: int) -> Embed:
    """The Elasticsearch client, one batch after the other."""
    from elasticsearch import Elasticsearch

    inference = Elasticsearch(url).inference

    def embed(texts: list[str]) -> Vectors:
        vectors: Vectors = []
        for batch in batched(texts):
            answer = inference.text_embedding(inference_id=ENDPOINT, input=batch, input_type="ingest", timeout="60s")
            vectors += [item["embedding"] for item in answer["text_embedding"]]
        return vectors

    return embed


def jinaai(url: str, in_flight: int) -> Any:
    """LlamaIndex's package for Jina's own API."""
    from llama_index.embeddings.jinaai import JinaEmbedding

    embedding = JinaEmbedding(api_key="none", embed_batch_size=BATCH, num_workers=in_flight)
    embedding._api.api_url = f"{url}/v1/embeddings"  # there is no argument for it
    return embedding


def openai(url: str, in_flight: int) -> Any:
    """LangChain's package for OpenAI's API."""
    from langchain_openai import OpenAIEmbeddings

    return OpenAIEmbeddings(
        base_url=f"{url}/v1", api_key="none", model="benchmark", check_embedding_ctx_length=False, chunk_size=BATCH
    )


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        make: Makes what embeds a list, for a service at an address, with this many requests in flight.
        ours: Whether the targets are for it.
        rounds: Most rounds that it is worth.
        needs: The distribution that must be installed.
    """

    make: Callable[[str, int], Embed]
    ours: bool = False
    rounds: int = 100
    needs: str | None = None


LIMIT = "limit: aiohttp and orjson"
ROWS = {
    LIMIT: Row(limit),
    "limit of threads: urllib3 and orjson": Row(limit_of_threads),
    "langchain_jina_eis": Row(langchain, ours=True),
    "langchain_jina_eis, async": Row(alangchain, ours=True),
    "llama_index_jina_eis": Row(llama_index, ours=True),
    "llama_index_jina_eis, async": Row(allama_index, ours=True),
    "loop: Elasticsearch client": Row(loop, rounds=1),
    "llama-index-embeddings-jinaai": Row(
        lambda *where: jinaai(*where).get_text_embedding_batch, rounds=1, needs="llama-index-embeddings-jinaai"
    ),
    "llama-index-embeddings-jinaai, async": Row(
        lambda *where: jinaai(*where).aget_text_embedding_batch, needs="llama-index-embeddings-jinaai"
    ),
    "langchain-openai": Row(lambda *where: openai(*where).embed_documents, rounds=1, needs="langchain-openai"),
    "langchain-openai, async": Row(lambda *where: openai(*where).aembed_documents, rounds=1, needs="langchain-openai"),
}


def bare_query(url: str) -> Callable[[str], Any]:
    """The Elasticsearch client alone."""
    from elasticsearch import Elasticsearch

    inference = Elasticsearch(url).inference
    return lambda text: inference.text_embedding(inference_id=ENDPOINT, input=[text], input_type="search", timeout="60s")


def abare_query(url: str) -> Callable[[str], Any]:
    """The Elasticsearch client alone, async."""
    from elasticsearch import AsyncElasticsearch

    inference = AsyncElasticsearch(url).inference
    return lambda text: inference.text_embedding(inference_id=ENDPOINT, input=[text], input_type="search", timeout="60s")


def langchain_query(url: str, method: str) -> Callable[[str], Any]:
    """A method of `JinaEISEmbeddings`."""
    from langchain_jina_eis import JinaEISEmbeddings

    query: Callable[[str], Any] = getattr(JinaEISEmbeddings(es_url=url), method)
    return query


def llama_index_query(url: str, method: str) -> Callable[[str], Any]:
    """A method of `JinaEISEmbedding`."""
    from llama_index_jina_eis import JinaEISEmbedding

    query: Callable[[str], Any] = getattr(JinaEISEmbedding(es_url=url), method)
    return query


QUERY_ROWS: dict[str, Callable[[str], Callable[[str], Any]]] = {
    "Elasticsearch client": bare_query,
    "langchain_jina_eis": lambda url: langchain_query(url, "embed_query"),
    "llama_index_jina_eis": lambda url: llama_index_query(url, "get_query_embedding"),
    "Elasticsearch client, async": abare_query,
    "langchain_jina_eis, async": lambda url: langchain_query(url, "aembed_query"),
    "llama_index_jina_eis, async": lambda url: llama_index_query(url, "aget_query_embedding"),
}


# ---- The parts ----


def throughput(options: argparse.Namespace) -> bool:
    """Wall, CPU, memory and refusals for a list of texts."""
    rows = {name: row for name, row in ROWS.items() if installed(row.needs)}
    found: dict[str, list[Measured]] = {name: [] for name in rows}
    with service(options.latency) as url:
        for number in range(options.rounds):
            for name, row in rows.items():
                if number < row.rounds:
                    found[name].append(fresh(measure, name, url, IN_FLIGHT, options.texts))
    print(f"\n{options.texts} texts of {LENGTH} characters, {BATCH} in a request, {IN_FLIGHT} requests in flight, ", end="")
    print(f"{options.latency * 1000:g} ms latency; medians of {options.rounds} rounds\n")
    medians = table(found, LIMIT)
    ours = {name: medians[name] for name, row in rows.items() if row.ours}
    wall = {name: one.wall / medians[LIMIT].wall for name, one in ours.items()}
    cpu = {name: one.cpu / medians[LIMIT].cpu for name, one in ours.items()}
    verdicts = [verdict(f"wall within {WALL:.2f} of the limit", wall, WALL), verdict(f"CPU within {CPU:g} of it", cpu, CPU)]
    return all(verdicts)


def capacity(options: argparse.Namespace) -> bool:
    """More requests allowed than the service takes."""
    best = f"limit with {CAPACITY} in flight"
    allowed = {best: (LIMIT, CAPACITY), **{name: (name, ALLOWED) for name, row in ROWS.items() if row.ours}}
    found: dict[str, list[Measured]] = {name: [] for name in allowed}
    with service(options.latency, CAPACITY) as url:
        for _ in range(options.rounds):
            for name, (row, in_flight) in allowed.items():
                found[name].append(fresh(measure, row, url, in_flight, options.texts))
    print(f"\nThe same with {ALLOWED} requests allowed in flight, by a service that refuses more than {CAPACITY}\n")
    medians = table(found, best)
    ours = {name: one for name, one in medians.items() if name != best}
    wall = {name: one.wall / medians[best].wall for name, one in ours.items()}
    refused = {name: one.refused / one.requests for name, one in ours.items()}
    verdicts = [
        verdict(f"wall within {WALL_REFUSED:g} of the {best}", wall, WALL_REFUSED),
        verdict(f"at most {REFUSED:.0%} of the requests refused", refused, REFUSED),
    ]
    return all(verdicts)


def stream(options: argparse.Namespace) -> bool:
    """Memory of a long stream."""
    print(f"\n{STREAMED} texts streamed, vectors dropped as they come\n")
    print("| | wall, s | CPU, s | peak memory, MB |\n|---|---|---|---|")
    memory = {}
    with service(options.latency) as url:
        for name, method in (("stream_documents", "stream_documents"), ("astream_documents", "astream_documents")):
            one = fresh(measure_stream, url, method)
            memory[name] = one.memory
            print(f"| {name} | {one.wall:.1f} | {one.cpu:.1f} | {one.memory:.0f} |")
    return verdict(f"within {MEMORY} MB", memory, MEMORY)


def start(options: argparse.Namespace) -> bool:
    """Imports."""
    programs = {
        "from langchain_core.embeddings import Embeddings": "",
        "from langchain_jina_eis import JinaEISEmbeddings": "; JinaEISEmbeddings(es_url='http://localhost:9200')",
    }
    seconds: dict[str, list[float]] = {imported: [] for imported in programs}
    for _ in range(STARTS + 1):  # the first may have to read files from disk, and does not count
        for imported, then in programs.items():
            timed = f"import time; began = time.perf_counter(); {imported}{then}; print(time.perf_counter() - began)"
            seconds[imported].append(float(subprocess.check_output([sys.executable, "-c", timed])))
    bare, ours = (statistics.median(times[1:]) for times in seconds.values())
    print(f"\nStart of a process; medians of {STARTS}\n\n| | ms | of the first |\n|---|---|---|")
    print(f"| `Embeddings` imported | {bare * 1000:.0f} | 1 |")
    print(f"| `JinaEISEmbeddings` imported and made | {ours * 1000:.0f} | {ours / bare:.2f} |")
    return verdict(f"start within {START:g} of the base class alone", {"JinaEISEmbeddings": ours / bare}, START)


def query(options: argparse.Namespace) -> bool:
    """One query at a time. There is no target for it."""
    found: dict[str, list[Measured]] = {name: [] for name in QUERY_ROWS}
    with service(0) as url:
        for _ in range(options.rounds):
            for name in QUERY_ROWS:
                found[name].append(fresh(measure_query, name, url))
    print(f"\nOne query at a time, by a service without latency; medians of {options.rounds} rounds of {QUERIES} queries\n")
    print("| | wall, ms | CPU, ms |\n|---|---|---|")
    for name, rounds in found.items():
        one = median(rounds)
        print(f"| {name} | {one.wall * 1000:.2f} | {one.cpu * 1000:.2f} |")
    return True


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    part.__name__: part for part in (throughput, capacity, stream, start, query)
}


# ---- How it is measured ----


@dataclass(frozen=True)
class Measured:
    """What one run took: seconds, MB, and what the service counted."""

    wall: float
    cpu: float
    memory: float
    requests: float = 0
    refused: float = 0
    most_in_flight: float = 0


def measure(name: str, url: str, in_flight: int, count: int) -> Measured:
    """Embed texts once, in this process."""
    embed = synchronous(ROWS[name].make(url, in_flight))
    listed = list(texts(count))
    embed(listed[:1])  # imports what is imported late
    stats(url, "DELETE")
    wall, cpu = time.perf_counter(), time.process_time()
    vectors = embed(listed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert [len(vector) for vector in vectors] == [1024] * count
    return Measured(wall, cpu, peak_memory(), **stats(url))


def measure_stream(url: str, method: str) -> Measured:
    """Stream texts in this process, with settings as they come."""
    from langchain_jina_eis import JinaEISEmbeddings

    vectors = getattr(JinaEISEmbeddings(es_url=url), method)(texts(STREAMED))

    async def count() -> int:
        return sum([1 async for _ in vectors])

    wall, cpu = time.perf_counter(), time.process_time()
    received = asyncio.run(count()) if inspect.isasyncgen(vectors) else sum(1 for _ in vectors)
    assert received == STREAMED
    return Measured(time.perf_counter() - wall, time.process_time() - cpu, peak_memory())


def measure_query(name: str, url: str) -> Measured:
    """Ask query after query in this process; what one of them took."""
    embed = synchronous(QUERY_ROWS[name](url))
    for text in texts(QUERIES // 10):
        embed(text)
    walls = []
    cpu = time.process_time()
    for text in texts(QUERIES):
        began = time.perf_counter()
        embed(text)
        walls.append(time.perf_counter() - began)
    return Measured(statistics.median(walls), (time.process_time() - cpu) / QUERIES, peak_memory())


def synchronous(embed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same, which runs what is to be awaited, always in the same event loop."""
    loop = asyncio.new_event_loop()

    def run(given: Any) -> Any:
        result = embed(given)
        return loop.run_until_complete(result) if inspect.isawaitable(result) else result

    return run


def fresh(function: Callable[..., T], *arguments: Any) -> T:
    """The result of the function in a process of its own. This one stays small: Linux hands its peak down to the others."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(function, *arguments).result()


@contextmanager
def service(latency: float, capacity: int | None = None) -> Iterator[str]:
    """The address of a service that runs meanwhile."""
    command = [sys.executable, str(Path(__file__).with_name("service.py")), "--latency", str(latency)]
    command += ["--capacity", str(capacity)] if capacity else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def stats(url: str, method: str = "GET") -> dict[str, int]:
    """What the service counted."""
    with urlopen(Request(f"{url}/stats", method=method)) as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def peak_memory() -> float:
    """MB that this process took at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def texts(count: int) -> Iterator[str]:
    """Different texts of the same length, without quotes: the service counts those."""
    words = "Glaciers are rivers of ice that move under their own weight, slowly, and shape the valleys below them. " * 2
    return (f"{number}: {words}"[:LENGTH] for number in range(count))


def batched(listed: Sequence[str]) -> list[Sequence[str]]:
    """The texts of each request."""
    return [listed[first : first + BATCH] for first in range(0, len(listed), BATCH)]


def installed(needed: str | None) -> bool:
    """Whether a distribution is there; says so if not."""
    try:
        return needed is None or bool(distribution(needed))
    except PackageNotFoundError:
        print(f'skipped, not installed: pip install "{needed}"', file=sys.stderr)
        return False


def median(rounds: Sequence[Measured]) -> Measured:
    """Each number's median."""
    return Measured(*(statistics.median(getattr(one, field.name) for one in rounds) for field in fields(Measured)))


def table(found: dict[str, list[Measured]], first: str) -> dict[str, Measured]:
    """Print the medians, and their ratios to those of the first."""
    medians = {name: median(rounds) for name, rounds in found.items()}
    print("| | wall, s | of the limit | CPU, s | of the limit | peak memory, MB | most in flight | refused |")
    print("|---|---|---|---|---|---|---|---|")
    for name, one in medians.items():
        wall, cpu = one.wall / medians[first].wall, one.cpu / medians[first].cpu
        told = f"{one.wall:.2f} | {wall:.2f} | {one.cpu:.2f} | {cpu:.2f} | {one.memory:.0f} | {one.most_in_flight:.0f}"
        print(f"| {name} | {told} | {one.refused:.0f} of {one.requests:.0f} |")
    return medians


def verdict(target: str, reached: dict[str, float], most: float) -> bool:
    """Print whether the target is met."""
    passed = max(reached.values()) <= most
    print(f"\n{'PASS' if passed else 'FAIL'}: {target}; {', '.join(f'{name} {one:.3g}' for name, one in reached.items())}")
    return passed


if __name__ == "__main__":
    sys.exit(main())
