"""Servers in front of the embedded EIS: one that forwards requests, with or without TLS, and an HTTP proxy."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Recorded = list[tuple[str, str, dict[str, str]]]
"""Of each request its method, its target and its headers, with names in lower case."""


def certificate(folder: Path) -> Path:
    """Create a certificate of localhost, signed by itself, and return the path of a file with it and its key."""
    path = folder / "localhost.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*command.split(), "-keyout", str(path), "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    with path.open("a") as file:
        file.write((folder / "cert.pem").read_text())
    return path


@contextmanager
def front(target: str, recorded: Recorded, tls: Path | None = None) -> Iterator[str]:
    """The address of a server that forwards each request to `target`, by TLS if there is a certificate."""
    with _serve(_forwarding(recorded, urlsplit(target).netloc), tls) as port:
        yield f"https://localhost:{port}" if tls else f"http://localhost:{port}"


@contextmanager
def proxy(recorded: Recorded) -> Iterator[str]:
    """The address of an HTTP proxy: it tunnels CONNECT, and forwards requests with a whole address."""

    class Proxy(_forwarding(recorded, None)):  # type: ignore[misc]
        def do_CONNECT(self) -> None:  # noqa: N802
            self.record()
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as far:
                self.send_response(200)
                self.end_headers()
                ends = {self.connection: far, far: self.connection}
                while True:
                    for end in select.select([*ends], [], [], 20)[0]:
                        if not (data := end.recv(65536)):
                            return
                        ends[end].sendall(data)

    with _serve(Proxy, None) as port:
        yield f"http://localhost:{port}"


def _forwarding(recorded: Recorded, netloc: str | None) -> Any:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body after its headers would wait 40 ms for an acknowledgement

        def record(self) -> None:
            recorded.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))

        def handle_any(self) -> None:
            self.record()
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            connection = HTTPConnection(netloc or parts.netloc, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            connection.request(self.command, f"{parts.path}?{parts.query}", body, headers)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """It prints nothing."""

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815 - names that http.server calls

    return Handler


@contextmanager
def _serve(handler: Any, tls: Path | None) -> Iterator[int]:
    server = ThreadingHTTPServer(("localhost", 0), handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
