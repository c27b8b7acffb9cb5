"""The checks behind `doctor`: settings, connection, clock, licence, privileges, endpoints, and a test call for each task.

Each check sends a request; its result or error becomes one line of the report. A failed check raises nothing. The clocks for
the test calls and the time of day are arguments.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
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
from ..models import DEFAULT_RERANKERS, TASKS, find_model
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

__all__ = ["Check", "Report", "Status", "check_deployment", "settings_report"]

A = TypeVar("A")
Paint = Callable[[str, str], str]
Status = Literal["ok", "warning", "failed", "skipped"]

SKEW = 10.0  # seconds; the Date header has whole seconds, and a Retry-After date may be a few seconds off without harm
OLDEST = (9, 3)  # first Elastic Stack version with preconfigured Jina endpoints
PREFERRED = (".jina-embeddings-v5-text-small", ".jina-embeddings-v5-omni-small", *DEFAULT_RERANKERS)  # called before others
NAMES = ("settings", "connection", "clock", "licence", "privileges", "endpoints", *TASKS, "limits")
WIDTH = 100  # characters in a line of the report
WIDE = 80  # columns from which the results stand beside the names
MARGIN = " " * 26
_WHOLE_WORDS: dict[str, Any] = {"break_on_hyphens": False, "break_long_words": False}

_UNAVAILABLE = (
    "EIS is part of Elastic Cloud Hosted and Serverless; a self-managed cluster uses it through Cloud Connect, from 9.3, with an "
    "Enterprise or trial licence. "
    "Jina endpoints are preconfigured from 9.3."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        name: What was checked, one of `NAMES`.
        status: "ok"; "warning" for a result that works but may surprise; "failed"; "skipped" if the check could not run.
        found: The result, in a sentence.
        remedy: What to do about it; "" for nothing.
        details: Lines of detail.
        seconds: Duration of a test call; None for any other check.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    seconds: float | None = None

    def __str__(self) -> str:
        return self.format(WIDTH)

    def format(self, width: int | None, paint: Paint | None = None, names: str = "") -> str:
        """Return the check in lines of this width; None for one line and one for each detail.

        Args:
            width: Columns of the terminal.
            paint: Returns a text in the colour of a status.
            names: The names of several checks with one result, in place of its own.
        """
        status = paint(f"{self.status:9}", self.status) if paint else f"{self.status:9}"
        text, name = " ".join(filter(None, (self.found, self.remedy))), names or self.name
        if width is None:
            gap = "" if len(name) < len(f"{name:17}") else "  "
            return "\n".join([f"{status}{name:17}{gap}{text}", *(f"{MARGIN}{detail}" for detail in self.details)])
        margin = MARGIN if width >= WIDE else " " * 9
        if width >= WIDE and not names:
            lines = textwrap.wrap(f"{' ' * 9}{name:17}{text}", width, subsequent_indent=margin, **_WHOLE_WORDS)
        else:
            lines = textwrap.wrap(f"{' ' * 9}{name}", width, subsequent_indent=" " * 9, **_WHOLE_WORDS)
            lines += textwrap.wrap(text, width, initial_indent=margin, subsequent_indent=margin, **_WHOLE_WORDS)
        for detail in self.details:
            lines += textwrap.wrap(detail, width, initial_indent=margin, subsequent_indent=f"{margin}  ", **_WHOLE_WORDS)
        return "\n".join([status + lines[0][9:], *lines[1:]])


@dataclass(frozen=True, slots=True)
class Report:
    """The results of `doctor`.

    Attributes:
        checks: One check for each of `NAMES`, in their order.
        endpoints: The Jina endpoints of the deployment.
    """

    checks: tuple[Check, ...]
    endpoints: tuple[EndpointInfo, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check failed. Warnings and skipped checks do not count."""
        return all(check.status != "failed" for check in self.checks)

    def __str__(self) -> str:
        return self.format(WIDTH)

    def format(self, width: int | None, paint: Paint | None = None) -> str:
        """Return the report in lines of this width, None for a pipe. Checks that were skipped for one reason are one entry."""
        lines = []
        for (status, _), group in groupby(self.checks, key=lambda check: (check.status, check.found)):
            first, *others = group
            if others and status == "skipped":
                lines.append(first.format(width, paint, ", ".join(check.name for check in (first, *others))))
            else:
                lines += [check.format(width, paint) for check in (first, *others)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable values."""
        return {
            "ok": self.ok,
            "checks": [asdict(check) for check in self.checks],
            "endpoints": [asdict(endpoint) for endpoint in self.endpoints],
        }


def settings_report(error: ConfigurationError) -> Report:
    """Return the report for invalid settings, with which no other check can run."""
    return _report([_failed("settings", error)])


def check_deployment(address: str, timeout: float, clock: Callable[[], float], now: Callable[[], datetime]) -> Steps[Report]:
    """Run all checks of a deployment.

    Args:
        address: The address and the kind of credentials, in a sentence.
        timeout: Seconds that the service may take for a test call.
        clock: Monotonic seconds, to measure test calls.
        now: The time of day, with its time zone.
    """
    checks = [Check("settings", "ok", address)]
    info = yield from _result_or_error(get_cluster_info())
    if isinstance(info, JinaEISError) and not isinstance(info, AuthorizationError):
        return _report([*checks, _failed("connection", info)])
    checks += [_connection(info), _clock(info, now())]
    checks.append(_licence((yield from _result_or_error(get_licence())), info))
    checks.append(_privileges((yield from _result_or_error(get_privileges(("monitor_inference", "manage_inference"))))))
    all_endpoints = yield from _result_or_error(list_endpoints())
    if isinstance(all_endpoints, JinaEISError):
        return _report([*checks, _failed("endpoints", all_endpoints)])
    endpoints = sorted(filter(is_jina, all_endpoints), key=lambda endpoint: endpoint.inference_id)
    checks.append(_endpoints(endpoints))
    refusal: RateLimitError | None = None
    for task in TASKS:
        check, error = yield from _test_task(task, endpoints, timeout, clock)
        checks.append(check)
        refusal = error if isinstance(error, RateLimitError) else refusal
    return _report([*checks, _limits(endpoints, refusal)], endpoints)


def _report(checks: list[Check], endpoints: Sequence[EndpointInfo] = ()) -> Report:
    """Return the report. Checks that did not run are added as skipped."""
    done = {check.name for check in checks}
    skipped = [Check(name, "skipped", f"The check of {checks[-1].name} failed.") for name in NAMES if name not in done]
    return Report((*checks, *skipped), tuple(endpoints))


def _result_or_error(call: Call[A]) -> Generator[Any, list[Any], A | JinaEISError]:
    try:
        (result,) = yield from ask([call])
    except JinaEISError as error:
        return error
    return result


def _failed(name: str, error: JinaEISError) -> Check:
    text = str(error)
    if isinstance(error, ConfigurationError) and not error.remedy:  # its first sentence states the problem, the others what to do
        found, _, remedy = text.partition(". ")
        return Check(name, "failed", f"{found}." if remedy else found, remedy)
    remedy = error.remedy if error.remedy and text.endswith(error.remedy) else ""
    return Check(name, "failed", text.removesuffix(remedy).rstrip(), remedy)


def _connection(info: ClusterInfo | JinaEISError) -> Check:
    if isinstance(info, JinaEISError):  # a key that may use EIS may lack the privilege to see the version
        return Check("connection", "warning", f"Elasticsearch responds, but does not report its version. {info}")
    found = f'Elasticsearch {info.version} ({info.flavour}), cluster "{info.cluster}".'
    version = tuple(int(part) for part in info.version.split(".")[:2] if part.isdecimal())
    if info.flavour != "serverless" and version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Check("connection", "warning", found, f"Jina endpoints are preconfigured from {oldest}: upgrade the deployment.")
    return Check("connection", "ok", found)


def _clock(info: ClusterInfo | JinaEISError, now: datetime) -> Check:
    if isinstance(info, JinaEISError) or info.date is None:
        return Check("clock", "skipped", "The response does not have the time of the server.")
    seconds = (now - info.date).total_seconds()
    if abs(seconds) > SKEW:
        found = f"This machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the server's."
        return Check("clock", "warning", found, "Set it: a date in Retry-After would be misread by this difference.")
    return Check("clock", "ok", "This machine's clock and the server's agree.")


def _licence(result: Any, info: ClusterInfo | JinaEISError) -> Check:
    if isinstance(info, ClusterInfo) and info.flavour == "serverless":  # it may still return one
        return Check("licence", "skipped", "A serverless project has no licence to choose; inference is part of it.")
    if isinstance(result, (RequestRejectedError, AuthorizationError, ServiceError)):
        found = "It cannot be read: a serverless project has none, and others need a privilege to read it."
        return Check("licence", "skipped", found)
    if isinstance(result, JinaEISError):
        return _failed("licence", result)
    until = f", until {result.expires}" if result.expires else ""
    found = f"{result.type}, {result.status}{until}."
    if result.status != "active":
        return Check("licence", "failed", found, "Inference needs an active licence: renew it.")
    if result.type == "basic":
        return Check("licence", "warning", found, "Inference is not part of a basic licence: start a trial, or upgrade.")
    if result.type not in ("enterprise", "trial"):
        return Check("licence", "ok", found, "On a self-managed cluster, Cloud Connect needs an Enterprise or trial licence.")
    return Check("licence", "ok", found)


def _privileges(result: Any) -> Check:
    if isinstance(result, JinaEISError):
        found = f"Elasticsearch does not report them: its security may be off. {result.reason or ''}"
        return Check("privileges", "skipped", found.strip()) if _is_unreported(result) else _failed("privileges", result)
    if not result["monitor_inference"]:
        remedy = "Give the key this cluster privilege (the role inference_user has it)."
        return Check("privileges", "failed", "monitor_inference is missing.", remedy)
    if not result["manage_inference"]:
        return Check("privileges", "ok", "monitor_inference; not manage_inference, which only creating endpoints needs.")
    return Check("privileges", "ok", "monitor_inference and manage_inference.")


def _is_unreported(error: JinaEISError) -> bool:
    return isinstance(error, (RequestRejectedError, ServiceError, InvalidAnswerError))


def _endpoints(endpoints: Sequence[EndpointInfo]) -> Check:
    if not endpoints:
        return Check("endpoints", "failed", "The deployment has no endpoint with a Jina model.", _UNAVAILABLE)
    width = max(len(endpoint.inference_id) for endpoint in endpoints)
    details = tuple(f"{endpoint.inference_id:{width}}  {_facts(endpoint)}" for endpoint in endpoints)
    found = f"{len(endpoints)} with Jina models."
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


def _test_task(
    task: str, endpoints: Sequence[EndpointInfo], timeout: float, clock: Callable[[], float]
) -> Steps[tuple[Check, JinaEISError | None]]:
    """Make a test call to one endpoint of the task. Returns the check and the error of the call, if there was one."""
    of_task = [endpoint for endpoint in endpoints if endpoint.task == task]
    candidates = sorted((endpoint for endpoint in of_task if not endpoint.denied), key=_preference)
    if not candidates:
        reason = "The region policy denies every endpoint of this task." if of_task else "There is no endpoint of this task."
        return Check(task, "skipped", reason), None
    endpoint = candidates[0]
    start = clock()
    result: Any = yield from _result_or_error(_test_call(endpoint, timeout))
    seconds = clock() - start
    if isinstance(result, JinaEISError):
        return _failed(task, result), result
    summary = "2 documents ranked" if task == "rerank" else f"a vector of {len(result[0])} dimensions"
    return Check(task, "ok", f"{endpoint.inference_id}: {summary} in {seconds * 1000:.0f} ms.", seconds=seconds), None


def _preference(endpoint: EndpointInfo) -> int:
    return PREFERRED.index(endpoint.inference_id) if endpoint.inference_id in PREFERRED else len(PREFERRED)


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
    details = tuple(_published_limits(endpoints))
    if refusal:
        wait = f"{refusal.retry_after:g} s" if refusal.retry_after else "an unspecified time"
        found = f"A test call was refused: other requests use up the limit. The service asks to wait {wait}."
        return Check("limits", "warning", found, refusal.remedy, details)
    found = "No test call was refused." + (" Published limits of an organisation (requests in any minute):" if details else "")
    return Check("limits", "ok", found, details=details)


def _published_limits(endpoints: Sequence[EndpointInfo]) -> Iterator[str]:
    names = sorted({endpoint.model_id for endpoint in endpoints if endpoint.model_id})
    for name in names:
        model = find_model(name)
        if model and model.per_minute:
            yield f"{name}: " + ", ".join(f"{limit:,} {role}" for role, limit in model.per_minute.items())
