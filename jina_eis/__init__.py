"""The shared core of the Jina integrations for LangChain and LlamaIndex, over the Elastic Inference Service (EIS).

Applications import the adapters: `langchain_jina_eis` or `llama_index_jina_eis`. From here they import the errors, the
table of models, and what looks after a deployment: `doctor` and `Endpoints`.
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from .errors import JinaEISError
from .models import MODELS
from .steps.compatibility import share_space
from .transport.pacing import no_waits

if TYPE_CHECKING:
    from .adapters.endpoints import Endpoints
    from .steps.checkup import Report, adoctor, doctor
    from .wire.endpoints import EndpointInfo

__version__ = _version("jina-eis")

__all__ = [
    "MODELS",
    "EndpointInfo",
    "Endpoints",
    "JinaEISError",
    "Report",
    "__version__",
    "adoctor",
    "doctor",
    "no_waits",
    "share_space",
]

_HOME = {
    "EndpointInfo": "wire.endpoints",
    "Endpoints": "adapters.endpoints",
    "Report": "steps.checkup",
    "adoctor": "steps.checkup",
    "doctor": "steps.checkup",
}

if not TYPE_CHECKING:  # or no checker would see a misspelt name

    def __getattr__(name: str) -> Any:
        """Import what needs pydantic when it is first asked for: whoever wants the errors alone does not pay for it."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(_import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
