"""Jina models on the Elastic Inference Service (EIS), for LlamaIndex."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedding import JinaEISEmbedding
    from .multi_modal_embedding import JinaEISMultiModalEmbedding
    from .reader import JinaEISReader
    from .rerank import JinaEISRerank
    from .retriever import JinaEISRetriever
    from .vector_store import JinaEISVectorStore

__all__ = [
    "JinaEISEmbedding",
    "JinaEISMultiModalEmbedding",
    "JinaEISReader",
    "JinaEISRerank",
    "JinaEISRetriever",
    "JinaEISVectorStore",
]

_MODULES = {
    "JinaEISEmbedding": "embedding",
    "JinaEISMultiModalEmbedding": "multi_modal_embedding",
    "JinaEISReader": "reader",
    "JinaEISRerank": "rerank",
    "JinaEISRetriever": "retriever",
    "JinaEISVectorStore": "vector_store",
}


if not TYPE_CHECKING:  # with __getattr__, type checkers would accept misspelt names

    def __getattr__(name: str) -> Any:
        """Import a class on first access, so that unused classes cost no import time."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f".{_MODULES[name]}", __name__), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "llama_index":
                raise
            raise ImportError(
                f'{__name__} needs llama-index-core: pip install "jina-eis[llama-index]"', name=error.name
            ) from error


def __dir__() -> list[str]:
    return __all__
