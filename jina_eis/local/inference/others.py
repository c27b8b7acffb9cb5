"""Table of the endpoints that a deployment lists beside those with the models of `jina_eis.models`.

The names are those of listings of serverless projects in summer and autumn 2026; dimensions are from the documentation of each
model's vendor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...models import EmbeddingModel, EmbeddingTask, Modality

TEXT: tuple[Modality, ...] = ("text",)
ALL: tuple[Modality, ...] = ("text", "image", "audio", "video", "pdf")
SENTENCES = {"strategy": "sentence", "max_chunk_size": 250, "sentence_overlap": 1}
ALLOCATIONS = {"enabled": True, "min_number_of_allocations": 0, "max_number_of_allocations": 32}


@dataclass(frozen=True, slots=True)
class PageModel:
    """A model that turns pages into text. Only that for OCR has a preconfigured endpoint."""

    name: str
    task: str
    since: str

    @property
    def endpoint(self) -> str:
        """The preconfigured inference endpoint; "" for none."""
        return f".{self.name}-chat_completion" if self.task == "chat_completion" else ""


PAGE_MODELS = (PageModel("jina-ocr-v1", "chat_completion", "9.5"), PageModel("jina-reader", "document_extraction", "9.6"))


def other(
    name: str, dimensions: int, since: str, task: EmbeddingTask = "text_embedding", modalities: tuple[Modality, ...] = TEXT
) -> EmbeddingModel:
    return EmbeddingModel(
        name=name,
        task=task,
        dimensions=dimensions,
        matryoshka=(dimensions,),
        context=8192,
        modalities=modalities,
        space=name,
        since=since,
    )


# Models of other vendors, which the stand-ins answer for.
OTHERS = (
    other("google-gemini-embedding-001", 3072, "9.3"),
    other("google-gemini-embedding-2", 3072, "9.4", "embedding", ALL),
    other("microsoft-multilingual-e5-large", 1024, "9.3"),
    other("openai-text-embedding-3-large", 3072, "9.3"),
    other("openai-text-embedding-3-small", 1536, "9.3"),
)


def listed(inference_id: str, task: str, model_id: str, *, eis: bool = True, **more: Any) -> dict[str, Any]:
    settings = {"model_id": model_id} | ({} if eis else {"num_threads": 1, "adaptive_allocations": ALLOCATIONS})
    service = "elastic" if eis else "elasticsearch"
    return {"inference_id": inference_id, "task_type": task, "service": service, "service_settings": settings, **more}


# Endpoints that are only listed, with the first version that does.
LISTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("8.19", listed(".elser-2-elasticsearch", "sparse_embedding", ".elser_model_2", eis=False, chunking_settings=SENTENCES)),
    (
        "8.19",
        listed(
            ".multilingual-e5-small-elasticsearch",
            "text_embedding",
            ".multilingual-e5-small",
            eis=False,
            chunking_settings=SENTENCES,
        ),
    ),
    (
        "8.19",
        listed(".rerank-v1-elasticsearch", "rerank", ".rerank-v1", eis=False, task_settings={"return_documents": True}),
    ),
    ("8.19", listed(".rainbow-sprinkles-elastic", "chat_completion", "rainbow-sprinkles")),
    ("9.1", listed(".elser-2-elastic", "sparse_embedding", "elser_model_2", chunking_settings=SENTENCES)),
    ("9.3", listed(".gp-llm-v2-chat_completion", "chat_completion", "gp-llm-v2")),
    ("9.3", listed(".gp-llm-v2-completion", "completion", "gp-llm-v2")),
)
