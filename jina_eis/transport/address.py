"""Address and credentials of Elasticsearch. Invalid ones are refused before a client is created or the network is used."""

from __future__ import annotations

import re
from binascii import a2b_base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError

__all__ = ["Address"]

_URL = "Write it like https://my-deployment.es.example.com:443."
_CLOUD_ID = "Copy it from the deployment's page in Elastic Cloud."
_QUOTES = "\"'`"
# How a scheme is mistyped, and a host that has none. A key or token in its place is no host: its parts are longer.
_MISTYPED = re.compile(r"https?(:/?(?!/)|:///+|//|:\\)", re.IGNORECASE)
_LABEL = r"[\w-]{1,63}"
_NAME = rf"localhost|{_LABEL}(?:\.{_LABEL})+|{_LABEL}(?=:\d)|\[[0-9a-f:]+\]"
_HOST = re.compile(rf"(?P<host>{_NAME})(?P<port>:\d{{1,5}})?(?P<path>/[\w./-]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Address and credentials of a deployment. Valid if it exists.

    Args:
        url: Address of Elasticsearch, with its scheme.
        cloud_id: Cloud id of an Elastic Cloud deployment, in place of the address.
        api_key: API key, in place of user and password.
        user: User name.
        password: Password.

    Raises:
        ConfigurationError: for two addresses or none, two kinds of credentials, or an invalid address.
    """

    url: str | None = None
    cloud_id: str | None = None
    api_key: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.cloud_id):
            raise ConfigurationError("Pass either es_url or es_cloud_id.")
        if self.api_key and (self.user or self.password):
            raise ConfigurationError("Pass es_api_key, or es_user and es_password, not both.")
        if bool(self.user) != bool(self.password):
            raise ConfigurationError("es_user and es_password go together: pass both, or es_api_key.")
        key = self.api_key or ""
        if not (key.isascii() and key.isprintable()) or any(sign in key for sign in f" {_QUOTES}"):
            raise ConfigurationError(
                "es_api_key holds a space, a line break, a quotation mark or another character that is not allowed. Remove it."
            )
        if self.url:
            _check_url(self.url)
        if self.cloud_id:
            _check_cloud_id(self.cloud_id)

    @property
    def https(self) -> bool:
        """Whether requests are encrypted."""
        return self.url is None or self.url.lower().startswith("https:")

    @property
    def location(self) -> str:
        """Host, port and path of the deployment, without credentials. Two spellings of one address are equal."""
        if self.cloud_id:
            return _decode_cloud_id(self.cloud_id)  # without the name before the colon, which can be changed
        parts = urlsplit(str(self.url))
        return f"{parts.hostname}:{parts.port or 443}{parts.path.rstrip('/')}"

    def error_message(self, error: Exception) -> str:
        """Return the message for an address that a client does not accept."""
        return f"es_url cannot be used: {error}. {_URL}" if self.url else f"es_cloud_id cannot be used: {error}. {_CLOUD_ID}"

    def client_arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of both client classes for this address."""
        address = {"hosts": self.url} if self.url else {"cloud_id": self.cloud_id}
        if self.api_key:
            return {**address, "api_key": self.api_key}
        return {**address, "basic_auth": (self.user, self.password)} if self.user else address


def _check_url(url: str) -> None:
    if problem := _slip(url):
        raise ConfigurationError(problem)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(f"es_url is not an address. {_URL}")
    try:
        valid = parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(f"es_url has a port that is not a number from 1 to 65535. {_URL}")
    if parts.username or parts.password:
        raise ConfigurationError(
            "es_url holds a user or password. Pass them as es_user and es_password, without them in the address."
        )
    if parts.scheme == "http" and parts.port is None:
        raise ConfigurationError(
            f"es_url has no port. Elasticsearch listens on 9200 by default: http://{parts.netloc.rstrip(':')}:9200."
        )
    if parts.query or parts.fragment:
        raise ConfigurationError("es_url must end before any ? or #.")


def _slip(url: str) -> str | None:
    """Return what is wrong with an address that has a common mistake, and how to correct it.

    The address is quoted only where it is certain to hold no secret.
    """
    if {url[0], url[-1]} & {*_QUOTES, *"“”‘’"}:
        return "es_url begins or ends with a quotation mark, as the environment of a container may pass it. Remove the marks."
    if not url.isprintable() or " " in url:
        return f"es_url holds a space, a tab or a line break. Remove it. {_URL}"
    if "," in url:
        return "es_url holds a comma. Pass one address; for several nodes, create a client with their addresses and pass it."
    scheme, separator, rest = url.partition("://")
    if separator and rest.lower().startswith(("http:", "https:")):
        return "es_url begins with two schemes. Remove the first."
    if separator and scheme.isalpha() and scheme.lower() not in ("http", "https"):
        return f"es_url begins with {scheme}://, and Elasticsearch is reached by http:// or https://. {_URL}"
    if _MISTYPED.match(url):
        return f"es_url begins like http:// or https://, with another number of slashes or without the colon. {_URL}"
    if host := _HOST.fullmatch(url):
        plain = url if host["port"] else f"{host['host']}:9200{host['path'] or ''}"
        return f"es_url is not an address: http:// or https:// is missing. Write https://{url}, or http://{plain} without TLS."
    if _is_cloud_id(url):
        return "es_url is a cloud id. Pass it as es_cloud_id, or set ES_CLOUD_ID."
    return None


def _check_cloud_id(cloud_id: str) -> None:
    if "://" in cloud_id:
        raise ConfigurationError("es_cloud_id is an address. Pass it as es_url, or set ES_URL.")
    if not _is_cloud_id(cloud_id):
        raise ConfigurationError(f"es_cloud_id is not a cloud id. {_CLOUD_ID}")


def _is_cloud_id(value: str) -> bool:
    """Whether a value is an optional name and a colon, followed by base64 of host$elasticsearch$kibana."""
    try:
        host, elasticsearch, *_ = _decode_cloud_id(value).split("$")
    except ValueError:
        return False
    return bool(host and elasticsearch)


def _decode_cloud_id(cloud_id: str) -> str:
    return a2b_base64(cloud_id.strip().rpartition(":")[2]).decode("ascii")
