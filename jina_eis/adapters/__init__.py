"""The public settings, and how steps meet a driver; the classes of both frameworks are thin over this room.

It knows no framework. `doctor`, `Endpoints` and the settings are public; the rest serves the framework packages.
"""

from .doctor import Check, Report, Status, adoctor, doctor
from .endpoints import EndpointInfo, Endpoints
from .inference import ENDPOINT_NAMES, ContentSettings, EmbeddingSettings, RerankSettings
from .progress import with_progress
from .retrieval import RetrieverSettings, metadata_of, new_id, scores_of
from .settings import MAX_CONCURRENCY, MAX_RETRIES, TIMEOUT, ServiceSettings, address_may_follow

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
    "Report",
    "RerankSettings",
    "RetrieverSettings",
    "ServiceSettings",
    "Status",
    "address_may_follow",
    "adoctor",
    "doctor",
    "metadata_of",
    "new_id",
    "scores_of",
    "with_progress",
]
