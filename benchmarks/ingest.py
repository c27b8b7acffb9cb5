"""Documents per second into a dense_vector index, compared with LangChain's `ElasticsearchStore` over the same embeddings.

    pip install "jina-eis[langchain]" "langchain-elasticsearch>=1,<2"
    python benchmarks/ingest.py

`langchain-elasticsearch` needs version 8.19 of the client, so both rows use it. `service.py` answers, in a separate process:
embedding requests and bulk requests after 100 ms each; it stores nothing. Each row of each round runs in a new process, rounds
are interleaved, and every number is the median of its rounds. The time includes the creation of the index and excludes imports.

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

from throughput import LENGTH, Measurement, installed, median, peak_memory, run_in_new_process, service, stats, texts

FASTER = 1.5  # times the documents per second of ElasticsearchStore
MEMORY = 1.0  # of that of ElasticsearchStore

OURS, THEIRS = "JinaEISVectorStore.add_texts", "ElasticsearchStore.add_texts"


def main() -> int:
    """Measure both stores, and print the table and the verdicts."""
    parser = argparse.ArgumentParser(description="Compare the speed of two stores.")
    parser.add_argument("--documents", type=int, default=20_000, help="documents (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds until a response (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row (default: %(default)s)")
    options = parser.parse_args()
    if not installed("langchain-elasticsearch"):
        return 1
    os.environ["NO_PROXY"] = "127.0.0.1"
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    measured: dict[str, list[Measurement]] = {name: [] for name in STORES}
    with service(options.latency) as url:
        for _ in range(options.rounds):
            for name in STORES:
                measured[name].append(run_in_new_process(measure, name, url, options.documents))
    medians = {name: median(rounds) for name, rounds in measured.items()}
    print(f"\n{options.documents} documents of {LENGTH} characters, {options.latency * 1000:g} ms latency; ", end="")
    print(f"medians of {options.rounds} rounds\n\n| | documents per second | wall, s | CPU, s | peak memory, MB | requests |")
    print("|---|---|---|---|---|---|")
    for name, result in medians.items():
        cells = f"{result.wall:.1f} | {result.cpu:.1f} | {result.memory:.0f} | {result.requests:.0f}"
        print(f"| {name} | {options.documents / result.wall:,.0f} | {cells} |")
    faster = medians[THEIRS].wall / medians[OURS].wall
    memory = medians[OURS].memory / medians[THEIRS].memory
    print(f"\n{'PASS' if faster >= FASTER else 'FAIL'}: {faster:.2f} times the documents per second, target {FASTER:g} or more")
    print(f"{'PASS' if memory <= MEMORY else 'FAIL'}: {memory:.2f} of the memory, target {MEMORY:g} or less")
    return 0 if faster >= FASTER and memory <= MEMORY else 1


def ours(url: str, index: str) -> Any:
    """The store of this library."""
    from langchain_jina_eis import JinaEISVectorStore

    return JinaEISVectorStore(index_name=index, es_url=url, field_type="dense_vector")


def theirs(url: str, index: str) -> Any:
    """The store of langchain-elasticsearch, with the embeddings of this library."""
    from langchain_elasticsearch import ElasticsearchStore

    from langchain_jina_eis import JinaEISEmbeddings

    return ElasticsearchStore(index_name=index, es_url=url, embedding=JinaEISEmbeddings(es_url=url))


STORES: dict[str, Callable[[str, str], Any]] = {OURS: ours, THEIRS: theirs}


def measure(name: str, url: str, count: int) -> Measurement:
    """Add texts to a new index, in this process."""
    inputs = list(texts(count))
    STORES[name](url, f"warm-{os.getpid()}").add_texts(inputs[:1])  # runs lazy imports
    store = STORES[name](url, f"facts-{os.getpid()}")
    stats(url, "DELETE")
    wall, cpu = time.perf_counter(), time.process_time()
    ids = store.add_texts(inputs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert len(set(ids)) == count
    return Measurement(wall, cpu, peak_memory(), **stats(url))


if __name__ == "__main__":
    sys.exit(main())
