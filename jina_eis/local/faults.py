"""What goes wrong on purpose."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .refusals import RefusedError, TimeLimit, gateway_refusal, rejected, timed_out

__all__ = ["INDEX_KINDS", "Fault", "Faults", "Kind", "index_refusal", "refusal", "spoil"]

Kind = Literal[
    "rate_limit",  # 429, with Retry-After if one is given
    "timeout",  # 429 timeout_exception, Elasticsearch 9.5
    "timeout_408",  # 408, older versions
    "eis_5xx",  # the service's 503, which Elasticsearch hands on as 400
    "unavailable",  # 503 of Elasticsearch itself
    "bad_gateway",  # 502 with an HTML body, from a proxy
    "drop",  # the connection ends without an answer
    "cut",  # the connection ends in the middle of the body
    "too_few",  # one vector or document too few
    "too_many",
    "empty",  # one vector, or score, is empty
    "ragged",  # one vector is shorter; a document is ranked twice
    "not_finite",  # one number is NaN
    "garbage",  # 200, but not JSON
]
RetryAfter = float | str | None

# What can happen to a bulk request or a search too; the others stay in wait for a request for inference.
INDEX_KINDS: frozenset[Kind] = frozenset({"rate_limit", "unavailable", "bad_gateway", "drop", "cut", "garbage"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    retry_after: RetryAfter = None


class Faults:
    """Which requests for inference, bulk requests and searches go wrong, and how; thread safe.

    A request gets at most one fault: the next in the queue, else that of an item it has, else the one set for always,
    else one by chance. Requests that Elasticsearch itself refuses use up none. Bulk requests and searches get only those in
    `INDEX_KINDS`; poison is for what they embed or rerank.

    Attributes:
        latency: Seconds that every such request takes at least.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._queue: deque[Fault] = deque()
        self._poison: dict[str, Fault] = {}
        self._always: Fault | None = None
        self._some: Sequence[Fault] = ()
        self._rate = 0.0
        self._random = random.Random()

    def queue(self, *kinds: Kind, retry_after: RetryAfter = None) -> None:
        """The next requests get these, one each."""
        faults = [checked(kind, retry_after) for kind in kinds]
        with self._lock:
            self._queue.extend(faults)

    def always(self, kind: Kind, retry_after: RetryAfter = None) -> None:
        """Every request gets this."""
        fault = checked(kind, retry_after)
        with self._lock:
            self._always = fault

    def some(self, rate: float, kinds: Sequence[Kind], seed: int = 0, retry_after: RetryAfter = None) -> None:
        """About this share of the requests gets one of these."""
        faults = [checked(kind, retry_after) for kind in kinds]
        with self._lock:
            self._rate, self._some, self._random = rate, faults, random.Random(seed)

    def poison(self, text: str, kind: Kind) -> None:
        """Every inference with this text among its inputs, or the medium that is this data URI, gets this."""
        fault = checked(kind)
        with self._lock:
            self._poison[text] = fault

    def clear(self) -> None:
        """Nothing goes wrong any more, and nothing takes longer."""
        with self._lock:
            self.latency = 0.0
            self._reset()

    def take(self, values: Sequence[str]) -> Fault | None:
        """The fault of the request with these texts and data URIs."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            for value in values:
                if value in self._poison:
                    return self._poison[value]
            if self._always is not None:
                return self._always
            if self._some and self._random.random() < self._rate:
                return self._random.choice(self._some)
            return None

    def take_for_index(self) -> Fault | None:
        """The fault of a bulk request or a search."""
        with self._lock:
            if self._queue:
                return self._queue.popleft() if self._queue[0].kind in INDEX_KINDS else None
            if self._always is not None:
                return self._always if self._always.kind in INDEX_KINDS else None
            able = [fault for fault in self._some if fault.kind in INDEX_KINDS]
            return self._random.choice(able) if able and self._random.random() < self._rate else None

    def poisoned(self, values: Sequence[str]) -> Fault | None:
        """The fault of the first of these texts and data URIs that has one."""
        with self._lock:
            return next((self._poison[value] for value in values if value in self._poison), None)


def checked(kind: Kind, retry_after: RetryAfter = None) -> Fault:
    if kind not in get_args(Kind):
        raise ValueError(f"no fault {kind!r}, choose from {', '.join(get_args(Kind))}")
    return Fault(kind, retry_after)


def refusal(fault: Fault, endpoint: str, limit: TimeLimit) -> RefusedError | None:
    """The error answer that a fault is, or None where it spoils a good answer instead."""
    refused: RefusedError
    match fault.kind:
        case "rate_limit":
            refused = gateway_refusal(endpoint, 429, "rate limit exceeded")
        case "timeout":
            refused = timed_out(endpoint, limit)
        case "timeout_408":
            refused = RefusedError(408, "status_exception", f"Request timed out after [{limit.text}]")
        case "eis_5xx":
            refused = gateway_refusal(endpoint, 503, "service unavailable")
        case "unavailable":
            refused = RefusedError(503, "no_shard_available_action_exception", "the inference index is not available")
        case _:
            return None
    if fault.retry_after is not None:
        refused.headers["retry-after"] = str(fault.retry_after)
    return refused


def index_refusal(fault: Fault) -> RefusedError | None:
    """The same for a bulk request or a search."""
    if fault.kind == "rate_limit":
        refused = rejected()
    elif fault.kind == "unavailable":
        refused = RefusedError(503, "unavailable_shards_exception", "the primary shard is not active")
    else:
        return None
    if fault.retry_after is not None:
        refused.headers["retry-after"] = str(fault.retry_after)
    return refused


def spoil(answer: dict[str, list[dict[str, Any]]], kind: Kind) -> dict[str, list[dict[str, Any]]]:
    """The answer with its last vector or ranked document made wrong; as it is for kinds that spoil the transport."""
    ((name, items),) = answer.items()
    last = items[-1]
    if name == "rerank":
        empty, ragged, nan = last | {"relevance_score": None}, items[0], last | {"relevance_score": float("nan")}
        extra = last | {"index": len(items)}
    else:
        vector = last["embedding"]
        empty, ragged, nan = {"embedding": []}, {"embedding": vector[:-1]}, {"embedding": [*vector[:-1], float("nan")]}
        extra = last
    kept = items[:-1]
    match kind:
        case "too_few":
            return {name: kept}
        case "too_many":
            return {name: [*items, extra]}
        case "empty":
            return {name: [*kept, empty]}
        case "ragged":
            return {name: [*kept, ragged]}
        case "not_finite":
            return {name: [*kept, nan]}
        case _:
            return answer
