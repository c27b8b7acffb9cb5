"""Requests about inference endpoints and the deployment, and the readers of their responses."""

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
    "ClusterInfo",
    "EndpointInfo",
    "Licence",
    "delete_endpoint",
    "get_cluster_info",
    "get_endpoint",
    "get_licence",
    "get_privileges",
    "get_version",
    "list_endpoints",
    "put_endpoint",
]


K = TypeVar("K")

EMBEDDED_UUID = "jina-eis-local-not-a-cluster"  # the cluster_uuid of the embedded server


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """An inference endpoint, as Elasticsearch describes it.

    Attributes:
        inference_id: Its id.
        task: Its task, which may be one that this library does not call.
        service: `elastic` for EIS.
        model_id: The service's name of the model, if it has one.
        dimensions: Length of its vectors, if Elasticsearch knows it.
        similarity: Similarity measure of its vectors, if Elasticsearch knows it.
        chunking_settings: How a `semantic_text` field splits texts for it; None for a reranker.
        status: "preview", "beta" or "ga", Elastic's term for a preconfigured endpoint; None for any other.
        regions: Regions of a preconfigured endpoint, such as "aws us-east-1".
        denied: Whether the deployment's region policy denies it.
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
class ClusterInfo:
    """The name, version and clock of a deployment.

    Attributes:
        cluster: Name of the cluster.
        version: Version of Elasticsearch, such as "9.5.0".
        flavour: "default" or "serverless".
        date: Its clock, to the second, if the response has a date.
    """

    cluster: str
    version: str
    flavour: str
    date: datetime | None


@dataclass(frozen=True, slots=True)
class About:
    """Description of a deployment by itself.

    Attributes:
        number: Its version, such as "9.5.3".
        flavour: "default", or "serverless", which has no version of its own.
        stand_in: For the embedded server, a text that names the model behind its endpoints; else "".
    """

    number: str
    flavour: str
    stand_in: str


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a deployment: its type, "active" or another status, and its expiry date, if it has one."""

    type: str
    status: str
    expires: str | None


def get_endpoint(inference_id: str) -> Call[EndpointInfo]:
    """Describe one endpoint. Sent once in the life of a driver."""
    return Call("GET", _path(inference_id), _read_only_endpoint, endpoint=inference_id, cache=True)


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
    """Create an endpoint of EIS. Elasticsearch tests it with a call to the service before it responds."""
    body = {"service": "elastic", "service_settings": dict(service_settings)}
    return Call(
        "PUT",
        f"/_inference/{task}/{quote(inference_id, safe='')}",
        _read_endpoint,
        params={"timeout": duration(timeout)},
        body=body if chunking_settings is None else body | {"chunking_settings": dict(chunking_settings)},
        endpoint=inference_id,
        invalidates=_path(inference_id),
    )


def delete_endpoint(inference_id: str, *, force: bool) -> Call[None]:
    """Delete an endpoint; with `force` also one that is preconfigured or in use."""
    return Call(
        "DELETE",
        _path(inference_id),
        lambda body: None,
        params={"force": "true"} if force else {},
        endpoint=inference_id,
        invalidates=_path(inference_id),
    )


def get_cluster_info() -> Call[ClusterInfo]:
    """Describe the cluster."""
    return Call("GET", "/", _read_cluster_info, with_headers=True)


def get_version() -> Call[About]:
    """Return the deployment's description of itself. Sent once in the life of a driver."""
    return Call("GET", "/", _read_about, cache=True, cache_refusal=True)


def get_licence() -> Call[Licence]:
    """Describe the licence. A serverless project has none and rejects the request."""
    return Call("GET", "/_license", _read_licence)


def get_privileges(names: Sequence[str]) -> Call[dict[str, bool]]:
    """Return whether the caller has each of these cluster privileges."""
    return Call("POST", "/_security/user/_has_privileges", lambda body: _read_privileges(body, names), body={"cluster": [*names]})


def _path(inference_id: str) -> str:
    return f"/_inference/{quote(inference_id, safe='')}"


def _read_endpoints(body: Any) -> list[EndpointInfo]:
    return [_read_endpoint(item) for item in list_of(body, "endpoints")]


def _read_only_endpoint(body: Any) -> EndpointInfo:
    infos = _read_endpoints(body)
    if len(infos) != 1:
        raise InvalidAnswerError(f"Elasticsearch described {len(infos)} inference endpoints instead of one.")
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
            model_id=_if_type(str, settings.get("model_id")),
            dimensions=_if_type(int, settings.get("dimensions")),
            similarity=_if_type(str, settings.get("similarity")),
            chunking_settings=_if_type(dict, item.get("chunking_settings")),
            status=_if_type(str, _object(metadata.get("heuristics")).get("status")),
            regions=tuple(_region(_object(region)) for region in regions) if isinstance(regions, list) else (),
            denied=metadata.get("denied_by_region_policy") is True,
        )
    except KeyError:
        raise InvalidAnswerError("Elasticsearch described an inference endpoint without its id, task or service.") from None


def _region(region: Mapping[str, Any]) -> str:
    return f"{region.get('csp', '')} {region.get('region', '')}".strip()


def _read_cluster_info(answer: Any) -> ClusterInfo:
    body, headers = answer
    about = _read_about(body)
    try:
        date = parsedate_to_datetime(headers.get("date") or "")
    except (ValueError, OverflowError):
        date = None
    return ClusterInfo(
        cluster=str(_object(body).get("cluster_name", "")),
        version=about.number,
        flavour=about.flavour,
        date=date and date.replace(tzinfo=date.tzinfo or UTC),
    )


def _read_about(body: Any) -> About:
    about = _object(body)
    version = _object(about.get("version"))
    stand_in = str(about.get("tagline", "")) if about.get("cluster_uuid") == EMBEDDED_UUID else ""
    return About(str(version.get("number", "")), str(version.get("build_flavor", "default")), stand_in)


def _read_licence(body: Any) -> Licence:
    licence = _object(_object(body).get("license"))
    if not licence:
        raise InvalidAnswerError("The response has no licence.")
    expires = licence.get("expiry_date")
    return Licence(str(licence.get("type", "")), str(licence.get("status", "")), None if expires is None else str(expires)[:10])


def _read_privileges(body: Any, names: Sequence[str]) -> dict[str, bool]:
    cluster = _object(_object(body).get("cluster"))
    if missing := [name for name in names if not isinstance(cluster.get(name), bool)]:
        raise InvalidAnswerError(f"The response does not state whether the caller has the privilege {missing[0]}.")
    return {name: cluster[name] for name in names}


def _if_type(kind: type[K], value: Any) -> K | None:
    """Return the value if it is of this type, else None."""
    return value if type(value) is kind else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
