"""`jina-eis demo`: embed real text, search it, rerank what was found, and show what reranking changed.

Without a deployment it runs on the embedded EIS, and says so: what it then shows is the plumbing, not Jina's quality.
It knows two frameworks, and imports none but the one that is asked for: the other need not be installed.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..errors import IndexNotFoundError, InputError

__all__ = ["DEMO_QUESTIONS", "FRAMEWORKS", "Hit", "Search", "python_reference", "read_docs", "run", "split"]

DEMO_QUESTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Which values count as false in a condition?", frozenset({"truth", "booleans"})),
    ("How do I skip to the next round of a loop?", frozenset({"continue"})),
    ("How do I write a small anonymous function?", frozenset({"lambda"})),
)
"""Questions about the Python language reference, each with the topics that answer it."""

EMBEDDER = ".jina-embeddings-v5-text-small"
RERANKER = ".jina-reranker-v3"
CANDIDATES = 8  # reranked for each question
SHOWN = 5
SCORES = {"embed": "Cosine", "retriever": "Fused"}  # what the first search gives, by mode
STEPS = {"embed": "Embedding", "retriever": "Indexing "}
PASSAGE = 500  # characters, about 100 tokens
PASSAGES_PER_TOPIC = 2  # keeps the demo well under a minute on two slow cores
TEXT_FILES = {".md", ".markdown", ".rst", ".txt"}

_UNDERLINE = re.compile(r"^\W{4,}$", re.MULTILINE)
_LOCAL_KEY = "demo"  # so that no key of the environment is sent where it does not belong


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: its rank before it was reranked, from 1, and the two scores."""

    source: str
    text: str
    rank: int
    score: float
    relevance: float


Search = Callable[[str], list[Hit]]
"""The passages nearest to a question, the most relevant first as the reranker sees it."""


def run(
    docs: Sequence[Path],
    questions: Sequence[str],
    url: str | None,
    api_key: str | None,
    framework: str = "langchain",
    mode: str = "embed",
) -> None:
    """Embed, search, rerank and print.

    Args:
        docs: Text files, or folders of them; none for the Python language reference.
        questions: What to ask; none for `DEMO_QUESTIONS`, or to ask on the terminal if there are docs.
        url: Address of a deployment; None for that of the environment or, without one, the embedded EIS.
        api_key: Its API key; None for that of the environment.
        framework: Whose adapters are used, one of `FRAMEWORKS`.
        mode: "embed" for vectors in the framework's own store; "retriever" for an index of Elasticsearch, which is deleted
            in the end, and a retriever that searches and reranks in one request.

    Raises:
        ImportError: for a framework that is not installed.
        JinaEISError: for docs without text, nothing asked, and whatever the service answers.
        OSError: for docs that cannot be read.
    """
    if docs and not questions and not sys.stdin.isatty():
        raise InputError('Nothing is asked. Add --ask "your question", as often as you like.')
    console = Console(markup=False, emoji=False, highlight=False)
    passages = read_docs(docs) if docs else python_reference()
    module, searching, retrieving = FRAMEWORKS[framework]
    import_module(module)  # takes seconds or fails, so before anything is started, printed or timed
    with ExitStack() as stack:
        embedded = not (url or os.environ.get("ES_URL") or os.environ.get("ES_CLOUD_ID"))
        if embedded:
            from ..local import LocalEIS

            eis = stack.enter_context(LocalEIS(api_key=_LOCAL_KEY))
            url, api_key = eis.url, _LOCAL_KEY
            console.print(f"No deployment is given, so a stand-in answers: {eis.model_label}.", style="bold yellow")
            console.print("Its vectors and scores are not Jina's.\n", style="bold yellow")
        console.print(f"Text       {len(passages)} passages of {'your documents' if docs else 'the Python language reference'}")
        began = time.perf_counter()
        make = searching if mode == "embed" else retrieving
        search = stack.enter_context(make(passages, es_url=url, es_api_key=api_key, max_retries=3))
        console.print(f"{STEPS[mode]}  {EMBEDDER}, {time.perf_counter() - began:.1f} s")
        console.print(f"Reranking  {RERANKER}, the best {CANDIDATES}; ranks are shown before → after\n")
        for question in questions or (_typed(console) if docs else (question for question, _ in DEMO_QUESTIONS)):
            console.print(_table(question, search(question)[:SHOWN], SCORES[mode]))
    _print_next_steps(console, embedded)


@contextmanager
def _langchain(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """Embed the passages, which are sources by text, into LangChain's in-memory store. `service` is for the adapters."""
    from langchain_core.vectorstores import InMemoryVectorStore

    from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank

    with (
        JinaEISEmbeddings(inference_id=EMBEDDER, show_progress_bar=True, **service) as embeddings,
        JinaEISRerank(inference_id=RERANKER, top_n=None, **service) as reranker,
    ):
        store = InMemoryVectorStore(embeddings)
        store.add_texts(list(passages), [{"source": source} for source in passages.values()])

        def search(question: str) -> list[Hit]:
            found = store.similarity_search_with_score(question, k=CANDIDATES)
            hits = []
            for ranked in reranker.rerank([document for document, _ in found], question):
                (document, cosine), rank = found[ranked["index"]], ranked["index"] + 1
                hits.append(Hit(document.metadata["source"], document.page_content, rank, cosine, ranked["relevance_score"]))
            return hits

        yield search


@contextmanager
def _llama_index(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """As `_langchain`, with LlamaIndex's index over its own in-memory store."""
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode

    from llama_index_jina_eis import JinaEISEmbedding, JinaEISRerank

    with (
        JinaEISEmbedding(inference_id=EMBEDDER, **service) as embedding,
        JinaEISRerank(inference_id=RERANKER, top_n=None, **service) as reranker,
    ):
        index = VectorStoreIndex(
            [
                TextNode(text=text, metadata={"source": source}, excluded_embed_metadata_keys=["source"])
                for text, source in passages.items()
            ],
            embed_model=embedding,
            transformations=[embedding],  # LlamaIndex's default is a splitter, whose tokenizer may have to be downloaded
            insert_batch_size=len(passages),  # every batch shows a bar of its own
            show_progress=True,
        )
        retriever = index.as_retriever(similarity_top_k=CANDIDATES)

        def search(question: str) -> list[Hit]:
            found = retriever.retrieve(question)
            before = {one.node_id: (rank, one.get_score()) for rank, one in enumerate(found, 1)}
            return [
                Hit(one.metadata["source"], one.text, *before[one.node_id], one.get_score())
                for one in reranker.postprocess_nodes(found, query_str=question)
            ]

        yield search


@contextmanager
def _langchain_retriever(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """Index the passages in Elasticsearch, and search them by words and meaning: once as they are, and once reranked."""
    from langchain_jina_eis import JinaEISRetriever

    settings = {**_index(), **service}
    with (
        JinaEISRetriever(**settings) as plain,
        JinaEISRetriever(**settings, rerank_inference_id=RERANKER, rank_window_size=CANDIDATES) as reranked,
        _deleted(plain),
    ):
        plain.add_texts(list(passages), [{"source": source} for source in passages.values()])

        def search(question: str) -> list[Hit]:
            before = {each.id: (rank, each.metadata["_score"]) for rank, each in enumerate(plain.invoke(question), 1)}
            return [
                Hit(each.metadata["source"], each.page_content, *before[each.id], each.metadata["relevance_score"])
                for each in reranked.invoke(question)
            ]

        yield search


@contextmanager
def _llama_index_retriever(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """As `_langchain_retriever`, with LlamaIndex."""
    from llama_index.core.schema import TextNode

    from llama_index_jina_eis import JinaEISRetriever

    settings = {**_index(), **service}
    plain = JinaEISRetriever(**settings)
    reranked = JinaEISRetriever(**settings, rerank_inference_id=RERANKER, rank_window_size=CANDIDATES)
    with plain.settings, reranked.settings, _deleted(plain):
        plain.add_nodes(
            TextNode(text=text, metadata={"source": source}, excluded_embed_metadata_keys=["source"])
            for text, source in passages.items()
        )

        def search(question: str) -> list[Hit]:
            before = {each.node_id: (rank, each.get_score()) for rank, each in enumerate(plain.retrieve(question), 1)}
            return [
                Hit(each.metadata["source"], each.text, *before[each.node_id], each.get_score())
                for each in reranked.retrieve(question)
            ]

        yield search


def _index() -> dict[str, Any]:
    """The settings of a retriever with an index of its own."""
    name = f"jina-eis-demo-{uuid.uuid4().hex[:8]}"
    return {"index_name": name, "search_type": "hybrid", "inference_id": EMBEDDER, "k": CANDIDATES}


@contextmanager
def _deleted(retriever: Any) -> Iterator[None]:
    """Delete the index in the end, if it was made."""
    try:
        yield
    finally:
        with suppress(IndexNotFoundError):
            retriever.delete_index()


Made = Callable[..., AbstractContextManager[Search]]
FRAMEWORKS: dict[str, tuple[str, Made, Made]] = {
    "langchain": ("langchain_core.vectorstores", _langchain, _langchain_retriever),
    "llama-index": ("llama_index.core", _llama_index, _llama_index_retriever),
}
"""By the extra that installs it: a module of the framework, what embeds passages with it and searches them, and what lets
Elasticsearch do both."""


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


def _table(question: str, hits: Sequence[Hit], score: str) -> Table:
    table = Table(title=question, title_justify="left", title_style="bold", box=SIMPLE_HEAD, collapse_padding=True, expand=True)
    table.add_column("Rank", no_wrap=True)
    table.add_column(score, justify="right", no_wrap=True)
    table.add_column("Rerank", justify="right", no_wrap=True)
    table.add_column("Source", no_wrap=True, width=14)
    table.add_column("Passage", ratio=1)
    for rank, hit in enumerate(hits, 1):
        row = (f"{hit.rank} → {rank}", f"{hit.score:.3f}", f"{hit.relevance:.3f}", hit.source, _snippet(hit.text))
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
