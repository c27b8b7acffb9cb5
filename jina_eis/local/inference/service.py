"""What Elasticsearch 9.5 does with a request for inference: its checks in their order, then the answer of the service.

Knows endpoints, parsed bodies, stand-ins and hashes of media; must not know HTTP, nor faults made on purpose.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...models import RerankModel
from ..refusals import Json, RefusedError, TimeLimit, gateway_refusal, not_done, status_error
from .bodies import PARSERS, Parsed, read_body
from .media import UnreadableError, medium_vectors
from .registry import Endpoint, Registry
from .standin import Array, StandIn, mean, shape

__all__ = ["Job", "answer", "check", "embedded", "plan"]


@dataclass(frozen=True, slots=True)
class Job:
    """A request that passed all checks of Elasticsearch itself."""

    endpoint: Endpoint
    parsed: Parsed
    limit: TimeLimit

    @property
    def values(self) -> list[str]:
        """Every text and data URI of the request, the query too."""
        return [item.value for item in self.parsed.items]


def plan(registry: Registry, task: str | None, endpoint: str, raw: bytes, timeout: str | None) -> Job:
    """Check a request in Elasticsearch's order: a bad body comes before an unknown endpoint only if the task is named."""
    if not raw.strip():
        raise RefusedError(400, "parse_exception", "request body is required")
    limit = None if timeout is None else TimeLimit.parse(timeout)
    if task is None:
        task = registry.get(endpoint).task
    if task == "chat_completion":
        raise not_done("POST /_inference/chat_completion")
    parsed = PARSERS[task](read_body(raw), task)
    found = registry.get(endpoint)
    if found.task != task:
        raise status_error(f"Incompatible task_type, the requested type [{task}] does not match the model type [{found.task}]")
    if limit is None:
        limit = TimeLimit.parse("10s" if parsed.input_type.endswith("search") else "30s")
    return Job(found, parsed, limit)


def answer(job: Job, standin: StandIn) -> dict[str, list[Json]]:
    """The answer of the service, or what Elasticsearch makes of the service's refusal."""
    model = job.endpoint.model
    if job.endpoint.denied:
        raise gateway_refusal(job.endpoint.id, 403, "the region policy denies every region of the model")
    if isinstance(model, RerankModel):
        check(job, model.window, "documents", ("text",))
        return {"rerank": ranked(job, model, standin)}
    check(job, model.batch_limit, "inputs", model.modalities)
    name = "embeddings" if model.task == "embedding" else "text_embedding"
    return {name: [{"embedding": shape(vector, job.endpoint.dimensions)} for vector in embedded(job, standin)]}


def check(job: Job, most: int | None, what: str, modalities: Collection[str]) -> None:
    """Refuse more inputs, or inputs of another kind, than the model takes."""
    if most is not None and len(job.parsed.inputs) > most:
        raise gateway_refusal(job.endpoint.id, 400, f"at most {most} {what}, got {len(job.parsed.inputs)}")
    if any(item.kind not in modalities for item in job.parsed.items):
        raise gateway_refusal(job.endpoint.id, 400, f"model [{job.endpoint.model.name}] takes {' and '.join(modalities)} only")


def ranked(job: Job, model: RerankModel, standin: StandIn) -> list[Json]:
    *documents, query = job.values
    scores = standin.rerank(query, documents, listwise=model.listwise)
    best = sorted(enumerate(scores), key=lambda pair: -pair[1])[: job.parsed.top_n]
    return [{"index": index, "relevance_score": score} for index, score in best]


def embedded(job: Job, standin: StandIn) -> list[Array]:
    """One vector for each input, in their order; but for an input that is a PDF alone, one for each of its pages."""
    texts = [item.value for item in job.parsed.items if item.kind == "text"]
    of_texts = iter(standin.embed(texts, is_query=job.parsed.input_type.endswith("search")))
    vectors: list[Array] = []
    for position, items in enumerate(job.parsed.inputs):
        try:
            parts = [[next(of_texts)] if item.kind == "text" else medium_vectors(item.kind, item.value) for item in items]
        except UnreadableError as error:
            raise gateway_refusal(job.endpoint.id, 400, f"input {position}: {error}") from error
        vectors += parts[0] if len(parts) == 1 else [mean([mean(part) for part in parts])]
    return vectors
