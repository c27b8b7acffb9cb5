"""Jina models on the Elastic Inference Service (EIS), for LlamaIndex. The adapters are still to come."""

__all__: list[str] = []
