"""Writes, mappings, settings and routes of the embedded EIS: the answers that Elasticsearch 9.5.3 gave to the same requests."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")

import httpx

from jina_eis.local import LocalEIS

Answer = tuple[int, str]
VECTOR = {"type": "dense_vector", "dims": 2}
GRAPH = {"m": 16, "ef_construction": 100}
SLASHED = {"type": "date", "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis", "locale": ""}


NOW = [100.0]  # the time of the server


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", clock=lambda: NOW[0]) as eis:
        yield eis


@pytest.fixture
def http(server: LocalEIS) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client
        for name in client.get("/_all").json():
            client.delete(f"/{name}")


def send(http: httpx.Client, request: str, body: Any = None) -> httpx.Response:
    """Send `METHOD /path` with a body: a list is the lines of a bulk request, and a line as text is sent as it is."""
    method, path = request.split(" ", 1)
    lines = body if isinstance(body, list) else [body]
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    content = None if body is None else "\n".join(texts) + "\n" * isinstance(body, list)
    return http.request(method, path, content=content, headers={"content-type": "application/json"} if content else {})


def kinds(error: Any) -> str:
    """Return the types of an error and of its causes."""
    return " < ".join([error["type"], *([kinds(error["caused_by"])] if "caused_by" in error else [])])


def outcome(response: httpx.Response) -> Answer:
    """Return the status, and the result or the types of the error."""
    body = response.json() if response.content else {}
    return response.status_code, kinds(body["error"]) if "error" in body else body.get("result", "")


def fields(http: httpx.Client, **properties: Any) -> Answer:
    return outcome(send(http, "PUT /i", {"mappings": {"properties": properties}}))


def mappings_of(http: httpx.Client, index: str = "i") -> Any:
    return send(http, f"GET /{index}/_mapping").json()[index]["mappings"]


def items(response: httpx.Response) -> list[tuple[str, str | None, int, str]]:
    return [
        (kind, item["_id"], item["status"], kinds(item["error"]) if "error" in item else item["result"])
        for entry in response.json()["items"]
        for kind, item in entry.items()
    ]


def count(http: httpx.Client) -> int:
    return int(send(http, "GET /i/_count").json()["count"])


REFUSED = (501, "not_implemented_exception")
PARSING = "document_parsing_exception"
CUT = f"{PARSING} < x_content_e_o_f_exception"
ONE = {"index": {"_id": "1"}}
ARGUMENT = "illegal_argument_exception"
MAPPER = "mapper_parsing_exception"


def test_vectors_as_base64(http: httpx.Client) -> None:
    fields(http, v=VECTOR)
    assert outcome(send(http, "PUT /i/_doc/1", {"v": "QAAAAL+AAAA="})) == (201, "created")
    assert send(http, "GET /i/_doc/1?_source_exclude_vectors=false").json()["_source"] == {"v": [2.0, -1.0]}
    assert outcome(send(http, "PUT /i/_doc/1", {"v": "QAC/gA=="})) == (200, "updated"), "2 bytes a number"
    assert send(http, "GET /i/_doc/1?_source_exclude_vectors=false").json()["_source"] == {"v": [2.0, -1.0]}
    for text in ("QAAAAL+A", "2026/11/27"):
        assert outcome(send(http, "PUT /i/_doc/1", {"v": text})) == (400, f"{PARSING} < parsing_exception")
    assert outcome(send(http, "PUT /i/_doc/1", {"v": "!!"})) == (400, f"{PARSING} < {ARGUMENT}")
    assert items(send(http, "POST /i/_bulk", [{"index": {"_id": "2"}}, {"v": "QAAAAL+AAAA="}])) == [
        ("index", "2", 201, "created")
    ]
    assert outcome(send(http, "POST /i/_update/2", {"doc": {"v": "QAAAAD+AAAA="}})) == (200, "updated")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"dims": 8}, {"type": "int8_hnsw"} | GRAPH),
        ({"dims": 384}, {"type": "bbq_hnsw"} | GRAPH | {"rescore_vector": {"oversample": 3.0}}),
        ({"dims": 8, "index_options": {"type": "flat"}}, {"type": "flat"}),
        ({"dims": 8, "index_options": {"type": "hnsw", "m": 4}}, {"type": "hnsw", "m": 4, "ef_construction": 100}),
        ({"dims": 64, "index_options": {"type": "bbq_flat", "rescore_vector": {"oversample": 2}}}, REFUSED),
        *(({"dims": 9, "index_options": {"type": kind}}, (400, f"{MAPPER} < {ARGUMENT}")) for kind in ("bbq_hnsw", "int4_flat")),
        ({"dims": 8, "index_options": {"type": "hsnw"}}, (400, f"{MAPPER} < {MAPPER}")),
        ({"dims": 8, "index_options": {"type": "flat", "m": 4}}, REFUSED),
        ({"dims": 8, "index_options": {}}, (400, f"{MAPPER} < {MAPPER}")),
        ({"dims": 8, "index": False, "index_options": {"type": "hnsw"}}, (400, f"{MAPPER} < {ARGUMENT}")),
        ({"dims": 0}, (400, f"{MAPPER} < {MAPPER}")),
        ({"dims": "8"}, REFUSED),
    ],
)
def test_index_options(http: httpx.Client, definition: Any, expected: Any) -> None:
    answer = fields(http, v={"type": "dense_vector"} | definition)
    if isinstance(expected, tuple):
        assert answer == expected
    else:
        assert mappings_of(http)["properties"]["v"]["index_options"] == expected


def test_a_write_is_seen_after_a_refresh(http: httpx.Client) -> None:
    send(http, "PUT /i", {"settings": {"refresh_interval": "-1"}})
    send(http, "PUT /i/_doc/1", {"k": "x"})
    assert count(http) == 0 and send(http, "GET /i/_doc/1").json()["found"]
    NOW[0] += 3600
    assert count(http) == 0
    send(http, "POST /i/_refresh")
    send(http, "DELETE /i/_doc/1")
    assert count(http) == 1
    assert send(http, "PUT /i/_doc/2?refresh=true", {}).json()["forced_refresh"] is True
    assert count(http) == 1
    send(http, "PUT /i/_doc/3?refresh=wait_for", {})
    assert count(http) == 2


def test_the_interval_of_refreshes(http: httpx.Client) -> None:
    for settings, seconds in (({}, 1), ({"refresh_interval": "5s"}, 5)):
        send(http, "PUT /i", {"settings": settings})
        send(http, "PUT /i/_doc/1", {})
        NOW[0] += seconds - 0.5
        assert count(http) == 0
        NOW[0] += 0.5
        assert count(http) == 1
        NOW[0] += 31  # an index that is not searched is refreshed by the next search
        send(http, "PUT /i/_doc/2", {})
        assert count(http) == (1 if settings else 2)
        send(http, "DELETE /i")


def test_missing_indices_and_versions(http: httpx.Client) -> None:
    assert outcome(send(http, "DELETE /i/_doc/9")) == (404, "index_not_found_exception")
    assert items(send(http, "POST /_bulk", [{"delete": {"_index": "i", "_id": "9"}}])) == [
        ("delete", "9", 404, "index_not_found_exception")
    ]
    assert send(http, "HEAD /i").status_code == 404
    assert outcome(send(http, "PUT /i/_doc/1", "[]")) == (400, PARSING)
    assert send(http, "HEAD /i").status_code == 200
    versions = [
        send(http, request, body).json()["_version"]
        for request, body in (
            *(("PUT /i/_doc/1", {"n": 1}), ("DELETE /i/_doc/1", None), ("PUT /i/_doc/1", {"n": 2})),
            *(("DELETE /i/_doc/2", None), ("PUT /i/_doc/2", {})),
        )
    ]
    assert versions == [1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([ONE, '{"n":', {"index": {"_id": "2"}}, {}], [("index", "1", 400, CUT), ("index", "2", 201, "created")]),
        ([ONE, "[]"], [("index", "1", 400, PARSING)]),
        ([{"index": {"_id": "3"}}, {"n": 1}, {"update": {"_id": "2"}}, {"n": 1}], (400, "x_content_parse_exception")),
        ([{"delete": {}}], (400, "action_request_validation_exception")),
        ([{"index": {"_id": "x" * 513}}, {}], (400, "action_request_validation_exception")),
        ([{"index": {"_id": "6", "require_alias": True}}, {}], REFUSED),
        ([{"index": {"_id": "6", "retry_on_conflict": 3}}, {}], [("index", "6", 201, "created")]),
        ([{"index": {"_id": "6", "op_type": "create"}}, {}], REFUSED),
        ([{"index": {"_id": "6"}}, '{"s": "\\ud83d"}'], REFUSED),
        ([{"index": {"_id": "6"}}, "", {"n": 1}], (400, ARGUMENT)),
        ([ONE, {}, "", {"delete": {"_id": "1"}}], [("index", "1", 201, "created"), ("delete", "1", 200, "deleted")]),
        ([{"index": {"_id": "6"}}, {}, {"index": {"_id": "7"}}], [("index", "6", 201, "created")]),
        ([ONE, {"n": 1}, {"update": {"_id": "2"}}, {"doc": {}, "_source": True}], REFUSED),
    ],
)
def test_bulk_requests(http: httpx.Client, lines: list[Any], expected: Any) -> None:
    send(http, "PUT /i")
    response = send(http, "POST /i/_bulk", lines)
    assert (outcome(response) if isinstance(expected, tuple) else items(response)) == expected
    if isinstance(expected, tuple):
        send(http, "POST /i/_refresh")
        assert count(http) == 0, "nothing of a refused request is written"


@pytest.mark.parametrize(
    ("text", "definition"),
    [
        ("2026-11-27", {"type": "date"}),
        ("2026/11/27", SLASHED),
        ("2026/11/27 10:11:12", SLASHED),
        ("-2026-11-27", {"type": "date"}),
        *((text, None) for text in ("2026-02-30", "2026/02/30", "2026", "2026/1/2", "2026-13-01", "blue")),
    ],
)
def test_new_fields_with_dates(http: httpx.Client, text: str, definition: Any) -> None:
    send(http, "PUT /i/_doc/1", {"a": text})
    found = mappings_of(http)["properties"]["a"]
    assert found == (definition or {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
    expected = (201, "created") if definition is None else (400, f"{PARSING} < {ARGUMENT}")
    assert outcome(send(http, "PUT /i/_doc/2", {"a": "red"})) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        *(("long", value, "") for value in ("", "7.9", "1e3", 7.9, [1, ["2"]], None)),
        *(("long", value, ARGUMENT) for value in (" 7 ", "7d", "7_000", "blue", {}, "9223372036854775808")),
        *(("long", value, ARGUMENT) for value in (True, 1e30)),
        *(("float", value, "") for value in ("", " 7 ", "7d", "1e3")),
        *(("float", value, ARGUMENT) for value in ("7_000", "0x10", "blue")),
        *(("float", value, ARGUMENT) for value in ("NaN", 1e39)),
        ("half_float", 65519, ""),
        ("half_float", 65520, ARGUMENT),
        *(("boolean", value, "") for value in ("", "true")),
        *(("boolean", value, ARGUMENT) for value in ("True", "no")),
        ("boolean", 0, ARGUMENT),
        *(("date", value, "") for value in (2026, "1", "-5", "1686787200000.5", "0000-01-01", "2026-06-15T10:11:12+02:00:30")),
        *(("date", value, ARGUMENT) for value in (True, "2026-02-32", "now", "2026-13-01")),
        ("keyword", {"a": 1}, ARGUMENT),
    ],
)
def test_values_of_documents(http: httpx.Client, kind: str, value: Any, expected: str) -> None:
    fields(http, f={"type": kind})
    answer = outcome(send(http, "PUT /i/_doc/1", {"f": value}))
    assert answer == ((400, f"{PARSING} < {expected}") if expected else (201, "created"))


def test_a_large_fraction_is_refused_as_a_date(http: httpx.Client) -> None:
    fields(http, f={"type": "date"})
    assert outcome(send(http, "PUT /i/_doc/1", {"f": 1e10})) == REFUSED


@pytest.mark.parametrize(
    ("request_line", "body", "expected"),
    [
        ("PUT /i/_doc/1?timeout=9", {}, (400, ARGUMENT)),
        ("PUT /i/_doc/1?master_timeout=9s", {}, (400, ARGUMENT)),
        ("PUT /i/_doc/1?refresh=yes", {}, REFUSED),
        ("PUT /i/_doc/1?wait_for_active_shards=x", {}, REFUSED),
        ("GET /i/_doc/1?realtime=no", None, REFUSED),
        ("GET /i/_doc/1?force_synthetic_source=true", None, REFUSED),
        ("POST /i/_search?search_type=fast", {}, REFUSED),
        ("DELETE /i/_doc/9", {"n": 1}, (400, ARGUMENT)),
        ("POST /i/_update/1", {"m": 2}, (400, "x_content_parse_exception")),
        ("POST /i/_mget", {"ids": "1"}, REFUSED),
        ("POST /i/_mget", {"docs": [{"_id": "1"}]}, REFUSED),
        ("PUT /j", {"mapping": {}}, (400, "parse_exception")),
        ("PUT /j", {"settings": None}, (400, "parse_exception")),
        ("PUT /j", {"settings": {"knn": True}}, (400, ARGUMENT)),
        ("PUT /j", {"settings": {"refresh_interval": "soon"}}, (400, ARGUMENT)),
        ("PUT /j", {"settings": {"blocks.write": True}}, REFUSED),
        ("PUT /j", {"mappings": {"subobjects": False}}, REFUSED),
        ("PUT /i/_doc/1", '{"s": "cut \\ud83d"}', REFUSED),
        ("PUT /i/_doc/1", '/* c */ {"n": 1}', REFUSED),
        ("PUT /i/_doc/1", {"a..b": 1}, (400, f"{PARSING} < {ARGUMENT}")),
        ("PUT /i/_doc/1", {" ": 1}, REFUSED),
        ("PUT /i/_doc/1", {"b.": 1}, (201, "created")),
        ("PUT /i/_doc/1", {"_tier": 1}, (201, "created")),
        ("PUT /i/_doc/1", {"_id": 1}, (400, f"{PARSING} < {PARSING}")),
    ],
)
def test_requests(http: httpx.Client, request_line: str, body: Any, expected: Answer) -> None:
    send(http, "PUT /i")
    assert outcome(send(http, request_line, body)) == expected


def test_media_types(http: httpx.Client) -> None:
    statuses = {
        kind: http.put("/i/_doc/1?refresh=true", content="{}", headers={"content-type": kind}).status_code
        for kind in ("application/json; charset=utf-8", "application/x-ndjson", "text/plain", "x", "application/yaml")
    }
    assert list(statuses.values()) == [201, 200, 501, 501, 501]


@pytest.mark.parametrize("dynamic", ["false", "strict"])
@pytest.mark.parametrize("value", [1, None])
def test_copies_to_an_unknown_field(http: httpx.Client, dynamic: str, value: Any) -> None:
    assert fields(http, k={"type": "text", "copy_to": "o"}, o={"type": "object"}) == (400, ARGUMENT)
    send(http, "PUT /i", {"mappings": {"dynamic": dynamic, "properties": {"n": {"type": "long", "copy_to": "all"}}}})
    expected = (201, "created") if dynamic == "false" else (400, "strict_dynamic_mapping_exception")
    assert outcome(send(http, "PUT /i/_doc/1", {"n": value})) == expected
    assert "all" not in mappings_of(http)["properties"]


@pytest.mark.parametrize("value", [None, [], {}, [[]], 1])
def test_unknown_fields_of_a_strict_index(http: httpx.Client, value: Any) -> None:
    send(http, "PUT /i", {"mappings": {"dynamic": "strict"}})
    assert outcome(send(http, "PUT /i/_doc/1", {"x": value})) == (400, "strict_dynamic_mapping_exception")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"type": "keyword"}, {"type": "keyword", "index": False}, None),
        (VECTOR, {"type": "dense_vector"}, None),
        (VECTOR | {"index_options": {"type": "int8_hnsw"}}, VECTOR | {"index_options": {"type": "hnsw"}}, REFUSED),
        (VECTOR | {"index_options": {"type": "hnsw", "m": 32}}, VECTOR | {"index_options": {"type": "hnsw"}}, REFUSED),
        ({"type": "keyword", "ignore_above": 9, "copy_to": "all"}, {"type": "keyword"}, {"type": "keyword"}),
        (
            {"type": "keyword", "index": "true", "ignore_above": 64},
            {"type": "keyword", "ignore_above": 64},
            {"type": "keyword", "ignore_above": 64},
        ),
        ({"type": "object", "dynamic": False}, {"type": "object"}, {"type": "object", "dynamic": "false"}),
        ({"type": "semantic_text"}, {"type": "semantic_text", "search_inference_id": ".jina-embeddings-v5-text-nano"}, ...),
    ],
)
def test_changes_of_fields(http: httpx.Client, before: Any, after: Any, expected: Any) -> None:
    assert fields(http, f=before)[0] == 200
    answer = send(http, "PUT /i/_mapping", {"properties": {"f": after}})
    if expected in (None, REFUSED):
        assert outcome(answer) == (expected or (400, ARGUMENT))
    else:
        assert answer.status_code == 200
    if isinstance(expected, dict):
        assert mappings_of(http)["properties"]["f"] == expected


def test_mappings_are_shown_as_understood(http: httpx.Client) -> None:
    properties = {"k": {"type": "keyword", "copy_to": "all", "index": "true"}, "o": {"enabled": True, "properties": {}}}
    send(http, "PUT /i", {"mappings": {"dynamic": False, "properties": properties}})
    assert mappings_of(http) == {
        "dynamic": "false",
        "properties": {"k": {"type": "keyword", "copy_to": ["all"]}, "o": {"type": "object"}},
    }
    send(http, "PUT /j/_doc/1", {"o": {}})
    assert mappings_of(http, "j") == {"properties": {"o": {"type": "object"}}}
    send(http, "PUT /k", {"settings": {"refresh_interval": None, "number_of_replicas": 0}})
    settings = send(http, "GET /k").json()["k"]["settings"]["index"]
    assert (settings["refresh_interval"], settings["number_of_replicas"]) == (None, "0")


def found(http: httpx.Client, query: Any) -> list[str]:
    return [hit["_id"] for hit in send(http, "POST /i/_search", {"query": query}).json()["hits"]["hits"]]


def test_order_of_zeros(http: httpx.Client) -> None:
    fields(http, f={"type": "double"})
    send(http, "PUT /i/_doc/1", {"f": -0.0})
    send(http, "PUT /i/_doc/2?refresh=true", {"f": 0.0})
    assert (found(http, {"term": {"f": 0.0}}), found(http, {"range": {"f": {"lt": 0.0}}})) == (["2"], ["1"])


def test_writes_survive_a_process_that_is_killed(tmp_path: Path) -> None:
    with LocalEIS(model="hash", data=tmp_path / "killed") as eis, httpx.Client(base_url=eis.url) as http:
        send(
            http, "PUT /i", {"settings": {"refresh_interval": "-1"}, "mappings": {"properties": {"s": {"type": "semantic_text"}}}}
        )
        send(http, "PUT /i/_doc/1", {"t": "salt melts ice", "v": [0.5] * 128, "s": "salt melts ice"})
        shutil.copytree(tmp_path / "killed", tmp_path / "left")
    with LocalEIS(model="hash", data=tmp_path / "left") as eis, httpx.Client(base_url=eis.url) as http:
        assert found(http, {"match": {"t": "ice"}}) == ["1"] == found(http, {"match": {"s": "ice"}})
        assert found(http, {"knn": {"field": "v", "query_vector": [0.5] * 128, "k": 1}}) == ["1"]
        assert outcome(send(http, "PUT /i/_doc/2", {})) == (201, "created")


@pytest.mark.parametrize("more", [{}, {"store": True}])
def test_a_folder_of_an_earlier_version(tmp_path: Path, more: Any) -> None:
    with LocalEIS(model="hash", data=tmp_path) as eis, httpx.Client(base_url=eis.url) as http:
        fields(http, k={"type": "keyword", "copy_to": "all"}, all={"type": "text"}, v=VECTOR)
        send(http, "PUT /i/_doc/1?refresh=true", {"k": "red ink", "v": [1, 2.5]})
    sent = {"k": {"type": "keyword", "copy_to": "all", **more}, "all": {"type": "text"}, "v": VECTOR | {"index": True}}
    database = sqlite3.connect(tmp_path / "jina-eis.sqlite")  # without tables of new documents, and with mappings as sent
    row = json.dumps({"dynamic": False, "properties": sent}), json.dumps({"number_of_replicas": 0})
    database.execute("UPDATE indices SET mapping = ?, settings = ?", row)
    database.executescript("DROP TABLE new_1; DROP TABLE gone_1; UPDATE docs_1 SET seq = 0")
    database.commit()
    database.close()
    if more:
        with pytest.raises(
            OSError, match=r"\[i\] was created by an earlier version .*store of field \[k\].*choose another folder"
        ):
            LocalEIS(model="hash", data=tmp_path).start()
        return
    with LocalEIS(model="hash", data=tmp_path) as eis, httpx.Client(base_url=eis.url) as http:
        assert mappings_of(http)["dynamic"] == "false" and mappings_of(http)["properties"]["k"] == {
            "type": "keyword",
            "copy_to": ["all"],
        }
        assert outcome(send(http, "PUT /i/_doc/1?refresh=true", {"k": "red cap", "v": [2, 2]})) == (200, "updated")
        assert found(http, {"match": {"all": "red"}}) == ["1"] == found(http, {"term": {"k": "red cap"}})
