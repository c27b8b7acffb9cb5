"""The shared core of the Jina integrations for LangChain and LlamaIndex, over the Elastic Inference Service (EIS).

Applications import the adapters: `langchain_jina_eis` or `llama_index_jina_eis`. From here they import the errors and
the table of models.
"""

from importlib.metadata import version as _version

from .compatibility import share_space
from .errors import JinaEISError
from .models import MODELS
from .pacing import no_waits

__version__ = _version("jina-eis")

__all__ = ["MODELS", "JinaEISError", "__version__", "no_waits", "share_space"]
