"""`jina-eis demo`: embed real text, search it, rerank the results, and print how reranking changed the order.

Without a deployment it runs on the embedded EIS and prints a notice: the output then shows the mechanics, not the quality of
Jina's models. `demo_searches` knows the frameworks.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pydoc_data.topics import topics
from types import MappingProxyType
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..errors import InputError
from .demo_searches import CANDIDATES, EMBEDDER, FRAMEWORKS, Hit, Search, default_reranker
from .documents import LIMIT, paragraphs, read, read_docs, split
from .excerpts import excerpt

__all__ = ["DEMO_QUESTIONS", "FRAMEWORKS", "Hit", "Search", "python_reference", "read_docs", "run", "split"]

DEMO_QUESTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Is an empty list true or false?", frozenset({"truth", "booleans"})),
    ("How do I delete a variable?", frozenset({"del"})),
    ("How do I test whether an item is in a list?", frozenset({"in"})),
)
"""Questions about the Python language reference, with the topics that answer them."""

DEMO_TOPICS = frozenset(
    {"assert", "async", "booleans", "break", "continue", "del", "for", "function", "global", "in", "lambda", "pass", "raise"}
    | {"return", "truth", "while", "yield"}
)
"""The topics of the demo. They are few, so that it takes seconds; for each question, the reranker moves some passage up."""

PRINTED_HITS = 5  # per question
RETRIES = 3  # a person waits for the result
SCORES = {"embed": "Cosine", "retriever": "Fused"}  # names of the score of the first search, by mode
STEPS = {"embed": "Embedding", "retriever": "Indexing"}
PASSAGES_PER_TOPIC = 2
MIN_SOURCE = 15  # columns for the longest name, at least: with more, passages have more room
EXCERPT = 70  # characters, one or two lines of the table
LONG = 30.0  # seconds of embedding to warn about
STAND_IN_SPEED = 12.0  # passages a second on two cores: the first 141 of the language reference take 10 to 12 s
REQUEST = 16  # texts in a request to EIS
LONG_REQUESTS = 60  # requests to a deployment to warn about

NO_QUESTION = 'There is no question. Add --ask "your question"; the option is repeatable.'

_SVG = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # no fonts from another host
_UNDERLINE = re.compile(r"^\W{4,}$", re.MULTILINE)
_LOCAL_KEY = "demo"  # overrides a key in the environment, which must not be sent to the embedded EIS


def run(
    docs: Sequence[Path],
    questions: Sequence[str],
    url: str | None,
    api_key: str | None,
    framework: str = "langchain",
    mode: str = "embed",
    options: Mapping[str, Any] = MappingProxyType({}),
    limit: int = LIMIT,
    svg: Path | None = None,
) -> None:
    """Embed, search, rerank and print the results.

    Args:
        docs: Files, or folders with text, Markdown, HTML and PDF files. If empty, the Python language reference.
        questions: The questions. If empty, `DEMO_QUESTIONS`; with docs, questions typed on the terminal.
        url: Address of a deployment. None: the address in the environment or, without one, the embedded EIS.
        api_key: The API key of the deployment. None: the key in the environment.
        framework: The framework whose adapters are used, one of `FRAMEWORKS`.
        mode: "embed" for vectors in the framework's own store; "retriever" for an Elasticsearch index, which is deleted at
            the end, and a retriever that searches and reranks in one request.
        options: Further settings of the connection to a deployment, such as `ca_certs`.
        limit: The most passages of docs.
        svg: A file for a picture of the output.

    Raises:
        ImportError: the framework is not installed.
        JinaEISError: the docs contain no text, there is no question, or the service returned an error.
        OSError: the docs cannot be read, or the picture cannot be written.
    """
    if docs and not questions and not sys.stdin.isatty():
        raise InputError(NO_QUESTION)
    console = Console(markup=False, emoji=False, highlight=False, record=svg is not None)
    passages, origin = _passages(docs, limit)
    module, embed_passages, index_passages = FRAMEWORKS[framework]
    import_module(module)  # first, because it takes seconds or fails
    with _service(console, url, api_key, options) as (service, embedded):
        _print_fact(console, "Text", origin)
        _warn_of_long_job(console, len(passages), embedded)
        start = time.perf_counter()
        prepare = embed_passages if mode == "embed" else index_passages
        with prepare(passages, **service) as search:
            _print_fact(console, STEPS[mode], f"{EMBEDDER}, {time.perf_counter() - start:.1f} s")
            _print_fact(console, "Reranking", f"{default_reranker(**service)}, the best {CANDIDATES}")
            _print_legend(console, SCORES[mode])
            for question in questions or (_read_questions(console) if docs else (question for question, _ in DEMO_QUESTIONS)):
                _print_hits(console, question, search(question)[:PRINTED_HITS], SCORES[mode])
    _print_next_steps(console, embedded)
    if svg:
        console.save_svg(os.fspath(svg), title="jina-eis demo", code_format=_SVG)


def _passages(docs: Sequence[Path], limit: int) -> tuple[Mapping[str, str], str]:
    """Return the passages, as a map of text to source, and where they are from."""
    if docs:
        documents = read(docs, limit)
        return documents.passages, documents.summary()
    passages = python_reference(DEMO_TOPICS)
    return passages, f"{len(passages)} passages of the Python language reference"


@contextmanager
def _service(
    console: Console, url: str | None, api_key: str | None, options: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the settings of the adapters, and whether the embedded EIS answers, which runs until the end and is announced."""
    if url or os.environ.get("ES_URL") or os.environ.get("ES_CLOUD_ID"):
        yield {"es_url": url, "es_api_key": api_key, "max_retries": RETRIES, **options}, False
        return
    from ..local import LocalEIS

    with LocalEIS(api_key=_LOCAL_KEY) as eis:
        console.print(f"No deployment is set, so a stand-in answers: {eis.model_label}.", style="bold yellow")
        console.print("Its vectors and scores are not Jina's.\n", style="bold yellow")
        yield {"es_url": eis.url, "es_api_key": _LOCAL_KEY, "max_retries": RETRIES}, True


def python_reference(only: Collection[str] = topics) -> dict[str, str]:
    """A map of text to topic: the first passages of these topics of the Python language reference. Default: of every topic."""
    passages: dict[str, str] = {}
    for topic, text in topics.items():
        if topic not in only:
            continue
        title, _, body = text.strip().partition("\n")
        prose = "\n\n".join(paragraph for paragraph in paragraphs(_UNDERLINE.sub("", body)) if "::=" not in paragraph)
        for passage in split(prose)[:PASSAGES_PER_TOPIC]:
            passages.setdefault(f"{title}\n{passage}", topic)
    return passages


def _read_questions(console: Console) -> Iterator[str]:
    try:
        while question := console.input("Your question (Enter to end): ").strip():
            yield question
    except EOFError:
        console.print()


def _print_fact(console: Console, name: str, text: str) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=9)
    table.add_row(name, text)
    console.print(table)


def _warn_of_long_job(console: Console, passages: int, embedded: bool) -> None:
    seconds, requests = passages / STAND_IN_SPEED, -(-passages // REQUEST)
    if embedded and seconds > LONG:
        size = f"about {max(1, round(seconds / 60))} min on two cores"
    elif not embedded and requests > LONG_REQUESTS:
        size = f"{requests:,} requests of {REQUEST} passages"
    else:
        return
    console.print(f"This takes {size}. Ctrl-C ends it; --limit 300 reads 300 passages only.", style="bold yellow")


def _print_legend(console: Console, score: str) -> None:
    """Explain the columns, and the colour where there is one."""
    console.print(f"\nRank: before → after reranking. {score}: score of the search. Rerank: score of the reranker.")
    if console.record or (console.color_system and not console.no_color):
        console.print("Green: the reranker moved the passage up.", style="green")
    console.print()


def _print_hits(console: Console, question: str, hits: Sequence[Hit], score: str) -> None:
    """Print a question, the best passage as a whole, and the ranks and scores of the best passages."""
    console.print(question, style="bold")
    if not hits:
        console.print("  Nothing was found.\n")
        return
    console.print(Padding(Text(hits[0].text), (1, 2, 0, 2)))
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, expand=True)
    table.add_column("Rank", no_wrap=True)
    table.add_column(score, justify="right", no_wrap=True)
    table.add_column("Rerank", justify="right", no_wrap=True)
    longest = max(console.width // 5, MIN_SOURCE)
    table.add_column("Source", no_wrap=True, width=min(longest, max(len("Source"), *(len(hit.source) for hit in hits))))
    table.add_column("Passage", ratio=1)
    for rank, hit in enumerate(hits, 1):
        line = "(above)" if rank == 1 else excerpt(hit.text, question, EXCERPT)
        row = (f"{hit.rank} → {rank}", f"{hit.score:.3f}", f"{hit.relevance:.3f}", hit.source, line)
        table.add_row(*row, style="green" if rank < hit.rank else None)
    console.print(table)


def _print_next_steps(console: Console, embedded: bool) -> None:
    console.print('Your own text:       jina-eis demo --docs notes/ --ask "What did we decide?"')
    if embedded:
        console.print("Jina's real models:  export ES_URL=https://…  ES_API_KEY=…  and run it again")
