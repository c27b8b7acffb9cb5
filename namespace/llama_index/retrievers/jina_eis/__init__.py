"""The retriever of `llama_index_jina_eis`, where users of LlamaIndex look for it."""

from llama_index_jina_eis import JinaEISRetriever

__all__ = ["JinaEISRetriever"]
