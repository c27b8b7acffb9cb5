"""Options of the connection beside address and credentials: TLS, a proxy, headers, compression. Checked when they are created."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ..errors import ConfigurationError

__all__ = ["ClientOptions", "without_credentials"]

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")  # SHA-256, the only one that both kinds of clients check
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.1
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OWN_HEADERS = ("accept", "content-type", "content-length", "content-encoding", "host", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Options of the clients that are created for an address. Valid if it exists.

    Args:
        ca_certs: Path of a file or folder with the certificates of authorities to trust, in PEM; None for the public ones.
        verify_certs: Whether the certificate of the deployment is verified.
        ssl_assert_fingerprint: SHA-256 of the certificate of the deployment in hexadecimal digits, in place of an authority.
        proxy: Address of an HTTP proxy, without credentials; None for no proxy, whatever the environment has.
        proxy_user: User of the proxy.
        proxy_password: Password of that user.
        headers: Names and values of headers of every request. They may be secrets.
        http_compress: Whether requests are compressed with gzip.

    Raises:
        ConfigurationError: an option that no client could use.
    """

    ca_certs: str | None = None
    verify_certs: bool = True
    ssl_assert_fingerprint: str | None = None
    proxy: str | None = None
    proxy_user: str | None = None
    proxy_password: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    http_compress: bool = False

    def __post_init__(self) -> None:
        if self.ca_certs is not None and not Path(self.ca_certs).exists():
            raise ConfigurationError(f"ca_certs={self.ca_certs!r} does not exist. Pass the path of a file of certificates (PEM).")
        if not self.verify_certs and (self.ca_certs or self.ssl_assert_fingerprint):
            raise ConfigurationError("verify_certs=False verifies nothing: leave out ca_certs and ssl_assert_fingerprint, or it.")
        if self.ssl_assert_fingerprint is not None and not _FINGERPRINT.fullmatch(_plain(self.ssl_assert_fingerprint)):
            raise ConfigurationError(
                "ssl_assert_fingerprint is not a SHA-256 of 64 hexadecimal digits. Elasticsearch prints it at its first start; "
                "openssl x509 -fingerprint -sha256 -noout -in http_ca.crt prints that of a file."
            )
        if self.proxy is not None:
            _check_proxy(self.proxy)
        if bool(self.proxy_user) != bool(self.proxy_password) or (self.proxy_user and not self.proxy):
            raise ConfigurationError("proxy_user and proxy_password go together, and with proxy: pass all three, or proxy alone.")
        for name, value in self.headers:
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ConfigurationError(f"headers: {name!a} is not a header of printable ASCII characters. Correct it.")
            if name.lower() in _OWN_HEADERS:
                raise ConfigurationError(f"headers: {name} is set for each request. Leave it out.")

    def check_address(self, https: bool, credentials: bool) -> None:
        """Raise ConfigurationError for options that do not fit the address or its credentials."""
        for name in ("ca_certs", "ssl_assert_fingerprint"):
            if getattr(self, name) and not https:
                raise ConfigurationError(f"{name} needs an address with https://, and es_url has http://. Correct one of them.")
        if credentials and any(name.lower() == "authorization" for name, _ in self.headers):
            raise ConfigurationError(
                "headers: Authorization replaces es_api_key, es_user and es_password. Leave one of them out, also of the "
                "environment."
            )

    def client_arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of both client classes; the proxy is a matter of the node class."""
        arguments: dict[str, Any] = {"http_compress": self.http_compress}
        if self.headers:
            arguments["headers"] = dict(self.headers)
        if self.ca_certs:
            arguments["ca_certs"] = str(self.ca_certs)
        if not self.verify_certs:
            arguments["verify_certs"] = False
        if self.ssl_assert_fingerprint:
            arguments["ssl_assert_fingerprint"] = _plain(self.ssl_assert_fingerprint)
        return arguments


def without_credentials(url: str) -> tuple[str, str | None, str | None]:
    """Return an address without user and password, and these, decoded. Whatever is not an address is returned as it is."""
    try:
        parts = urlsplit(url)
        user, password = parts.username, parts.password
    except ValueError:
        return url, None, None
    if user is None and password is None:
        return url, None, None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, unquote(user or "") or None, unquote(password or "") or None


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()


def _check_proxy(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        valid = False
    if not valid or parts.path.strip("/") or parts.query or parts.username or parts.password:
        raise ConfigurationError("proxy is not the address of an HTTP proxy. Write it like http://proxy.example.com:3128.")
