"""LangChain's own integration tests, against the embedded EIS."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests

from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings


class TestStandard(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _connect(self, eis: LocalEIS) -> None:
        self.url = eis.url

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return JinaEISEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"es_url": self.url}
