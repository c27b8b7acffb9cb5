"""The checks behind `doctor`: one look at everything that has to be right before a deployment embeds and reranks.

Each check sends a request, and its answer or its error becomes one line of the report. A failed check raises nothing. Both
clocks, the one that measures test calls and the time of day, are arguments.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from ..errors import (
    AuthorizationError,
    ConfigurationError,
    InvalidAnswerError,
    JinaEISError,
    RateLimitError,
    RequestRejectedError,
    ServiceError,
)
from ..models import TASKS, find_model
from ..wire import (
    Call,
    ClusterInfo,
    EndpointInfo,
    Steps,
    ask,
    embed,
    get_cluster_info,
    get_licence,
    get_privileges,
    list_endpoints,
    rerank,
)
from .endpoints import is_jina

__all__ = ["Check", "Report", "Status", "examine", "refused_settings"]

A = TypeVar("A")
Status = Literal["ok", "warning", "failed", "skipped"]

SKEW = 10.0  # seconds; the Date header has whole ones, and a Retry-After date that is off by a few harms nobody
OLDEST = (9, 3)  # Elastic Stack with preconfigured endpoints of Jina
USUAL = (".jina-embeddings-v5-text-small", ".jina-embeddings-v5-omni-small", ".jina-reranker-v3")  # tried before others
NAMES = ("settings", "connection", "clock", "licence", "privileges", "endpoints", *TASKS, "limits")
WIDTH = 100  # characters of a line of the report

_UNAVAILABLE = (
    "EIS comes with Elastic Cloud Hosted and Serverless; a self-managed cluster reaches it by Cloud Connect, from 9.3. Endpoints "
    "of Jina are there from 9.3."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        name: What was looked at, one of `NAMES`.
        status: "ok"; "warning" for what works but may surprise; "failed"; "skipped" for what could not be looked at.
        found: What was found, in a sentence.
        remedy: What to do about it; "" if nothing.
        details: Lines that go with it.
        seconds: What a test call took; None for any other check.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    seconds: float | None = None

    def __str__(self) -> str:
        margin = " " * 26
        text = " ".join(filter(None, (self.found, self.remedy)))
        told = textwrap.fill(text, WIDTH, initial_indent=f"{self.status:9}{self.name:17}", subsequent_indent=margin)
        return "\n".join([told, *(f"{margin}{line}" for line in self.details)])


@dataclass(frozen=True, slots=True)
class Report:
    """What `doctor` found.

    Attributes:
        checks: One for each of `NAMES`, in their order.
        endpoints: The endpoints of Jina that the deployment has.
    """

    checks: tuple[Check, ...]
    endpoints: tuple[EndpointInfo, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed. Warnings, and what was skipped, do not count."""
        return all(check.status != "failed" for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return {
            "ok": self.ok,
            "checks": [asdict(check) for check in self.checks],
            "endpoints": [asdict(endpoint) for endpoint in self.endpoints],
        }


def refused_settings(error: ConfigurationError) -> Report:
    """The report of settings that were refused: no other check can run."""
    return _report([_failed("settings", error)])


def examine(address: str, timeout: float, clock: Callable[[], float], now: Callable[[], datetime]) -> Steps[Report]:
    """All checks of a deployment, as steps.

    Args:
        address: Where the deployment is and which credentials are used, in a sentence.
        timeout: Seconds that the service may take for a test call.
        clock: Seconds that never run backwards; they measure test calls.
        now: The time of day, with its time zone.
    """
    checks = [Check("settings", "ok", address)]
    answer = yield from _try(get_cluster_info())
    if isinstance(answer, JinaEISError) and not isinstance(answer, AuthorizationError):
        return _report([*checks, _failed("connection", answer)])
    checks += [_connection(answer), _clock(answer, now())]
    checks.append(_licence((yield from _try(get_licence()))))
    checks.append(_privileges((yield from _try(get_privileges(("monitor_inference", "manage_inference"))))))
    every = yield from _try(list_endpoints())
    if isinstance(every, JinaEISError):
        return _report([*checks, _failed("endpoints", every)])
    endpoints = sorted(filter(is_jina, every), key=lambda each: each.inference_id)
    checks.append(_endpoints(endpoints))
    refusal: RateLimitError | None = None
    for task in TASKS:
        check, error = yield from _call(task, endpoints, timeout, clock)
        checks.append(check)
        refusal = error if isinstance(error, RateLimitError) else refusal
    return _report([*checks, _limits(endpoints, refusal)], endpoints)


def _report(checks: list[Check], endpoints: Sequence[EndpointInfo] = ()) -> Report:
    """The report; what was not come to stands in it as skipped."""
    done = {check.name for check in checks}
    left = [Check(name, "skipped", f"The check of {checks[-1].name} failed.") for name in NAMES if name not in done]
    return Report((*checks, *left), tuple(endpoints))


def _try(call: Call[A]) -> Generator[Any, list[Any], A | JinaEISError]:
    """The answer, or the error in its place."""
    try:
        (answer,) = yield from ask([call])
    except JinaEISError as error:
        return error
    return answer


def _failed(name: str, error: JinaEISError) -> Check:
    text = str(error)
    remedy = error.remedy if error.remedy and text.endswith(error.remedy) else ""
    return Check(name, "failed", text.removesuffix(remedy).rstrip(), remedy)


def _connection(answer: ClusterInfo | JinaEISError) -> Check:
    if isinstance(answer, JinaEISError):  # who may use EIS need not be allowed to see the version
        return Check("connection", "warning", f"Elasticsearch answers, but does not say which it is. {answer}")
    found = f'Elasticsearch {answer.version} ({answer.flavour}), cluster "{answer.cluster}".'
    numbers = tuple(int(part) for part in answer.version.split(".")[:2] if part.isdecimal())
    if answer.flavour != "serverless" and numbers < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return Check(
            "connection", "warning", found, f"Endpoints of Jina are preconfigured from {wanted}: upgrade the deployment."
        )
    return Check("connection", "ok", found)


def _clock(answer: ClusterInfo | JinaEISError, now: datetime) -> Check:
    if isinstance(answer, JinaEISError) or answer.date is None:
        return Check("clock", "skipped", "The answer does not tell the time of the server.")
    seconds = (now - answer.date).total_seconds()
    if abs(seconds) > SKEW:
        found = f"This machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the server's."
        return Check("clock", "warning", found, "Set it: a Retry-After that is a date would be misread by as much.")
    return Check("clock", "ok", "This machine's clock and the server's agree.")


def _licence(answer: Any) -> Check:
    if isinstance(answer, (RequestRejectedError, AuthorizationError, ServiceError)):
        return Check(
            "licence", "skipped", "It is not told here: a serverless project has none, and others need a privilege for it."
        )
    if isinstance(answer, JinaEISError):
        return _failed("licence", answer)
    until = f", until {answer.expires}" if answer.expires else ""
    found = f"{answer.type}, {answer.status}{until}."
    if answer.status != "active":
        return Check("licence", "failed", found, "Inference needs a licence that is active: renew it.")
    if answer.type == "basic":
        return Check("licence", "warning", found, "Inference is not part of a basic licence: start a trial, or upgrade.")
    return Check("licence", "ok", found)


def _privileges(answer: Any) -> Check:
    if isinstance(answer, JinaEISError):
        found = f"Elasticsearch does not tell them: its security may be off. {answer.reason or ''}"
        return Check("privileges", "skipped", found.strip()) if _untold(answer) else _failed("privileges", answer)
    if not answer["monitor_inference"]:
        remedy = "Give the key that cluster privilege (the role inference_user has it)."
        return Check("privileges", "failed", "monitor_inference is missing.", remedy)
    if not answer["manage_inference"]:
        return Check("privileges", "ok", "monitor_inference; not manage_inference, which only making endpoints needs.")
    return Check("privileges", "ok", "monitor_inference and manage_inference.")


def _untold(error: JinaEISError) -> bool:
    return isinstance(error, (RequestRejectedError, ServiceError, InvalidAnswerError))


def _endpoints(endpoints: Sequence[EndpointInfo]) -> Check:
    if not endpoints:
        return Check("endpoints", "failed", "The deployment has no endpoint with a model of Jina.", _UNAVAILABLE)
    width = max(len(endpoint.inference_id) for endpoint in endpoints)
    details = tuple(f"{endpoint.inference_id:{width}}  {_facts(endpoint)}" for endpoint in endpoints)
    found = f"{len(endpoints)} with models of Jina."
    if denied := sum(endpoint.denied for endpoint in endpoints):
        remedy = "Allow one of its regions (PUT _inference/_region_policy), or choose an endpoint that is not denied."
        return Check("endpoints", "warning", f"{found} The region policy denies {denied} of them.", remedy, details)
    return Check("endpoints", "ok", found, details=details)


def _facts(endpoint: EndpointInfo) -> str:
    facts = [
        endpoint.task,
        "" if endpoint.service == "elastic" else f"service {endpoint.service}",
        f"{endpoint.dimensions} dimensions" if endpoint.dimensions else "",
        endpoint.status or "",
        " and ".join(endpoint.regions),
        "denied by the region policy" if endpoint.denied else "",
    ]
    return ", ".join(filter(None, facts))


def _call(
    task: str, endpoints: Sequence[EndpointInfo], timeout: float, clock: Callable[[], float]
) -> Steps[tuple[Check, JinaEISError | None]]:
    """A test call to one endpoint of the task, and the error that it ended with."""
    of_task = [endpoint for endpoint in endpoints if endpoint.task == task]
    able = sorted((each for each in of_task if not each.denied), key=lambda each: each.inference_id not in USUAL)
    if not able:
        why = "The region policy denies every endpoint of this task." if of_task else "There is no endpoint of this task."
        return Check(task, "skipped", why), None
    endpoint = able[0]
    began = clock()
    answer: Any = yield from _try(_test_call(endpoint, timeout))
    seconds = clock() - began
    if isinstance(answer, JinaEISError):
        return _failed(task, answer), answer
    what = "2 documents ranked" if task == "rerank" else f"a vector of {len(answer[0])} dimensions"
    return Check(task, "ok", f"{endpoint.inference_id}: {what} in {seconds * 1000:.0f} ms.", seconds=seconds), None


def _test_call(endpoint: EndpointInfo, timeout: float) -> Call[Any]:
    name = endpoint.inference_id
    if endpoint.task == "rerank":
        return rerank(name, "How do glaciers move?", ["Bread rises.", "A glacier flows."], timeout=timeout, inputs=range(2))
    return embed(
        "text_embedding" if endpoint.task == "text_embedding" else "embedding",
        name,
        ["How do glaciers move?"],
        "search",
        timeout=timeout,
        dimensions=endpoint.dimensions,
        inputs=range(1),
        completed=0,
    )


def _limits(endpoints: Sequence[EndpointInfo], refusal: RateLimitError | None) -> Check:
    details = tuple(_published(endpoints))
    if refusal:
        wait = f"{refusal.retry_after:g} s" if refusal.retry_after else "some time of its own choice"
        found = f"A test call was refused: others use up what is allowed. The service asks to wait {wait}."
        return Check("limits", "warning", found, refusal.remedy, details)
    found = "No test call was refused." + (" Published for an organisation, requests in any minute:" if details else "")
    return Check("limits", "ok", found, details=details)


def _published(endpoints: Sequence[EndpointInfo]) -> Iterator[str]:
    names = sorted({endpoint.model_id for endpoint in endpoints if endpoint.model_id})
    for name in names:
        model = find_model(name)
        if model and model.per_minute:
            yield f"{name}: " + ", ".join(f"{most:,} {role}" for role, most in model.per_minute.items())
