"""Filters: what is a query, what is metadata, and in which field metadata are compared."""

from __future__ import annotations

import re
import warnings
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from jina_eis.errors import ConfigurationError
from jina_eis.steps import as_queries, check_filters
from jina_eis.wire.indices import Index, _read_index

INDEX = _read_index(
    "docs",
    {
        "docs": {
            "mappings": {
                "properties": {
                    "author": {"type": "keyword"},
                    "metadata": {
                        "properties": {
                            "lang": {"type": "keyword", "ignore_above": 5, "fields": {"keyword": {"type": "keyword"}}},
                            "term": {"type": "keyword"},
                            "year": {"type": "long"},
                            "title": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}},
                            "words": {"type": "text"},
                            "inner": {"properties": {"x": {"type": "keyword"}}},
                        }
                    },
                }
            }
        }
    },
)


@pytest.mark.parametrize(
    ("filters", "queries"),
    [
        (None, []),
        ([], []),
        ({"term": {"metadata.lang": "en"}}, [{"term": {"metadata.lang": "en"}}]),
        ({"lang": "en"}, [{"term": {"metadata.lang": "en"}}]),
        ({"lang": "en", "year": 2000}, [{"term": {"metadata.lang": "en"}}, {"term": {"metadata.year": 2000}}]),
        ({"lang": ["en", "de"]}, [{"terms": {"metadata.lang": ["en", "de"]}}]),
        ({"lang": []}, [{"terms": {"metadata.lang": []}}]),
        ({"term": "x"}, [{"term": {"metadata.term": "x"}}]),
        ({"term": "x", "year": 1}, [{"term": {"metadata.term": "x"}}, {"term": {"metadata.year": 1}}]),
        ({"title": "a"}, [{"term": {"metadata.title.raw": "a"}}]),
        ({"author": "Ann"}, [{"term": {"author": "Ann"}}]),
        ({"inner.x": "a"}, [{"term": {"metadata.inner.x": "a"}}]),
        ({"unknown": True}, [{"term": {"metadata.unknown": True}}]),
        ({"lang": None}, [{"bool": {"must_not": [{"exists": {"field": "metadata.lang"}}]}}]),
        ([{"lang": "en"}, {"exists": {"field": "a"}}], [{"term": {"metadata.lang": "en"}}, {"exists": {"field": "a"}}]),
    ],
)
def test_the_queries_of_a_filter(filters: Any, queries: list[Any]) -> None:
    assert as_queries(filters, INDEX) == queries


def test_without_a_mapping_metadata_are_keywords() -> None:
    assert (
        as_queries({"title": "a"}, None) == as_queries({"title": "a"}, Index("docs", {})) == [{"term": {"metadata.title": "a"}}]
    )


@pytest.mark.parametrize(
    "filters", ["lang:en", {}, 5, [{"term": {"a": 1}}, "x"], {"term": {"a": 1}, "range": {}}, {"lang": {"eq": "en"}}, {1: "a"}]
)
def test_what_is_no_filter(filters: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"is no filter\. Pass an Elasticsearch query|In a dict of metadata|is no name"):
        check_filters(filters)


def test_a_lone_surrogate_in_a_filter_is_refused() -> None:
    for filters in ({"lang": "\ud800"}, {"term": {"\ud800": 1}}, [{"terms": {"a": ["\ud800"]}}]):
        with pytest.raises(ConfigurationError, match=r"filter\S* holds a lone surrogate|a key in filter"):
            check_filters(filters)


@pytest.mark.parametrize(
    ("filters", "instead"),
    [
        ({"source": {"$eq": "ä"}}, "$eq is an operator of another store. Here, write {'source': 'ä'}."),
        ({"source": {"$in": ["a", "b"]}}, "{'source': ['a', 'b']}"),
        ({"page": {"$gte": 1}}, "{'range': {'metadata.page': {'gte': 1}}}."),
        ({"page": {"$gte": 1, "$lt": 5}}, "{'range': {'metadata.page': {'gte': 1, 'lt': 5}}}."),
        (
            {"page": {"$gt": 1, "$ne": 3}},
            "[{'range': {'metadata.page': {'gt': 1}}}, {'bool': {'must_not': [{'terms': {'metadata.page': [3]}}]}}].",
        ),
        ({"page": {"$gt": 1, "unit": "m"}}, "pass a text, a number, True, False, None or a list of these"),
        ({"page": {"$nin": [1, 2]}}, "{'bool': {'must_not': [{'terms': {'metadata.page': [1, 2]}}]}}"),
        ({"page": {"$nin": (1, 2)}}, "{'terms': {'metadata.page': [1, 2]}}"),
        ({"source": {"$ne": "a"}}, "{'bool': {'must_not': [{'terms': {'metadata.source.keyword': ['a']}}]}}"),
        ({"source": {"$exists": True}}, "{'exists': {'field': 'metadata.source'}}."),
        ({"source": {"$ne": None}}, "{'exists': {'field': 'metadata.source'}}."),
        ({"source": {"$exists": False}}, "Here, write {'source': None}."),
        ({"draft": {"$eq": True}}, "Here, write {'draft': True}."),
        ({"$and": [{"source": "a"}]}, '$and is an operator of another store. Here, write {"bool": {"filter": [...]}}.'),
        ({"$or": []}, '{"bool": {"should": [...], "minimum_should_match": 1}}'),
        ({"$not": {"source": "a"}}, '{"bool": {"must_not": [...]}}'),
    ],
    ids=str,
)
def test_operators_of_other_stores(filters: Any, instead: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(instead)):
        check_filters(filters)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"words": "a"}, "'metadata.words' is of type text in the index 'docs', without a keyword to compare. Pass a query"),
        ({"inner": "a"}, "'metadata.inner' is of type object"),
        ({"lang": "english"}, "the value for 'lang' has 7 characters, and 'metadata.lang' holds values of at most 5"),
    ],
)
def test_metadata_that_the_index_cannot_compare(filters: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        as_queries(filters, INDEX)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"term": {"lang": "en"}}, "lang"),
        ({"bool": {"must": [{"range": {"year": {"gte": 2000}}}]}}, "year"),
        ({"bool": {"must_not": {"exists": {"field": "title"}}}}, "title"),
    ],
)
def test_a_query_for_a_field_that_only_metadata_have_is_warned_of(query: dict[str, Any], name: str) -> None:
    with pytest.warns(UserWarning, match=rf"has no field '{name}'.* Its metadata are in 'metadata\.{name}'"):
        assert as_queries(query, INDEX) == [query]


def test_other_queries_are_not_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for query in ({"term": {"author": "x"}}, {"term": {"metadata.lang": "en"}}, {"term": {"unknown": 1}}, {"match_all": {}}):
            as_queries(query, INDEX)
        as_queries({"term": {"lang": "en"}}, None)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a"}, "filter: 'term.metadata.x' is of type set, which JSON does not have"),
        (1j, "filter: 'term.metadata.x' is of type complex"),
        (float("nan"), "filter: 'term.metadata.x' is of type float, NaN or infinite"),
        ([b"x"], r"filter: 'term.metadata.x\[0\]' is of type bytes"),
    ],
)
def test_a_value_that_json_lacks_is_named_before_anything_is_sent(value: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        check_filters({"term": {"metadata.x": value}})


def test_values_that_the_client_writes_are_filters() -> None:
    for value in (Decimal("1.5"), date(2026, 1, 1), UUID(int=0), None, True):
        check_filters({"term": {"metadata.x": value}})
