"""Texts that are longer than their model reads, in every adapter: one warning a call, an error, or nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import pytest
from helpers import Caller, posts
from llama_index.core.schema import TextNode

import langchain_jina_eis as lc
import llama_index_jina_eis as li
from jina_eis.batch import EmbedBatch
from jina_eis.errors import DocumentsFailedError, InputError
from jina_eis.local import LocalEIS

V3 = ".jina-embeddings-v3"  # reads 8,192 tokens
LONG = "word " * 60_000
TEXTS = ["short", LONG + "salt", "short", LONG + "owls", *["short"] * 20, LONG + "rye"]
LIMIT = "than the 8,192 tokens that jina-embeddings-v3 reads; it ignores the rest."


def about_long_texts(use: Callable[[], Any]) -> list[str]:
    """The warnings about long texts while a function runs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    return [str(warning.message) for warning in caught if "longer than" in str(warning.message)]


Use = Callable[[Caller, Any], Any]
LISTS: list[tuple[Any, Use]] = [
    (lc.JinaEISEmbeddings, lambda call, model: call(model, "embed_documents", TEXTS)),
    (lc.JinaEISEmbeddings, lambda call, model: call(model, "embed_contents", TEXTS)),
    (li.JinaEISEmbedding, lambda call, model: call(model, "get_text_embedding_batch", TEXTS)),
    (li.JinaEISEmbedding, lambda call, model: call(model, "__call__", [TextNode(text=text) for text in TEXTS])),
]


@pytest.mark.parametrize(("kind", "use"), LISTS, ids=["documents", "contents", "batch", "nodes"])
def test_a_list_is_reported_once(call: Caller, connect: Callable[..., Any], eis: LocalEIS, kind: Any, use: Use) -> None:
    model = connect(kind, model=V3)
    for _ in range(2):  # once a call, not once an object
        (notice,) = about_long_texts(lambda: use(call, model))
        assert notice.startswith(f"Input 1 and 2 more are longer {LIMIT} The first has about ")
        assert notice.endswith(" characters.")
    assert about_long_texts(lambda: use(call, connect(kind, model=V3, too_long="ignore"))) == []
    eis.clear()
    with pytest.raises(InputError, match="Input 1 and 2 more are longer"):
        use(call, connect(kind, model=V3, too_long="error"))
    assert posts(eis) == []


def test_a_stream_is_reported_once(call: Caller, connect: Callable[..., Any]) -> None:
    model = connect(lc.JinaEISEmbeddings, model=V3, batch_size=2)
    (notice,) = about_long_texts(lambda: call(model, "stream_documents", (text for text in TEXTS)))
    assert notice.startswith(f"Input 1 is longer {LIMIT} It has about ")
    model = connect(lc.JinaEISEmbeddings, model=V3, batch_size=2, too_long="error")
    with pytest.raises(InputError, match="Input 24 is longer"):
        call(model, "stream_documents", (text for text in [*["short"] * 24, LONG]))


def test_a_corpus_is_reported_once_and_not_once_for_each_batch(eis: LocalEIS) -> None:
    embed = EmbedBatch(model=V3, es_url=eis.url)
    (notice,) = about_long_texts(lambda: list(embed(iter([{"text": TEXTS}] * 3))))
    assert notice.startswith("Input 1 and 2 more are longer")


def test_a_query_is_reported(call: Caller, connect: Callable[..., Any]) -> None:
    for kind, method in ((lc.JinaEISEmbeddings, "embed_query"), (li.JinaEISEmbedding, "_get_query_embedding")):
        (notice,) = about_long_texts(lambda kind=kind, method=method: call(connect(kind, model=V3), method, LONG))  # type: ignore[misc]
        assert notice.startswith(f"The query is longer {LIMIT}")


def test_rerankers_report_once_a_call(call: Caller, connect: Callable[..., Any]) -> None:
    reranker = connect(lc.JinaEISRerank, model=".jina-reranker-v3")
    for _ in range(2):
        (notice,) = about_long_texts(lambda: call(reranker, "rerank", ["owls", LONG], "salt"))
        assert notice.startswith("Document 1 of 2 is longer than the 2,048 tokens that jina-reranker-v3 reads")
    (notice,) = about_long_texts(lambda: call(reranker, "rerank", ["owls"], LONG))
    assert notice.startswith("The query is longer than the 512 tokens")
    with pytest.raises(InputError, match="Document 1 of 2"):
        call(connect(lc.JinaEISRerank, too_long="error"), "rerank", ["owls", LONG], "salt")


def test_ingest_into_a_dense_vector_field_is_reported_once(call: Caller, connect: Callable[..., Any], index_name: str) -> None:
    settings = {"index_name": index_name, "search_type": "knn", "inference_id": V3}
    retriever = connect(lc.JinaEISRetriever, **settings)
    (notice,) = about_long_texts(lambda: call(retriever, "add_texts", TEXTS, ids=[str(n) for n in range(len(TEXTS))]))
    assert notice.startswith(f"Document '1' and 2 more are longer {LIMIT}")
    strict = connect(lc.JinaEISRetriever, **settings, too_long="error")
    with pytest.raises(DocumentsFailedError, match="Document 'b' is longer") as caught:
        call(strict, "add_texts", ["short", LONG], ids=["a", "b"])
    error = cast(DocumentsFailedError, caught.value)
    assert (list(error.failed), list(error.indexed)) == (["b"], ["a"])


def test_semantic_text_divides_texts_and_needs_no_warning(call: Caller, connect: Callable[..., Any], index_name: str) -> None:
    retriever = connect(lc.JinaEISRetriever, index_name=index_name, inference_id=V3)
    assert about_long_texts(lambda: call(retriever, "add_texts", ["word " * 9_000])) == []
