"""The vector of a query: the caller's, one that Elasticsearch makes in the search, or one that must be truncated here.

It knows the endpoints and dimensions of a field. It builds no search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..contents import Content, Part
from ..errors import ConfigurationError, InputError
from ..wire import Call, Field, Index, Steps, Vector, ask, query_vector_builder, unpacked, with_shortest_digits
from .compatibility import check_modalities
from .embedder import AnyEmbedded, Embedder
from .endpoints import describe_endpoint
from .fields import choose_field, describe_index, query_endpoint
from .retrievers import Json
from .search_settings import Query, SearchSettings, query_endpoint_of

__all__ = ["is_embedded_by_field", "query_vector", "with_vector"]


def is_embedded_by_field(settings: SearchSettings, field: Field, query: Query) -> bool:
    """Whether Elasticsearch embeds the query with the endpoint of the field, by the same query as for words."""
    uses_field_endpoint = settings.inference_id is None or settings.inference_id in (
        field.search_inference_id,
        field.inference_id,
    )
    return query.vector is None and isinstance(query.content, str) and field.type != "dense_vector" and uses_field_endpoint


def query_vector(settings: SearchSettings, index: Index, field: Field, query: Query) -> Steps[Json]:
    """Return the query vector, or the builder with which Elasticsearch makes it."""
    if query.vector is not None:
        if field.dims and len(query.vector) != field.dims:
            raise ConfigurationError(
                f"The query vector has {len(query.vector)} dimensions, and the vectors in {field.name!r} have {field.dims}."
            )
        return {"query_vector": with_shortest_digits(query.vector)}
    if query.content is None:
        raise InputError("The query has no text, image or vector.")
    endpoint = query_endpoint_of(settings, index, field)
    if endpoint is None:
        raise ConfigurationError(
            f"The index {index.name!r} does not name the endpoint of the vectors in {field.name!r}. Pass inference_id."
        )
    try:
        return (yield from _embedded(settings, endpoint, field, query.content))
    except InputError:
        if settings.inference_id:
            raise
        newer = yield from describe_index(settings.index, fresh=True)  # another client may have called search_with
        field = choose_field(newer, settings.search_type, settings.field)
        changed = query_endpoint(newer, field)
        if changed is None or changed == endpoint:
            raise
    return (yield from _embedded(settings, changed, field, query.content))


def with_vector(settings: SearchSettings, index: Index, field: Field, query: Query) -> Steps[tuple[Query, Vector]]:
    """Return the query with its vector, and the vector."""
    if query.vector is not None:
        return query, query.vector
    endpoint = query_endpoint_of(settings, index, field)
    if endpoint is None or query.content is None:
        yield from query_vector(settings, index, field, query)  # raises the error
    info = yield from describe_endpoint(str(endpoint))
    dimensions = settings.dimensions or (field.dims if field.dims != info.dimensions else None)
    embedder = Embedder(str(endpoint), dimensions, timeout=settings.timeout)
    vector = yield from _embed(embedder.content_calls(info, [query.content or ""], "search"))
    return (replace(query, vector=vector) if field.type == "dense_vector" else query), vector


def _embedded(settings: SearchSettings, endpoint: str, field: Field, content: Content) -> Steps[Json]:
    """Return the vector of a content if this library must truncate it, else the builder."""
    info = yield from describe_endpoint(endpoint)
    if info.task not in ("text_embedding", "embedding"):
        raise ConfigurationError(f"{endpoint} is an endpoint for {info.task}, not for dense vectors.")
    check_modalities(info, [content], [0])
    dimensions = settings.dimensions or (field.dims if field.dims != info.dimensions else None)
    if dimensions and field.dims and dimensions != field.dims:
        raise ConfigurationError(f"dimensions={dimensions}: the vectors in {field.name!r} have {field.dims}.")
    if dimensions is None or dimensions == info.dimensions:
        return {"query_vector_builder": query_vector_builder(endpoint, info.task, _parts(content))}
    embedder = Embedder(endpoint, dimensions, timeout=settings.timeout)
    calls = [replace(call, new_inputs=0) for call in embedder.content_calls(info, [content], "search")]  # the search counts
    return {"query_vector": (yield from _embed(calls))}


def _embed(calls: Iterable[Call[list[AnyEmbedded]]]) -> Steps[Vector]:
    """Return the one vector of a query. Raises InputError for a PDF, which has one for each page."""
    ((vector,),) = yield from ask(calls)
    if isinstance(vector, tuple):
        raise InputError("A query has one vector, and a PDF has one for each page. Search with one of its pages, as an image.")
    return unpacked(vector)


def _parts(query: Content) -> Sequence[Part]:
    return query if isinstance(query, tuple) else (query,)
