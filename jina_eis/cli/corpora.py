"""`jina-eis embed` and `jina-eis index`: whole files, with progress on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import JinaEISError
from .options import add_address, add_command, connection, number_between

if TYPE_CHECKING:
    from ..batch import EmbeddingService, Progress, Source, Summary
    from .options import Commands

__all__ = ["add_embed", "add_index", "embed", "index"]

ROLES = ("ingest", "search", "classification", "clustering")
MOST = 10**12
LINE_EVERY = 20  # reports, of one a second, where standard error is not a terminal


def add_embed(commands: Commands) -> None:
    """Add the command `embed`."""
    parser = add_command(
        commands,
        "embed",
        "embed files into Parquet parts, or one text",
        "jina-eis embed articles.jsonl --out vectors\n  jina-eis embed *.csv --out vectors --column body --id-column id\n"
        '  jina-eis embed --text "How do glaciers move?" --input-type search',
    )
    _add_input(parser, "*")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the folder of the parts; a job that was killed resumes there")
    parser.add_argument("--text", help="embed this text and print its vector as JSON, in place of files")
    parser.add_argument("--model", metavar="ID", help="endpoint or model (default: .jina-embeddings-v5-text-small)")
    parser.add_argument("--input-type", choices=ROLES, default="ingest", help="role of the texts (default: %(default)s)")
    parser.add_argument("--dimensions", type=_whole(), metavar="N", help="length of the vectors (default: the model's own)")
    parser.add_argument("--part-rows", type=_whole(), metavar="N", help="rows of a part (default: 4096)")
    parser.add_argument("--dry-run", action="store_true", help="print the size of the job, and the time at --rpm and --tpm")
    parser.add_argument("--rpm", type=_whole(), metavar="N", help="maximum requests a minute (default: what the service grants)")
    parser.add_argument("--tpm", type=_whole(), metavar="N", help="maximum tokens a minute (default: what the service grants)")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="what runs the job (default: %(default)s)")
    parser.add_argument("--address", help="with --engine ray: the address of an existing cluster")
    add_address(parser)
    parser.set_defaults(usage_error=parser.error)


def add_index(commands: Commands) -> None:
    """Add the command `index`."""
    parser = add_command(
        commands,
        "index",
        "write files into an Elasticsearch index, with ids made of the content",
        "jina-eis index articles.jsonl articles\n  jina-eis index *.csv facts --column body --field-type dense_vector",
    )
    _add_input(parser, "+")
    parser.add_argument("index", metavar="INDEX", help="the index; it is created if it is missing")
    parser.add_argument("--model", metavar="ID", help="the endpoint (default: that of the index)")
    parser.add_argument("--dimensions", type=_whole(), metavar="N", help="length of the vectors of a dense_vector field")
    parser.add_argument(
        "--field-type",
        choices=("semantic_text", "semantic", "dense_vector"),
        help="type of the field in a new index (default: semantic_text)",
    )
    add_address(parser)


def embed(arguments: argparse.Namespace) -> int:
    """Run the command `embed`."""
    if bool(arguments.inputs) == (arguments.text is not None):
        arguments.usage_error("pass either input files or --text")
    if arguments.inputs and not (arguments.out or arguments.dry_run):
        arguments.usage_error("files need --out FOLDER, or --dry-run")
    if arguments.text is not None and (arguments.out or arguments.dry_run):
        arguments.usage_error("--text prints a vector: leave --out and --dry-run out")
    if arguments.address and arguments.engine != "ray":
        arguments.usage_error("--address needs --engine ray")
    if arguments.text is not None:
        print(json.dumps(_embed_text(arguments)))
    elif arguments.dry_run:
        from ..batch import estimate

        print(estimate(_source(arguments).scan(count_tokens=True), arguments.rpm, arguments.tpm))
    else:
        _print_summary(_embed_files(arguments), f"{arguments.out}")
    return 0


def index(arguments: argparse.Namespace) -> int:
    """Run the command `index`."""
    from ..batch import IndexJob, IndexSettings

    given = {"inference_id": arguments.model, "dimensions": arguments.dimensions, "field_type": arguments.field_type}
    given = {name: value for name, value in given.items() if value is not None}
    with IndexSettings(index_name=arguments.index, **given, **connection(arguments)) as settings, _Printer() as printer:
        summary = IndexJob(_source(arguments), settings).run(printer)
    noun = "document" if summary.rows == 1 else "documents"
    of_rows = f", of {summary.rows + summary.repeated:,} rows: rows with an equal id, or equal rows, are one document"
    print(f"{summary.rows:,} {noun} in the index {arguments.index}{of_rows if summary.repeated else ''}")
    return 0


def _embed_text(arguments: argparse.Namespace) -> list[float]:
    with _service(arguments) as service, closing(service.outcomes([arguments.text])) as outcomes:
        vector = next(outcomes)
    if isinstance(vector, JinaEISError):
        raise vector
    return vector


def _embed_files(arguments: argparse.Namespace) -> Summary:
    from ..batch import EmbedJob

    given = {"part_rows": arguments.part_rows} if arguments.part_rows else {}
    with _service(arguments) as service, _Printer() as printer:
        job = EmbedJob(
            _source(arguments),
            arguments.out,
            service,
            rpm=arguments.rpm,
            tpm=arguments.tpm,
            engine=arguments.engine,
            address=arguments.address,
            **given,
        )
        return job.run(printer)


def _service(arguments: argparse.Namespace) -> EmbeddingService:
    from ..batch import EmbeddingService

    given = {"inference_id": arguments.model, "dimensions": arguments.dimensions}
    given = {name: value for name, value in given.items() if value is not None}
    return EmbeddingService(document_input_type=arguments.input_type, **given, **connection(arguments))


def _source(arguments: argparse.Namespace) -> Source:
    from ..batch import Source

    separator = arguments.separator and arguments.separator.replace("\\t", "\t")  # a shell passes '\t' as two characters
    return Source(arguments.inputs, arguments.column, arguments.id_column, arguments.lines, arguments.limit, separator)


def _add_input(parser: argparse.ArgumentParser, number: str) -> None:
    parser.add_argument("inputs", nargs=number, type=Path, metavar="INPUT", help="a .jsonl, .csv, .parquet or text file")
    parser.add_argument("--column", default="text", metavar="NAME", help="the column with the texts (default: %(default)s)")
    parser.add_argument("--id-column", metavar="NAME", help="the column with the ids (default: ids made of the content)")
    parser.add_argument("--lines", action="store_true", help="each line of a text file is a text (default: the file is one)")
    parser.add_argument("--separator", metavar="CHAR", help="what separates the cells of .csv files (default: a comma)")
    parser.add_argument("--limit", type=_whole(), metavar="N", help="read the first N rows only")


def _whole() -> Any:
    return number_between(int, 1, MOST)


def _print_summary(summary: Summary, folder: str) -> None:
    notes = [f"{summary.rows:,} rows in {folder}"]
    if summary.resumed:
        notes.append(f"{summary.resumed:,} of them from an earlier run")
    if summary.failed:
        notes.append(f"{summary.failed:,} failed, with the reason in the column error")
    print(", ".join(notes))


class _Printer:
    """Prints progress: in one line of a terminal, which it ends; elsewhere, the first, the last and every 20th report."""

    def __init__(self) -> None:
        self._reports = 0
        self._line_is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if self._line_is_open and failure is not KeyboardInterrupt:  # which clears the line
            print(file=sys.stderr)  # an error message gets a line of its own

    def __call__(self, progress: Progress) -> None:
        ended = progress.done == progress.total
        if sys.stderr.isatty():
            print(f"\r{progress}\x1b[K", end="\n" if ended else "", file=sys.stderr, flush=True)
            self._line_is_open = not ended
        elif ended or self._reports % LINE_EVERY == 0:
            print(progress, file=sys.stderr, flush=True)
        self._reports += 1
