"""Inference endpoints, as steps: describe, list, create and delete them.

Preconfigured endpoints are known from the table of models and need no request; any other endpoint is requested once.
Steps that change a deployment, or show it to a person, request every endpoint from the deployment.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConfigurationError, EndpointExistsError, EndpointNotFoundError, JinaEISError, RequestRejectedError
from ..models import MODELS, SIMILARITIES, TASKS, EmbeddingModel, Model, find_model, preconfigured
from ..wire import EndpointInfo, Steps, ask, delete_endpoint, get_endpoint, list_endpoints, put_endpoint
from .names import check_name, resolve, suggestion

__all__ = [
    "EndpointSpec",
    "check_dimensions",
    "describe_endpoint",
    "explain",
    "fetch_endpoint",
    "find_endpoints",
    "known_endpoint",
    "remove_endpoint",
]

_USER_ID = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")  # as Elasticsearch requires; ids with a dot are its own


def describe_endpoint(inference_id: str) -> Steps[EndpointInfo]:
    """Describe an endpoint: from the table if it is preconfigured, from the deployment otherwise.

    Args:
        inference_id: Its id, or a name of its model; the result has the id to call.

    Raises:
        EndpointNotFoundError: the deployment has no endpoint with this id; the driver adds its Jina endpoints to the message.
    """
    inference_id = yield from resolve(inference_id)
    if known := known_endpoint(inference_id):
        return known
    (endpoint,) = yield from ask([get_endpoint(inference_id)])
    return endpoint


def known_endpoint(inference_id: str) -> EndpointInfo | None:
    """Return the description of a preconfigured endpoint; None for any other name.

    Its id is certain only if the name begins with a dot: `describe_endpoint` finds that of an alias.

    Raises:
        ConfigurationError: no endpoint can have this name.
    """
    if inference_id:
        check_name(inference_id)
    model = preconfigured(inference_id)
    if model is None:
        return None
    dimensions = None if model.task == "rerank" else model.dimensions
    found = inference_id if inference_id.startswith(".") else model.endpoint
    return EndpointInfo(found, model.task, "elastic", model.name, dimensions)


def fetch_endpoint(inference_id: str) -> Steps[EndpointInfo]:
    """Request the current description of an endpoint from the deployment, even if it is known.

    Args:
        inference_id: Its id, or a name of its model.
    """
    return (yield from _fetch((yield from resolve(_checked_id(inference_id)))))


def _fetch(inference_id: str) -> Steps[EndpointInfo]:
    (endpoint,) = yield from ask([replace(get_endpoint(inference_id), cache=False)])
    return endpoint


def find_endpoints(*, every: bool) -> Steps[list[EndpointInfo]]:
    """Return the endpoints of the deployment, sorted by id: those with Jina models, or all."""
    (endpoints,) = yield from ask([list_endpoints()])
    return sorted((endpoint for endpoint in endpoints if every or is_jina(endpoint)), key=lambda endpoint: endpoint.inference_id)


def is_jina(endpoint: EndpointInfo) -> bool:
    """Whether an endpoint has a Jina model."""
    return "jina" in (endpoint.model_id or endpoint.inference_id)


def remove_endpoint(inference_id: str, *, force: bool) -> Steps[None]:
    """Delete an endpoint.

    Raises:
        ConfigurationError: it is preconfigured, and `force` is not set.
        EndpointNotFoundError: no endpoint has this id.
        RequestRejectedError: it is in use, and `force` is not set.
    """
    if preconfigured(_checked_id(inference_id)) and not force:
        raise ConfigurationError(
            f"{inference_id} is preconfigured: fields that name no endpoint may use it. Pass force=True (--force) to delete it."
        )
    try:
        yield from ask([delete_endpoint(inference_id, force=force)])
    except EndpointNotFoundError as error:
        if not error.retries:  # after a retry, an earlier request may have deleted it and its response was lost
            raise


def explain(error: EndpointNotFoundError) -> Steps[EndpointNotFoundError]:
    """Return the same error with the first version that has the endpoint, and the Jina endpoints of the deployment."""
    try:
        endpoints = yield from find_endpoints(every=True)
    except JinaEISError:
        return error  # a caller without the privilege to list endpoints receives the original error
    missing = error.endpoint or ""
    others = [endpoint for endpoint in endpoints if endpoint.inference_id != missing]  # it may have just been created
    jina = [endpoint.inference_id for endpoint in others if is_jina(endpoint)]
    sentences = [f"There is no inference endpoint {missing!r}."]
    usable = {endpoint.inference_id: find_model(endpoint.model_id or "") for endpoint in others if endpoint.task in TASKS}
    if hint := suggestion(missing, usable):
        sentences.append(hint)
    if jina and (model := preconfigured(missing)):
        sentences.append(f"Elastic Stack {model.since} and newer have it.")
    sentences.append(
        f"The Jina endpoints of this deployment are {', '.join(jina)}."
        if jina
        else "This deployment has no Jina endpoints: is EIS available to it?"
    )
    explained = EndpointNotFoundError(" ".join(sentences), status=error.status, error_type=error.error_type, reason=error.reason)
    explained.endpoint, explained.inputs, explained.completed = error.endpoint, error.inputs, error.completed
    explained.retries = error.retries
    return explained


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """The required settings of an EIS endpoint. Valid if it exists, as far as its model is known.

    Args:
        inference_id: Its id.
        model: The service's name of the model, such as "jina-embeddings-v5-text-small". Its other names are also accepted: its
            preconfigured endpoint, with a leading dot, and its name on Hugging Face.
        task: Its task; None for the task of a model in the table.
        dimensions: Length of its vectors; None for the model's own.
        similarity: Similarity measure of its vectors; None for Elasticsearch's default.
        chunking_settings: How `semantic_text` splits texts for it; None for Elasticsearch's default.

    Raises:
        ConfigurationError: for settings that Elasticsearch or the model would refuse.
    """

    inference_id: str
    model: str
    task: str | None = None
    dimensions: int | None = None
    similarity: str | None = None
    chunking_settings: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, value in (("inference_id", self.inference_id), ("model", self.model), ("task", self.task or "")):
            if not isinstance(value, str) or not _is_utf8(value):
                raise ConfigurationError(f"{name}={value!a}: pass a string that can be encoded as UTF-8.")
        if self.dimensions is not None and (type(self.dimensions) is not int or self.dimensions < 1):
            raise ConfigurationError(f"dimensions={self.dimensions!r}: pass a whole number from 1.")
        if self.chunking_settings is not None and not _is_json(self.chunking_settings):
            raise ConfigurationError(
                'chunking_settings: pass a mapping of JSON values, such as {"strategy": "sentence", "max_chunk_size": 120}.'
            )
        known, task = self._known, self._task
        if not _USER_ID.fullmatch(self.inference_id):
            raise ConfigurationError(
                f"inference_id={self.inference_id!r}: the id of your own endpoint has a-z, 0-9, hyphens and underscores, "
                "and begins and ends with a letter or digit."
            )
        if task is None:
            hint = suggestion(self.model, {model.name: model for model in MODELS})
            sentences = (
                f"model={self.model!r} is not a known model.",
                hint,
                f"For a new model, pass task: {_join_with_or(TASKS)}.",
            )
            raise ConfigurationError(" ".join(filter(None, sentences)))
        if task not in TASKS or (known and known.task != task):
            allowed = repr(known.task) if known else _join_with_or(TASKS)
            raise ConfigurationError(f"task={task!r}: for {self._model_id} pass {allowed}.")
        if task == "rerank":
            for name in ("dimensions", "similarity", "chunking_settings"):
                if getattr(self, name) is not None:
                    raise ConfigurationError(f"{name}: {self._model_id} is a reranker. Leave {name} out.")
        if self.similarity not in (None, *SIMILARITIES):
            raise ConfigurationError(f"similarity={self.similarity!r}: pass {_join_with_or(SIMILARITIES)}.")
        if self.dimensions is not None and isinstance(known, EmbeddingModel):
            check_dimensions(self.dimensions, known)

    @property
    def _model_id(self) -> str:
        known = self._known
        return known.name if known else self.model.removeprefix(".")

    @property
    def _known(self) -> Model | None:
        return find_model(self.model.removeprefix("."))

    @property
    def _task(self) -> str | None:
        return self.task or (self._known.task if self._known else None)

    def ensure(self, timeout: float) -> Steps[EndpointInfo]:
        """Return the endpoint; create it if it does not exist. Concurrent calls with equal settings all succeed.

        Raises:
            EndpointExistsError: an endpoint with this id has other settings. It is not changed.
        """
        try:
            # Without `endpoint`, the driver does not explain the error: a missing endpoint is expected here.
            (existing,) = yield from ask([replace(get_endpoint(self.inference_id), cache=False, endpoint="")])
        except EndpointNotFoundError:
            try:
                return (yield from self._create(timeout))
            except RequestRejectedError as error:
                if error.error_type != "resource_already_exists_exception":
                    raise
            existing = yield from _fetch(self.inference_id)
        if differences := list(self._differences(existing)):
            message = f"The endpoint {self.inference_id!r} exists with other settings: {', '.join(differences)}."
            raise EndpointExistsError(f"{message} {EndpointExistsError.remedy}")
        return existing

    def _create(self, timeout: float) -> Steps[EndpointInfo]:
        settings = {"model_id": self._model_id, "dimensions": self.dimensions, "similarity": self.similarity}
        service_settings = {name: value for name, value in settings.items() if value is not None}
        call = put_endpoint(self.inference_id, str(self._task), service_settings, self.chunking_settings, timeout=timeout)
        (created,) = yield from ask([call])
        return created

    def _differences(self, existing: EndpointInfo) -> Iterator[str]:
        known = self._known
        same = existing.model_id == self._model_id or (known is not None and find_model(existing.model_id or "") is known)
        length = self.dimensions or (known.dimensions if isinstance(known, EmbeddingModel) else existing.dimensions)
        chunking = existing.chunking_settings or {}
        settings: list[tuple[str, Any, Any]] = [
            ("service", existing.service, "elastic"),
            ("task", existing.task, self._task),
            ("model", self._model_id if same else existing.model_id, self._model_id),
            ("dimensions", existing.dimensions, length),
            ("similarity", existing.similarity, self.similarity or existing.similarity),
            *((name, chunking.get(name), value) for name, value in (self.chunking_settings or {}).items()),
        ]
        return (f"{name} {actual!r} instead of {required!r}" for name, actual, required in settings if actual != required)


def check_dimensions(dimensions: int, model: EmbeddingModel) -> None:
    """Refuse a length that a model was not trained for. Warn of one that only some of the publisher's pages list.

    Raises:
        ConfigurationError: for any other length; it names the valid ones.
    """
    if dimensions in model.disputed:
        warnings.warn(
            f"dimensions={dimensions}: only some of the publisher's pages list this size for {model.name}.", stacklevel=2
        )
    elif dimensions not in model.matryoshka:
        *sizes, last = map(str, model.matryoshka)
        raise ConfigurationError(
            f"dimensions={dimensions}: {model.name} was trained for {', '.join(sizes)} and {last}. Choose one of these."
        )


def _checked_id(inference_id: Any) -> str:
    """Return the id. Raises ConfigurationError if it cannot be the id of one endpoint."""
    if not isinstance(inference_id, str) or inference_id in ("", "_all"):
        raise ConfigurationError(f"inference_id={inference_id!r}: pass the id of one endpoint, as a string.")
    if not _is_utf8(inference_id):
        raise ConfigurationError(f"inference_id={inference_id!a} cannot be encoded as UTF-8. Pass the id of an endpoint.")
    return inference_id


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _join_with_or(names: tuple[str, ...]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}"
