"""`langchain_jina_eis.JinaEISRetriever` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import asyncio
import pickle
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import FACTS, OMNI, RERANKER, Caller, run_in_threads
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from made import pdf, png, wav

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

TEXTS = [*FACTS, "The moon pulls the sea, and the tide follows."]
METADATAS = [{"n": n, "topic": topic} for n, topic in enumerate(("ice", "food", "animals", "food", "sea"))]


@pytest.fixture
def make(connect: Callable[..., Any], index_name: str) -> Callable[..., JinaEISRetriever]:
    """Creates retrievers on the index of the test, whose documents show their scores."""
    return partial(connect, JinaEISRetriever, index_name=index_name, include_scores=True)


def numbers(documents: list[Document]) -> list[int]:
    return [document.metadata["n"] for document in documents]


@pytest.mark.parametrize("search_type", ["semantic", "knn", "hybrid"])
@pytest.mark.parametrize("rerank", [None, RERANKER])
def test_added_texts_are_found(make: Any, call: Caller, eis: LocalEIS, search_type: str, rerank: str | None) -> None:
    retriever = make(search_type=search_type, rerank_inference_id=rerank)
    ids = call(retriever, "add_texts", TEXTS, METADATAS)
    documents = call(retriever, "invoke", "How do glaciers move?")
    assert documents[0].page_content == TEXTS[0]
    assert documents[0].id == ids[0]
    assert sorted(numbers(documents)) == [0, 1, 2, 3, 4]
    assert {"n", "topic", "_id", "_index", "_score"} <= set(documents[0].metadata)
    assert ("relevance_score" in documents[0].metadata) == bool(rerank)
    assert "embedding" not in documents[0].metadata
    eis.clear()
    assert call(retriever, "invoke", "How do glaciers move?", k=1) == documents[:1]
    assert [exchange.path for exchange in eis.requests] == [
        f"/{retriever.index_name}/_search"
    ]  # one request for all search types


def test_one_request_searches_fuses_and_reranks(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make(search_type="hybrid", rerank_inference_id=RERANKER, k=3)
    call(retriever, "add_texts", TEXTS, METADATAS)
    documents = call(retriever, "invoke", "yeast")
    own = JinaEISRerank(es_url=eis.url, top_n=None).rerank(TEXTS, "yeast")
    assert numbers(documents) == [entry["index"] for entry in own][:3]
    assert [document.metadata["relevance_score"] for document in documents] == pytest.approx(
        [entry["relevance_score"] for entry in own][:3], abs=1e-4
    )


def test_filters_of_the_object_and_of_the_call(make: Any, call: Caller) -> None:
    food = {"term": {"metadata.topic.keyword": {"value": "food"}}}
    for search_type in ("semantic", "hybrid"):
        retriever = make(search_type=search_type, filter=food)
        if search_type == "semantic":
            call(retriever, "add_texts", TEXTS, METADATAS)
        assert sorted(numbers(call(retriever, "invoke", "yeast"))) == [1, 3]
        assert numbers(call(retriever, "invoke", "yeast", filter={"range": {"metadata.n": {"gte": 2}}})) == [3]


def test_min_score_applies_to_the_score_of_the_reranker(make: Any, call: Caller) -> None:
    call(make(), "add_texts", TEXTS, METADATAS)
    reranked = call(make(rerank_inference_id=RERANKER), "invoke", "yeast")
    scores = [document.metadata["relevance_score"] for document in reranked]
    threshold = (scores[1] + scores[2]) / 2
    assert numbers(call(make(rerank_inference_id=RERANKER, min_score=threshold), "invoke", "yeast")) == numbers(reranked)[:2]
    plain = call(make(), "invoke", "yeast")
    threshold = (plain[1].metadata["_score"] + plain[2].metadata["_score"]) / 2
    assert numbers(call(make(min_score=threshold), "invoke", "yeast")) == numbers(plain)[:2]


def test_highlight_and_source_fields(make: Any, call: Caller) -> None:
    retriever = make(
        highlight=2,
        source_fields=["metadata.n"],
        chunking_settings={"strategy": "sentence", "max_chunk_size": 20, "sentence_overlap": 0},
    )
    long = " ".join(f"This is sentence number {n} about nothing in particular, and it is of some length." for n in range(20))
    call(retriever, "add_texts", [f"{long} A glacier is ice that flows downhill. {long}"], [{"n": 0, "topic": "x"}])
    (document,) = call(retriever, "invoke", "How do glaciers move?")
    assert "glacier" in document.metadata["highlights"][0]
    assert len(document.metadata["highlights"]) == 2
    assert set(document.metadata) == {"n", "_id", "_index", "_score", "highlights"}


def test_a_query_is_not_interpreted(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make(search_type="hybrid", rerank_inference_id=RERANKER)
    call(retriever, "add_texts", TEXTS, METADATAS)
    for query in (
        '"} , {"match_all": {}',
        "{{#toJson}}x{{/toJson}}",
        "a' OR 1=1 --",
        "<script>",
        "yeast AND (bread OR NOT",
        "\\",
        "*:*",
    ):
        assert len(call(retriever, "invoke", query)) == 5
        reranker = eis.requests[-1].body["retriever"]["text_similarity_reranker"]
        assert reranker["inference_text"] == query
    for empty in ("", "  "):
        with pytest.raises(InputError, match="empty"):
            call(retriever, "invoke", empty)


def test_images_are_found_by_images_in_an_index_with_texts(make: Any, call: Caller, tmp_path: Path) -> None:
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
        call(retriever, "add_contents", [path, png(shade=2), png(shade=3)], documents)
        call(retriever, "add_texts", ["A cat on a mat."], [{"n": 3}])
        assert call(retriever, "invoke", png(shade=2), k=1)[0].page_content == "picture 1"
        assert numbers(call(retriever, "invoke", path, k=1)) == [0]
        assert call(retriever, "invoke", "A cat on a mat.", k=1)[0].metadata["n"] == 3


FIELDS = [{"field_type": "semantic"}, {"search_type": "knn"}]


@pytest.mark.parametrize("field", FIELDS, ids=["semantic", "dense_vector"])
def test_a_pdf_is_indexed_page_by_page(make: Any, call: Caller, tmp_path: Path, field: dict[str, str]) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf(texts=TEXTS))
    retriever = make(inference_id=OMNI, **field)
    ids = call(retriever, "add_contents", [path])
    assert len(ids) == len(TEXTS)
    (found,) = call(retriever, "invoke", TEXTS[1], k=1)
    known = {"source": str(path), "mime_type": "application/pdf", "modality": "pdf", "page": 2, "pages": len(TEXTS)}
    assert {name: found.metadata[name] for name in known} == known
    assert found.id == ids[1]


@pytest.mark.parametrize("field", FIELDS, ids=["semantic", "dense_vector"])
def test_ids_and_documents_of_pages(make: Any, call: Caller, field: dict[str, str]) -> None:
    retriever, report = make(inference_id=OMNI, **field), pdf(texts=TEXTS[:2])
    assert call(retriever, "add_contents", [report, pdf(texts=["One page."])], ids=["a", "b"]) == ["a-1", "a-2", "b"]
    own = Document(page_content="My text", id="c", metadata={"owner": "Ada", "pages": 7})
    assert call(retriever, "add_contents", [report], [own]) == ["c-1", "c-2"]
    found = call(retriever, "invoke", TEXTS[0], k=2)
    metadata = {document.id: document.metadata for document in found}
    assert set(metadata) == {"a-1", "c-1"} and "source" not in metadata["a-1"]
    assert (metadata["c-1"]["owner"], metadata["c-1"]["page"], metadata["c-1"]["pages"]) == ("Ada", 1, 7)
    assert "mime_type" not in metadata["c-1"], "a document of the user is not described"
    assert own.metadata == {"owner": "Ada", "pages": 7}
    once, again = (call(retriever, "add_contents", [report], ids="content") for _ in range(2))
    assert once == again and len(set(once)) == 2


def test_a_picture_that_is_found_can_be_identified(make: Any, call: Caller, tmp_path: Path) -> None:
    for shade in (20, 230):
        (tmp_path / f"{shade}.png").write_bytes(png(30, 40, shade=shade))
    retriever = make(inference_id=OMNI, search_type="knn")
    call(retriever, "add_contents", [*sorted(tmp_path.glob("*.png")), wav(8000)])
    (found,) = call(retriever, "invoke", tmp_path / "230.png", k=1)
    known = {"source": str(tmp_path / "230.png"), "mime_type": "image/png", "modality": "image", "width": 30, "height": 40}
    assert {name: found.metadata[name] for name in known} == known
    (sound,) = call(retriever, "invoke", wav(8000), k=1)
    assert (sound.metadata["mime_type"], sound.metadata["modality"]) == ("audio/wav", "audio") and "source" not in sound.metadata


def test_a_field_of_texts_is_not_made_for_media(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make(inference_id=OMNI)
    with pytest.raises(DocumentsFailedError, match='Create an index with field_type="semantic"'):
        call(retriever, "add_contents", [pdf(texts=TEXTS), png()])
    assert not [exchange for exchange in eis.requests if exchange.method == "PUT"], "no index was made"


def test_texts_of_a_text_model_are_searched_by_its_omni_model(make: Any, call: Caller) -> None:
    call(make(), "add_texts", TEXTS, METADATAS)
    retriever = make(inference_id=OMNI)
    assert numbers(call(retriever, "invoke", "How do glaciers move?", k=1)) == [0]
    assert len(call(retriever, "invoke", png())) == 5
    with pytest.raises(InputError, match=f"embeds only text. {OMNI} does, in the same vector space"):
        call(make(), "invoke", png())
    with pytest.raises(ConfigurationError, match="different vector spaces"):
        call(make(inference_id=".jina-embeddings-v5-text-nano"), "invoke", "ice")


def test_truncated_vectors(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make(search_type="knn", dimensions=256)
    call(retriever, "add_texts", TEXTS, METADATAS)
    assert numbers(call(retriever, "invoke", "How do glaciers move?", k=1)) == [0]
    own = JinaEISEmbeddings(es_url=eis.url, dimensions=256)
    assert len(eis.requests[-1].body["retriever"]["knn"]["query_vector"]) == len(own.embed_query("x")) == 256
    with pytest.raises(ConfigurationError, match="dimensions=512: the vectors in 'embedding' have 256"):
        call(make(search_type="knn", dimensions=512), "invoke", "ice")
    with pytest.raises(ConfigurationError, match="the vectors of a semantic_text field are as long as its endpoint's"):
        make(field_type="semantic_text", dimensions=256)


def test_a_deleted_index_is_created_again(make: Any, call: Caller) -> None:
    retriever = make()
    call(retriever, "add_texts", TEXTS, METADATAS)
    assert numbers(call(retriever, "invoke", "How do glaciers move?", k=1)) == [0]
    call(retriever, "delete_index")
    with pytest.raises(IndexNotFoundError):
        call(retriever, "invoke", "ice")
    make(search_type="knn", field="vectors").add_texts(TEXTS, METADATAS)  # by another object, with other settings
    with pytest.raises(ConfigurationError, match=r"has no such field, but vectors \(dense_vector\)"):
        call(retriever, "invoke", "ice")
    with pytest.raises(InputError, match="There are fewer ids than documents"):
        call(make(search_type="knn"), "add_texts", TEXTS, ids=["1"])
    with pytest.raises(InputError, match="There are more metadatas than documents"):
        call(make(search_type="knn"), "add_texts", TEXTS[:1], METADATAS)


def test_an_index_of_another_application(make: Any, call: Caller, eis: LocalEIS) -> None:
    name = make().index_name
    with Elasticsearch(eis.url) as client:
        client.indices.create(
            index=name, mappings={"properties": {"body": {"type": "semantic_text"}, "title": {"type": "keyword"}}}
        )
        client.index(index=name, id="1", document={"body": TEXTS[0], "title": "ice", "metadata": "a string"}, refresh=True)
    (document,) = call(make(), "invoke", "glacier")
    assert document.page_content == TEXTS[0]
    assert document.metadata["title"] == "ice"
    assert document.metadata["metadata"] == "a string"


def test_documents_are_replaced_and_deleted_by_id(make: Any, call: Caller) -> None:
    retriever = make()
    documents = [Document(id=str(n), page_content=text, metadata={"n": n}) for n, text in enumerate(TEXTS)]
    assert call(retriever, "add_documents", documents) == ["0", "1", "2", "3", "4"]
    assert call(retriever, "add_documents", [Document(page_content="Glaciers carve valleys.", metadata={"n": 9})], ids=["0"]) == [
        "0"
    ]
    assert numbers(call(retriever, "invoke", "glacier", k=1)) == [9]
    call(retriever, "delete", ["0", "missing"])
    assert sorted(numbers(call(retriever, "invoke", "glacier"))) == [1, 2, 3, 4]


def test_three_of_many_documents_fail(make: Any, call: Caller, eis: LocalEIS) -> None:
    retriever = make()
    documents = [Document(id=str(n), page_content=f"text number {n % 50}", metadata={"n": n}) for n in range(1000)]
    eis.faults.poison("poison", "eis_5xx")
    documents[17] = Document(id="17", page_content="poison", metadata={"n": 17})
    documents[500] = Document(id="500", page_content="text", metadata={"n": "not a number"})
    documents[999] = Document(id="999", page_content="text", metadata={"n": object()})
    with pytest.raises(
        DocumentsFailedError, match=r"3 of 1000 documents failed: '17': .*'500': .*'999': .*The others were written"
    ) as caught:
        call(retriever, "add_documents", documents)
    assert set(caught.value.failed) == {"17", "500", "999"}
    assert len(caught.value.indexed) == 997
    with Elasticsearch(eis.url) as client:
        assert client.count(index=retriever.index_name)["count"] == 997


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_no_document_is_lost_under_faults(make: Any, call: Caller, eis: LocalEIS, search_type: str) -> None:
    eis.faults.some(0.2, ["rate_limit", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"], seed=3)
    retriever = make(search_type=search_type)
    ids = call(retriever, "add_texts", [f"text number {n}" for n in range(1500)])
    eis.faults.some(0.2, ["rate_limit", "unavailable", "bad_gateway", "drop", "cut"], seed=3)
    assert all(len(call(retriever, "invoke", f"text number {n}", k=3)) == 3 for n in range(20))
    eis.faults.clear()
    with Elasticsearch(eis.url) as client:
        assert client.count(index=retriever.index_name)["count"] == len(set(ids)) == 1500


def test_a_cancelled_ingest_stops_sending() -> None:
    async def cancel(eis: LocalEIS) -> None:
        async with JinaEISRetriever(es_url=eis.url, index_name="large") as retriever:
            task = asyncio.create_task(retriever.aadd_texts(f"text number {n}" for n in range(100_000)))
            while not any(exchange.path.endswith("_bulk") for exchange in eis.requests):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with LocalEIS(model="hash", record=True) as eis:  # a separate server: it may still be busy after the task has ended
        asyncio.run(cancel(eis))
        eis.clear()
        time.sleep(1)
        assert len(eis.requests) <= 32  # the requests in flight, which the server still processes
        eis.clear()
        time.sleep(0.5)
        assert eis.requests == []


def test_a_missing_index_field_or_endpoint(make: Any, call: Caller, eis: LocalEIS) -> None:
    name = make().index_name
    with pytest.raises(IndexNotFoundError, match=f"There is no index '{name}'. Check index_name; adding documents creates it"):
        call(make(), "invoke", "ice")
    call(make(), "add_texts", TEXTS, METADATAS)
    for settings, kind, message in (
        ({"field": "body"}, ConfigurationError, "no field 'body', but embedding (semantic_text)"),
        ({"search_type": "knn"}, ConfigurationError, "has no such field, but embedding (semantic_text)"),
        ({"rerank_inference_id": "missing"}, EndpointNotFoundError, "There is no inference endpoint 'missing'."),
        ({"rerank_inference_id": ".jina-embeddings-v3"}, ConfigurationError, "is an endpoint for text_embedding, not for rerank"),
        ({"rerank_inference_id": RERANKER, "rank_window_size": 100}, ConfigurationError, "takes 64 documents in a call"),
        ({"filter": "topic:food"}, ConfigurationError, "is no filter. Pass an Elasticsearch query"),
        ({"filter": {"nonsense": {"a": 1}}}, JinaEISError, "nonsense"),
        ({"k": 0}, ConfigurationError, "k: "),
        ({"index_nam": "x"}, ConfigurationError, "has no argument index_nam. Did you mean index_name?"),
    ):
        with pytest.raises(kind) as caught:
            call(make(**settings), "invoke", "ice")
        assert message in str(caught.value)
    eis.clear()  # the OpenAPI does not define the invalid query either
    with pytest.raises(ConfigurationError, match=r"k=0: pass a whole number from 1 to 10,000"):
        call(make(), "invoke", "ice", k=0)


def test_one_object_works_in_many_loops_and_threads_at_once(make: Any) -> None:
    retriever = make()
    retriever.add_texts(TEXTS, METADATAS)
    expected = numbers(retriever.invoke("yeast"))
    results: list[list[int]] = []

    def sync() -> None:
        results.append(numbers(retriever.invoke("yeast")))

    def loop() -> None:
        async def several() -> None:
            results.extend(
                [numbers(documents) for documents in await asyncio.gather(*(retriever.ainvoke("yeast") for _ in range(4)))]
            )

        asyncio.run(several())

    run_in_threads([sync] * 10 + [loop] * 3)
    assert results == [expected] * 22


def test_it_is_a_runnable_that_can_be_pickled_and_traced(make: Any, call: Caller) -> None:
    retriever = make(es_api_key="secret-key")
    retriever.add_texts(TEXTS, METADATAS)
    chain = retriever | RunnableLambda(lambda documents: documents[0].page_content)
    assert chain.invoke("How do glaciers move?") == TEXTS[0]
    assert numbers(pickle.loads(pickle.dumps(retriever)).invoke("yeast")) == numbers(retriever.invoke("yeast"))
    params = retriever._get_ls_params()
    assert params["ls_retriever_name"] == "jinaeis"
    assert params["ls_vector_store_provider"] == "Elasticsearch"
    assert "secret-key" not in repr(retriever) + str(params) + retriever.model_dump_json()


def test_from_texts_and_from_documents(make: Any, eis: LocalEIS, call: Caller) -> None:
    settings = {"es_url": eis.url, "index_name": make().index_name}
    documents = [Document(page_content=text, metadata=metadata) for text, metadata in zip(TEXTS, METADATAS, strict=True)]
    if call.asynchronous:
        first = asyncio.run(JinaEISRetriever.afrom_texts(TEXTS[:2], METADATAS[:2], ids=["a", "b"], **settings))
        asyncio.run(JinaEISRetriever.afrom_documents(documents[2:], **settings))
    else:
        first = JinaEISRetriever.from_texts(TEXTS[:2], METADATAS[:2], ids=["a", "b"], **settings)
        JinaEISRetriever.from_documents(documents[2:], **settings)
    assert sorted(numbers(call(first, "invoke", "ice"))) == [0, 1, 2, 3, 4]
    assert call(first, "invoke", "glacier", k=1)[0].id == "a"
