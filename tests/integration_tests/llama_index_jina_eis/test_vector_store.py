"""`llama_index_jina_eis.JinaEISVectorStore` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import pytest
from llama_index_store import *  # noqa: F403 - tests and fixtures

from jina_eis.local import LocalEIS


@pytest.fixture
def url(eis: LocalEIS) -> str:
    return eis.url


@pytest.fixture(params=["semantic_text", "dense_vector"])
def field_type(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def filter_examples() -> int:
    return 25
