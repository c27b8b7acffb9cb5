"""HTTP: the server, its routes, and the cluster that connects the other three rooms.

The top room of the embedded EIS: it knows `search`, `indices` and `inference`, and none of them knows HTTP.
"""

from .app import Exchange
from .server import LocalEIS

__all__ = ["Exchange", "LocalEIS"]
