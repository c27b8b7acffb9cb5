"""Pickles of 0.1 name this module."""

from .adapters import Endpoints

__all__ = ["Endpoints"]
