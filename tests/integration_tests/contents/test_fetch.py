"""The fetcher of URLs, over HTTP on loopback. Tests that need loopback addresses permit them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

import pytest
from made import png

from jina_eis.contents.fetch import Fetcher, is_public
from jina_eis.errors import InputError

REQUESTS: list[tuple[str, dict[str, str]]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body after its headers would wait 40 ms for an acknowledgement

    def do_GET(self) -> None:
        REQUESTS.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        path, _, query = self.path.partition("?")
        match path.strip("/").split("/"):
            case ["cat.png"]:
                self.answer(200, png())
            case ["to", *rest]:
                self.send_response(302)
                self.send_header("Location", unquote(query) or "/" + "/".join(rest))
                self.send_header("Content-Length", "0")
                self.end_headers()
            case ["long"]:
                self.answer(200, b"x" * 1001)
            case ["endless"]:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.drip(b"64\r\n" + b"x" * 100 + b"\r\n", 0)
            case ["slow"]:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.drip(b"x", 0.05)
            case ["gzip"]:
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", "1")
                self.end_headers()
                self.wfile.write(b"x")
            case ["slow-header"]:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
                self.drip(b"x", 0.05)
            case ["slow-chunk"]:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.drip(b"0", 0.05)
            case ["cut"]:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x")
                self.close_connection = True
            case _:
                self.answer(404, b"")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self, piece: bytes, pause: float) -> None:
        try:
            while True:
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:  # the client has disconnected
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    REQUESTS.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def is_loopback_address(address: Any) -> bool:
    return str(address) == "127.0.0.1"


def fetch(url: str, **options: Any) -> bytes:
    with Fetcher(**options) as fetcher:
        return fetcher.fetch(url)


def test_the_body_is_fetched_with_few_headers_and_without_a_proxy(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(f"{site}/cat.png?a=1&b=%20", permits=is_loopback_address) == png()
    assert fetch(f"{site.replace('127.0.0.1', 'localhost')}/to/to/cat.png", permits=lambda address: address.is_loopback) == png()
    path, headers = REQUESTS[0]
    assert path == "/cat.png?a=1&b=%20"
    assert set(headers) == {"host", "accept-encoding", "user-agent"}
    assert REQUESTS[1][1]["host"].startswith("localhost:")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
     "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
     "192.0.0.192", "192.88.99.1", "198.18.0.1", "168.63.129.16", "[fec0::1]", "[::a00:1]", "[::ffff:0:a00:1]", "[64:ff9b:1::a00:1]", "[5f00::1]", "[3fff::1]", "[2001:db8::1]"],
)  # fmt: skip
def test_addresses_that_are_not_public_are_rejected(host: str) -> None:
    with pytest.raises(InputError, match=r"which is not a public address\. Fetch it yourself|cannot be resolved"):
        fetch(f"http://{host}:9/cat.png")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses_are_permitted(address: str) -> None:
    assert is_public(ip_address(address))


def test_every_address_of_a_host_must_be_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: addresses)
    with pytest.raises(InputError, match=r"resolves to 10\.0\.0\.1"):
        fetch("http://example.com/")


def test_the_next_address_is_used_if_the_first_fails(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(site.rpartition(":")[2])
    addresses = [(2, 1, 6, "", ("127.0.0.2", port)), (2, 1, 6, "", ("127.0.0.1", port))]  # the first refuses connections
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: addresses)
    assert fetch("http://example.com/cat.png", permits=lambda address: address.is_loopback) == png()


def test_a_host_name_in_any_script_is_encoded_as_ascii(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, *rest, **options: resolve("127.0.0.1" if "xn--" in host else host, *rest, **options)
    )
    assert fetch(f"{site.replace('127.0.0.1', 'bücher.example')}/cat.png?a=ü", permits=is_loopback_address) == png()
    assert REQUESTS[-1][0] == "/cat.png?a=%C3%BC"
    assert REQUESTS[-1][1]["host"].startswith("xn--bcher-kva.example:")


def test_the_fetcher_connects_to_the_checked_address(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its address after the check (DNS rebinding) has no effect."""
    import socket

    hosts: list[str] = []
    resolve = socket.getaddrinfo

    def resolve_once(host: str, *rest: Any, **options: Any) -> Any:
        hosts.append(host)
        return resolve("127.0.0.1" if host == "example.com" and hosts.count(host) == 1 else host, *rest, **options)

    monkeypatch.setattr("socket.getaddrinfo", resolve_once)
    assert fetch(f"{site.replace('127.0.0.1', 'example.com')}/cat.png", permits=is_loopback_address) == png()
    assert hosts.count("example.com") == 1


@pytest.mark.parametrize("to", ["http://127.0.0.2:9/", "http://169.254.169.254/latest/meta-data", "http://[::1]/"])
def test_a_redirect_to_an_address_that_is_not_permitted_is_rejected(site: str, to: str) -> None:
    with pytest.raises(InputError, match="not a public address"):
        fetch(f"{site}/to/?{to}", permits=is_loopback_address)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:text/plain,x", "http://user:pw@127.0.0.1/"])
def test_a_redirect_to_another_scheme_is_rejected(site: str, to: str) -> None:
    with pytest.raises(InputError, match=r"not an http or https URL|holds a user or password"):
        fetch(f"{site}/to/?{to}", permits=is_loopback_address)


def test_redirects_are_limited(site: str) -> None:
    with pytest.raises(InputError, match="redirects more than 5 times"):
        fetch(site + "/to" * 7 + "/cat.png", permits=is_loopback_address)
    assert len(REQUESTS) == 6


@pytest.mark.parametrize("path", ["long", "endless"])
def test_the_size_of_a_body_is_limited(site: str, path: str) -> None:
    with pytest.raises(InputError, match="MiB, the maximum that is fetched"):
        fetch(f"{site}/{path}", permits=is_loopback_address, largest=1000)
    assert len(fetch(f"{site}/long", permits=is_loopback_address, largest=1001)) == 1001


@pytest.mark.parametrize("path", ["slow", "slow-header", "slow-chunk"])
def test_the_duration_of_a_request_is_limited(site: str, path: str) -> None:
    with pytest.raises(InputError, match="takes too long"):
        fetch(f"{site}/{path}", permits=is_loopback_address, seconds=0.4)


def test_the_duration_of_a_host_lookup_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: forever.wait())
    with pytest.raises(InputError, match="takes too long"):
        fetch("http://example.com/", seconds=0.2)
    forever.set()


def test_closing_the_fetcher_aborts_a_request_in_flight() -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # accepts a connection and never responds
    with listener, Fetcher(permits=is_loopback_address, seconds=300.0) as fetcher:
        errors: list[BaseException] = []

        def run() -> None:
            try:
                fetcher.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            except InputError as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        connection, _ = listener.accept()
        assert connection.recv(1)
    thread.join(60)
    connection.close()
    assert "was not fetched: fetching has ended" in str(errors[0])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gzip", "the content encoding gzip, which was not requested"),
        ("to/?http://[::1/", "redirects to an invalid URL"),
        ("missing?key=secret", r"/missing cannot be fetched: HTTP 404"),
        ("cut", "was not received completely"),
    ],
)
def test_an_invalid_response_is_an_error(site: str, path: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fetch(f"{site}/{path}", permits=is_loopback_address)
    assert "secret" not in str(caught.value)


def test_a_host_that_cannot_be_reached() -> None:
    with pytest.raises(InputError, match="cannot be fetched: "):
        fetch("http://127.0.0.1:1/", permits=is_loopback_address)
    with pytest.raises(InputError, match=r"the host 'nowhere\.invalid' cannot be resolved"):
        fetch("http://nowhere.invalid/")
