"""`jina-eis search`, `rerank` and `models`: to try a deployment by hand."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models import MODELS, EmbeddingModel, Model
from .options import add_command, add_common_options, connection, number_between
from .output import paint, print_table, width_of, wrap

if TYPE_CHECKING:
    from .options import Commands

__all__ = ["add_models", "add_rerank", "add_search", "models", "rerank", "search"]

SNIPPET = 300  # characters of a text that a terminal shows
LINES_OF_INPUT = "-"


def add_search(commands: Commands) -> None:
    """Add the command `search`."""
    parser = add_command(
        commands,
        "search",
        "search an index, and print the best documents",
        'jina-eis search facts "How do glaciers move?"\n'
        '  jina-eis search facts "How do glaciers move?" --search-type hybrid --rerank .jina-reranker-v3 -k 3',
    )
    parser.add_argument("index", metavar="INDEX", help="the index, an alias or a pattern")
    parser.add_argument("question", metavar="QUESTION", help="the question; - reads it from standard input")
    parser.add_argument(
        "-k", type=number_between(int, 1, 10_000), default=5, metavar="N", help="documents (default: %(default)s)"
    )
    parser.add_argument(
        "--search-type",
        choices=("semantic", "knn", "hybrid"),
        default="semantic",
        help="semantic: a semantic_text or semantic field; knn: a dense_vector field; hybrid: one of them and words (default: "
        "%(default)s)",
    )
    parser.add_argument("--field", metavar="NAME", help="the field with the vectors (default: the only one)")
    parser.add_argument("--model", metavar="ID", help="endpoint or model for the question (default: that of the index)")
    parser.add_argument("--rerank", metavar="ID", help="rerank with this endpoint, in the same request")
    add_common_options(parser)


def add_rerank(commands: Commands) -> None:
    """Add the command `rerank`."""
    parser = add_command(
        commands,
        "rerank",
        "rank files by their relevance to a query",
        'jina-eis rerank "How do glaciers move?" glaciers.md bread.txt\n'
        '  grep -h ice notes/* | jina-eis rerank "How do glaciers move?" -',
    )
    parser.add_argument("query", metavar="QUERY", help="what the documents should be relevant to")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a document; - reads one from each line of standard input")
    parser.add_argument("--model", metavar="ID", help="endpoint or model (default: the newest that the deployment has)")
    parser.add_argument("--top-n", type=number_between(int, 1, 10**6), metavar="N", help="print the best N (default: all)")
    add_common_options(parser)


def add_models(commands: Commands) -> None:
    """Add the command `models`."""
    parser = add_command(
        commands, "models", "list the Jina models that jina-eis knows", "jina-eis models\n  jina-eis models --json"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def search(arguments: argparse.Namespace) -> int:
    """Run the command `search`."""
    given = {"field": arguments.field, "inference_id": arguments.model, "rerank_inference_id": arguments.rerank}
    given = {name: value for name, value in given.items() if value is not None}
    question = sys.stdin.read() if arguments.question == LINES_OF_INPUT else arguments.question
    settings = {"index_name": arguments.index, "search_type": arguments.search_type, "k": int(arguments.k), **given}
    with _searching()(**settings, **connection(arguments)) as retriever:
        results = retriever.find(question)
    if arguments.json:
        print(json.dumps(results, indent=2))
        return 0
    if not results:
        print("No document matches.", file=sys.stderr)
    for rank, result in enumerate(results, 1):
        _print_hit(rank, result["score"], result["id"], result["text"])
    return 0


def rerank(arguments: argparse.Namespace) -> int:
    """Run the command `rerank`."""
    from ..batch import RerankService

    documents = [document for file in arguments.files for document in _documents(file)]
    given = {"inference_id": arguments.model} if arguments.model else {}
    with RerankService(top_n=None, **given, **connection(arguments)) as service:
        order = service.order(arguments.query, [text for _, text in documents])
    best = order[: int(arguments.top_n)] if arguments.top_n else order
    if arguments.json:
        ranked = [{"document": documents[index][0], "index": index, "relevance_score": score} for index, score in best]
        print(json.dumps(ranked, indent=2))
        return 0
    for rank, (index, score) in enumerate(best, 1):
        _print_hit(rank, score, *documents[index])
    return 0


def models(arguments: argparse.Namespace) -> int:
    """Run the command `models`."""
    if arguments.json:
        print(json.dumps([_facts(model) for model in MODELS], indent=2))
        return 0
    rows = [
        (model.endpoint, model.task, _sizes(model), f"{model.context:,}", " ".join(model.modalities), model.since)
        for model in MODELS
    ]
    print_table(("ENDPOINT", "TASK", "DIMENSIONS", "CONTEXT", "INPUTS", "SINCE"), rows)
    return 0


def _searching() -> type[Any]:
    from ..adapters import RetrieverSettings, metadata_of

    class Searching(RetrieverSettings):
        """A retriever of no framework."""

        def find(self, question: str) -> list[dict[str, Any]]:
            results = self._run(self._find(self._query(question), None, None))
            scores = (result.hit.score if result.relevance_score is None else result.relevance_score for result in results)
            return [
                {"score": score, "id": result.hit.id, "text": result.text, "metadata": metadata_of(result)}
                for score, result in zip(scores, results, strict=True)
            ]

        def _adapt(self, value: Any) -> None:
            """No framework, so no object of one."""

    return Searching


def _documents(file: str) -> list[tuple[str, str]]:
    """Return the name and the text of a file, or of each line of standard input."""
    if file == LINES_OF_INPUT:
        lines = [line.rstrip("\n") for line in sys.stdin]
        return [(f"line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    try:
        return [(file, Path(file).read_text(encoding="utf-8-sig"))]
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8 text. Convert it, or leave it out.") from None


def _print_hit(rank: int, score: float | None, name: str, text: str) -> None:
    """Print a document: its rank, score and name, and its text; on a terminal only the start of the text."""
    number, width = "-" if score is None else f"{score:.4f}", width_of()
    if width is None:
        print(rank, number, name, " ".join(text.split()), sep="\t")
        return
    print(f"{rank:>2}  {number:>8}  {paint(name, 'bold')}")
    short = " ".join(text.split())
    print(wrap(short if len(short) <= SNIPPET else f"{short[:SNIPPET].rpartition(' ')[0]} …", width, "    "))


def _sizes(model: Model) -> str:
    return str(model.dimensions) if isinstance(model, EmbeddingModel) else ""


def _facts(model: Model) -> dict[str, Any]:
    embedding: dict[str, Any] = {}
    if isinstance(model, EmbeddingModel):
        embedding = {"dimensions": model.dimensions, "matryoshka": model.matryoshka, "space": model.space}
    common: Sequence[str] = ("endpoint", "name", "task", "context", "modalities", "since")
    return {**{name: getattr(model, name) for name in common}, **embedding}
