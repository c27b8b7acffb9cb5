"""What Elasticsearch 9.5 knows and the local EIS refuses by name: a table of names."""

from __future__ import annotations

from .refusals import not_implemented

__all__ = ["refuse_unsupported"]

# By what they are names of. A setting is named by its first part; a parameter, if any route of Elasticsearch has it.
UNSUPPORTED = {
    "field type": """
        aggregate_metric_double alias binary completion constant_keyword counted_keyword date_nanos date_range double_range
        flattened float_range geo_point geo_shape histogram integer_range ip ip_range join long_range match_only_text murmur3
        nested passthrough percolator point rank_feature rank_features rank_vectors scaled_float search_as_you_type shape
        sparse_vector token_count unsigned_long version wildcard
    """,
    "field": """
        coerce copy_to doc_values eager_global_ordinals fielddata fielddata_frequency_filter fields ignore_malformed
        index_options index_phrases index_prefixes meta normalizer normalizer_skip_store_original_value norms null_value
        on_script_error position_increment_gap script search_analyzer search_quote_analyzer similarity
        split_queries_on_whitespace store store_array_source subobjects term_vector time_series_dimension time_series_metric
    """,
    "mappings": """
        _data_stream_timestamp _routing _size _source dynamic_date_formats dynamic_templates enabled numeric_detection runtime
        subobjects
    """,
    "service": """
        ai21 alibabacloud-ai-search amazon_sagemaker amazonbedrock anthropic azureaistudio azureopenai cohere contextualai custom
        deepseek elasticsearch elser fireworksai googleaistudio googlevertexai groq hugging_face jinaai llama mistral mixedbread
        nvidia openai openshift_ai voyageai watsonxai
    """,
    "setting": """
        analysis analyze auto_expand_replicas blocks bulk codec default_pipeline dense_vector final_pipeline flush_after_merge
        gc_deletes hidden highlight indexing load_fixed_bitset_filters_eagerly logsdb mapper mapping max_docvalue_fields_search
        max_inner_result_window max_ngram_diff max_refresh_listeners max_regex_length max_rescore_window max_result_window
        max_script_fields max_shingle_diff max_slices_per_scroll max_terms_count merge mode number_of_routing_shards
        optimize_auto_generated_id priority queries query query_string recovery requests routing routing_partition_size
        routing_path search shard soft_deletes sort store time_series translog unassigned version warmer write
    """,
    "bulk action": """
        _source dynamic_templates if_primary_term if_seq_no list_executed_pipelines op_type pipeline require_alias
        require_data_stream retry_on_conflict routing version version_type
    """,
    "parameter": """
        _source _source_exclude_vectors _source_excludes _source_includes allow_partial_search_results analyze_wildcard
        analyzer batched_reduce_size ccs_minimize_roundtrips conflicts default_operator df docvalue_fields error_trace explain
        features filter_path flat_settings force_synthetic_source format from if_primary_term if_seq_no ignore_throttled
        include_defaults include_named_queries_score lenient list_executed_pipelines local max_concurrent_shard_requests
        max_docs min_score pipeline pre_filter_shard_size preference q refresh request_cache requests_per_second
        require_data_stream rest_total_hits_as_int routing scroll scroll_size search_timeout search_type seq_no_primary_term
        size slices sort stats stored_fields suggest_field suggest_mode suggest_size suggest_text terminate_after track_scores
        track_total_hits typed_keys version version_type wait_for_completion write_index_only
    """,
    "query": """
        boosting combined_fields common dis_max distance_feature function_score fuzzy geo_bounding_box geo_distance geo_grid
        geo_polygon geo_shape has_child has_parent intervals match_bool_prefix match_phrase_prefix more_like_this multi_match
        nested parent_id percolate pinned prefix query_string rank_feature regexp rule script script_score shape
        simple_query_string span_containing span_first span_multi span_near span_not span_or span_term span_within sparse_vector
        terms_set text_expansion type weighted_tokens wildcard wrapper
    """,
    "retriever": """
        pinned rescorer rule
    """,
    "search option": """
        _name allow_rerank_failures collapse fields filter inner_hits min_score normalizer query search_after sort
        terminate_after visit_percentage
    """,
    "update": """
        _source if_primary_term if_seq_no script scripted_upsert
    """,
}


def refuse_unsupported(kind: str, name: object, what: str) -> None:
    """Refuse a name of this kind with 501, if Elasticsearch knows it; `what` names it in the error."""
    if name in UNSUPPORTED[kind].split():
        raise not_implemented(what)
