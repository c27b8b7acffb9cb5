"""Pickles that version 0.1 wrote still load: adapters, endpoints, a report and an error."""

from __future__ import annotations

import json
import pickle
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from jina_eis import EndpointInfo, Endpoints, Report
from jina_eis.errors import EndpointNotFoundError

PICKLES = {
    name: b64decode(text)
    for name, text in json.loads((Path(__file__).parent / "pickles_0_1.json").read_text(encoding="utf-8")).items()
}


@pytest.mark.parametrize("name", [name for name in PICKLES if "jina_eis.Jina" in name])
def test_an_adapter(name: str) -> None:
    adapter = pickle.loads(PICKLES[name])
    package, _, kind = name.rpartition(".")
    assert type(adapter).__name__ == kind
    assert type(adapter).__module__.startswith(package)
    address = settings(adapter).es_url
    assert address.startswith("http://127.0.0.1:")
    loaded = settings(pickle.loads(pickle.dumps(adapter)))
    assert loaded.es_url == address
    assert loaded.use_case is None, "a setting that is newer than the pickle"
    if kind == "JinaEISRerank":
        assert loaded.inference_id == ".jina-reranker-v3"


def settings(adapter: Any) -> Any:
    """LlamaIndex's retriever keeps its settings in an object of its own, the other adapters are that object."""
    return getattr(adapter, "settings", adapter)


def test_endpoints() -> None:
    assert isinstance(pickle.loads(PICKLES["jina_eis.Endpoints"]), Endpoints)
    endpoints = pickle.loads(PICKLES["jina_eis.Endpoints.list"])
    assert all(isinstance(endpoint, EndpointInfo) for endpoint in endpoints)
    assert ".jina-reranker-v3" in {endpoint.inference_id for endpoint in endpoints}


def test_a_report() -> None:
    report = pickle.loads(PICKLES["jina_eis.Report"])
    assert isinstance(report, Report)
    assert report.ok
    assert report.to_dict()["ok"]
    assert "endpoints" in str(report)


def test_an_error() -> None:
    error = pickle.loads(PICKLES["error"])
    assert isinstance(error, EndpointNotFoundError)
    assert error.endpoint == "jina-nope"
    assert error.status == 404
