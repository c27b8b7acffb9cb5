"""The properties of the store, on the real node."""

from __future__ import annotations

import pytest
from real.front import Front
from store_properties import *  # noqa: F403 - tests and fixtures


@pytest.fixture
def url(front: Front) -> str:
    """The address of the node and of the embedded EIS beside it."""
    return front.url
