"""The steps that the stores of both frameworks run, over HTTP: documents by id and by filter, deletion by filter, diversity."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Caller
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

from jina_eis.adapters import StoreSettings
from jina_eis.errors import ConfigurationError
from langchain_jina_eis import JinaEISRetriever
from llama_index_jina_eis import JinaEISVectorStore


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_documents_by_id_and_by_filter(connect: Any, call: Caller, index_name: str, search_type: str) -> None:
    retriever = connect(JinaEISRetriever, index_name=index_name, search_type=search_type)
    texts = [f"Salt and number {n % 3}." for n in range(1100)]
    retriever.add_texts(texts, [{"n": n % 3} for n in range(1100)], ids=range(1100))
    store = connect(StoreSettings, index_name=index_name, search_type=search_type)
    found = call(store, "_run", store._get(["7", "missing", "0", "7"]))
    assert [result and (result.hit.id, result.text) for result in found] == [
        ("7", texts[7]),
        None,
        ("0", texts[0]),
        ("7", texts[7]),
    ]
    everything = call(store, "_run", store._matching(None, vectors=True))
    assert sorted(int(result.hit.id) for result in everything) == list(range(1100))
    assert [result.vector is not None and len(result.vector) for result in everything[:1]] == [
        1024 if search_type == "knn" else False
    ]
    assert len(call(store, "_run", store._matching({"n": [1, 2]}, 5))) == 5
    assert call(store, "_run", store._delete_matching({"n": 0}, True)) == 367
    assert len(call(store, "_run", store._matching({"n": 0}))) == 0


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_diverse_documents(connect: Any, call: Caller, index_name: str, search_type: str) -> None:
    retriever = connect(JinaEISRetriever, index_name=index_name, search_type=search_type)
    retriever.add_texts(["A glacier is ice that flows."] * 3 + ["Glaciers carve valleys.", "Bread rises."], ids=list("abcde"))
    store = connect(StoreSettings, index_name=index_name, search_type=search_type)
    results = call(
        store,
        "_run",
        store._narrowed(None).find_diverse(retriever._query("How do glaciers move?"), 3, 5, 0.5, "mmr", "fetch_k=5"),
    )
    assert len({result.text for result in results}) == 3
    assert [result.hit.score for result in results] == sorted((result.hit.score for result in results), reverse=True)


def test_what_mmr_cannot_compare_is_refused_under_the_name_of_the_query_mode(connect: Any, call: Caller, index_name: str) -> None:
    omni = ".jina-embeddings-v5-omni-small"
    store = connect(JinaEISVectorStore, index_name=index_name, field_type="semantic", inference_id=omni)
    store.add([TextNode(text="A glacier is ice that flows.")])
    with pytest.raises(ConfigurationError, match=r'^The query mode "mmr" compares .* of type semantic\. Search without it\.$'):
        call(store, "query", VectorStoreQuery(query_str="ice", mode=VectorStoreQueryMode.MMR))
