"""The embedded EIS: a loopback server that emulates inference and search of Elasticsearch, with stand-in models.

Its vectors and scores are not those of Jina's models; `LocalEIS.model_label` names their source. Of the core it knows only
`models` and `contents.media`. Its rooms import in one direction: `http`, `search`, `indices`, `inference`.
"""

from __future__ import annotations

try:
    from .faults import Faults, Kind
    from .http import Exchange, LocalEIS
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"h11", "imagesize", "numpy", "orjson", "starlette", "uvicorn"}:
        raise
    raise ImportError(f'jina_eis.local needs {error.name}: pip install "jina-eis[local]"', name=error.name) from error

__all__ = ["Exchange", "Faults", "Kind", "LocalEIS"]
