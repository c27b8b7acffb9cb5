"""Requests to indices, and their responses."""

from __future__ import annotations

import pytest

from jina_eis.errors import ConfigurationError
from jina_eis.wire.indices import delete_index


@pytest.mark.parametrize("name", ["", "a,b", "docs*", "*", "-docs", "_all", "<docs-{now/d}>", "docs,-docs"])
def test_only_one_index_is_deleted_at_a_time(name: str) -> None:
    with pytest.raises(ConfigurationError, match="one index is deleted at a time"):
        delete_index(name)


@pytest.mark.parametrize("name", ["docs", ".docs", "a-b_c", "2024.01"])
def test_a_plain_name_is_deleted(name: str) -> None:
    assert delete_index(name).path == f"/{name}"
