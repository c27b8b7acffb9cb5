"""`jina-eis doctor` and `jina-eis endpoints`: check a deployment, and change its inference endpoints."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..models import SIMILARITIES, TASKS
from .options import add_command, add_common_options, connection, parse_json_object
from .output import paint, print_table, width_of
from .words import in_options

if TYPE_CHECKING:
    from ..adapters import EndpointInfo, Endpoints
    from .options import Commands

__all__ = ["add_doctor", "add_endpoints", "doctor", "endpoints"]


def add_doctor(commands: Commands) -> None:
    """Add the command `doctor`."""
    parser = add_command(
        commands,
        "doctor",
        "check everything that a deployment needs to embed and rerank",
        "jina-eis doctor\n  jina-eis doctor --url https://my-deployment.es.example.com:443 --json",
    )
    add_common_options(parser)


def add_endpoints(commands: Commands) -> None:
    """Add the command `endpoints`."""
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


def doctor(arguments: argparse.Namespace) -> int:
    """Run the command `doctor`."""
    from ..adapters import doctor as check_up

    report = check_up(**connection(arguments))
    checks = (replace(check, found=in_options(check.found), remedy=in_options(check.remedy)) for check in report.checks)
    report = replace(report, checks=tuple(checks))
    print(json.dumps(report.to_dict(), indent=2) if arguments.json else report.format(width_of(), paint))
    return 0 if report.ok else 1


def endpoints(arguments: argparse.Namespace) -> int:
    """Run the command `endpoints`."""
    from ..adapters import Endpoints

    with Endpoints(**connection(arguments)) as existing:
        listed = ACTIONS[arguments.action](existing, arguments)
    if arguments.json:
        print(json.dumps([asdict(endpoint) for endpoint in listed], indent=2))
    elif listed:
        print_table(("ENDPOINT", "TASK", "MODEL", "DIMENSIONS", "STATUS", "REGIONS"), [_row(endpoint) for endpoint in listed])
    return 0


def _row(info: EndpointInfo) -> tuple[str, ...]:
    regions = "denied by the region policy" if info.denied else ", ".join(info.regions)
    return info.inference_id, info.task, info.model_id or "", str(info.dimensions or ""), info.status or "", regions


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


def _add_all_option(parser: argparse.ArgumentParser, **default: Any) -> None:
    parser.add_argument("--all", action="store_true", help="include the endpoints of other models", **default)
