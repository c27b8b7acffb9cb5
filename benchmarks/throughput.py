"""Speed and cost of the client, compared with the fastest hand-written client.

    pip install "jina-eis[langchain,llama-index]"
    python benchmarks/throughput.py

All measurements are made in one run against `service.py`, which responds after a given latency in a separate process. Each
row of each round runs in a new process, rounds are interleaved, and every number is the median of its rounds. Wall and CPU
time exclude imports, the garbage collector's visit of what they made, and the first request of a process; peak memory is that
of the whole process.

Parts, each with its verdict:

throughput: wall time, CPU time of the client, and peak memory for a list of texts, 16 requests in flight. The limit is a
    20-line asyncio client with aiohttp and orjson, without checks, errors or retries; a variant uses threads and urllib3.
    The loop uses the Elasticsearch client alone. Other packages are measured if installed, with default settings except the
    address. Clients that send one request at a time are measured in one round only.
line: the same with 3,200 texts over a line of 100 Mbit/s (`--mbit`), which all connections share: what the bytes cost.
ingest: 20,000 documents with vectors (`--documents`) written by `JinaEISRetriever.add_texts`: bytes sent, CPU.
capacity: 64 requests in flight allowed, and a service that accepts 12 and refuses the others, compared with the limit at 12.
stream: peak memory for 100,000 texts whose vectors are discarded.
start: import of `langchain_jina_eis` and creation of its embeddings, compared with the import of LangChain's base class.
query: one query at a time, compared with the Elasticsearch client alone, against a service without latency.

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
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
Embed = Callable[[list[str]], Any]  # returns vectors, or an awaitable of them

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

PLAIN = {"accept-encoding": "identity"}  # aiohttp asks for gzip by default

WALL = 1.05  # of the limit
CPU = 1.10  # of the limit, with tasks
CPU_OF_THREADS = 1.40  # of the limit
CPU_OF_GZIP = 0.70  # of the same in JSON with gzip
LINE_TEXTS = 3200
LINE_WALL = 0.50  # of the limit
LINE_BYTES = 0.45  # received, of the limit
WALL_REFUSED = 1.3  # of the limit with as many requests in flight as the service accepts
REFUSED = 0.10  # of the requests
MEMORY = 300  # MB
START = 1.3  # of the base class alone


def main() -> int:
    """Measure the parts, and print their tables and verdicts."""
    parser = argparse.ArgumentParser(description="Compare time, memory and refusals of the clients.")
    parser.add_argument("--texts", type=int, default=4096, help="texts in a list (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds until a response (default: %(default)s)")
    parser.add_argument("--mbit", type=float, default=100, help="bandwidth of the line (default: %(default)s)")
    parser.add_argument("--documents", type=int, default=20_000, help="documents of the ingest (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure (default: all)")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    results = [PARTS[name](options) for name in options.only]
    return 0 if all(results) else 1


def limit(url: str, in_flight: int) -> Embed:
    """The minimum: tasks that take batches from a queue, without checks."""
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

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=PLAIN) as session:
            await asyncio.gather(*(work(session) for _ in range(in_flight)))
        return [vector for vectors in answers for vector in vectors]

    return embed


def limit_in_cbor(url: str, in_flight: int) -> Embed:
    """The minimum in CBOR."""
    import aiohttp
    import cbor2
    import orjson

    async def embed(texts: list[str]) -> Vectors:
        batches = list(enumerate(batched(texts)))[::-1]
        answers: list[Vectors] = [[]] * len(batches)

        async def work(session: aiohttp.ClientSession) -> None:
            while batches:
                index, batch = batches.pop()
                body = orjson.dumps({"input": batch, "input_type": "ingest"})
                headers = {"content-type": "application/json", "accept": "application/cbor"}
                async with session.post(url + PATH, data=body, headers=headers) as response:
                    answer = cbor2.loads(await response.read())
                answers[index] = [item["embedding"] for item in answer["text_embedding"]]

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=PLAIN) as session:
            await asyncio.gather(*(work(session) for _ in range(in_flight)))
        return [vector for vectors in answers for vector in vectors]

    return embed


def limit_of_threads(url: str, in_flight: int) -> Embed:
    """The same with threads and urllib3."""
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


def in_json(url: str, in_flight: int) -> Embed:
    """`JinaEISEmbeddings` in JSON."""
    from langchain_jina_eis import JinaEISEmbeddings

    return JinaEISEmbeddings(es_url=url, max_concurrency=in_flight, wire_format="json").embed_documents


def in_json_with_gzip(url: str, in_flight: int) -> Embed:
    """`JinaEISEmbeddings` in JSON with gzip in both directions, by a client of the user."""
    from elasticsearch import Elasticsearch
    from elasticsearch.serializer import OrjsonSerializer

    from langchain_jina_eis import JinaEISEmbeddings

    client = Elasticsearch(url, http_compress=True, serializer=OrjsonSerializer(), connections_per_node=in_flight)
    return JinaEISEmbeddings(client=client, max_concurrency=in_flight).embed_documents


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
    embedding._api.api_url = f"{url}/v1/embeddings"  # no argument sets it
    return embedding


def openai(url: str, in_flight: int) -> Any:
    """LangChain's package for OpenAI's API."""
    from langchain_openai import OpenAIEmbeddings

    return OpenAIEmbeddings(
        base_url=f"{url}/v1", api_key="none", model="benchmark", check_embedding_ctx_length=False, chunk_size=BATCH
    )


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        make: Takes the address of a service and the number of requests in flight, and returns a function that embeds a list.
        ours: Whether the targets apply to it.
        rounds: The largest number of rounds.
        needs: The distribution that it requires.
    """

    make: Callable[[str, int], Embed]
    ours: bool = False
    rounds: int = 100
    needs: str | None = None


LIMIT = "limit: aiohttp and orjson"
IN_JSON = "langchain_jina_eis in JSON"
GZIP = "langchain_jina_eis in JSON with gzip"
ROWS = {
    LIMIT: Row(limit),
    "limit in CBOR: aiohttp and cbor2": Row(limit_in_cbor),
    "limit of threads: urllib3 and orjson": Row(limit_of_threads),
    "langchain_jina_eis": Row(langchain, ours=True),
    "langchain_jina_eis, async": Row(alangchain, ours=True),
    IN_JSON: Row(in_json),
    GZIP: Row(in_json_with_gzip),
    "llama_index_jina_eis": Row(llama_index, ours=True),
    "llama_index_jina_eis, async": Row(allama_index, ours=True),
    "loop: Elasticsearch client": Row(loop, rounds=1),
    "llama-index-embeddings-jinaai": Row(
        lambda *args: jinaai(*args).get_text_embedding_batch, rounds=1, needs="llama-index-embeddings-jinaai"
    ),
    "llama-index-embeddings-jinaai, async": Row(
        lambda *args: jinaai(*args).aget_text_embedding_batch, needs="llama-index-embeddings-jinaai"
    ),
    "langchain-openai": Row(lambda *args: openai(*args).embed_documents, rounds=1, needs="langchain-openai"),
    "langchain-openai, async": Row(lambda *args: openai(*args).aembed_documents, rounds=1, needs="langchain-openai"),
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
    measured: dict[str, list[Measurement]] = {name: [] for name in rows}
    with service(options.latency) as url:
        for number in range(options.rounds):
            for name, row in rows.items():
                if number < row.rounds:
                    measured[name].append(run_in_new_process(measure, name, url, IN_FLIGHT, options.texts))
    print(f"\n{options.texts} texts of {LENGTH} characters, {BATCH} in a request, {IN_FLIGHT} requests in flight, ", end="")
    print(f"{options.latency * 1000:g} ms latency; medians of {options.rounds} rounds\n")
    medians = table(measured, LIMIT)
    ours = {name: medians[name] for name, row in rows.items() if row.ours}
    wall = {name: result.wall / medians[LIMIT].wall for name, result in ours.items()}
    cpu = {name: result.cpu / medians[LIMIT].cpu for name, result in ours.items()}
    tasks = {name: value for name, value in cpu.items() if "async" in name}
    threads = {name: value for name, value in cpu.items() if "async" not in name}
    of_gzip = {name: result.cpu / medians[GZIP].cpu for name, result in ours.items()}
    verdicts = [
        verdict(f"wall within {WALL:.2f} of the limit", wall, WALL),
        verdict(f"CPU of tasks within {CPU:g} of it", tasks, CPU),
        verdict(f"CPU of threads within {CPU_OF_THREADS:g} of it", threads, CPU_OF_THREADS),
        verdict(f"CPU within {CPU_OF_GZIP:g} of JSON with gzip", of_gzip, CPU_OF_GZIP),
    ]
    return all(verdicts)


def line(options: argparse.Namespace) -> bool:
    """Wall time and bytes over a line of given bandwidth."""
    names = [name for name, row in ROWS.items() if row.ours or name in (LIMIT, IN_JSON, GZIP)]
    measured: dict[str, list[Measurement]] = {name: [] for name in names}
    with service(options.latency, mbit=options.mbit) as url:
        for _ in range(options.rounds):
            for name in names:
                measured[name].append(run_in_new_process(measure, name, url, IN_FLIGHT, LINE_TEXTS))
    print(f"\n{LINE_TEXTS} texts over a line of {options.mbit:g} Mbit/s\n")
    medians = table(measured, LIMIT)
    ours = {name: result for name, result in medians.items() if ROWS[name].ours}
    wall = {name: result.wall / medians[LIMIT].wall for name, result in ours.items()}
    received = {name: result.received / medians[LIMIT].received for name, result in ours.items()}
    verdicts = [
        verdict(f"wall within {LINE_WALL:g} of the limit", wall, LINE_WALL),
        verdict(f"bytes received within {LINE_BYTES:g} of it", received, LINE_BYTES),
    ]
    return all(verdicts)


def ingest(options: argparse.Namespace) -> bool:
    """Bytes and CPU of writing documents with vectors; compare with those of another version."""
    print(
        f"\n{options.documents} documents with vectors\n\n| | wall, s | CPU, s | MB sent | MB received |\n|---|---|---|---|---|"
    )
    with service(0) as url:
        rounds = [run_in_new_process(measure_ingest, url, options.documents) for _ in range(options.rounds)]
    result = median(rounds)
    cells = f"{result.wall:.1f} | {result.cpu:.1f} | {result.sent / 1e6:.1f} | {result.received / 1e6:.1f}"
    print(f"| JinaEISRetriever.add_texts | {cells} |")
    return True


def capacity(options: argparse.Namespace) -> bool:
    """More requests allowed than the service accepts."""
    best = f"limit with {CAPACITY} in flight"
    allowed = {best: (LIMIT, CAPACITY), **{name: (name, ALLOWED) for name, row in ROWS.items() if row.ours}}
    measured: dict[str, list[Measurement]] = {name: [] for name in allowed}
    with service(options.latency, CAPACITY) as url:
        for _ in range(options.rounds):
            for name, (row, in_flight) in allowed.items():
                measured[name].append(run_in_new_process(measure, row, url, in_flight, options.texts))
    print(f"\nThe same with {ALLOWED} requests allowed in flight, against a service that refuses more than {CAPACITY}\n")
    medians = table(measured, best)
    ours = {name: result for name, result in medians.items() if name != best}
    wall = {name: result.wall / medians[best].wall for name, result in ours.items()}
    refused = {name: result.refused / result.requests for name, result in ours.items()}
    verdicts = [
        verdict(f"wall within {WALL_REFUSED:g} of the {best}", wall, WALL_REFUSED),
        verdict(f"at most {REFUSED:.0%} of the requests refused", refused, REFUSED),
    ]
    return all(verdicts)


def stream(options: argparse.Namespace) -> bool:
    """Memory of a long stream."""
    print(f"\n{STREAMED} texts streamed, vectors discarded\n")
    print("| | wall, s | CPU, s | peak memory, MB |\n|---|---|---|---|")
    memory = {}
    with service(options.latency) as url:
        for name, method in (("stream_documents", "stream_documents"), ("astream_documents", "astream_documents")):
            result = run_in_new_process(measure_stream, url, method)
            memory[name] = result.memory
            print(f"| {name} | {result.wall:.1f} | {result.cpu:.1f} | {result.memory:.0f} |")
    return verdict(f"within {MEMORY} MB", memory, MEMORY)


def start(options: argparse.Namespace) -> bool:
    """Time of imports."""
    programs = {
        "from langchain_core.embeddings import Embeddings": "",
        "from langchain_jina_eis import JinaEISEmbeddings": "; JinaEISEmbeddings(es_url='http://localhost:9200')",
    }
    seconds: dict[str, list[float]] = {imported: [] for imported in programs}
    for _ in range(STARTS + 1):  # the first may read files from disk, and is not counted
        for imported, then in programs.items():
            timed = f"import time; began = time.perf_counter(); {imported}{then}; print(time.perf_counter() - began)"
            seconds[imported].append(float(subprocess.check_output([sys.executable, "-c", timed])))
    bare, ours = (statistics.median(times[1:]) for times in seconds.values())
    print(f"\nStart of a process; medians of {STARTS}\n\n| | ms | of the first |\n|---|---|---|")
    print(f"| `Embeddings` imported | {bare * 1000:.0f} | 1 |")
    print(f"| `JinaEISEmbeddings` imported and created | {ours * 1000:.0f} | {ours / bare:.2f} |")
    return verdict(f"start within {START:g} of the base class alone", {"JinaEISEmbeddings": ours / bare}, START)


def query(options: argparse.Namespace) -> bool:
    """One query at a time, without a target."""
    measured: dict[str, list[Measurement]] = {name: [] for name in QUERY_ROWS}
    with service(0) as url:
        for _ in range(options.rounds):
            for name in QUERY_ROWS:
                measured[name].append(run_in_new_process(measure_query, name, url))
    print(f"\nOne query at a time, against a service without latency; medians of {options.rounds} rounds of {QUERIES} queries\n")
    print("| | wall, ms | CPU, ms |\n|---|---|---|")
    for name, rounds in measured.items():
        result = median(rounds)
        print(f"| {name} | {result.wall * 1000:.2f} | {result.cpu * 1000:.2f} |")
    return True


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    part.__name__: part for part in (throughput, line, ingest, capacity, stream, start, query)
}


@dataclass(frozen=True)
class Measurement:
    """Measurements of one run: seconds, MB, and the counts of the service."""

    wall: float
    cpu: float
    memory: float
    requests: float = 0
    refused: float = 0
    most_in_flight: float = 0
    sent: float = 0
    received: float = 0


def measure_ingest(url: str, count: int) -> Measurement:
    """Write documents with vectors in this process, with default settings."""
    from langchain_jina_eis import JinaEISRetriever

    retriever = JinaEISRetriever(es_url=url, index_name=f"docs-{os.getpid()}", field_type="dense_vector")
    retriever.add_texts(["one"], ids=["0"])
    gc.collect()
    stats(url, "DELETE")
    wall, cpu = time.perf_counter(), time.process_time()
    retriever.add_texts(texts(count), ids=[str(number) for number in range(count)])
    return Measurement(time.perf_counter() - wall, time.process_time() - cpu, peak_memory(), **stats(url))


def measure(name: str, url: str, in_flight: int, count: int) -> Measurement:
    """Embed texts once, in this process."""
    embed = synchronous(ROWS[name].make(url, in_flight))
    inputs = list(texts(count))
    embed(inputs[:1])  # runs lazy imports
    gc.collect()
    stats(url, "DELETE")
    wall, cpu = time.perf_counter(), time.process_time()
    vectors = embed(inputs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert [len(vector) for vector in vectors] == [1024] * count
    return Measurement(wall, cpu, peak_memory(), **stats(url))


def measure_stream(url: str, method: str) -> Measurement:
    """Stream texts in this process, with default settings."""
    from langchain_jina_eis import JinaEISEmbeddings

    vectors = getattr(JinaEISEmbeddings(es_url=url), method)(texts(STREAMED))

    async def count() -> int:
        return sum([1 async for _ in vectors])

    wall, cpu = time.perf_counter(), time.process_time()
    received = asyncio.run(count()) if inspect.isasyncgen(vectors) else sum(1 for _ in vectors)
    assert received == STREAMED
    return Measurement(time.perf_counter() - wall, time.process_time() - cpu, peak_memory())


def measure_query(name: str, url: str) -> Measurement:
    """Embed query after query in this process, and return the cost of one."""
    embed = synchronous(QUERY_ROWS[name](url))
    for text in texts(QUERIES // 10):
        embed(text)
    walls = []
    cpu = time.process_time()
    for text in texts(QUERIES):
        began = time.perf_counter()
        embed(text)
        walls.append(time.perf_counter() - began)
    return Measurement(statistics.median(walls), (time.process_time() - cpu) / QUERIES, peak_memory())


def synchronous(embed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a synchronous version, which runs awaitables in one event loop."""
    loop = asyncio.new_event_loop()

    def run(inputs: Any) -> Any:
        result = embed(inputs)
        return loop.run_until_complete(result) if inspect.isawaitable(result) else result

    return run


def run_in_new_process(function: Callable[..., T], *arguments: Any) -> T:
    """Call the function in a new process. This process must stay small: on Linux, its peak memory is inherited."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(function, *arguments).result()


@contextmanager
def service(latency: float, capacity: int | None = None, mbit: float | None = None) -> Iterator[str]:
    """Run a service in the context, and yield its address."""
    command = [sys.executable, str(Path(__file__).with_name("service.py")), "--latency", str(latency)]
    command += ["--capacity", str(capacity)] if capacity else []
    command += ["--mbit", str(mbit)] if mbit else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def stats(url: str, method: str = "GET") -> dict[str, int]:
    """Return the counts of the service."""
    with urlopen(Request(f"{url}/stats", method=method)) as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def texts(count: int) -> Iterator[str]:
    """Generate different texts of the same length, without quotes, which the service counts."""
    words = "Glaciers are rivers of ice that move under their own weight, slowly, and shape the valleys below them. " * 2
    return (f"{number}: {words}"[:LENGTH] for number in range(count))


def batched(inputs: Sequence[str]) -> list[Sequence[str]]:
    """Split texts into the batches of requests."""
    return [inputs[first : first + BATCH] for first in range(0, len(inputs), BATCH)]


def installed(needed: str | None) -> bool:
    """Return whether a distribution is installed; prints a hint if not."""
    try:
        return needed is None or bool(distribution(needed))
    except PackageNotFoundError:
        print(f'skipped, not installed: pip install "{needed}"', file=sys.stderr)
        return False


def median(rounds: Sequence[Measurement]) -> Measurement:
    """Return the median of each number."""
    return Measurement(*(statistics.median(getattr(result, field.name) for result in rounds) for field in fields(Measurement)))


def table(measured: dict[str, list[Measurement]], reference: str) -> dict[str, Measurement]:
    """Print and return the medians, with ratios to the row named `reference`."""
    medians = {name: median(rounds) for name, rounds in measured.items()}
    columns = "| | wall, s | of the limit | CPU, s | of the limit | MB sent | MB received | peak memory, MB | most in flight"
    print(f"{columns} | refused |\n|---|---|---|---|---|---|---|---|---|---|")
    for name, result in medians.items():
        wall, cpu = result.wall / medians[reference].wall, result.cpu / medians[reference].cpu
        cells = f"{result.wall:.2f} | {wall:.2f} | {result.cpu:.2f} | {cpu:.2f}"
        cells += f" | {result.sent / 1e6:.1f} | {result.received / 1e6:.1f} | {result.memory:.0f} | {result.most_in_flight:.0f}"
        print(f"| {name} | {cells} | {result.refused:.0f} of {result.requests:.0f} |")
    return medians


def verdict(target: str, results: dict[str, float], maximum: float) -> bool:
    """Print and return whether the target is met."""
    passed = max(results.values()) <= maximum
    print(f"\n{'PASS' if passed else 'FAIL'}: {target}; {', '.join(f'{name} {value:.3g}' for name, value in results.items())}")
    return passed


if __name__ == "__main__":
    sys.exit(main())
