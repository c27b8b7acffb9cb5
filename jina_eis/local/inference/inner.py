"""Inference calls by Elasticsearch itself: embed documents, embed queries, rerank hits.

Knows endpoints, stand-ins and poison; must not know indices, documents or retrievers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from ...models import EmbeddingModel
from ..faults import Faults, refusal
from ..refusals import TimeLimit, gateway_refusal, status_error
from .bodies import Item, Parsed
from .registry import Endpoint, Registry
from .service import Job, answer, check_inputs, embed_inputs
from .standin import Array, StandIn, fit, mean

EMBEDDING = ("text_embedding", "embedding")  # tasks
LIMITS = {"ingest": TimeLimit.parse("30s"), "search": TimeLimit.parse("10s")}


@dataclass(frozen=True, slots=True)
class InnerInference:
    """Computes vectors and scores for indexing and search."""

    registry: Registry
    _standin: StandIn
    _faults: Faults

    def check_poison(self, endpoint: str, items: Sequence[Item], role: str) -> None:
        """Raise the error of the service for a poisoned text or medium."""
        fault = self._faults.poisoned([item.value for item in items])
        if fault is not None:
            refused = refusal(fault, endpoint, LIMITS[role], self.registry.version)
            raise refused or gateway_refusal(endpoint, 502, f"the local EIS was set to answer with [{fault.kind}]")

    def embed(self, name: str, items: Sequence[Item]) -> list[Array]:
        """Return a document vector for each item; that of a PDF is the mean of its pages."""
        endpoint = self.registry.get(name, *EMBEDDING)
        vectors = embed_inputs(self._job(endpoint, [[item] for item in items], "ingest"), self._standin)
        return [fit(pages[0] if len(pages) == 1 else mean(pages), endpoint.dimensions) for pages in vectors]

    def embed_query(self, name: str, items: Sequence[Item], task: str | None = None) -> Array:
        """Return the vector of a query, whose items are fused; `task` is that of the endpoint, None accepts any."""
        endpoint = self.registry.get(name, *(EMBEDDING if task is None else (task,)))
        if len(items) > 1 and not self.registry.version.has("fused inputs"):
            raise status_error("Field [content] must contain a single item for [elastic] service.")
        (vectors,) = embed_inputs(self._job(endpoint, [items], "search"), self._standin)
        if len(vectors) != 1:
            raise status_error(f"the query embedding response contains {len(vectors)} results")
        return fit(vectors[0], endpoint.dimensions)

    def rerank(self, name: str, query: str, documents: Sequence[str]) -> list[float]:
        """Return the score of each document, from a single request."""
        endpoint = self.registry.get(name, "rerank")
        item = Item("text", query)
        parsed = Parsed([[Item("text", document)] for document in documents], query=item)
        self.check_poison(name, parsed.items, "search")
        ranked = answer(Job(endpoint, parsed, LIMITS["search"]), self._standin)["rerank"]
        return [entry["relevance_score"] for entry in sorted(ranked, key=lambda entry: int(entry["index"]))]

    def _job(self, endpoint: Endpoint, inputs: Sequence[Sequence[Item]], role: str) -> Job:
        self.check_poison(endpoint.id, list(chain.from_iterable(inputs)), role)
        job = Job(endpoint, Parsed(inputs, role), LIMITS[role])
        if isinstance(endpoint.model, EmbeddingModel):
            check_inputs(job, None, "inputs", endpoint.model.modalities)  # the service gets as many requests as necessary
        return job
