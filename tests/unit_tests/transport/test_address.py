"""The address of a deployment: what is accepted, and the errors for one that was mistyped."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from hypothesis import example, given
from hypothesis import strategies as st

from jina_eis.errors import ConfigurationError
from jina_eis.transport.address import Address

CLOUD_ID = "my-deployment:" + b64encode(b"eu.es.io:443$abc$def").decode()
EXAMPLE = "Write it like https://my-deployment.es.example.com:443."


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("localhost:9200", "Write https://localhost:9200, or http://localhost:9200 without TLS."),
        ("localhost", "Write https://localhost, or http://localhost:9200 without TLS."),
        ("es.example.com/path", "Write https://es.example.com/path, or http://es.example.com:9200/path without TLS."),
        ("node-1:9200/", "Write https://node-1:9200/, or http://node-1:9200/ without TLS."),
        ("[::1]:9200", "Write https://[::1]:9200, or http://[::1]:9200 without TLS."),
        ("http://localhost:9200 ", "holds a space, a tab or a line break. Remove it."),
        (" http://localhost:9200", "holds a space"),
        ("http://localhost:9200\n", "holds a space"),
        ("http://local host:9200", "holds a space"),
        (" ", "holds a space"),
        ('"http://localhost:9200"', "begins or ends with a quotation mark, as"),
        ("'http://localhost:9200'", "Remove the marks."),
        ("“http://localhost:9200”", "Remove the marks."),
        ("http:/localhost:9200", "another number of slashes or without the colon"),
        ("https:localhost:9200", "another number of slashes or without the colon"),
        ("http//localhost:9200", "another number of slashes or without the colon"),
        ("http:///localhost:9200", "another number of slashes or without the colon"),
        (r"http:\\localhost:9200", "another number of slashes or without the colon"),
        ("htpp://localhost:9200", "begins with htpp://"),
        ("https://https://localhost:9200", "begins with two schemes. Remove the first."),
        ("http://a:9200,http://b:9200", "Pass one address; for several nodes, create a client"),
        (CLOUD_ID, "is a cloud id. Pass it as es_cloud_id, or set ES_CLOUD_ID."),
        (CLOUD_ID.partition(":")[2], "is a cloud id."),
        ("http://localhost", "Elasticsearch listens on 9200 by default: http://localhost:9200."),
        ("http://localhost:92000", "has a port that is not a number from 1 to 65535"),
        ("http://localhost:port", "has a port that is not a number from 1 to 65535"),
        ("http://localhost:9200/?pretty", "must end before any ? or #"),
        ("http://", EXAMPLE),
        ("user:secret@localhost:9200", EXAMPLE),
        (f"eyJhbGciOiJIUzI1NiJ9.secret{'x' * 60}.signature", EXAMPLE),
        ("secretVnVhQ2ZHY0JDZGJrUW0", EXAMPLE),
        ("http://[::1:9200", EXAMPLE),
    ],
)
def test_a_mistyped_address_is_refused_with_what_to_write(url: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(remedy)) as caught:
        Address(url)
    assert str(caught.value).startswith("es_url ")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "https", "location"),
    [
        ("http://localhost:9200", False, "localhost:9200"),
        ("HTTPS://es.example.com", True, "es.example.com:443"),
        ("https://es.example.com:443/path/", True, "es.example.com:443/path"),
        ("http://[::1]:9200", False, "::1:9200"),
        ("http://host_name:9200", False, "host_name:9200"),
    ],
)
def test_an_address(url: str, https: bool, location: str) -> None:
    address = Address(url)
    assert (address.https, address.location) == (https, location)


def test_what_was_written_at_the_wrong_place() -> None:
    for arguments, message in (
        ({"cloud_id": "https://localhost:9200"}, "es_cloud_id is an address. Pass it as es_url, or set ES_URL."),
        ({"cloud_id": "my-deployment"}, "es_cloud_id is not a cloud id. Copy it"),
        ({"url": "http://localhost:9200", "api_key": '"a2V5"'}, "es_api_key holds a space, a line break, a quotation mark"),
    ):
        with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}"):
            Address(**arguments)  # type: ignore[arg-type]


ADDRESSES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["http://", "https://", "HTTP://", "http:", "//", "", " ", '"', "ftp://"]),
        st.sampled_from(["localhost", "es.example.com", "[::1]", "10.0.0.1", "a b", "a_b", "", "ü.example.com", CLOUD_ID]),
        st.sampled_from(["", ":9200", ":0", ":99999", ":x", ":"]),
        st.sampled_from(["", "/", "/path", "/a b", "?x", "#y", ",", '"', "\n"]),
    ),
)


@given(st.one_of(ADDRESSES, st.text(min_size=1)))
@example("http://")
def test_an_address_is_refused_here_or_taken_by_the_client(url: str) -> None:
    message = ""
    try:
        arguments: dict[str, Any] = Address(url).client_arguments()
    except ConfigurationError as error:
        message = str(error)
    else:
        Elasticsearch(**arguments).close()
    assert "\n" not in message
    assert not message or message.startswith("es_url")
