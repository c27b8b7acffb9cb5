"""What is sent about inference endpoints and the deployment itself, and what comes back.

The second half of `wire.py`, under the same rule: nothing else knows JSON, paths or parameters, and a reader returns what
was asked for or raises a typed error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

from ..errors import InvalidAnswerError
from .call import Call
from .inference import duration, list_of

__all__ = [
    "About",
    "EndpointInfo",
    "Licence",
    "about",
    "delete_endpoint",
    "get_endpoint",
    "licence",
    "list_endpoints",
    "privileges",
    "put_endpoint",
]


K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """What Elasticsearch says of an inference endpoint.

    Attributes:
        inference_id: Its id.
        task: The task it answers; one that this library does not call is possible.
        service: `elastic` for EIS.
        model_id: The service's name of the model, if it has one.
        dimensions: Length of its vectors, where Elasticsearch knows it.
        similarity: How its vectors are compared, where Elasticsearch knows it.
        chunking_settings: How a `semantic_text` field cuts texts for it; None for a reranker.
        status: "preview", "beta" or "ga", as Elastic calls a preconfigured endpoint; None for any other.
        regions: Where a preconfigured endpoint runs, such as "aws us-east-1".
        denied: Whether the deployment's region policy forbids it.
    """

    inference_id: str
    task: str
    service: str
    model_id: str | None
    dimensions: int | None
    similarity: str | None = None
    chunking_settings: Mapping[str, Any] | None = None
    status: str | None = None
    regions: tuple[str, ...] = ()
    denied: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What a deployment says of itself.

    Attributes:
        cluster: Its name.
        version: Of Elasticsearch, such as "9.5.0".
        flavour: "default" or "serverless".
        date: Its clock, to the second, where the answer told it.
    """

    cluster: str
    version: str
    flavour: str
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a deployment: type, "active" or not, and its end, if it has one."""

    type: str
    status: str
    expires: str | None


def get_endpoint(inference_id: str) -> Call[EndpointInfo]:
    """Describe one endpoint. Asked once for the life of a driver."""
    return Call("GET", _path(inference_id), _read_only_endpoint, endpoint=inference_id, keep=True)


def list_endpoints() -> Call[list[EndpointInfo]]:
    """Describe every endpoint of the deployment."""
    return Call("GET", "/_inference/_all", _read_endpoints)


def put_endpoint(
    inference_id: str,
    task: str,
    service_settings: Mapping[str, Any],
    chunking_settings: Mapping[str, Any] | None,
    *,
    timeout: float,
) -> Call[EndpointInfo]:
    """Create an endpoint of EIS. Elasticsearch tries it by a call to the service before it answers."""
    body = {"service": "elastic", "service_settings": dict(service_settings)}
    return Call(
        "PUT",
        f"/_inference/{task}/{quote(inference_id, safe='')}",
        _read_endpoint,
        params={"timeout": duration(timeout)},
        body=body if chunking_settings is None else body | {"chunking_settings": dict(chunking_settings)},
        endpoint=inference_id,
        outdates=_path(inference_id),
    )


def delete_endpoint(inference_id: str, *, force: bool) -> Call[None]:
    """Delete an endpoint; by force also one that is preconfigured or in use."""
    return Call(
        "DELETE",
        _path(inference_id),
        lambda body: None,
        params={"force": "true"} if force else {},
        endpoint=inference_id,
        outdates=_path(inference_id),
    )


def about() -> Call[About]:
    """Which Elasticsearch answers."""
    return Call("GET", "/", _read_about, with_headers=True)


def licence() -> Call[Licence]:
    """The licence; a serverless project has none, and refuses."""
    return Call("GET", "/_license", _read_licence)


def privileges(names: Sequence[str]) -> Call[dict[str, bool]]:
    """Which of these cluster privileges the caller has."""
    return Call("POST", "/_security/user/_has_privileges", lambda body: _read_privileges(body, names), body={"cluster": [*names]})


def _path(inference_id: str) -> str:
    return f"/_inference/{quote(inference_id, safe='')}"


def _read_endpoints(body: Any) -> list[EndpointInfo]:
    return [_read_endpoint(item) for item in list_of(body, "endpoints")]


def _read_only_endpoint(body: Any) -> EndpointInfo:
    infos = _read_endpoints(body)
    if len(infos) != 1:
        raise InvalidAnswerError(f"Elasticsearch was asked for one inference endpoint and described {len(infos)}.")
    return infos[0]


def _read_endpoint(item: Any) -> EndpointInfo:
    item = _object(item)
    settings, metadata = _object(item.get("service_settings")), _object(item.get("metadata"))
    regions = metadata.get("regions")
    try:
        return EndpointInfo(
            inference_id=str(item["inference_id"]),
            task=str(item["task_type"]),
            service=str(item["service"]),
            model_id=_only(str, settings.get("model_id")),
            dimensions=_only(int, settings.get("dimensions")),
            similarity=_only(str, settings.get("similarity")),
            chunking_settings=_only(dict, item.get("chunking_settings")),
            status=_only(str, _object(metadata.get("heuristics")).get("status")),
            regions=tuple(_region(_object(each)) for each in regions) if isinstance(regions, list) else (),
            denied=metadata.get("denied_by_region_policy") is True,
        )
    except KeyError:
        raise InvalidAnswerError("Elasticsearch described an inference endpoint without its id, task or service.") from None


def _region(region: Mapping[str, Any]) -> str:
    return f"{region.get('csp', '')} {region.get('region', '')}".strip()


def _read_about(answer: Any) -> About:
    body, headers = answer
    version = _object(_object(body).get("version"))
    try:
        date = parsedate_to_datetime(headers.get("date") or "")
    except (ValueError, TypeError, OverflowError):  # Python 3.10 raises TypeError for some malformed dates
        date = None
    return About(
        cluster=str(_object(body).get("cluster_name", "")),
        version=str(version.get("number", "")),
        flavour=str(version.get("build_flavor", "default")),
        date=date and date.replace(tzinfo=date.tzinfo or UTC),
    )


def _read_licence(body: Any) -> Licence:
    found = _object(_object(body).get("license"))
    if not found:
        raise InvalidAnswerError("The answer tells no licence.")
    expires = found.get("expiry_date")
    return Licence(str(found.get("type", "")), str(found.get("status", "")), None if expires is None else str(expires)[:10])


def _read_privileges(body: Any, names: Sequence[str]) -> dict[str, bool]:
    found = _object(_object(body).get("cluster"))
    if missing := [name for name in names if not isinstance(found.get(name), bool)]:
        raise InvalidAnswerError(f"The answer does not tell of the privilege {missing[0]}.")
    return {name: found[name] for name in names}


def _only(kind: type[K], value: Any) -> K | None:
    """The value if it is of that kind; what is told in another way is as good as untold."""
    return value if type(value) is kind else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
