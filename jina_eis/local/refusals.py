"""Error responses of Elasticsearch, and the time limit that a timeout states.

Knows their types, statuses, texts and headers. Must not know when they are raised, nor endpoints, models or the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from .texts import GATEWAY_REASONS, IMPLEMENTED, SECONDS, TOKENS
from .versions import Version

Json = dict[str, Any]

TIME = re.compile(r"(\d+)(nanos|micros|ms|s|m|h|d)")
CONTENT = "x_content_parse_exception"  # an error of the parser of JSON
PARSING = ("mapper_parsing_exception", "parsing_exception")  # errors of what is parsed


class RefusedError(Exception):
    """An error response: HTTP status, Elasticsearch's type and reason, the error that caused it, and further members."""

    def __init__(
        self, status: int, kind: str, reason: str, cause: RefusedError | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind
        self.reason = reason
        self.cause = cause
        self.headers: dict[str, str] = {}
        self.details: Json = dict(details or {})
        self.suppressed: list[RefusedError] = []

    def envelope(self) -> Json:
        """Return the response body. Its root cause is the innermost parsing error, not the innermost error."""
        return {"error": {"root_cause": [root.flat() for root in self.roots()], **self.nested()}, "status": self.status}

    def roots(self) -> list[RefusedError]:
        """Return the errors that `root_cause` lists."""
        root = self
        while root.cause is not None and (root.cause.kind in PARSING or root.cause.kind == root.kind == CONTENT):
            root = root.cause
        return [root]

    def flat(self) -> Json:
        """Return the error without its causes."""
        return {"type": self.kind, "reason": self.reason, **self.details}

    def nested(self) -> Json:
        """Return the error with its chain of causes."""
        caused_by = {} if self.cause is None else {"caused_by": self.cause.nested()}
        suppressed = {"suppressed": [error.nested() for error in self.suppressed]} if self.suppressed else {}
        return self.flat() | caused_by | suppressed


class ShardError(RefusedError):
    """A query that failed on an index; a search wraps it with `shard_errors`."""


@contextmanager
def wrapping(wrap: Callable[[RefusedError], RefusedError]) -> Iterator[None]:
    """Replace an error raised inside by another one; a 501 and a failure on the index stay."""
    try:
        yield
    except RefusedError as refused:
        if refused.status == 501 or isinstance(refused, ShardError):
            raise
        raise wrap(refused) from refused


def parsing(parser: str, what: str) -> AbstractContextManager[None]:
    """Replace an error raised inside by that of a parser; the useful text is the innermost cause."""
    return wrapping(lambda refused: parse_error(parser, f"failed to parse {what}: {refused.reason}", refused))


class SearchError(RefusedError):
    """A failed search; its root causes are the errors of its shards."""

    shard_error: RefusedError | None = None

    def roots(self) -> list[RefusedError]:
        """Return the error of the shard, or nothing if the search failed outside the shards."""
        return [] if self.shard_error is None else [self.shard_error]


# The errors for an invalid value and for an invalid mapping, from their reason and cause.
illegal_argument = partial(RefusedError, 400, "illegal_argument_exception")
mapper_parsing = partial(RefusedError, 400, "mapper_parsing_exception")


def status_error(reason: str, status: int = 400) -> RefusedError:
    """Return Elasticsearch's general error with the given status."""
    return RefusedError(status, "status_exception", reason)


def read_flag(value: Any) -> bool:
    """Return a flag of a body, which may be sent as a text."""
    if (text := str(value).lower() if isinstance(value, bool) else value) not in ("true", "false"):
        raise illegal_argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")
    return bool(text == "true")


def parse_error(parser: str, reason: str, cause: RefusedError | None = None) -> RefusedError:
    """Return the error of a parser for input that it could not read."""
    return RefusedError(400, "x_content_parse_exception", f"[1:1] [{parser}] {reason}", cause)


def invalid(*problems: str, kind: str = "action_request_validation_exception") -> RefusedError:
    """Return the error for a request with invalid fields; it lists every problem by number."""
    numbered = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
    return RefusedError(400, kind, f"Validation Failed: {numbered}")


def not_implemented(what: str) -> RefusedError:
    """Return the error for a feature of Elasticsearch that the local EIS does not implement."""
    reason = f"the local EIS does not implement [{what}]. {IMPLEMENTED}"
    return RefusedError(501, "not_implemented_exception", reason)


def index_not_found(index: str) -> RefusedError:
    """Return the error for an index that does not exist."""
    names = {"resource.type": "index_or_alias", "resource.id": index, "index_uuid": "_na_", "index": index}
    return RefusedError(404, "index_not_found_exception", f"no such index [{index}]", details=names)


def parsing_exception(reason: str, cause: RefusedError | None = None) -> RefusedError:
    """Return the error for a search that could not be parsed."""
    # The position is invented: a parsed body no longer has positions.
    return RefusedError(400, "parsing_exception", reason, cause, {"line": 1, "col": 1})


def unknown_name(kind: str, name: str) -> RefusedError:
    """Return the error for a query, retriever or builder that does not exist."""
    cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
    return parsing_exception(f"unknown {kind} [{name}]", cause)


@contextmanager
def shard_errors(indices: Sequence[str]) -> Iterator[None]:
    """Convert a shard error raised inside into the error of a search in these indices, of one shard each."""
    try:
        yield
    except ShardError as error:
        if len(indices) > 1:
            raise not_implemented(f"a search that fails on one of several indices: {error.reason}") from error
        cause = None if error.kind == "query_shard_exception" else error  # it names the index itself, and is not repeated
        failure = {"shard": 0, "index": indices[0], "node": "jina-eis-local", "reason": error.nested()}
        details = {"phase": "query", "grouped": True, "failed_shards": [failure]}
        refused = SearchError(error.status, "search_phase_execution_exception", "all shards failed", cause, details)
        refused.shard_error = error
        raise refused from error


def token(value: Any) -> str:
    """Return the name of a JSON value in Elasticsearch's errors."""
    return TOKENS.get(type(value), "VALUE_NUMBER")


def gateway_refusal(endpoint: str, status: int, message: str) -> RefusedError:
    """Return Elasticsearch's error for an error of the service. A 5xx becomes a 400; only the text states the 5xx."""
    description = GATEWAY_REASONS.get(status, "Received an unsuccessful status code")
    reason = f"{description} for request from inference entity id [{endpoint}] status [{status}]. Error message: [{message}]"
    return status_error(reason, 400 if status >= 500 else status)


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """The time that Elasticsearch waits for the service."""

    seconds: float
    text: str

    @classmethod
    def parse(cls, text: str, name: str = "timeout") -> TimeLimit:
        """Parse a time value such as `30s`."""
        match = TIME.fullmatch(text.strip().lower())
        if match is None:
            raise illegal_argument(f"failed to parse [{name}] with value [{text}] as a time value: unknown unit")
        return cls(int(match[1]) * SECONDS[match[2]], text)


def timed_out(endpoint: str, limit: TimeLimit, version: Version) -> RefusedError:
    """Return the error for a timeout. Elasticsearch gives it the status of a rate limit since 9.4."""
    if not version.has("timeouts as 429"):
        return status_error(f"Request timed out after [{limit.text}]", 408)
    reason = f"Request timed out after [{limit.text}] for inference id [{endpoint}]"
    refused = RefusedError(429, "timeout_exception", reason, details={"timed_out": True})
    refused.headers["x-timed-out"] = "?1"
    return refused
