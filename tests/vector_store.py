"""LangChain's standard tests of `JinaEISVectorStore`, which hold on the embedded EIS and on the real Elasticsearch.

Their modules subclass `StoreSuite` for each kind of field, and have a fixture `url` each.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from langchain_jina_eis import JinaEISVectorStore


class StoreSuite(VectorStoreIntegrationTests):
    """The whole suite, sync and async, for one kind of field."""

    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def vectorstore(self, url: str) -> Iterator[VectorStore]:  # type: ignore[override]  # as LangChain's own suites do
        store = JinaEISVectorStore(index_name=f"test-{uuid.uuid4().hex}", es_url=url, **self.settings)
        yield store
        store.delete_index(missing_ok=True)
        store.close()
