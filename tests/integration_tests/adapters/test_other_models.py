"""Models of other vendors: they work by what the deployment reports of their endpoints. Nothing in our table is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers import Caller, passages, posts
from made import png

from jina_eis import Endpoints
from jina_eis.errors import ConfigurationError, EndpointNotFoundError, InputError
from jina_eis.local import LocalEIS
from jina_eis.models import find_model
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetriever
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding
from llama_index_jina_eis import JinaEISRetriever as LlamaIndexRetriever

GEMINI, GEMINI_2 = ".google-gemini-embedding-001", ".google-gemini-embedding-2"
OPENAI, E5 = ".openai-text-embedding-3-small", ".microsoft-multilingual-e5-large"
DIMENSIONS = {GEMINI: 3072, GEMINI_2: 3072, OPENAI: 1536, E5: 1024}
OCR = ".jina-ocr-v1-chat_completion"


@pytest.mark.parametrize("endpoint", DIMENSIONS)
def test_texts_are_embedded(call: Caller, connect: Callable[..., Any], eis: LocalEIS, endpoint: str) -> None:
    assert find_model(endpoint[1:]) is None
    texts = [f"text {n}" for n in range(20)]
    first = call(connect(JinaEISEmbeddings, model=endpoint), "embed_documents", texts)
    second = call(connect(JinaEISEmbedding, model=endpoint), "get_text_embedding_batch", texts)
    assert [len(vector) for vector in first] == [DIMENSIONS[endpoint]] * 20
    assert first == second
    task = "embedding" if endpoint == GEMINI_2 else "text_embedding"
    assert [post.path for post in posts(eis)] == [f"/_inference/{task}/{endpoint}"] * 4
    assert len(eis.requests) == 6, "each object looks the endpoint up once"


def test_media_go_to_an_endpoint_of_task_embedding(call: Caller, connect: Callable[..., Any]) -> None:
    assert len(call(connect(JinaEISEmbeddings, model=GEMINI_2), "embed_content", png())) == 3072
    assert len(call(connect(JinaEISMultiModalEmbedding, model=GEMINI_2), "embed_content", png())) == 3072
    with pytest.raises(InputError, match=f"{GEMINI} embeds only text"):
        call(connect(JinaEISEmbeddings, model=GEMINI), "embed_content", png())


@pytest.mark.parametrize("search_type", ["semantic", "knn", "hybrid"])
@pytest.mark.parametrize("endpoint", [GEMINI, OPENAI, E5])
def test_an_index_is_filled_and_searched(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, index_name: str, endpoint: str, search_type: str
) -> None:
    arguments = {"index_name": index_name, "inference_id": endpoint, "search_type": search_type}
    retriever = connect(JinaEISRetriever, **arguments)
    call(retriever, "add_texts", passages(5))
    assert call(retriever, "invoke", "glacier ice flows")[0].page_content == "glacier ice flows"
    field = next(exchange.body for exchange in eis.requests if exchange.method == "PUT")["mappings"]["properties"]["embedding"]
    assert field.get("dims" if search_type == "knn" else "inference_id") == (
        DIMENSIONS[endpoint] if search_type == "knn" else endpoint
    )
    assert "chunking_settings" not in field, "those of the endpoint apply"
    other = connect(LlamaIndexRetriever, **arguments)
    assert call(other, "retrieve", "glacier ice flows")[0].text == "glacier ice flows"


def test_the_lengths_of_a_model_that_is_not_in_the_table_are_not_guessed(call: Caller, connect: Callable[..., Any]) -> None:
    assert len(call(connect(JinaEISEmbeddings, model=OPENAI, dimensions=1536), "embed_query", "x")) == 1536
    for dimensions, message in ((512, "sizes that the model .* are not known"), (2048, "returns 1536")):
        with pytest.raises(ConfigurationError, match=message):
            call(connect(JinaEISEmbeddings, model=OPENAI, dimensions=dimensions), "embed_query", "x")


def test_spaces_of_unknown_models_are_not_guessed(call: Caller, connect: Callable[..., Any]) -> None:
    embeddings = connect(JinaEISEmbeddings, model=OPENAI)
    assert call(embeddings, "shares_space_with", OPENAI)
    assert not call(embeddings, "shares_space_with", GEMINI)  # another length
    with pytest.raises(ConfigurationError, match="It is not known whether"):
        call(connect(JinaEISEmbeddings, model=E5), "shares_space_with", ".jina-embeddings-v3")


def test_an_endpoint_of_another_task_is_refused(call: Caller, connect: Callable[..., Any]) -> None:
    for endpoint, task in ((OCR, "chat_completion"), (".elser-2-elastic", "sparse_embedding")):
        with pytest.raises(ConfigurationError, match=f"{endpoint} is an endpoint for {task}"):
            call(connect(JinaEISEmbeddings, model=endpoint), "embed_query", "x")


def test_a_misspelt_name_of_another_vendor_gets_the_nearest(call: Caller, connect: Callable[..., Any]) -> None:
    with pytest.raises(EndpointNotFoundError, match=rf"Did you mean '{OPENAI}'\?") as caught:
        call(connect(JinaEISEmbeddings, model=".openai-text-embeding-3-small"), "embed_query", "x")
    assert GEMINI not in str(caught.value)


def test_all_endpoints_are_listed_and_described(call: Caller, connect: Callable[..., Any]) -> None:
    endpoints = connect(Endpoints)
    assert DIMENSIONS.keys() <= {endpoint.inference_id for endpoint in call(endpoints, "list", all=True)}
    assert not DIMENSIONS.keys() & {endpoint.inference_id for endpoint in call(endpoints, "list")}
    assert call(endpoints, "describe", E5).dimensions == 1024
