"""Names of other packages, as arguments of every public class."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest

import jina_eis
import langchain_jina_eis as lc
import llama_index_jina_eis as li
from jina_eis.adapters import ServiceSettings
from jina_eis.adapters.other_names import _CLIENT_OPTIONS, _MEANT
from jina_eis.batch import EmbedBatch
from jina_eis.errors import ConfigurationError
from jina_eis.local import LocalEIS

RETRIEVERS = (lc.JinaEISRetriever, lc.JinaEISVectorStore, li.JinaEISRetriever, li.JinaEISVectorStore)
EMBEDDINGS = (lc.JinaEISEmbeddings, li.JinaEISEmbedding, li.JinaEISMultiModalEmbedding)
RERANKERS = (lc.JinaEISRerank, li.JinaEISRerank)
EVERY = (*RETRIEVERS, *EMBEDDINGS, *RERANKERS, jina_eis.Endpoints, lc.JinaEISParser, li.JinaEISReader)


def refusal(make: Callable[..., Any], **arguments: Any) -> str:
    if make in RETRIEVERS:
        arguments = {"index_name": "kb", **arguments}
    with pytest.raises(ConfigurationError) as caught:
        make(es_url="http://127.0.0.1:9", **arguments)
    return str(caught.value)


@pytest.mark.parametrize("make", EVERY, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("elasticsearch_url", "es_url"),
        ("hosts", "es_url"),
        ("api_key", "es_api_key"),
        ("cloud_id", "es_cloud_id"),
        ("basic_auth", "es_user and es_password"),
        ("request_timeout", "timeout"),
        ("es_connection", "client"),
        ("max_workers", "max_concurrency"),
    ],
)
def test_names_of_the_connection(make: Any, name: str, meant: str) -> None:
    problem = refusal(make, **{name: "x"})
    assert problem.endswith(f" has no argument {name}. Did you mean {meant}?")


@pytest.mark.parametrize(
    ("kinds", "name", "meant"),
    [
        (EMBEDDINGS[:1], "model_name", "model"),
        (RERANKERS, "model_name", "model"),
        (EMBEDDINGS, "task", "document_input_type"),
        (EMBEDDINGS, "cache", "embeddings_cache"),
        (EMBEDDINGS, "output_dimension", "dimensions"),
        (EMBEDDINGS[:1], "chunk_size", "batch_size"),
        (EMBEDDINGS[1:], "chunk_size", "embed_batch_size"),
        (RERANKERS, "top_k", "top_n"),
        (RERANKERS, "k", "top_n"),
        (RERANKERS, "batch_size", "window_size"),
        (RERANKERS, "min_score", "score_threshold"),
        (RETRIEVERS[:3], "top_k", "k"),
        (RETRIEVERS[:3], "similarity_top_k", "k"),
        (RETRIEVERS[:3], "search_kwargs", "k and filter"),
        (RETRIEVERS, "rerank", "rerank_inference_id"),
        (RETRIEVERS, "model", "inference_id"),
        (RETRIEVERS, "score_threshold", "min_score"),
        (RETRIEVERS, "index", "index_name"),
    ],
)
def test_names_of_what_a_class_does(kinds: tuple[Any, ...], name: str, meant: str) -> None:
    for kind in kinds:
        assert refusal(kind, **{name: "x"}).endswith(f" has no argument {name}. Did you mean {meant}?"), kind


def test_options_of_the_client_and_names_that_mean_nothing() -> None:
    problem = refusal(lc.JinaEISEmbeddings, client_cert="cert.pem")
    assert problem.endswith("pass client=Elasticsearch(..., client_cert=...).")
    listed = refusal(lc.JinaEISEmbeddings, frobnicate=1)
    assert "Its arguments: " in listed
    assert " model, " in listed  # the name that the README uses
    assert refusal(lc.JinaEISEmbeddings, model="a", inference_id="b") == "Pass inference_id or model, not both."


def test_every_suggested_name_is_an_argument_somewhere() -> None:
    known = {name for kind in EVERY for name in getattr(kind, "model_fields", {})} | {"model"}
    known |= set(lc.JinaEISRetriever.model_fields) | signature(EmbedBatch).parameters.keys()
    assert {part for meant in _MEANT.values() for name in meant for part in name.split(" and ")} <= known
    assert not _MEANT.keys() & ServiceSettings.model_fields.keys()
    assert not set(_CLIENT_OPTIONS.split()) & ServiceSettings.model_fields.keys()


def test_model_name_is_the_endpoint_in_llama_index(eis: LocalEIS) -> None:
    embedding = li.JinaEISEmbedding(es_url=eis.url, model_name=".jina-embeddings-v3")
    assert embedding.inference_id == ".jina-embeddings-v3"
    assert embedding.model_name == "jina-embeddings-v3"
    assert type(embedding).from_dict(embedding.to_dict()).inference_id == ".jina-embeddings-v3"
    with pytest.raises(ConfigurationError, match="is not the model of"):
        li.JinaEISEmbedding(es_url=eis.url, inference_id=".jina-embeddings-v3", model_name="jina-embeddings-v5-text-small")
