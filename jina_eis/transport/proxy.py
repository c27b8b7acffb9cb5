"""Nodes of the clients that send their requests through an HTTP proxy. A node sends the HTTP requests of a client.

Neither the client nor its nodes know proxies, nor do they read HTTPS_PROXY and its like. A request to https goes through a tunnel
(CONNECT); one to http is sent to the proxy with its whole address. Imported when a client with a proxy is created.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from elastic_transport import NodeConfig, Urllib3HttpNode
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.util import parse_url

from .options import ClientOptions

__all__ = ["SessionThroughProxy", "sync_node"]


def sync_node(options: ClientOptions) -> type[Urllib3HttpNode]:
    """Return the class of the nodes of a sync client."""

    class ProxyNode(Urllib3HttpNode):
        """A node that sends its requests through the proxy."""

        def __init__(self, config: NodeConfig) -> None:
            super().__init__(config)
            if config.scheme == "https":
                _use_tunnel(self.pool, options)
            else:
                self.pool = _forwarding_pool(config, options)

    return ProxyNode


class SessionThroughProxy:
    """The aiohttp session of an async node, which names the proxy in each request."""

    def __init__(self, session: Any, options: ClientOptions) -> None:
        self._session = session
        self._proxy = options.proxy
        self._credentials = _authorization(options)

    def request(self, method: str, url: Any, *, headers: Any, **more: Any) -> Any:
        """Send a request."""
        if str(url).startswith("https:"):  # the proxy sees the headers of CONNECT only
            return self._session.request(
                method, url, headers=headers, proxy=self._proxy, proxy_headers=self._credentials or None, **more
            )
        return self._session.request(method, url, headers={**headers, **self._credentials}, proxy=self._proxy, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _use_tunnel(pool: HTTPConnectionPool, options: ClientOptions) -> None:
    """Let the connections of a pool, of which none is open yet, go through the proxy, as urllib3's `ProxyManager` does."""
    from urllib3._base_connection import ProxyConfig

    pool.proxy = parse_url(str(options.proxy))
    pool.proxy_headers = _authorization(options)
    pool.proxy_config = ProxyConfig(None, False, None, None)
    pool.conn_kw.update(socket_options=[], proxy=pool.proxy, proxy_config=pool.proxy_config)


def _forwarding_pool(config: NodeConfig, options: ClientOptions) -> HTTPConnectionPool:
    """Return a pool of connections to the proxy, whose requests have the whole address of the deployment."""
    proxy, headers = parse_url(str(options.proxy)), _authorization(options)
    host = f"[{config.host}]" if ":" in config.host else config.host
    kind: type[HTTPConnectionPool] = HTTPSConnectionPool if proxy.scheme == "https" else HTTPConnectionPool

    class ForwardingPool(kind):  # type: ignore[misc, valid-type]
        """Connections to the proxy."""

        def urlopen(self, method: str, url: str, **more: Any) -> Any:
            """Send a request for a path of the deployment."""
            more["headers"] = {**more["headers"], **headers}
            address = f"{config.scheme}://{host}:{config.port}{url}"
            return super().urlopen(method, address, assert_same_host=False, **more)

    timeout = Timeout(total=config.request_timeout)
    return ForwardingPool(proxy.host, port=proxy.port, timeout=timeout, maxsize=config.connections_per_node, block=True)


def _authorization(options: ClientOptions) -> dict[str, str]:
    if not options.proxy_user:
        return {}
    credentials = b64encode(f"{options.proxy_user}:{options.proxy_password}".encode()).decode()
    return {"proxy-authorization": f"Basic {credentials}"}
