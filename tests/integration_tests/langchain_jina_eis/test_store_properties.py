"""The properties of the store, on the embedded EIS."""

from __future__ import annotations

import pytest
from store_properties import *  # noqa: F403 - tests and fixtures

from jina_eis.local import LocalEIS


@pytest.fixture
def url(eis: LocalEIS) -> str:
    """The address of the embedded EIS."""
    return eis.url
