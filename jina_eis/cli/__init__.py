"""The command line: parses arguments, calls an adapter, prints. It has no logic of its own.

Each command imports what it needs when it runs; `demo` alone also imports a framework package.
"""

from .main import main

__all__ = ["main"]
