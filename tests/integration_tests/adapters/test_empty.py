"""Empty texts: documents are embedded, queries are refused; in both frameworks, sync and async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers import Caller, posts

import langchain_jina_eis as lc
import llama_index_jina_eis as li
from jina_eis.errors import InputError
from jina_eis.local import LocalEIS

EMPTY = ["", " ", "\n\t"]


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (lc.JinaEISEmbeddings, "embed_documents"),
        (lc.JinaEISEmbeddings, "embed_contents"),
        (lc.JinaEISEmbeddings, "stream_documents"),
        (li.JinaEISEmbedding, "get_text_embedding_batch"),
        (li.JinaEISMultiModalEmbedding, "embed_contents"),
    ],
)
def test_an_empty_document_has_a_vector(call: Caller, connect: Callable[..., Any], kind: Any, method: str) -> None:
    vectors = call(connect(kind), method, ["salt", *EMPTY, "rye"])
    assert [len(vector) for vector in vectors] == [1024] * 5


@pytest.mark.parametrize("query", EMPTY)
@pytest.mark.parametrize(
    ("kind", "method", "before"),
    [
        (lc.JinaEISEmbeddings, "embed_query", []),
        (li.JinaEISEmbedding, "get_query_embedding", []),
        (lc.JinaEISRerank, "rerank", [["salt"]]),
        (lc.JinaEISRetriever, "invoke", []),
        (li.JinaEISRetriever, "retrieve", []),
        (lc.JinaEISVectorStore, "similarity_search", []),
    ],
)
def test_an_empty_query_is_refused_before_anything_is_sent(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, kind: Any, method: str, before: list[Any], query: str
) -> None:
    needs_index = kind in (lc.JinaEISRetriever, li.JinaEISRetriever, lc.JinaEISVectorStore)
    adapter = connect(kind, **({"index_name": "kb"} if needs_index else {}))
    eis.clear()
    with pytest.raises(InputError, match="The query is empty"):
        call(adapter, method, *before, query)
    assert posts(eis) == []
