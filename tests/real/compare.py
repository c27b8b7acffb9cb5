"""The same requests to the real node and to the embedded EIS, and where their answers differ.

Knows HTTP, and what of an answer depends on the server or the moment. Must not know how the requests are generated.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, NamedTuple

__all__ = ["BM25", "QUANTISED", "VECTORS", "Answer", "Both", "Request", "Result", "Tally", "check_all", "differences"]

BM25, VECTORS, QUANTISED = 1e-5, 1e-4, 1e-3  # relative differences of scores that are equal
ROUNDING = 1e-7  # absolute: a cosine near -1 becomes a score near 0, with few digits of single precision left
COORDINATES = 1e-6  # of vectors in answers: the last digits of a normalised vector depend on the processor
WORKERS = 4
TIMEOUT = 120  # seconds
IDLE_SECONDS = 2  # after which a connection is opened again: the embedded EIS closes one that was idle for five
LONGEST = 900  # characters of a request or value in a message
VECTOR = re.compile(r"\[(-?\d[\d.e+-]*, ){8,}[^\[\]]*\]")  # which messages shorten
# Faults of a document. An update reads the fields in the order of a hash map, so which of several is reported is free.
FIRST_OF_SEVERAL = ("strict_dynamic_mapping_exception", "document_parsing_exception")
OF_THE_SERVER = {"took", "creation_date", "uuid", "index_uuid", "provided_name", "forced_refresh"}
SERVER_MADE_ID = re.compile(r"[\w-]{20}")
HEAD_REASON = "x-jina-eis-reason"  # the header with the reason of a 501 that has no body
REFUSED = re.compile(r"does not implement \[(.*)\]\. It implements", re.DOTALL)


class Request(NamedTuple):
    """A request. A body that is a text is sent as it is, as newline-delimited JSON; None sends none."""

    method: str
    path: str
    body: Any = None

    def __str__(self) -> str:
        body = "" if self.body is None else self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
        return shorten(f"{self.method} {self.path} {body}".rstrip())


class Answer(NamedTuple):
    """The status and the JSON of a response; a text if the body is no JSON, and for the reason of a refused HEAD request."""

    status: int
    body: Any


class Connection:
    """A connection to a server, for one thread."""

    def __init__(self, url: str) -> None:
        self._http = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT)
        self._used = 0.0

    def send(self, request: Request) -> Answer:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self.close()  # the next request opens it again
        answer = send(self._http, request)
        self._used = time.monotonic()
        return answer

    def close(self) -> None:
        self._http.close()


class Both:
    """A connection to each of the two servers, for one thread."""

    def __init__(self, real: str, local: str) -> None:
        self._real, self._local = Connection(real), Connection(local)

    def ask(self, request: Request) -> tuple[Answer, Answer]:
        """The answers of the real node and of the embedded EIS."""
        return self._real.send(request), self._local.send(request)

    def close(self) -> None:
        self._real.close()
        self._local.close()


def send(connection: http.client.HTTPConnection, request: Request) -> Answer:
    text, headers = request.body, {}
    if text is not None:
        headers["Content-Type"] = "application/x-ndjson" if isinstance(text, str) else "application/json"
        text = text if isinstance(text, str) else json.dumps(text)
    connection.request(request.method, request.path, text.encode() if text else None, headers)
    response = connection.getresponse()
    data = response.read()
    try:
        return Answer(response.status, json.loads(data) if data else response.getheader(HEAD_REASON))
    except ValueError:
        return Answer(response.status, data.decode("utf-8", "replace"))


@dataclass(slots=True)
class Result:
    """What became of a request of a case.

    Attributes:
        case: The name of the case, such as `search:17`.
        kind: The kind of request.
        verdict: "right", "refused" (501) or "wrong".
        detail: What is refused, or the request and the differences.
    """

    case: str
    kind: str
    verdict: str
    detail: str = ""

    @classmethod
    def of(cls, case: str, kind: str, request: Request, real: Answer, local: Answer, tolerance: float = BM25) -> Result:
        if local.status == 501:
            return cls(case, kind, "refused", refused_feature(local))
        lines = list(differences(real, local, tolerance))
        return cls(case, kind, "wrong", "\n".join([f"  {request}", *lines[:6]])) if lines else cls(case, kind, "right")


@dataclass(slots=True)
class Tally:
    """The results of all cases, counted."""

    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.verdicts.setdefault(result.kind, Counter())[result.verdict] += 1
        if result.verdict == "refused":
            self.refused[result.detail] += 1
        if result.verdict == "wrong":
            self.wrong.append(result)

    def __str__(self) -> str:
        names = ("right", "refused", "wrong")
        rows = [(kind, *(counts[name] for name in names), counts.total()) for kind, counts in sorted(self.verdicts.items())]
        total = sum(self.verdicts.values(), Counter())
        lines = [("kind of request", *names, "total"), *rows, ("all", *(total[name] for name in names), total.total())]
        table = [f"{kind:<34}" + "".join(f"{number:>9}" for number in numbers) for kind, *numbers in lines]
        return "\n".join([*table, "", *(f"{count:>6}  501: {name}" for name, count in self.refused.most_common(40))])

    def failures(self, count: int = 20) -> str:
        """The first wrong results, with what repeats each."""
        return "\n".join(f"--case {result.case} ({result.kind})\n{result.detail}" for result in self.wrong[:count])


def check_all(cases: Iterable[Any], check: Callable[[Both, Any], list[Result]], real: str, local: str) -> Tally:
    """Run `check` for every case, in a few threads, and count its results."""
    tally, cases = Tally(), list(cases)

    def run(share: list[Any]) -> list[Result]:
        both = Both(real, local)
        try:
            return [result for case in share for result in check(both, case)]
        finally:
            both.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        for results in pool.map(run, [cases[first::WORKERS] for first in range(WORKERS)]):
            for result in results:
                tally.add(result)
    tally.wrong.sort(key=lambda result: int(result.case.partition(":")[2]))
    return tally


def refused_feature(answer: Answer) -> str:
    """What a 501 refuses, without the values of the request."""
    reason = answer.body["error"]["reason"] if isinstance(answer.body, dict) else str(answer.body)
    name = found[1] if (found := REFUSED.search(reason)) else reason
    return name[:60]


def differences(real: Answer, local: Answer, tolerance: float = BM25) -> Iterator[str]:
    """Lines that name each difference of two answers, but for those that depend on the server or the moment.

    Args:
        real: The answer of Elasticsearch.
        local: That of the embedded EIS.
        tolerance: The relative difference of scores that are equal; the order of equal scores is free.
    """
    if real.status != local.status:
        yield from compare("status", real.status, local.status, 0)
        yield f"    {shorten(json.dumps(local.body if real.status < 400 else real.body, ensure_ascii=False))}"
        return
    expected, found = comparable(real.body), comparable(local.body)
    if isinstance(expected, dict) and isinstance(found, dict) and "hits" in expected and "hits" in found:
        expected_hits, found_hits = (part["hits"].pop("hits", []) for part in (expected, found))
        yield from compare_hits(expected_hits, found_hits, expected["hits"].get("total"), tolerance)
    yield from compare("", expected, found, tolerance)


def comparable(value: Any, name: str = "") -> Any:
    """A part of an answer, without what depends on the server or the moment, and without the wording of errors."""
    if name == "error" and isinstance(value, dict):
        return {"type": value.get("type"), "root causes": [cause.get("type") for cause in value.get("root_cause", [])]}
    if name == "update" and isinstance(value, dict) and value.get("error", {}).get("type") in FIRST_OF_SEVERAL:
        value = value | {"error": {"type": FIRST_OF_SEVERAL}}
    if name == "_source":
        return value
    if name == "_shards":  # the number of copies depends on the number of nodes
        return {"failed": value.get("failed")}
    if name == "settings" and isinstance(value, dict) and "index" in value:
        value = {"index": {key: part for key, part in value["index"].items() if key not in ("version", "routing")}}
    if isinstance(value, dict):
        return {key: comparable(part, key) for key, part in value.items() if key not in OF_THE_SERVER}
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if name == "_id" and isinstance(value, str) and SERVER_MADE_ID.fullmatch(value):
        return "made by the server"
    return value


def compare_hits(expected: list[Any], found: list[Any], total: Any, tolerance: float) -> Iterator[str]:
    if [hit["_id"] for hit in expected] != [hit["_id"] for hit in found]:
        found = align(expected, found, tolerance)
    cut = isinstance(total, dict) and total["value"] > len(expected)
    for number, (one, other) in enumerate(zip_longest(expected, found)):
        if one is None or other is None:
            yield f"    hits: {format_hits(expected)} != {format_hits(found)}"
            return
        if one["_id"] != other["_id"]:
            tied_with_the_last = close(one["_score"], expected[-1]["_score"], tolerance)
            if cut and tied_with_the_last and close(one["_score"], other["_score"], tolerance):
                continue  # which of equal hits are among the returned is free
            yield f"    hits: {format_hits(expected)} != {format_hits(found)}"
            return
        yield from compare(f"hit {number + 1}", one, other, tolerance)


def align(expected: list[Any], found: list[Any], tolerance: float) -> list[Any]:
    """The found hits, those of equal scores in the order of the expected ones."""
    places = {hit["_id"]: place for place, hit in enumerate(expected)}
    group, aligned, before = 0, [], None
    for hit in found:
        group += before is not None and not close(before, hit["_score"], tolerance)
        before = hit["_score"]
        aligned.append((group, places.get(hit["_id"], len(places)), hit))
    return [hit for *_, hit in sorted(aligned, key=lambda entry: entry[:2])]


def format_hits(hits: list[Any]) -> str:
    return shorten("; ".join(f"{hit['_id']} ({hit['_score']})" for hit in hits) or "none")


def compare(path: str, expected: Any, found: Any, tolerance: float) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in [*expected, *(name for name in found if name not in expected)]:
            inner = f"{path}.{name}" if path else name
            if name not in expected or name not in found:
                sides = ["absent" if name not in side else shorten(json.dumps(side[name])) for side in (expected, found)]
                yield f"    {inner}: {' != '.join(sides)}"
            else:
                yield from compare(inner, expected[name], found[name], tolerance)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, pair in enumerate(zip(expected, found, strict=True)):
            yield from compare(f"{path}[{number}]", *pair, tolerance)
    elif not same(expected, found, tolerance_at(path, tolerance)):
        yield f"    {path}: {shorten(json.dumps(expected, ensure_ascii=False))} != {shorten(json.dumps(found, ensure_ascii=False))}"


def tolerance_at(path: str, scores: float) -> float:
    if path.rpartition(".")[2] in ("_score", "max_score"):
        return scores
    return COORDINATES if "vector" in path else 0


def same(expected: Any, found: Any, tolerance: float) -> bool:
    return type(expected) is type(found) and close(expected, found, tolerance)


def close(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float) and tolerance:
        return abs(one - other) <= max(tolerance * max(abs(one), abs(other)), ROUNDING)
    return bool(one == other)


def shorten(text: str) -> str:
    text = VECTOR.sub(lambda vector: f"[{vector[1]}…]", text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
