"""Names of endpoints and models: the endpoint that a name stands for, the default reranker, and suggestions.

A model has several names: its preconfigured endpoint (`.jina-embeddings-v3`), its bare name, its name on Hugging Face, and for
some the name in older deployments. All stand for its preconfigured endpoint, unless the deployment has an endpoint with exactly
that id.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from typing import TypeVar

from ..errors import AuthorizationError, ConfigurationError, JinaEISError
from ..models import DEFAULT_RERANKERS, HUGGING_FACE, MODELS, NOT_ON_EIS, EmbeddingModel, Model, RerankModel, find_model
from ..wire import Call, EndpointInfo, Steps, ask, get_endpoint, rerank

__all__ = ["check_name", "find_default_reranker", "find_endpoint", "resolve", "suggestion"]

A = TypeVar("A")

_ID = re.compile(r"[.a-z0-9][a-z0-9._-]*")  # as Elasticsearch requires, whose own ids begin with a dot
MISSPELT = 2  # edits, and at most a third of the letters; a name with more is another name
SUGGESTED = 4  # names; of more, the user would read a list


def resolve(name: str) -> Steps[str]:
    """Return the id of the endpoint that a name stands for: an endpoint with exactly this id, else that of the model.

    There is no request for a preconfigured endpoint, and none for a name that no model has. For other names, each possible id
    is requested once in the life of a driver. A key that may not see endpoints uses the preconfigured endpoint.
    """
    model = find_model(name.removeprefix("."))
    if model is None or name == model.endpoint:
        return name
    ids = _possible_ids(name, model)
    try:
        for position, candidate in enumerate(ids, 1):
            is_only_choice = position == len(ids) and candidate == model.endpoint
            if not is_only_choice and (yield from find_endpoint(candidate)):
                return candidate
    except AuthorizationError:
        pass
    return model.endpoint


def check_name(name: str) -> None:
    """Raise ConfigurationError for a name that neither a model nor an endpoint can have. Nothing is requested for it."""
    if _ID.fullmatch(name) or find_model(name.removeprefix(".")):
        return
    sentences = (
        f"{name!a} cannot be an inference endpoint: an id has a-z, 0-9, hyphens, underscores and dots. "
        "Pass the id of an endpoint, or a name of its model.",
        suggestion(name, {model.endpoint: model for model in MODELS}),
    )
    raise ConfigurationError(" ".join(filter(None, sentences)))


def find_default_reranker(timeout: float) -> Steps[str]:
    """Return the id of the first default reranker that the deployment has. Requested once in the life of a driver.

    A key that may not see endpoints ranks one short document, to find out whether the endpoint exists.

    Args:
        timeout: Seconds that the service may take to rank it.
    """
    newest, older = DEFAULT_RERANKERS
    try:
        endpoint = yield from find_endpoint(newest)
    except AuthorizationError:
        probe = rerank(newest, "glacier", ["A glacier is ice that flows."], timeout=timeout, inputs=range(1))
        return newest if (yield from _unless_missing(replace(probe, invalidates=""))) else older
    return newest if endpoint and not endpoint.denied else older


def suggestion(name: str, known: Mapping[str, Model | None]) -> str:
    """Return a sentence about an unknown name: the known names that it may mean, or that EIS has no such model; else "".

    Args:
        name: The unknown name.
        known: The known names, each with its model if the table has it. Only names of the same task and vector space are
            suggested, if the table has the unknown name.
    """
    plain = _plain(name)
    model = find_model(plain)
    if plain.startswith(NOT_ON_EIS):
        return f"{plain} is not on EIS."
    others = [other for other in known if other != name and (model is None or _is_alike(model, known[other]))]
    matches = [other for other in others if _plain(other).startswith(plain)]
    for compare in (_distance, _distance_to_beginning):
        if not matches:
            distances = {other: compare(plain, _plain(other)) for other in others}
            nearest = min(distances.values(), default=math.inf)
            matches = [other for other, distance in distances.items() if distance == nearest <= min(MISSPELT, len(plain) // 3)]
    return f"Did you mean {' or '.join(map(repr, matches))}?" if 0 < len(matches) <= SUGGESTED else ""


def _possible_ids(name: str, model: Model) -> list[str]:
    """Return the ids that a name of a model may stand for, the preferred first."""
    exact = [] if name.startswith(HUGGING_FACE) else [name]  # an id has no slash
    aliases = model.aliases if isinstance(model, RerankModel) else ()
    return list(dict.fromkeys([*exact, model.endpoint, *(f".{alias}" for alias in aliases)]))


def find_endpoint(inference_id: str) -> Steps[EndpointInfo | None]:
    """Return the description of an endpoint; None if it is missing. Requested once in the life of a driver."""
    return (yield from _unless_missing(get_endpoint(inference_id)))


def _unless_missing(call: Call[A]) -> Steps[A | None]:
    """Return the result of a call about an endpoint; None if it is missing. Sent once in the life of a driver."""
    try:
        # Without `endpoint`, the driver does not explain the error: a missing endpoint is expected here.
        (result,) = yield from ask([replace(call, endpoint="", cache=True, cache_refusal=True)])
    except JinaEISError as error:
        if error.status != 404:
            raise
        return None
    return result


def _plain(name: str) -> str:
    """Return the name of a model in its usual spelling: without an organisation, in lower case, with hyphens."""
    return re.sub(r"[\s_]+", "-", name.strip().lower()).removeprefix(HUGGING_FACE).removeprefix(".")


def _is_alike(model: Model, other: Model | None) -> bool:
    """Whether two models have the same task and vector space."""
    if isinstance(model, EmbeddingModel) and isinstance(other, EmbeddingModel):
        return (model.task, model.space) == (other.task, other.space)
    return isinstance(model, RerankModel) and isinstance(other, RerankModel)


def _distance(one: str, other: str) -> float:
    """Return the number of characters to insert, delete or replace. Digits are never edited: v3 is not a misspelt v5."""
    return _distances(one, other)[-1]


def _distance_to_beginning(one: str, other: str) -> float:
    """As `_distance`, to the nearest beginning of the other name that ends before a hyphen."""
    distances = _distances(one, other)
    return min(distances[end] for end in range(1, len(other) + 1) if other[end : end + 1] in ("-", ""))


def _distances(one: str, other: str) -> list[float]:
    """Return the distance to each beginning of the other name, the empty one first."""
    row = [0.0, *accumulate(map(_cost, other))]
    for first in one:
        previous, row = row, [row[0] + _cost(first)]
        for column, second in enumerate(other, 1):
            replaced = 0.0 if first == second else max(_cost(first), _cost(second))
            row.append(min(previous[column - 1] + replaced, previous[column] + _cost(first), row[-1] + _cost(second)))
    return row


def _cost(character: str) -> float:
    return math.inf if character.isdigit() else 1.0
