"""What Elasticsearch 9.5 does with a request for inference: its checks in their order, then the answer of the service.

Knows endpoints, parsed bodies and stand-ins; must not know HTTP, nor faults made on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..models import RerankModel
from .bodies import PARSERS, Parsed, read_body
from .refusals import Json, RefusedError, TimeLimit, gateway_refusal, not_done, status_error
from .registry import Endpoint, Registry
from .standin import StandIn, shape

__all__ = ["Job", "answer", "plan"]


@dataclass(frozen=True, slots=True)
class Job:
    """A request that passed all checks of Elasticsearch itself."""

    endpoint: Endpoint
    parsed: Parsed
    limit: TimeLimit

    @property
    def texts(self) -> list[str]:
        """Every text of the request, the query too."""
        return [*self.parsed.texts, *([self.parsed.query] if self.endpoint.task == "rerank" else ())]


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
    if parsed.media and task == "rerank":
        raise gateway_refusal(endpoint, 400, f"model [{found.model.name}] takes text only")
    if parsed.media:
        raise not_done(f"embedding of {', '.join(sorted(parsed.media))}: media come later")
    if limit is None:
        limit = TimeLimit.parse("10s" if parsed.input_type.endswith("search") else "30s")
    return Job(found, parsed, limit)


def answer(job: Job, standin: StandIn) -> dict[str, list[Json]]:
    """The answer of the service, or what Elasticsearch makes of the service's refusal."""
    model, parsed = job.endpoint.model, job.parsed
    if isinstance(model, RerankModel):
        if model.window is not None and len(parsed.texts) > model.window:
            raise gateway_refusal(job.endpoint.id, 400, f"at most {model.window} documents, got {len(parsed.texts)}")
        scores = standin.rerank(parsed.query, parsed.texts, listwise=model.listwise)
        ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])[: parsed.top_n]
        return {"rerank": [{"index": index, "relevance_score": score} for index, score in ranked]}
    if model.batch_limit is not None and len(parsed.texts) > model.batch_limit:
        raise gateway_refusal(job.endpoint.id, 400, f"at most {model.batch_limit} inputs, got {len(parsed.texts)}")
    vectors = standin.embed(parsed.texts, is_query=parsed.input_type.endswith("search"))
    name = "embeddings" if model.task == "embedding" else "text_embedding"
    return {name: [{"embedding": shape(vector, job.endpoint.dimensions)} for vector in vectors]}
