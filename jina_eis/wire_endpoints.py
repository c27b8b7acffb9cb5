"""The module path in pickles of version 0.1."""

from .wire import EndpointInfo

__all__ = ["EndpointInfo"]
