"""The public settings, and the code that runs steps on a driver. The classes of both frameworks are thin layers over it.

This room imports no framework. `doctor`, `Endpoints` and the settings are public; the framework packages use the rest.
"""

from .arguments import RetrieverArguments, ServiceArguments
from .caching import VectorCache
from .doctor import Check, Report, Status, adoctor, doctor
from .embedding import EmbeddingSettings
from .endpoints import EndpointInfo, Endpoints
from .extraction import ExtractionSettings, Page, readable, text_layer
from .inference_id import ENDPOINT_NAMES
from .media import ContentSettings
from .other_names import hint
from .progress import progress_bar
from .records import (
    Ids,
    checked,
    content_id,
    document_id,
    listed,
    new_id,
    paired_ids,
    stored_metadata,
    zip_equal,
)
from .reranking import RerankSettings
from .retrieval import RetrieverSettings, StoreSettings, fields_of, metadata_of, passages_of, scores_of
from .settings import MAX_CONCURRENCY, MAX_RETRIES, TIMEOUT, ServiceSettings, Usage, missing_address_allowed

__all__ = [
    "ENDPOINT_NAMES",
    "MAX_CONCURRENCY",
    "MAX_RETRIES",
    "TIMEOUT",
    "Check",
    "ContentSettings",
    "EmbeddingSettings",
    "EndpointInfo",
    "Endpoints",
    "ExtractionSettings",
    "Ids",
    "Page",
    "Report",
    "RerankSettings",
    "RetrieverArguments",
    "RetrieverSettings",
    "ServiceArguments",
    "ServiceSettings",
    "Status",
    "StoreSettings",
    "Usage",
    "VectorCache",
    "adoctor",
    "checked",
    "content_id",
    "doctor",
    "document_id",
    "fields_of",
    "hint",
    "listed",
    "metadata_of",
    "missing_address_allowed",
    "new_id",
    "paired_ids",
    "passages_of",
    "progress_bar",
    "readable",
    "scores_of",
    "stored_metadata",
    "text_layer",
    "zip_equal",
]
