#!/bin/sh
# openinference-instrumentation-langchain 0.1.80, opentelemetry-sdk 1.43.0. A span of the SDK keeps 128 attributes and drops
# those that were set first. The instrumentation sets two for each document that a retriever returns, the best first: of a
# hundred documents, the query and the best 37 are missing in the span. With the TracerProvider of openinference, which has
# another limit, or with OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000, all are there. A batch of embeddings in LlamaIndex loses its
# first texts, its model and its input in the same way, above 64 texts.
# Output seen:
#     opentelemetry.sdk.trace.TracerProvider: 128 attributes, the best document is rank 38, query: None
#     openinference.instrumentation.TracerProvider: 205 attributes, the best document is rank 1, query: bears
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet openinference-instrumentation-langchain==0.1.80 opentelemetry-sdk==1.43.0 \
  langchain-core==1.8.3 langchain-classic==1.0.8 || exit 2
"$folder/bin/python" - <<'EOF'
import openinference.instrumentation
import opentelemetry.sdk.trace
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Hundred(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document(page_content=f"rank {rank}", metadata={"rank": rank}) for rank in range(1, 101)]


seen = []
for module in opentelemetry.sdk.trace, openinference.instrumentation:
    provider, exporter = module.TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    Hundred().invoke("bears")
    LangChainInstrumentor().uninstrument()
    (span,) = exporter.get_finished_spans()
    best = next(value for name, value in span.attributes.items() if name.endswith("document.content"))
    seen.append((len(span.attributes), best, span.attributes.get("input.value")))
    print(f"{module.__name__}.TracerProvider: {seen[-1][0]} attributes, the best document is {best}, query: {seen[-1][2]}")
assert seen == [(128, "rank 38", None), (205, "rank 1", "bears")]
EOF
