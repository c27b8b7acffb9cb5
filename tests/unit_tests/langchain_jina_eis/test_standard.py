"""LangChain's own unit tests."""

from __future__ import annotations

from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_jina_eis import JinaEISEmbeddings


class TestStandard(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return JinaEISEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"es_url": "http://localhost:9200"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {"ES_URL": "http://localhost:9200", "ES_API_KEY": "key"}
        return environment, {}, {"es_url": "http://localhost:9200", "es_api_key": "key"}
