"""The reranker of `llama_index_jina_eis`, where users of LlamaIndex look for it."""

from llama_index_jina_eis import JinaEISRerank

__all__ = ["JinaEISRerank"]
