"""Vectors in bytes, and in the digits of JSON.

The service computes in float32. JSON has its numbers in the shortest digits (0.004037648), which Python reads as the nearest
double; CBOR has the four bytes, which Python widens (0.004037647973746061). Both are the same float32.
"""

from __future__ import annotations

import operator
import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence
from itertools import compress
from math import isfinite
from typing import Any

__all__ = ["AnyVector", "PackedVector", "Vector", "read_singles", "read_vectors", "unpacked", "with_shortest_digits"]

Vector = list[float]

_HEADS = (b"\xbf\x6etext_embedding\x9f", b"\xbf\x6aembeddings\x9f")  # in CBOR: a map with this key, and its list
_VECTOR = b"\xbf\x69embedding\x9f"


class PackedVector:
    """A vector of finite float32 numbers, as the bytes in which CBOR and base64 have them: from the highest on.

    With 1,024 numbers it takes 4 kB; a list takes 32 kB.
    """

    __slots__ = ("_data",)

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data

    @classmethod
    def of(cls, vector: Sequence[float]) -> PackedVector | None:
        """Pack a vector. None if a number is no finite float32."""
        numbers = array("f", vector)
        if not isfinite(sum(numbers)):
            return None
        if sys.byteorder == "little":
            numbers.byteswap()
        return cls(numbers.tobytes())

    def __len__(self) -> int:
        return len(self._data) // 4

    def tolist(self) -> list[float]:
        """Return the numbers."""
        numbers = array("f", self._data)
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers.tolist()

    def base64(self) -> bytes:
        """Return the vector as a dense_vector field takes it."""
        return b64encode(self._data)

    @property
    def encoded_size(self) -> int:
        """Length of the base64 in bytes."""
        return (len(self._data) + 2) // 3 * 4


AnyVector = Vector | PackedVector
"""A vector as it was read: numbers from JSON, bytes from CBOR. Users get a `Vector`, which `unpacked` returns."""


def unpacked(vector: AnyVector) -> Vector:
    """Return a packed vector as a list, and a list as it is."""
    return vector.tolist() if isinstance(vector, PackedVector) else vector


def read_vectors(data: bytes) -> dict[str, Any] | None:
    """Read the vectors of an inference endpoint in CBOR, of which every number is finite; None for a body written otherwise.

    The result is as in JSON, with a `PackedVector`, which is not empty, in place of each `{"embedding": [...]}`.

    Elasticsearch writes containers without a length (BF or 9F, to FF), and each number as FA and the four bytes of a float32,
    of which the first is 7F or FF in NaN, in infinity and in numbers above 1.7e38.
    """
    head = next(filter(data.startswith, _HEADS), None)
    if head is None:
        return None
    vectors: list[PackedVector] = []
    position, size, marks = len(head), 0, b""  # size: bytes of a vector, as long as the one before
    while data.startswith(_VECTOR, position):
        position += len(_VECTOR)
        if not size:
            every_fifth = data[position::5]
            marks = b"\xfa" * (len(every_fifth) - len(every_fifth.lstrip(b"\xfa")))
            size = 5 * len(marks)
        end = position + size
        if not size or data[position:end:5] != marks or not data.startswith(b"\xff\xff", end):
            return None
        first = data[position + 1 : end : 5]
        if 0x7F in first or 0xFF in first:
            return None
        run = bytearray(data[position:end])
        del run[::5]
        vectors.append(PackedVector(run))
        position = end + 2
    return {head[2:-1].decode(): vectors} if data[position:] == b"\xff\xff" else None


def read_singles(vector: list[float]) -> list[float]:
    """Return a vector that was stored in its shortest digits as it was before: as float32 that Python widens.

    A truncated vector has more digits, and is returned as it is.
    """
    short = all(float(f"{number:.9g}") == number for number in vector[:8])
    return array("f", vector).tolist() if short else vector


def with_shortest_digits(vector: Sequence[float]) -> list[float]:
    """Return a vector whose numbers JSON writes in the fewest digits that give the same float32.

    A vector with numbers that are no finite float32, such as a truncated one, is returned as it is. A vector of 1,024 takes
    0.1 ms where numpy is installed, which orjson can write as float32, and 2 ms elsewhere.
    """
    numbers = list(vector)
    singles = array("f", numbers)
    if singles.tolist() != numbers or not isfinite(sum(numbers)):
        return numbers
    try:
        import numpy as np
    except ModuleNotFoundError:
        return _in_shortest_digits(numbers, singles)
    import orjson

    written = orjson.dumps(np.frombuffer(singles, np.float32), option=orjson.OPT_SERIALIZE_NUMPY)
    return orjson.loads(written)  # type: ignore[no-any-return]


def _in_shortest_digits(numbers: list[float], singles: Sequence[float]) -> list[float]:
    positions: Sequence[int] = range(len(numbers))
    # Most numbers have eight or nine digits. Nine always suffice. If some suffice, more do, too.
    rest = _round(numbers, singles, positions, 8)
    _round(numbers, singles, rest, 9)
    longer = set(rest)
    shorter: Sequence[int] = [position for position in positions if position not in longer]
    for digits in range(7, 0, -1):
        refused = set(_round(numbers, singles, shorter, digits))
        if len(refused) == len(shorter):
            break
        shorter = [position for position in shorter if position not in refused]
    return numbers


def _round(numbers: list[float], singles: Sequence[float], positions: Sequence[int], digits: int) -> list[int]:
    """Round the numbers at positions to significant digits where the float32 stays the same; return the other positions."""
    import orjson

    if not positions:
        return []
    chosen = tuple([singles[position] for position in positions])
    text = f"%.{digits}g," * len(chosen) % chosen  # one format for all takes much less time than one for each
    rounded = list(map(float, orjson.loads(f"[{text[:-1]}]")))
    same = list(map(operator.eq, array("f", rounded), chosen))
    for position, number in compress(zip(positions, rounded, strict=True), same):
        numbers[position] = number
    return list(compress(positions, map(operator.not_, same)))
