"""The vector store of `llama_index_jina_eis`, under LlamaIndex's import path."""

from llama_index_jina_eis import JinaEISVectorStore

__all__ = ["JinaEISVectorStore"]
