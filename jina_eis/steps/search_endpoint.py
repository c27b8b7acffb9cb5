"""Switching the endpoint that embeds the queries of an index, as steps: one change of the mapping, for all its clients."""

from __future__ import annotations

from ..errors import AuthorizationError, ConfigurationError
from ..wire import Steps, ask, put_search_endpoint
from .compatibility import check_same_space
from .endpoints import describe_endpoint, fetch_endpoint
from .fields import SearchType, choose_field, describe_index
from .version import require, with_feature

__all__ = ["switch_search_endpoint"]

OMNI_FOR_TEXT = ("An endpoint for embedding as search_inference_id of a semantic_text field", "9.4")


def switch_search_endpoint(index: str, search_type: SearchType, field: str | None, inference_id: str) -> Steps[str]:
    """Set `search_inference_id` of a field in the mapping. Returns the endpoint that embedded queries before.

    Args:
        index: The index.
        search_type: As for a search; it decides which fields are considered.
        field: The field; None for the only one.
        inference_id: The endpoint that embeds queries from now on.

    Raises:
        ConfigurationError: a dense_vector field, an endpoint for another task or of another vector space, or an old deployment.
        AuthorizationError: the key lacks the privilege to change the mapping.
    """
    if not isinstance(inference_id, str) or not inference_id:
        raise ConfigurationError(f"inference_id={inference_id!r}: pass the id of an endpoint, as a string.")
    described = yield from describe_index(index, fresh=True)
    target = choose_field(described, search_type, field)
    if target.inference_id is None:
        raise ConfigurationError(
            f"The field {target.name!r} of the index {index!r} is of type {target.type}, and its mapping names no endpoint for "
            f"queries. Create the retriever with inference_id={inference_id!r}."
        )
    before = target.search_inference_id or target.inference_id
    endpoint = yield from describe_endpoint(inference_id)
    if endpoint.inference_id == before:
        return before
    tasks = ("embedding",) if target.type == "semantic" else ("text_embedding", "embedding")
    if endpoint.task not in tasks:
        raise ConfigurationError(
            f"{inference_id} is an endpoint for {endpoint.task}. Queries of a {target.type} field need one for "
            f"{' or '.join(tasks)}."
        )
    check_same_space(endpoint, (yield from describe_endpoint(target.inference_id)))
    call = put_search_endpoint(index, described.properties, target.name, endpoint.inference_id)
    if endpoint.task == "embedding" and target.type == "semantic_text":
        yield from require(*OMNI_FOR_TEXT)
        call = with_feature(call, *OMNI_FOR_TEXT)
    yield from fetch_endpoint(endpoint.inference_id)  # with a missing one, the searches of all clients would fail
    try:
        yield from ask([call])
    except AuthorizationError as error:
        error.message = f"Changing the mapping of {index!r} needs the index privilege manage: {error.message}"
        raise
    return before
