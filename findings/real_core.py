"""The core of Elasticsearch 9.5.3 for the scripts of this folder, and functions that send it JSON."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from real.node import RealNode, UnavailableError, find_tools

__all__ = ["Core", "elasticsearch"]


@dataclass(frozen=True, slots=True)
class Core:
    """A started node.

    Attributes:
        url: Its address on loopback.
    """

    url: str

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request, with a list as lines of JSON, and return the status and the JSON of the response."""
        text = "".join(json.dumps(line) + "\n" for line in body) if isinstance(body, list) else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, None if body is None else text.encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def create(self, index: str, fields: dict[str, Any], documents: list[dict[str, Any]], **settings: Any) -> None:
        """Create an index of one shard, with documents whose ids are "0", "1" and so on."""
        settings = {"number_of_shards": 1, "number_of_replicas": 0, **settings}
        status, answer = self.send("PUT", f"/{index}", {"settings": settings, "mappings": {"properties": fields}})
        assert status == 200, answer
        lines = [line for i, source in enumerate(documents) for line in ({"index": {"_id": str(i)}}, source)]
        status, answer = self.send("POST", f"/{index}/_bulk?refresh=true", lines)
        assert status == 200, answer
        assert not answer["errors"], answer

    def ids(self, index: str, body: dict[str, Any]) -> list[str]:
        """Search, and return the ids of the hits."""
        status, answer = self.send("POST", f"/{index}/_search", body)
        assert status == 200, answer
        return [hit["_id"] for hit in answer["hits"]["hits"]]


@contextmanager
def elasticsearch() -> Iterator[Core]:
    """Start a node for the `with` block; exit with 2 where this is not possible."""
    try:
        tools = find_tools()
    except UnavailableError as error:
        print(f"not run: {error}")
        raise SystemExit(2) from error
    with RealNode(tools) as node:
        yield Core(node.url)
