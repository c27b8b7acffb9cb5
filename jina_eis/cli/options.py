"""What the parsers of all commands share: options, types of values, and the form of a command."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]

__all__ = [
    "API_KEY_HELP",
    "Parser",
    "add_address",
    "add_command",
    "add_common_options",
    "add_verbosity",
    "connection",
    "number_between",
    "parse_json_object",
    "quota",
]

URL_HELP = "address of the deployment (default: ES_URL or ES_CLOUD_ID)"
API_KEY_HELP = "its API key; other users may see it in the process list: prefer ES_API_KEY"


class Parser(argparse.ArgumentParser):
    """A parser whose errors name the nearest option or command, and the usage of the command that was wrong."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments. One that is unknown to a command is an error of that command."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, n=1)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{f'. Did you mean {near[0]}?' if near else ''}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit."""
        if wrong := re.search(r"invalid choice: '([^']*)'", message):
            choices = [choice for action in self._actions for choice in map(str, action.choices or ())]
            if near := get_close_matches(wrong[1], choices, n=1):
                message = f"{wrong[0]}. Did you mean {near[0]}?"
        super().error(message)


def add_common_options(parser: argparse.ArgumentParser, **default: Any) -> None:
    """Add the options of the commands for a deployment."""
    parser.add_argument("--json", action="store_true", help="print JSON", **default)
    add_address(parser, **default)


def add_address(parser: argparse.ArgumentParser, *, url_help: str = URL_HELP, **default: Any) -> None:
    """Add the options for the address of a deployment, its key and the connection."""
    parser.add_argument("--url", help=url_help, **default)
    parser.add_argument("--api-key", metavar="KEY", help=API_KEY_HELP, **default)
    group = parser.add_argument_group("connection")
    group.add_argument("--ca-certs", metavar="PATH", help="certificates of authorities to trust, in PEM", **default)
    group.add_argument("--ssl-assert-fingerprint", metavar="SHA256", help="fingerprint of its certificate", **default)
    group.add_argument("--no-verify-certs", action="store_true", help="do not verify its certificate; for tests only", **default)
    group.add_argument("--proxy", metavar="URL", help="HTTP proxy, such as http://proxy.example.com:3128", **default)
    group.add_argument("--header", action="append", type=_header, metavar="NAME:VALUE", help="a header; repeatable", **default)
    group.add_argument("--http-compress", action="store_true", help="compress requests", **default)


def add_command(commands: Commands, name: str, purpose: str, example: str, **options: Any) -> argparse.ArgumentParser:
    """Add a command, with its purpose and an example in the help."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    add_verbosity(command, default=argparse.SUPPRESS)  # keeps the value of an option before the command
    return command


def add_verbosity(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add the option -v."""
    parser.add_argument(
        "-v", "--verbose", action="count", default=default, help="print choices and short pauses; -vv: also each request"
    )


def parse_json_object(text: str) -> Any:
    """Parse an argument that is a JSON object."""
    with suppress(ValueError):
        if isinstance(value := json.loads(text), dict):
            return value
    raise argparse.ArgumentTypeError(f'{text!r} is not a JSON object. Write it like {{"strategy": "none"}}')


def number_between(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """Return the type of an argument that is a number in a range."""

    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")

    return number


def connection(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the connection that were given, as arguments of an adapter."""
    given = {
        "es_url": arguments.url,
        "es_api_key": arguments.api_key,
        "ca_certs": arguments.ca_certs,
        "ssl_assert_fingerprint": arguments.ssl_assert_fingerprint,
        "verify_certs": False if arguments.no_verify_certs else None,
        "proxy": arguments.proxy,
        "headers": dict(arguments.header) if arguments.header else None,
        "http_compress": arguments.http_compress or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def quota(text: str) -> tuple[float, float]:
    """Parse a number, with k or M, in so many seconds: 600/60 or 6M/60."""
    found = re.fullmatch(r"(\d+)([kM]?)/(\d+(?:\.\d+)?)", text)
    if found is None or not int(found[1]) or not float(found[3]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a quota as 600/60 or 6M/60: a number, with k or M, in so many seconds")
    return int(found[1]) * {"": 1.0, "k": 1e3, "M": 1e6}[found[2]], float(found[3])


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{name!r} is not a header. Write it like X-Team:search")
    return name.strip(), value.strip()
