"""Sequences of writes near to what clients send, and wilder ones, each made from its number alone.

Near: an index as this library or a vector store creates it, or none; then requests of this library, of the bulk helpers and the
document API of the client, with mistakes that users make: values of a wrong type, an id that exists, an index that does not.
Wild: the same, with parts of bodies replaced, removed or added, and odd mappings, settings and parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from jina_eis.wire import Write, bulk, create_index, refresh_index

from .compare import Both, Request, Result
from .wild import ODD, mutate

__all__ = ["check_sequence", "sequence_of"]

Json = dict[str, Any]
Lines = list[Json]
IDS = ["1", "2", "3", "é 4"]
TEXTS = ["blue ink", "red", "", "7", "7.5", "true", "x" * 300, "2026-11-27", "2026/11/27", "2026-13-01", "T1", "氷", "a\nb"]
DAYS = ["2026-11-27", "2026-11-27T10:00:00Z", "2026", 1686787200000, "2026-11-27T10:00:00.123+02:00"]
TYPES = ["keyword", "text", "long", "integer", "float", "double", "boolean", "date"]
VECTOR_INDEXES = ["hnsw", "flat", "int8_hnsw", "int8_flat", "bbq_hnsw"]


def sequence_of(number: int, tier: str) -> list[tuple[str, Request]]:
    """The requests with this number, each with its kind, and those that show the state in which they leave the indices."""
    random, index = Random(f"sequence {number}"), f"sequence-{tier}-{number}"
    requests = [*creation(random, index), *(write(random, index) for _ in range(random.randint(3, 10)))]
    if tier == "wild":
        requests = [(kind, distort(random, request)) for kind, request in requests]
    return [*requests, *(request for name in names_in(requests, index) for request in end_state(name))]


def check_sequence(both: Both, case: tuple[str, int]) -> list[Result]:
    """Send a sequence to both servers. After a difference, or a refusal of what Elasticsearch does, their states differ: it ends."""
    tier, number = case
    results: list[Result] = []
    sequence = sequence_of(number, tier)
    for kind, request in sequence:
        real, local = both.ask(request)
        results.append(Result.of(f"sequence:{number}", kind, request, real, local))
        verdict = results[-1].verdict
        if verdict == "wrong" or (verdict == "refused" and changes(request) and real.status < 300):
            break
    for name in names_in(sequence, f"sequence-{tier}-{number}"):
        both.ask(Request("DELETE", f"/{name}"))
    return results


def changes(request: Request) -> bool:
    return request.method not in ("GET", "HEAD") and not request.path.endswith(("_mget", "_count", "_search"))


def names_in(sequence: list[tuple[str, Request]], index: str) -> list[str]:
    """The index, and the other one if a request names it."""
    other = f"{index}-b"
    return [index, other] if any(other in f"{request.path} {request.body}" for _, request in sequence) else [index]


def creation(random: Random, index: str) -> Iterator[tuple[str, Request]]:
    """How an index begins, if it is not created by the first document."""
    origin = random.choice(("library", "store", "store", "user", "user", "none"))
    if origin == "library":
        vector = {"type": "dense_vector", "dims": 2, "index": True, "similarity": "cosine"}
        if random.random() < 0.3:
            vector["index_options"] = {"type": random.choice(VECTOR_INDEXES)}
        call = create_index(index, {"text": {"type": "text"}, "vector": vector}, "an-endpoint")
        yield "create an index, this library", Request(call.method, call.path, call.body)
    if origin == "store":
        yield "exists", Request("HEAD", f"/{index}")
        similarity = random.choice(("cosine", "l2_norm", "dot_product", "max_inner_product"))
        vector = {"type": "dense_vector", "dims": 2, "index": True, "similarity": similarity}
        mappings: Json = {"properties": {"vector": vector}}
        if random.random() < 0.4:
            mappings["properties"]["metadata"] = {"properties": {name: field(random) for name in ("n", "day", "lang")}}
        yield "create an index, store", Request("PUT", f"/{index}", {"mappings": mappings, "settings": {}})
    if origin == "user":
        names = random.sample(("text", "n", "price", "day", "ok", "lang", "metadata"), random.randint(1, 5))
        properties = {name: field(random) if name != "metadata" else {"properties": {"n": field(random)}} for name in names}
        body: Json = {"mappings": {"properties": properties}}
        if random.random() < 0.2:
            body["mappings"]["dynamic"] = random.choice((True, False, "strict"))
        if random.random() < 0.4:
            body["settings"] = random.choice(
                (
                    {"refresh_interval": "-1"},
                    {"number_of_shards": 1, "number_of_replicas": 0},
                    {"index": {"number_of_replicas": 0}},
                )
            )
        yield "create an index, user", Request("PUT", f"/{index}", body)


def field(random: Random) -> Json:
    kind = random.choice(TYPES)
    options: dict[str, list[Json]] = {
        "keyword": [{}, {"ignore_above": 4}],
        "text": [{}, {"fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}],
        "date": [{}, {"format": "yyyy-MM-dd"}, {"format": "strict_date_optional_time||epoch_millis"}],
    }
    return {"type": kind, **random.choice(options.get(kind, [{}]))}


def document(random: Random) -> Json:
    values: dict[str, Callable[[], Any]] = {
        "text": lambda: random.choice(TEXTS),
        "vector": lambda: random.choice(([0.5, 1.0], [3.0, 4], [0.6, 0.8], [0.6, 0.8], [1.0], [0, 0])),
        "n": lambda: random.choice((1, 7, 3_000_000_000, "7", 2.5, -1, "blue")),
        "price": lambda: random.choice((1.5, 2, 3.25, "3.25", 1e10)),
        "day": lambda: random.choice((*DAYS, "blue")),
        "ok": lambda: random.choice((True, False, "true", "", 1)),
        "lang": lambda: random.choice(("en", "deutsch", 7, True)),
        "tags": lambda: random.choice(([], ["a", "b"], ["a", None], None, [1, 2.5], [[1], 2])),
    }
    found: Json = {name: values[name]() for name in random.sample(list(values), random.randint(0, 5))}
    if random.random() < 0.6:
        names = random.sample([name for name in values if name != "vector"], random.randint(0, 4))
        found["metadata"] = {name: several(random, values[name]) for name in names}
    if random.random() < 0.05:
        found["many"] = [0.5 + n for n in range(random.choice((127, 128)))]  # 128 fractions become a vector field
    if random.random() < 0.05:
        found["metadata.n"] = values["n"]()
    return found


def several(random: Random, value: Callable[[], Any]) -> Any:
    return [value() for _ in range(random.randint(0, 3))] if random.random() < 0.2 else value()


def write(random: Random, index: str) -> tuple[str, Request]:
    kinds = [write_of_this_library, bulk_of_helpers, bulk_of_helpers, document_api, document_api, other]
    return random.choice(kinds)(random, index if random.random() < 0.94 else f"{index}-b")


def write_of_this_library(random: Random, index: str) -> tuple[str, Request]:
    if random.random() < 0.2:
        call = refresh_index(index)
        return "refresh", Request(call.method, call.path)
    ids = random.sample(IDS, random.randint(1, 4))
    writes = [Write(id_, None if random.random() < 0.2 else document(random)) for id_ in ids]
    sent = bulk(index, writes)
    assert sent.load_body is not None
    return "bulk, this library", Request(sent.method, sent.path, sent.load_body().decode())


def bulk_of_helpers(random: Random, index: str) -> tuple[str, Request]:
    """As `bulk`, `streaming_bulk`, `parallel_bulk` and the stores send it: the index stands in each line, or in the path."""
    in_path = random.random() < 0.3
    lines = [line for _ in range(random.randint(1, 5)) for line in action(random, None if in_path else index)]
    path = f"/{index}/_bulk" if in_path else "/_bulk"
    return "bulk, helpers", Request("PUT", f"{path}{refresh(random)}", ndjson(lines))


def action(random: Random, index: str | None) -> Lines:
    kind = random.choice(("index", "index", "index", "create", "update", "delete"))
    meta: Json = {} if index is None else {"_index": index}
    if kind in ("update", "delete") or random.random() < 0.9:
        meta["_id"] = random.choice(IDS)
    line = {kind: meta}
    return [line] if kind == "delete" else [line, update(random) if kind == "update" else document(random)]


def update(random: Random) -> Json:
    extra: Json = random.choice(({}, {}, {"doc_as_upsert": True}, {"upsert": document(random)}, {"detect_noop": False}))
    return {"doc": document(random), **extra}


def refresh(random: Random) -> str:
    return random.choice(("", "", "?refresh=true", "?refresh=false"))


def ndjson(lines: Lines) -> str:
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def document_api(random: Random, index: str) -> tuple[str, Request]:
    id_ = random.choice(("1", "2", "3"))
    after = refresh(random)
    return random.choice(
        (
            ("index", Request("PUT", f"/{index}/_doc/{id_}{after}", document(random))),
            ("index, no id", Request("POST", f"/{index}/_doc{after}", document(random))),
            ("create", Request("PUT", f"/{index}/_create/{id_}{after}", document(random))),
            ("update", Request("POST", f"/{index}/_update/{id_}{after}", update(random))),
            ("delete", Request("DELETE", f"/{index}/_doc/{id_}{after}")),
            ("get", Request("GET", f"/{index}/_doc/{id_}")),
            ("exists", Request("HEAD", f"/{index}/_doc/{id_}")),
            ("mget", Request("POST", f"/{index}/_mget", {"ids": IDS})),
        )
    )


def other(random: Random, index: str) -> tuple[str, Request]:
    return random.choice(
        (
            ("mapping", Request("GET", f"/{index}/_mapping")),
            ("put a mapping", Request("PUT", f"/{index}/_mapping", {"properties": {random.choice(("n", "new")): field(random)}})),
            ("exists", Request("HEAD", f"/{index}")),
            ("delete an index", Request("DELETE", f"/{index}-b")),
            ("create an index, user", Request("PUT", f"/{index}", {"mappings": {"properties": {"n": field(random)}}})),
        )
    )


def end_state(index: str) -> Iterator[tuple[str, Request]]:
    yield "refresh", Request("POST", f"/{index}/_refresh")
    yield "end: index", Request("GET", f"/{index}")
    yield "end: count", Request("GET", f"/{index}/_count")
    yield "end: documents", Request("POST", f"/{index}/_mget?_source_exclude_vectors=false", {"ids": IDS})


def distort(random: Random, request: Request) -> Request:
    """Perhaps a stranger request in the place of this one."""
    method, path, body = request
    match random.choice(("none", "none", "body", "body", "line", "parameter", "mapping", "settings")):
        case "body" | "line" if isinstance(body, str):
            lines = body.splitlines()
            place = random.randrange(len(lines))
            text = json.dumps(mutate(random, json.loads(lines[place])), ensure_ascii=False)
            lines[place] = random.choice((text, text, text, text[:-1], "", "[]"))
            body = "\n".join(lines) + "\n"
        case "body" if body is not None:
            body = mutate(random, body)
        case "parameter":
            name = random.choice(
                ("refresh", "timeout", "op_type", "routing", "if_seq_no", "wait_for_active_shards", "nope", "_source")
            )
            path += f"{'&' if '?' in path else '?'}{name}={random.choice(('true', 'false', '1', '9s', 'create', 'wait', ''))}"
        case "mapping" if method == "PUT" and isinstance(body, dict) and "mappings" in body:
            properties = body["mappings"].setdefault("properties", {})
            properties[random.choice(("text", "odd", "m.x"))] = odd_field(random)
        case "settings" if method == "PUT" and isinstance(body, dict) and "mappings" in body:
            setting = random.choice(("refresh_interval", "number_of_shards", "number_of_replicas", "knn", "default_pipeline"))
            body["settings"] = {setting: random.choice(("1s", "soon", 1, 0, True, None))}
    return Request(method, path, body)


def odd_field(random: Random) -> Json:
    options: Json = {
        "index": random.choice((True, False, "false")),
        "ignore_above": random.choice((4, "256", -1)),
        "dims": random.choice((2, 3, 64, 400)),
        "similarity": random.choice(("cosine", "l2_norm", "BM25", "nope")),
        "index_options": random.choice(
            ({"type": "hnsw", "m": 32}, {"type": "bbq_hnsw"}, {"type": "x"}, {"type": "int8_flat"}, {})
        ),
        "copy_to": random.choice(("all", ["all"])),
        "dynamic": random.choice((True, False, "strict")),
        "properties": {"a": {"type": random.choice(TYPES)}},
        "fields": {"raw": {"type": random.choice(TYPES)}},
        "format": random.choice(("epoch_millis", "yyyy", "nope")),
        "nope": 1,
    }
    kind = random.choice((*TYPES, "dense_vector", "dense_vector", "object", "nested", "nope"))
    names = random.sample(list(options), random.choice((0, 1, 1, 2)))
    return {
        "type": kind,
        **{name: options[name] for name in names},
        **({"null_value": random.choice(ODD)} if random.random() < 0.1 else {}),
    }
