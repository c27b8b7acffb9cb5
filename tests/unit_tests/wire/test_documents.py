"""Writes of documents, and their outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from jina_eis.errors import RateLimitError, ServiceUnavailableError
from jina_eis.wire.documents import Write, bulk


def outcome(error: dict[str, Any], status: int = 400) -> Any:
    """The outcome of the second of two writes."""
    items = [{"index": {"_id": "1", "status": 201}}, {"index": {"_id": "2", "status": status, "error": error}}]
    return bulk("docs", [Write("1", {}), Write("2", {})]).read({"items": items})[1]


def test_a_reason_does_not_quote_the_document() -> None:
    """Elasticsearch 9.5.3 quotes up to 500 characters of the document behind the first line of a reason."""
    quote = '\n at [Source: (byte[])"{"secret": "text"; line: 1, column: 11]'
    cause = {"type": "json_e_o_f_exception", "reason": f"Unexpected end-of-input in VALUE_STRING{quote}"}
    result = outcome({"type": "document_parsing_exception", "reason": f"[1:7] failed to parse{quote}", "caused_by": cause})
    assert result.reason == "[1:7] failed to parse: Unexpected end-of-input in VALUE_STRING"


def test_the_reason_for_a_wrong_date_names_it() -> None:
    innermost = {"type": "date_time_parse_exception", "reason": "Failed to parse with all enclosed parsers"}
    cause = {"type": "illegal_argument_exception", "reason": "failed to parse date field [tomorrow]", "caused_by": innermost}
    result = outcome({"type": "document_parsing_exception", "reason": "[1:7] failed to parse", "caused_by": cause})
    assert result.reason == "[1:7] failed to parse: failed to parse date field [tomorrow]"


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitError), (503, ServiceUnavailableError)])
def test_writes_without_capacity_or_shard_are_retried(status: int, kind: type[Exception]) -> None:
    assert outcome({"type": "x", "reason": "y"}, status).rejected
    items = [{"index": {"_id": "1", "status": status, "error": {"type": "x", "reason": "primary shard is not active"}}}]
    with pytest.raises(kind, match="primary shard is not active"):
        bulk("docs", [Write("1", {})]).read({"items": items})
