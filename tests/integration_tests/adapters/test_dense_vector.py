"""Both frameworks over dense_vector fields of the embedded EIS: the tests that the real Elasticsearch passes, too."""

from __future__ import annotations

import pytest
from dense_vector import *  # noqa: F403 - tests and fixtures

from jina_eis.local import LocalEIS


@pytest.fixture
def url(eis: LocalEIS) -> str:
    """The address of the embedded EIS."""
    return eis.url
