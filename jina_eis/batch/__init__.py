"""Corpora: tables in, vectors out, on one machine or on an engine. Knows the adapters and no framework.

`EmbedBatch` and `RerankBatch` are for Ray, Dask, Spark and other engines; `EmbedJob` and `IndexJob` are the commands
`jina-eis embed` and `jina-eis index`. pyarrow and the engines are imported when they are used.
"""

from .callables import EmbedBatch, RerankBatch
from .cost import Estimate, estimate
from .embedding import EmbedJob
from .indexing import IndexJob, IndexSettings
from .ledger import Summary
from .progress import Progress
from .service import EmbeddingService, RerankService
from .sources import Source

__all__ = [
    "EmbedBatch",
    "EmbedJob",
    "EmbeddingService",
    "Estimate",
    "IndexJob",
    "IndexSettings",
    "Progress",
    "RerankBatch",
    "RerankService",
    "Source",
    "Summary",
    "estimate",
]
