"""The field that an ingest fills: the one of an existing index that fits the settings, or one of an index to create.

It knows no document. What a field accepts is in `ingest_records`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from ..errors import ConfigurationError, IndexNotFoundError, JinaEISError, RequestRejectedError
from ..wire import VECTORS, EndpointInfo, Field, Index, Steps, ask, create_index, keeps_vectors_in_source
from .compatibility import known_to_share_space
from .embedder import Embedder
from .endpoints import describe_endpoint
from .fields import describe_index, require_one
from .ingest_settings import FieldType, IngestSettings
from .names import resolve
from .version import REFUSED, Version, server_version

__all__ = ["IngestField", "create_index_with", "find_field"]

DEFAULT_ENDPOINT = ".jina-embeddings-v5-text-small"
DEFAULT_FIELD = "embedding"
BASE64 = "9.3"  # the first version that takes vectors in base64
VECTOR_DATABASE = "vectordb_document"  # the index mode of Elastic's Vector Database projects, which take no other [serverless]
_ONE_MODE = (
    f"This deployment may take indices of mode {VECTOR_DATABASE} only, and sets it by itself: leave index.mode, and settings of "
    "_source and of source vectors, out of index_settings."
)


@dataclass(frozen=True, slots=True)
class IngestField:
    """A field of an index, with what an ingest needs to know of it.

    Attributes:
        index: Name of the index.
        name: Its name.
        type: Its type.
        endpoint: The endpoint that embeds for it; None if no endpoint is known, so that every document needs a vector.
        dimensions: Length of its vectors; None for as many as the endpoint returns, or the first vector has.
        element_type: Type of the numbers in a dense_vector field, as in the mapping.
        in_base64: Whether it takes vectors in base64, and no reader of `_source` sees them; None if the index does not exist.
    """

    index: str
    name: str
    type: FieldType
    endpoint: EndpointInfo | None
    dimensions: int | None
    element_type: str = "float"
    in_base64: bool | None = None

    @property
    def exists(self) -> bool:
        """Whether the index exists."""
        return self.in_base64 is not None

    @property
    def takes_vectors(self) -> bool:
        """Whether it is filled with vectors, which are made before. Elasticsearch embeds the contents of the other types."""
        return self.type == "dense_vector"


def find_field(settings: IngestSettings) -> Steps[IngestField]:
    """Return the field to fill, of the index if it exists. A new index is not created yet.

    Raises:
        ConfigurationError: the index has no such field, or several; its settings or those of the endpoint differ.
    """
    if settings.inference_id:
        settings = replace(settings, inference_id=(yield from resolve(settings.inference_id)))
    try:
        index = yield from describe_index(settings.index, fresh=True)
    except IndexNotFoundError:
        if any(sign in settings.index for sign in ",*"):
            raise
    else:
        return (yield from _existing_field(settings, require_one(index, "Writing")))
    return (yield from _new_field(settings))


def create_index_with(field: IngestField, settings: IngestSettings, dimensions: int | None) -> Steps[tuple[IngestField, bool]]:
    """Create the index of a field. Returns the field as it is then, and False if another process has created it just before.

    Args:
        field: The field, of an index that does not exist.
        settings: The settings of the index.
        dimensions: Length of the vectors in a dense_vector field.

    Raises:
        ConfigurationError: the index of the other process has other settings.
    """
    inference_id = field.endpoint.inference_id if field.endpoint else None
    options = {"index_options": dict(settings.index_options)} if settings.index_options else {}
    if field.takes_vectors:
        mapping = {"type": "dense_vector", "dims": dimensions, "index": True, "similarity": "cosine", **options}
    else:
        chunking = {"chunking_settings": dict(settings.chunking_settings)} if settings.chunking_settings else {}
        mapping = {"type": field.type, "inference_id": inference_id, **options, **chunking}
    properties: dict[str, Any] = {settings.content_field: {"type": "text"}, field.name: mapping}
    recorded_endpoint = inference_id if field.takes_vectors else None
    call = create_index(field.index, properties, recorded_endpoint, settings.index_settings, settings.metadata_mappings)
    try:
        yield from ask([call])
    except RequestRejectedError as error:
        if error.error_type != "resource_already_exists_exception":
            if settings.index_settings and VECTOR_DATABASE in str(error):
                error.message = f"{error.message} {_ONE_MODE}"
            raise
        same = replace(settings, field=field.name, field_type=field.type, inference_id=inference_id, dimensions=field.dimensions)
        index = yield from describe_index(field.index, fresh=True)
        return (yield from _existing_field(same, index)), False
    return (yield from _with_encoding(replace(field, dimensions=dimensions))), True


def _existing_field(settings: IngestSettings, index: Index) -> Steps[IngestField]:
    existing = _choose_field(settings, index)
    inference_id = _endpoint_id(settings, index, existing)
    if existing.dims and settings.dimensions and existing.dims != settings.dimensions:
        raise ConfigurationError(
            f"dimensions={settings.dimensions}: the vectors in {existing.name!r} of the index {index.name!r} have "
            f"{existing.dims}. Pass dimensions={existing.dims}, or another index_name."
        )
    field_type, dimensions = cast(FieldType, existing.type), settings.dimensions or existing.dims
    settings.check_type(field_type)
    endpoint = (yield from _describe_endpoint(inference_id, field_type, dimensions)) if inference_id else None
    field = IngestField(settings.index, existing.name, field_type, endpoint, dimensions, existing.element_type)
    return (yield from _with_encoding(field))


def _new_field(settings: IngestSettings) -> Steps[IngestField]:
    field_type = settings.field_type or ("semantic_text" if settings.embeds else "dense_vector")
    settings.check_type(field_type)
    inference_id = settings.inference_id or (DEFAULT_ENDPOINT if settings.embeds else None)
    dimensions, endpoint = settings.dimensions, None
    if inference_id:
        endpoint = yield from _describe_endpoint(inference_id, field_type, dimensions)
        if field_type == "dense_vector":
            dimensions = dimensions or endpoint.dimensions
            if dimensions is None:
                raise ConfigurationError(f"Elasticsearch does not know the length of {inference_id}'s vectors. Pass dimensions.")
    return IngestField(settings.index, settings.field or DEFAULT_FIELD, field_type, endpoint, dimensions)


def _choose_field(settings: IngestSettings, index: Index) -> Field:
    """Return the field of an existing index. Raises ConfigurationError if none or several fit."""
    name = settings.field
    if name is None:
        candidates = index.of_types(*((settings.field_type,) if settings.field_type else VECTORS))
        if not candidates:
            kinds = settings.field_type or "semantic_text, semantic or dense_vector"
            others = ", ".join(f"{other.name} ({other.type})" for other in index.of_types(*VECTORS))
            raise ConfigurationError(
                f"The index {index.name!r} has {f'{others}, and ' if others else ''}no field of type {kinds}. Choose another "
                "index_name, or delete the index with delete_index()."
            )
        if len(candidates) > 1:
            names = ", ".join(f"{candidate.name} ({candidate.type})" for candidate in candidates)
            raise ConfigurationError(
                f"The fields of the index {index.name!r} that can be filled: {names}. Choose one with field."
            )
        return candidates[0]
    existing = index.fields.get(name)
    if existing is None or existing.type not in VECTORS or settings.field_type not in (None, existing.type):
        state = f"is of type {existing.type}" if existing else "does not exist"
        raise ConfigurationError(
            f"field={name!r} {state} in the index {index.name!r}; it must be {settings.field_type or ' or '.join(VECTORS)}. "
            "Choose another field or field_type, or another index_name."
        )
    return existing


def _endpoint_id(settings: IngestSettings, index: Index, field: Field) -> str | None:
    """Return the endpoint of a field in an existing index. Raises ConfigurationError if another one was asked for."""
    index_endpoint = field.inference_id or index.inference_id
    endpoint = settings.inference_id or index_endpoint
    if index_endpoint and endpoint and index_endpoint != endpoint:
        raise ConfigurationError(
            f"The index {index.name!r} is embedded with {index_endpoint}, not with {endpoint}. "
            f"Pass inference_id={index_endpoint!r}, or another index_name." + _ways_to_search(index_endpoint, field, endpoint)
        )
    return endpoint


def _ways_to_search(index_endpoint: str, field: Field, endpoint: str) -> str:
    """Return a sentence about searching an index with another endpoint; "" if that is not known to be possible."""
    if not known_to_share_space(endpoint, index_endpoint):
        return ""
    for_all = f"; for all clients of the index, search_with({endpoint!r})" if field.inference_id else ""
    return (
        " The documents of an index stay with their endpoint, but both embed into one vector space. To search with "
        f"{endpoint}: for one application, JinaEISRetriever(inference_id={endpoint!r}){for_all}."
    )


def _describe_endpoint(inference_id: str, field_type: FieldType, dimensions: int | None) -> Steps[EndpointInfo]:
    """Describe the endpoint of a field. Raises ConfigurationError if it cannot embed for such a field."""
    endpoint = yield from describe_endpoint(inference_id)
    tasks = ("embedding",) if field_type == "semantic" else ("text_embedding", "embedding")
    if endpoint.task not in tasks:
        raise ConfigurationError(
            f"{inference_id} is an endpoint for {endpoint.task}. A {field_type} field needs one for "
            f"{' or '.join(tasks)}, such as {'.jina-embeddings-v5-omni-small' if len(tasks) == 1 else DEFAULT_ENDPOINT}."
        )
    Embedder(endpoint.inference_id, dimensions)  # checks the dimensions
    return endpoint


def _with_encoding(field: IngestField) -> Steps[IngestField]:
    """Return the field of an existing index, with how it takes vectors."""
    return replace(field, in_base64=(yield from _takes_base64(field)))


def _takes_base64(field: IngestField) -> Steps[bool]:
    if not field.takes_vectors or field.element_type not in ("float", "bfloat16"):
        return False
    version = yield from server_version()
    if version is None or version < Version.parse(BASE64):
        return False
    try:
        return not (yield from ask([replace(keeps_vectors_in_source(field.index), cache=False)]))[0]
    except JinaEISError as error:
        if error.status not in REFUSED:
            raise
        return False
