"""Texts and JSON with lone surrogates, and CBOR."""

from __future__ import annotations

import json
import math
from array import array
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import cbor2
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import InputError, InvalidAnswerError
from jina_eis.local.http.formats import to_cbor
from jina_eis.transport.response_format import Unreadable
from jina_eis.transport.serializer import Formats, Serializer
from jina_eis.wire.documents import Write, bulk
from jina_eis.wire.formats import (
    find_lone_surrogate,
    read_cbor,
    read_json,
    well_formed,
    well_formed_value,
)
from jina_eis.wire.inference import embed
from jina_eis.wire.vectors import unpacked

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


@pytest.mark.parametrize("text", [b"{", b"nan", b'{"a": 1} b', b"\xff", b"[" * 9999])
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
    lines = bulk("docs", [Write("1", source)]).with_body().body.splitlines()
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
    lines = bulk("docs", [Write("1", {"metadata": {"key": [value]}})]).with_body().body.splitlines()
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

    body = bulk("docs", [Write("1", {"metadata": {"x": b"", "y": Decimal(1)}})], dumps=dumps).with_body().body
    _, line = body.splitlines()
    assert json.loads(line) == {"metadata": {"x": "<bytes>", "y": "<Decimal>"}}


# ---- CBOR, and vectors ----

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = st.lists(st.lists(SINGLE, min_size=3, max_size=3), min_size=1, max_size=4)
CALL = embed("text_embedding", "m", ["a", "b"], "ingest", timeout=1, dimensions=3, inputs=[0, 1], completed=0)


def answer(vectors: list[list[Any]]) -> dict[str, Any]:
    return {"text_embedding": [{"embedding": vector} for vector in vectors]}


def shortest(vector: list[float]) -> Any:
    """The digits that the service writes, which are those of numpy."""
    return orjson.loads(orjson.dumps(np.array(vector, dtype=np.float32), option=orjson.OPT_SERIALIZE_NUMPY))


@given(VECTORS)
def test_both_formats_give_the_same_float32(vectors: list[list[float]]) -> None:
    count = len(vectors)
    call = embed("text_embedding", "m", ["x"] * count, "ingest", timeout=1, dimensions=3, inputs=range(count), completed=0)
    in_cbor = call.read(Formats().loads(to_cbor(answer(vectors)), "application/vnd.elasticsearch+cbor"))
    in_json = call.read(Formats().loads(orjson.dumps(answer([shortest(vector) for vector in vectors])), "application/json"))
    from_cbor, from_json = [unpacked(vector) for vector in in_cbor], [unpacked(vector) for vector in in_json]
    assert from_cbor == vectors
    assert [array("f", vector) for vector in from_json] == [array("f", vector) for vector in vectors]
    assert all(type(number) is float for vector in (*from_cbor, *from_json) for number in vector)


@given(JSON)
def test_the_embedded_eis_writes_what_a_decoder_reads(value: Any) -> None:
    assert cbor2.loads(to_cbor(value)) == well_formed_value(value) or find_lone_surrogate(value, "x")
    assert read_cbor(to_cbor({"x": value})) == cbor2.loads(to_cbor({"x": value}))


@given(st.data())
def test_an_answer_that_is_cut_is_refused(data: st.DataObject) -> None:
    whole = to_cbor(answer([[0.25, 0.5, 1.0]] * 2))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(ValueError, match=r"."):
        read_cbor(cut)
    assert isinstance(Formats().loads(cut, "application/cbor"), Unreadable)


@pytest.mark.parametrize("body", [b"no healthy upstream", b"<html>", b'{"a": 1}', b"", cbor2.dumps([1]), cbor2.dumps("a")])
def test_what_is_no_map_in_cbor_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_cbor(body)


def test_tags_and_deep_nesting_are_refused() -> None:
    with pytest.raises(ValueError, match="tag"):
        read_cbor(cbor2.dumps({"a": cbor2.CBORTag(35, "a")}))
    deep: Any = 1
    for _ in range(150):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="nesting"):
        read_cbor(cbor2.dumps(deep))


WRONG = ["1.0", None, math.nan, math.inf, -math.inf, 10**400, b"1", [1.0], {"a": 1.0}, cbor2.undefined]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("position", [0, 2])
def test_a_vector_of_wrong_values_is_refused(wrong: Any, position: int) -> None:
    vector: list[Any] = [0.25, 0.5, 1.0]
    vector[position] = wrong
    body = cbor2.dumps(answer([[0.25, 0.5, 1.0], vector]))
    read = Formats().loads(body, "application/cbor")
    if isinstance(read, Unreadable):
        assert wrong == 10**400  # a tag
        return
    with pytest.raises(InvalidAnswerError, match="not a finite number"):
        CALL.read(read)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3) | st.builds(lambda value: {"text_embedding": value}, JSON))
def test_an_answer_of_another_shape_is_refused(body: Any) -> None:
    with pytest.raises(InvalidAnswerError):
        CALL.read(read_cbor(to_cbor(body)))


@pytest.mark.parametrize(
    "content_type", [None, "application/octet-stream", "application/problem+json", "text/html", "json", "", "Application/XML; q"]
)
def test_a_body_of_any_type_is_read(content_type: str | None) -> None:
    assert Formats().loads(b"no healthy upstream", content_type) == "no healthy upstream"


def test_content_types_are_compared_without_case() -> None:
    assert Formats().loads(b"{}", "Application/JSON ; charset=x") == {}
