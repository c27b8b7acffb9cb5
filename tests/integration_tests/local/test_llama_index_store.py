"""The ElasticsearchStore of LlamaIndex on the embedded EIS: what its users do, and what is refused by name.

Its package takes only version 8 of the Elasticsearch client: `nox -s peers oldest` install it.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError
from elasticsearch.helpers.vectorstore import (
    AsyncBM25Strategy,
    AsyncDenseVectorStrategy,
    AsyncSparseVectorStrategy,
)
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    ExactMatchFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from jina_eis.local import LocalEIS

pytest.importorskip(
    "llama_index.vector_stores.elasticsearch", reason="needs llama-index-vector-stores-elasticsearch and elasticsearch 8"
)
from llama_index.vector_stores.elasticsearch import ElasticsearchStore

NODES = [
    ("ice", "A glacier is ice that flows slowly.", [1.0, 0.0, 0.0], {"topic": "ice", "year": 1912}, "book-1"),
    ("bread", "Bread rises because yeast makes gas.", [0.0, 1.0, 0.0], {"topic": "food", "year": 1856}, "book-2"),
    ("yeast", "Yeast is a fungus; bakers keep it.", [0.1, 0.9, 0.0], {"topic": "food", "year": 1912}, "book-2"),
    ("tide", "The moon pulls the sea, and the tide follows.", [0.0, 0.0, 1.0], {"topic": "sea", "year": 1687}, "book-3"),
]


def nodes(*ids: str) -> list[TextNode]:
    return [
        TextNode(
            id_=id_,
            text=text,
            embedding=list(vector),
            metadata=dict(metadata),
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=book)},
        )
        for id_, text, vector, metadata, book in NODES
        if not ids or id_ in ids
    ]


def matching(**values: Any) -> MetadataFilters:
    return MetadataFilters(filters=[ExactMatchFilter(key=key, value=value) for key, value in values.items()])


def near(vector: list[float], k: int = 4, **options: Any) -> VectorStoreQuery:
    return VectorStoreQuery(query_embedding=vector, similarity_top_k=k, **options)


Make = Callable[..., Any]


@pytest.fixture
async def make(eis: LocalEIS) -> AsyncIterator[Make]:
    """Makes stores over an index of their own."""
    clients: list[AsyncElasticsearch] = []

    def make(**settings: Any) -> Any:
        clients.append(AsyncElasticsearch(eis.url))
        return ElasticsearchStore(index_name=f"test-{uuid.uuid4().hex}", es_client=clients[-1], **settings)

    yield make
    for client in clients:
        await client.close()


async def test_the_nearest_nodes_are_found_with_their_text_and_metadata(make: Make) -> None:
    store = make()
    assert await store.async_add(nodes()) == ["ice", "bread", "yeast", "tide"]
    result = await store.aquery(near([0.0, 1.0, 0.0], 2))
    assert result.ids == ["bread", "yeast"]
    assert result.similarities == [1.0, 0.0]  # the store maps the scores to between 0 and 1
    (found, _) = result.nodes
    assert found.get_content() == "Bread rises because yeast makes gas."
    assert found.metadata == {"topic": "food", "year": 1856}
    assert found.ref_doc_id == "book-2"


@pytest.mark.parametrize("distance", ["COSINE", "EUCLIDEAN_DISTANCE", "DOT_PRODUCT"])
async def test_each_distance(make: Make, distance: str) -> None:
    store = make(distance_strategy=distance)
    await store.async_add(nodes("ice", "bread", "tide"))
    assert (await store.aquery(near([0.0, 0.6, 0.8]))).ids == ["tide", "bread", "ice"]


async def test_filters_match_exact_values(make: Make) -> None:
    store = make(metadata_mappings={"topic": {"type": "text", "fields": {"keyword": {"type": "keyword"}}}})
    await store.async_add(nodes())
    result = await store.aquery(near([0.0, 1.0, 0.0], filters=matching(topic="sea")))
    assert result.ids == ["tide"]
    result = await store.aquery(near([0.0, 1.0, 0.0], filters=matching(topic="food", ref_doc_id="book-2")), None, None, "")
    assert result.ids == ["bread", "yeast"]
    assert (await store.aquery(near([0.0, 1.0, 0.0], filters=matching(topic="none")))).nodes == []


async def test_an_elasticsearch_filter(make: Make) -> None:
    store = make()
    await store.async_add(nodes())
    result = await store.aquery(near([0.0, 1.0, 0.0]), es_filter=[{"range": {"metadata.year": {"gte": 1900}}}])
    assert result.ids == ["yeast", "ice"]


async def test_a_query_that_the_user_changes(make: Make) -> None:
    store = make()
    await store.async_add(nodes())

    def change(body: Any, query: Any) -> Any:
        return {"query": {"term": {"metadata.topic.keyword": "ice"}}}

    assert (await store.aquery(near([0.0, 1.0, 0.0]), custom_query=change)).ids == ["ice"]


async def test_words_are_searched_with_bm25(make: Make) -> None:
    store = make(retrieval_strategy=AsyncBM25Strategy())
    await store.async_add(nodes())
    query = VectorStoreQuery(query_str="yeast bread", similarity_top_k=4, mode=VectorStoreQueryMode.TEXT_SEARCH)
    assert (await store.aquery(query)).ids == ["bread", "yeast"]
    filtered = VectorStoreQuery(query_str="yeast", similarity_top_k=4, filters=matching(year=1912))
    assert (await store.aquery(filtered, None, None, "")).ids == ["yeast"]


@pytest.mark.parametrize("rrf", [True, False, {"rank_constant": 1, "window_size": 10}], ids=str)
async def test_hybrid_search(make: Make, rrf: Any) -> None:
    store = make(retrieval_strategy=AsyncDenseVectorStrategy(hybrid=True, rrf=rrf, text_field="content"))
    await store.async_add(nodes())
    query = near([0.0, 1.0, 0.0], 3, query_str="tide", mode=VectorStoreQueryMode.HYBRID)
    result = await store.aquery(query, es_filter=[{"exists": {"field": "metadata.year"}}])
    assert set(result.ids) == {"bread", "yeast", "tide"}


async def test_nodes_are_deleted_by_id_by_filter_and_by_document(make: Make) -> None:
    store = make()
    await store.async_add(nodes())
    await store.adelete_nodes(["ice", "unknown"])
    assert [node.node_id for node in await store.aget_nodes(["ice", "tide"])] == ["tide"]
    await store.adelete_nodes(["tide", "yeast"], matching(topic="sea"))
    assert sorted(node.node_id for node in await store.aget_nodes(["bread", "tide", "yeast"])) == ["bread", "yeast"]
    await store.adelete("book-2")
    assert await store.aget_nodes(["bread", "yeast"]) == []


async def test_nodes_are_read_by_id_and_filter(make: Make) -> None:
    store = make()
    await store.async_add(nodes())
    (node,) = await store.aget_nodes(["bread", "ice"], matching(topic="ice"))
    assert (node.node_id, node.metadata["year"]) == ("ice", 1912)
    assert len(await store.aget_nodes(filters=matching(topic="food"))) == 2


async def test_a_node_with_an_existing_id_is_replaced(make: Make) -> None:
    store = make()
    await store.async_add(nodes())
    await store.async_add([TextNode(id_="ice", text="Firn is old snow.", embedding=[0.0, 0.0, 1.0])])
    (node,) = await store.aget_nodes(["ice"])
    assert node.get_content() == "Firn is old snow."


async def test_clear_removes_every_node(make: Make) -> None:
    store = make()
    await store.async_add(nodes())
    await store.aclear()
    with pytest.raises(NotFoundError):
        await store.aget_nodes(["ice"])
    await store.async_add(nodes("tide"))
    assert [node.node_id for node in await store.aget_nodes(["ice", "tide"])] == ["tide"]


@pytest.mark.xfail(raises=ApiError, strict=True, reason="refused with 501")
async def test_sparse_vectors_of_elser(make: Make) -> None:
    store = make(retrieval_strategy=AsyncSparseVectorStrategy(model_id=".elser_model_2"))
    await store.async_add(nodes())
    query = VectorStoreQuery(query_str="bread", similarity_top_k=1, mode=VectorStoreQueryMode.SPARSE)
    assert (await store.aquery(query)).ids == ["bread"]
