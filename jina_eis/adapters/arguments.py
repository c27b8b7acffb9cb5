"""The arguments of the settings as types, for signatures that pass them on.

Each name is a field of `ServiceSettings` or `RetrieverSettings`, which document it; a test compares them.
"""

from __future__ import annotations

from typing import Any, TypedDict

from ..steps import FieldType, Fusion, SearchType, TooLong
from ..transport import WireFormat
from .settings import Secret

__all__ = ["RetrieverArguments", "ServiceArguments"]


class ServiceArguments(TypedDict, total=False):
    """The arguments of `ServiceSettings`."""

    client: Any
    async_client: Any
    es_url: str | None
    es_cloud_id: str | None
    es_api_key: Secret | None
    es_user: str | None
    es_password: Secret | None
    timeout: float
    max_retries: int
    max_concurrency: int
    deadline: float | None
    ca_certs: str | None
    verify_certs: bool
    ssl_assert_fingerprint: str | None
    proxy: str | None
    proxy_user: str | None
    proxy_password: Secret | None
    headers: dict[str, str] | None
    http_compress: bool
    use_case: str | None
    wire_format: WireFormat


class RetrieverArguments(ServiceArguments, total=False):
    """The arguments of `RetrieverSettings`."""

    index_name: str
    search_type: SearchType
    k: int
    field: str | None
    content_field: str | None
    inference_id: str | None
    dimensions: int | None
    filter: Any
    min_score: float | None
    source_fields: list[str] | None
    highlight: int | bool
    fusion: Fusion
    weights: tuple[float, float] | None
    rank_constant: int
    num_candidates: int | None
    oversample: float | None
    rerank_inference_id: str | None
    rank_window_size: int | None
    rerank_chunks: int | None
    rerank_chunk_words: int
    diversify: float | None
    allow_url_fetch: bool
    pass_urls: bool
    field_type: FieldType | None
    index_options: dict[str, Any] | None
    chunking_settings: dict[str, Any] | None
    index_settings: dict[str, Any] | None
    too_long: TooLong
    metadata_mappings: dict[str, Any] | None
