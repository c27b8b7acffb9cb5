"""Names of cached vectors, by hand."""

from __future__ import annotations

from typing import Any

import by_hand
import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch

from jina_eis.errors import AuthorizationError, ConnectionFailedError, JinaEISError
from jina_eis.steps import known_endpoint
from jina_eis.steps.namespace import vector_namespace
from jina_eis.transport.address import Address
from jina_eis.transport.connection import Connection
from jina_eis.wire import EndpointInfo
from jina_eis.wire.endpoints import EMBEDDED_UUID

SMALL = known_endpoint(".jina-embeddings-v5-text-small")
assert SMALL
REAL = {"cluster_uuid": "Yw2Q", "tagline": "You Know, for Search", "version": {"number": "9.5.3"}}
HASH, NANO = ({"cluster_uuid": EMBEDDED_UUID, "tagline": tagline, "version": {"number": "9.6.0"}} for tagline in ("hash", "nano"))


def name(answer: Any, address: str = "a:443", endpoint: EndpointInfo = SMALL) -> str:
    result, _ = by_hand.feed(vector_namespace(address, endpoint, None, "ingest"), lambda call: answer)
    return str(result)


def test_a_deployment_is_its_address() -> None:
    assert name(REAL) == name({**REAL, "version": {"number": "9.6.0"}})
    assert len({name(REAL), name(REAL, "b:443"), name(HASH), name(NANO)}) == 4


def test_an_embedded_server_is_its_stand_in() -> None:
    assert name(HASH) == name(HASH, "b:443")


def test_two_models_behind_one_id_have_two_names() -> None:
    names = {name(REAL, endpoint=EndpointInfo("mine", "embedding", "elastic", model, 256)) for model in ("a", "b")}
    assert len(names) == 2


def refused(error: JinaEISError) -> str:
    steps = vector_namespace("a:443", SMALL, None, "ingest")
    next(steps)
    try:
        steps.throw(error)
    except StopIteration as end:
        return str(end.value)
    raise AssertionError("the steps did not end")


def test_a_key_that_may_not_see_the_deployment_has_the_name_of_the_address() -> None:
    assert refused(AuthorizationError("no", status=403)) == name(REAL)


def test_a_deployment_that_is_not_reached_has_no_name() -> None:
    with pytest.raises(ConnectionFailedError):
        refused(ConnectionFailedError("refused"))


# Addresses

CLOUD = "OmV1LmV4YW1wbGUkZXMka2I="  # ":eu.example$es$kb"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"url": "https://ES.example.com"}, {"url": "https://es.example.com:443/"}),
        ({"url": "https://es.example.com", "api_key": "k"}, {"url": "https://es.example.com", "user": "u", "password": "p"}),
        ({"cloud_id": f"name:{CLOUD}"}, {"cloud_id": f"renamed:{CLOUD}"}),
    ],
)
def test_spellings_and_credentials_do_not_distinguish_addresses(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert Address(**one).location == Address(**other).location


def test_a_path_distinguishes_addresses() -> None:
    assert Address(url="https://a.example.com/one").location != Address(url="https://a.example.com/two").location


def test_a_client_has_the_location_of_its_address() -> None:
    url = "http://es.example.com:9200/prefix"
    expected = Address(url=url).location
    for name_, client in (("client", Elasticsearch(url)), ("async_client", AsyncElasticsearch(url))):
        connection = Connection(None, **{name_: client}, timeout=1, connections=1, product="x")  # type: ignore[arg-type]
        assert connection.location == expected
