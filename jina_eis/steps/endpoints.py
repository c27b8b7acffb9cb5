"""Inference endpoints, as steps: what one is, which ones a deployment has, and how one of your own is made.

Preconfigured endpoints are known from the table of models and cost no request; a user's own endpoint is asked for once.
What changes a deployment, or shows it to a person, asks the deployment about every endpoint.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..errors import ConfigurationError, EndpointExistsError, EndpointNotFoundError, JinaEISError, RequestRejectedError
from ..models import MODELS, SIMILARITIES, TASKS, EmbeddingModel, Model, find_model, preconfigured
from ..wire import EndpointInfo, Steps, ask, delete_endpoint, get_endpoint, list_endpoints, put_endpoint

__all__ = [
    "EndpointSpec",
    "check_dimensions",
    "describe_endpoint",
    "explain",
    "find_endpoints",
    "is_jina",
    "known_endpoint",
    "look_up_endpoint",
    "remove_endpoint",
]

_USER_ID = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")  # what Elasticsearch takes; those with a dot are its own


def describe_endpoint(inference_id: str) -> Steps[EndpointInfo]:
    """What an endpoint is: from the table if it is preconfigured, from the deployment otherwise.

    Raises:
        EndpointNotFoundError: the deployment has no endpoint of that id; the error names those of Jina that it has.
    """
    if known := known_endpoint(inference_id):
        return known
    (endpoint,) = yield from ask([get_endpoint(inference_id)])
    return endpoint


def known_endpoint(inference_id: str) -> EndpointInfo | None:
    """What a preconfigured endpoint is; None for any other id."""
    model = preconfigured(inference_id)
    if model is None:
        return None
    dimensions = None if model.task == "rerank" else model.dimensions
    return EndpointInfo(inference_id, model.task, "elastic", model.name, dimensions)


def look_up_endpoint(inference_id: str) -> Steps[EndpointInfo]:
    """What the deployment says of an endpoint now, whatever is known of it."""
    (endpoint,) = yield from ask([replace(get_endpoint(_named(inference_id)), cache=False)])
    return endpoint


def find_endpoints(*, every: bool) -> Steps[list[EndpointInfo]]:
    """The endpoints of the deployment, by id: those with models of Jina, or every one."""
    (endpoints,) = yield from ask([list_endpoints()])
    return sorted((each for each in endpoints if every or is_jina(each)), key=lambda each: each.inference_id)


def is_jina(endpoint: EndpointInfo) -> bool:
    """Whether an endpoint has a model of Jina."""
    return "jina" in (endpoint.model_id or endpoint.inference_id)


def remove_endpoint(inference_id: str, *, force: bool) -> Steps[None]:
    """Delete an endpoint.

    Raises:
        ConfigurationError: it is preconfigured; by force it is deleted all the same.
        EndpointNotFoundError: there is none of that id.
        RequestRejectedError: it is in use; by force it is deleted all the same.
    """
    if preconfigured(_named(inference_id)) and not force:
        raise ConfigurationError(
            f"{inference_id} is preconfigured, and whatever names no endpoint may use it. To delete it all the same, say "
            "force=True (--force)."
        )
    try:
        yield from ask([delete_endpoint(inference_id, force=force)])
    except EndpointNotFoundError as error:
        if not error.retries:  # or an earlier answer was lost, of the request that has deleted it
            raise


def explain(error: EndpointNotFoundError) -> Steps[EndpointNotFoundError]:
    """The same error, naming the Jina endpoints that the deployment has."""
    try:
        endpoints = yield from find_endpoints(every=False)
    except JinaEISError:
        return error  # whoever may not list them is told what was missing all the same
    wanted = error.endpoint or ""
    jina = [endpoint.inference_id for endpoint in endpoints if endpoint.inference_id != wanted]  # it may have just been made
    told = [f"There is no inference endpoint {wanted!r}."]
    if close := get_close_matches(wanted, jina, n=1):
        told.append(f"Did you mean {close[0]!r}?")
    told.append(
        f"This deployment has for Jina: {', '.join(jina)}."
        if jina
        else "This deployment has none for Jina: is EIS available to it?"
    )
    explained = EndpointNotFoundError(" ".join(told), status=error.status, error_type=error.error_type, reason=error.reason)
    explained.endpoint, explained.inputs, explained.completed = error.endpoint, error.inputs, error.completed
    explained.retries = error.retries
    return explained


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """An endpoint of EIS as it should be. Valid if it exists, as far as its model is known.

    Args:
        inference_id: Its id.
        model: The service's name of the model, such as "jina-embeddings-v5-text-small"; that of its preconfigured endpoint,
            with a dot before it, is taken too.
        task: What it answers; None for the task of a model in the table.
        dimensions: Length of its vectors; None for the model's own.
        similarity: How its vectors are compared; None for Elasticsearch's choice.
        chunking_settings: How `semantic_text` cuts texts for it; None for Elasticsearch's choice.

    Raises:
        ConfigurationError: for what Elasticsearch or the model would refuse.
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
                raise ConfigurationError(f"{name}={value!a}: pass a string that UTF-8 can carry.")
        if self.dimensions is not None and (type(self.dimensions) is not int or self.dimensions < 1):
            raise ConfigurationError(f"dimensions={self.dimensions!r}: pass a whole number from 1.")
        if self.chunking_settings is not None and not _is_json(self.chunking_settings):
            raise ConfigurationError(
                'chunking_settings is a mapping that JSON takes, such as {"strategy": "sentence", "max_chunk_size": 120}.'
            )
        known, task = self._known, self._task
        if not _USER_ID.fullmatch(self.inference_id):
            raise ConfigurationError(
                f"inference_id={self.inference_id!r}: an endpoint of your own is named with a-z, 0-9, hyphens and underscores, "
                "and begins and ends with a letter or digit."
            )
        if task is None:
            close = get_close_matches(self._model_id, [each.name for each in MODELS], n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ConfigurationError(
                f"model={self.model!r} is not known here. {hint}For a model that is new, pass task: {_listed(TASKS)}."
            )
        if task not in TASKS or (known and known.task != task):
            right = repr(known.task) if known else _listed(TASKS)
            raise ConfigurationError(f"task={task!r}: for {self._model_id} it is {right}.")
        if task == "rerank":
            for name in ("dimensions", "similarity", "chunking_settings"):
                if getattr(self, name) is not None:
                    raise ConfigurationError(f"{self._model_id} is a reranker, and has no {name}. Leave it out.")
        if self.similarity not in (None, *SIMILARITIES):
            raise ConfigurationError(f"similarity={self.similarity!r}: it is {_listed(SIMILARITIES)}.")
        if self.dimensions is not None and isinstance(known, EmbeddingModel):
            check_dimensions(self.dimensions, known)

    @property
    def _model_id(self) -> str:
        return self.model.removeprefix(".")

    @property
    def _known(self) -> Model | None:
        return find_model(self._model_id)

    @property
    def _task(self) -> str | None:
        return self.task or (self._known.task if self._known else None)

    def ensure(self, timeout: float) -> Steps[EndpointInfo]:
        """The endpoint, which is made unless it is there. Whoever makes it at the same time makes the same, or this fails.

        Raises:
            EndpointExistsError: an endpoint of that id has other settings. It is left as it is.
        """
        try:
            # Without its id the call is a question: the driver does not look for what could be meant when nothing is there.
            (found,) = yield from ask([replace(get_endpoint(self.inference_id), cache=False, endpoint="")])
        except EndpointNotFoundError:
            try:
                return (yield from self._create(timeout))
            except RequestRejectedError as error:
                if error.error_type != "resource_already_exists_exception":
                    raise
            found = yield from look_up_endpoint(self.inference_id)
        if differences := list(self._differences(found)):
            told = f"The endpoint {self.inference_id!r} is there with other settings: {', '.join(differences)}."
            raise EndpointExistsError(f"{told} {EndpointExistsError.remedy}")
        return found

    def _create(self, timeout: float) -> Steps[EndpointInfo]:
        settings = {"model_id": self._model_id, "dimensions": self.dimensions, "similarity": self.similarity}
        said = {name: value for name, value in settings.items() if value is not None}
        call = put_endpoint(self.inference_id, str(self._task), said, self.chunking_settings, timeout=timeout)
        (made,) = yield from ask([call])
        return made

    def _differences(self, found: EndpointInfo) -> Iterator[str]:
        known = self._known
        same = found.model_id == self._model_id or (known is not None and find_model(found.model_id or "") is known)
        length = self.dimensions or (known.dimensions if isinstance(known, EmbeddingModel) else found.dimensions)
        chunking = found.chunking_settings or {}
        settings: list[tuple[str, Any, Any]] = [
            ("service", found.service, "elastic"),
            ("task", found.task, self._task),
            ("model", self._model_id if same else found.model_id, self._model_id),
            ("dimensions", found.dimensions, length),
            ("similarity", found.similarity, self.similarity or found.similarity),
            *((name, chunking.get(name), value) for name, value in (self.chunking_settings or {}).items()),
        ]
        return (f"{name} {has!r} instead of {wants!r}" for name, has, wants in settings if has != wants)


def check_dimensions(dimensions: int, model: EmbeddingModel) -> None:
    """Refuse a length that a model was not trained for; warn of one that only some of its publisher's pages list.

    Raises:
        ConfigurationError: it names the lengths that there are.
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


def _named(inference_id: Any) -> str:
    """The id, if it can be the id of one endpoint."""
    if not isinstance(inference_id, str) or inference_id in ("", "_all"):
        raise ConfigurationError(f"inference_id={inference_id!r}: name one endpoint, as a string.")
    if not _is_utf8(inference_id):
        raise ConfigurationError(f"inference_id={inference_id!a} cannot be the id of an endpoint.")
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


def _listed(names: tuple[str, ...]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}"
