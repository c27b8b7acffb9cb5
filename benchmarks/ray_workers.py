"""Two workers of Ray beside two plain processes: the same texts in batches of the same size, from the first batch to the last.

    pip install "jina-eis[ray]"
    python benchmarks/ray_workers.py [--rounds 3] [--texts 24576] [--batch-size 256] [--latency 1.2]

Each worker is an actor with one `EmbedBatch`, and has embedded a batch before the clock starts, as has each plain process. The
service is `service.py`: its responses cost little, so that the work is mostly waiting, as with the real one. The plain processes
need at least 60 s with the defaults.

Exit status 1 if the target is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pyarrow as pa
import ray
import ray.data

from jina_eis.batch import EmbedBatch

WORKERS = 2
TARGET = 1.25  # wall time of Ray, of that of plain processes


class TimedEmbedBatch(EmbedBatch):
    """An `EmbedBatch` whose batches have the times of their begin and end, in seconds since the epoch."""

    def __init__(self, url: str, batch_size: int) -> None:
        super().__init__(es_url=url, on_error="null", engine="ray")
        super().__call__(passages(0, batch_size))  # imports, connections and the learnt pace

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the batch with its vectors and times."""
        began = time.time()
        embedded = super().__call__(batch)
        for name, moment in (("began", began), ("ended", time.time())):
            embedded = embedded.append_column(name, pa.array([moment] * len(embedded)))
        return embedded


def passages(begin: int, end: int) -> pa.Table:
    """Return a table of texts of 30 words."""
    return pa.table({"text": [f"Passage {number} " + "word " * 28 for number in range(begin, end)]})


def embed_in_process(
    url: str, texts: pa.Table, batch_size: int, ready: Barrier, results: SimpleQueue[tuple[float, float]]
) -> None:
    """Embed texts batch by batch, and put the times of the begin and the end."""
    embed = TimedEmbedBatch(url, batch_size)
    ready.wait()
    began = time.time()
    for offset in range(0, len(texts), batch_size):
        embed(texts.slice(offset, batch_size))
    results.put((began, time.time()))


def time_processes(url: str, texts: int, batch_size: int) -> float:
    """Return the seconds of plain processes, each with its part of the texts."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(WORKERS), context.SimpleQueue()
    share = texts // WORKERS
    shares = [passages(number * share, (number + 1) * share) for number in range(WORKERS)]
    processes = [context.Process(target=embed_in_process, args=(url, part, batch_size, ready, results)) for part in shares]
    for process in processes:
        process.start()
    times = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return max(ended for _, ended in times) - min(began for began, _ in times)


def time_ray(url: str, texts: int, batch_size: int, blocks: int) -> float:
    """Return the seconds of as many actors of Ray."""
    rows = passages(0, texts).to_pylist()
    dataset = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
        TimedEmbedBatch,
        fn_constructor_args=(url, batch_size),
        compute=ray.data.ActorPoolStrategy(size=WORKERS),
        batch_size=batch_size,
        batch_format="pyarrow",
        num_cpus=0.5,  # of an actor, which waits most of the time
    )
    began, ended, embedded = float("inf"), 0.0, 0
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        began = min(began, *batch["began"].to_pylist())
        ended = max(ended, *batch["ended"].to_pylist())
        embedded += len(batch) - batch["vector"].null_count
    if embedded != texts:
        raise SystemExit(f"{embedded} of {texts} texts have a vector.")
    return ended - began


@contextmanager
def service(latency: float) -> Iterator[str]:
    """Run the minimal service, and yield its address."""
    command = [sys.executable, str(Path(__file__).with_name("service.py")), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> int:
    """Measure, and print a line for each round."""
    parser = argparse.ArgumentParser(description="Time two workers of Ray beside two plain processes.")
    parser.add_argument("--rounds", type=int, default=3, help="measurements (default: %(default)s)")
    parser.add_argument("--texts", type=int, default=24_576, help="number of texts (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=256, help="rows of a batch (default: %(default)s)")
    parser.add_argument("--blocks", type=int, help="blocks of the dataset (default: one for four batches)")
    parser.add_argument("--latency", type=float, default=1.2, help="seconds of a request (default: %(default)s)")
    arguments = parser.parse_args()
    blocks = arguments.blocks or max(1, arguments.texts // (4 * arguments.batch_size))
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().wait_for_min_actors_s = 60
    ray.data.DataContext.get_current().enable_progress_bars = False
    ratios = []
    with service(arguments.latency) as url:
        for _ in range(arguments.rounds):
            plain = time_processes(url, arguments.texts, arguments.batch_size)
            on_ray = time_ray(url, arguments.texts, arguments.batch_size, blocks)
            ratios.append(on_ray / plain)
            print(f"plain processes {plain:.1f} s, Ray {on_ray:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    ray.shutdown()
    ratio = statistics.median(ratios)
    print(f"median {ratio:.2f} (target {TARGET})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
