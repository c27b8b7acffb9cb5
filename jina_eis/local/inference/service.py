"""Inference requests: the checks of Elasticsearch in their order, then the response of the service.

Knows endpoints, parsed bodies, stand-ins and hashes of media. Must not know HTTP or simulated faults.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from ...models import RerankModel
from ..refusals import Json, TimeLimit, gateway_refusal, not_implemented, status_error
from .bodies import PARSERS, Parsed, read_body
from .media import UnreadableError, complete, extract, medium_vectors, type_problem
from .others import PageModel
from .registry import Endpoint, Registry
from .standin import Array, StandIn, mean, shape

MAX_RERANK_TOKENS = 200_000  # measured with v3.5; assumed for the other rerankers


@dataclass(frozen=True, slots=True)
class Job:
    """A request that passed all of Elasticsearch's checks."""

    endpoint: Endpoint
    parsed: Parsed
    limit: TimeLimit
    stream: bool = False

    @property
    def values(self) -> list[str]:
        """All texts and data URIs of the request, including the query."""
        return [item.value for item in self.parsed.items]

    @property
    def role(self) -> str:
        """The input type by which the service counts; "unspecified" for every rerank request."""
        return self.parsed.input_type.removeprefix("internal_")

    @property
    def tokens(self) -> float:
        """Estimated tokens of its texts."""
        return sum(count_tokens(item.value) for item in self.parsed.items if item.kind == "text")


def plan(registry: Registry, task: str | None, endpoint: str, raw: bytes, timeout: str | None, stream: bool = False) -> Job:
    """Check a request in Elasticsearch's order.

    An invalid body is reported before an unknown endpoint only if the path names the task.
    """
    limit = None if timeout is None else TimeLimit.parse(timeout)
    if task is None:
        task = registry.get(endpoint).task
    if task not in PARSERS:
        raise not_implemented(f"POST /_inference/{task}")
    if stream and task != "chat_completion":
        raise not_implemented(f"POST /_inference/{task}/_stream")
    if task == "chat_completion" and not stream and not registry.version.has("chat completions as JSON"):
        raise status_error("The [chat_completion] task type only supports streaming, please try again with the _stream API")
    parsed = PARSERS[task](read_body(raw), registry.version)
    found = registry.get(endpoint, task)
    fused = [position for position, items in enumerate(parsed.inputs) if len(items) > 1]
    if fused and not registry.version.has("fused inputs"):
        raise status_error(f"Field [content] must contain a single item for [elastic] service, input {fused[0]} has several")
    if limit is None:
        default = "120s" if isinstance(found.model, PageModel) else "30s"
        limit = TimeLimit.parse("10s" if parsed.input_type.endswith("search") else default)
    return Job(found, parsed, limit, stream)


def answer(job: Job, standin: StandIn) -> Any:
    """Return the response of the service, a stream as text; raises Elasticsearch's error if the service refuses the request."""
    model = job.endpoint.model
    if job.endpoint.denied:
        raise gateway_refusal(job.endpoint.id, 403, "the region policy denies every region of the model")
    if isinstance(model, PageModel):
        if model.task == "chat_completion":
            return complete(job.endpoint.id, job.parsed.inputs, stream=job.stream)
        texts = extract(job.endpoint.id, job.parsed.items)
        return {"document_extraction": [{"content": text, "format": "markdown"} for text in texts]}
    if isinstance(model, RerankModel):
        check_inputs(job, model.window, "documents", model.modalities)
        if job.tokens > MAX_RERANK_TOKENS:  # the service counts all of them, also those that the model does not read
            limit = f"the maximum limit of {MAX_RERANK_TOKENS:,}"
            message = f"Request too large; estimated total tokens exceed {limit}. Reduce document count or document sizes."
            raise gateway_refusal(job.endpoint.id, 400, message)
        return {"rerank": rank(job, model, standin)}
    check_inputs(job, model.batch_limit, "inputs", model.modalities)
    name = "embeddings" if model.task == "embedding" else "text_embedding"
    vectors = chain.from_iterable(embed_inputs(job, standin))
    return {name: [{"embedding": shape(vector, job.endpoint.dimensions)} for vector in vectors]}


def check_inputs(job: Job, limit: int | None, noun: str, modalities: Collection[str]) -> None:
    """Refuse more inputs than the model accepts, or inputs of other modalities."""
    if limit is not None and len(job.parsed.inputs) > limit:
        raise gateway_refusal(job.endpoint.id, 400, f"at most {limit} {noun}, got {len(job.parsed.inputs)}")
    if any(item.kind not in modalities for item in job.parsed.items):
        raise gateway_refusal(job.endpoint.id, 400, f"model [{job.endpoint.model.name}] takes {' and '.join(modalities)} only")


def check_types(job: Job) -> None:
    """Refuse media whose bytes are not of their declared MIME type. What the service does with them is not known."""
    for position, items in enumerate(job.parsed.inputs):
        for item in items:
            if item.value.startswith("data:") and item.kind != "text" and (problem := type_problem(item.value)):
                raise gateway_refusal(job.endpoint.id, 422, f"input {position}: {problem}")


def count_tokens(text: str) -> float:
    """Return the estimate of the service, which is a quarter above the tokens of an English text."""
    plain = len(text.encode("ascii", "ignore"))
    return plain / 3.5 + (len(text) - plain) / 1.25


def rank(job: Job, model: RerankModel, standin: StandIn) -> list[Json]:
    *documents, query = job.parsed.items
    texts = [position for position, item in enumerate(documents) if item.kind == query.kind == "text"]
    scores = [0.0] * len(documents)
    if len(texts) < len(documents):  # a score with a medium is the cosine of the vectors
        ((wanted,),) = embed_inputs(replace(job, parsed=Parsed([[query]], "search")), standin)
        scores = [round(max(float(vector @ wanted), 0.0), 8) for (vector,) in embed_inputs(job, standin)]
    if texts:
        ranked = standin.rerank(query.value, [documents[position].value for position in texts], listwise=model.listwise)
        for position, score in zip(texts, ranked, strict=True):
            scores[position] = score
    best = sorted(enumerate(scores), key=lambda pair: -pair[1])[: job.parsed.top_n]
    return [{"index": index, "relevance_score": score} for index, score in best]


def embed_inputs(job: Job, standin: StandIn) -> list[list[Array]]:
    """Return the vectors of each input, in order: one, or that of each page if the input is a single PDF."""
    texts = [item.value for item in job.parsed.items if item.kind == "text"]
    space = getattr(job.endpoint.model, "space", None)  # a reranker has none
    if space and space == standin.space and len(texts) < len(job.parsed.items):
        raise not_implemented(f"media for {job.endpoint.model.name} with Jina's weights, which are those of the text model")
    embed = partial(standin.embed, is_query=job.parsed.input_type.endswith("search"), space=space)
    text_vectors = iter(embed(texts))
    vectors = []
    for position, items in enumerate(job.parsed.inputs):
        try:
            kinds = [(item.kind, item.value) for item in items]
            parts = [[next(text_vectors)] if kind == "text" else medium_vectors(kind, value, embed) for kind, value in kinds]
        except UnreadableError as error:
            raise gateway_refusal(job.endpoint.id, 400, f"input {position}: {error}") from error
        vectors.append(parts[0] if len(parts) == 1 else [mean([mean(part) for part in parts])])
    return vectors
