"""The inference endpoints of the cluster: GET, PUT with its checks, DELETE.

Knows Jina's models and the settings of endpoints. Must not know inference bodies, stand-ins or HTTP.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from ...models import MODELS, EmbeddingModel, EmbeddingTask, Model
from ..refusals import Json, RefusedError, gateway_refusal, invalid, not_implemented, status_error
from ..unsupported import refuse_unsupported
from ..versions import Version
from .bodies import parse_task, read_body
from .fields import CHUNKING, METADATA, SIMILARITIES, SIZES
from .others import LISTED, OTHERS, PAGE_MODELS, PageModel

KNOWN = (*MODELS, *OTHERS, *PAGE_MODELS)
USER_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An inference endpoint of the `elastic` service."""

    id: str
    model: Model | PageModel
    service_settings: Json
    chunking_settings: Json | None = None
    denied: bool | None = None
    """Whether the region policy denies it; None for a created endpoint, which has no metadata."""

    @property
    def task(self) -> str:
        """The task of the model, the only one that the endpoint accepts."""
        return self.model.task

    @property
    def dimensions(self) -> int:
        """The length of the vectors. A reranker has none."""
        return int(self.service_settings["dimensions"])

    def to_json(self) -> Json:
        """Return the endpoint as GET returns it."""
        data = {"inference_id": self.id, "task_type": self.task, "service": "elastic", "service_settings": self.service_settings}
        chunking = {} if self.chunking_settings is None else {"chunking_settings": self.chunking_settings}
        metadata = {} if self.denied is None else {"metadata": METADATA | {"denied_by_region_policy": self.denied}}
        return data | chunking | metadata


def new_endpoint(
    endpoint: str, model_id: str, model: Model | PageModel, settings: Json, chunking: Json | None, denied: bool | None = None
) -> Endpoint:
    if not isinstance(model, EmbeddingModel):
        return Endpoint(endpoint, model, {"model_id": model_id}, denied=denied)
    settings = {"model_id": model_id, "similarity": "cosine", "dimensions": model.dimensions} | settings
    return Endpoint(endpoint, model, settings, chunking or CHUNKING, denied)


class Registry:
    """The endpoints of the cluster; thread safe.

    Only models that this version lists have preconfigured endpoints, of which the region policy denies some. Without `eis`,
    there are no endpoints and none can be created.
    """

    def __init__(self, version: Version, *, eis: bool = True, denied: Collection[str] = ()) -> None:
        self.version = version
        self._lock = threading.Lock()
        self._eis = eis
        models = [model for model in KNOWN if eis and model.endpoint and Version.parse(model.since) <= version]
        self._endpoints = {
            model.endpoint: new_endpoint(model.endpoint, model.name, model, {}, None, model.endpoint in denied)
            for model in models
        }
        listed = [entry for since, entry in LISTED if Version.parse(since) <= version]
        self._listed = {entry["inference_id"]: entry for entry in listed if eis or entry["service"] != "elastic"}
        self._reserved = frozenset(self._endpoints) | frozenset(self._listed)
        self._keep: Callable[[str, Json | None], None] = lambda endpoint, definition: None

    def restore(self, stored: Iterable[tuple[str, Json]], keep: Callable[[str, Json | None], None]) -> None:
        """Add stored endpoints; call `keep` with the definition of each one created later, and with None for each deleted."""
        for endpoint, definition in stored:
            with self._lock:
                self._endpoints[endpoint] = self._new(definition["task_type"], endpoint, definition)
        self._keep = keep

    def get(self, endpoint: str, *tasks: str) -> Endpoint:
        """Return the endpoint of this id; raises RefusedError if there is none (404), or if it has none of these tasks."""
        found = self.find(endpoint)
        if endpoint in self._listed:
            raise not_implemented(f"inference endpoint {endpoint}")
        if found is None:
            raise RefusedError(404, "resource_not_found_exception", f"Inference endpoint not found [{endpoint}]")
        if tasks and found.task not in tasks:
            raise status_error(f"Incompatible task_type [{found.task}] of [{endpoint}], expected [{' or '.join(tasks)}]")
        return found

    def find(self, endpoint: str) -> Endpoint | None:
        """Return the endpoint of this id, or None."""
        with self._lock:
            return self._endpoints.get(endpoint)

    def show(self, task: str | None, endpoint: str) -> Json:
        """Return the response to GET."""
        if endpoint in self._listed and task in (None, self._listed[endpoint]["task_type"]):
            return {"endpoints": [self._listed[endpoint]]}
        if endpoint != "_all":
            return {"endpoints": [self.get(endpoint, *([task] if task else [])).to_json()]}
        with self._lock:
            entries = self._listed | {name: entry.to_json() for name, entry in self._endpoints.items()}
        return {"endpoints": [entry for _, entry in sorted(entries.items()) if task in (None, entry["task_type"])]}

    def put(self, task: str | None, endpoint: str, raw: bytes) -> Json:
        """Create an endpoint, and return the response to PUT."""
        body = read_body(raw)
        tasks = {parse_task(str(name), self.version) for name in (task, body.get("task_type")) if name is not None}
        if len(tasks) != 1:
            raise status_error("the request URL or the body must have a [task_type], and the same one if both have it")
        body["task_type"] = tasks.pop()
        created = self._new(body["task_type"], endpoint, body)
        with self._lock:
            if endpoint in self._endpoints:
                raise RefusedError(400, "resource_already_exists_exception", f"Inference endpoint [{endpoint}] already exists")
            self._endpoints[endpoint] = created
            self._keep(endpoint, body)
        return created.to_json()

    def delete(self, task: str | None, endpoint: str, users: Sequence[str], *, force: bool, dry_run: bool) -> Json:
        """Delete an endpoint, and return the response to DELETE; `users` are the indices with a field of it."""
        self.get(endpoint, *([task] if task else []))
        if endpoint in self._reserved and not force:
            raise status_error(f"[{endpoint}] is a reserved inference endpoint. Use the force=true query parameter to delete it.")
        in_use = (
            f"Inference endpoint {endpoint} is being used in the mapping for indexes: {users}. Use force to delete it anyway."
        )
        if dry_run:
            return {"acknowledged": False, "pipelines": [], "indexes": users} | ({"error_message": in_use} if users else {})
        if users and not force:
            raise status_error(in_use, 409)
        with self._lock:
            self._endpoints.pop(endpoint, None)
            self._keep(endpoint, None)
        return {"acknowledged": True, "pipelines": [], "indexes": []}

    def _new(self, task: str, endpoint: str, body: Json) -> Endpoint:
        if endpoint in self._reserved:
            raise status_error(f"[{endpoint}] is a reserved inference ID. Cannot create a new inference endpoint with it.")
        if not USER_ID.fullmatch(endpoint):
            raise invalid(f"Invalid inference_id; '{endpoint}' must match {USER_ID.pattern}")
        if body.get("service") != "elastic" or task not in {model.task for model in KNOWN}:
            refuse_unsupported("service", body.get("service"), f"service [{body.get('service')}]")
            raise status_error(f"Service [{body.get('service')}] does not exist, or does not support task type [{task}]")
        settings = check_service_settings(task, as_object(body, "service_settings"))
        refuse_unknown(as_object(body, "task_settings"), ())
        known = ("task_type", "service", "service_settings", "task_settings")
        refuse_unknown(body, (*known, "chunking_settings") if task in get_args(EmbeddingTask) else known)
        model_id = settings.pop("model_id")
        if not self._eis:
            raise gateway_refusal(endpoint, 403, "the local EIS was started with eis=False")
        model = resolve_model(task, endpoint, model_id, settings.get("dimensions"))
        return new_endpoint(endpoint, model_id, model, settings, as_object(body, "chunking_settings") or None)


def check_service_settings(task: str, settings: Json) -> Json:
    """Check the settings of a new endpoint, and return a copy."""
    refuse_unknown(settings, ("model_id", "similarity", *SIZES) if task in get_args(EmbeddingTask) else ("model_id",))
    model_id, sizes = settings.get("model_id"), {name: settings.get(name, 1) for name in SIZES}
    checks = [
        (isinstance(model_id, str) and bool(model_id), "[model_id] must be a non-empty string"),
        (settings.get("similarity", "cosine") in SIMILARITIES, f"[similarity] must be one of [{', '.join(SIMILARITIES)}]"),
        *((type(size) is int and size > 0, f"[{name}] must be a positive integer") for name, size in sizes.items()),
    ]
    for valid, problem in checks:
        if not valid:
            raise invalid(f"[service_settings] {problem}", kind="validation_exception")
    return dict(settings)


def resolve_model(task: str, endpoint: str, model_id: str, dimensions: int | None) -> Model | PageModel:
    """Return the model; raises the error of the service, which Elasticsearch calls to check these settings."""
    model = next((model for model in KNOWN if model_id in (model.name, *getattr(model, "aliases", ()))), None)
    if model is None:
        raise gateway_refusal(endpoint, 404, f"the local EIS has no model [{model_id}]")
    if model.task != task:
        raise gateway_refusal(endpoint, 400, f"model [{model_id}] is for [{model.task}]")
    if isinstance(model, EmbeddingModel):
        lengths = sorted({model.dimensions, *model.matryoshka, *model.disputed})
        if dimensions is not None and dimensions not in lengths:
            raise gateway_refusal(endpoint, 400, f"[dimensions] of [{model_id}] must be one of {lengths}")
    return model


def as_object(body: Json, name: str) -> Json:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise status_error(f"[{name}] must be an object")
    return value


def refuse_unknown(settings: Json, known: Collection[str]) -> None:
    unknown = ", ".join(f"{name}={value}" for name, value in settings.items() if name not in known)
    if unknown:
        raise status_error(f"Configuration contains settings [{{{unknown}}}] unknown to the [elastic] service")
