"""The version of the deployment: its order, features that need one, and keys that may not see it."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import feed
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import (
    AuthorizationError,
    ConfigurationError,
    InvalidAnswerError,
    JinaEISError,
    RequestRejectedError,
    ServiceError,
)
from jina_eis.steps.version import Version, require, server_version, too_old
from jina_eis.wire.call import Call

NUMBERS = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


def deployment(number: str, flavour: str = "default") -> Any:
    return lambda call: {"version": {"number": number, "build_flavor": flavour}}


@given(NUMBERS, NUMBERS)
def test_versions_are_ordered_by_their_numbers(left: tuple[int, int, int], right: tuple[int, int, int]) -> None:
    first, second = (Version.parse("{}.{}.{}".format(*numbers)) for numbers in (left, right))
    assert (first < second, first == second) == (left[:2] < right[:2], left[:2] == right[:2])
    assert first != second or hash(first) == hash(second)
    assert first < Version.parse("0.0.0", "serverless")


def test_the_version_is_requested_from_the_root() -> None:
    version, rounds = feed(server_version(), deployment("9.5.3"))
    assert str(version) == "9.5.3"
    assert [(call.method, call.path, call.cache, call.cache_refusal) for (call,) in rounds] == [("GET", "/", True, True)]
    serverless, _ = feed(server_version(), deployment("8.11.0", "serverless"))
    assert str(serverless) == "8.11.0 (serverless)"


@pytest.mark.parametrize("number", ["9.3.0", "9.10.1", "10.0.0", "9.3.0-SNAPSHOT"])
def test_a_deployment_with_the_feature_passes(number: str) -> None:
    assert str(feed(require("diversify", "9.3"), deployment(number))[0]) == number


def test_an_older_deployment_is_refused() -> None:
    message = r"diversify needs Elasticsearch 9\.3; this deployment has 9\.2\.8\."
    with pytest.raises(ConfigurationError, match=message):
        feed(require("diversify", "9.3"), deployment("9.2.8"))


@pytest.mark.parametrize("status", [403, 404])
def test_a_key_that_may_not_see_the_version_passes(status: int) -> None:
    def refuse(call: Call[Any]) -> Any:
        raise AuthorizationError("no", status=status)

    assert feed(require("diversify", "9.3"), refuse)[0] is None


def test_other_errors_are_raised() -> None:
    def fail(call: Call[Any]) -> Any:
        raise ServiceError("down", status=500)

    with pytest.raises(ServiceError):
        feed(server_version(), fail)
    with pytest.raises(InvalidAnswerError, match="instead of numbers"):
        feed(server_version(), deployment(""))


def test_a_rejected_feature_is_explained() -> None:
    rejected = RequestRejectedError("HTTP 400: unknown field [diversify].", status=400, reason="unknown field [diversify]")
    rejected.endpoint = "mine"
    error = too_old("diversify", "9.3", rejected)
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("HTTP 400: unknown field [diversify]. diversify needs Elasticsearch 9.3")
    assert (error.status, error.reason, error.endpoint, error.__cause__) == (400, rejected.reason, "mine", rejected)


@pytest.mark.parametrize("error", [RequestRejectedError("no", status=422), AuthorizationError("no", status=403)])
def test_any_other_error_stays(error: JinaEISError) -> None:
    assert too_old("diversify", "9.3", error) is error
