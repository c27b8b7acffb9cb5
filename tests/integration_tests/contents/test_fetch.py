"""Fetching: whatever a URL leads to. Real HTTP on loopback, which is permitted where a test says so."""

from __future__ import annotations

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

ASKED: list[tuple[str, dict[str, str]]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        ASKED.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
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
        except OSError:  # the client has had enough
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    ASKED.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def here(address: Any) -> bool:
    return str(address) == "127.0.0.1"


def fetch(url: str, **how: Any) -> bytes:
    with Fetcher(**how) as fetcher:
        return fetcher.fetch(url)


def test_the_body_and_nothing_but_what_is_needed_is_sent(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(f"{site}/cat.png?a=1&b=%20", permits=here) == png()
    assert fetch(f"{site.replace('127.0.0.1', 'localhost')}/to/to/cat.png", permits=lambda address: address.is_loopback) == png()
    path, headers = ASKED[0]
    assert path == "/cat.png?a=1&b=%20"
    assert set(headers) == {"host", "accept-encoding", "user-agent"}
    assert ASKED[1][1]["host"].startswith("localhost:")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
     "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
     "192.0.0.192", "192.88.99.1", "198.18.0.1", "168.63.129.16", "[fec0::1]", "[::a00:1]", "[::ffff:0:a00:1]", "[64:ff9b:1::a00:1]", "[5f00::1]", "[3fff::1]", "[2001:db8::1]"],
)  # fmt: skip
def test_no_address_that_is_not_public(host: str) -> None:
    with pytest.raises(InputError, match=r"which is not a public address. Fetch it yourself|is not known"):
        fetch(f"http://{host}:9/cat.png")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


def test_every_address_of_a_host_must_be_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(InputError, match=r"leads to 10\.0\.0\.1"):
        fetch("http://example.com/")


def test_the_next_address_is_tried(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(site.rpartition(":")[2])
    found = [(2, 1, 6, "", ("127.0.0.2", port)), (2, 1, 6, "", ("127.0.0.1", port))]  # nobody listens at the first
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    assert fetch("http://example.com/cat.png", permits=lambda address: address.is_loopback) == png()


def test_a_name_of_any_script_travels_as_its_ascii(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    real = socket.getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, *rest, **how: real("127.0.0.1" if "xn--" in host else host, *rest, **how)
    )
    assert fetch(f"{site.replace('127.0.0.1', 'bücher.example')}/cat.png?a=ü", permits=here) == png()
    assert ASKED[-1][0] == "/cat.png?a=%C3%BC"
    assert ASKED[-1][1]["host"].startswith("xn--bcher-kva.example:")


def test_the_checked_address_is_the_one_connected_to(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its address after the check (DNS rebinding) leads nowhere else."""
    import socket

    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **how: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host == "example.com" and asked.count(host) == 1 else host, *rest, **how)

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    assert fetch(f"{site.replace('127.0.0.1', 'example.com')}/cat.png", permits=here) == png()
    assert asked.count("example.com") == 1


@pytest.mark.parametrize("to", ["http://127.0.0.2:9/", "http://169.254.169.254/latest/meta-data", "http://[::1]/"])
def test_no_redirect_to_an_address_that_is_not_permitted(site: str, to: str) -> None:
    with pytest.raises(InputError, match="not a public address"):
        fetch(f"{site}/to/?{to}", permits=here)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:text/plain,x", "http://user:pw@127.0.0.1/"])
def test_no_redirect_to_anything_but_http(site: str, to: str) -> None:
    with pytest.raises(InputError, match=r"not an http or https URL|holds a user or password"):
        fetch(f"{site}/to/?{to}", permits=here)


def test_no_endless_redirects(site: str) -> None:
    with pytest.raises(InputError, match="redirects more than 5 times"):
        fetch(site + "/to" * 7 + "/cat.png", permits=here)
    assert len(ASKED) == 6


@pytest.mark.parametrize("path", ["long", "endless"])
def test_no_more_than_the_limit_is_read(site: str, path: str) -> None:
    with pytest.raises(InputError, match="which is the most that is fetched"):
        fetch(f"{site}/{path}", permits=here, largest=1000)
    assert len(fetch(f"{site}/long", permits=here, largest=1001)) == 1001


@pytest.mark.parametrize("path", ["slow", "slow-header", "slow-chunk"])
def test_no_longer_than_the_limit(site: str, path: str) -> None:
    with pytest.raises(InputError, match="takes too long"):
        fetch(f"{site}/{path}", permits=here, seconds=0.4)


def test_a_host_that_takes_long_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: forever.wait())
    with pytest.raises(InputError, match="takes too long"):
        fetch("http://example.com/", seconds=0.2)
    forever.set()


def test_whatever_is_under_way_breaks_off_when_nobody_wants_it_any_more(site: str) -> None:
    with Fetcher(permits=here) as fetcher:
        told: list[BaseException] = []

        def run() -> None:
            try:
                fetcher.fetch(f"{site}/slow")
            except InputError as error:
                told.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        while not ASKED:
            time.sleep(0.01)
    thread.join(5)
    assert "is not fetched any more" in str(told[0])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("gzip", "the encoding gzip, which was not asked for"),
        ("to/?http://[::1/", "redirects to what is no URL"),
        ("missing?key=secret", r"/missing cannot be fetched: it answers HTTP 404"),
        ("cut", "broke off"),
    ],
)
def test_an_answer_that_is_none(site: str, path: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        fetch(f"{site}/{path}", permits=here)
    assert "secret" not in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(InputError, match="cannot be fetched: "):
        fetch("http://127.0.0.1:1/", permits=here)
    with pytest.raises(InputError, match=r"the host 'nowhere\.invalid' is not known"):
        fetch("http://nowhere.invalid/")
