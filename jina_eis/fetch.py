"""Fetching what a URL names, for callers who allowed it: from public addresses only, and no more than a limit.

A host is resolved once, all of its addresses are checked, and the connection goes to one that was checked; every redirect
is treated like a new URL. No proxy of the environment is used, and no credentials or cookies are sent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from .errors import InputError, sentence

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

__all__ = ["LARGEST", "check_url", "fetch", "is_public"]

LARGEST = 20 * 2**20  # bytes; the most that a `semantic` field can be set to take (indices.inference.max_binary_input_size)
SECONDS = 30.0  # for a URL and all that it redirects to
REDIRECTS = 5

Address = IPv4Address | IPv6Address
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = IPv6Network("64:ff9b::/96")  # the last 32 bits are an IPv4 address


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, and so does the IPv4 address that it may stand for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(inner)
        if address.sixtofour or address.teredo:
            return False
    return address.is_global and not address.is_multicast


def check_url(url: str) -> None:
    """Raise InputError for anything but http and https URLs without credentials."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or port == 0 or any(letter.isspace() for letter in url):
        raise InputError(f"{_shown(url)} is not an http or https URL. Files are passed as a pathlib.Path.")
    if parts.username or parts.password:
        raise InputError(f"The URL for {host} holds a user or password. Fetch it yourself, and pass the bytes.")


def fetch(url: str, *, permits: Callable[[Address], bool] = is_public, largest: int = LARGEST, seconds: float = SECONDS) -> bytes:
    """The body that a URL names.

    Args:
        url: An http or https URL.
        permits: Which addresses may be connected to.
        largest: Bytes of the largest body that is read.
        seconds: Time for everything, redirects included.

    Raises:
        InputError: a URL that is none, an address that is not permitted, an answer other than 200, a body too large.
    """
    deadline = time.monotonic() + seconds
    at = url
    for _ in range(REDIRECTS + 1):
        check_url(at)
        with _pool(at, permits, deadline) as pool:
            response = _get(pool, at)
            try:
                if response.status not in _REDIRECTS:
                    return _body(response, at, largest, deadline)
                at = urljoin(at, response.headers.get("location", ""))
            finally:
                response.close()
    raise InputError(f"{_shown(url)} redirects more than {REDIRECTS} times.")


def _pool(url: str, permits: Callable[[Address], bool], deadline: float) -> HTTPConnectionPool:
    """Connections to a checked address of the URL's host."""
    import certifi
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failed:
        raise InputError(f"{_shown(url)}: the host {host!r} is not known ({getattr(failed, 'strerror', failed)}).") from failed
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not permits(address):
            raise InputError(
                f"{_shown(url)} leads to {address}, which is not a public address. Fetch it yourself, and pass the bytes."
            )
    timeout = Timeout(connect=_left(url, deadline), read=_left(url, deadline))
    if parts.scheme == "http":
        return HTTPConnectionPool(str(addresses[0]), port, timeout=timeout, retries=False)
    return HTTPSConnectionPool(
        str(addresses[0]),
        port,
        timeout=timeout,
        retries=False,
        server_hostname=host,
        assert_hostname=host,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
    )


def _get(pool: HTTPConnectionPool, url: str) -> BaseHTTPResponse:
    from urllib3.exceptions import HTTPError

    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"host": parts.netloc, "accept-encoding": "identity", "user-agent": "jina-eis"}
    try:
        return pool.urlopen("GET", target, headers=headers, redirect=False, preload_content=False)
    except (HTTPError, OSError) as failed:
        raise InputError(f"{_shown(url)} cannot be fetched: {sentence(str(failed))}") from failed


def _body(response: BaseHTTPResponse, url: str, largest: int, deadline: float) -> bytes:
    from urllib3.exceptions import HTTPError

    if response.status != 200:
        raise InputError(f"{_shown(url)} cannot be fetched: it answers HTTP {response.status}.")
    too_large = f"{_shown(url)} has more than {largest / 2**20:g} MB, which is the most that is fetched."
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > largest:
        raise InputError(too_large)
    chunks, size = [], 0
    try:
        while chunk := response.read1(2**16):
            chunks.append(chunk)
            size += len(chunk)
            if size > largest:
                raise InputError(too_large)
            _left(url, deadline)
    except (HTTPError, OSError) as failed:
        raise InputError(f"{_shown(url)} broke off: {sentence(str(failed))}") from failed
    return b"".join(chunks)


def _left(url: str, deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise InputError(f"{_shown(url)} takes too long to fetch. Fetch it yourself, and pass the bytes.")
    return seconds


def _shown(url: str, length: int = 100) -> str:
    """The URL without its query, which may hold a secret."""
    bare = url.partition("?")[0]
    return bare if len(bare) <= length else f"{bare[:length]}…"
