"""URLs, checked, and their fetching where the caller allows it: only from public addresses, up to a size limit.

A host is resolved once, all of its addresses are checked, and the connection goes to a checked address. Every redirect is
checked like a new URL. Proxies of the environment are not used, and no credentials or cookies are sent.
"""

from __future__ import annotations

import re
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

__all__ = ["LARGEST", "Fetcher", "check_url", "is_public", "public_url", "without_query"]

LARGEST = 20 * 2**20  # bytes; the maximum setting of a `semantic` field (indices.inference.max_binary_input_size)
SECONDS = 30.0  # for a URL, redirects included
REDIRECTS = 5

Address = IPv4Address | IPv6Address
_REDIRECTS = (301, 302, 303, 307, 308)

# Special addresses in IANA's registries that some releases of Python call global, and the internal address of Azure.
_SPECIAL_IPV4 = [
    IPv4Network(network)
    for network in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "168.63.129.16/32")
]
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_SPECIAL_IPV6 = [IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_HOST = re.compile(r"[a-z0-9._-]+")  # what every reader of URLs understands in the same way
_EMBEDS_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))  # in the last 32 bits: mapped, and NAT64


def is_public(address: Address) -> bool:
    """Whether an address, and any IPv4 address embedded in it, belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL_IPV4)
    if any(address in network for network in _EMBEDS_IPV4):
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_IPV6 and address.is_global and not any(address in network for network in _SPECIAL_IPV6)


def check_url(url: str) -> None:
    """Raise InputError unless the URL is http or https and has no credentials."""
    _Target.of(url)


def without_query(url: str, length: int = 100) -> str:
    """Return the URL without its query, which may hold a secret."""
    bare = url.partition("?")[0]
    return bare if len(bare) <= length else f"{bare[:length]}…"


def public_url(url: str) -> str:
    """Return the URL as it is sent to a service that fetches it. No name is resolved: the service does that.

    Raises:
        InputError: it is not http or https, has credentials, or names an address that is not public.
    """
    target = _Target.of(url)
    host = target.host.rstrip(".").lower()
    if ":" not in host and not _HOST.fullmatch(host):
        raise InputError(f"{without_query(url)} has an invalid host.")
    address = _literal_address(host)
    if host == "localhost" or host.endswith(".localhost") or (address and not is_public(address)):
        raise InputError(f"{without_query(url)} does not have a public address. Fetch it yourself, and pass the bytes.")
    return f"{target.scheme}://{target.netloc}{target.path}"


def _literal_address(host: str) -> Address | None:
    """Return the address that a host is, also in the short and hexadecimal forms of IPv4; None for a name."""
    try:
        if ":" in host:
            return ip_address(host.partition("%")[0])
        return IPv4Address(socket.inet_aton(host))  # it resolves no name
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Target:
    """The parts of a URL, encoded for an HTTP request."""

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
        unprintable = any(ord(letter) <= 32 or ord(letter) == 127 for letter in url)
        if not netloc or scheme not in ("http", "https") or port == 0 or unprintable:
            subject = without_query(url) if scheme and not unprintable else "the string"
            raise InputError(f"{subject} is not an http or https URL. Pass files as a pathlib.Path.")
        if parts.username or parts.password:
            raise InputError(f"the URL for {host} holds a user or password. Fetch it yourself, and pass the bytes.")
        quoted = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (
            f"?{quote(parts.query, safe='/?%:@!$&()*+,;=~')}" if parts.query else ""
        )
        bracketed = f"[{netloc}]" if ":" in netloc else netloc
        header = bracketed if port is None else f"{bracketed}:{port}"
        return cls(scheme, netloc, port or (443 if scheme == "https" else 80), header, quoted)


class Fetcher:
    """Fetches URLs. At the time limit of a URL, its connections are shut down; when the fetcher exits, all of them.

    Args:
        permits: Returns whether a connection to an address is allowed.
        largest: Maximum size of a body in bytes.
        seconds: Time limit for a URL, redirects included.
    """

    def __init__(
        self, *, permits: Callable[[Address], bool] = is_public, largest: int = LARGEST, seconds: float = SECONDS
    ) -> None:
        self._permits = permits
        self._largest = largest
        self._seconds = seconds
        self._closed = threading.Event()
        self._sockets: set[socket.socket] = set()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for connected in list(self._sockets):
            _shut_down(connected)

    def fetch(self, url: str) -> bytes:
        """Return the body of a URL.

        Raises:
            InputError: an invalid URL, an address that is not permitted, a status other than 200, or a body that is too large.
        """
        deadline = time.monotonic() + self._seconds
        current = url
        for _ in range(REDIRECTS + 1):
            target = _Target.of(current)
            addresses = self._resolve(current, target, deadline)
            with self._open(current, target, addresses, deadline) as response:
                if response.status not in _REDIRECTS:
                    return self._read_body(response, current, deadline)
                location = response.headers.get("location", "")
            try:
                current = urljoin(current, location)
            except ValueError:
                raise InputError(f"{without_query(current)} redirects to an invalid URL.") from None
        raise InputError(f"{without_query(url)} redirects more than {REDIRECTS} times.")

    def _resolve(self, url: str, target: _Target, deadline: float) -> list[Address]:
        """Return the checked addresses of a host. A thread resolves it, because resolving cannot be interrupted."""
        results: list[Any] = []

        def resolve() -> None:
            try:
                results.append(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
            except OSError as error:
                results.append(error)

        thread = threading.Thread(target=resolve, name="jina-eis-resolve", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(min(0.1, self._seconds_left(url, deadline)))
        (result,) = results
        if isinstance(result, OSError):
            reason = result.strerror or result
            raise InputError(f"{without_query(url)}: the host {target.host!r} cannot be resolved ({reason}).")
        addresses = list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in result))
        for address in addresses:
            if not self._permits(address):
                raise InputError(
                    f"{without_query(url)} resolves to {address}, which is not a public address. "
                    "Fetch it yourself, and pass the bytes."
                )
        return addresses

    @contextmanager
    def _open(self, url: str, target: _Target, addresses: list[Address], deadline: float) -> Iterator[BaseHTTPResponse]:
        """The response of the first address that sends one. At the deadline the connection is shut down."""
        from urllib3.exceptions import HTTPError

        headers = {"host": target.netloc, "accept-encoding": "identity", "user-agent": "jina-eis"}
        for address in addresses:
            with self._pool(target, address, self._seconds_left(url, deadline)) as pool, self._time_limit(pool, url, deadline):
                try:
                    response = pool.urlopen(
                        "GET", target.path, headers=headers, redirect=False, preload_content=False, decode_content=False
                    )
                except (HTTPError, OSError) as error:
                    self._seconds_left(url, deadline)
                    if address == addresses[-1]:
                        raise InputError(f"{without_query(url)} cannot be fetched: {sentence(str(error))}") from error
                    continue
                try:
                    yield response
                finally:
                    response.close()
                return

    def _pool(self, target: _Target, address: Address, seconds: float) -> HTTPConnectionPool:
        """Return a connection pool for a checked address."""
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
    def _time_limit(self, pool: HTTPConnectionPool, url: str, deadline: float) -> Iterator[None]:
        """Shut the pool's connections down at the deadline: a socket timeout restarts with every byte."""
        opened: list[socket.socket] = []
        expired = threading.Event()
        sockets, closed = self._sockets, self._closed

        class Tracked(pool.ConnectionCls):  # type: ignore[name-defined, misc]
            def connect(self) -> None:
                super().connect()
                opened.append(self.sock)
                sockets.add(self.sock)
                if closed.is_set() or expired.is_set():
                    _shut_down(self.sock)

        def expire() -> None:
            expired.set()
            for connected in opened:
                _shut_down(connected)

        pool.ConnectionCls = Tracked
        timer = threading.Timer(self._seconds_left(url, deadline), expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            sockets.difference_update(opened)

    def _read_body(self, response: BaseHTTPResponse, url: str, deadline: float) -> bytes:
        from urllib3.exceptions import HTTPError

        if response.status != 200:
            raise InputError(f"{without_query(url)} cannot be fetched: HTTP {response.status}.")
        if (encoding := response.headers.get("content-encoding", "identity")).lower() != "identity":
            raise InputError(f"{without_query(url)} has the content encoding {encoding}, which was not requested.")
        too_large = f"{without_query(url)} is larger than {self._largest / 2**20:g} MiB, the maximum that is fetched."
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
                self._seconds_left(url, deadline)
        except (HTTPError, OSError) as error:
            self._seconds_left(url, deadline)
            raise InputError(f"{without_query(url)} was not received completely: {sentence(str(error))}") from error
        self._seconds_left(url, deadline)  # a connection that was shut down looks like the end of the body
        return b"".join(chunks)

    def _seconds_left(self, url: str, deadline: float) -> float:
        """Return the seconds until the deadline. Raises InputError if it has passed, or the fetcher is closed."""
        if self._closed.is_set():
            raise InputError(f"{without_query(url)} was not fetched: fetching has ended.")
        if (seconds := deadline - time.monotonic()) <= 0:
            raise InputError(f"{without_query(url)} takes too long to fetch. Fetch it yourself, and pass the bytes.")
        return seconds


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
