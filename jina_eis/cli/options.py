"""What the parsers of all commands share: options, types of values, and the form of a command."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = [
    "API_KEY_HELP",
    "add_address",
    "add_command",
    "add_common_options",
    "connection",
    "number_between",
    "parse_json_object",
    "quota",
]

API_KEY_HELP = "its API key; other users may see it in the process list: prefer ES_API_KEY"


def add_common_options(parser: argparse.ArgumentParser, **default: Any) -> None:
    """Add the options of the commands for a deployment."""
    parser.add_argument("--json", action="store_true", help="print JSON", **default)
    add_address(parser, **default)


def add_address(parser: argparse.ArgumentParser, **default: Any) -> None:
    """Add the options for the address of a deployment and its key."""
    parser.add_argument("--url", help="address of the deployment (default: ES_URL or ES_CLOUD_ID)", **default)
    parser.add_argument("--api-key", metavar="KEY", help=API_KEY_HELP, **default)


def add_command(commands: Commands, name: str, purpose: str, example: str, **options: Any) -> argparse.ArgumentParser:
    """Add a command, with its purpose and an example in the help."""
    return commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )


def parse_json_object(text: str) -> Any:
    """Parse an argument that is a JSON object."""
    with suppress(ValueError):
        if isinstance(value := json.loads(text), dict):
            return value
    raise argparse.ArgumentTypeError(f'{text!r} is not a JSON object. Write it like {{"strategy": "none"}}')


def number_between(kind: type[int] | type[float], low: int, high: int) -> Callable[[str], float]:
    """Return the type of an argument that is a number in a range."""

    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")

    return number


def connection(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the address and the key that were given, as arguments of an adapter."""
    given = {"es_url": arguments.url, "es_api_key": arguments.api_key}
    return {name: value for name, value in given.items() if value is not None}


def quota(text: str) -> tuple[float, float]:
    """Parse a number, with k or M, in so many seconds: 600/60 or 6M/60."""
    found = re.fullmatch(r"(\d+)([kM]?)/(\d+(?:\.\d+)?)", text)
    if found is None or not int(found[1]) or not float(found[3]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a quota as 600/60 or 6M/60: a number, with k or M, in so many seconds")
    return int(found[1]) * {"": 1.0, "k": 1e3, "M": 1e6}[found[2]], float(found[3])
