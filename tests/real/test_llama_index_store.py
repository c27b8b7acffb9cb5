"""LlamaIndex's vector store over dense_vector fields of the real node: the tests of the embedded EIS."""

from __future__ import annotations

import pytest
from llama_index_store import *  # noqa: F403 - tests and fixtures
from real.front import Front


@pytest.fixture
def url(front: Front) -> str:
    """The address of the node and of the embedded EIS beside it."""
    return front.url


@pytest.fixture
def field_type() -> str:
    return "dense_vector"


@pytest.fixture
def filter_examples() -> int:
    return 12
