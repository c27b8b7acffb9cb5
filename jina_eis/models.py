"""Table of the Jina models on the Elastic Inference Service.

The source of each number stands beside it:

[csv]    Elastic docs, "Elastic Inference Service" model tables: modalities, dimensions, context, first stack version.
[live]   Listings of deployments in summer and autumn 2026: ids of endpoints and models.
[measured] Measurements on a serverless project of 9.6, published in September 2026.
[jina]   jina.ai, the page of the model: context, Matryoshka sizes, window.
[card]   huggingface.co/jinaai, the card of the model.
[elastic] Elastic docs, "Jina models": task types, vector spaces, items in a request.
[limits] Elastic docs, "EIS rate limits", requests a minute of an organisation; it has no row for omni, clip and m0.
[paper]  arXiv 2509.25085 (jina-reranker-v3): 64 documents in a call, each truncated at 2,048 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "DEFAULT_RERANKERS",
    "MODELS",
    "NOT_ON_EIS",
    "SIMILARITIES",
    "TASKS",
    "EmbeddingModel",
    "EmbeddingTask",
    "Modality",
    "Model",
    "RerankModel",
    "find_model",
    "preconfigured",
]

EmbeddingTask = Literal["text_embedding", "embedding"]
TASKS = (*get_args(EmbeddingTask), "rerank")
SIMILARITIES = ("cosine", "dot_product", "l2_norm")
Modality = Literal["text", "image", "audio", "video", "pdf"]

TEXT: tuple[Modality, ...] = ("text",)
TEXT_AND_IMAGE: tuple[Modality, ...] = ("text", "image")
EVERYTHING: tuple[Modality, ...] = ("text", "image", "audio", "video", "pdf")


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """An embedding model as EIS serves it.

    Attributes:
        name: The service's `model_id`. The preconfigured endpoint has this name after a dot.
        task: The only `_inference` task of its endpoints.
        dimensions: Length of a full vector.
        matryoshka: Lengths that the model was trained for; a vector may be truncated to these and renormalised.
        context: Tokens of one input that the model reads.
        modalities: Modalities that it embeds.
        space: Vector space. Models of one space can search each other's vectors.
        since: First Elastic Stack version with the preconfigured endpoint.
        per_minute: Requests that an organisation may send in a minute, by role; None if no limit is published.
        batch_limit: Maximum inputs in a request, as documented for the service; None if not documented.
        disputed: Lengths that one source lists and others do not. They are accepted with a warning.
    """

    name: str
    task: EmbeddingTask
    dimensions: int
    matryoshka: tuple[int, ...]
    context: int
    modalities: tuple[Modality, ...]
    space: str
    since: str
    per_minute: Mapping[str, int] | None = None
    batch_limit: int | None = None
    disputed: tuple[int, ...] = ()

    @property
    def endpoint(self) -> str:
        """The preconfigured inference endpoint."""
        return f".{self.name}"


@dataclass(frozen=True, slots=True)
class RerankModel:
    """A reranker as EIS serves it.

    Attributes:
        name: The service's `model_id`. The preconfigured endpoint has this name after a dot.
        context: Tokens that the model reads: of the whole list if it is listwise, else of one query and document.
        listwise: Whether scores depend on the other documents of the call. Such scores compare within one call only.
        window: Maximum documents in a call; None if the model accepts any number.
        document_tokens: Tokens of a document that the model reads; None if only `context` limits it.
        query_tokens: Tokens of the query that the model reads; None if only `context` limits it, or if it is not known.
        since: First Elastic Stack version with the preconfigured endpoint.
        per_minute: Requests that an organisation may send in a minute, by role; a reranker has one role. None if no limit is
            published.
        aliases: Other names of the same model, which older deployments use.
        modalities: Modalities of the documents and of the query.
        cut_tokens: Tokens of a document after which the rest need not be sent; None if what the model reads was not measured.
    """

    name: str
    context: int
    listwise: bool
    window: int | None
    document_tokens: int | None
    since: str
    per_minute: Mapping[str, int] | None = None
    aliases: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = TEXT
    cut_tokens: int | None = None
    query_tokens: int | None = None
    task: Literal["rerank"] = "rerank"

    @property
    def endpoint(self) -> str:
        """The preconfigured inference endpoint."""
        return f".{self.name}"

    @property
    def scores(self) -> tuple[float, float]:
        """The lowest and highest score: cosines of a listwise model, else probabilities [card]."""
        return (-1.0, 1.0) if self.listwise else (0.0, 1.0)


Model = EmbeddingModel | RerankModel

# Elastic documented a maximum of 16 items in a request for the omni models, as for its own ELSER [elastic].
OMNI_BATCH_LIMIT = 16

V5_TEXT_PER_MINUTE = {"ingest": 30_000, "search": 60_000}  # [limits]
V3_PER_MINUTE = {"ingest": 6_000, "search": 6_000}  # [limits]
RERANKER_PER_MINUTE = {"search": 600}  # [limits]

MODELS: tuple[Model, ...] = (
    EmbeddingModel(
        name="jina-embeddings-v5-text-small",
        task="text_embedding",
        dimensions=1024,  # [csv]
        matryoshka=(32, 64, 128, 256, 512, 1024),  # [jina]
        disputed=(768,),  # only in [card]
        context=32_768,  # [csv]
        modalities=TEXT,
        space="jina-embeddings-v5-small",  # [elastic]
        since="9.3",  # [csv]
        per_minute=V5_TEXT_PER_MINUTE,
    ),
    EmbeddingModel(
        name="jina-embeddings-v5-text-nano",
        task="text_embedding",
        dimensions=768,  # [csv]
        matryoshka=(32, 64, 128, 256, 512, 768),  # [jina]
        context=8_192,  # [csv]; 32,768 in the paper
        modalities=TEXT,
        space="jina-embeddings-v5-nano",  # [elastic]
        since="9.3",  # [csv]
        per_minute=V5_TEXT_PER_MINUTE,
    ),
    EmbeddingModel(
        name="jina-embeddings-v5-omni-small",
        task="embedding",
        dimensions=1024,  # [csv]
        matryoshka=(32, 64, 128, 256, 512, 1024),  # [jina]
        disputed=(768,),  # only in [card]
        context=32_768,  # [csv]
        modalities=EVERYTHING,
        space="jina-embeddings-v5-small",  # [elastic]: its text vectors are those of v5-text-small
        since="9.4",  # [csv]; audio, video and PDF from 9.5
        batch_limit=OMNI_BATCH_LIMIT,
    ),
    EmbeddingModel(
        name="jina-embeddings-v5-omni-nano",
        task="embedding",
        dimensions=768,  # [csv]
        matryoshka=(32, 64, 128, 256, 512, 768),  # [jina]
        context=8_192,  # [csv]
        modalities=EVERYTHING,
        space="jina-embeddings-v5-nano",  # [elastic]: its text vectors are those of v5-text-nano
        since="9.4",  # [csv]; audio, video and PDF from 9.5
        batch_limit=OMNI_BATCH_LIMIT,
    ),
    EmbeddingModel(
        name="jina-embeddings-v3",
        task="text_embedding",
        dimensions=1024,  # [csv]
        matryoshka=(32, 64, 128, 256, 512, 768, 1024),  # [card]
        context=8_192,  # [csv]
        modalities=TEXT,
        space="jina-embeddings-v3",
        since="9.3",  # [csv]
        per_minute=V3_PER_MINUTE,
    ),
    EmbeddingModel(
        name="jina-clip-v2",
        task="embedding",
        dimensions=1024,  # [csv]
        matryoshka=(64, 128, 256, 512, 768, 1024),  # [card]
        context=8_192,  # [csv]
        modalities=TEXT_AND_IMAGE,
        space="jina-clip-v2",
        since="9.3",  # [csv]
        batch_limit=OMNI_BATCH_LIMIT,
    ),
    RerankModel(
        name="jina-reranker-v2-base-multilingual",  # [live]
        aliases=("jina-reranker-v2",),  # in the docs of 2025
        context=1_024,  # [card], query and document together
        listwise=False,
        window=None,
        document_tokens=None,
        since="9.3",  # [csv]
        per_minute=RERANKER_PER_MINUTE,
    ),
    RerankModel(
        name="jina-reranker-v3",
        context=131_072,  # [paper]
        listwise=True,
        window=64,  # [paper], [elastic]
        document_tokens=2_048,  # [card]
        query_tokens=512,  # [card], max_query_length of its code
        since="9.3",  # [csv]
        per_minute=RERANKER_PER_MINUTE,
    ),
    RerankModel(
        name="jina-reranker-v3.5",
        context=131_072,  # [csv]
        listwise=True,
        window=None,  # [measured]: 200 documents in one call
        document_tokens=8_192,  # [measured]; the cut lies between 7,500 and 9,000
        cut_tokens=9_000,  # the end of that range
        since="9.5",  # [csv]
        per_minute=RERANKER_PER_MINUTE,
    ),
    RerankModel(
        name="jina-reranker-m0",  # [live]
        context=10_240,  # [card], query and document together
        listwise=False,  # [card]
        window=None,
        document_tokens=None,
        since="9.6",  # [live], serverless
        modalities=TEXT_AND_IMAGE,  # [card]
    ),
)

DEFAULT_RERANKERS = (".jina-reranker-v3.5", ".jina-reranker-v3")
"""The default reranker is the first of these that the deployment has. v3 is deprecated; Stack 9.3 and 9.4 have no other [csv]."""

NOT_ON_EIS = ("jina-embeddings-v4", "jina-colbert-v2", "jina-code-embeddings")  # [elastic]
"""Beginnings of the names of Jina models that EIS does not serve."""

HUGGING_FACE = "jinaai/"

_BY_NAME: dict[str, Model] = {
    name: model for model in MODELS for name in (model.name, *(model.aliases if isinstance(model, RerankModel) else ()))
}


def find_model(name: str) -> Model | None:
    """Return the model with this name, or None if the table has none.

    Args:
        name: Its `model_id`, an alias, or its name on Hugging Face (`jinaai/…`).
    """
    return _BY_NAME.get(name.removeprefix(HUGGING_FACE))


def preconfigured(name: str) -> Model | None:
    """Return the model whose preconfigured endpoint a name certainly means: `.jina-…`, or a name on Hugging Face.

    A name without the leading dot or the slash may be a user's own endpoint. None for such a name.
    """
    if name.startswith(HUGGING_FACE):
        return find_model(name)
    return _BY_NAME.get(name[1:]) if name.startswith(".") else None
