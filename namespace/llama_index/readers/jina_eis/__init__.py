"""The reader of `llama_index_jina_eis`, under LlamaIndex's import path."""

from llama_index_jina_eis import JinaEISReader

__all__ = ["JinaEISReader"]
