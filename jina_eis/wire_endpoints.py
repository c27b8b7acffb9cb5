"""Pickles of 0.1 name this module."""

from .wire import EndpointInfo

__all__ = ["EndpointInfo"]
