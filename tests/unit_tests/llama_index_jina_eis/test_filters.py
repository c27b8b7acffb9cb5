"""Which field a metadata filter compares, by the mapping of the index. No server; what the queries find is tested elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from jina_eis.errors import ConfigurationError
from jina_eis.wire import Field, Index
from llama_index_jina_eis.filters import filter_query, keys_of

Op = FilterOperator
FIELDS = [
    Field("metadata.ours", "keyword", ignore_above=1024),
    Field("metadata.ours.keyword", "keyword", ignore_above=1024, parent="metadata.ours"),
    Field("metadata.ours.text", "text", parent="metadata.ours"),
    Field("metadata.dynamic", "text"),
    Field("metadata.dynamic.keyword", "keyword", ignore_above=256, parent="metadata.dynamic"),
    Field("metadata.plain", "keyword"),
    Field("metadata.words", "text"),
    Field("metadata.flag", "boolean"),
    Field("metadata.object", "object"),
    Field("title", "keyword"),
]
INDEX = Index("facts", {field.name: field for field in FIELDS})


def query(key: str, value: Any, operator: FilterOperator = Op.EQ) -> Any:
    filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])
    (clause,) = filter_query(filters, INDEX)["bool"]["filter"]
    return clause


@pytest.mark.parametrize(
    ("key", "field", "words"),
    [
        ("ours", "metadata.ours", "metadata.ours.text"),
        ("dynamic", "metadata.dynamic.keyword", "metadata.dynamic"),
        ("unknown", "metadata.unknown", "metadata.unknown.text"),
    ],
)
def test_values_and_words_of_a_key(key: str, field: str, words: str) -> None:
    assert query(key, "x") == {"term": {field: "x"}}
    assert query(key, ["x", "y"], Op.IN) == {"terms": {field: ["x", "y"]}}
    assert query(key, "x", Op.GT) == {"range": {field: {"gt": "x"}}}
    assert query(key, "x", Op.TEXT_MATCH) == {"match_phrase": {words: "x"}}


def test_fields_of_other_applications() -> None:
    assert query("title", "x") == {"term": {"title": "x"}}
    assert query("flag", 1) == {"term": {"metadata.flag": "true"}}
    assert query("flag", ["0", "true"], Op.ANY) == {"terms": {"metadata.flag": ["0", "true"]}}
    assert query("flag", [0, 1], Op.ANY) == {"terms": {"metadata.flag": ["false", "true"]}}
    with pytest.raises(
        ConfigurationError, match=r"'plain' text_match: 'metadata\.plain' is of type keyword .* without a text field"
    ):
        query("plain", "x", Op.TEXT_MATCH)
    with pytest.raises(ConfigurationError, match=r"'metadata\.words' is of type text .* without a keyword"):
        query("words", "x")
    with pytest.raises(ConfigurationError, match=r"'metadata\.object' is of type object"):
        query("object", "x", Op.NE)


def test_a_value_that_the_field_does_not_hold() -> None:
    with pytest.raises(ConfigurationError, match=r"257 characters, and 'metadata\.dynamic\.keyword' holds .* at most 256"):
        query("dynamic", "x" * 257)


def test_long_values_are_no_missing_values() -> None:
    """A keyword does not index a long value, and its text field does."""
    has_value = {"bool": {"should": [{"exists": {"field": "metadata.ours"}}, {"exists": {"field": "metadata.ours.text"}}]}}
    assert query("ours", None, Op.IS_EMPTY) == {"bool": {"must_not": [has_value]}}


def test_the_keys_of_a_tree() -> None:
    leaf = MetadataFilter(key="a", value=1)
    tree = MetadataFilters(filters=[leaf, MetadataFilters(filters=[MetadataFilter(key="b", value=2), leaf])])
    assert list(keys_of(tree)) == ["a", "b", "a"]
