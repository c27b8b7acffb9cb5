"""Elasticsearch error responses and the typed error of each."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from jina_eis import errors
from jina_eis.errors import JinaEISError, error_from_answer

TOO_LARGE = (
    "Request too large; estimated total tokens exceed the maximum limit of 200,000. Reduce document count or document sizes."
)
SERVICE = "for request from inference entity id [.jina-embeddings-v5-text-small]"


def envelope(error_type: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"error": {"root_cause": [{"type": error_type, "reason": reason}], "type": error_type, "reason": reason, **more}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "transient"),
    [
        (429, envelope("status_exception", f"Received a rate limit status code {SERVICE} status [429]"), errors.RateLimitError, True),
        (429, envelope("es_rejected_execution_exception", "queue is full"), errors.RateLimitError, True),
        (429, envelope("timeout_exception", "Request timed out after [10s]"), errors.ServiceTimeoutError, True),
        (408, envelope("status_exception", "Request timed out after [30s]"), errors.ServiceTimeoutError, True),
        (504, envelope("status_exception", "Request timed out after [30s]"), errors.ServiceTimeoutError, True),
        (422, envelope("status_exception", f"Received an input validation error response {SERVICE} status [422]"), errors.RequestRejectedError, False),
        (400, envelope("status_exception", f"Received a server error status code {SERVICE} status [503]"), errors.ServiceUnavailableError, True),
        (400, envelope("status_exception", f"Received an unsuccessful status code {SERVICE} status [502]"), errors.ServiceUnavailableError, True),
        (400, envelope("status_exception", f"Received a bad request status code {SERVICE} status [400]"), errors.RequestRejectedError, False),
        (400, envelope("status_exception", f"Received a bad request status code {SERVICE} status [400]. Error message: [{TOO_LARGE}]"), errors.RequestTooLargeError, False),
        (401, envelope("status_exception", f"Received an unsuccessful status code {SERVICE} status [401]"), errors.AuthorizationError, False),
        (401, envelope("security_exception", "unable to authenticate"), errors.AuthenticationError, False),
        (403, envelope("security_exception", "action is unauthorized"), errors.AuthorizationError, False),
        (403, envelope("security_exception", "current license is non-compliant for [inference]"), errors.AuthorizationError, False),
        (404, envelope("resource_not_found_exception", "Inference endpoint not found [x]"), errors.EndpointNotFoundError, False),
        (404, "<html>no such page</html>", errors.RequestRejectedError, False),
        (413, "too large", errors.RequestTooLargeError, False),
        (500, envelope("null_pointer_exception", "oops"), errors.ServiceError, False),
        (502, "<html>bad gateway</html>", errors.ServiceUnavailableError, True),
        (503, None, errors.ServiceUnavailableError, True),
        (504, {"error": "gateway timeout"}, errors.ServiceUnavailableError, True),
    ],
)  # fmt: skip
def test_each_error_response_has_one_typed_error(
    status: int, body: object, expected: type[JinaEISError], transient: bool
) -> None:
    error = error_from_answer(status, {}, body)
    assert type(error) is expected
    assert error.transient is transient
    assert error.status == status
    assert "\n" not in str(error)


ELASTICSEARCH = {"x-elastic-product": "Elasticsearch"}
PAGE = "<!DOCTYPE HTML>\n<html><head><title>Error response</title></head><body><p>Message: no.</p></body></html>"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 411, 500, 501])
def test_a_page_of_another_server_raises_a_question_about_the_address(status: int) -> None:
    error = error_from_answer(status, {}, PAGE)
    assert str(error) == (
        f"HTTP {status}: a page of HTML with the title 'Error response'. Is es_url the address of Elasticsearch (not of Kibana or "
        "a proxy)?"
    )
    assert error.remedy in str(error)
    assert "Is es_url" in str(error_from_answer(status, {}, "no"))
    assert "Is es_url" not in str(error_from_answer(status, ELASTICSEARCH, {"error": "Incorrect HTTP method"}))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_page_with_a_transient_status_is_retried(status: int) -> None:
    error = error_from_answer(status, {}, PAGE)
    assert error.transient
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("found", "known", "advice"),
    [
        (9, "8 or 7", "The client is newer than the server: pip install 'elasticsearch<9'."),
        (8, "7 or 6", "Elasticsearch 7, which has no inference endpoints"),
    ],
)
def test_a_client_that_is_newer_than_the_server(found: int, known: str, advice: str) -> None:
    reason = f"Accept version must be either version {known}, but found {found}. Accept=application/vnd.elasticsearch+json"
    inner = {"type": "status_exception", "reason": reason}
    body = envelope("media_type_header_exception", "Invalid media-type value on headers [Accept]", caused_by=inner)
    assert advice in str(error_from_answer(400, ELASTICSEARCH, body))


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (403, "action is unauthorized", "privilege monitor_inference"),
        (403, "current license is non-compliant for [inference]", "start a trial"),
        (
            403,
            f"Received an unsuccessful status code {SERVICE} status [403]",
            "Cloud Connect, which needs an Enterprise or trial",
        ),
    ],
)
def test_a_refusal_names_what_is_missing(status: int, reason: str, remedy: str) -> None:
    error = error_from_answer(status, {}, envelope("security_exception", reason))
    assert remedy in str(error)
    assert ("monitor_inference" in str(error)) == ("monitor_inference" in remedy)


def test_an_error_has_the_innermost_reason() -> None:
    inner = {"type": "illegal_argument_exception", "reason": "base64 inputs must be data URIs"}
    body = envelope(
        "x_content_parse_exception", "[1:10] failed to parse field [input]", caused_by={"reason": "wrapped", "caused_by": inner}
    )
    error = error_from_answer(400, {}, body)
    assert error.reason == "base64 inputs must be data URIs"
    assert "base64 inputs must be data URIs" in str(error)


def test_the_reason_for_a_wrong_date_names_it() -> None:
    """Elasticsearch 9.5.3 gives a wrong date an innermost reason that does not name it."""
    innermost = {"type": "date_time_parse_exception", "reason": "Failed to parse with all enclosed parsers"}
    error = error_from_answer(400, {}, envelope("parse_exception", "failed to parse date field [tomorrow]", caused_by=innermost))
    assert error.reason == "failed to parse date field [tomorrow]"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    now = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
    assert error_from_answer(429, {"retry-after": header}, None, now=now).retry_after == seconds


def test_no_error_is_a_runtime_error_and_argument_errors_are_value_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, JinaEISError)]
    assert len(kinds) > 10
    assert not any(issubclass(kind, RuntimeError) for kind in kinds)
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.InputError, ValueError)


def test_an_error_survives_pickling() -> None:
    error = error_from_answer(429, {"retry-after": "3"}, envelope("status_exception", "slow down"))
    error.inputs, error.completed, error.retries = range(16, 32), 16, 2
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert (copy.status, copy.retry_after, copy.inputs) == (429, 3.0, range(16, 32))
    assert str(error).endswith(
        "The service asks to wait 3 s. Gave up after 2 retries. Inputs 16 to 31 failed. The first 16 were done."
    )


@pytest.mark.parametrize("status", [302, 401, 500])
def test_advice_about_a_proxy_has_no_empty_part(status: int) -> None:
    error = error_from_answer(status, {"x-elastic-product": "Elasticsearch"}, "<a/>")
    error.inputs = (0,)
    assert "A proxy may have answered in place of Elasticsearch." in str(error)
    assert "  " not in str(error)
