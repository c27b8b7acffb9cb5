"""`llama_index_jina_eis.JinaEISVectorStore` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import pickle
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch
from helpers import FACTS, OMNI, RERANKER, TEXT, run_in_threads
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import ImageNode, TextNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery
from llama_index_store import *  # noqa: F403 - tests and fixtures
from llama_index_store import EVERYTHING, Mode, Stores, check_nodes_of, index_of, people
from made import png

from jina_eis.errors import ConfigurationError, DocumentsFailedError, IndexNotFoundError, InputError, JinaEISError
from jina_eis.local import LocalEIS
from llama_index_jina_eis import JinaEISVectorStore


@pytest.fixture
def url(eis: LocalEIS) -> str:
    return eis.url


@pytest.fixture(params=["semantic_text", "dense_vector"])
def field_type(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def filter_examples() -> int:
    return 25


def embedding_requests(eis: LocalEIS) -> int:
    return sum("/_inference/" in exchange.path and exchange.method == "POST" for exchange in eis.requests)


# Fusion, which the real core cannot answer


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC_HYBRID])
def test_hybrid_modes(stores: Stores, mode: Mode) -> None:
    check_nodes_of(stores, mode)


def test_alpha_weighs_words_and_meaning(stores: Stores) -> None:
    store = stores.with_people()
    assert stores.search(store, "free human", 1, mode=Mode.HYBRID, alpha=0.0).ids == ["bronte"]
    by_meaning = stores.search(store, "free human", 1).ids
    assert stores.search(store, "free human", 1, mode=Mode.HYBRID, alpha=1.0).ids == by_meaning
    assert len(stores.search(store, "free human", 2, mode=Mode.HYBRID, hybrid_top_k=3).ids or []) == 3
    with pytest.raises(ConfigurationError, match=r"alpha=1\.5: pass a number from 0"):
        stores.search(store, "free human", mode=Mode.HYBRID, alpha=1.5)


def test_a_semantic_hybrid_query_is_reranked(stores: Stores, eis: LocalEIS) -> None:
    store = stores.with_people()
    eis.clear()
    stores.search(store, "free human", 2, mode=Mode.SEMANTIC_HYBRID)
    search = eis.requests[-1].body["retriever"]["text_similarity_reranker"]
    assert search["inference_id"] == ".jina-reranker-v3.5"
    assert "rrf" in search["retriever"]
    stores.search(stores.store(rerank_inference_id=RERANKER), "free human", 2, mode=Mode.SEMANTIC_HYBRID)
    assert eis.requests[-1].body["retriever"]["text_similarity_reranker"]["inference_id"] == RERANKER


@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.TEXT_SEARCH, Mode.HYBRID])
def test_the_reranker_of_the_store_ranks_every_mode(stores: Stores, eis: LocalEIS, mode: Mode) -> None:
    store = stores.with_people(rerank_inference_id=RERANKER)
    found = stores.search(store, "free human", 2, mode=mode)
    assert found.ids is not None and found.ids[0] == "bronte"
    assert "text_similarity_reranker" in eis.requests[-1].body["retriever"]
    assert found.similarities is not None and max(found.similarities) <= 1
    with pytest.raises(ConfigurationError, match="k=65: at most rank_window_size=64"):
        stores.search(store, "free human", 65, mode=mode)


def test_fusion_adds_up_what_two_retrievers_agree_on(stores: Stores) -> None:
    store = stores.store()
    index = index_of(stores, store)
    stores.call(index, "insert_nodes", people())
    retrievers = [index.as_retriever(similarity_top_k=4, vector_store_query_mode=mode) for mode in ("default", "hybrid")]
    fusion = QueryFusionRetriever(
        retrievers, llm=MockLLM(), num_queries=1, mode="reciprocal_rerank", similarity_top_k=4, use_async=False
    )
    found = fusion.retrieve("the way of progress")
    assert len({node.node_id for node in found}) == len(found) == 4
    assert found[0].score == pytest.approx(2 / 60)


# Vectors


def test_an_index_without_a_local_model(stores: Stores, eis: LocalEIS) -> None:
    store = stores.store()
    with pytest.raises(ImportError):
        VectorStoreIndex.from_vector_store(store)  # LlamaIndex's own error, without a model
    index = VectorStoreIndex.from_vector_store(store, embed_model=store.embed_model)
    stores.call(index, "insert_nodes", people())
    found = stores.call(index.as_retriever(similarity_top_k=1), "retrieve", "the way of progress")
    assert [node.node_id for node in found] == ["curie"]
    if stores.field_type == "semantic_text":
        assert embedding_requests(eis) == 0
    assert store.is_embedding_query == (stores.field_type == "dense_vector")
    assert store.embed_model.get_text_embedding_batch(["a", "b"]) == [[], []]
    assert store.embed_model.get_agg_embedding_from_queries(["a", "b"]) == []
    assert asyncio.run(store.embed_model.aget_query_embedding("a")) == []
    assert pickle.loads(pickle.dumps(store.embed_model)).to_dict() == store.embed_model.to_dict()


def test_a_pipeline_ends_in_the_model_of_the_store(stores: Stores, eis: LocalEIS) -> None:
    store = stores.store()
    documents = [Document(id_=f"d{n}", text=text) for n, text in enumerate(FACTS)]
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), store.embed_model], vector_store=store)
    assert len(stores.call(pipeline, "run", documents=documents)) == len(FACTS)
    assert {node.ref_doc_id for node in stores.call(store, "get_nodes", filters=EVERYTHING)} == {
        f"d{n}" for n in range(len(FACTS))
    }
    without = IngestionPipeline(transformations=[SentenceSplitter()])
    assert stores.add(store, stores.call(without, "run", documents=documents))
    if stores.field_type == "semantic_text":
        assert embedding_requests(eis) == 0


def test_a_pipeline_of_several_processes(eis: LocalEIS, index_name: str) -> None:
    with JinaEISVectorStore(index_name=index_name, es_url=eis.url) as store:
        pipeline = IngestionPipeline(transformations=[store.embed_model], vector_store=store)
        assert len(asyncio.run(pipeline.arun(nodes=people(), num_workers=2))) == len(people())
        assert len(store.get_nodes(filters=EVERYTHING)) == len(people())


class TestOwnVectors:
    """Nodes that bring their vectors, into a dense_vector field."""

    @pytest.fixture
    def field_type(self) -> str:
        return "dense_vector"

    def test_they_are_not_embedded_again(self, stores: Stores, eis: LocalEIS) -> None:
        nodes = stores.call(stores.embedding(), "__call__", people())
        store = stores.store(inference_id=TEXT)
        eis.clear()
        stores.add(store, nodes)
        assert embedding_requests(eis) == 0
        found = stores.call(store, "query", VectorStoreQuery(query_embedding=nodes[3].embedding, similarity_top_k=1))
        assert found.ids == ["curie"]
        assert found.similarities == [pytest.approx(1.0)]
        assert embedding_requests(eis) == 0
        assert stores.search(store, "the way of progress", 1).ids == ["curie"]  # the store embeds the query
        mixed = [*nodes[:2], TextNode(id_="without", text="Owls are quiet."), TextNode(id_="empty", text="Owls.", embedding=[])]
        assert stores.add(store, mixed) == ["king", "coppola", "without", "empty"]
        assert embedding_requests(eis) == 1
        assert stores.search(store, "Owls are quiet.", 1).ids == ["without"]

    def test_a_new_index_is_as_long_as_they_are(self, stores: Stores, eis: LocalEIS) -> None:
        vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 1.0]]
        nodes = [TextNode(id_=str(n), text=f"lorem {n}", embedding=vector) for n, vector in enumerate(vectors)]
        store = stores.store()
        assert stores.add(store, iter(nodes)) == ["0", "1", "2"]
        ask = VectorStoreQuery(query_embedding=[0.0, 1.0, 0.0], similarity_top_k=2)
        assert stores.call(store, "query", ask).ids == ["1", "2"]
        ask = VectorStoreQuery(query_embedding=[0.0, 0.9, 0.0], query_str="lorem 0", similarity_top_k=3, mode=Mode.HYBRID)
        assert sorted(stores.call(store, "query", ask).ids) == ["0", "1", "2"]
        assert embedding_requests(eis) == 0
        with pytest.raises(ConfigurationError, match="does not name the endpoint of the vectors in 'embedding'"):
            stores.search(store, "a text alone")
        with pytest.raises(ConfigurationError, match="The query vector has 2 dimensions, and the vectors in 'embedding' have 3"):
            stores.call(store, "query", VectorStoreQuery(query_embedding=[1.0, 0.0]))

    def test_another_length_is_refused_before_anything_is_sent(self, stores: Stores, eis: LocalEIS) -> None:
        store = stores.store(dimensions=32)
        right, wrong = (
            TextNode(id_="right", text="a", embedding=[1.0] * 32),
            TextNode(id_="wrong", text="b", embedding=[1.0] * 31),
        )
        for _ in range(2):  # a new index, and an existing one
            eis.clear()
            with pytest.raises(InputError, match=r"'wrong' has 31 dimensions, and the vectors in 'embedding' .* have 32"):
                stores.add(store, [right, wrong])
            assert not [exchange for exchange in eis.requests if exchange.method in ("POST", "PUT")]
            stores.add(store, [right])
        own = stores.store(index_name=f"{stores.index_name}-own")
        with pytest.raises(InputError, match="'wrong' has 31 dimensions"):
            stores.add(own, [right, wrong])
        with pytest.raises(IndexNotFoundError):
            stores.call(own, "delete_index")


def test_vectors_for_a_field_that_elasticsearch_embeds_are_refused(eis: LocalEIS, index_name: str) -> None:
    with JinaEISVectorStore(index_name=index_name, es_url=eis.url) as store:
        eis.clear()
        index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=8))
        with pytest.raises(InputError, match=r"'king' has a vector, .*\. Pass embed_model=store\.embed_model"):
            index.insert_nodes(people())
        assert not eis.requests
        with pytest.raises(DocumentsFailedError, match=r"Pass embed_model=store\.embed_model") as caught:
            store.add(node.model_copy(update={"embedding": [1.0]} if n == 3 else {}) for n, node in enumerate(people()))
        assert caught.value.indexed == ["king", "coppola", "nolan"]


def test_a_semantic_field_holds_media(eis: LocalEIS, index_name: str) -> None:
    images = [
        ImageNode(id_=f"image {n}", image=base64.b64encode(png(shade=n)).decode(), metadata={"file": f"{n}.png"})
        for n in range(3)
    ]
    with JinaEISVectorStore(index_name=index_name, es_url=eis.url, field_type="semantic", inference_id=OMNI) as store:
        index = VectorStoreIndex.from_vector_store(store, embed_model=store.embed_model)
        index.insert_nodes([*images, TextNode(id_="text", text="A glacier is ice.")])
        found = index.as_retriever(similarity_top_k=4).retrieve("A glacier is ice.")
        assert found[0].node_id == "text"
        assert {node.node_id for node in found} == {"text", "image 0", "image 1", "image 2"}
        (restored,) = store.get_nodes(["image 1"])
        known = {"mime_type": "image/png", "modality": "image", "width": 28, "height": 28}
        assert restored.metadata == {**known, "file": "1.png"}
        expected = {"metadata": restored.metadata, "excluded_embed_metadata_keys": list(known)}
        assert restored == images[1].model_copy(update=expected)


def test_a_sparse_field(stores: Stores, eis: LocalEIS) -> None:
    """Elasticsearch's own sparse model embeds the field: the mode is accepted, and the search is that of the field."""
    if stores.field_type == "dense_vector":
        pytest.skip("a dense_vector field is never sparse")
    properties = {"content": {"type": "text"}, "meaning": {"type": "semantic_text", "inference_id": ".elser-2-elastic"}}
    with Elasticsearch(eis.url) as client:
        client.indices.create(index=stores.index_name, mappings={"properties": properties})
    eis.clear()
    with pytest.raises(JinaEISError, match=r"sparse|elser"):  # the embedded EIS has no sparse model
        stores.search(stores.store(), "glacier", mode=Mode.SPARSE)
    search = next(exchange for exchange in eis.requests if exchange.path.endswith("_search"))
    assert search.body["retriever"]["standard"]["query"] == {"match": {"meaning": {"query": "glacier"}}}


# The class


def test_settings_survive_dictionaries_and_pickles(eis: LocalEIS, index_name: str) -> None:
    settings: dict[str, Any] = {"field_type": "dense_vector", "filter": {"lang": "en"}, "rank_window_size": 20, "dimensions": 64}
    store = JinaEISVectorStore(index_name=index_name, es_url=eis.url, es_api_key="a-secret", **settings)
    assert isinstance(store, BasePydanticVectorStore)
    assert store.class_name() == store.to_dict()["class_name"] == "JinaEISVectorStore"
    assert "a-secret" not in store.to_json() + repr(store)
    for copied in (
        JinaEISVectorStore.from_dict(store.to_dict(), es_api_key="a-secret"),
        JinaEISVectorStore.from_json(store.to_json(), es_api_key="a-secret"),
        pickle.loads(pickle.dumps(store)),
        store.model_copy(),
    ):
        assert copied == store
        assert copied.to_dict() == store.to_dict()
        assert (copied.is_embedding_query, copied.stores_text, copied.client) == (True, True, None)
        assert copied.es_api_key is not None and copied.es_api_key.get_secret_value() == "a-secret"
    assert json.loads(store.to_json())["filter"] == {"lang": "en"}
    assert not JinaEISVectorStore(index_name=index_name, es_url=eis.url).is_embedding_query


def test_clients_of_the_user(eis: LocalEIS, index_name: str) -> None:
    with Elasticsearch(eis.url) as client, JinaEISVectorStore(index_name=index_name, client=client) as store:
        assert store.client is client
        store.add(people())
        assert len(asyncio.run(store.aget_nodes(["king"]))) == 1
        with pytest.raises(ConfigurationError, match="cannot be pickled"):
            pickle.dumps(store)

    async def search() -> list[str] | None:
        async with AsyncElasticsearch(eis.url) as client, JinaEISVectorStore(index_name=index_name, async_client=client) as store:
            return (await store.aquery(VectorStoreQuery(query_str="the way of progress", similarity_top_k=1))).ids

    assert asyncio.run(search()) == ["curie"]


def test_arguments_are_explicit_and_checked(eis: LocalEIS) -> None:
    signature = inspect.signature(JinaEISVectorStore)
    assert not [name for name, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_KEYWORD]
    assert {"index_name", "field_type", "client", "rerank_inference_id", "es_api_key"} <= set(signature.parameters)
    for name in ("search_type", "k", "stores_text", "is_embedding_query", "highlight"):
        assert name not in signature.parameters
        with pytest.raises(ConfigurationError, match=f"has no argument {name}"):
            JinaEISVectorStore(index_name="facts", es_url=eis.url, **{name: True})
    with pytest.raises(ConfigurationError, match="field_type: Input should be 'semantic_text', 'semantic' or 'dense_vector'"):
        JinaEISVectorStore(index_name="facts", es_url=eis.url, field_type="sparse")
    with pytest.raises(ConfigurationError, match="dimensions=32: the vectors of a semantic_text field"):
        JinaEISVectorStore(index_name="facts", es_url=eis.url, dimensions=32)


def test_the_import_path_of_llama_index() -> None:
    from llama_index.vector_stores.jina_eis import JinaEISVectorStore as Alias

    assert Alias is JinaEISVectorStore


def test_threads_share_a_store(eis: LocalEIS, index_name: str) -> None:
    with JinaEISVectorStore(index_name=index_name, es_url=eis.url) as store:
        groups = [[TextNode(id_=f"{group} {n}", text=f"text {n}") for n in range(5)] for group in range(4)]
        run_in_threads([lambda nodes=nodes: store.add(nodes) for nodes in groups])
        run_in_threads([lambda: asyncio.run(store.adelete_nodes(["0 0"])), lambda: store.delete_nodes(["1 0"])])
        assert len(store.get_nodes(filters=EVERYTHING)) == 18


def test_a_store_of_another_kind_of_field(stores: Stores) -> None:
    stores.with_people()
    other = "dense_vector" if stores.field_type == "semantic_text" else "semantic_text"
    store = stores.store(field_type=other)
    with pytest.raises(ConfigurationError, match=f"no such field|no field of type {other}"):
        stores.search(store, "lorem")
    with pytest.raises(ConfigurationError, match=f"no field of type {other}"):
        stores.add(store, people())
