"""Kill `jina-eis embed` with SIGKILL fifty times at random moments, and compare with the uninterrupted result.

    pip install "jina-eis[batch,local]"
    python benchmarks/kills.py [--kills 50] [--rows 40000] [--seed 1]

Prints for each kill how many rows were complete before, how many of their texts were sent a second time, which must be 0, and how
many texts of unfinished parts were. Requests that are in flight at the kill count as sent.

Exit status 1 if a row was lost, a text of a complete part was sent a second time, or a run ended by itself with an error.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jina_eis.batch import EmbeddingService, EmbedJob, Source
from jina_eis.local import LocalEIS

RUN_MAIN = "import sys; from jina_eis.cli import main; sys.exit(main(sys.argv[1:]))"
PART_ROWS = 20
LATENCY = 0.25  # seconds of a request


def run_once(eis: LocalEIS, folder: Path, delay: float, after_a_part: bool) -> int | None:
    """Start the job, and kill it some seconds after its first request or new part. Returns its exit status; -9 if killed."""
    options = ["--lines", "--dimensions", "32", "--part-rows", str(PART_ROWS), "--url", eis.url]
    command = [sys.executable, "-c", RUN_MAIN, "embed", str(folder / "in.txt"), "--out", str(folder / "out"), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        before = len(list(folder.glob("out/part-*.parquet")))
        while process.poll() is None:
            if len(list(folder.glob("out/part-*.parquet"))) > before if after_a_part else eis.most_in_flight:
                break
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        return process.wait()


def take_texts(eis: LocalEIS) -> list[str]:
    """Return the texts of all requests since the last call, when none is in flight any more."""
    exchanges = []
    while True:
        exchanges += eis.requests
        eis.clear()
        if not eis.most_in_flight:
            break
        time.sleep(0.01)
    return [text for exchange in exchanges if exchange.method == "POST" for text in exchange.body["input"]]


def complete_texts(folder: Path) -> set[str]:
    """Return the texts of all complete parts."""
    return {text for path in folder.glob("part-*.parquet") for text in pq.read_table(path)["text"].to_pylist()}


def run_to_the_end(eis: LocalEIS, folder: Path, out: str) -> Any:
    """Run the job, or what remains of it, and return the table."""
    with EmbeddingService(es_url=eis.url, dimensions=32) as service:
        EmbedJob(Source([folder / "in.txt"], lines=True), folder / out, service, PART_ROWS).run()
    return pq.read_table(folder / out)


def main() -> int:
    """Run the kills, and return 1 if anything was lost or repeated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    sent_before: set[str] = set()
    paid_twice = unfinished = failed = 0
    with tempfile.TemporaryDirectory() as name, LocalEIS(model="hash", record=True) as eis:
        folder = Path(name)
        (folder / "in.txt").write_text("".join(f"text {n}\n" for n in range(arguments.rows)), encoding="utf-8")
        for kill in range(1, arguments.kills + 1):
            complete = complete_texts(folder / "out")
            eis.faults.latency = LATENCY
            status = run_once(eis, folder, moments.random() * 0.3, after_a_part=kill % 3 > 0)
            sent = take_texts(eis)
            twice, again = len(complete.intersection(sent)), len(sent_before.intersection(sent) - complete)
            sent_before.update(sent)
            paid_twice, unfinished, failed = paid_twice + twice, unfinished + again, failed + (status not in (0, -signal.SIGKILL))
            print(
                f"kill {kill:2}: status {status}, {len(complete):5} rows complete before; sent a second time: {twice} and {again}"
            )
        eis.faults.latency = 0.0
        result = run_to_the_end(eis, folder, "out")
        unfinished += len(sent_before.intersection(take_texts(eis)))
        equal = result.equals(run_to_the_end(eis, folder, "uninterrupted"))
    print(f"{'equal to' if equal else 'DIFFERENT FROM'} the uninterrupted result; {failed} runs ended with an error")
    print(f"texts sent a second time: {paid_twice} of complete parts, {unfinished} of unfinished parts")
    return 0 if equal and not paid_twice and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
