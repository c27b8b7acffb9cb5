"""Jina models on the Elastic Inference Service (EIS), for LangChain."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embeddings import JinaEISEmbeddings
    from .parser import JinaEISParser
    from .rerank import JinaEISRerank
    from .retriever import JinaEISRetriever
    from .self_query import JinaEISTranslator
    from .vectorstore import JinaEISVectorStore

__all__ = [
    "JinaEISEmbeddings",
    "JinaEISParser",
    "JinaEISRerank",
    "JinaEISRetriever",
    "JinaEISTranslator",
    "JinaEISVectorStore",
]

_MODULES = {
    "JinaEISEmbeddings": "embeddings",
    "JinaEISParser": "parser",
    "JinaEISRerank": "rerank",
    "JinaEISRetriever": "retriever",
    "JinaEISTranslator": "self_query",
    "JinaEISVectorStore": "vectorstore",
}


if not TYPE_CHECKING:  # with __getattr__, type checkers would accept misspelt names

    def __getattr__(name: str) -> Any:
        """Import a class on first access, so that unused classes cost no import time."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f".{_MODULES[name]}", __name__), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "langchain_core":
                raise
            raise ImportError(f'{__name__} needs langchain-core: pip install "jina-eis[langchain]"', name=error.name) from error


def __dir__() -> list[str]:
    return __all__
