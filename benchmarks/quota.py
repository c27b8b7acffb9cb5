"""Jobs against a quota, in real processes and real time.

    pip install "jina-eis[langchain,local]"
    python benchmarks/quota.py

A server of its own grants 100 requests in any 10 s. One process, and eight at once, embed 320 batches, with and without
Retry-After; every number is the median of the rounds. Processes import first and start together. The best possible time is
that of three full windows, and 0.1 s. Without a quota, single batches are embedded beside a long list, by the same object; their
latency is compared with that of an idle object.

Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import multiprocessing
import statistics
import threading
import time
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

QUOTA = (100, 10.0)
REQUESTS = 320
BEST = 30.1  # seconds
SINGLE = 60  # batches embedded one after the other
SLOWER = 2.0  # greatest ratio of their latencies, at the 95th percentile
TARGETS = {(8, True): (1.12, 0.08), (8, False): (1.15, 0.10), (1, True): (1.10, 0.03), (1, False): (1.10, 0.03)}


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="Time and refusals of jobs that share a quota.")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row (default: %(default)s)")
    rounds = parser.parse_args().rounds
    met = True
    for (processes, retry_after), (wall, share) in TARGETS.items():
        results = [measure(processes, retry_after=retry_after) for _ in range(rounds)]
        seconds, refused = (statistics.median(column) for column in zip(*results, strict=True))
        met = met and seconds <= wall * BEST and refused <= share
        print(
            f"{processes} processes, Retry-After {'yes' if retry_after else 'no'}: {seconds / BEST:.2f} of the best time "
            f"(target {wall}), {refused:.1%} refused (target {share:.0%})",
            flush=True,
        )
    ratio = statistics.median(interactive() for _ in range(rounds))
    print(f"a single batch beside a long list: {ratio:.2f} of the latency without it (target {SLOWER})")
    return 0 if met and ratio <= SLOWER else 1


def measure(processes: int, *, retry_after: bool) -> tuple[float, float]:
    """Return the seconds of the jobs, and the share of refused requests."""
    from jina_eis.local import LocalEIS

    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes + 1)
    with LocalEIS(model="hash", quota=QUOTA, quota_retry_after=retry_after, record=True) as eis:
        eis.faults.latency = 0.1
        jobs = [context.Process(target=embed, args=(eis.url, REQUESTS // processes, ready)) for _ in range(processes)]
        for job in jobs:
            job.start()
        ready.wait()
        began = time.monotonic()
        for job in jobs:
            job.join()
        seconds = time.monotonic() - began
        if any(job.exitcode for job in jobs):
            raise SystemExit("A job failed; see its error above.")
        requests = [exchange.status for exchange in eis.requests if exchange.method == "POST"][processes:]
    return seconds, requests.count(429) / len(requests)


def interactive() -> float:
    """Return the 95th percentile of the latency of single batches beside a long list, of that without it."""
    from jina_eis.local import LocalEIS

    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    with LocalEIS(model="hash") as eis:
        eis.faults.latency = 0.1
        job = context.Process(target=embed_singly, args=(eis.url, results))
        job.start()
        idle, busy = results.get()
        job.join()
    return float(busy / idle)


def embed_singly(url: str, results: SimpleQueue[tuple[float, float]]) -> None:
    """Embed single batches, alone and beside a long list. Puts the 95th percentiles of their seconds."""
    from langchain_jina_eis import JinaEISEmbeddings

    def percentile() -> float:
        seconds = []
        for number in range(SINGLE):
            began = time.perf_counter()
            embeddings.embed_documents([f"query {number}"])
            seconds.append(time.perf_counter() - began)
        return statistics.quantiles(seconds, n=20)[-1]

    ended = threading.Event()
    with JinaEISEmbeddings(es_url=url, batch_size=1) as embeddings:
        idle = percentile()
        texts = (f"text {number}" for number in itertools.takewhile(lambda _: not ended.is_set(), itertools.count()))
        bulk = threading.Thread(target=lambda: collections.deque(embeddings.stream_documents(texts), maxlen=0))
        bulk.start()
        time.sleep(1.0)  # its requests in flight reach their maximum
        busy = percentile()
        ended.set()
        bulk.join()
    results.put((idle, busy))


def embed(url: str, requests: int, ready: Barrier) -> None:
    """Embed one text in each of some requests."""
    from langchain_jina_eis import JinaEISEmbeddings

    with JinaEISEmbeddings(es_url=url, batch_size=1) as embeddings:
        embeddings.embed_query("a query has a quota of its own; it imports the clients and describes the endpoint")
        ready.wait()
        embeddings.embed_documents([f"text {number}" for number in range(requests)])


if __name__ == "__main__":
    raise SystemExit(main())
