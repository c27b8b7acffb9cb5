"""The bulk helpers of the official client on the embedded EIS, sync and async, and what of them is refused by name."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from elasticsearch import ApiError, AsyncElasticsearch, Elasticsearch, helpers
from elasticsearch.helpers import BulkIndexError

from jina_eis.local import LocalEIS

Json = dict[str, Any]
refused = pytest.mark.xfail(raises=ApiError, strict=True, reason="scroll is refused with 501")


class Helpers:
    """The helpers of a client by their sync names; what one yields is returned as a list."""

    def __init__(self, url: str, asynchronous: bool) -> None:
        self.url, self.asynchronous = url, asynchronous
        self.index = f"test-{uuid.uuid4().hex}"
        self.client = Elasticsearch(url)

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        if not self.asynchronous:
            result = getattr(helpers, name)(self.client, *arguments, **options)
            return list(result) if isinstance(result, Iterator) else result
        return asyncio.run(self._call(name, *arguments, **options))

    async def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        async with AsyncElasticsearch(self.url) as client:
            result = getattr(helpers, f"async_{name}")(client, *arguments, **options)
            return [item async for item in result] if isinstance(result, AsyncIterator) else await result

    def sources(self, *ids: str) -> list[Json | None]:
        """The stored documents, None for one that does not exist."""
        docs = self.client.mget(index=self.index, ids=list(ids))["docs"]
        return [doc.get("_source") for doc in docs]

    def count(self) -> int:
        self.client.indices.refresh(index=self.index)
        return int(self.client.count(index=self.index)["count"])


@pytest.fixture(params=["sync", "async"])
def called(request: pytest.FixtureRequest, eis: LocalEIS) -> Iterator[Helpers]:
    called = Helpers(eis.url, request.param == "async")
    yield called
    called.client.close()


def documents(called: Helpers, count: int) -> Iterator[Json]:
    return ({"_index": called.index, "_id": str(n), "n": n} for n in range(count))


def test_bulk_writes_in_chunks(called: Helpers) -> None:
    assert called.call("bulk", documents(called, 25), chunk_size=10, refresh=True) == (25, [])
    assert called.sources("0", "24", "25") == [{"n": 0}, {"n": 24}, None]


def test_the_index_may_stand_beside_the_actions(called: Helpers) -> None:
    assert called.call("bulk", [{"n": 1}, {"n": 2}], index=called.index, stats_only=True) == (2, 0)
    assert called.count() == 2


def test_chunks_are_limited_in_bytes(called: Helpers) -> None:
    texts = [{"_index": called.index, "text": "x" * 400} for _ in range(20)]
    assert called.call("bulk", texts, max_chunk_bytes=1000) == (20, [])
    assert called.count() == 20


def test_every_kind_of_action(called: Helpers) -> None:
    index = {"_index": called.index}
    actions: list[Json] = [
        {**index, "_op_type": "create", "_id": "1", "_source": {"n": 1, "lang": "en"}},
        {**index, "_op_type": "update", "_id": "1", "doc": {"n": 2}},
        {**index, "_op_type": "update", "_id": "2", "doc": {"n": 3}, "doc_as_upsert": True},
        {**index, "_op_type": "update", "_id": "4", "doc": {"n": 0}, "upsert": {"n": 4}},
        {**index, "_op_type": "index", "_id": "3", "n": 5},
        {**index, "_op_type": "delete", "_id": "3"},
    ]
    outcomes = called.call("streaming_bulk", actions)
    kinds = [(ok, kind, item["status"], item["result"]) for ok, outcome in outcomes for kind, item in outcome.items()]
    assert kinds == [
        (True, "create", 201, "created"),
        (True, "update", 200, "updated"),
        (True, "update", 201, "created"),
        (True, "update", 201, "created"),
        (True, "index", 201, "created"),
        (True, "delete", 200, "deleted"),
    ]
    assert called.sources("1", "2", "3", "4") == [{"n": 2, "lang": "en"}, {"n": 3}, None, {"n": 4}]


def test_an_action_as_a_line_of_ndjson(called: Helpers) -> None:
    assert called.call("bulk", ['{"n":1}'], index=called.index) == (1, [])
    assert called.count() == 1


def test_failures_are_raised_with_each_error(called: Helpers) -> None:
    called.client.indices.create(index=called.index, mappings={"properties": {"n": {"type": "long"}}})
    actions = [{"_index": called.index, "_id": "1", "n": "blue"}, {"_index": called.index, "_id": "2", "n": 2}]
    with pytest.raises(BulkIndexError) as caught:
        called.call("bulk", actions)
    (failed,) = caught.value.errors
    assert (failed["index"]["_id"], failed["index"]["status"]) == ("1", 400)
    assert failed["index"]["error"]["type"] == "document_parsing_exception"
    assert called.sources("1", "2") == [None, {"n": 2}]


def test_failures_are_returned(called: Helpers) -> None:
    actions = [{"_index": called.index, "_op_type": "create", "_id": "1", "n": n} for n in range(2)]
    done, failed = called.call("bulk", actions, raise_on_error=False)
    assert done == 1
    assert failed[0]["create"]["status"] == 409
    assert failed[0]["create"]["error"]["type"] == "version_conflict_engine_exception"


def test_the_deletion_of_a_missing_document_may_be_ignored(called: Helpers) -> None:
    called.client.indices.create(index=called.index)
    actions = [{"_index": called.index, "_op_type": "delete", "_id": "unknown"}]
    with pytest.raises(BulkIndexError):
        called.call("bulk", actions)
    _, (missing,) = called.call("bulk", actions, ignore_status=404)
    assert (missing["delete"]["status"], missing["delete"]["result"]) == (404, "not_found")


def test_overload_is_retried(called: Helpers, eis: LocalEIS) -> None:
    eis.faults.queue("rate_limit")
    assert called.call("bulk", documents(called, 3), max_retries=2, initial_backoff=0) == (3, [])


def test_no_action_sends_nothing(called: Helpers) -> None:
    assert called.call("bulk", []) == (0, [])


def test_parallel_bulk(eis: LocalEIS) -> None:
    called = Helpers(eis.url, asynchronous=False)
    outcomes = called.call("parallel_bulk", documents(called, 40), thread_count=4, chunk_size=5)
    assert len(outcomes) == 40
    assert all(ok for ok, _ in outcomes)
    assert called.count() == 40
    called.client.close()


@refused
@pytest.mark.parametrize("options", [{}, {"preserve_order": True}, {"query": {"query": {"match_all": {}}}}], ids=str)
def test_scan(called: Helpers, options: Json) -> None:
    called.call("bulk", documents(called, 5), refresh=True)
    assert len(called.call("scan", index=called.index, **options)) == 5


@refused
def test_reindex(called: Helpers) -> None:
    called.call("bulk", documents(called, 5), refresh=True)
    assert called.call("reindex", called.index, f"{called.index}-copy") == (5, [])
