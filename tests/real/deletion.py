"""`_delete_by_query` by requests that the published jars can answer: search, scroll and bulk.

Knows the JSON of these; must not know how it is sent.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

__all__ = ["delete_by_query"]

Json = dict[str, Any]
Ask = Callable[[str, str, Json | list[Json] | None], Awaitable[Json]]
PAGE = 1_000  # documents to find and delete at a time; Elasticsearch takes as many
KEEP = "1m"  # how long the node keeps the search between two pages
OF_THE_SEARCH = ("allow_no_indices", "expand_wildcards", "ignore_unavailable", "preference")


async def delete_by_query(ask: Ask, index: str, params: Mapping[str, str], body: Json) -> tuple[int, Json]:
    """Delete what matches: the status and the body of the answer.

    A document that was written again after it was found is a conflict and stays. Without `conflicts=proceed` the first page
    with one is the last.

    Args:
        ask: Sends a method, a path and a body to the node, line by line if it is a list, and returns the body of the answer.
        index: The index, as in the path.
        params: The parameters of the URL.
        body: The query, and `max_docs`.
    """
    began = time.monotonic()
    may_conflict = params.get("conflicts") == "proceed"
    query = "&".join(f"{name}={params[name]}" for name in OF_THE_SEARCH if name in params)
    search = {key: value for key, value in body.items() if key != "max_docs"}
    search |= {"size": PAGE, "_source": False, "seq_no_primary_term": True, "sort": ["_doc"]}
    left = body.get("max_docs")
    total = deleted = batches = conflicts = 0
    failures: list[Json] = []
    page = await ask("POST", f"/{index}/_search?scroll={KEEP}&{query}", search)
    while (hits := page["hits"]["hits"][:left]) and not failures:
        answer = await ask("POST", "/_bulk", [delete_line(hit) for hit in hits])
        results = [item["delete"] for item in answer["items"]]
        total += len(hits)
        batches += 1
        deleted += sum(result["status"] == 200 for result in results)
        conflicts += sum(result["status"] == 409 for result in results)
        failures = [failure(result) for result in results if "error" in result and not (may_conflict and result["status"] == 409)]
        left = None if left is None else left - len(hits)
        page = await ask("POST", "/_search/scroll", {"scroll": KEEP, "scroll_id": page["_scroll_id"]})
    if page["_shards"]["total"]:  # a search of no index leaves nothing open
        await ask("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})
    if params.get("refresh", "false") != "false":
        await ask("POST", f"/{index}/_refresh", None)
    return max((document["status"] for document in failures), default=200), {
        "took": int((time.monotonic() - began) * 1000),
        "timed_out": False,
        "total": total,
        "deleted": deleted,
        "batches": batches,
        "version_conflicts": conflicts,
        "noops": 0,
        "retries": {"bulk": 0, "search": 0},
        "throttled_millis": 0,
        "requests_per_second": -1.0,
        "throttled_until_millis": 0,
        "failures": failures,
    }


def delete_line(hit: Json) -> Json:
    unchanged = {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return {"delete": {"_index": hit["_index"], "_id": hit["_id"], **unchanged}}


def failure(result: Json) -> Json:
    return {"index": result["_index"], "id": result["_id"], "cause": result["error"], "status": result["status"]}
