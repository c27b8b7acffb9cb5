"""`JinaEISVectorStore` over every kind of field of the embedded EIS, sync and async."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elasticsearch import Elasticsearch
from helpers import FACTS, OMNI, QUERY, RERANKER, TEXT, Caller, posts
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.rate_limiters import InMemoryRateLimiter
from made import png

from jina_eis.errors import ConfigurationError, InputError, JinaEISError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISVectorStore

KINDS: dict[str, dict[str, Any]] = {
    "semantic_text": {},
    "semantic": {"field_type": "semantic", "inference_id": OMNI},
    "dense_vector": {"field_type": "dense_vector", "dimensions": 64},
}
METADATAS = [{"n": n, "lang": "en" if n % 2 else "de", "tags": ["all", f"tag {n}"]} for n in range(len(FACTS))]
IDS = [f"fact-{n}" for n in range(len(FACTS))]
DOCUMENTS = [Document(id=id_, page_content=text, metadata=meta) for id_, text, meta in zip(IDS, FACTS, METADATAS, strict=True)]

Connect = Callable[..., JinaEISVectorStore]


@pytest.fixture
def build(connect: Callable[..., Any], index_name: str) -> Connect:
    """Create stores of one index."""
    return lambda **settings: connect(JinaEISVectorStore, **{"index_name": index_name, **settings})


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, build: Connect) -> JinaEISVectorStore:
    """A store with the facts, for each kind of field."""
    store = build(**KINDS[request.param])
    assert store.add_documents(DOCUMENTS) == IDS
    return store


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_documents_come_back_as_they_were_stored(store: JinaEISVectorStore, call: Caller) -> None:
    by_id = dict(zip(IDS, DOCUMENTS, strict=True))
    found = [
        call(store, "similarity_search", QUERY),
        [document for document, _ in call(store, "similarity_search_with_score", QUERY)],
        [document for document, _ in call(store, "similarity_search_with_relevance_scores", QUERY)],
        call(store, "similarity_search", QUERY, rerank_inference_id=RERANKER),
        call(store, "get_by_ids", IDS),
    ]
    for documents in found:
        assert len(documents) == len(DOCUMENTS)
        assert all(document == by_id[str(document.id)] for document in documents)
    assert call(store, "get_by_ids", ["fact-2", "nothing", "fact-0", "fact-2"]) == [by_id[f"fact-{n}"] for n in (2, 0, 2)]


def test_k(store: JinaEISVectorStore, build: Connect, call: Caller) -> None:
    assert len(call(store, "similarity_search", QUERY, 2)) == 2
    assert len(call(store, "similarity_search", QUERY, k=1)) == 1
    store.k = 3
    assert len(call(store, "similarity_search_with_score", QUERY)) == 3
    for wrong in (0, -1, True, 2.5, 10_001):
        with pytest.raises(ConfigurationError, match="k="):
            call(store, "similarity_search", QUERY, k=wrong)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lang": "en"}, {1, 3}),
        ({"lang": ["en", "de"]}, {0, 1, 2, 3}),
        ({"lang": "en", "n": 3}, {3}),
        ({"n": [0, 1, 7]}, {0, 1}),
        ({"tags": "tag 2"}, {2}),
        ({"lang": "fr"}, set()),
        ({"lang": None}, set()),
        ({"other": None}, {0, 1, 2, 3}),
        ({"lang": []}, set()),
        ({"range": {"metadata.n": {"gte": 2}}}, {2, 3}),
        ({"term": {"metadata.lang.keyword": "de"}}, {0, 2}),
        ([{"lang": "en"}, {"range": {"metadata.n": {"lt": 2}}}], {1}),
        ([], {0, 1, 2, 3}),
    ],
)
def test_filters(store: JinaEISVectorStore, given: Any, expected: set[int]) -> None:
    assert {document.metadata["n"] for document in store.similarity_search(QUERY, filter=given)} == expected
    found = store.max_marginal_relevance_search(QUERY, filter=given) if store.field_type != "semantic" else None
    assert found is None or {document.metadata["n"] for document in found} == expected


def test_the_filter_of_the_store_and_of_a_search_must_both_match(store: JinaEISVectorStore, call: Caller) -> None:
    store.filter = {"lang": "en"}
    assert {document.metadata["n"] for document in call(store, "similarity_search", QUERY)} == {1, 3}
    assert ids(call(store, "similarity_search", QUERY, filter={"n": [2, 3]})) == ["fact-3"]


def test_a_filter_that_is_none_is_refused_before_a_request(store: JinaEISVectorStore, eis: LocalEIS, call: Caller) -> None:
    eis.clear()
    for wrong in ("lang:en", {"lang": {"a": "b"}}, [{"lang": "en"}, 3]):
        with pytest.raises(ConfigurationError, match="filter"):
            call(store, "similarity_search", QUERY, filter=wrong)
    assert not eis.requests


def test_scores_are_those_of_elasticsearch_and_relevance_is_from_0_to_1(store: JinaEISVectorStore, call: Caller) -> None:
    scored = [score for _, score in call(store, "similarity_search_with_score", QUERY)]
    assert scored == sorted(scored, reverse=True)
    relevant = [score for _, score in call(store, "similarity_search_with_relevance_scores", QUERY)]
    assert relevant == pytest.approx(scored)
    assert all(0 <= score <= 1 for score in relevant)
    above = call(store, "similarity_search_with_relevance_scores", QUERY, score_threshold=relevant[1])
    assert [score for _, score in above] == pytest.approx(relevant[:2])
    assert call(store, "similarity_search_with_relevance_scores", QUERY, score_threshold=1.01) == []


def test_reranking_is_an_option_of_every_search(store: JinaEISVectorStore, call: Caller, eis: LocalEIS) -> None:
    expected = [score for _, score in call(store, "similarity_search_with_score", QUERY, rerank_inference_id=RERANKER)]
    assert expected != [score for _, score in call(store, "similarity_search_with_score", QUERY)]
    vector = JinaEISEmbeddings(es_url=eis.url, inference_id=OMNI, dimensions=store.dimensions).embed_query(QUERY)
    reranked: dict[str, Any] = {"rerank_inference_id": RERANKER, "rank_window_size": 8}
    eis.clear()
    call(store, "similarity_search", QUERY, **reranked)
    call(store, "similarity_search_with_relevance_scores", QUERY, **reranked)
    call(store, "similarity_search_by_vector", vector, query_text=QUERY, **reranked)
    searches = 3
    if store.field_type != "semantic":
        call(store, "max_marginal_relevance_search", QUERY, **reranked, fetch_k=8)
        call(store, "max_marginal_relevance_search_by_vector", vector, query_text=QUERY, **reranked, fetch_k=8)
        searches += 2
    bodies = [exchange.body for exchange in posts(eis) if exchange.path.startswith(f"/{store.index_name}/_search")]
    assert len(bodies) == searches
    assert all(b"text_similarity_reranker" in _as_bytes(body) for body in bodies)
    with pytest.raises(InputError, match="no text"):
        call(store, "similarity_search_by_vector", vector, **reranked)


def _as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode()


def test_search_by_vector_equals_search_by_text(store: JinaEISVectorStore, call: Caller, eis: LocalEIS) -> None:
    endpoint = store.inference_id or TEXT
    vector = JinaEISEmbeddings(es_url=eis.url, inference_id=endpoint, dimensions=store.dimensions).embed_query(QUERY)
    expected = ids(call(store, "similarity_search", QUERY))
    assert ids(call(store, "similarity_search_by_vector", vector)) == expected
    assert ids(call(store, "similarity_search_by_vector", np.array(vector))) == expected
    with pytest.raises(JinaEISError, match="dimension"):
        call(store, "similarity_search_by_vector", [0.1, 0.2, 0.3])
    for wrong in ([], ["a"], None, [float("nan")] * len(vector)):
        with pytest.raises(InputError, match="list of finite numbers"):
            call(store, "similarity_search_by_vector", wrong)


def test_mmr_over_semantic_text_in_the_server_and_on_the_client_chooses_the_same(call: Caller) -> None:
    def chosen(version: str) -> list[list[str | None]]:
        with (
            LocalEIS(model="hash", version=version, record=True) as eis,
            JinaEISVectorStore(index_name="mmr", es_url=eis.url) as store,
        ):
            texts = [f"{fact} {n % 5}" for n, fact in enumerate(FACTS * 4)]
            store.add_texts(texts, ids=[str(n) for n in range(len(texts))])
            arguments: dict[str, Any] = {"k": 5, "fetch_k": 12, "lambda_mult": 0.4}
            vector = JinaEISEmbeddings(es_url=eis.url).embed_query(QUERY)
            found = [
                call(store, "max_marginal_relevance_search", QUERY, **arguments),
                call(store, "max_marginal_relevance_search", QUERY, **arguments, filter={"other": None}),
                call(store, "max_marginal_relevance_search_by_vector", vector, **arguments),
            ]
            in_server = any(b"diversify" in _as_bytes(exchange.body) for exchange in posts(eis))
            assert in_server == (version == "9.6")
        return [ids(documents) for documents in found]

    in_server = chosen("9.6")
    assert chosen("9.5") == in_server
    assert in_server[0] == in_server[2]
    assert [len(documents) for documents in in_server] == [5, 5, 5]


def test_mmr_refuses_what_it_cannot_compare(build: Connect, call: Caller) -> None:
    store = build(**KINDS["semantic"])
    store.add_texts(FACTS)
    with pytest.raises(ConfigurationError, match=r"^max_marginal_relevance_search compares .* of type semantic\."):
        call(store, "max_marginal_relevance_search", QUERY)
    with pytest.raises(ConfigurationError, match="lambda_mult"):
        call(store, "max_marginal_relevance_search", QUERY, lambda_mult=2)
    with pytest.raises(ConfigurationError, match="fetch_k"):
        call(store, "max_marginal_relevance_search", QUERY, fetch_k=0)


def test_own_vectors(build: Connect, call: Caller, eis: LocalEIS) -> None:
    store = build(field_type="dense_vector", dimensions=64)
    vectors = np.random.default_rng(0).normal(size=(3, 64))
    eis.clear()
    pairs = ((text, vector) for text, vector in zip(FACTS, vectors, strict=False))
    assert call(store, "add_embeddings", pairs, METADATAS[:3], ids=IDS[:3]) == IDS[:3]
    assert not any("text_embedding" in exchange.path and exchange.method == "POST" for exchange in eis.requests)
    assert call(store, "similarity_search_by_vector", vectors[1], k=1) == [DOCUMENTS[1]]
    with pytest.raises(InputError, match="64"):
        call(store, "add_embeddings", [("text", [0.5] * 63)])
    for wrong in (["text"], [("text",)], [(1, [0.5])], [("text", ["a"])], [("text", [10**400])]):
        with pytest.raises(InputError, match=r"pair of a text|list of finite numbers|Text 0"):
            call(store, "add_embeddings", wrong)
    with pytest.raises(ConfigurationError, match='field_type="dense_vector"'):
        call(build(index_name="other"), "add_embeddings", [("text", [0.5])])


def test_media(build: Connect, call: Caller, tmp_path: Path) -> None:
    (tmp_path / "dark.png").write_bytes(png())
    store = build(**KINDS["semantic"])
    (id_,) = call(
        store, "add_contents", [tmp_path / "dark.png"], [Document(page_content="", metadata={"of": "ice"})], ids=["dark"]
    )
    assert id_ == "dark"
    (found,) = call(store, "similarity_search", tmp_path / "dark.png")
    assert (found.id, found.metadata) == ("dark", {"of": "ice"})


def test_delete(store: JinaEISVectorStore, call: Caller) -> None:
    assert call(store, "delete", ["fact-0", "nothing"]) is True
    assert ids(call(store, "get_by_ids", IDS)) == IDS[1:]
    assert call(store, "delete", []) is True
    assert len(call(store, "similarity_search", QUERY)) == 3
    assert call(store, "delete") is True
    assert call(store, "similarity_search", QUERY) == []


def test_a_store_without_an_index_is_empty(build: Connect, call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    store = build()
    with caplog.at_level(logging.WARNING, "jina_eis.store"):
        assert call(store, "similarity_search", QUERY) == []
    assert store.index_name in caplog.text
    assert call(store, "similarity_search_with_relevance_scores", QUERY) == []
    assert call(store, "max_marginal_relevance_search", QUERY) == []
    assert call(store, "get_by_ids", IDS) == []
    assert call(store, "delete", IDS) is True
    assert call(store, "delete") is True


def test_ids(store: JinaEISVectorStore, call: Caller) -> None:
    twice = [Document(page_content="first"), Document(page_content="second")]
    assert call(store, "add_documents", twice, ids=["same", "same"]) == ["same", "same"]
    assert store.get_by_ids(["same"])[0].page_content == "second"
    one, two = (call(store, "add_texts", ["Salt."], [{"page": 1}], ids="content") for _ in range(2))
    assert one == two
    assert one != call(store, "add_texts", ["Salt."], [{"page": 2}], ids="content")
    given, new = call(
        store, "add_documents", [Document(page_content="a", id="own"), Document(page_content="b")], ids=[None, None]
    )
    assert given == "own"
    assert new


def test_what_is_no_document_is_refused_before_a_request(build: Connect, call: Caller, eis: LocalEIS) -> None:
    store = build()
    eis.clear()
    with pytest.raises(InputError):
        call(store, "add_documents", [*DOCUMENTS, "no document"])
    with pytest.raises(InputError):
        call(store, "add_documents", DOCUMENTS[0])
    with pytest.raises(InputError):
        call(store, "add_texts", ["text", None])
    with pytest.raises(InputError):
        call(store, "add_texts", "text")
    assert not eis.requests


@pytest.mark.parametrize("kind", KINDS)
def test_from_texts_and_from_documents(eis: LocalEIS, index_name: str, call: Caller, kind: str) -> None:
    settings = {"index_name": index_name, "es_url": eis.url, **KINDS[kind]}
    for name, given in (
        ("from_texts", {"texts": FACTS, "metadatas": METADATAS, "ids": IDS}),
        ("from_documents", {"documents": DOCUMENTS}),
    ):
        store = call(JinaEISVectorStore, name, **given, **settings, refresh=True)
        with store:
            assert store.get_by_ids(IDS) == DOCUMENTS
            store.delete_index()


def test_an_embedding_of_ours_gives_its_endpoint_and_connection(eis: LocalEIS, index_name: str, call: Caller) -> None:
    embedding = JinaEISEmbeddings(
        es_url=eis.url, es_api_key="secret", inference_id=OMNI, dimensions=64, max_retries=3,
        rate_limiter=InMemoryRateLimiter(requests_per_second=10_000, max_bucket_size=10_000),
    )  # fmt: skip
    with call(JinaEISVectorStore, "from_texts", FACTS, embedding, index_name=index_name, field_type="dense_vector") as store:
        assert (store.es_url, store.inference_id, store.dimensions, store.max_retries) == (eis.url, OMNI, 64, 3)
        assert store.embeddings is embedding
        assert "secret" not in repr(store)
        assert store.similarity_search(FACTS[1], k=1)[0].page_content == FACTS[1]
    same = JinaEISVectorStore(embedding=embedding, index_name=index_name, inference_id=None, es_url=None)
    assert (same.es_url, same.inference_id) == (eis.url, OMNI)
    elsewhere = JinaEISVectorStore(embedding=embedding, index_name=index_name, es_url="http://elsewhere:9200")
    assert elsewhere.es_api_key is None, "credentials of one address are never sent to another"
    for clash in ({"inference_id": TEXT}, {"dimensions": 32}):
        with pytest.raises(ConfigurationError, match="embedding has"):
            JinaEISVectorStore(embedding=embedding, index_name=index_name, **clash)
    roles = JinaEISEmbeddings(es_url=eis.url, document_input_type="clustering", query_input_type="clustering")
    with pytest.raises(ConfigurationError, match="input_type"):
        JinaEISVectorStore(embedding=roles, index_name=index_name)


def test_another_embedding_is_for_dense_vector_fields_only(eis: LocalEIS, index_name: str, call: Caller) -> None:
    embedding = DeterministicFakeEmbedding(size=12)
    settings = {"index_name": index_name, "es_url": eis.url}
    with call(JinaEISVectorStore, "from_texts", FACTS, embedding, ids=IDS, field_type="dense_vector", **settings) as store:
        assert ids(call(store, "similarity_search", FACTS[2], k=1)) == ["fact-2"]
        assert ids(call(store, "max_marginal_relevance_search", FACTS[2], k=1)) == ["fact-2"]
        assert store.embeddings is embedding
        assert not any("text_embedding" in exchange.path for exchange in posts(eis))
        with pytest.raises(InputError):
            call(store, "similarity_search", Path("cat.png"))
        with pytest.raises(ConfigurationError, match="texts only"):
            call(store, "add_contents", [Path("cat.png")])
    with call(
        JinaEISVectorStore, "from_texts", FACTS, field_type="dense_vector", **settings | {"index_name": f"{index_name}-of-jina"}
    ) as ours:
        other = JinaEISVectorStore(embedding=embedding, field_type="dense_vector", index_name=ours.index_name, es_url=eis.url)
        for name, given in (("add_texts", FACTS), ("similarity_search", QUERY)):
            with other, pytest.raises(ConfigurationError, match=f"embedded with {TEXT}"):
                call(other, name, given)
        ours.delete_index()
    for field_type in (None, "semantic_text", "semantic"):
        with pytest.raises(ConfigurationError, match='field_type="dense_vector"'):
            JinaEISVectorStore(embedding=embedding, field_type=field_type, **settings)
    with pytest.raises(ConfigurationError, match="not both"):
        JinaEISVectorStore(embedding=embedding, field_type="dense_vector", inference_id=TEXT, **settings)


def test_embeddings(build: Connect, eis: LocalEIS) -> None:
    assert build().embeddings is None
    embeddings = build(inference_id=OMNI).embeddings
    assert isinstance(embeddings, JinaEISEmbeddings)
    assert (embeddings.inference_id, embeddings.es_url) == (OMNI, eis.url)


def test_settings_that_contradict_each_other(build: Connect) -> None:
    with pytest.raises(ConfigurationError, match="search_type"):
        build(field_type="dense_vector", search_type="semantic")
    with pytest.raises(ConfigurationError, match="search_type"):
        build(field_type="semantic_text", search_type="knn")
    with pytest.raises(ConfigurationError, match="JinaEISRetriever"):
        build(highlight=True)
    with pytest.raises(ConfigurationError, match="Did you mean index_name"):
        build(index_nam="x")
    assert build(field_type="dense_vector").search_type == "knn"


def test_the_three_search_types_of_a_retriever(store: JinaEISVectorStore, call: Caller) -> None:
    best = store.similarity_search(QUERY, k=1)
    assert call(store.as_retriever(search_kwargs={"k": 1}), "invoke", QUERY) == best
    assert call(store.as_retriever(), "invoke", QUERY, k=1, filter={"n": 2}) == [DOCUMENTS[2]]
    above = {"score_threshold": 0.0, "k": 1}
    assert call(store.as_retriever(search_type="similarity_score_threshold", search_kwargs=above), "invoke", QUERY) == best
    for search_type in ("similarity", "similarity_score_threshold"):
        assert call(store, "search", QUERY, search_type, k=1) == best
    if store.field_type != "semantic":
        assert call(store, "search", QUERY, "mmr", k=1) == best
        assert call(store.as_retriever(search_type="mmr", search_kwargs={"k": 1}), "invoke", QUERY) == best
    with pytest.raises(TypeError, match="kk"):
        call(store, "similarity_search", QUERY, kk=3)


def test_hybrid_search(build: Connect, call: Caller) -> None:
    store = build(search_type="hybrid")
    store.add_documents(DOCUMENTS)
    scored = call(store, "similarity_search_with_relevance_scores", "glacier")
    assert scored[0][0] == DOCUMENTS[0]
    assert 0.9 < scored[0][1] <= 1, "first by words and by meaning: the highest score that a fusion can give"
    assert all(0 <= score <= 1 for _, score in scored)


def test_a_query_endpoint_of_the_embedding_embeds_queries(eis: LocalEIS, index_name: str, call: Caller, tmp_path: Path) -> None:
    (tmp_path / "dark.png").write_bytes(png())
    embedding = JinaEISEmbeddings(es_url=eis.url, inference_id=TEXT, search_inference_id=OMNI)
    with call(JinaEISVectorStore, "from_texts", FACTS, embedding, index_name=index_name) as store:
        assert len(call(store, "similarity_search", tmp_path / "dark.png")) == len(FACTS), "an image searches an index of texts"


def test_fields_of_another_application_are_metadata(build: Connect, eis: LocalEIS, call: Caller) -> None:
    store = build()
    mappings = {"properties": {"body": {"type": "text", "copy_to": "meaning"}, "meaning": {"type": "semantic_text"}}}
    with Elasticsearch(eis.url) as client:
        client.indices.create(index=store.index_name, mappings=mappings)
        client.index(index=store.index_name, id="1", document={"body": FACTS[0], "title": "Ice"}, refresh=True)
    assert call(store, "similarity_search", QUERY) == [Document(id="1", page_content=FACTS[0], metadata={"title": "Ice"})]
    assert call(store, "get_by_ids", ["1"]) == [Document(id="1", page_content=FACTS[0], metadata={"title": "Ice"})]


def test_pickling(store: JinaEISVectorStore) -> None:
    loaded = pickle.loads(pickle.dumps(store))
    with loaded:
        assert loaded.similarity_search(QUERY) == store.similarity_search(QUERY)
        retriever = pickle.loads(pickle.dumps(store.as_retriever(search_kwargs={"k": 1})))
        assert retriever.invoke(QUERY) == store.similarity_search(QUERY, k=1)
        retriever.vectorstore.close()
