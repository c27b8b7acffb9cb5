"""Searches near to what is sent to an index of vectors, and wilder ones, each made from its number alone.

Near: the bodies that this library's retrievers, the strategies of the client's vector stores (of both frameworks) and users of
LangChain's ElasticsearchRetriever send, with filters on metadata. The published core has no `rrf`, `linear` or reranker, so the
two searches that a hybrid search fuses are sent one by one. Wild: the same, with parts replaced, removed or added.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from by_hand import feed
from elasticsearch.helpers.vectorstore import BM25Strategy, DenseVectorStrategy, DistanceMetric

from jina_eis.steps import Query, Searcher

from .compare import BM25, QUANTISED, VECTORS, Both, Request, Result
from .wild import mutate

__all__ = ["Search", "World", "check_world", "search_of", "world_of"]

Json = dict[str, Any]
BLOCK = 50  # searches of one index
WORDS = ["ice", "ink", "red", "pen", "Blue", "bread", "cap", "the", "of", "tea", "İstanbul", "한국", "氷河", "🙂"]
WORDS += ["2023", "x9", "a1", "3.5", "U.S.", "it's", "can't", "e-mail", "über", "naïve"]
LANGUAGES = ["en", "de", "fr", "EN", "pt-BR", ""]
DAYS = ["2023", "2023-06", "2023-06-15", "2023-06-15T10:30", "2023-06-15T18:30:00Z", "2023-06-15T18:30:00.123Z", "2024-02-29"]
DAYS += ["2022-12-31", "2023-06-15T18:30:00+02:00"]
TYPED = {  # an index whose metadata have a mapping
    "lang": {"type": "keyword"},
    "note": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 40}}},
    "ok": {"type": "boolean"},
    "day": {"type": "date"},
    "n": {"type": "integer"},
    "size": {"type": "long"},
    "small": {"type": "short"},
    "tiny": {"type": "byte"},
    "price": {"type": "float"},
    "ratio": {"type": "double"},
    "author": {"properties": {"name": {"type": "keyword"}, "born": {"type": "long"}}},
}
DYNAMIC = {
    "lang.keyword": "keyword",
    "lang": "text",
    "note.keyword": "keyword",
    "author.name": "text",
    "author.name.keyword": "keyword",
}
KINDS = {  # the type of each field of metadata, for values of queries
    **{name: definition["type"] for name, definition in TYPED.items() if "type" in definition},
    "author.born": "long",
    "note.keyword": "keyword",
}


@dataclass(frozen=True, slots=True)
class World:
    """An index of generated documents.

    Attributes:
        index: Its name.
        mappings: Its mappings.
        documents: Its documents, by id.
        fields: The fields of its metadata with the type of each.
        text: The name of its text field.
        dims: The length of its vectors.
        tolerance: The relative difference of vector scores that are equal.
    """

    index: str
    mappings: Json
    documents: dict[str, Json]
    fields: dict[str, str]
    text: str
    dims: int
    tolerance: float


@dataclass(frozen=True, slots=True)
class Search:
    """A search of a world, with its kind, and the difference of scores that are equal."""

    kind: str
    request: Request
    tolerance: float


@lru_cache(maxsize=64)
def world_of(number: int, tier: str) -> World:
    """The index of a search."""
    block = number // BLOCK
    random = Random(f"world {block}")
    text, typed = random.choice(("text", "content", "text_field")), random.random() < 0.5
    quantised = random.random() < 0.1  # by bbq_hnsw, which compares at least 3 * 4 vectors again in full: so all of them
    dims = 64 if quantised else random.choice((2, 3, 8))
    options = {"type": "bbq_hnsw" if quantised else random.choice(("hnsw", "hnsw", "flat"))}
    similarity = random.choice(("cosine", "cosine", "l2_norm", "max_inner_product"))
    vector = {"type": "dense_vector", "dims": dims, "index": True, "similarity": similarity, "index_options": options}
    properties: Json = {text: {"type": "text"}, "vector": vector}
    if typed:
        properties["metadata"] = {"properties": TYPED}
    fractions = {"fractions": {"match_mapping_type": "double", "mapping": {"type": "float"}}}
    mappings = {"properties": properties, "dynamic_templates": [fractions]}
    documents = {str(n): document(random, text, dims) for n in range(1, random.choice((1, 4, 12, 12 if quantised else 30)) + 1)}
    fields = KINDS if typed else {**{k: "long" if v in ("integer", "short", "byte") else v for k, v in KINDS.items()}, **DYNAMIC}
    name = f"searches-{tier}-{block}"
    return World(name, mappings, documents, fields, text, dims, QUANTISED if quantised else VECTORS)


def document(random: Random, text: str, dims: int) -> Json:
    metadata: Json = {
        "lang": several(random, lambda: random.choice(LANGUAGES)),
        "note": several(random, lambda: sentence(random)),
        "ok": random.random() < 0.5,
        "day": several(random, lambda: random.choice(DAYS)),
        "n": several(random, lambda: random.choice((0, 1, 2, 3, 7, -1, 12, 100))),
        "size": random.choice((0, 3, 2**40, -1)),
        "small": random.choice((0, 3, 300)),
        "tiny": random.choice((0, 3, -7)),
        "price": several(random, lambda: random.choice((0.1, 3.3, 19.99, 3.0, 2.5, -1.5))),
        "ratio": random.choice((0.1, 1 / 3, 2.5)),
        "author": {"name": random.choice(("Ada", "Alan Turing", "ada")), "born": random.choice((1815, 1912))},
    }
    kept = {name: value for name, value in metadata.items() if random.random() < 0.85}
    found: Json = {text: several(random, lambda: sentence(random), 0.05), "metadata": kept}
    if random.random() < 0.9:
        found["vector"] = vector_of(random, dims)
    return found


def several(random: Random, value: Callable[[], Any], share: float = 0.2) -> Any:
    return [value() for _ in range(random.randint(0, 3))] if random.random() < share else value()


def sentence(random: Random) -> str:
    length = random.choice((0, 1, 2, 3, 5, 8, 8, 45, 120))
    return random.choice((" ", " ", ", ", "-")).join(random.choice(WORDS) for _ in range(length))


def vector_of(random: Random, dims: int) -> list[float]:
    return [round(random.gauss(0, 1), 4) or 0.5 for _ in range(dims)]


def search_of(number: int, tier: str) -> Search:
    """The search with this number."""
    world, random = world_of(number, tier), Random(f"search {number}")
    kind, body, params, tolerance = random.choice(SENDERS)(random, world)
    if tier == "wild":
        body = mutate(random, body)
    return Search(kind, Request("POST", f"/{world.index}/_search{params}", body), tolerance)


Sent = tuple[str, Json, str, float]


def retriever_of_this_library(random: Random, world: World) -> Sent:
    search_type = random.choice(("knn", "hybrid"))
    window, k = random.randint(8, 64), random.randint(1, 8)
    min_score = random.choice((None, None, 0.5, 0.9))
    searcher = Searcher(
        world.index,
        search_type,  # type: ignore[arg-type]
        "vector",
        content_field=world.text,
        filters=[query_of(random, world, 1) for _ in range(random.choice((0, 0, 1, 2)))],
        min_score=min_score if search_type == "knn" else None,  # which is above the scores of rrf
        source_fields=random.choice((None, ["metadata"], ["metadata.lang", "metadata.n"], ["*"])),
        oversample=random.choice((None, 3.0)),
        num_candidates=random.choice((None, 100)),
        rank_window_size=window,
    )
    query = Query(words(random), None, vector_of(random, world.dims))
    _, rounds = feed(searcher.find(query, k), lambda call: answer_of(call.path, world))
    body = json.loads(json.dumps(rounds[-1][0].body))
    if "rrf" in body["retriever"]:  # not in the published core: one of its two parts
        body["retriever"] = random.choice(body["retriever"]["rrf"]["retrievers"])
    keyword = "match" in body["retriever"].get("standard", {}).get("query", {})
    return f"retriever of this library, {'match' if keyword else 'knn'}", body, "", BM25 if keyword else world.tolerance


def answer_of(path: str, world: World) -> Json:
    return {world.index: {"mappings": world.mappings}} if path.endswith("_mapping") else {"hits": {"hits": []}}


def store(random: Random, world: World) -> Sent:
    """What the vector stores of LangChain, LlamaIndex and the client send: a search, or the first step of an MMR search."""
    kind = random.choice(("dense", "dense", "hybrid", "bm25"))
    k = random.choice((4, 10, 20) if world.tolerance == QUANTISED else (1, 4, 10, 20))
    mmr = kind == "dense" and random.random() < 0.3
    arguments: Json = {"query": words(random), "query_vector": vector_of(random, world.dims), "text_field": world.text}
    arguments |= {"vector_field": "vector", "k": k, "num_candidates": 50, "filter": store_filter(random, world)}
    strategy = (
        BM25Strategy()
        if kind == "bm25"
        else DenseVectorStrategy(distance=DistanceMetric.COSINE, hybrid=kind == "hybrid", rrf=False, text_field=world.text)
    )
    fields = ["vector", "metadata", world.text] if mmr else ["metadata", world.text]
    body = {**strategy.es_query(**arguments), "_source": True, "size": k}
    tolerance = BM25 if kind == "bm25" else world.tolerance
    return f"vector store, {kind}{' for MMR' if mmr else ''}", body, f"?_source_includes={','.join(fields)}", tolerance


def store_filter(random: Random, world: World) -> list[Json]:
    if random.random() < 0.4:
        return []
    if random.random() < 0.4:  # of LlamaIndex, from its MetadataFilters
        keywords = [name for name, kind in world.fields.items() if name.endswith(".keyword")] or ["lang"]
        terms = [{"term": {f"metadata.{name}": {"value": value_of(random, "keyword")}}} for name in random.choices(keywords, k=2)]
        return [random.choice(({"bool": {"must": terms}}, terms[0]))]
    return [query_of(random, world, 1) for _ in range(random.choice((1, 1, 2)))]


def retriever_of_langchain(random: Random, world: World) -> Sent:
    """Any body of a user."""
    body: Json = {"query": query_of(random, world, 2)}
    tolerance = BM25
    if random.random() < 0.25:
        knn: Json = {"field": "vector", "query_vector": vector_of(random, world.dims), "k": 5, "num_candidates": 20}
        if random.random() < 0.5:
            knn["filter"] = query_of(random, world, 1)
        if random.random() < 0.2:
            knn["similarity"] = random.choice((0.2, 0.8))
        body, tolerance = (
            random.choice(({**body, "knn": knn}, {"knn": knn}, {"query": {"bool": {"should": [{"knn": knn}]}}})),
            world.tolerance,
        )
    options: Json = {
        "size": random.choice((0, 1, 5, 40)),
        "from": random.choice((0, 1, 3)),
        "min_score": random.choice((0.1, 0.5, 1.0)),
        "_source": random.choice((True, False, ["metadata.*"], [world.text], {"excludes": ["vector"]}, {"includes": ["vector"]})),
        "fields": [world.text, f"metadata.{random.choice(list(world.fields))}"],
        "track_total_hits": random.choice((True, False)),
    }
    body |= {name: value for name, value in options.items() if random.random() < 0.25}
    return "body of a user", body, "", tolerance


SENDERS = [retriever_of_this_library, store, retriever_of_langchain, retriever_of_langchain]


def words(random: Random) -> str:
    return " ".join(random.choice(WORDS) for _ in range(random.choice((1, 1, 2, 3))))


def value_of(random: Random, kind: str) -> Any:
    if kind == "text":
        return words(random)
    if kind == "keyword":
        return random.choice((*LANGUAGES, "Ada", "Alan Turing", words(random)))
    if kind == "boolean":
        return random.choice((True, False, True, False, "true"))
    if kind == "date":
        return random.choice((*DAYS, 1686787200000))
    if kind in ("float", "double"):
        return random.choice((0.1, 3.3, 19.99, 3.0, 2.5, -1.5, 3, "3.3"))
    return random.choice((0, 1, 2, 3, 7, -1, 12, 100, 1815, 2.5, "3", 3.0))


def query_of(random: Random, world: World, depth: int) -> Json:
    """A query or filter as users write them."""
    if depth and random.random() < 0.35:
        return bool_of(random, world, depth)
    name = random.choice([*world.fields, *world.fields, "unknown"])
    kind = world.fields.get(name, "keyword")
    path = f"metadata.{name}"
    match random.choice(("match", "match", "term", "term", "term", "terms", "range", "range", "exists", "ids", "phrase", "all")):
        case "match":
            options: Json = {"query": words(random)}
            if random.random() < 0.3:
                options |= random.choice(
                    ({"operator": "and"}, {"operator": "or"}, {"minimum_should_match": random.choice((1, 2, "75%"))})
                )
            if random.random() < 0.1:
                options["boost"] = random.choice((2, 0.5))
            field = random.choice((world.text, world.text, "metadata.note"))
            return {"match": {field: random.choice((options, options["query"]))}}
        case "term":
            value = value_of(random, kind)
            return {"term": {path: random.choice((value, {"value": value}))}}
        case "terms":
            return {"terms": {path: [value_of(random, kind) for _ in range(random.randint(0, 4))]}}
        case "range":
            bounds = {random.choice(("gt", "gte")): value_of(random, kind), random.choice(("lt", "lte")): value_of(random, kind)}
            names = random.sample(list(bounds), random.choice((1, 2)))
            return {"range": {path: {name: bounds[name] for name in names}}}
        case "exists":
            return {"exists": {"field": random.choice((path, "metadata.author", "vector", world.text))}}
        case "ids":
            return {"ids": {"values": [str(random.randint(1, 20)) for _ in range(3)]}}
        case "phrase":
            return {"match_phrase": {random.choice((world.text, "metadata.note")): words(random)}}
    return {"match_all": {}}


def bool_of(random: Random, world: World, depth: int) -> Json:
    clauses: Json = {}
    for name in random.sample(("must", "should", "filter", "must_not"), random.randint(1, 3)):
        queries = [query_of(random, world, depth - 1) for _ in range(random.choice((1, 1, 2, 3)))]
        clauses[name] = queries[0] if len(queries) == 1 and random.random() < 0.4 else queries
    if "should" in clauses and random.random() < 0.3:
        clauses["minimum_should_match"] = random.choice((1, 2, "50%"))
    return {"bool": clauses}


def check_world(both: Both, case: tuple[str, list[int]]) -> list[Result]:
    """Make the index of these searches on both servers, and compare the answers to each."""
    tier, numbers = case
    world = world_of(numbers[0], tier)
    lines = [line for id_, source in world.documents.items() for line in ({"index": {"_id": id_}}, source)]
    bulk = "".join(f"{json.dumps(line)}\n" for line in lines)
    setup = [
        Request("PUT", f"/{world.index}", {"mappings": world.mappings}),
        Request("POST", f"/{world.index}/_bulk?refresh=true", bulk),
    ]
    results = []
    both.ask(Request("DELETE", f"/{world.index}"))
    for request in setup:
        result = Result.of(f"search:{numbers[0]}", "index of searches", request, *both.ask(request))
        if result.verdict != "right":
            return [result]
    for number in numbers:
        search = search_of(number, tier)
        real, local = both.ask(search.request)
        results.append(Result.of(f"search:{number}", search.kind, search.request, real, local, search.tolerance))
    both.ask(Request("DELETE", f"/{world.index}"))
    return results
