"""Texts and JSON with lone surrogates."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import InputError
from jina_eis.transport.serializer import Serializer
from jina_eis.wire.formats import find_lone_surrogate, read_json, well_formed, well_formed_value
from jina_eis.wire.indices import Write, bulk

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_every_value_that_json_can_escape_is_read(value: Any) -> None:
    text = json.dumps(value).encode()
    expected = well_formed_value(value)
    assert read_json(text) == expected
    assert Serializer().loads(text) == expected or find_lone_surrogate(value, "x") is None
    orjson.dumps(expected)
    assert find_lone_surrogate(expected, "x") is None


@given(ANY_TEXT)
def test_a_text_is_well_formed_once(text: str) -> None:
    assert well_formed(well_formed(text)) == well_formed(text)
    assert (find_lone_surrogate([{"a": text}], "x") is None) == (well_formed(text) == text)


@pytest.mark.parametrize("text", [b"{", b"NaN", b"[Infinity]", b'{"a": 1} b', b"\xff", b"[" * 9999])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|Extra data|decode"):
        read_json(text)
    with pytest.raises(Exception, match="deserialize"):
        Serializer().loads(text)


def test_the_path_of_a_lone_surrogate() -> None:
    assert find_lone_surrogate({"terms": {"a.b": ["x", "\ud800"]}}, "filter") == "filter.terms.a.b[1]"
    assert find_lone_surrogate({"terms": {"\ud800": 1}}, "filter") == "a key in filter.terms"
    assert find_lone_surrogate({"a": "\U0001f600"}, "filter") is None


def test_texts_and_metadata_of_documents_are_mended_and_ids_are_refused() -> None:
    source = {"text": "cut \ud83d", "metadata": {"deep": ["\ud800", {"\udc00": "joined \ud83d\ude00"}]}}
    lines = bulk("docs", [Write("1", source)]).with_body().body
    assert orjson.loads(lines[1]) == {
        "text": "cut \N{REPLACEMENT CHARACTER}",
        "metadata": {"deep": ["\N{REPLACEMENT CHARACTER}", {"\N{REPLACEMENT CHARACTER}": "joined \U0001f600"}]},
    }
    with pytest.raises(InputError, match=r"The id '1\\ud800' holds a lone surrogate"):
        bulk("docs", [Write("1\ud800", {})]).with_body()


def test_a_document_that_contains_itself_is_refused_by_its_id() -> None:
    source: dict[str, Any] = {}
    source["self"] = source
    assert Write("1", source).size == 0
    with pytest.raises(InputError, match="Document '1' cannot be written as JSON: it is nested too deeply"):
        bulk("docs", [Write("1", source)]).with_body()


@pytest.mark.parametrize(
    ("value", "stored"),
    [(Decimal("0.30000000000000000001"), 0.3), (PurePath("a/b"), "a/b"), ({"x"}, ["x"]), ((1, 2), [1, 2]), (None, None)],
)
def test_values_that_json_has_in_another_form(value: Any, stored: Any) -> None:
    lines = bulk("docs", [Write("1", {"metadata": {"key": [value]}})]).with_body().body
    assert orjson.loads(lines[1]) == {"metadata": {"key": [stored]}}


@pytest.mark.parametrize("value", [b"bytes", object(), math.nan, -math.inf, [0.5, math.nan], Decimal("NaN"), {"inner": {1j}}])
@pytest.mark.parametrize("dumps", [None, json.dumps])
def test_values_that_json_lacks_are_refused_with_their_key(value: Any, dumps: Any) -> None:
    writes = [Write("1", {"text": "null", "metadata": {"good": None, "the key": value}})]
    with pytest.raises(InputError, match=r"Document '1' cannot be written as JSON: 'metadata\.the key\S*' is of type \w+"):
        bulk("docs", writes, dumps=dumps).with_body()


def test_the_serializer_of_a_client_decides_alone() -> None:
    def dumps(value: Any) -> str:
        return json.dumps(value, default=lambda other: f"<{type(other).__name__}>", indent=1)

    lines = bulk("docs", [Write("1", {"metadata": {"x": b"", "y": Decimal(1)}})], dumps=dumps).with_body().body
    assert json.loads(lines[1]) == {"metadata": {"x": "<bytes>", "y": "<Decimal>"}}
    assert b"\n" not in lines[1]
