"""`langchain_jina_eis.JinaEISRetriever` over real HTTP to the embedded EIS. One body for sync and async."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from made import png

from jina_eis.errors import (
    ConfigurationError,
    DocumentsFailedError,
    EndpointNotFoundError,
    IndexNotFoundError,
    InputError,
    JinaEISError,
)
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever

OMNI = ".jina-embeddings-v5-omni-small"
RERANKER = ".jina-reranker-v3"
TEXTS = [
    "A glacier is ice that flows slowly downhill under its own weight.",
    "Bread rises because yeast makes gas.",
    "Cats sleep for most of the day.",
    "Yeast is a fungus; bakers and brewers keep it.",
    "The moon pulls the sea, and the tide follows.",
]
METADATAS = [{"n": n, "topic": topic} for n, topic in enumerate(("ice", "food", "animals", "food", "sea"))]


class Face:
    """The sync or the async half of the adapter, called alike."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def __call__(self, retriever: JinaEISRetriever, name: str, *arguments: Any, **how: Any) -> Any:
        if self.asynchronous:
            return asyncio.run(getattr(retriever, f"a{name}")(*arguments, **how))
        return getattr(retriever, name)(*arguments, **how)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def make(eis: LocalEIS) -> Iterator[Callable[..., JinaEISRetriever]]:
    """Retrievers over an index of the test's own."""
    made: list[JinaEISRetriever] = []
    name = f"test-{uuid.uuid4().hex}"

    def build(**arguments: Any) -> JinaEISRetriever:
        made.append(JinaEISRetriever(**{"es_url": eis.url, "index_name": name, **arguments}))
        return made[-1]

    yield build
    for retriever in made:
        retriever.close()
    with Elasticsearch(eis.url) as client:
        client.options(ignore_status=404).indices.delete(index=name)


def found(documents: list[Document]) -> list[int]:
    return [document.metadata["n"] for document in documents]


@pytest.mark.parametrize("search_type", ["semantic", "knn", "hybrid"])
@pytest.mark.parametrize("rerank", [None, RERANKER])
def test_what_was_added_is_found(make: Any, face: Face, eis: LocalEIS, search_type: str, rerank: str | None) -> None:
    retriever = make(search_type=search_type, rerank_inference_id=rerank)
    ids = face(retriever, "add_texts", TEXTS, METADATAS)
    documents = face(retriever, "invoke", "How do glaciers move?")
    assert documents[0].page_content == TEXTS[0]
    assert documents[0].id == ids[0]
    assert sorted(found(documents)) == [0, 1, 2, 3, 4]
    assert {"n", "topic", "_index", "_score"} <= set(documents[0].metadata)
    assert ("relevance_score" in documents[0].metadata) == bool(rerank)
    assert "embedding" not in documents[0].metadata
    eis.clear()
    assert face(retriever, "invoke", "How do glaciers move?", k=1) == documents[:1]
    assert [exchange.path for exchange in eis.requests] == [f"/{retriever.index_name}/_search"]  # one request, whatever it does


def test_one_request_searches_fuses_and_reranks(make: Any, face: Face, eis: LocalEIS) -> None:
    retriever = make(search_type="hybrid", rerank_inference_id=RERANKER, k=3)
    face(retriever, "add_texts", TEXTS, METADATAS)
    documents = face(retriever, "invoke", "yeast")
    own = JinaEISRerank(es_url=eis.url, top_n=None).rerank(TEXTS, "yeast")
    assert found(documents) == [each["index"] for each in own][:3]
    assert [document.metadata["relevance_score"] for document in documents] == pytest.approx(
        [each["relevance_score"] for each in own][:3], abs=1e-4
    )


def test_the_filter_of_the_object_and_of_the_call(make: Any, face: Face) -> None:
    food = {"term": {"metadata.topic.keyword": {"value": "food"}}}
    for search_type in ("semantic", "hybrid"):
        retriever = make(search_type=search_type, filter=food)
        if search_type == "semantic":
            face(retriever, "add_texts", TEXTS, METADATAS)
        assert sorted(found(face(retriever, "invoke", "yeast"))) == [1, 3]
        assert found(face(retriever, "invoke", "yeast", filter={"range": {"metadata.n": {"gte": 2}}})) == [3]


def test_a_least_score_is_the_rerankers_own(make: Any, face: Face) -> None:
    face(make(), "add_texts", TEXTS, METADATAS)
    every = face(make(rerank_inference_id=RERANKER), "invoke", "yeast")
    scores = [document.metadata["relevance_score"] for document in every]
    least = (scores[1] + scores[2]) / 2
    assert found(face(make(rerank_inference_id=RERANKER, min_score=least), "invoke", "yeast")) == found(every)[:2]
    plain = face(make(), "invoke", "yeast")
    least = (plain[1].metadata["_score"] + plain[2].metadata["_score"]) / 2
    assert found(face(make(min_score=least), "invoke", "yeast")) == found(plain)[:2]


def test_best_passages_and_chosen_fields(make: Any, face: Face) -> None:
    retriever = make(
        highlight=2,
        source_fields=["metadata.n"],
        chunking_settings={"strategy": "sentence", "max_chunk_size": 20, "sentence_overlap": 0},
    )
    long = " ".join(f"This is sentence number {n} about nothing in particular, and it is of some length." for n in range(20))
    face(retriever, "add_texts", [f"{long} A glacier is ice that flows downhill. {long}"], [{"n": 0, "topic": "x"}])
    (document,) = face(retriever, "invoke", "How do glaciers move?")
    assert "glacier" in document.metadata["highlights"][0]
    assert len(document.metadata["highlights"]) == 2
    assert set(document.metadata) == {"n", "_index", "_score", "highlights"}


def test_a_query_stays_what_it_is(make: Any, face: Face, eis: LocalEIS) -> None:
    retriever = make(search_type="hybrid", rerank_inference_id=RERANKER)
    face(retriever, "add_texts", TEXTS, METADATAS)
    for query in (
        '"} , {"match_all": {}',
        "{{#toJson}}x{{/toJson}}",
        "a' OR 1=1 --",
        "<script>",
        "yeast AND (bread OR NOT",
        "\\",
        "*:*",
    ):
        assert len(face(retriever, "invoke", query)) == 5
        reranker = eis.requests[-1].body["retriever"]["text_similarity_reranker"]
        assert reranker["inference_text"] == query
    for empty in ("", "  "):
        with pytest.raises(InputError, match="empty"):
            face(retriever, "invoke", empty)


def test_images_are_found_by_images_and_beside_texts(make: Any, face: Face, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png(shade=1))
    for field_type, search_type in (("semantic", "semantic"), ("dense_vector", "knn")):
        retriever = make(
            search_type=search_type,
            field=field_type.replace("_", "-"),
            field_type=field_type,
            inference_id=OMNI,
            index_name=f"media-{uuid.uuid4().hex}",
        )
        documents = [Document(page_content=f"picture {n}", metadata={"n": n}) for n in range(3)]
        face(retriever, "add_contents", [path, png(shade=2), png(shade=3)], documents)
        face(retriever, "add_texts", ["A cat on a mat."], [{"n": 3}])
        assert face(retriever, "invoke", png(shade=2), k=1)[0].page_content == "picture 1"
        assert found(face(retriever, "invoke", path, k=1)) == [0]
        assert face(retriever, "invoke", "A cat on a mat.", k=1)[0].metadata["n"] == 3


def test_texts_of_a_text_model_are_searched_by_its_omni_model(make: Any, face: Face) -> None:
    face(make(), "add_texts", TEXTS, METADATAS)
    retriever = make(inference_id=OMNI)
    assert found(face(retriever, "invoke", "How do glaciers move?", k=1)) == [0]
    assert len(face(retriever, "invoke", png())) == 5
    with pytest.raises(InputError, match=f"embeds text only. {OMNI} does, in the same vector space"):
        face(make(), "invoke", png())
    with pytest.raises(ConfigurationError, match="different vector spaces"):
        face(make(inference_id=".jina-embeddings-v5-text-nano"), "invoke", "ice")


def test_cut_vectors(make: Any, face: Face, eis: LocalEIS) -> None:
    retriever = make(search_type="knn", dimensions=256)
    face(retriever, "add_texts", TEXTS, METADATAS)
    assert found(face(retriever, "invoke", "How do glaciers move?", k=1)) == [0]
    own = JinaEISEmbeddings(es_url=eis.url, dimensions=256)
    assert len(eis.requests[-1].body["retriever"]["knn"]["query_vector"]) == len(own.embed_query("x")) == 256
    with pytest.raises(ConfigurationError, match="dimensions=512: the vectors in 'embedding' have 256"):
        face(make(search_type="knn", dimensions=512), "invoke", "ice")
    with pytest.raises(ConfigurationError, match="the vectors of a semantic_text field are as long as its endpoint's"):
        make(field_type="semantic_text", dimensions=256)


def test_an_index_that_is_gone_is_made_again_by_the_same_object(make: Any, face: Face) -> None:
    retriever = make()
    face(retriever, "add_texts", TEXTS, METADATAS)
    assert found(face(retriever, "invoke", "How do glaciers move?", k=1)) == [0]
    face(retriever, "delete_index")
    with pytest.raises(IndexNotFoundError):
        face(retriever, "invoke", "ice")
    make(search_type="knn", field="vectors").add_texts(TEXTS, METADATAS)  # by another, and otherwise
    with pytest.raises(ConfigurationError, match=r"no field for that, but vectors \(dense_vector\)"):
        face(retriever, "invoke", "ice")
    with pytest.raises(InputError, match="There are fewer ids than documents"):
        face(make(search_type="knn"), "add_texts", TEXTS, ids=["1"])
    with pytest.raises(InputError, match="There are more metadatas than documents"):
        face(make(search_type="knn"), "add_texts", TEXTS[:1], METADATAS)


def test_an_index_of_somebody_else(make: Any, face: Face, eis: LocalEIS) -> None:
    name = make().index_name
    with Elasticsearch(eis.url) as client:
        client.indices.create(
            index=name, mappings={"properties": {"body": {"type": "semantic_text"}, "title": {"type": "keyword"}}}
        )
        client.index(index=name, id="1", document={"body": TEXTS[0], "title": "ice", "metadata": "a string"})
    (document,) = face(make(), "invoke", "glacier")
    assert document.page_content == TEXTS[0]
    assert document.metadata["title"] == "ice"
    assert document.metadata["metadata"] == "a string"


def test_documents_are_replaced_and_deleted_by_their_ids(make: Any, face: Face) -> None:
    retriever = make()
    documents = [Document(id=str(n), page_content=text, metadata={"n": n}) for n, text in enumerate(TEXTS)]
    assert face(retriever, "add_documents", documents) == ["0", "1", "2", "3", "4"]
    assert face(retriever, "add_documents", [Document(page_content="Glaciers carve valleys.", metadata={"n": 9})], ids=["0"]) == [
        "0"
    ]
    assert found(face(retriever, "invoke", "glacier", k=1)) == [9]
    face(retriever, "delete", ["0", "nobody"])
    assert sorted(found(face(retriever, "invoke", "glacier"))) == [1, 2, 3, 4]


def test_of_many_documents_three_are_bad(make: Any, face: Face, eis: LocalEIS) -> None:
    retriever = make()
    good = [Document(id=str(n), page_content=f"text number {n % 50}", metadata={"n": n}) for n in range(1000)]
    eis.faults.poison("poison", "eis_5xx")
    good[17] = Document(id="17", page_content="poison", metadata={"n": 17})
    good[500] = Document(id="500", page_content="text", metadata={"n": "not a number"})
    good[999] = Document(id="999", page_content="text", metadata={"n": object()})
    with pytest.raises(
        DocumentsFailedError, match=r"3 of 1000 documents failed: '17': .*'500': .*'999': .*The others were written"
    ) as caught:
        face(retriever, "add_documents", good)
    assert set(caught.value.failed) == {"17", "500", "999"}
    assert len(caught.value.indexed) == 997
    with Elasticsearch(eis.url) as client:
        assert client.count(index=retriever.index_name)["count"] == 997


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_nothing_is_lost_under_faults(make: Any, face: Face, eis: LocalEIS, search_type: str) -> None:
    eis.faults.some(0.2, ["rate_limit", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"], seed=3)
    retriever = make(search_type=search_type)
    ids = face(retriever, "add_texts", [f"text number {n}" for n in range(1500)])
    eis.faults.some(0.2, ["rate_limit", "unavailable", "bad_gateway", "drop", "cut"], seed=3)
    assert all(len(face(retriever, "invoke", f"text number {n}", k=3)) == 3 for n in range(20))
    eis.faults.clear()
    with Elasticsearch(eis.url) as client:
        assert client.count(index=retriever.index_name)["count"] == len(set(ids)) == 1500


def test_a_cancelled_ingest_sends_no_more() -> None:
    async def cancelled(eis: LocalEIS) -> None:
        async with JinaEISRetriever(es_url=eis.url, index_name="large") as retriever:
            task = asyncio.create_task(retriever.aadd_texts(f"text number {n}" for n in range(100_000)))
            while not any(exchange.path.endswith("_bulk") for exchange in eis.requests):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with LocalEIS(model="hash", record=True) as eis:  # one of its own: it may still be busy when the task is gone
        asyncio.run(cancelled(eis))
        eis.clear()
        time.sleep(1)
        assert len(eis.requests) <= 32  # those that were under way, which the server answers all the same
        eis.clear()
        time.sleep(0.5)
        assert eis.requests == []


def test_a_missing_index_field_or_endpoint(make: Any, face: Face, eis: LocalEIS) -> None:
    name = make().index_name
    with pytest.raises(IndexNotFoundError, match=f"There is no index '{name}'. Documents that are added create it"):
        face(make(), "invoke", "ice")
    face(make(), "add_texts", TEXTS, METADATAS)
    for settings, kind, told in (
        ({"field": "body"}, ConfigurationError, "no field 'body', but embedding (semantic_text)"),
        ({"search_type": "knn"}, ConfigurationError, "no field for that, but embedding (semantic_text)"),
        ({"rerank_inference_id": "nobody"}, EndpointNotFoundError, "There is no inference endpoint 'nobody'."),
        ({"rerank_inference_id": ".jina-embeddings-v3"}, ConfigurationError, "is an endpoint for text_embedding, not for rerank"),
        ({"rerank_inference_id": RERANKER, "rank_window_size": 100}, ConfigurationError, "sees 64 documents at a time"),
        ({"filter": {"topic": "food"}}, ConfigurationError, "is no query of Elasticsearch"),
        ({"filter": {"nonsense": {"a": 1}}}, JinaEISError, "nonsense"),
        ({"k": 0}, ConfigurationError, "k: "),
        ({"index_nam": "x"}, ConfigurationError, "has no argument index_nam. Did you mean index_name?"),
    ):
        with pytest.raises(kind) as caught:
            face(make(**settings), "invoke", "ice")
        assert told in str(caught.value)
    eis.clear()  # of the filter that is nonsense, which the OpenAPI does not know either
    with pytest.raises(ConfigurationError, match=r"k=0: it is a whole number from 1 to 10,000"):
        face(make(), "invoke", "ice", k=0)


def test_many_threads_and_loops_share_one_object(make: Any) -> None:
    retriever = make()
    retriever.add_texts(TEXTS, METADATAS)
    wanted = found(retriever.invoke("yeast"))
    seen: list[list[int]] = []

    def sync() -> None:
        seen.append(found(retriever.invoke("yeast")))

    def loop() -> None:
        async def several() -> None:
            seen.extend([found(each) for each in await asyncio.gather(*(retriever.ainvoke("yeast") for _ in range(4)))])

        asyncio.run(several())

    threads = [threading.Thread(target=target) for target in [sync] * 10 + [loop] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [wanted] * 22


def test_it_is_a_runnable_that_can_be_pickled_and_traced(make: Any, face: Face) -> None:
    retriever = make(es_api_key="secret-key")
    retriever.add_texts(TEXTS, METADATAS)
    chain = retriever | RunnableLambda(lambda documents: documents[0].page_content)
    assert chain.invoke("How do glaciers move?") == TEXTS[0]
    assert found(pickle.loads(pickle.dumps(retriever)).invoke("yeast")) == found(retriever.invoke("yeast"))
    params = retriever._get_ls_params()
    assert params["ls_retriever_name"] == "jinaeis"
    assert params["ls_vector_store_provider"] == "Elasticsearch"
    assert "secret-key" not in repr(retriever) + str(params) + retriever.model_dump_json()


def test_made_of_texts_or_documents(make: Any, eis: LocalEIS, face: Face) -> None:
    settings = {"es_url": eis.url, "index_name": make().index_name}
    documents = [Document(page_content=text, metadata=metadata) for text, metadata in zip(TEXTS, METADATAS, strict=True)]
    if face.asynchronous:
        first = asyncio.run(JinaEISRetriever.afrom_texts(TEXTS[:2], METADATAS[:2], ids=["a", "b"], **settings))
        asyncio.run(JinaEISRetriever.afrom_documents(documents[2:], **settings))
    else:
        first = JinaEISRetriever.from_texts(TEXTS[:2], METADATAS[:2], ids=["a", "b"], **settings)
        JinaEISRetriever.from_documents(documents[2:], **settings)
    assert sorted(found(face(first, "invoke", "ice"))) == [0, 1, 2, 3, 4]
    assert face(first, "invoke", "glacier", k=1)[0].id == "a"
