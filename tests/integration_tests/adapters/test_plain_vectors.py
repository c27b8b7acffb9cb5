"""Vectors wait in the bytes in which they arrived. What users get is a list of float, of their own for every result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import FACTS, OMNI, Caller
from langchain_core.stores import InMemoryByteStore
from llama_index.core.schema import ImageNode, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from made import pdf, png

from jina_eis.errors import JinaEISError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISVectorStore
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding

Connect = Callable[..., Any]
REPEATED = [*FACTS, FACTS[0]]


@pytest.fixture(params=["cbor", "json"])
def wire_format(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    path.write_bytes(png())
    return path


def check(vectors: Any, number: int, length: int = 1024) -> None:
    """Check that these are lists of float, of which no two are the same object."""
    assert type(vectors) is list
    assert [type(vector) for vector in vectors] == [list] * number
    assert {len(vector) for vector in vectors} == {length}
    assert {type(value) for vector in vectors for value in vector} == {float}
    assert len({id(vector) for vector in vectors}) == number


def test_langchain_returns_lists_of_float(call: Caller, connect: Connect, wire_format: str, image: Path) -> None:
    store = InMemoryByteStore()
    for options in ({}, {"embeddings_cache": store}, {"embeddings_cache": store}):  # without, into and from the cache
        embeddings = connect(JinaEISEmbeddings, wire_format=wire_format, **options)
        check(call(embeddings, "embed_documents", REPEATED), 5)
        check([call(embeddings, "embed_query", "text")], 1)
        check(call(embeddings, "stream_documents", iter(REPEATED)), 5)
        check(call(embeddings, "stream_documents", iter(REPEATED), on_error="skip"), 5)
    check(call(connect(JinaEISEmbeddings, wire_format=wire_format, dimensions=32), "embed_documents", REPEATED), 5, 32)
    omni = connect(JinaEISEmbeddings, wire_format=wire_format, inference_id=OMNI)
    check([call(omni, "embed_content", image)], 1)
    check(call(omni, "embed_contents", ["text", image, ["a", image], image, "text"]), 5)
    check(omni.embed_image([str(image), str(image)]), 2)


def test_llama_index_returns_lists_of_float(call: Caller, connect: Connect, wire_format: str, image: Path) -> None:
    cache = SimpleKVStore()
    for options in ({}, {"embeddings_cache": cache}, {"embeddings_cache": cache}):
        embedding = connect(JinaEISEmbedding, wire_format=wire_format, **options)
        check(call(embedding, "get_text_embedding_batch", REPEATED), 5)
        check([call(embedding, name, "text") for name in ("get_text_embedding", "get_query_embedding")], 2)
        check(call(embedding, "_get_text_embeddings", REPEATED), 5)
        check([call(embedding, "get_agg_embedding_from_queries", FACTS)], 1)
    omni = connect(JinaEISMultiModalEmbedding, wire_format=wire_format)
    check([call(omni, "get_image_embedding", str(image))], 1)
    check(call(omni, "get_image_embedding_batch", [str(image)] * 2), 2)
    for model, nodes in (
        (embedding, [TextNode(text=text) for text in REPEATED]),
        (omni, [TextNode(text="a"), ImageNode(image_path=str(image)), ImageNode(image_path=str(image)), TextNode(text="a")]),
    ):
        check([node.embedding for node in call(model, "__call__", nodes)], len(nodes))


@pytest.mark.parametrize("adapter", [JinaEISEmbeddings, JinaEISMultiModalEmbedding])
def test_each_place_of_a_pdf_has_its_own_pages(call: Caller, connect: Connect, wire_format: str, adapter: Any) -> None:
    embeddings, document = connect(adapter, wire_format=wire_format, inference_id=OMNI), pdf(2)
    check(call(embeddings, "embed_pages", document), 2)
    first, text, second, third = call(embeddings, "embed_contents", [document, "text", document, document])
    check([*first, text, *second, *third], 7)
    assert first == second == third
    first[0][0] = first[1] = 7.0
    assert second == third


def test_a_text_that_fails_is_an_error_among_lists(call: Caller, connect: Connect, eis: LocalEIS, wire_format: str) -> None:
    eis.faults.poison(FACTS[0], "eis_5xx")
    embeddings = connect(JinaEISEmbeddings, wire_format=wire_format, max_retries=0)
    error, *vectors = call(embeddings, "stream_documents", FACTS, on_error="skip")
    assert isinstance(error, JinaEISError)
    check(vectors, 3)


@pytest.mark.parametrize(
    ("search_type", "settings"), [("semantic", None), ("knn", {"index.mapping.exclude_source_vectors": False})]
)
def test_different_documents_are_chosen_by_vectors_of_both_formats(
    call: Caller, connect: Connect, wire_format: str, search_type: str, settings: Any
) -> None:
    """Neither deployment chooses them: the vectors of the query and of the texts are compared here."""
    with LocalEIS(model="hash", version="9.5") as old:
        store = connect(
            JinaEISVectorStore,
            es_url=old.url,
            index_name="mmr",
            search_type=search_type,
            wire_format=wire_format,
            index_settings=settings,
        )
        store.add_texts(FACTS)
        vector = JinaEISEmbeddings(es_url=old.url, wire_format=wire_format).embed_query("glacier")
        assert len(call(store, "max_marginal_relevance_search", "glacier", k=2)) == 2
        assert len(call(store, "max_marginal_relevance_search_by_vector", vector, k=2)) == 2
