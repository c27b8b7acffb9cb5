"""Filters: what is a query, what is metadata, and in which field metadata are compared."""

from __future__ import annotations

from typing import Any

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
