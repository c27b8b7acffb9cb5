"""LangChain's standard tests of the store over a dense_vector field of the real node."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from real.front import Front
from vector_store import StoreSuite


class TestDenseVectorStore(StoreSuite):
    settings: ClassVar[dict[str, Any]] = {"field_type": "dense_vector", "dimensions": 64}

    @pytest.fixture
    def url(self, front: Front) -> str:
        """The address of the node and of the embedded EIS beside it."""
        return front.url
