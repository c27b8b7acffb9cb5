"""The typed errors, and how an Elasticsearch answer becomes one.

Elasticsearch disguises what the Elastic Inference Service says: a 5xx of the service arrives as HTTP 400, a timeout as
429, the useful sentence lies innermost in a chain of causes. This module alone knows the disguises. It sends nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DocumentsFailedError",
    "EndpointExistsError",
    "EndpointNotFoundError",
    "IndexNotFoundError",
    "InputError",
    "InvalidAnswerError",
    "JinaEISError",
    "RateLimitError",
    "RequestRejectedError",
    "RequestTooLargeError",
    "ServiceError",
    "ServiceTimeoutError",
    "ServiceUnavailableError",
    "TLSError",
    "error_from_answer",
]


class JinaEISError(Exception):
    """Base of every error of this library. `str()` is one line that names the cause and says what to do.

    It never derives from RuntimeError, which frameworks swallow when they bridge sync and async code.

    Attributes:
        status: HTTP status of the answer, if there was one.
        error_type: Elasticsearch's `error.type`, if there was one.
        reason: The innermost reason that the service gave.
        endpoint: The inference endpoint that was called.
        retry_after: Seconds that the service asked to wait.
        retries: How often the request was sent again before giving up.
        inputs: Positions, in the list that was given, of the inputs in the request that failed.
        completed: How many inputs, from the first on, were answered; a streaming caller has received them.
    """

    transient: ClassVar[bool] = False
    remedy: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_type: str | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_type = error_type
        self.reason = reason
        self.retry_after = retry_after
        self.endpoint: str | None = None
        self.retries = 0
        self.inputs: Sequence[int] | None = None
        self.completed: int | None = None

    def __str__(self) -> str:
        said = [self.message]
        if self.retry_after:
            said.append(f"The service asks to wait {self.retry_after:g} s.")
        if self.retries:
            said.append(f"Gave up after {self.retries} {'retry' if self.retries == 1 else 'retries'}.")
        if self.inputs:
            said.append(f"{_listed(self.inputs)} failed.")
            if self.completed:
                said.append(f"The first {self.completed} were done.")
        return " ".join(said)


class ConfigurationError(JinaEISError, ValueError):
    """An argument or a connection setting that cannot work, found before anything is sent where that is possible."""


class EndpointExistsError(ConfigurationError):
    """An inference endpoint of that id is there with other settings. It was left as it is."""

    remedy = "Choose another inference_id; or delete it, and embed again what was indexed with it."


class InputError(JinaEISError, ValueError):
    """Something that cannot be embedded or ranked, found before anything is sent."""


class AuthenticationError(JinaEISError):
    """Elasticsearch does not accept the credentials (401)."""

    remedy = "Check es_api_key (ES_API_KEY), or es_user and es_password (ES_USER, ES_PASSWORD)."


class AuthorizationError(JinaEISError):
    """The credentials are valid but may not do this (403), or the deployment may not use the service."""

    remedy = (
        "Give the key the cluster privilege monitor_inference (the role inference_user has it), "
        "and manage_inference to create endpoints."
    )


class EndpointNotFoundError(JinaEISError):
    """The deployment has no inference endpoint of that id (404)."""

    remedy = "List what it has: jina-eis endpoints."


class IndexNotFoundError(JinaEISError):
    """The deployment has no index of that name (404)."""

    remedy = "Check index_name, and that the key may read the index."


class DocumentsFailedError(JinaEISError):
    """Some documents could not be indexed; all others were.

    Attributes:
        failed: Why, by the id of each document that failed.
        indexed: The ids of those that were indexed, in the order they were given.
    """

    def __init__(self, message: str, failed: Mapping[str, str], indexed: Sequence[str]) -> None:
        super().__init__(message)
        self.failed = failed
        self.indexed = indexed


class RequestRejectedError(JinaEISError):
    """The request is at fault, or the service says so (400 and other 4xx)."""


class RequestTooLargeError(JinaEISError):
    """The request is larger than Elasticsearch or the service takes (413)."""

    remedy = "Send fewer inputs in a request (batch_size, or window_size to rerank), or split the largest."


class RateLimitError(JinaEISError):
    """The service, or Elasticsearch, is asked too much at once (429). Sent again after a pause."""

    transient = True
    remedy = "Lower max_concurrency, raise max_retries, or ask for a higher limit."


class ServiceTimeoutError(JinaEISError):
    """No answer within `timeout` (Elasticsearch says 429 or 408, or nothing at all). Sent again."""

    transient = True
    remedy = "Raise timeout, or send fewer inputs in a request (batch_size, or window_size to rerank)."


class ServiceUnavailableError(JinaEISError):
    """The inference service or a proxy failed (502, 503, 504, or any 5xx of EIS behind a 400). Sent again."""

    transient = True
    remedy = "Try again later; if it stays, see the status page of Elastic Cloud."


class ServiceError(JinaEISError):
    """Elasticsearch itself failed (500 and other 5xx). Not sent again."""

    remedy = "See the Elasticsearch log for the cause."


class ConnectionFailedError(JinaEISError):
    """Elasticsearch could not be reached, or the connection broke. Sent again."""

    transient = True
    remedy = "Check es_url (ES_URL), and that the deployment is running and reachable from here."


class TLSError(ConnectionFailedError):
    """The TLS handshake failed. Not sent again: a certificate does not mend itself."""

    transient = False
    remedy = "Pass a `client` of your own, made with the right `ca_certs`, if the deployment's certificate is its own."


class InvalidAnswerError(JinaEISError):
    """An answer that is not what was asked for: too few vectors, too many, empty, ragged or not finite."""

    remedy = "None of it was used. Try again; if it stays, the service, or a proxy on the way, is at fault."

    def __str__(self) -> str:
        return f"{super().__str__()} {self.remedy}"


# Decided by error.type first, then by status. Whatever is not here is the request's fault below 500, the server's above.
_BY_TYPE: dict[str, type[JinaEISError]] = {"timeout_exception": ServiceTimeoutError}
_BY_STATUS: dict[int, type[JinaEISError]] = {
    401: AuthenticationError,
    403: AuthorizationError,
    408: ServiceTimeoutError,
    413: RequestTooLargeError,
    429: RateLimitError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}
# What the inference service told Elasticsearch, which passes it on in words and changes the status (5xx becomes 400).
_SERVICE_STATUS = re.compile(r"for request from inference entity id \[.*?\] status \[(\d{3})\]")
_REFUSED_BY_SERVICE = (
    "The service refuses the deployment, not your key: check its licence and, on a self-managed cluster, Cloud Connect."
)
_NOT_ELASTICSEARCH = "Is es_url the address of Elasticsearch (not of Kibana or a proxy)?"


def error_from_answer(status: int, headers: Mapping[str, str], body: object, *, now: datetime | None = None) -> JinaEISError:
    """The typed error that an Elasticsearch answer other than 2xx stands for.

    Args:
        status: HTTP status.
        headers: Answer headers; `retry-after` is read, as seconds or as an HTTP date.
        body: The parsed JSON body, or the text of one that is not JSON.
        now: The time that a date in `retry-after` is compared with; default: now.
    """
    error_type, reasons = _chain(body)
    reason = reasons[-1] if reasons else _shortened(body)
    service_status = next((int(found[1]) for text in reasons if (found := _SERVICE_STATUS.search(text))), None)
    remedy: str | None = None
    kind: type[JinaEISError]
    if service_status is not None:
        if service_status in (401, 402, 403):
            kind, remedy = AuthorizationError, _REFUSED_BY_SERVICE
        elif service_status >= 500:
            kind = ServiceUnavailableError
        else:
            kind = _BY_STATUS.get(service_status, RequestRejectedError)
    elif "nference endpoint not found" in reason:  # of a search, too, which has an error type of its own
        kind = EndpointNotFoundError
    elif error_type == "index_not_found_exception":
        kind = IndexNotFoundError
    else:
        kind = (
            _BY_TYPE.get(error_type or "") or _BY_STATUS.get(status) or (ServiceError if status >= 500 else RequestRejectedError)
        )
        if not error_type and kind is RequestRejectedError:
            remedy = _NOT_ELASTICSEARCH
    if kind is AuthorizationError and "indices" in reason:
        remedy = "Give the key that privilege on the index."
    told = f"HTTP {status}{f' {error_type}' if error_type else ''}: {reason}"
    return kind(
        " ".join(part for part in (sentence(told), kind.remedy if remedy is None else remedy) if part),
        status=status,
        error_type=error_type,
        reason=reason,
        retry_after=_retry_after(headers.get("retry-after"), now or datetime.now(UTC)),
    )


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends in punctuation."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _listed(inputs: Sequence[int]) -> str:
    first, last, count = inputs[0], inputs[-1], len(inputs)
    if count == 1:
        return f"Input {first}"
    if last - first == count - 1:
        return f"Inputs {first} to {last}"
    shown = ", ".join(map(str, inputs[:3]))
    return f"Inputs {shown}{f' and {count - 3} more up to {last}' if count > 3 else ''}"


def _chain(body: object) -> tuple[str | None, list[str]]:
    """`error.type`, and the reasons from the outermost to the innermost cause."""
    error: Any = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return None, [error]
    if not isinstance(error, Mapping):
        return None, []
    error_type = error.get("type")
    reasons: list[str] = []
    while isinstance(error, Mapping):
        if isinstance(error.get("reason"), str) and error["reason"]:
            reasons.append(error["reason"])
        error = error.get("caused_by") or _hidden(error)
    return (error_type if isinstance(error_type, str) else None), reasons


def _hidden(error: Mapping[str, Any]) -> Any:
    """What failed inside a search: Elasticsearch tells of its parts apart from the causes."""
    for name in ("suppressed", "failed_shards"):
        parts = error.get(name)
        if isinstance(parts, list) and parts and isinstance(parts[0], Mapping):
            reason = parts[0].get("reason")
            return reason if isinstance(reason, Mapping) else parts[0]
    return None


def _shortened(body: object, length: int = 200) -> str:
    text = " ".join(str(body).split()) if body else "no explanation given"
    return text if len(text) <= length else f"{text[:length]}…"


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3): a number of seconds or an HTTP date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):  # Python 3.10 raises TypeError for some malformed dates
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
