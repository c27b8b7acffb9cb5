"""Faults that the embedded EIS simulates."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from .kinds import INDEX_KINDS, Kind
from .refusals import RefusedError, TimeLimit, gateway_refusal, status_error, timed_out
from .versions import Version

__all__ = ["INDEX_KINDS", "Fault", "Faults", "Kind", "index_refusal", "refusal", "spoil"]

RetryAfter = float | str | None


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
        self._lock = threading.RLock()
        self.clear()
        self.latency = latency

    def clear(self) -> None:
        """Remove all faults and the latency."""
        with self._lock:
            self.latency = 0.0
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
        with self._lock:
            self._always = new_fault(kind, retry_after)

    def some(self, rate: float, kinds: Sequence[Kind], seed: int = 0, retry_after: RetryAfter = None) -> None:
        """Apply one of these faults to about this share of the requests."""
        faults = [new_fault(kind, retry_after) for kind in kinds]
        with self._lock:
            self._rate, self._some, self._random = rate, faults, random.Random(seed)

    def poison(self, text: str, kind: Kind) -> None:
        """Apply this fault to every inference request with this text or data URI among its inputs."""
        with self._lock:
            self._poison[text] = new_fault(kind)

    def take(self, values: Sequence[str] = (), kinds: Collection[Kind] = get_args(Kind)) -> Fault | None:
        """Return the fault of a request with these texts and data URIs, which can have faults of some kinds."""
        with self._lock:
            if self._queue:
                return self._queue.popleft() if self._queue[0].kind in kinds else None
            if (certain := self.poisoned(values) or self._always) is not None:
                return certain if certain.kind in kinds else None
            candidates = [fault for fault in self._some if fault.kind in kinds]
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
    refusals = {
        "rate_limit": gateway_refusal(endpoint, 429, "rate limit exceeded"),
        "timeout": timed_out(endpoint, limit, version),
        "timeout_408": status_error(f"Request timed out after [{limit.text}]", 408),
        "timeout_504": status_error(f"Request timed out after [{limit.text}]", 504),
        "eis_422": gateway_refusal(endpoint, 422, "the input is not valid"),
        "eis_5xx": gateway_refusal(endpoint, 503, "service unavailable"),
        "unavailable": RefusedError(503, "no_shard_available_action_exception", "the inference index is not available"),
    }
    return retry_later(refusals.get(fault.kind), fault)


def index_refusal(fault: Fault) -> RefusedError | None:
    """Return the error response of a fault of a bulk request or a search, or None."""
    refusals = {
        "rate_limit": RefusedError(429, "es_rejected_execution_exception", "rejected execution: simulated by a fault"),
        "unavailable": RefusedError(503, "unavailable_shards_exception", "the primary shard is not active"),
    }
    return retry_later(refusals.get(fault.kind), fault)


def retry_later(refused: RefusedError | None, fault: Fault) -> RefusedError | None:
    if refused is not None and fault.retry_after is not None:
        refused.headers["retry-after"] = str(fault.retry_after)
    return refused


def spoil(answer: Any, kind: Kind) -> Any:
    """Return the response with its last vector, document or text corrupted; unchanged for faults of the transport.

    A stream loses its end mark, whatever is to be corrupted.
    """
    if isinstance(answer, str):
        return answer.removesuffix("data: [DONE]\n\n") if kind in ("too_few", "empty", "ragged") else answer
    ((name, items),) = answer.items()
    *rest, last = items
    if name in ("choices", "document_extraction"):
        empty, ragged, nan, extra = {}, {}, {}, last
    elif name == "rerank":
        empty, ragged, nan = last | {"relevance_score": None}, items[0], last | {"relevance_score": float("nan")}
        extra = last | {"index": len(items)}
    else:
        vector = last["embedding"]
        empty, ragged, nan = {"embedding": []}, {"embedding": vector[:-1]}, {"embedding": [*vector[:-1], float("nan")]}
        extra = last
    ends = {"too_few": [], "too_many": [last, extra], "empty": [empty], "ragged": [ragged], "not_finite": [nan]}
    return {name: [*rest, *ends.get(kind, [last])]}
