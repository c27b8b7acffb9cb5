"""What an ingest is asked for: the index, its field and its endpoint, which do not contradict each other.

It knows no existing index, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ConfigurationError
from ..wire import Dumps, Steps
from .lengths import TooLong

__all__ = ["FieldType", "IngestSettings", "Refresh"]

FieldType = Literal["semantic_text", "semantic", "dense_vector"]

Refresh = bool | Literal["wait_for"]
"""When searches see what was written. "wait_for": when the call returns; a single request waits for the next refresh of the
index, and after several one refresh is requested. True: when the call returns, by a refresh. False: after the next refresh."""


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Settings of an ingest. Those that are None are taken from an existing index.

    Args:
        index: Name of the index; it is created if it is missing.
        content_field: The text field.
        field: The field for semantic search; None for the only one in the index, `embedding` in a new index.
        field_type: Its type; None for its type in the index, semantic_text in a new index.
        inference_id: The endpoint that embeds; None for that of the index, `.jina-embeddings-v5-text-small` in a new index.
        dimensions: Length of the vectors in a dense_vector field; None for that of the index or the endpoint.
        index_options: Vector index options of a new index, as in a mapping; None for Elasticsearch's default.
        chunking_settings: How semantic_text splits a text into passages in a new index; None for the endpoint's own.
        index_settings: Settings of a new index, sent as they are; None for Elasticsearch's defaults.
        timeout: Seconds that an embedding request of this library may take.
        patience: Seconds in which a request of an ingest is retried after transient errors, in place of the driver's limits:
            as long as a node takes to restart. None for the driver's limits.
        metadata_mappings: Fields below `metadata` in a new index, as in a mapping; None: strings are keywords.
        embeds: Whether contents are embedded. False: every record has its vector, a new index names no endpoint, and its
            vectors are as long as `dimensions` or the first vector.
        dumps: Writes a line of a bulk request as JSON, as the serializer of the user's client does; None for this library's own.
        too_long: What to do about texts for a dense_vector field that are longer than the model reads: warn once, let the
            document fail, or nothing.
        observe: Follows an ingest, given its steps, and returns the same steps.
    """

    index: str
    content_field: str
    field: str | None = None
    field_type: FieldType | None = None
    inference_id: str | None = None
    dimensions: int | None = None
    index_options: Mapping[str, Any] | None = None
    chunking_settings: Mapping[str, Any] | None = None
    index_settings: Mapping[str, Any] | None = None
    timeout: float = 60.0
    patience: float | None = None
    metadata_mappings: Mapping[str, Any] | None = None
    embeds: bool = True
    dumps: Dumps | None = None
    too_long: TooLong = "warn"
    observe: Callable[[Steps[list[str]]], Steps[list[str]]] = lambda steps: steps

    def __post_init__(self) -> None:
        if self.field_type:
            self.check_type(self.field_type)

    def check_type(self, field_type: FieldType) -> None:
        """Raise ConfigurationError if these settings contradict the type of a field."""
        if field_type == "dense_vector":
            return
        if self.dimensions:
            raise ConfigurationError(
                f"dimensions={self.dimensions}: the vectors of a {field_type} field are as long as its endpoint's. "
                "Create an endpoint with these dimensions, or use a dense_vector field."
            )
        if not self.embeds:
            raise ConfigurationError(
                f'Vectors of your own need a dense_vector field, and field_type is "{field_type}". Leave it out.'
            )
