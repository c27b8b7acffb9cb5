"""Ingest while the node of the real Elasticsearch is killed and started again, with default settings.

    pip install "jina-eis[all]"
    python benchmarks/outage.py [--documents 20000] [--kills 7] [--away 60] [--runs 1]

The node starts from its published jars, as in `tests/real`: a JDK of 21 or newer and Maven are needed. It is killed (SIGKILL) at
random moments of the ingest and started again on its data; in the middle it stays away for `--away` seconds once. The source of
the documents is paced so that the ingest lasts as long as the kills.

Exit status 1 if a document is missing, or the result names one wrongly.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch, helpers

from jina_eis.errors import DocumentsFailedError, JinaEISError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRetriever

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from real.front import Front
from real.node import RealNode, find_tools

INDEX = "outage"


def texts(count: int, kills_left: threading.Event) -> Iterator[str]:
    """Yield texts; those of the last tenth only when all kills are done."""
    for number in range(count):
        if number == count * 9 // 10:
            kills_left.wait()
        yield f"Text {number} of a corpus about rivers and glaciers."


def run(node: RealNode, front: Front, documents: int, kills: int, away: float) -> tuple[int, float]:
    """Ingest once. Returns the number of documents that are missing or named wrongly, and the seconds."""
    done = threading.Event()
    outcome: list[Any] = []

    def ingest() -> None:
        with JinaEISRetriever(es_url=front.url, index_name=INDEX, search_type="knn") as retriever:
            try:
                outcome.append(retriever.add_texts(texts(documents, done), ids=[str(n) for n in range(documents)]))
            except JinaEISError as error:
                outcome.append(error)

    began = time.monotonic()
    thread = threading.Thread(target=ingest)
    thread.start()
    for number in range(kills + 1):
        time.sleep(random.uniform(0.5, 3.0))
        node.kill()
        if number == kills // 2:
            time.sleep(away)
        node.start()
    done.set()
    thread.join()
    seconds = time.monotonic() - began
    with Elasticsearch(node.url) as client:
        client.indices.refresh(index=INDEX)
        present = {hit["_id"] for hit in helpers.scan(client, index=INDEX, _source=False)}
        client.indices.delete(index=INDEX)
    expected = {str(n) for n in range(documents)}
    (result,) = outcome
    if isinstance(result, DocumentsFailedError):
        print(f"  {result}"[:300])
        named = {*result.indexed, *result.failed, *result.untried}
        return len(expected - present) + len(set(result.indexed) - present) + len(expected - named), seconds
    if isinstance(result, JinaEISError):
        print(f"  {result}"[:300])
        return len(expected - present), seconds
    return len(expected - present) + len(expected - set(result)), seconds


def main() -> int:
    """Print a line for each run. Returns 1 if a document is missing or named wrongly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=7)
    parser.add_argument("--away", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    wrong = 0
    with RealNode(find_tools()) as node, LocalEIS(model="hash") as eis, Front(node.url, eis) as front:
        for number in range(arguments.runs):
            missing, seconds = run(node, front, arguments.documents, arguments.kills, arguments.away)
            wrong += missing
            print(f"run {number + 1}: {missing} documents missing or named wrongly, {seconds:.0f} s", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
