"""The documented path of `jina_eis.adapters.retrieval`."""

from .adapters import RetrieverSettings, metadata_of, new_id, scores_of

__all__ = ["RetrieverSettings", "metadata_of", "new_id", "scores_of"]
