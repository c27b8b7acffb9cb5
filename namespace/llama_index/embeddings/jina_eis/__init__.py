"""The embedding models of `llama_index_jina_eis`, under LlamaIndex's import path."""

from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding

__all__ = ["JinaEISEmbedding", "JinaEISMultiModalEmbedding"]
