"""The embedding models of `llama_index_jina_eis`, where users of LlamaIndex look for them."""

from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding

__all__ = ["JinaEISEmbedding", "JinaEISMultiModalEmbedding"]
