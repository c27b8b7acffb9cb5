"""The errors of the Elasticsearch client, and those of this library for them. The client is imported with the first request."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import (
    ConnectionFailedError,
    InvalidAnswerError,
    JinaEISError,
    ServiceTimeoutError,
    TLSError,
    error_from_answer,
    sentence,
)
from .response_format import serialization_error

__all__ = ["client_errors", "typed_error"]


def client_errors() -> tuple[type[Exception], ...]:
    """Return the classes of the client's errors, for an `except`, which asks for them only after an error."""
    from elasticsearch import ApiError, TransportError

    return ApiError, TransportError


def typed_error(error: Exception, location: str, timeout: float) -> JinaEISError:
    """Return the error of this library for one of the client, which is its cause.

    Args:
        error: One of `client_errors`.
        location: Names the server, as the subject of a sentence.
        timeout: Seconds that the client waited.
    """
    typed = _typed(error, location, timeout)
    typed.__cause__ = error
    return typed


def _typed(error: Exception, location: str, timeout: float) -> JinaEISError:
    import elasticsearch

    if isinstance(error, elasticsearch.UnsupportedProductError):
        return InvalidAnswerError(f"{location} responds, but is not Elasticsearch. Check es_url (ES_URL).")
    if isinstance(error, elasticsearch.ApiError):
        return error_from_answer(error.status_code, error.meta.headers, error.body)
    if isinstance(error, elasticsearch.SerializationError):
        return serialization_error(error, location)
    if isinstance(error, elasticsearch.ConnectionTimeout):
        return ServiceTimeoutError(f"{location} did not respond within {timeout:g} s. {ServiceTimeoutError.remedy}")
    is_tls = isinstance(error, elasticsearch.SSLError) or _is_wrong_fingerprint(error)
    kind = TLSError if is_tls else ConnectionFailedError
    return kind(f"{location} cannot be reached: {sentence(_cause(error))} {kind.remedy}")


def _is_wrong_fingerprint(error: Exception) -> bool:
    """Whether the certificate has another fingerprint than `ssl_assert_fingerprint`; aiohttp has its own error for it."""
    return any(type(cause).__name__ == "ServerFingerprintMismatch" for cause in _causes(error))


def _cause(error: Exception) -> str:
    """Return the message of the operating system if there is one. The client wraps it two or three times."""
    if _is_wrong_fingerprint(error):
        return "its certificate has another fingerprint than ssl_assert_fingerprint"
    messages = [cause.strerror for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror]
    return messages[-1] if messages else str(getattr(error, "message", error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the innermost last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__ or next(iter(getattr(cause, "errors", ())), None)
