"""Inference endpoints, as steps: what one is, and which ones a deployment has.

Preconfigured endpoints are known from the table of models and cost no request; a user's own endpoint is asked for once.
"""

from __future__ import annotations

from difflib import get_close_matches

from .errors import EndpointNotFoundError, JinaEISError
from .models import preconfigured
from .wire import EndpointInfo, Steps, ask, get_endpoint, list_endpoints

__all__ = ["describe", "explain", "known_endpoint"]


def describe(inference_id: str) -> Steps[EndpointInfo]:
    """What an endpoint is: from the table if it is preconfigured, from the deployment otherwise.

    Raises:
        EndpointNotFoundError: the deployment has no endpoint of that id; the error names those of Jina that it has.
    """
    if known := known_endpoint(inference_id):
        return known
    return (yield from ask([get_endpoint(inference_id)]))[0]


def known_endpoint(inference_id: str) -> EndpointInfo | None:
    """What a preconfigured endpoint is; None for any other id."""
    model = preconfigured(inference_id)
    if model is None:
        return None
    dimensions = None if model.task == "rerank" else model.dimensions
    return EndpointInfo(inference_id, model.task, "elastic", model.name, dimensions)


def explain(error: EndpointNotFoundError) -> Steps[EndpointNotFoundError]:
    """The same error, naming the Jina endpoints that the deployment has."""
    try:
        (infos,) = yield from ask([list_endpoints()])
    except JinaEISError:
        return error  # whoever may not list them is told what was missing all the same
    jina = sorted(info.inference_id for info in infos if "jina" in (info.model_id or info.inference_id))
    wanted = error.endpoint or ""
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
    return explained
