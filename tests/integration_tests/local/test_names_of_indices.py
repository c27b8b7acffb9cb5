"""Searches of the embedded EIS over aliases, patterns, lists and points in time, and what it refuses of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import ApiError, Elasticsearch, NotFoundError

from jina_eis.local import LocalEIS


@pytest.fixture
def client() -> Iterator[Elasticsearch]:
    """A client of a server of its own, with the indices news-2025 (alias old) and news-2026 (alias latest)."""
    with LocalEIS() as eis, Elasticsearch(eis.url) as client:
        client.indices.create(index="news-2025", aliases={"old": {}})
        for year in (2025, 2026):
            client.index(index=f"news-{year}", document={"year": year}, refresh=True)
        client.indices.put_alias(index="news-2026", name="latest")
        yield client


@pytest.mark.parametrize(
    ("name", "years"),
    [("old", [2025]), ("latest", [2026]), ("news-*", [2025, 2026]), ("old,news-2026", [2025, 2026]), ("none-*", [])],
)
def test_searches_of_several_indices(client: Elasticsearch, name: str, years: list[int]) -> None:
    hits = client.search(index=name)["hits"]["hits"]
    assert sorted(hit["_source"]["year"] for hit in hits) == years
    assert client.count(index=name)["count"] == len(years)


def test_changes_of_aliases(client: Elasticsearch) -> None:
    client.indices.delete_alias(index="news-2026", name="latest")
    client.indices.put_alias(index="news-2025", name="latest")
    assert client.search(index="latest")["hits"]["hits"][0]["_index"] == "news-2025"
    client.indices.delete_alias(index="news-2025", name="latest")
    with pytest.raises(NotFoundError):
        client.search(index="latest")


REFUSED: list[Callable[[Elasticsearch], Any]] = [
    lambda client: client.indices.update_aliases(actions=[{"add": {"alias": "latest", "index": "news-2025"}}]),
    lambda client: client.indices.put_alias(index="news-2025", name="some", filter={"term": {"year": 2025}}),
    lambda client: client.indices.put_alias(index="news-2025", name="some", is_write_index=True),
    lambda client: client.indices.get_alias(name="old"),
    lambda client: client.search(index="news-*,-news-2025"),
    lambda client: client.search(index="news-*", sort="year", search_after=[2025]),
    lambda client: client.search(pit={"id": "bmV3cy0q"}, sort=[{"_shard_doc": "asc"}], search_after=[1, 2]),
    lambda client: client.search(pit={"id": "bmV3cy0q"}, sort="year"),
    lambda client: client.perform_request(
        "POST",
        "/news-2025/_search",
        body={"pit": {}, "sort": [{"_shard_doc": "asc"}]},
        headers={"accept": "application/json", "content-type": "application/json"},
    ),
]


@pytest.mark.parametrize("request_of", REFUSED)
def test_what_is_refused(client: Elasticsearch, request_of: Callable[[Elasticsearch], Any]) -> None:
    with pytest.raises(ApiError) as caught:
        request_of(client)
    assert caught.value.status_code == 501


def test_an_unknown_point_in_time(client: Elasticsearch) -> None:
    with pytest.raises(ApiError) as caught:
        client.search(pit={"id": "no id"}, sort=[{"_shard_doc": "asc"}])
    assert (caught.value.status_code, caught.value.error) == (400, "illegal_argument_exception")


def test_a_point_in_time_reads_page_by_page(client: Elasticsearch) -> None:
    pit = {"id": client.open_point_in_time(index="news-*", keep_alive="1m")["id"], "keep_alive": "1m"}
    years, after = [], None
    while True:
        hits = client.search(pit=pit, size=1, sort=[{"_shard_doc": "asc"}], search_after=after)["hits"]["hits"]
        if not hits:
            break
        years.append(hits[0]["_source"]["year"])
        after = hits[0]["sort"]
    assert sorted(years) == [2025, 2026]
    assert client.close_point_in_time(id=pit["id"])["succeeded"]


def test_several_indices_are_scored_as_by_elasticsearch() -> None:
    """Each index has its own statistics of words; the nearest are those of all. The scores are those of 9.5.3."""
    fields = {"t": {"type": "text"}, "v": {"type": "dense_vector", "dims": 2, "index_options": {"type": "flat"}}}
    shared = [{"t": "red ink", "v": [1, n + 1], "n": n} for n in range(3)]
    more = {"a": [{"t": "red red pen", "v": [2, 0.1]}], "b": [{"t": "blue", "n": 9}] * 2}
    with LocalEIS() as eis, Elasticsearch(eis.url) as client:
        for name, own in more.items():
            client.indices.create(index=name, mappings={"properties": fields})
            for number, document in enumerate([*shared, *own]):
                client.index(index=name, id=f"{name}{number}", document=document, refresh=True)

        def found(**body: Any) -> tuple[int, list[tuple[str, Any]]]:
            answer = client.search(index="a,b", **body)
            assert answer["_shards"] == {"total": 2, "successful": 2, "skipped": 0, "failed": 0}
            hits = answer["hits"]["hits"]
            return answer["hits"]["total"]["value"], [
                (hit["_id"], hit.get("sort") or pytest.approx(hit["_score"])) for hit in hits
            ]

        blue, red, pen = 0.4889865, 0.110377684, 0.13245323
        expected = [("b0", blue), ("b1", blue), ("b2", blue), ("a3", pen), ("a0", red), ("a1", red), ("a2", red)]
        assert found(query={"match": {"t": "red"}}) == (7, expected)
        near = {"field": "v", "query_vector": [1, 1], "num_candidates": 10}
        assert found(knn={**near, "k": 3}) == (3, [("a0", 1.0), ("b0", 1.0), ("a1", 0.97434163)])
        last = -(2**63)
        assert found(sort=[{"n": "desc"}], size=9)[1][:2] + found(sort=[{"n": "desc"}])[1][-1:] == [
            ("b3", [9]),
            ("b4", [9]),
            ("a3", [last]),
        ]
        with pytest.raises(ApiError, match="fails on one of several indices"):
            found(query={"match": {"v": "red"}})
