"""Texts, JSON, CBOR and vectors as Elasticsearch takes and gives them.

A lone surrogate is half of a character that UTF-16 writes in two. Python strings and JSON escapes can hold one, UTF-8 cannot:
orjson neither writes it nor reads its escape, and Elasticsearch stores and returns it (9.5.3).

The service computes in float32. JSON has its numbers in the shortest digits (0.004037648), which Python reads as the nearest
double; CBOR has the four bytes, which Python widens (0.004037647973746061). Both are the same float32.
"""

from __future__ import annotations

import json
import operator
import sys
from array import array
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import compress
from math import isfinite
from pathlib import PurePath
from typing import Any

from ..errors import InputError

__all__ = [
    "Dumps",
    "FiniteVectors",
    "find_lone_surrogate",
    "json_line",
    "read_cbor",
    "read_json",
    "read_singles",
    "vector_as_base64",
    "well_formed",
    "well_formed_value",
    "with_shortest_digits",
]

Dumps = Callable[[Any], bytes | str]
"""Writes a value as JSON."""

_HEADS = (b"\xbf\x6etext_embedding\x9f", b"\xbf\x6aembeddings\x9f")  # in CBOR: a map with this key, and its list
_VECTOR = b"\xbf\x69embedding\x9f"

MAX_DEPTH = 100  # of containers in CBOR: the responses of Elasticsearch have fewer than 20


def well_formed(text: str) -> str:
    """Return the text as UTF-8 can encode it: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def well_formed_value(value: Any) -> Any:
    """Return a JSON value in which every string, also each key, is well formed."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed_value(name): well_formed_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [well_formed_value(item) for item in value]
    return value


def read_json(data: str | bytes) -> Any:
    """Read JSON with lone surrogates, which become U+FFFD, and with NaN and infinity, which are no numbers to any reader.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return well_formed_value(json.loads(data))
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def read_cbor(data: bytes) -> Any:
    """Read a map in CBOR, without tags, which would make objects such as dates and patterns.

    Raises:
        ValueError: it is no such map, ends early, or is nested too deeply.
    """
    vectors = _read_runs(data)
    if vectors is not None:
        return vectors
    import cbor2

    try:
        value = cbor2.loads(data, max_depth=MAX_DEPTH, semantic_decoders=_REFUSE_TAGS)
    except cbor2.CBORError as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):  # plain words begin as a string or number does
        raise ValueError("no map in CBOR")
    return value


class FiniteVectors(dict[str, Any]):
    """The vectors of an inference endpoint, of which every number is known to be a finite float."""


def _read_runs(data: bytes) -> FiniteVectors | None:
    """Read the vectors of an inference endpoint, in half the time of a decoder; None for a body that is written otherwise.

    Elasticsearch writes containers without a length (BF or 9F, to FF), and each number as FA and the four bytes of a float32,
    of which the first is 7F or FF in NaN, in infinity and in numbers above 1.7e38.
    """
    head = next(filter(data.startswith, _HEADS), None)
    if head is None:
        return None
    vectors: list[dict[str, list[float]]] = []
    position, size = len(head), 0  # size: bytes of a vector, as long as the one before
    while data.startswith(_VECTOR, position):
        position += len(_VECTOR)
        if not size:
            marks = data[position::5]
            size = 5 * (len(marks) - len(marks.lstrip(b"\xfa")))
        run = data[position : position + size]
        position += size
        if run[::5] != b"\xfa" * (size // 5) or data[position : position + 2] != b"\xff\xff":
            return None
        first = run[1::5]
        if b"\x7f" in first or b"\xff" in first:
            return None
        vectors.append({"embedding": _floats_of_run(run)})
        position += 2
    return FiniteVectors({head[2:-1].decode(): vectors}) if data[position:] == b"\xff\xff" else None


def _floats_of_run(run: bytes) -> list[float]:
    numbers = bytearray(len(run) // 5 * 4)
    for byte in range(4):
        numbers[byte::4] = run[byte + 1 :: 5]
    singles = array("f", bytes(numbers))
    if sys.byteorder == "little":
        singles.byteswap()
    return singles.tolist()


def vector_as_base64(vector: Sequence[float]) -> str | None:
    """Return a vector as a dense_vector field takes it: its float32 numbers from the highest byte on, in base64.

    None for a vector with a number that is no finite float32; as JSON, Elasticsearch reports it.
    """
    numbers = array("f", vector)
    if not isfinite(sum(numbers)):
        return None
    if sys.byteorder == "little":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode("ascii")


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


def json_line(value: Mapping[str, Any], dumps: Dumps | None = None) -> bytes:
    """Return a value as JSON, in UTF-8. Lone surrogates become U+FFFD.

    Decimals become numbers, paths their text, sets lists. With `dumps`, it alone decides.

    Raises:
        InputError: it holds something that JSON lacks, such as bytes or NaN; the error names its key.
    """
    dumps = dumps or _dumps
    try:
        line = dumps(value)
        if isinstance(line, str):
            line = line.encode()
    except Exception as error:
        try:
            if find_lone_surrogate(value, "") is not None:
                return json_line(well_formed_value(value), dumps)
            problem = _describe_unwritable(value, dumps)
        except RecursionError:
            problem = "it is nested too deeply."
        raise InputError(problem) from error
    if (b"null" in line or b"NaN" in line or b"Infinity" in line) and (found := _find(value, _is_no_number, "")):
        raise InputError(f"{found}, NaN or infinite, which JSON does not have. Leave it out, or write None.")
    return line.replace(b"\n", b" ") if b"\n" in line else line


def _dumps(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS, default=_replacement)


def _replacement(value: Any) -> Any:
    """Return what JSON has in place of a value. Raises TypeError for one without replacement."""
    import orjson

    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    raise TypeError


def _describe_unwritable(value: Any, dumps: Dumps) -> str:
    def is_unwritable(leaf: Any) -> bool:
        try:
            dumps(leaf)
        except Exception:  # noqa: BLE001 - whatever the serializer of the user's client raises
            return True
        return False

    found = _find(value, is_unwritable, "")
    return f"{found}, which JSON does not have. Convert it, or leave it out." if found else "it is nested too deeply."


def _find(value: Any, matches: Callable[[Any], bool], path: str) -> str | None:
    """Return the path and type of the first value inside that matches; None if there is none."""
    if isinstance(value, Mapping):
        inner = ((f"{path}.{name}" if path else str(name), item) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        if value and all(type(item) is float and isfinite(item) for item in value):
            return None
        inner = ((f"{path}[{position}]", item) for position, item in enumerate(value))
    else:
        return f"{path!r} is of type {type(value).__name__}" if matches(value) else None
    return next((found for name, item in inner if (found := _find(item, matches, name))), None)


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not isfinite(value)


def find_lone_surrogate(value: Any, path: str) -> str | None:
    """Return the path of the first string that UTF-8 cannot encode, such as `filter.term.lang`; None if there is none."""
    if isinstance(value, str):
        return path if well_formed(value) != value else None
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(name, str) and well_formed(name) != name:
                return f"a key in {path}"
            if found := find_lone_surrogate(item, f"{path}.{name}"):
                return found
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            if found := find_lone_surrogate(item, f"{path}[{position}]"):
                return found
    return None


class _RefuseTags(dict[int, Callable[..., Any]]):
    """Decoders of tags, each of which refuses its tag."""

    def __missing__(self, tag: int) -> Callable[..., Any]:
        def refuse(*_: Any) -> Any:
            raise ValueError(f"CBOR with the tag {tag}")

        return refuse


_REFUSE_TAGS = _RefuseTags()
