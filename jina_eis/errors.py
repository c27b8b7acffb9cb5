"""Typed errors, and the conversion of an Elasticsearch error response into one of them.

Elasticsearch changes the errors of the Elastic Inference Service: a 5xx of the service arrives as HTTP 400, a timeout as
429, and the useful reason is the innermost in a chain of causes. Only this module knows these rules. It sends nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
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
    """Base class of every error of this library. `str()` is one line that names the cause and the remedy.

    It is not a RuntimeError: frameworks swallow RuntimeErrors when they bridge sync and async code.

    Attributes:
        status: HTTP status of the response, if there was one.
        error_type: Elasticsearch's `error.type`, if there was one.
        reason: The innermost reason in the response.
        endpoint: The inference endpoint that was called.
        retry_after: Seconds to wait, as the service requested.
        retries: How many times the request was retried.
        inputs: Positions, in the caller's list, of the inputs in the failed request.
        completed: Number of inputs, counted from the first, that were completed; a streaming caller has received them.
    """

    transient: ClassVar[bool] = False
    remedy: str = ""

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
        sentences = [self.message]
        if self.retry_after:
            sentences.append(f"The service asks to wait {self.retry_after:g} s.")
        if self.retries:
            sentences.append(f"Gave up after {self.retries} {'retry' if self.retries == 1 else 'retries'}.")
        if self.inputs:
            sentences.append(f"{_format_positions(self.inputs)} failed.")
            if self.completed:
                sentences.append(f"The first {self.completed} were done.")
        return " ".join(sentences)


class ConfigurationError(JinaEISError, ValueError):
    """An invalid argument or connection setting. Where possible, it is detected before anything is sent."""


class EndpointExistsError(ConfigurationError):
    """An inference endpoint with this id exists, with other settings. It was not changed."""

    remedy = "Choose another inference_id, or delete the endpoint and embed again what was indexed with it."


class InputError(JinaEISError, ValueError):
    """An input that cannot be embedded or ranked. It is detected before anything is sent."""


class AuthenticationError(JinaEISError):
    """Elasticsearch does not accept the credentials (401)."""

    remedy = "Check es_api_key (ES_API_KEY), or es_user and es_password (ES_USER, ES_PASSWORD)."


class AuthorizationError(JinaEISError):
    """The credentials are valid but lack a privilege (403), or the deployment may not use the service."""

    remedy = (
        "Give the key the cluster privilege monitor_inference (the role inference_user has it), "
        "and manage_inference to create endpoints."
    )


class EndpointNotFoundError(JinaEISError):
    """The deployment has no inference endpoint with this id (404)."""

    remedy = "List the existing endpoints: jina-eis endpoints."


class IndexNotFoundError(JinaEISError):
    """The deployment has no index with this name (404)."""

    remedy = "Check index_name, and that the key may read the index."


class DocumentsFailedError(JinaEISError):
    """Some documents could not be indexed. To index the rest, add the documents in `failed` and `untried` again.

    Documents that were not yet read, where an ingest ended early, are in none of the three. A task that is cancelled and
    Ctrl-C raise `CancelledError` and `KeyboardInterrupt` themselves, with this error as their `__context__`.

    Attributes:
        failed: The reason of each failure, by document id; also of documents that were sent and for which no response arrived.
        indexed: Ids of the documents that Elasticsearch acknowledged, in the order of the input.
        untried: Ids of the documents that were read and never sent, in the order of the input.
    """

    def __init__(
        self,
        message: str,
        failed: Mapping[str, str] = MappingProxyType({}),
        indexed: Sequence[str] = (),
        untried: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.failed = failed
        self.indexed = indexed
        self.untried = untried


class RequestRejectedError(JinaEISError):
    """Elasticsearch or the service rejected the request (400, 422 and other 4xx)."""


class RequestTooLargeError(JinaEISError):
    """The request is larger than Elasticsearch (413) or the service accepts (400, too many tokens to rerank)."""

    remedy = "Send fewer inputs in a request (batch_size, or window_size to rerank), or split the largest."


class RateLimitError(JinaEISError):
    """Too many requests to the service or to Elasticsearch (429). Retried after a pause."""

    transient = True
    remedy = "Lower max_concurrency, raise max_retries, or ask for a higher limit."


class ServiceTimeoutError(JinaEISError):
    """No response within `timeout`: Elasticsearch sends 429, 408 or 504, depending on its version, or nothing. Retried."""

    transient = True
    remedy = "Raise timeout, or send fewer inputs in a request (batch_size, or window_size to rerank)."


class ServiceUnavailableError(JinaEISError):
    """The inference service or a proxy failed (502, 503, a proxy's 504, or any 5xx of EIS that arrives as 400). Retried."""

    transient = True
    remedy = "Try again later. If the error persists, see the status page of Elastic Cloud."


class ServiceError(JinaEISError):
    """Elasticsearch itself failed (500 and other 5xx). Not retried."""

    remedy = "See the Elasticsearch log for the cause."


class ConnectionFailedError(JinaEISError):
    """Elasticsearch could not be reached, or the connection broke. Retried."""

    transient = True
    remedy = "Check es_url (ES_URL), and that the deployment is running and reachable from here."


class TLSError(ConnectionFailedError):
    """The TLS handshake failed. Not retried: a certificate error is permanent."""

    transient = False
    remedy = (
        "If the deployment has a certificate of a private CA, pass ca_certs, the path of the CA's certificate, or "
        "ssl_assert_fingerprint."
    )


class InvalidAnswerError(JinaEISError):
    """A response without the expected content: too few vectors, too many, empty, ragged or not finite."""

    remedy = "The response was discarded. Try again. If the error persists, the service or a proxy causes it."

    def __str__(self) -> str:
        return f"{super().__str__()} {self.remedy}"


# Looked up by error.type, then by status. Any other status is a rejected request below 500, and a server error from 500.
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
# The status of the inference service, in the reason that Elasticsearch writes; its own status differs (5xx becomes 400).
_SERVICE_STATUS = re.compile(r"for request from inference entity id \[.*?\] status \[(\d{3})\]")
TOO_MANY_TOKENS = "estimated total tokens"  # a rerank request with too much text: 400
_REFUSED_BY_SERVICE = (
    "The service refuses the deployment, not your key. Check the licence and, on a self-managed cluster, Cloud Connect, which "
    "needs an Enterprise or trial licence."
)
_NOT_LICENSED = (
    "The licence of the deployment does not include inference: upgrade it, or start a trial (an Enterprise licence has it)."
)
_ERROR_EVENT = re.compile(r"(?:event: ?error\s+)?data: ?(\{.*)")
_TIMED_OUT = "Request timed out after"  # with 429 from 9.4, 504 in builds of April 2026, 408 before
UNINFORMATIVE = ("Failed to parse with all enclosed parsers",)  # reasons whose outer reason states more
# Of a server of major 8 to a client of 9, and of 7 to one of 8 [Elasticsearch 8.19, 7.17]; older ones of 7 know no such header.
_NEWER_CLIENT = re.compile(r"version must be either version (?P<server>\d+) or \d+, but found (?P<client>\d+)")
_PRODUCT = "x-elastic-product"  # a header of every response of Elasticsearch
_PROXY = "A proxy may have answered in place of Elasticsearch."
_NOT_ELASTICSEARCH = "Is es_url the address of Elasticsearch (not of Kibana or a proxy)?"


def error_from_answer(status: int, headers: Mapping[str, str], body: object, *, now: datetime | None = None) -> JinaEISError:
    """Return the typed error for an Elasticsearch response other than 2xx.

    Args:
        status: HTTP status.
        headers: Response headers; `retry-after` is read, in seconds or as an HTTP date.
        body: The parsed body, or the start of its text if it could not be parsed, as that of a proxy.
        now: The time to compare a date in `retry-after` with; default: the current time.
    """
    error_type, reasons = _error_type_and_reasons(_data_of_event(body))
    reason = reasons[-1] if reasons else _shortened(body)
    service_status = next((int(found[1]) for text in reasons if (found := _SERVICE_STATUS.search(text))), None)
    remedy: str | None = None
    kind: type[JinaEISError]
    if TOO_MANY_TOKENS in reason:
        kind = RequestTooLargeError
    elif service_status is not None:
        if service_status in (401, 402, 403):
            kind, remedy = AuthorizationError, _REFUSED_BY_SERVICE
        elif service_status >= 500:
            kind = ServiceUnavailableError
        else:
            kind = _BY_STATUS.get(service_status, RequestRejectedError)
    elif "nference endpoint not found" in reason:  # a search reports it with another error type
        kind = EndpointNotFoundError
    elif _TIMED_OUT in reason:
        kind = ServiceTimeoutError
    elif status == 403 and "license is non-compliant" in reason:
        kind, remedy = AuthorizationError, _NOT_LICENSED
    elif error_type == "index_not_found_exception":
        kind = IndexNotFoundError
    else:
        kind = (
            _BY_TYPE.get(error_type or "") or _BY_STATUS.get(status) or (ServiceError if status >= 500 else RequestRejectedError)
        )
        remedy = _remedy_of_origin(kind, headers, body, error_type, reason)
    if kind is AuthorizationError and "indices" in reason:
        remedy = "Give the key this privilege on the index."
    message = f"HTTP {status}{f' {error_type}' if error_type else ''}: {reason}"
    remedy = kind.remedy if remedy is None else remedy
    error = kind(
        " ".join(part for part in (sentence(message), remedy) if part),
        status=status,
        error_type=error_type,
        reason=reason,
        retry_after=_retry_after(headers.get("retry-after"), now or datetime.now(UTC)),
    )
    error.remedy = remedy
    return error


def _remedy_of_origin(
    kind: type[JinaEISError], headers: Mapping[str, str], body: object, error_type: str | None, reason: str
) -> str | None:
    """Return advice if something else than this Elasticsearch may have answered, or the client is too new for it."""
    if not error_type and not kind.transient and (_PRODUCT not in headers or _is_page(body)):
        return _NOT_ELASTICSEARCH
    if newer := _NEWER_CLIENT.search(reason):
        return _client_advice(int(newer["server"]), int(newer["client"]))
    return None if error_type or isinstance(body, Mapping) else f"{_PROXY} {kind.remedy}".rstrip()


def _client_advice(server: int, client: int) -> str:
    """Return what to do about a client whose major version the server does not know."""
    if server < 8:
        return f"The deployment is Elasticsearch {server}, which has no inference endpoints: use 8.19, or better 9.3 or newer."
    return f"The client is newer than the server: pip install 'elasticsearch<{client}'."


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends in punctuation."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _format_positions(inputs: Sequence[int]) -> str:
    first, last, count = inputs[0], inputs[-1], len(inputs)
    if count == 1:
        return f"Input {first}"
    if last - first == count - 1:
        return f"Inputs {first} to {last}"
    first_three = ", ".join(map(str, inputs[:3]))
    return f"Inputs {first_three}{f' and {count - 3} more up to {last}' if count > 3 else ''}"


def _error_type_and_reasons(body: object) -> tuple[str | None, list[str]]:
    """Return `error.type`, and the reasons from the outermost to the innermost cause."""
    error: Any = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return None, [error]
    if not isinstance(error, Mapping):
        return None, []
    error_type = error.get("type")
    reasons: list[str] = []
    while isinstance(error, Mapping):
        reason = error.get("reason") or error.get("message")  # chat completions have OpenAI's names
        if isinstance(reason, str) and reason and reason not in UNINFORMATIVE:
            reasons.append(reason)
        error = error.get("caused_by") or _search_failure(error)
    return (error_type if isinstance(error_type, str) else None), reasons


def _data_of_event(body: object) -> object:
    """Return the JSON of a response that is a stream with an error; any other body unchanged."""
    event = _ERROR_EVENT.match(body) if isinstance(body, str) else None
    try:
        return json.loads(event[1]) if event else body
    except ValueError:
        return body


def _search_failure(error: Mapping[str, Any]) -> Any:
    """Return the failure of a part of a search, which Elasticsearch reports outside the chain of causes."""
    for name in ("suppressed", "failed_shards"):
        parts = error.get(name)
        if isinstance(parts, list) and parts and isinstance(parts[0], Mapping):
            reason = parts[0].get("reason")
            return reason if isinstance(reason, Mapping) else parts[0]
    return None


def _is_page(body: object) -> bool:
    """Whether a body is a page of HTML, which Elasticsearch never sends."""
    return isinstance(body, str) and re.match(r"\s*<(!doctype|html|head|body)", body, re.IGNORECASE) is not None


def _shortened(body: object, length: int = 200) -> str:
    if _is_page(body):
        title = re.search(r"<title[^>]*>([^<]{1,100})", str(body), re.IGNORECASE)
        return f"a page of HTML{f' with the title {title[1].strip()!r}' if title else ''}"
    text = " ".join(str(body).split()) if body else "no explanation given"
    return text if len(text) <= length else f"{text[:length]}…"


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3): a number of seconds or an HTTP date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
