"""The errors that Elasticsearch 9.5 answers with, and the time limit that one of them names.

Knows their types, statuses, texts and headers; must not know when they are raised, nor endpoints, models or the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Json",
    "RefusedError",
    "TimeLimit",
    "gateway_refusal",
    "illegal_argument",
    "invalid",
    "not_done",
    "not_found",
    "parse_error",
    "status_error",
    "timed_out",
]

Json = dict[str, Any]

TIME = re.compile(r"(\d+)(nanos|micros|ms|s|m|h|d)")
SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
GATEWAY_SAYS = {
    400: "Received a bad request status code",
    405: "Received a method not allowed status code",
    413: "Received a content too large status code",
    429: "Received a rate limit status code",
    500: "Received a server error status code",
    503: "Received a server error status code",
}


class RefusedError(Exception):
    """An error answer: HTTP status, Elasticsearch's type and reason, and the refusal that caused it."""

    def __init__(self, status: int, kind: str, reason: str, cause: RefusedError | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind
        self.reason = reason
        self.cause = cause
        self.headers: dict[str, str] = {}
        self.details: Json = {}

    def envelope(self) -> Json:
        """The body of the answer; its root cause is the innermost error of parsing, not the innermost error."""
        root = self
        while root.cause is not None and root.cause.kind == "x_content_parse_exception":
            root = root.cause
        return {"error": {"root_cause": [root.flat()], **self.nested()}, "status": self.status}

    def flat(self) -> Json:
        """The error without its causes."""
        return {"type": self.kind, "reason": self.reason, **self.details}

    def nested(self) -> Json:
        """The error with its chain of causes."""
        return self.flat() | ({} if self.cause is None else {"caused_by": self.cause.nested()})


def status_error(reason: str, status: int = 400) -> RefusedError:
    """The general error of Elasticsearch, with a status of its own."""
    return RefusedError(status, "status_exception", reason)


def illegal_argument(reason: str) -> RefusedError:
    """A value that no parser takes."""
    return RefusedError(400, "illegal_argument_exception", reason)


def parse_error(parser: str, reason: str, cause: RefusedError | None = None) -> RefusedError:
    """What a named parser could not read."""
    # The position is made up: a parsed body no longer has any.
    return RefusedError(400, "x_content_parse_exception", f"[1:1] [{parser}] {reason}", cause)


def invalid(*problems: str, kind: str = "action_request_validation_exception") -> RefusedError:
    """Every problem of a request that could be read, numbered."""
    listed = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
    return RefusedError(400, kind, f"Validation Failed: {listed}")


def not_found(endpoint: str) -> RefusedError:
    """An endpoint that does not exist."""
    return RefusedError(404, "resource_not_found_exception", f"Inference endpoint not found [{endpoint}]")


def not_done(what: str) -> RefusedError:
    """What Elasticsearch does and the local EIS does not."""
    return RefusedError(
        501,
        "not_implemented_exception",
        f"the local EIS does not do [{what}]: it answers GET /, and the _inference API (GET, PUT and DELETE of endpoints, "
        "POST of text_embedding, embedding and rerank)",
    )


def gateway_refusal(endpoint: str, status: int, message: str) -> RefusedError:
    """What Elasticsearch makes of an error of the service: each 5xx becomes a 400, whose text alone has the status."""
    says = GATEWAY_SAYS.get(status, "Received an unsuccessful status code")
    reason = f"{says} for request from inference entity id [{endpoint}] status [{status}]. Error message: [{message}]"
    return status_error(reason, 400 if status >= 500 else status)


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long Elasticsearch waits for the service."""

    seconds: float
    text: str

    @classmethod
    def parse(cls, text: str) -> TimeLimit:
        """Read a time value such as `30s`."""
        match = TIME.fullmatch(text.strip().lower())
        if match is None:
            raise illegal_argument(
                f"failed to parse setting [timeout] with value [{text}] as a time value: unit is missing or unrecognized"
            )
        return cls(int(match[1]) * SECONDS[match[2]], text)


def timed_out(endpoint: str, limit: TimeLimit) -> RefusedError:
    """A timeout as Elasticsearch 9.5 reports it: with the status of a rate limit."""
    reason = f"Request timed out after [{limit.text}] for inference id [{endpoint}]"
    refused = RefusedError(429, "timeout_exception", reason)
    refused.headers["x-timed-out"] = "?1"
    refused.details["timed_out"] = True
    return refused
