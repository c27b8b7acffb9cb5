"""Sending calls: addresses, clients, pacing, and the two drivers (threads and tasks).

This package knows `wire.Call` and no capability. The adapter passes the steps that explain an error to the driver.
"""

from .address import Address
from .connection import CLIENT_MARGIN, Connection
from .driver import Driver, RateLimiter
from .observation import Attempt, Pause
from .options import ClientOptions, without_credentials
from .pacing import Pacer, no_waits
from .response_format import WireFormat
from .usage import Usage

__all__ = [
    "CLIENT_MARGIN",
    "Address",
    "Attempt",
    "ClientOptions",
    "Connection",
    "Driver",
    "Pacer",
    "Pause",
    "RateLimiter",
    "Usage",
    "WireFormat",
    "no_waits",
    "without_credentials",
]
