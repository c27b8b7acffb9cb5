"""Faults that the embedded EIS simulates."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .refusals import RefusedError, TimeLimit, gateway_refusal, rejected, status_error, timed_out
from .versions import Version

__all__ = ["INDEX_KINDS", "Fault", "Faults", "Kind", "index_refusal", "refusal", "spoil"]

Kind = Literal[
    "rate_limit",  # 429, with Retry-After if it is set
    "timeout",  # 429 timeout_exception; 408 before 9.4
    "timeout_408",  # 408, up to 9.3
    "timeout_504",  # 504, builds of April 2026
    "eis_422",  # the service's 422, for an input that it does not accept
    "eis_5xx",  # the service's 503, which Elasticsearch returns as 400
    "unavailable",  # 503 of Elasticsearch itself
    "bad_gateway",  # 502 with an HTML body, from a proxy
    "drop",  # the connection closes without a response
    "cut",  # the connection closes in the middle of the body
    "too_few",  # one vector or document too few
    "too_many",
    "empty",  # one vector, or score, is empty
    "ragged",  # one vector is shorter; a document is ranked twice
    "not_finite",  # one number is NaN
    "garbage",  # 200, but not JSON
]
RetryAfter = float | str | None

# Faults that also apply to bulk requests and searches. The others wait for an inference request.
INDEX_KINDS: frozenset[Kind] = frozenset({"rate_limit", "unavailable", "bad_gateway", "drop", "cut", "garbage"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one request."""

    kind: Kind
    retry_after: RetryAfter = None


class Faults:
    """Faults of inference requests, bulk requests and searches; thread safe.

    A request gets at most one fault: the next in the queue, else that of a poisoned input, else the one set by `always`,
    else a random one. Requests that Elasticsearch itself refuses consume no fault. Bulk requests and searches get only the
    kinds in `INDEX_KINDS`; poison applies to the inputs that they embed or rerank.

    Attributes:
        latency: Minimum duration of every such request, in seconds.
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
        """Apply these faults to the next requests, one to each."""
        faults = [new_fault(kind, retry_after) for kind in kinds]
        with self._lock:
            self._queue.extend(faults)

    def always(self, kind: Kind, retry_after: RetryAfter = None) -> None:
        """Apply this fault to every request."""
        fault = new_fault(kind, retry_after)
        with self._lock:
            self._always = fault

    def some(self, rate: float, kinds: Sequence[Kind], seed: int = 0, retry_after: RetryAfter = None) -> None:
        """Apply one of these faults to about this share of the requests."""
        faults = [new_fault(kind, retry_after) for kind in kinds]
        with self._lock:
            self._rate, self._some, self._random = rate, faults, random.Random(seed)

    def poison(self, text: str, kind: Kind) -> None:
        """Apply this fault to every inference request with this text or data URI among its inputs."""
        fault = new_fault(kind)
        with self._lock:
            self._poison[text] = fault

    def clear(self) -> None:
        """Remove all faults and the latency."""
        with self._lock:
            self.latency = 0.0
            self._reset()

    def take(self, values: Sequence[str]) -> Fault | None:
        """Return the fault of a request with these texts and data URIs."""
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
        """Return the fault of a bulk request or a search."""
        with self._lock:
            if self._queue:
                return self._queue.popleft() if self._queue[0].kind in INDEX_KINDS else None
            if self._always is not None:
                return self._always if self._always.kind in INDEX_KINDS else None
            candidates = [fault for fault in self._some if fault.kind in INDEX_KINDS]
            return self._random.choice(candidates) if candidates and self._random.random() < self._rate else None

    def poisoned(self, values: Sequence[str]) -> Fault | None:
        """Return the fault of the first of these texts and data URIs that has one."""
        with self._lock:
            return next((self._poison[value] for value in values if value in self._poison), None)


def new_fault(kind: Kind, retry_after: RetryAfter = None) -> Fault:
    if kind not in get_args(Kind):
        raise ValueError(f"unknown fault {kind!r}, choose one of {', '.join(get_args(Kind))}")
    return Fault(kind, retry_after)


def refusal(fault: Fault, endpoint: str, limit: TimeLimit, version: Version) -> RefusedError | None:
    """Return the error response of a fault, or None if the fault changes a successful response."""
    refused: RefusedError
    match fault.kind:
        case "rate_limit":
            refused = gateway_refusal(endpoint, 429, "rate limit exceeded")
        case "timeout":
            refused = timed_out(endpoint, limit, version)
        case "timeout_408" | "timeout_504":
            refused = status_error(f"Request timed out after [{limit.text}]", int(fault.kind[-3:]))
        case "eis_422":
            refused = gateway_refusal(endpoint, 422, "the input is not valid")
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
    """Return the error response of a fault of a bulk request or a search, or None."""
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
    """Return the response with its last vector or document corrupted; unchanged for faults of the transport."""
    ((name, items),) = answer.items()
    last = items[-1]
    if name == "rerank":
        empty, ragged, nan = last | {"relevance_score": None}, items[0], last | {"relevance_score": float("nan")}
        extra = last | {"index": len(items)}
    else:
        vector = last["embedding"]
        empty, ragged, nan = {"embedding": []}, {"embedding": vector[:-1]}, {"embedding": [*vector[:-1], float("nan")]}
        extra = last
    rest = items[:-1]
    match kind:
        case "too_few":
            return {name: rest}
        case "too_many":
            return {name: [*items, extra]}
        case "empty":
            return {name: [*rest, empty]}
        case "ragged":
            return {name: [*rest, ragged]}
        case "not_finite":
            return {name: [*rest, nan]}
        case _:
            return answer
