"""The module path in pickles of version 0.1."""

from .adapters import Endpoints

__all__ = ["Endpoints"]
