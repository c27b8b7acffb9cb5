#!/bin/sh
# elasticsearch-py 9.5.1, elastic-transport 9.4.2, opentelemetry-sdk 1.43.0. The spans of the client have the kind INTERNAL.
# OpenTelemetry's conventions for databases, and those for Elasticsearch, have CLIENT, and tools that draw a map of services
# or list the databases of an application do so by spans of this kind: Elasticsearch is absent there.
# Output seen:
#     search: INTERNAL, db.system.name elasticsearch
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet elasticsearch==9.5.1 elastic-transport==9.4.2 opentelemetry-sdk==1.43.0 || exit 2
"$folder/bin/python" - <<'EOF'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from elasticsearch import Elasticsearch
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"took": 1, "timed_out": false, "hits": {"hits": []}}'
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


provider, exporter = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
with Elasticsearch(f"http://127.0.0.1:{server.server_port}") as client:
    client.search(index="bears", query={"match_all": {}})
(span,) = exporter.get_finished_spans()
print(f"{span.name}: {span.kind.name}, db.system.name {span.attributes['db.system.name']}")
assert span.kind is trace.SpanKind.INTERNAL
EOF
