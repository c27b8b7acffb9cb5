"""Names of arguments in other packages, and the arguments here that they mean. Only for the hint of an error.

From the Elasticsearch client, the Elasticsearch stores of both frameworks, and the classes of both frameworks for Cohere, OpenAI
and Jina. The first entry of a row that a class has is suggested.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

__all__ = ["hint"]

_ENDPOINT = ("model", "inference_id")
_NUMBER = ("k", "top_n")
_BATCH = ("batch_size", "embed_batch_size", "window_size")
_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("model_name model_id deployment embedding_model embed_model embedding endpoint endpoint_id", _ENDPOINT),
    ("model", ("inference_id", "rerank_inference_id")),
    ("elasticsearch_url url urls host hosts node nodes base_url api_base es_host es_hosts", ("es_url",)),
    ("cloud_id elastic_cloud_id es_cloudid", ("es_cloud_id",)),
    ("api_key jina_api_key elasticsearch_api_key es_apikey openai_api_key cohere_api_key token", ("es_api_key",)),
    ("user username elasticsearch_user elastic_user", ("es_user",)),
    ("password elasticsearch_password elastic_password", ("es_password",)),
    ("basic_auth http_auth", ("es_user and es_password",)),
    ("es_connection es_client elasticsearch connection", ("client",)),
    ("es_async_client aclient", ("async_client",)),
    ("request_timeout default_timeout", ("timeout",)),
    ("retries retry max_retry_attempts", ("max_retries",)),
    ("max_workers workers concurrency max_concurrent_requests", ("max_concurrency",)),
    ("http_headers default_headers extra_headers", ("headers",)),
    ("proxies http_proxy https_proxy", ("proxy",)),
    ("verify ssl_verify verify_ssl", ("verify_certs",)),
    ("ca_cert cafile ca_bundle ca_file", ("ca_certs",)),
    ("compress compression", ("http_compress",)),
    ("top_k topk similarity_top_k limit size num_results n_results", _NUMBER),
    ("k", ("top_n",)),
    ("top_n", ("k",)),
    ("search_kwargs", ("k and filter",)),
    ("filters pre_filter where", ("filter",)),
    ("score_threshold similarity_threshold similarity_cutoff", ("min_score", "score_threshold")),
    ("min_score", ("score_threshold",)),
    ("mode query_mode strategy vector_store_query_mode", ("search_type",)),
    ("index collection collection_name es_index", ("index_name",)),
    ("text_field query_field content_key page_content_key", ("content_field", "column")),
    ("text_column input_column", ("column",)),
    ("output output_column vector_column target", ("into",)),
    ("vector_field vector_query_field vector_name", ("field",)),
    ("distance_strategy similarity", ("index_options",)),
    ("rerank reranker rerank_model rerank_endpoint", ("rerank_inference_id",)),
    ("task task_type input_type document_input_type", ("document_input_type", "input_type")),
    ("query_model query_inference_id query_model_name", ("search_inference_id", "inference_id")),
    ("output_dimension output_dimensionality dimension dims dim num_dimensions embedding_size", ("dimensions",)),
    ("batch_size embed_batch_size chunk_size max_batch_size", _BATCH),
    ("window", ("window_size", "rank_window_size")),
    ("cache cache_store embedding_cache", ("embeddings_cache",)),
    ("show_progress progress", ("show_progress_bar",)),
    ("truncate truncation late_chunking", ("too_long",)),
)
_MEANT = {name: meant for names, meant in _ROWS for name in names.split()}

# Options of `Elasticsearch(...)` that have no setting here.
_CLIENT_OPTIONS = (
    "bearer_auth client_cert client_key ssl_context ssl_version ssl_assert_hostname ssl_show_warn node_class node_pool_class"
    " transport_class serializer serializers sniff_on_start sniff_before_requests retry_on_status retry_on_timeout opaque_id"
    " meta_header connections_per_node max_connections http_auth_type randomize_nodes_in_pool es_params"
)


def hint(name: str, arguments: Collection[str]) -> str:
    """Return a sentence about an argument that a class does not have.

    Args:
        name: The unknown name.
        arguments: The names that the class has.
    """
    for meant in _MEANT.get(name, ()):
        if all(part in arguments for part in meant.split(" and ")):
            return f"Did you mean {meant}?"
    if name in _CLIENT_OPTIONS.split() and "client" in arguments:
        return f"It is an option of the Elasticsearch client: pass client=Elasticsearch(..., {name}=...)."
    if close := get_close_matches(name, sorted(arguments), n=1):
        return f"Did you mean {close[0]}?"
    return f"Its arguments: {', '.join(sorted(arguments))}."
