"""The shared core of the Jina integrations for LangChain and LlamaIndex, over the Elastic Inference Service (EIS).

Applications import the adapters: `langchain_jina_eis` or `llama_index_jina_eis`. From here they import the errors, the
table of models, and the tools for a deployment: `doctor` and `Endpoints`.
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from .errors import JinaEISError
from .models import MODELS

if TYPE_CHECKING:
    from .adapters import EndpointInfo, Endpoints, Report, adoctor, doctor
    from .steps import share_space
    from .transport import Usage, no_waits

__version__ = _version("jina-eis")

__all__ = [
    "MODELS",
    "EndpointInfo",
    "Endpoints",
    "JinaEISError",
    "Report",
    "Usage",
    "__version__",
    "adoctor",
    "doctor",
    "no_waits",
    "share_space",
]

_ROOMS = {
    "EndpointInfo": "adapters",
    "Endpoints": "adapters",
    "Report": "adapters",
    "Usage": "transport",
    "adoctor": "adapters",
    "doctor": "adapters",
    "no_waits": "transport",
    "share_space": "steps",
}

if not TYPE_CHECKING:  # a type checker must still report misspelt names

    def __getattr__(name: str) -> Any:
        """Import a room when one of its names is first used, so that importing the errors loads nothing else."""
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(_import_module(f".{_ROOMS[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
