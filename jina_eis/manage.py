"""Pickles of 0.1 name this module."""

from .adapters.endpoints import Endpoints

__all__ = ["Endpoints"]
