"""TLS, proxies, headers and compression as plain settings, in sync and async calls, and their secrets."""

from __future__ import annotations

import hashlib
import logging
import pickle
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from fronts import Recorded, certificate, front, proxy
from helpers import Caller

import jina_eis
import langchain_jina_eis as lc
import llama_index_jina_eis as li
from jina_eis.batch import EmbedBatch
from jina_eis.errors import ConfigurationError, TLSError
from jina_eis.local import LocalEIS

SECRETS = ("s3cret", "pa%3Ass", "pa:ss", "t0ken")
ENVIRONMENT = ("ES_URL", "ES_CLOUD_ID", "ES_API_KEY", "ES_USER", "ES_PASSWORD")


@pytest.fixture(scope="module")
def cert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def recorded() -> Recorded:
    return []


@pytest.fixture
def tls(eis: LocalEIS, cert: Path, recorded: Recorded) -> Iterator[str]:
    with front(eis.url, recorded, cert) as url:
        yield url


def embed(call: Caller, url: str, **settings: Any) -> int:
    """Embed a query with a new object; return the length of its vector."""
    model = lc.JinaEISEmbeddings(es_url=url, max_retries=0, **settings)
    try:
        return len(call(pickle.loads(pickle.dumps(model)), "embed_query", "salt"))
    finally:
        model.close()


def test_a_certificate_is_trusted_by_its_authority_or_its_fingerprint(call: Caller, tls: str, cert: Path) -> None:
    assert embed(call, tls, ca_certs=str(cert)) == 1024
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.with_name("cert.pem").read_text())).hexdigest()
    assert embed(call, tls, ssl_assert_fingerprint=digest) == 1024
    assert embed(call, tls, ssl_assert_fingerprint=":".join(re.findall("..", digest.upper()))) == 1024
    with pytest.warns(Warning, match="verify_certs=False is insecure"):
        assert embed(call, tls, verify_certs=False) == 1024
    with pytest.raises(TLSError, match="pass ca_certs"):
        embed(call, tls)
    with pytest.raises(TLSError, match="ingerprint"):
        embed(call, tls, ssl_assert_fingerprint="00" * 32)


@pytest.mark.parametrize("encrypted", [True, False], ids=["https", "http"])
def test_a_proxy(call: Caller, eis: LocalEIS, tls: str, cert: Path, recorded: Recorded, encrypted: bool) -> None:
    seen: Recorded = []
    settings: dict[str, Any] = {"ca_certs": str(cert)} if encrypted else {}
    url = tls if encrypted else eis.url
    with proxy(seen) as address:
        assert embed(call, url, proxy=address, **settings) == 1024
        assert embed(call, url, proxy=address.replace("//", "//us%40er:pa%3Ass@"), **settings) == 1024
    netloc = url.partition("//")[2]
    first, second = seen
    assert (first[0], first[1]) == (("CONNECT", netloc) if encrypted else ("POST", first[1]))
    assert encrypted or first[1].startswith(f"{url}/_inference/")
    assert "proxy-authorization" not in first[2]
    assert second[2]["proxy-authorization"] == "Basic dXNAZXI6cGE6c3M="  # us@er:pa:ss
    assert not any("proxy-authorization" in headers for _, _, headers in recorded)  # the deployment does not see it


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
def test_the_proxies_of_the_environment_are_not_used(
    call: Caller, tls: str, eis: LocalEIS, cert: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert embed(call, eis.url) == 1024
    assert embed(call, tls, ca_certs=str(cert)) == 1024


def test_headers_and_compression(call: Caller, eis: LocalEIS, recorded: Recorded) -> None:
    with front(eis.url, recorded) as url:
        assert embed(call, url, headers={"X-Team": "search", "Authorization": "Bearer t0ken"}) == 1024
        assert embed(call, url, http_compress=True) == 1024
    headers = [headers for method, _, headers in recorded if method == "POST"]
    assert (headers[0]["x-team"], headers[0]["authorization"]) == ("search", "Bearer t0ken")
    assert headers[0]["x-elastic-product-use-case"] == "jina-eis"
    assert "content-encoding" not in headers[0]
    assert headers[1]["content-encoding"] == "gzip"


def test_objects_of_a_batch_job_share_a_driver_only_with_equal_options(eis: LocalEIS, recorded: Recorded) -> None:
    with front(eis.url, recorded) as url:
        for team in ("one", "two", "two"):
            EmbedBatch(es_url=url, headers={"x-team": team})({"text": ["salt"]})
    assert [headers["x-team"] for method, _, headers in recorded if method == "POST"] == ["one", "two", "two"]


def test_credentials_in_addresses_become_credentials(
    call: Caller, eis: LocalEIS, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with front(eis.url, recorded) as url:
        with_credentials = url.replace("//", "//elastic:pa%3Ass@")
        assert embed(call, with_credentials) == 1024
        monkeypatch.setenv("ES_URL", with_credentials)
        model = lc.JinaEISEmbeddings()
        call(model, "embed_query", "salt")
        assert (model.es_url, model.es_user) == (url, "elastic")
        monkeypatch.setenv("ES_API_KEY", "key")
        assert lc.JinaEISEmbeddings(es_url=with_credentials).es_api_key is None  # an argument overrides its group
        with pytest.raises(ConfigurationError, match="es_url holds a user and password, and there is es_api_key"):
            lc.JinaEISEmbeddings()
    assert {headers["authorization"] for _, _, headers in recorded} == {"Basic ZWxhc3RpYzpwYTpzcw=="}  # elastic:pa:ss
    for extra in ({"es_user": "a", "es_password": "b"}, {"es_api_key": "k"}):
        with pytest.raises(ConfigurationError, match="es_url holds a user and password"):
            lc.JinaEISEmbeddings(es_url=with_credentials, **extra)
    with pytest.raises(ConfigurationError, match="proxy holds a user and password"):
        lc.JinaEISEmbeddings(es_url=url, proxy="http://a:b@proxy:3128", proxy_user="c", proxy_password="d")


def make_all(url: str, **settings: Any) -> list[Any]:
    """One object of each public class with these settings."""
    common = {"es_url": url, **settings}
    return [
        *(kind(**common) for kind in (lc.JinaEISEmbeddings, lc.JinaEISRerank, lc.JinaEISParser, jina_eis.Endpoints)),
        *(kind(**common) for kind in (li.JinaEISEmbedding, li.JinaEISMultiModalEmbedding, li.JinaEISRerank, li.JinaEISReader)),
        *(kind(index_name="kb", **common) for kind in (lc.JinaEISRetriever, lc.JinaEISVectorStore, li.JinaEISRetriever)),
        li.JinaEISVectorStore(index_name="kb", **common),
    ]


def test_every_class_takes_them_and_none_reveals_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = "https://elastic:pa%3Ass@localhost:1"
    settings = {"proxy": "http://us:s3cret@localhost:3128", "headers": {"x-key": "t0ken"}, "http_compress": True}
    for value in make_all(url, **settings):
        texts = [repr(value), str(value)]
        if hasattr(value, "model_dump"):
            texts += [str(value.model_dump()), str(vars(value).get("es_url"))]
        if hasattr(value, "to_dict"):
            texts.append(str(value.to_dict()))
        with pytest.raises(ConfigurationError) as caught:
            type(value)(**{"index_name": "kb", "es_url": url, "timeout": "x", **settings})
        texts.append(str(caught.value))
        assert not [secret for text in texts for secret in SECRETS if secret in text], type(value)
        if type(value) is not li.JinaEISVectorStore:
            copied = getattr(pickle.loads(pickle.dumps(value)), "settings", None) or pickle.loads(pickle.dumps(value))
            assert (copied.proxy, copied.proxy_user, copied.headers) == ("http://localhost:3128", "us", {"x-key": "t0ken"})
    report = jina_eis.doctor(es_url=url, timeout=1, **settings)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("jina_eis")]
    assert not [secret for secret in SECRETS if secret in f"{report}{report.to_dict()}{ours}"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"ca_certs": "nowhere.pem"}, r"ca_certs='nowhere\.pem' does not exist"),
        ({"ca_certs": __file__, "es_url": "http://localhost:9200"}, "ca_certs needs an address with https://"),
        ({"ssl_assert_fingerprint": "00" * 20}, "64 hexadecimal digits"),
        ({"ssl_assert_fingerprint": "00" * 32, "es_url": "http://localhost:9200"}, "needs an address with https://"),
        ({"verify_certs": False, "ca_certs": __file__}, "verifies nothing"),
        ({"proxy": "proxy.example.com"}, r"Write it like http://proxy\.example\.com:3128"),
        ({"proxy": "socks5://localhost:1080"}, "not the address of an HTTP proxy"),
        ({"proxy": "http://localhost:x"}, "not the address of an HTTP proxy"),
        ({"proxy_user": "u", "proxy_password": "p"}, "and with proxy"),
        ({"proxy": "http://u@localhost:1"}, "go together"),
        ({"headers": {"x team": "a"}}, "headers: 'x team' is not a header"),
        ({"headers": {"x-team": "a\nb: c"}}, "headers: 'x-team' is not a header"),
        ({"headers": {"Content-Type": "text/plain"}}, "Content-Type is set for each request"),
        ({"headers": {"authorization": "Bearer x"}, "es_api_key": "key"}, "Authorization replaces es_api_key"),
        ({"headers": "x-team: search"}, "headers"),
    ],
)
def test_invalid_options_are_refused_at_once(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        lc.JinaEISEmbeddings(**{"es_url": "https://localhost:9200", **settings})


def test_a_client_of_the_other_kind_is_refused_when_the_object_is_created() -> None:
    asynchronous, synchronous = AsyncElasticsearch("http://localhost:1"), Elasticsearch("http://localhost:1")
    for arguments, problem in (
        ({"client": asynchronous}, "client is an AsyncElasticsearch. Pass it as async_client"),
        ({"async_client": synchronous}, "async_client is an Elasticsearch. Pass it as client"),
        ({"client": Elasticsearch}, "client is the class Elasticsearch, not a client"),
        ({"client": "http://localhost:1"}, "client is of type str, not a client"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            lc.JinaEISEmbeddings(**arguments)


def test_a_client_has_its_own_options(eis: LocalEIS) -> None:
    with Elasticsearch(eis.url) as client:
        for name, value in (("headers", {"x": "y"}), ("verify_certs", False), ("http_compress", True), ("ca_certs", __file__)):
            with pytest.raises(ConfigurationError, match=rf"Pass a client or {name}, not both"):
                lc.JinaEISEmbeddings(client=client, **{name: value})


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
