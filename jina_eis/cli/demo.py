"""`jina-eis demo`: embed real text, search it, rerank the results, and print how reranking changed the order.

Without a deployment it runs on the embedded EIS and prints a notice: the output then shows the mechanics, not the quality of
Jina's models. It supports two frameworks and imports only the chosen one, so the other need not be installed.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pydoc_data.topics import topics
from types import MappingProxyType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..adapters import Endpoints
from ..errors import IndexNotFoundError, InputError

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

EMBEDDER = ".jina-embeddings-v5-text-small"
CANDIDATES = 8  # results to rerank per question
PRINTED_HITS = 5  # per question
SCORES = {"embed": "Cosine", "retriever": "Fused"}  # names of the score of the first search, by mode
STEPS = {"embed": "Embedding", "retriever": "Indexing "}
PASSAGE = 500  # characters, about 100 tokens
PASSAGES_PER_TOPIC = 2
TEXT_FILES = {".md", ".markdown", ".rst", ".txt"}

_UNDERLINE = re.compile(r"^\W{4,}$", re.MULTILINE)
_LOCAL_KEY = "demo"  # overrides a key in the environment, which must not be sent to the embedded EIS


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: its rank before reranking, from 1, and its two scores."""

    source: str
    text: str
    rank: int
    score: float
    relevance: float


Search = Callable[[str], list[Hit]]
"""Returns the passages nearest to a question, in the order of the reranker."""


def run(
    docs: Sequence[Path],
    questions: Sequence[str],
    url: str | None,
    api_key: str | None,
    framework: str = "langchain",
    mode: str = "embed",
    options: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Embed, search, rerank and print the results.

    Args:
        docs: Text files, or folders with text files. If empty, the Python language reference.
        questions: The questions. If empty, `DEMO_QUESTIONS`; with docs, questions typed on the terminal.
        url: Address of a deployment. None: the address in the environment or, without one, the embedded EIS.
        api_key: The API key of the deployment. None: the key in the environment.
        framework: The framework whose adapters are used, one of `FRAMEWORKS`.
        mode: "embed" for vectors in the framework's own store; "retriever" for an Elasticsearch index, which is deleted at
            the end, and a retriever that searches and reranks in one request.
        options: Further settings of the connection to a deployment, such as `ca_certs`.

    Raises:
        ImportError: the framework is not installed.
        JinaEISError: the docs contain no text, there is no question, or the service returned an error.
        OSError: the docs cannot be read.
    """
    if docs and not questions and not sys.stdin.isatty():
        raise InputError('There is no question. Add --ask "your question"; the option is repeatable.')
    console = Console(markup=False, emoji=False, highlight=False)
    passages = read_docs(docs) if docs else python_reference(DEMO_TOPICS)
    module, embed_passages, index_passages = FRAMEWORKS[framework]
    import_module(module)  # first, because it takes seconds or fails
    with ExitStack() as stack:
        embedded = not (url or os.environ.get("ES_URL") or os.environ.get("ES_CLOUD_ID"))
        if embedded:
            from ..local import LocalEIS

            eis = stack.enter_context(LocalEIS(api_key=_LOCAL_KEY))
            url, api_key = eis.url, _LOCAL_KEY
            console.print(f"No deployment is set, so a stand-in answers: {eis.model_label}.", style="bold yellow")
            console.print("Its vectors and scores are not Jina's.\n", style="bold yellow")
        console.print(f"Text       {len(passages)} passages of {'your documents' if docs else 'the Python language reference'}")
        start = time.perf_counter()
        service = {"es_url": url, "es_api_key": api_key, "max_retries": 3, **({} if embedded else options)}
        prepare = embed_passages if mode == "embed" else index_passages
        search = stack.enter_context(prepare(passages, **service))
        console.print(f"{STEPS[mode]}  {EMBEDDER}, {time.perf_counter() - start:.1f} s")
        reranker = _default_reranker(**service)
        console.print(f"Reranking  {reranker}, the best {CANDIDATES}; ranks are shown before → after\n")
        for question in questions or (_read_questions(console) if docs else (question for question, _ in DEMO_QUESTIONS)):
            console.print(_table(question, search(question)[:PRINTED_HITS], SCORES[mode]))
    _print_next_steps(console, embedded)


@contextmanager
def _langchain(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """Embed passages, a map of text to source, into LangChain's in-memory store. `service` is passed to the adapters."""
    from langchain_core.vectorstores import InMemoryVectorStore

    from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank

    with (
        JinaEISEmbeddings(inference_id=EMBEDDER, show_progress_bar=True, **service) as embeddings,
        JinaEISRerank(top_n=None, **service) as reranker,
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
    """As `_langchain`, with LlamaIndex's in-memory index."""
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode

    from llama_index_jina_eis import JinaEISEmbedding, JinaEISRerank

    with (
        JinaEISEmbedding(inference_id=EMBEDDER, **service) as embedding,
        JinaEISRerank(top_n=None, **service) as reranker,
    ):
        index = VectorStoreIndex(
            [
                TextNode(text=text, metadata={"source": source}, excluded_embed_metadata_keys=["source"])
                for text, source in passages.items()
            ],
            embed_model=embedding,
            transformations=[embedding],  # LlamaIndex's default is a splitter whose tokenizer may need a download
            insert_batch_size=len(passages),  # each batch prints its own progress bar
            show_progress=True,
        )
        retriever = index.as_retriever(similarity_top_k=CANDIDATES)

        def search(question: str) -> list[Hit]:
            found = retriever.retrieve(question)
            before = {node.node_id: (rank, node.get_score()) for rank, node in enumerate(found, 1)}
            return [
                Hit(node.metadata["source"], node.text, *before[node.node_id], node.get_score())
                for node in reranker.postprocess_nodes(found, query_str=question)
            ]

        yield search


@contextmanager
def _langchain_retriever(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """Index the passages in Elasticsearch, and run each hybrid search twice: without and with the reranker."""
    from langchain_jina_eis import JinaEISRetriever

    settings = {**_index_settings(), **service, "include_scores": True}
    with (
        JinaEISRetriever(**settings) as plain,
        JinaEISRetriever(**settings, rerank_inference_id=_default_reranker(**service), rank_window_size=CANDIDATES) as reranked,
        _delete_index_at_exit(plain),
    ):
        plain.add_texts(list(passages), [{"source": source} for source in passages.values()])

        def search(question: str) -> list[Hit]:
            before = {document.id: (rank, document.metadata["_score"]) for rank, document in enumerate(plain.invoke(question), 1)}
            return [
                Hit(
                    document.metadata["source"],
                    document.page_content,
                    *before[document.id],
                    document.metadata["relevance_score"],
                )
                for document in reranked.invoke(question)
            ]

        yield search


@contextmanager
def _llama_index_retriever(passages: Mapping[str, str], **service: Any) -> Iterator[Search]:
    """As `_langchain_retriever`, with LlamaIndex."""
    from llama_index.core.schema import TextNode

    from llama_index_jina_eis import JinaEISRetriever

    settings = {**_index_settings(), **service}
    plain = JinaEISRetriever(**settings)
    reranked = JinaEISRetriever(**settings, rerank_inference_id=_default_reranker(**service), rank_window_size=CANDIDATES)
    with plain.settings, reranked.settings, _delete_index_at_exit(plain):
        plain.add_nodes(
            TextNode(text=text, metadata={"source": source}, excluded_embed_metadata_keys=["source"])
            for text, source in passages.items()
        )

        def search(question: str) -> list[Hit]:
            before = {node.node_id: (rank, node.get_score()) for rank, node in enumerate(plain.retrieve(question), 1)}
            return [
                Hit(node.metadata["source"], node.text, *before[node.node_id], node.get_score())
                for node in reranked.retrieve(question)
            ]

        yield search


def _default_reranker(**service: Any) -> str:
    """The reranker of the demo: the default of the deployment."""
    with Endpoints(**service) as endpoints:
        return endpoints.default_reranker()


def _index_settings() -> dict[str, Any]:
    """The settings of a retriever with a new index."""
    name = f"jina-eis-demo-{uuid.uuid4().hex[:8]}"
    return {"index_name": name, "search_type": "hybrid", "inference_id": EMBEDDER, "k": CANDIDATES}


@contextmanager
def _delete_index_at_exit(retriever: Any) -> Iterator[None]:
    """Delete the index at exit, if it exists."""
    try:
        yield
    finally:
        with suppress(IndexNotFoundError):
            retriever.delete_index()


PreparePassages = Callable[..., AbstractContextManager[Search]]
FRAMEWORKS: dict[str, tuple[str, PreparePassages, PreparePassages]] = {
    "langchain": ("langchain_core.vectorstores", _langchain, _langchain_retriever),
    "llama-index": ("llama_index.core", _llama_index, _llama_index_retriever),
}
"""By the name of the extra: a module of the framework, the function that embeds passages into its store, and the function
that indexes them in Elasticsearch."""


def python_reference(only: Collection[str] = topics) -> dict[str, str]:
    """A map of text to topic: the first passages of these topics of the Python language reference. Default: of every topic."""
    passages: dict[str, str] = {}
    for topic, text in topics.items():
        if topic not in only:
            continue
        title, _, body = text.strip().partition("\n")
        prose = "\n\n".join(paragraph for paragraph in _paragraphs(_UNDERLINE.sub("", body)) if "::=" not in paragraph)
        for passage in split(prose)[:PASSAGES_PER_TOPIC]:
            passages.setdefault(f"{title}\n{passage}", topic)
    return passages


def read_docs(paths: Iterable[Path]) -> dict[str, str]:
    """A map of text to file name: the passages of text files, and of the text files in folders."""
    passages: dict[str, str] = {}
    for name, path in _find_files(paths):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{path} is not UTF-8 text. Convert it, or leave it out.") from None
        for passage in split(text):
            passages.setdefault(passage, name)
    if not passages:
        raise InputError(f"There is no text in --docs. Pass files, or folders with {', '.join(sorted(TEXT_FILES))} files.")
    return passages


def split(text: str, size: int = PASSAGE) -> list[str]:
    """Split a text into passages of about `size` characters, between paragraphs. Longer paragraphs are split between words."""
    passages = [""]
    for paragraph in _paragraphs(text):
        for piece in textwrap.wrap(" ".join(paragraph.split()), size):
            if len(passages[-1]) + len(piece) > size and len(passages[-1]) > size // 4:  # a heading stays with its text
                passages.append("")
            passages[-1] = f"{passages[-1]}\n{piece}".lstrip()
    return [passage for passage in passages if passage]


def _paragraphs(text: str) -> list[str]:
    return re.split(r"\n\s*\n", text)


def _find_files(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the display name and path of each file. Hidden files and folders inside a folder are skipped."""
    for path in paths:
        if not path.is_dir():
            yield path.name, path
            continue
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(path)
            if file.suffix.lower() in TEXT_FILES and file.is_file() and not any(part.startswith(".") for part in relative.parts):
                yield str(relative), file


def _read_questions(console: Console) -> Iterator[str]:
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
    """The beginning of the passage, without its heading, short enough for two lines of the table."""
    heading, _, body = passage.partition("\n")
    return textwrap.shorten(body if body and len(heading) < 60 else passage, 70, placeholder=" …")


def _print_next_steps(console: Console, embedded: bool) -> None:
    console.print('Your own text:       jina-eis demo --docs notes/ --ask "What did we decide?"')
    if embedded:
        console.print("Jina's real models:  export ES_URL=https://…  ES_API_KEY=…  and run it again")
