"""`doctor` with responses that the embedded EIS does not send; the steps run by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from by_hand import feed

from jina_eis.errors import (
    AuthorizationError,
    ConnectionFailedError,
    InvalidAnswerError,
    RateLimitError,
    RequestRejectedError,
    ServiceTimeoutError,
)
from jina_eis.steps.checkup import NAMES, Check, Report, check_deployment
from jina_eis.wire.call import Call

SMALL, RERANKER = ".jina-embeddings-v5-text-small", ".jina-reranker-v3"


def endpoint(inference_id: str, task: str, **more: Any) -> dict[str, Any]:
    settings = {"model_id": inference_id[1:], **({} if task == "rerank" else {"dimensions": 2})}
    return {"inference_id": inference_id, "task_type": task, "service": "elastic", "service_settings": settings, **more}


def healthy(at: datetime | None = None) -> dict[str, Any]:
    date = format_datetime(at or datetime.now(UTC), usegmt=True)
    return {
        "/": ({"cluster_name": "mine", "version": {"number": "9.4.1", "build_flavor": "default"}}, {"date": date}),
        "/_license": {"license": {"type": "enterprise", "status": "active", "expiry_date": "2027-01-31T00:00:00.000Z"}},
        "/_security/user/_has_privileges": {"cluster": {"monitor_inference": True, "manage_inference": True}},
        "/_inference/_all": {"endpoints": [endpoint(SMALL, "text_embedding"), endpoint(RERANKER, "rerank")]},
        f"/_inference/text_embedding/{SMALL}": {"text_embedding": [{"embedding": [0.6, 0.8]}]},
        f"/_inference/rerank/{RERANKER}": {
            "rerank": [{"index": 1, "relevance_score": 0.4}, {"index": 0, "relevance_score": -0.1}]
        },
    }


def report(answers: dict[str, Any]) -> Report:
    def answer(call: Call[Any]) -> Any:
        body = answers.get(call.path, RequestRejectedError("HTTP 400."))
        if isinstance(body, Exception):
            raise body
        return body

    ticks = iter(range(100))
    result, _ = feed(
        check_deployment("http://localhost:9200, with no credentials.", 30.0, lambda: next(ticks) / 8, lambda: datetime.now(UTC)),
        answer,
    )
    return result


def check(answers: dict[str, Any], name: str) -> Check:
    return next(item for item in report(answers).checks if item.name == name)


def test_a_healthy_deployment() -> None:
    result = report(healthy())
    assert result.ok
    assert [item.name for item in result.checks] == list(NAMES)
    assert {item.name: item.status for item in result.checks if item.status != "ok"} == {"embedding": "skipped"}
    text = str(result)
    for part in (
        "9.4.1",
        "enterprise, active, until 2027-01-31.",
        "a vector of 2 dimensions in 125 ms",
        "jina-reranker-v3: 600 search",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    assert result.to_dict()["checks"][6]["seconds"] == 0.125
    assert [item["inference_id"] for item in result.to_dict()["endpoints"]] == [SMALL, RERANKER]


@pytest.mark.parametrize(
    ("path", "answer", "name", "status", "message"),
    [
        ("/", AuthorizationError("HTTP 403: no."), "connection", "warning", "does not report its version"),
        ("/", ({"version": {"number": "8.19.0"}}, {}), "connection", "warning", "preconfigured from 9.3: upgrade"),
        ("/", ({"version": {"number": "8.19.0", "build_flavor": "serverless"}}, {}), "connection", "ok", "serverless"),
        ("/", ({"version": {"number": "9.5.0"}}, {}), "clock", "skipped", "does not have the time"),
        ("/", ({"version": {"number": "9.5.0"}}, {"date": "yesterday"}), "clock", "skipped", "does not have the time"),
        ("/_license", RequestRejectedError("HTTP 410."), "licence", "skipped", "serverless"),
        ("/_license", AuthorizationError("HTTP 403."), "licence", "skipped", "privilege"),
        ("/_license", {"license": {"type": "platinum", "status": "active"}}, "licence", "ok", "Enterprise or trial"),
        ("/_license", {"license": {"type": "trial", "status": "expired"}}, "licence", "failed", "renew it"),
        ("/_license", {"license": {"type": "basic", "status": "active"}}, "licence", "warning", "start a trial"),
        ("/_license", {"nonsense": 1}, "licence", "failed", "has no licence"),
        (
            "/_security/user/_has_privileges",
            {"cluster": {"monitor_inference": False, "manage_inference": False}},
            "privileges",
            "failed",
            "the role inference_user",
        ),
        (
            "/_security/user/_has_privileges",
            {"cluster": {"monitor_inference": True, "manage_inference": False}},
            "privileges",
            "ok",
            "not manage_inference",
        ),
        ("/_security/user/_has_privileges", RequestRejectedError("HTTP 400."), "privileges", "skipped", "may be off"),
        ("/_security/user/_has_privileges", ServiceTimeoutError("Too long."), "privileges", "failed", "Too long."),
        ("/_inference/_all", {"endpoints": []}, "endpoints", "failed", "Cloud Connect"),
        ("/_inference/_all", AuthorizationError("HTTP 403: no."), "endpoints", "failed", "HTTP 403"),
        (f"/_inference/text_embedding/{SMALL}", {"text_embedding": []}, "text_embedding", "failed", "The response was discarded"),
        (f"/_inference/text_embedding/{SMALL}", ConnectionFailedError("It broke."), "text_embedding", "failed", "It broke."),
        (f"/_inference/rerank/{RERANKER}", {"rerank": []}, "rerank", "failed", "document 0 is missing"),
    ],
)
def test_problems_of_a_deployment(path: str, answer: Any, name: str, status: str, message: str) -> None:
    result = check(healthy() | {path: answer}, name)
    assert result.status == status
    assert message in str(result).replace("\n" + " " * 26, " ")


def test_the_licence_that_a_serverless_project_reports_is_not_judged() -> None:
    answers = healthy() | {"/": ({"version": {"number": "9.6.0", "build_flavor": "serverless"}}, {})}
    for licence in ("enterprise", "basic"):
        answers["/_license"] = {"license": {"type": licence, "status": "active"}}
        result = check(answers, "licence")
        assert (result.status, result.found) == (
            "skipped",
            "A serverless project has no licence to choose; inference is part of it.",
        )


def test_the_default_reranker_is_called_before_others() -> None:
    answers = healthy()
    ids = (".jina-reranker-m0", RERANKER, ".jina-reranker-v3.5")
    answers["/_inference/_all"] = {"endpoints": [endpoint(inference_id, "rerank") for inference_id in ids]}
    answers["/_inference/rerank/.jina-reranker-v3.5"] = answers[f"/_inference/rerank/{RERANKER}"]
    assert check(answers, "rerank").found.startswith(".jina-reranker-v3.5: 2 documents ranked")


@pytest.mark.parametrize(("seconds", "message"), [(3600, r"(3600|3599) s behind"), (-60, r"6\d s ahead of")])
def test_a_clock_that_is_wrong(seconds: int, message: str) -> None:
    result = check(healthy(datetime.now(UTC) + timedelta(seconds=seconds)), "clock")
    assert result.status == "warning"
    assert "Retry-After" in result.remedy
    assert re.search(message, result.found)


def test_a_refused_call_reports_how_long_to_wait() -> None:
    answers = healthy() | {f"/_inference/rerank/{RERANKER}": RateLimitError("HTTP 429.", retry_after=12.0)}
    assert check(answers, "rerank").status == "failed"
    limits = check(answers, "limits")
    assert limits.status == "warning"
    assert "asks to wait 12 s" in limits.found


def test_an_endpoint_that_the_region_policy_denies_is_not_called() -> None:
    denied = {
        "denied_by_region_policy": True,
        "regions": [{"csp": "aws", "region": "us-east-1"}],
        "heuristics": {"status": "beta"},
    }
    answers = healthy() | {"/_inference/_all": {"endpoints": [endpoint(RERANKER, "rerank", metadata=denied)]}}
    result = check(answers, "endpoints")
    assert result.status == "warning"
    assert "_region_policy" in result.remedy
    assert result.details == (f"{RERANKER}  rerank, beta, aws us-east-1, denied by the region policy",)
    assert check(answers, "rerank").found == "The region policy denies every endpoint of this task."


def test_the_usual_endpoint_is_called_before_others() -> None:
    other = endpoint(".jina-embeddings-v3", "text_embedding")
    answers = healthy()
    answers["/_inference/_all"]["endpoints"].insert(0, other)
    assert SMALL in check(answers, "text_embedding").found


NONSENSE: list[Any] = [
    None,
    5,
    True,
    "x",
    [],
    ["x"],
    {},
    {"x": 1},
    10**400,
    "²",
    {"date": "Fri, 01 Jan 99999999999999 00:00:00 GMT"},
]


@pytest.mark.parametrize("path", list(healthy()))
@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda value: ascii(value)[:20])
def test_an_invalid_response_is_a_line_of_the_report_and_no_error(path: str, nonsense: Any) -> None:
    for answer in _with_nonsense(healthy()[path], nonsense):
        assert [item.name for item in report(healthy() | {path: answer}).checks] == list(NAMES)


def _with_nonsense(value: Any, nonsense: Any) -> Iterator[Any]:
    """Yield the value with each of its parts, and all of it, replaced by nonsense. Header names are not changed."""
    if isinstance(value, tuple):
        body, headers = value
        yield from ((changed, headers) for changed in _with_nonsense(body, nonsense))
        yield from ((body, {name: str(nonsense)[:50]}) for name in headers)
        yield (body, {"date": "Fri, 01 Jan 99999999999999 00:00:00 GMT"})
        return
    yield nonsense
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for changed in _with_nonsense(part, nonsense):
            copy: Any = value.copy()
            copy[key] = changed
            yield copy


def test_checks_after_a_failed_connection_are_skipped() -> None:
    result = report({"/": InvalidAnswerError("That is not Elasticsearch.")})
    assert not result.ok
    assert [item.status for item in result.checks] == ["ok", "failed", *["skipped"] * (len(NAMES) - 2)]
