"""Counts of what was sent, received and waited for."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

__all__ = ["Counts", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one object has sent and waited for, up to now, in this process. It does not change any more.

    The difference of two snapshots, `later - earlier`, is what happened between them; `usage_since(earlier)` returns it.

    Attributes:
        requests: Requests that were sent, each attempt counted. Requests about endpoints, indices and versions are among them.
        inputs: Texts and media that were sent to be embedded, documents to be reranked, and queries of a retriever. Each counts
            once, however often it was retried, divided into smaller batches or ranked again; one that came from a cache, or
            equals another of the same list, does not count. Documents of an index that embeds by itself count too.
        retries: Requests among `requests` that repeat an earlier one.
        refusals: Requests among `requests` that were refused by a rate limit (429).
        seconds_waited: Seconds for which requests were held back before a retry or by a rate limiter, as planned when the wait
            began. A second counts once for a cause, however many requests wait for it. Pauses that `no_waits` skips count too.
        waits: The same seconds by cause: "rate limit", "timeout", "service unavailable", "connection failed", "rate limiter".
        bytes_sent: Bytes of the request bodies, before compression.
        bytes_received: Bytes of the responses, as their header Content-Length states; 0 for a response without it.
        tokens: Estimated tokens of the texts in requests that were answered, at four characters a token. The service returns no
            count. Media are not included, nor the texts that Elasticsearch embeds by itself.
    """

    requests: int = 0
    inputs: int = 0
    retries: int = 0
    refusals: int = 0
    seconds_waited: float = 0.0
    waits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    bytes_sent: int = 0
    bytes_received: int = 0
    tokens: int = 0

    def __sub__(self, earlier: Self) -> Self:
        """Return what happened after an earlier snapshot of the same object."""
        waits = {cause: seconds - earlier.waits.get(cause, 0.0) for cause, seconds in self.waits.items()}
        return type(self)(
            requests=self.requests - earlier.requests,
            inputs=self.inputs - earlier.inputs,
            retries=self.retries - earlier.retries,
            refusals=self.refusals - earlier.refusals,
            seconds_waited=self.seconds_waited - earlier.seconds_waited,
            waits=MappingProxyType({cause: seconds for cause, seconds in waits.items() if seconds}),
            bytes_sent=self.bytes_sent - earlier.bytes_sent,
            bytes_received=self.bytes_received - earlier.bytes_received,
            tokens=self.tokens - earlier.tokens,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as a dictionary, for JSON."""
        return {name: dict(self.waits) if name == "waits" else getattr(self, name) for name in self.__slots__}

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.as_dict(),)


def _restored(counts: dict[str, Any]) -> Usage:
    return Usage(**{**counts, "waits": MappingProxyType(counts["waits"])})


class Counts:
    """The running counts of one object. Thread safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waits: dict[str, float] = {}
        self._waited_until: dict[tuple[str, str], float] = {}
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line

    def add(self, **counts: int) -> None:
        """Add to the counts with these names."""
        with self._lock:
            for name, number in counts.items():
                if number:
                    self._counts[name] += number

    def wait(self, cause: str, bucket: str, start: float, seconds: float) -> None:
        """Add a wait. Seconds of the same cause and bucket that were added before do not count again.

        Args:
            cause: What is waited for.
            bucket: Requests that wait together.
            start: Monotonic seconds.
            seconds: The length of the wait.
        """
        with self._lock:
            counted = self._waited_until.get((cause, bucket), start)
            end = max(counted, start + seconds)
            self._waited_until[cause, bucket] = end
            self._waits[cause] = self._waits.get(cause, 0.0) + end - max(start, counted)

    def skip(self, cause: str, seconds: float) -> None:
        """Add a wait that takes no time, because `no_waits` skips it."""
        with self._lock:
            self._waits[cause] = self._waits.get(cause, 0.0) + seconds

    def usage(self) -> Usage:
        """Return a snapshot."""
        with self._lock:
            waits = dict(self._waits)
            return Usage(**self._counts, seconds_waited=math.fsum(waits.values()), waits=MappingProxyType(waits))
