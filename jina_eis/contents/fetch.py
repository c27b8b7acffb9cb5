"""Fetching what a URL names, for callers who allowed it: from public addresses only, and no more than a limit.

A host is resolved once, all of its addresses are checked, and the connection goes to one that was checked; every redirect
is treated like a new URL. No proxy of the environment is used, and no credentials or cookies are sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import InputError, sentence

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

__all__ = ["LARGEST", "Fetcher", "check_url", "is_public"]

LARGEST = 20 * 2**20  # bytes; the most that a `semantic` field can be set to take (indices.inference.max_binary_input_size)
SECONDS = 30.0  # for a URL and all that it redirects to
REDIRECTS = 5

Address = IPv4Address | IPv6Address
_REDIRECTS = (301, 302, 303, 307, 308)

# Special addresses of IANA's registries that some releases of Python call global, and one that serves Azure's own machines.
_SPECIAL_IPV4 = [
    IPv4Network(each)
    for each in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "168.63.129.16/32")
]
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_SPECIAL_IPV6 = [IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_STANDS_FOR_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))  # by their last 32 bits: mapped, and NAT64


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, and so does the IPv4 address that it may stand for."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in each for each in _SPECIAL_IPV4)
    if any(address in each for each in _STANDS_FOR_IPV4):
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_IPV6 and address.is_global and not any(address in each for each in _SPECIAL_IPV6)


def check_url(url: str) -> None:
    """Raise InputError for anything but http and https URLs without credentials."""
    _Target.of(url)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a URL leads, in the letters that HTTP knows."""

    scheme: str
    host: str
    port: int
    netloc: str
    path: str

    @classmethod
    def of(cls, url: str) -> _Target:
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
            netloc = host if ":" in host else host.encode("idna").decode("ascii")
        except ValueError:
            scheme = host = netloc = ""
            port = None
        strange = any(ord(letter) <= 32 or ord(letter) == 127 for letter in url)
        if not netloc or scheme not in ("http", "https") or port == 0 or strange:
            shown = _shown(url) if scheme and not strange else "this"
            raise InputError(f"{shown} is not an http or https URL. Files are passed as a pathlib.Path.")
        if parts.username or parts.password:
            raise InputError(f"the URL for {host} holds a user or password. Fetch it yourself, and pass the bytes.")
        quoted = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (
            f"?{quote(parts.query, safe='/?%:@!$&()*+,;=~')}" if parts.query else ""
        )
        shown_host = f"[{netloc}]" if ":" in netloc else netloc
        header = shown_host if port is None else f"{shown_host}:{port}"
        return cls(scheme, netloc, port or (443 if scheme == "https" else 80), header, quoted)


class Fetcher:
    """Fetches, until it ends: then, or when a URL has had its time, whatever is under way breaks off.

    Args:
        permits: Which addresses may be connected to.
        largest: Bytes of the largest body that is read.
        seconds: Time for a URL, redirects included.
    """

    def __init__(
        self, *, permits: Callable[[Address], bool] = is_public, largest: int = LARGEST, seconds: float = SECONDS
    ) -> None:
        self._permits = permits
        self._largest = largest
        self._seconds = seconds
        self._ended = threading.Event()
        self._sockets: set[socket.socket] = set()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in list(self._sockets):
            _break(each)

    def fetch(self, url: str) -> bytes:
        """The body that a URL names.

        Raises:
            InputError: a URL that is none, an address that is not permitted, an answer other than 200, a body too large.
        """
        deadline = time.monotonic() + self._seconds
        at = url
        for _ in range(REDIRECTS + 1):
            target = _Target.of(at)
            addresses = self._resolved(at, target, deadline)
            with self._answer(at, target, addresses, deadline) as response:
                if response.status not in _REDIRECTS:
                    return self._body(response, at, deadline)
                location = response.headers.get("location", "")
            try:
                at = urljoin(at, location)
            except ValueError:
                raise InputError(f"{_shown(at)} redirects to what is no URL.") from None
        raise InputError(f"{_shown(url)} redirects more than {REDIRECTS} times.")

    def _resolved(self, url: str, target: _Target, deadline: float) -> list[Address]:
        """The addresses of a host, all of them checked. Resolving cannot be broken off, but need not be waited for."""
        found: list[Any] = []

        def resolve() -> None:
            try:
                found.append(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
            except OSError as failed:
                found.append(failed)

        thread = threading.Thread(target=resolve, name="jina-eis-resolve", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(min(0.1, self._left(url, deadline)))
        (answer,) = found
        if isinstance(answer, OSError):
            raise InputError(f"{_shown(url)}: the host {target.host!r} is not known ({answer.strerror or answer}).")
        addresses = list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in answer))
        for address in addresses:
            if not self._permits(address):
                raise InputError(
                    f"{_shown(url)} leads to {address}, which is not a public address. Fetch it yourself, and pass the bytes."
                )
        return addresses

    @contextmanager
    def _answer(self, url: str, target: _Target, addresses: list[Address], deadline: float) -> Iterator[BaseHTTPResponse]:
        """The answer of the first address that gives one. Whatever it does, its connection ends with its time."""
        from urllib3.exceptions import HTTPError

        headers = {"host": target.netloc, "accept-encoding": "identity", "user-agent": "jina-eis"}
        for address in addresses:
            with self._pool(target, address, self._left(url, deadline)) as pool, self._watched(pool, url, deadline):
                try:
                    response = pool.urlopen(
                        "GET", target.path, headers=headers, redirect=False, preload_content=False, decode_content=False
                    )
                except (HTTPError, OSError) as failed:
                    self._left(url, deadline)
                    if address == addresses[-1]:
                        raise InputError(f"{_shown(url)} cannot be fetched: {sentence(str(failed))}") from failed
                    continue
                try:
                    yield response
                finally:
                    response.close()
                return

    def _pool(self, target: _Target, address: Address, seconds: float) -> HTTPConnectionPool:
        """Connections to a checked address."""
        import certifi
        from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout

        timeout = Timeout(connect=seconds, read=seconds)
        if target.scheme == "http":
            return HTTPConnectionPool(str(address), target.port, timeout=timeout, retries=False)
        return HTTPSConnectionPool(
            str(address),
            target.port,
            timeout=timeout,
            retries=False,
            server_hostname=target.host,
            assert_hostname=target.host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
        )

    @contextmanager
    def _watched(self, pool: HTTPConnectionPool, url: str, deadline: float) -> Iterator[None]:
        """Break the pool's connections off when their time is over: a socket's own limit starts anew with every byte."""
        held: list[socket.socket] = []
        over = threading.Event()
        sockets, ended = self._sockets, self._ended

        class Watched(pool.ConnectionCls):  # type: ignore[name-defined, misc]
            def connect(self) -> None:
                super().connect()
                held.append(self.sock)
                sockets.add(self.sock)
                if ended.is_set() or over.is_set():
                    _break(self.sock)

        def end() -> None:
            over.set()
            for each in held:
                _break(each)

        pool.ConnectionCls = Watched
        timer = threading.Timer(self._left(url, deadline), end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            sockets.difference_update(held)

    def _body(self, response: BaseHTTPResponse, url: str, deadline: float) -> bytes:
        from urllib3.exceptions import HTTPError

        if response.status != 200:
            raise InputError(f"{_shown(url)} cannot be fetched: it answers HTTP {response.status}.")
        if (encoding := response.headers.get("content-encoding", "identity")).lower() != "identity":
            raise InputError(f"{_shown(url)} is sent with the encoding {encoding}, which was not asked for.")
        too_large = f"{_shown(url)} has more than {self._largest / 2**20:g} MiB, which is the most that is fetched."
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._largest:
            raise InputError(too_large)
        chunks, size = [], 0
        try:
            while chunk := response.read1(2**16, decode_content=False):
                chunks.append(chunk)
                size += len(chunk)
                if size > self._largest:
                    raise InputError(too_large)
                self._left(url, deadline)
        except (HTTPError, OSError) as failed:
            self._left(url, deadline)
            raise InputError(f"{_shown(url)} broke off: {sentence(str(failed))}") from failed
        self._left(url, deadline)  # a connection that was broken off may look like the end
        return b"".join(chunks)

    def _left(self, url: str, deadline: float) -> float:
        """Seconds that are left for a URL."""
        if self._ended.is_set():
            raise InputError(f"{_shown(url)} is not fetched any more.")
        if (seconds := deadline - time.monotonic()) <= 0:
            raise InputError(f"{_shown(url)} takes too long to fetch. Fetch it yourself, and pass the bytes.")
        return seconds


def _break(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _shown(url: str, length: int = 100) -> str:
    """The URL without its query, which may hold a secret."""
    bare = url.partition("?")[0]
    return bare if len(bare) <= length else f"{bare[:length]}…"
