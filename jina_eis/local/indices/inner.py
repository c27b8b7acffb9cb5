"""Inference as Elasticsearch itself asks for it: to embed what is indexed, to embed queries, to rerank hits.

Knows endpoints, stand-ins and poison; must not know indices, documents or retrievers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ...models import EmbeddingModel
from ..faults import Faults, refusal
from ..inference import Array, Endpoint, Item, Job, Parsed, Registry, StandIn, answer, check, embedded, fit, mean
from ..refusals import TimeLimit, gateway_refusal, status_error

__all__ = ["InnerInference"]

BATCH = 64  # inputs embedded at once, where the service documents no fewer
LIMITS = {"ingest": TimeLimit.parse("30s"), "search": TimeLimit.parse("10s")}


class InnerInference:
    """Vectors and scores for the rest of Elasticsearch."""

    def __init__(self, registry: Registry, standin: StandIn, faults: Faults) -> None:
        self.registry = registry
        self._standin = standin
        self._faults = faults

    def check_poison(self, endpoint: str, items: Sequence[Item], role: str) -> None:
        """Fail as the service would for a text or medium that was poisoned."""
        fault = self._faults.poisoned([item.value for item in items])
        if fault is not None:
            fails = refusal(fault, endpoint, LIMITS[role])
            raise fails or gateway_refusal(endpoint, 502, f"the local EIS was told to answer with [{fault.kind}]")

    def embed(self, name: str, items: Sequence[Item]) -> list[Array]:
        """A vector for each item, as documents are embedded; in as many requests as it takes."""
        endpoint = self._embedder(name)
        size = (endpoint.model.batch_limit if isinstance(endpoint.model, EmbeddingModel) else None) or BATCH
        batches = [items[start : start + size] for start in range(0, len(items), size)]
        return [vector for batch in batches for vector in self._embed(endpoint, [[item] for item in batch], "ingest")]

    def embed_query(self, name: str, items: Sequence[Item], task: str | None = None) -> Array:
        """The vector of a query: of an item, or of several fused to one.

        Args:
            name: The endpoint.
            items: The query.
            task: What the endpoint must be for, if that matters.
        """
        endpoint = self._embedder(name)
        if task not in (None, endpoint.task):
            raise status_error(
                f"Incompatible task_type for {task} API, the inference endpoint [{name}] has task type [{endpoint.task}], "
                f"expected [{task}]"
            )
        found = embedded(self._job(endpoint, [items], "search"), self._standin)
        if len(found) != 1:
            raise status_error(f"the query embedding response contains {len(found)} results")
        return fit(found[0], endpoint.dimensions)

    def rerank(self, name: str, query: str, documents: Sequence[str]) -> list[float]:
        """The score of each document, from a single request."""
        endpoint = self.registry.get(name)
        if endpoint.task != "rerank":
            raise status_error(
                f"Incompatible task_type for rerank API, the inference endpoint [{name}] has task type [{endpoint.task}], "
                "expected [rerank]"
            )
        item = Item("text", query)
        parsed = Parsed([[Item("text", document)] for document in documents], query=item)
        self.check_poison(name, parsed.items, "search")
        ranked = answer(Job(endpoint, parsed, LIMITS["search"]), self._standin)["rerank"]
        return [each["relevance_score"] for each in sorted(ranked, key=lambda each: int(each["index"]))]

    def _embedder(self, name: str) -> Endpoint:
        endpoint = self.registry.get(name)
        if endpoint.task not in ("text_embedding", "embedding"):
            raise status_error(f"Inference endpoint [{name}] has task type [{endpoint.task}], and embeds nothing")
        return endpoint

    def _job(self, endpoint: Endpoint, inputs: Sequence[Sequence[Item]], role: str) -> Job:
        self.check_poison(endpoint.id, list(chain.from_iterable(inputs)), role)
        job = Job(endpoint, Parsed(inputs, role), LIMITS[role])
        if isinstance(endpoint.model, EmbeddingModel):
            check(job, endpoint.model.batch_limit, "inputs", endpoint.model.modalities)
        return job

    def _embed(self, endpoint: Endpoint, inputs: Sequence[Sequence[Item]], role: str) -> list[Array]:
        found: list[Array] = []
        paged = any(items[0].kind == "pdf" for items in inputs)  # which give more than a vector each, so one by one
        for batch in ([each] for each in inputs) if paged else (inputs,):
            vectors = embedded(self._job(endpoint, batch, role), self._standin)
            found += vectors if len(vectors) == len(batch) else [mean(vectors)]
        return [fit(vector, endpoint.dimensions) for vector in found]
