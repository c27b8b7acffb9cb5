"""The searches of `jina-eis demo`, in each framework: passages are embedded or indexed, searched and reranked.

It imports only the chosen framework, so the other need not be installed. It prints nothing but the frameworks' progress bars.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..adapters import Endpoints
from ..errors import IndexNotFoundError

__all__ = ["CANDIDATES", "EMBEDDER", "FRAMEWORKS", "Hit", "Search", "default_reranker"]

EMBEDDER = ".jina-embeddings-v5-text-small"
CANDIDATES = 8  # results to rerank per question


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
        JinaEISRetriever(**settings, rerank_inference_id=default_reranker(**service), rank_window_size=CANDIDATES) as reranked,
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
    reranked = JinaEISRetriever(**settings, rerank_inference_id=default_reranker(**service), rank_window_size=CANDIDATES)
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


def default_reranker(**service: Any) -> str:
    """Return the reranker of the demo: the default of the deployment."""
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
