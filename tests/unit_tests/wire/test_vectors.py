"""Vectors in bytes: runs of float32 in CBOR, base64, and the shortest digits."""

from __future__ import annotations

import base64
import json
import math
import sys
from array import array
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import cbor2
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import InvalidAnswerError
from jina_eis.local.http.formats import to_cbor
from jina_eis.wire.call import Call
from jina_eis.wire.documents import Write, bulk, check_json
from jina_eis.wire.formats import read_cbor
from jina_eis.wire.inference import embed
from jina_eis.wire.vectors import PackedVector, with_shortest_digits

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def unpacked(value: Any) -> Any:
    """A response as in JSON."""
    if isinstance(value, dict):
        return {name: unpacked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    return {"embedding": value.tolist()} if isinstance(value, PackedVector) else value


def answer(vectors: list[list[Any]]) -> dict[str, Any]:
    return {"text_embedding": [{"embedding": vector} for vector in vectors]}


@given(
    st.sampled_from(["text_embedding", "embeddings", "other"]),
    st.lists(st.lists(st.floats(width=32), max_size=5) | st.just([1, 2.0]) | st.just([0.5] * 4), max_size=4),
    st.binary(max_size=4),
    st.integers(0, 200),
)
def test_runs_of_float32_are_read_as_a_decoder_reads_them(key: str, vectors: list[list[float]], other: bytes, place: int) -> None:
    body = to_cbor({key: [{"embedding": vector} for vector in vectors]})
    assert repr(unpacked(read_cbor(body))) == repr(cbor2.loads(body))  # NaN equals nothing
    changed = body[:place] + other + body[place + len(other) :]
    try:
        expected = cbor2.loads(changed)
    except cbor2.CBORError:
        with pytest.raises(ValueError, match=r"."):
            read_cbor(changed)
    else:
        if isinstance(expected, dict):
            with suppress(ValueError):  # of a tag
                assert repr(unpacked(read_cbor(changed))) == repr(expected)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5, 9])
def test_vectors_as_elasticsearch_writes_them_need_no_decoder(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    vectors = [[0.25, -1.5, 3.0]] * 2
    body = to_cbor(answer(vectors))
    monkeypatch.setitem(sys.modules, "cbor2", None)
    if not cut:
        assert unpacked(read_cbor(body)) == answer(vectors)
    else:
        with pytest.raises(ImportError):
            read_cbor(body[:-cut])


def embedding(vectors: list[list[float]], **options: Any) -> Call[Any]:
    count = len(vectors)
    return embed(
        "text_embedding", "m", ["x"] * count, "ingest", timeout=1, dimensions=3, inputs=range(count), completed=0, **options
    )


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=2, max_size=4))
def test_vectors_that_arrived_in_bytes_stay_packed(vectors: list[list[float]]) -> None:
    call = embedding(vectors)
    read = call.read(read_cbor(to_cbor(answer(vectors))))
    assert [type(vector) for vector in read] == [PackedVector] * len(vectors)
    assert [vector.tolist() for vector in read] == vectors
    assert call.read(answer(vectors)) == vectors  # JSON
    halves = call.halves() if call.halves else []
    for half, part in zip(halves, (vectors[: len(vectors) // 2], vectors[len(vectors) // 2 :]), strict=True):
        assert all(isinstance(vector, PackedVector) for vector in half.read(read_cbor(to_cbor(answer(part)))))


def test_a_vector_that_is_truncated_is_a_list() -> None:
    vectors = [[3.0, 4.0, 12.0]]
    assert embedding(vectors, truncate_to=2).read(read_cbor(to_cbor(answer(vectors)))) == [[0.6, 0.8]]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, 2.0, 3.0]], "2 inputs were sent, and the response has 1 vectors"),
        ([[1.0, 2.0, 3.0], [1.0, 2.0]], "Vector 1 of the response has 2 dimensions instead of 3"),
        ([[1.0, 2.0], [1.0, 2.0]], "Vector 0 of the response has 2 dimensions instead of 3"),
        ([[1.0, 2.0, 3.0], []], "Vector 1 of the response is empty or missing"),
        ([[], []], "Vector 0 of the response is empty or missing"),
        ([[1.0, 2.0, 3.0], [1.0, math.nan, 3.0]], "Vector 1 of the response has a value that is not a finite number"),
        ([[1.0, 2.0, -math.inf], [1.0, 2.0, 3.0]], "Vector 0 of the response has a value that is not a finite number"),
    ],
)
def test_the_errors_of_vectors_are_those_of_json(vectors: list[list[float]], message: str) -> None:
    for body in (answer(vectors), read_cbor(to_cbor(answer(vectors)))):
        with pytest.raises(InvalidAnswerError, match=message):
            embedding([[1.0] * 3] * 2).read(body)


# ---- Vectors that are written ----


def shortest(vector: list[float]) -> Any:
    """The digits that the service writes, which are those of numpy."""
    return orjson.loads(orjson.dumps(np.array(vector, dtype=np.float32), option=orjson.OPT_SERIALIZE_NUMPY))


@given(st.lists(SINGLE, max_size=8), st.booleans())
def test_the_digits_in_json_are_those_of_the_service(vector: list[float], numpy_is_installed: bool) -> None:
    with patch.dict(sys.modules, {} if numpy_is_installed else {"numpy": None}):
        written = with_shortest_digits(vector)
    assert array("f", written) == array("f", vector)
    assert all(type(number) is float for number in written)
    assert len(orjson.dumps(written)) <= len(orjson.dumps(list(map(float, shortest(vector)))))
    assert with_shortest_digits(written) == written


@given(st.lists(st.floats(), max_size=4))
def test_other_numbers_keep_their_digits(vector: list[float]) -> None:
    if any(math.isnan(number) or array("f", [number])[0] != number or math.isinf(number) for number in vector):
        assert str(with_shortest_digits(vector)) == str(vector)


@given(st.lists(SINGLE, max_size=8))
def test_base64_of_a_vector(vector: list[float]) -> None:
    packed = PackedVector.of(vector)
    assert packed is not None
    assert packed.tolist() == vector
    assert len(packed) == len(vector)
    assert packed.base64() == base64.b64encode(np.asarray(vector, ">f4").tobytes())
    assert packed.encoded_size == len(packed.base64())


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e39])
def test_a_vector_that_float32_does_not_have_is_not_packed(number: float) -> None:
    assert PackedVector.of([0.5, number, -number]) is None


@pytest.mark.parametrize("dumps", [None, orjson.dumps, json.dumps])
@pytest.mark.parametrize("rest", [{}, {"text": "a"}, {"text": "Infinity\n", "metadata": {"a": None}}])
def test_packed_vectors_are_sent_in_base64(rest: dict[str, Any], dumps: Any) -> None:
    vector, other = PackedVector.of([0.25, -1.5]), PackedVector.of([2.0])
    assert vector is not None
    assert other is not None
    write = Write("1", {'a "name"': vector, **rest, "other": other})
    body = bulk("docs", [write, Write("2", None)], dumps=dumps).with_body().body
    assert body.endswith(b"\n")
    action, source, deletion = map(orjson.loads, body.splitlines())
    assert source == {'a "name"': vector.base64().decode(), **rest, "other": other.base64().decode()}
    assert (action, deletion) == ({"index": {"_id": "1"}}, {"delete": {"_id": "2"}})
    assert write.size == 16 + 4 + sum(map(len, [rest.get("text", "")])) + 8 * len(rest.get("metadata", ()))
    check_json(write, dumps)
