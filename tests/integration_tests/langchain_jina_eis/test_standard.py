"""LangChain's standard integration tests, against the embedded EIS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from elasticsearch import Elasticsearch
from helpers import OMNI
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from vector_store import StoreSuite

from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetriever

TEXTS = ["A glacier is ice that flows.", "Bread rises because yeast makes gas.", "Cats sleep.", "The moon pulls the sea."]


class TestEmbeddings(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _connect(self, eis: LocalEIS) -> None:
        self.url = eis.url

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return JinaEISEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"es_url": self.url}


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _index(self, eis: LocalEIS) -> Iterator[None]:
        type(self).url = eis.url
        JinaEISRetriever.from_texts(TEXTS, es_url=eis.url, index_name="standard")
        yield
        with Elasticsearch(eis.url) as client:
            client.indices.delete(index="standard")

    url = ""

    @property
    def retriever_constructor(self) -> type[JinaEISRetriever]:
        return JinaEISRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"es_url": self.url, "index_name": "standard"}

    @property
    def retriever_query_example(self) -> str:
        return "How do glaciers move?"


class TestSemanticTextStore(StoreSuite):
    @pytest.fixture
    def url(self, eis: LocalEIS) -> str:
        return eis.url


class TestSemanticStore(TestSemanticTextStore):
    settings: ClassVar[dict[str, Any]] = {"field_type": "semantic", "inference_id": OMNI}


class TestDenseVectorStore(TestSemanticTextStore):
    settings: ClassVar[dict[str, Any]] = {"field_type": "dense_vector", "dimensions": 64}


class TestHybridStore(TestSemanticTextStore):
    settings: ClassVar[dict[str, Any]] = {"search_type": "hybrid"}


class TestStoreWithAnEmbeddingOfAnotherLibrary(TestSemanticTextStore):
    settings: ClassVar[dict[str, Any]] = {"field_type": "dense_vector", "embedding": StoreSuite.get_embeddings()}
