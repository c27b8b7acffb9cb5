"""Peak memory and time of `jina-eis embed` over a million texts, against the minimal service of `service.py`.

    pip install "jina-eis[batch]"
    python benchmarks/corpus.py [--texts 1000000]

Writes 4.2 GB of parts into a temporary folder. The memory includes what the process maps from files, such as pyarrow itself.

Exit status 1 if the target is missed, or the job fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN_MAIN = "import sys; from jina_eis.cli import main; sys.exit(main(sys.argv[1:]))"
WORDS = 30  # of a text
TARGET = 400  # MB


def main() -> int:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description="Measure the memory of jina-eis embed.")
    parser.add_argument("--texts", type=int, default=1_000_000, help="number of texts (default: %(default)s)")
    texts = parser.parse_args().texts
    command = [sys.executable, str(Path(__file__).with_name("service.py")), "--latency", "0"]
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service,
    ):
        assert service.stdout
        url, folder = service.stdout.readline().strip(), Path(name)
        _write_texts(folder / "in.jsonl", texts)
        arguments = ["embed", str(folder / "in.jsonl"), "--id-column", "id", "--out", str(folder / "out"), "--url", url]
        began = time.monotonic()
        job = subprocess.Popen([sys.executable, "-c", RUN_MAIN, *arguments])
        _, status, usage = os.wait4(job.pid, 0)
        seconds = time.monotonic() - began
        service.terminate()
        if status:
            sys.exit("the job failed")
    memory = usage.ru_maxrss / 1024
    print(f"{texts:,} texts: {memory:.0f} MB at most (target {TARGET}), {seconds:.0f} s, {texts / seconds:.0f} texts a second")
    return 0 if memory <= TARGET else 1


def _write_texts(path: Path, number: int) -> None:
    chosen = random.Random(1)
    words = [f"word{index}" for index in range(3_000)]
    with path.open("w", encoding="utf-8") as file:
        for index in range(number):
            file.write(json.dumps({"id": f"d{index}", "text": " ".join(chosen.choices(words, k=WORDS))}) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
