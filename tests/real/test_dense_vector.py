"""Both frameworks over dense_vector fields of the real node: the tests of the embedded EIS, and what it refuses."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from dense_vector import *  # noqa: F403 - tests and fixtures
from dense_vector import LONE, MENDED, Adapter
from helpers import TEXT
from real.front import Front

from jina_eis.errors import DocumentsFailedError, RequestRejectedError

FILTERS: list[tuple[Any, list[int]]] = [
    ({"multi_match": {"query": "paper ada", "fields": ["metadata.note.text", "metadata.author.name.text"]}}, [4, 5, 6]),
    ({"prefix": {"metadata.lang.keyword": "en"}}, [0, 2, 4, 6]),
    ({"prefix": {"metadata.author.name.keyword": {"value": "Al"}}}, [5]),
    ({"wildcard": {"metadata.lang.keyword": "en*"}}, [0, 2, 4, 6]),
    ({"wildcard": {"metadata.lang.keyword": {"value": "e?", "case_insensitive": True}}}, [0, 2, 5]),
    ({"regexp": {"metadata.lang.keyword": "en|fr"}}, [0, 2, 3]),
    ({"query_string": {"query": "metadata.note.text:paper AND NOT metadata.n:*"}}, [6]),
    ({"query_string": {"query": "metadata.author.born:[1800 TO 1900]"}}, [4]),
    ({"simple_query_string": {"query": "ada | ink", "fields": ["metadata.author.name.text", "metadata.note.text"]}}, [4, 5, 6]),
    ({"fuzzy": {"metadata.author.name.text": "turin"}}, [5]),
    ({"match_phrase_prefix": {"metadata.note.text": "ink dries slow"}}, [5]),
    ({"match_bool_prefix": {"metadata.note.text": "ink dri"}}, [5]),
    ({"dis_max": {"queries": [{"term": {"metadata.n": 1}}, {"term": {"metadata.n": 2}}]}}, [0, 1]),
    ({"prefix": {"metadata.lang": "en"}}, [0, 2, 4, 6]),
    ({"term": {"metadata.lang.keyword": {"value": "EN", "case_insensitive": True}}}, [0, 2, 5]),
]


@pytest.fixture
def url(front: Front) -> str:
    """The address of the node and of the embedded EIS beside it."""
    return front.url


def test_filters_that_the_embedded_eis_refuses(adapter: Adapter) -> None:
    adapter.add_people()
    assert adapter.people(query for query, _ in FILTERS) == {str(query): expected for query, expected in FILTERS}


def test_a_lone_surrogate_of_another_application(adapter: Adapter, url: str) -> None:
    retriever = adapter.retriever(dimensions=32)
    adapter.add(retriever, ["whole"], [{"n": 1}], ["1"])
    vector = [1.0] * 32
    lines = [
        {"index": {"_id": "2"}},
        {adapter.text_field: f"half {LONE}", "metadata": {"half": LONE}, "embedding": vector},
        {"index": {"_id": "3"}},
        {adapter.text_field: "a pair \U0001f9ca", "metadata": {"pair": "\U0001f9ca"}, "embedding": vector},
    ]
    body = "".join(f"{json.dumps(line)}\n" for line in lines).encode("ascii")
    headers = {"content-type": "application/x-ndjson"}
    with urlopen(Request(f"{url}/{adapter.index}/_bulk?refresh=true", body, headers)) as answer:
        assert not json.load(answer)["errors"]
    found = {document.id: document for document in adapter.search(retriever, "text")}
    assert (found["1"].text, found["1"].metadata["n"]) == ("whole", 1)
    assert (found["2"].text, found["2"].metadata["half"]) == (f"half {MENDED}", MENDED)
    assert (found["3"].text, found["3"].metadata["pair"]) == ("a pair \U0001f9ca", "\U0001f9ca")


@pytest.mark.parametrize("element_type", ["bfloat16", "byte"])
def test_indices_of_other_numbers(adapter: Adapter, element_type: str) -> None:
    adapter.create_by_hand(vector={"type": "dense_vector", "dims": 256, "element_type": element_type})
    if element_type == "byte":
        with pytest.raises(DocumentsFailedError, match=r"^5 of 5 documents failed: .* only support non-decimal values") as caught:
            adapter.add_examples(inference_id=TEXT)
        assert len(caught.value.failed) == 5
    else:
        retriever = adapter.add_examples(inference_id=TEXT)
        assert adapter.search(retriever, "How do glaciers move?")[0].id == "document-0"


def test_a_setting_that_does_not_exist(adapter: Adapter) -> None:
    with pytest.raises(RequestRejectedError, match=r"unknown setting \[index\.number_of_shard\]"):
        adapter.add_examples(index_settings={"index.number_of_shard": 2})
