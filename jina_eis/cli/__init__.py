"""The command line: parses arguments, calls an adapter, and prints the result. It contains no other logic.

Each command imports its dependencies when it runs. Only `demo` imports a framework package.
"""

from .main import main, run

__all__ = ["main", "run"]
