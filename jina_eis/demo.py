"""`jina-eis demo`: embed real text, search it, rerank what was found, and show what reranking changed.

Without a deployment it runs on the embedded EIS, and says so: what it then shows is the plumbing, not Jina's quality.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

from langchain_core.vectorstores import InMemoryVectorStore
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank

from .errors import InputError

__all__ = ["DEMO_QUESTIONS", "Hit", "python_reference", "read_docs", "run", "search", "split"]

DEMO_QUESTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Which values count as false in a condition?", frozenset({"truth", "booleans"})),
    ("How do I skip to the next round of a loop?", frozenset({"continue"})),
    ("How do I write a small anonymous function?", frozenset({"lambda"})),
)
"""Questions about the Python language reference, each with the topics that answer it."""

CANDIDATES = 8  # reranked for each question
SHOWN = 5
PASSAGE = 500  # characters, about 100 tokens
PASSAGES_PER_TOPIC = 2  # keeps the demo well under a minute on two slow cores
TEXT_FILES = {".md", ".markdown", ".rst", ".txt"}

_UNDERLINE = re.compile(r"^\W{4,}$", re.MULTILINE)
_LOCAL_KEY = "demo"  # so that no key of the environment is sent where it does not belong


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: its rank by cosine, from 1, and the two scores."""

    source: str
    text: str
    rank: int
    cosine: float
    relevance: float


def run(docs: Sequence[Path], questions: Sequence[str], url: str | None, api_key: str | None) -> None:
    """Embed, search, rerank and print.

    Args:
        docs: Text files, or folders of them; none for the Python language reference.
        questions: What to ask; none for `DEMO_QUESTIONS`, or to ask on the terminal if there are docs.
        url: Address of a deployment; None for that of the environment or, without one, the embedded EIS.
        api_key: Its API key; None for that of the environment.

    Raises:
        JinaEISError: for docs without text, nothing asked, and whatever the service answers.
        OSError: for docs that cannot be read.
    """
    if docs and not questions and not sys.stdin.isatty():
        raise InputError('Nothing is asked. Add --ask "your question", as often as you like.')
    console = Console(markup=False, emoji=False, highlight=False)
    passages = read_docs(docs) if docs else python_reference()
    with ExitStack() as stack:
        embedded = not (url or os.environ.get("ES_URL") or os.environ.get("ES_CLOUD_ID"))
        if embedded:
            from .local import LocalEIS

            eis = stack.enter_context(LocalEIS(api_key=_LOCAL_KEY))
            url, api_key = eis.url, _LOCAL_KEY
            console.print(f"No deployment is given, so a stand-in answers: {eis.model_label}.", style="bold yellow")
            console.print("Its vectors and scores are not Jina's.\n", style="bold yellow")
        place: dict[str, Any] = {"es_url": url, "es_api_key": api_key, "max_retries": 3}
        embeddings = stack.enter_context(JinaEISEmbeddings(**place, show_progress_bar=True))
        reranker = stack.enter_context(JinaEISRerank(**place, top_n=SHOWN))
        store = InMemoryVectorStore(embeddings)
        console.print(f"Text       {len(passages)} passages of {'your documents' if docs else 'the Python language reference'}")
        began = time.perf_counter()
        store.add_texts(list(passages), [{"source": source} for source in passages.values()])
        console.print(f"Embedding  {embeddings.inference_id}, {time.perf_counter() - began:.1f} s")
        console.print(f"Reranking  {reranker.inference_id}, the best {CANDIDATES}; ranks are shown before → after\n")
        for question in questions or (_typed(console) if docs else (question for question, _ in DEMO_QUESTIONS)):
            console.print(_table(question, search(store, reranker, question)))
    _print_next_steps(console, embedded)


def search(store: InMemoryVectorStore, reranker: JinaEISRerank, question: str) -> list[Hit]:
    """The passages nearest to the question, the most relevant first as the reranker sees it."""
    found = store.similarity_search_with_score(question, k=CANDIDATES)
    hits = []
    for ranked in reranker.rerank([document for document, _ in found], question):
        document, cosine = found[ranked["index"]]
        hits.append(
            Hit(document.metadata["source"], document.page_content, ranked["index"] + 1, cosine, ranked["relevance_score"])
        )
    return hits


def python_reference() -> dict[str, str]:
    """The first passages of every topic of the Python language reference, by text: the name of the topic."""
    passages: dict[str, str] = {}
    for topic, text in topics.items():
        title, _, body = text.strip().partition("\n")
        prose = "\n\n".join(paragraph for paragraph in _paragraphs(_UNDERLINE.sub("", body)) if "::=" not in paragraph)
        for passage in split(prose)[:PASSAGES_PER_TOPIC]:
            passages.setdefault(f"{title}\n{passage}", topic)
    return passages


def read_docs(paths: Iterable[Path]) -> dict[str, str]:
    """The passages of text files, and of the text files in folders, by text: the name of the file."""
    passages: dict[str, str] = {}
    for name, path in _files(paths):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{path} is not UTF-8 text. Convert it, or leave it out.") from None
        for passage in split(text):
            passages.setdefault(passage, name)
    if not passages:
        raise InputError(f"There is no text in --docs. It takes files, and folders with {', '.join(sorted(TEXT_FILES))} files.")
    return passages


def split(text: str, size: int = PASSAGE) -> list[str]:
    """Passages of about `size` characters, cut between paragraphs; only a longer paragraph is cut between words."""
    passages = [""]
    for paragraph in _paragraphs(text):
        for piece in textwrap.wrap(" ".join(paragraph.split()), size):
            if len(passages[-1]) + len(piece) > size and len(passages[-1]) > size // 4:  # a heading stays with its text
                passages.append("")
            passages[-1] = f"{passages[-1]}\n{piece}".lstrip()
    return [passage for passage in passages if passage]


def _paragraphs(text: str) -> list[str]:
    return re.split(r"\n\s*\n", text)


def _files(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Each file with the name to show; hidden files and folders inside a folder are left out."""
    for path in paths:
        if not path.is_dir():
            yield path.name, path
            continue
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if file.suffix.lower() in TEXT_FILES and file.is_file() and not any(part.startswith(".") for part in inside.parts):
                yield str(inside), file


def _typed(console: Console) -> Iterator[str]:
    try:
        while question := console.input("Your question (Enter to end): ").strip():
            yield question
    except EOFError:
        console.print()


def _table(question: str, hits: Sequence[Hit]) -> Table:
    table = Table(title=question, title_justify="left", title_style="bold", box=SIMPLE_HEAD, collapse_padding=True, expand=True)
    table.add_column("Rank", no_wrap=True)
    table.add_column("Cosine", justify="right", no_wrap=True)
    table.add_column("Rerank", justify="right", no_wrap=True)
    table.add_column("Source", no_wrap=True, width=14)
    table.add_column("Passage", ratio=1)
    for rank, hit in enumerate(hits, 1):
        row = (f"{hit.rank} → {rank}", f"{hit.cosine:.3f}", f"{hit.relevance:.3f}", hit.source, _snippet(hit.text))
        table.add_row(*row, style="green" if rank < hit.rank else None)
    return table


def _snippet(passage: str) -> str:
    """Two lines of the table: the beginning of the passage, below its heading if it has one."""
    heading, _, body = passage.partition("\n")
    return textwrap.shorten(body if body and len(heading) < 60 else passage, 70, placeholder=" …")


def _print_next_steps(console: Console, embedded: bool) -> None:
    console.print('Your own text:       jina-eis demo --docs notes/ --ask "What did we decide?"')
    if embedded:
        console.print("Jina's real models:  export ES_URL=https://…  ES_API_KEY=…  and run it again")
