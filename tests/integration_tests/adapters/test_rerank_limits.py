"""What a rerank request may hold, and images in it, over HTTP in both frameworks. One test body for sync and async."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers import QUERY, Caller, passages, posts
from langchain_core.documents import Document
from langchain_core.documents.base import Blob
from llama_index.core.schema import ImageNode, MediaResource, Node, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from made import png

from jina_eis.errors import ConfigurationError, InputError, RequestTooLargeError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISRerank, JinaEISRetriever, JinaEISVectorStore
from llama_index_jina_eis import JinaEISRerank as LlamaIndexRerank
from llama_index_jina_eis import JinaEISRetriever as LlamaIndexRetriever
from llama_index_jina_eis import JinaEISVectorStore as LlamaIndexStore

V2, V3, V35 = ".jina-reranker-v2-base-multilingual", ".jina-reranker-v3", ".jina-reranker-v3.5"
M0 = ".jina-reranker-m0"
WORDS = "All human beings are born free and equal. "  # 9 tokens of Qwen's tokenizer

Rank = Callable[..., list[tuple[int, float]]]


@pytest.fixture(params=["langchain", "llama_index"])
def rank(request: pytest.FixtureRequest, call: Caller, connect: Callable[..., Any]) -> Rank:
    """Ranks texts with a new object. Returns positions and scores."""

    def by_langchain(texts: Sequence[str], **settings: Any) -> list[tuple[int, float]]:
        documents = [Document(page_content=text, metadata={"n": n}) for n, text in enumerate(texts)]
        ranked = call(connect(JinaEISRerank, top_n=None, **settings), "compress_documents", documents, QUERY)
        return [(document.metadata["n"], document.metadata["relevance_score"]) for document in ranked]

    def by_llama_index(texts: Sequence[str], **settings: Any) -> list[tuple[int, float]]:
        nodes = [NodeWithScore(node=TextNode(text=text, id_=str(n)), score=0.0) for n, text in enumerate(texts)]
        ranked = call(connect(LlamaIndexRerank, top_n=None, **settings), "postprocess_nodes", nodes, query_str=QUERY)
        return [(int(node.node_id), node.score) for node in ranked]

    return by_langchain if request.param == "langchain" else by_llama_index


@pytest.mark.parametrize("inference_id", [None, V3, V2])
def test_a_hundred_documents_of_16_000_tokens_are_ranked(rank: Rank, eis: LocalEIS, inference_id: str | None) -> None:
    documents = [f"{text}. {WORDS * 1_800}" for text in passages(100)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ranked = rank(documents, inference_id=inference_id)
    assert sorted(position for position, _ in ranked) == list(range(100))
    assert ["tokens that jina-reranker-v" in str(warning.message) for warning in caught] == [True]
    bodies = [exchange.body for exchange in posts(eis) if "/rerank/" in exchange.path]
    sent = {text for body in bodies for text in body["input"]}
    assert {len(text) < 64_000 for text in sent} == {inference_id is None}  # only v3.5 gets the start of a document
    assert all(exchange.status == 200 for exchange in posts(eis))


@pytest.mark.parametrize("inference_id", [V35, V3, V2])
def test_a_call_that_is_too_large_for_the_service_is_divided(rank: Rank, eis: LocalEIS, inference_id: str) -> None:
    # The estimate of the service counts white space, that of the client does not.
    documents = [f"{text}{' ' * 30_000}." for text in passages(60)]
    ranked = rank(documents, inference_id=inference_id)
    assert sorted(position for position, _ in ranked) == list(range(60))
    assert ranked[0][0] == 2
    statuses = [exchange.status for exchange in posts(eis)]
    assert statuses[0] == 400
    assert statuses.count(400) < statuses.count(200)


def test_a_single_document_that_is_too_large_is_named(rank: Rank) -> None:
    documents = passages(5)
    documents[3] += " " * 800_000
    with pytest.raises(RequestTooLargeError, match=r"estimated total tokens.*split the largest.*Input 3 failed") as caught:
        rank(documents, inference_id=V3)
    assert list(caught.value.inputs or ()) == [3]


def test_500_documents_take_five_calls_of_v35_and_nine_of_v3(rank: Rank, eis: LocalEIS) -> None:
    for inference_id, calls in ((V35, 5), (V3, 9)):
        eis.clear()
        assert rank(passages(500), inference_id=inference_id)[0][0] == 2
        assert len(posts(eis)) == calls


def test_equal_documents_are_sent_once(rank: Rank, eis: LocalEIS) -> None:
    documents = [*passages(4), *passages(5)]
    ranked = rank(documents, inference_id=V35)
    (request,) = posts(eis)
    assert request.body["input"] == passages(5)
    scores = dict(ranked)
    assert all(scores[n] == scores[n + 4] for n in range(4))
    assert [position for position, _ in ranked[:2]] == [2, 6]
    assert len(ranked) == 9


@pytest.mark.parametrize("retriever_class", [JinaEISRetriever, LlamaIndexRetriever], ids=["langchain", "llama_index"])
def test_a_search_with_too_much_to_rerank_names_the_settings(
    call: Caller, connect: Callable[..., Any], index_name: str, retriever_class: Any
) -> None:
    texts = [f"{text}{' ' * 30_000}." for text in passages(40)]
    connect(JinaEISRetriever, index_name=index_name).add_texts(texts)
    retriever = connect(retriever_class, index_name=index_name, rerank_inference_id=V35, rank_window_size=30)
    method = "invoke" if retriever_class is JinaEISRetriever else "retrieve"
    with pytest.raises(
        RequestTooLargeError, match=r"best 30 documents.*estimated total tokens.*\(rerank_chunks\).*smaller rank_w"
    ):
        call(retriever, method, QUERY)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ({"fetch_k": 65}, {}, r"^fetch_k=65: jina-reranker-v3 takes 64 documents in a call, .*\. Choose 64 or less"),
        ({"k": 65}, {}, r"^k=65: jina-reranker-v3 takes 64"),
        ({"fetch_k": 40}, {"rerank_chunks": 2, "rank_window_size": 30}, r"^fetch_k=40 and rerank_chunks=2 .*Choose fetch_k=32"),
        ({"fetch_k": 40}, {"num_candidates": 30, "search_type": "knn", "rerank_inference_id": None}, r"or lower fetch_k\.$"),
    ],
)
def test_the_limit_of_different_documents_is_that_of_the_argument(
    call: Caller, connect: Callable[..., Any], index_name: str, arguments: Any, settings: Any, message: str
) -> None:
    store = connect(JinaEISVectorStore, index_name=index_name, **{"rerank_inference_id": V3, **settings})
    store.add_texts(passages(3))
    with pytest.raises(ConfigurationError, match=message):
        call(store, "max_marginal_relevance_search", QUERY, **arguments)
    assert len(call(store, "max_marginal_relevance_search", QUERY, k=2, fetch_k=3)) == 2


@pytest.mark.parametrize(
    ("k", "arguments", "message"),
    [
        (20, {}, r"^mmr_prefetch_k=80 \(similarity_top_k=20 times mmr_prefetch_factor=4\): jina-reranker-v3 takes 64"),
        (20, {"mmr_prefetch_factor": 5}, r"^mmr_prefetch_k=100 \(similarity_top_k=20 times mmr_prefetch_factor=5\): "),
        (20, {"mmr_prefetch_k": 65}, r"^mmr_prefetch_k=65: jina-reranker-v3 takes 64"),
        (65, {"mmr_prefetch_k": 20}, r"^similarity_top_k=65: jina-reranker-v3 takes 64"),
    ],
)
def test_the_limit_of_different_nodes_is_that_of_the_argument(
    call: Caller, connect: Callable[..., Any], index_name: str, k: int, arguments: Any, message: str
) -> None:
    store = connect(LlamaIndexStore, index_name=index_name, rerank_inference_id=V3)
    store.add([TextNode(text=text) for text in passages(3)])
    query = VectorStoreQuery(query_str=QUERY, similarity_top_k=k, mode=VectorStoreQueryMode.MMR)
    with pytest.raises(ConfigurationError, match=message):
        call(store, "query", query, **arguments)
    query.similarity_top_k = 2
    assert len(call(store, "query", query).nodes) == 2


# Images


def test_images_are_ranked_beside_texts(call: Caller, connect: Callable[..., Any], eis: LocalEIS, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(shade=200))
    reranker = connect(JinaEISRerank, model=M0, top_n=None)
    blob, text = Blob(data=png(shade=9), mimetype="image/png"), Document(page_content="data:image/png;base64,=")
    ranked = call(reranker, "rerank", ["a glacier", file, blob, text], QUERY)
    assert sorted(entry["index"] for entry in ranked) == [0, 1, 2, 3]
    (request,) = posts(eis)
    assert request.body["query"] == QUERY
    assert [item["type"] for item in request.body["input"]] == ["text", "image", "image", "text"]
    assert set(request.body["input"][1]) == {"type", "format", "value"}
    assert request.body["input"][1]["value"].startswith("data:image/png;base64,")
    eis.clear()
    best = call(reranker, "rerank", [file, png(shade=9)], png(shade=200), top_n=1)
    assert [entry["index"] for entry in best] == [0]
    (request,) = posts(eis)
    assert request.body["query"]["type"] == "image"


def test_media_of_names_the_image_of_a_document(call: Caller, connect: Callable[..., Any], eis: LocalEIS) -> None:
    documents = [Document(page_content="glacier ice"), Document(page_content="a picture", metadata={"image": png(shade=3)})]
    reranker = connect(JinaEISRerank, model=M0, media_of=lambda document: document.metadata.get("image"))
    ranked = call(reranker, "compress_documents", documents, QUERY)
    assert {document.page_content for document in ranked} == {"glacier ice", "a picture"}
    (request,) = posts(eis)
    assert [item["type"] for item in request.body["input"]] == ["text", "image"]
    assert "media_of" not in reranker.model_dump()
    assert "media_of" not in repr(reranker)
    with pytest.raises(InputError, match=rf"Input 1 is an image, but {V3} ranks only texts\. Use \.jina-reranker-m0"):
        call(connect(JinaEISRerank, model=V3, media_of=reranker.media_of), "compress_documents", documents, QUERY)


def test_nodes_with_an_image_are_ranked_by_it(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, tmp_path: Path, events: list[Any]
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(shade=200))
    nodes = [
        NodeWithScore(node=TextNode(text="glacier ice")),
        NodeWithScore(node=ImageNode(image_path=str(file), text="a caption")),
        NodeWithScore(node=Node(image_resource=MediaResource(data=png(shade=5), mimetype="image/png"))),
        NodeWithScore(node=ImageNode(text="only a caption")),
    ]
    reranker = connect(LlamaIndexRerank, model=M0, top_n=None)
    assert len(call(reranker, "postprocess_nodes", nodes, query_str=QUERY)) == 4
    (request,) = posts(eis)
    assert [item["type"] for item in request.body["input"]] == ["text", "image", "image", "text"]
    assert request.body["input"][3]["value"] == "only a caption"
    eis.clear()
    bundle = QueryBundle(query_str="", image_path=str(file))
    best = call(reranker, "postprocess_nodes", nodes[1:3], query_bundle=bundle)
    assert best[0].node_id == nodes[1].node_id
    assert posts(eis)[0].body["query"]["type"] == "image"
    eis.clear()
    events.clear()
    for model in (V2, V3, V35, None):
        with pytest.raises(InputError, match=r"Input 1 is an image, but .* ranks only texts\. Use \.jina-reranker-m0\."):
            call(connect(LlamaIndexRerank, inference_id=model), "postprocess_nodes", nodes, query_str=QUERY)
    assert eis.requests == []
    assert not any("ReRank" in type(event).__name__ for event, _ in events)


def test_an_image_behind_a_url_needs_the_permission(call: Caller, connect: Callable[..., Any], eis: LocalEIS) -> None:
    block = {"type": "image", "url": "https://example.com/a.png"}
    with pytest.raises(InputError, match=r"Input 1 is a URL, and URL fetching is off.*allow_url_fetch=True"):
        call(connect(JinaEISRerank, model=M0), "rerank", ["text", block], QUERY)
    with pytest.raises(InputError, match=r"The query is a URL"):
        call(connect(JinaEISRerank, model=M0), "rerank", ["text"], block)
    assert eis.requests == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, r"Input 1: it is None, neither a text nor a medium"),
        (3, r"Input 1: it is .*, neither"),
        (["a", "b"], r"Input 1 consists of 2 parts\. A reranker scores single texts and images"),
        (b"no medium", "Input 1"),
        ("data:image/png;base64,xx", "Input 1"),
    ],
)
def test_other_inputs_are_refused_before_the_first_request(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, document: Any, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        call(connect(JinaEISRerank, model=M0), "rerank", ["text", document], QUERY)
    assert eis.requests == []
