"""Sends calls, at a pace: addresses, clients, pacing, and the two drivers (threads and tasks).

This room knows `wire.Call` and no capability. What explains an error is passed to the driver by the adapter.
"""

from .address import Address
from .connection import CLIENT_MARGIN, Connection
from .driver import Driver, RateLimiter
from .pacing import Pacer, no_waits

__all__ = ["CLIENT_MARGIN", "Address", "Connection", "Driver", "Pacer", "RateLimiter", "no_waits"]
