"""Kill `jina-eis embed` with SIGKILL fifty times at random moments, and compare with the uninterrupted result.

    python benchmarks/kills.py [--kills 50] [--rows 40000] [--seed 1]

Prints for each kill how many rows were complete, and how many texts of complete parts were sent a second time, which must be 0.
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

import pyarrow.parquet as pq

from jina_eis.batch import EmbeddingService, EmbedJob, Source
from jina_eis.local import LocalEIS

RUN_MAIN = "import sys; from jina_eis.cli import main; sys.exit(main(sys.argv[1:]))"
PART_ROWS = 20


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


def wait_until_idle(eis: LocalEIS) -> None:
    """Wait for the requests of a killed process, and forget them."""
    eis.clear()
    while eis.most_in_flight:
        time.sleep(0.01)
        eis.clear()


def complete_texts(folder: Path) -> set[str]:
    """Return the texts of all complete parts."""
    return {text for path in folder.glob("part-*.parquet") for text in pq.read_table(path)["text"].to_pylist()}


def main() -> int:
    """Run the kills, and return 1 if anything was lost or repeated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    repeated_in_all = 0
    with tempfile.TemporaryDirectory() as name, LocalEIS(model="hash", record=True) as eis:
        folder = Path(name)
        (folder / "in.txt").write_text("".join(f"text {n}\n" for n in range(arguments.rows)), encoding="utf-8")
        for kill in range(1, arguments.kills + 1):
            complete = complete_texts(folder / "out")
            wait_until_idle(eis)
            eis.faults.latency = 0.25
            status = run_once(eis, folder, moments.random() * 0.3, after_a_part=kill % 3 > 0)
            sent = {text for exchange in eis.requests if exchange.method == "POST" for text in exchange.body["input"]}
            repeated = len(complete & sent)
            repeated_in_all += repeated
            print(f"kill {kill:2}: status {status}, {len(complete):5} rows complete before, {repeated} sent a second time")
        eis.faults.latency = 0.0
        tables = []
        for out in ("out", "uninterrupted"):
            with EmbeddingService(es_url=eis.url, dimensions=32) as service:
                EmbedJob(Source([folder / "in.txt"], lines=True), folder / out, service, PART_ROWS).run()
            tables.append(pq.read_table(folder / out))
    equal = tables[0].equals(tables[1])
    print(f"{'equal to' if equal else 'DIFFERENT FROM'} the uninterrupted result, {repeated_in_all} texts repeated")
    return 0 if equal and not repeated_in_all else 1


if __name__ == "__main__":
    sys.exit(main())
