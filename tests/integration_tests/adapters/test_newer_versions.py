"""What the newer versions of Elasticsearch do, and older ones refuse, over HTTP in both frameworks, sync and async.

Passages for the reranker (9.2), diversity (9.3, 9.6), another endpoint for queries (9.4), media by URL (9.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import FACTS, OMNI, RERANKER, TEXT, Caller, restricted
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from made import png

import langchain_jina_eis
import llama_index_jina_eis
from jina_eis.errors import AuthorizationError, ConfigurationError, EndpointNotFoundError, InputError
from jina_eis.local import LocalEIS

PICTURE = "https://example.com/cat.png?sig=secret"
BLOCK = {"type": "image", "url": PICTURE}
ITEM = {"type": "image", "format": "url", "value": PICTURE}
QUERY = "How do glaciers move?"


@pytest.fixture(scope="module")
def older() -> Iterator[Callable[[str], LocalEIS]]:
    """Starts an embedded EIS of an older version, once."""
    servers: dict[str, LocalEIS] = {}

    def start(version: str) -> LocalEIS:
        if version not in servers:
            servers[version] = LocalEIS(model="hash", record=True, version=version).start()
        return servers[version]

    yield start
    for server in servers.values():
        server.stop()


@pytest.fixture
def unseen() -> Iterator[Callable[[LocalEIS], str]]:
    """Returns the address of a server for a key that may not see its version."""
    with ExitStack() as servers:
        yield lambda eis: servers.enter_context(restricted(eis))


class Retriever:
    """A retriever of a framework, called by its sync or its async methods."""

    def __init__(self, retriever: Any, call: Caller) -> None:
        self.retriever, self.call = retriever, call
        self.is_langchain = isinstance(retriever, langchain_jina_eis.JinaEISRetriever)

    def add(self, texts: list[str]) -> None:
        if self.is_langchain:
            self.call(self.retriever, "add_texts", texts, ids=[str(n) for n in range(len(texts))])
        else:
            self.call(self.retriever, "add_nodes", [TextNode(text=text, id_=str(n)) for n, text in enumerate(texts)])

    def add_picture(self, url: str) -> None:
        if self.is_langchain:
            self.call(self.retriever, "add_contents", [{"type": "image", "url": url}])
        else:
            self.call(self.retriever, "add_nodes", [ImageNode(image_url=url)])

    def find(self, query: Any) -> list[str]:
        """Return the texts that a query finds."""
        if self.is_langchain:
            return [document.page_content for document in self.call(self.retriever, "invoke", query)]
        return [found.node.text for found in self.call(self.retriever, "retrieve", query)]

    def find_by_picture(self, location: str) -> list[str]:
        if not self.is_langchain:
            return self.find(QueryBundle("", image_path=location))
        return self.find({"type": "image", "url": location} if "://" in location else Path(location))

    def switch(self, inference_id: str) -> str:
        return self.call(self.retriever, "search_with", inference_id)


@pytest.fixture(params=["langchain", "llama_index"])
def framework(request: pytest.FixtureRequest) -> Any:
    return langchain_jina_eis if request.param == "langchain" else llama_index_jina_eis


@pytest.fixture
def make(connect: Callable[..., Any], call: Caller, index_name: str, framework: Any) -> Callable[..., Retriever]:
    """Creates retrievers on the index of the test, in the framework of the test."""

    def create(**settings: Any) -> Retriever:
        return Retriever(connect(framework.JinaEISRetriever, **{"index_name": index_name, **settings}), call)

    return create


def searches(eis: LocalEIS) -> list[Any]:
    return [exchange.body for exchange in eis.requests if exchange.path.endswith("/_search")]


def mapping(eis: LocalEIS, index: str) -> Any:
    with Elasticsearch(eis.url) as client:
        return client.indices.get_mapping(index=index)[index]["mappings"]["properties"]["embedding"]


def create_by_hand(eis: LocalEIS, index: str, kind: str) -> None:
    """Create an index for both frameworks, also where the deployment has no endpoint."""
    field = {"type": kind, "dims": 1024} if kind == "dense_vector" else {"type": kind, "inference_id": TEXT}
    properties = {"text": {"type": "text"}, "content": {"type": "text"}, "embedding": field}
    with Elasticsearch(eis.url) as client:
        client.options(ignore_status=404).indices.delete(index=index)
        client.indices.create(index=index, mappings={"properties": properties})


# Passages for the reranker

FILLER = " ".join(f"This is sentence {n} about bread, and it has nothing else of any interest." for n in range(60))
LONG = f"{FILLER} A glacier moves because ice flows under its own weight. {FILLER}"


@pytest.mark.parametrize("search_type", ["semantic", "hybrid", "knn"])
def test_the_reranker_reads_passages(make: Any, eis: LocalEIS, search_type: str) -> None:
    settings = {"search_type": search_type, "rerank_inference_id": RERANKER}
    make(search_type=search_type).add([FILLER, LONG, "Bread rises."])
    passages = make(**settings, rerank_chunks=1, rerank_chunk_words=40)
    eis.clear()
    assert passages.find("How does a glacier move?")[0] == LONG
    (body,) = searches(eis)
    assert body["retriever"]["text_similarity_reranker"]["chunk_rescorer"] == {
        "size": 1,
        "chunking_settings": {"strategy": "sentence", "max_chunk_size": 40, "sentence_overlap": 1},
    }
    eis.clear()
    make(**settings, rerank_chunks=1).find("bread")
    (body,) = searches(eis)
    assert body["retriever"]["text_similarity_reranker"]["chunk_rescorer"]["chunking_settings"]["max_chunk_size"] == 300


# Diversity

REPEATED = [FACTS[0], FACTS[0], FACTS[0], *FACTS[1:]]


@pytest.mark.parametrize("search_type", ["semantic", "knn", "hybrid"])
@pytest.mark.parametrize("rerank", [None, RERANKER])
def test_diverse_results(make: Any, eis: LocalEIS, index_name: str, search_type: str, rerank: str | None) -> None:
    make(search_type=search_type).add(REPEATED)
    settings = {"search_type": search_type, "rerank_inference_id": rerank, "k": 3}
    plain = make(**settings).find(FACTS[0])
    assert plain == [FACTS[0]] * 3
    diverse = make(**settings, diversify=0.3)
    eis.clear()
    found = diverse.find(FACTS[0])
    assert (found.count(FACTS[0]), len(found), found[0]) == (1, 3, FACTS[0])
    diverse.find(FACTS[0])
    paths = [exchange.path for exchange in eis.requests]
    search = f"/{index_name}/_search"
    assert paths == [f"/{index_name}/_mapping", "/", f"/{index_name}", search, search]  # what does not change is asked once
    diversify = dict(searches(eis)[0]["retriever"]["diversify"])
    inner = diversify.pop("retriever")
    assert list(inner) == [
        {None: {"semantic": "standard", "hybrid": "rrf"}.get(search_type, "knn"), RERANKER: "text_similarity_reranker"}[rerank]
    ]
    assert diversify == {
        "type": "mmr",
        "field": "embedding",
        "lambda": 0.3,
        "size": 3,
        "rank_window_size": 64,
        "query_vector_builder": {"text_embedding": {"model_text": FACTS[0], "model_id": TEXT}},
    }


# Another endpoint for queries


def test_an_index_of_texts_is_searched_by_picture(make: Any, eis: LocalEIS, index_name: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png())
    retriever = make()
    retriever.add(FACTS)
    with pytest.raises(InputError, match=r"embeds only text.*\.jina-embeddings-v5-omni-small does, in the same vector space"):
        retriever.find_by_picture(str(path))
    before = retriever.find(QUERY)
    running = make()
    assert running.find(QUERY) == before
    assert retriever.switch(OMNI) == TEXT
    assert len(running.find_by_picture(str(path))) == len(FACTS)  # it knew the mapping of before
    field = mapping(eis, index_name)
    assert (field["inference_id"], field["search_inference_id"]) == (TEXT, OMNI)
    assert len(retriever.find_by_picture(str(path))) == len(FACTS)
    assert len(make().find_by_picture(str(path))) == len(FACTS)
    assert retriever.find(QUERY) == before  # the vectors of texts are those of the text model
    retriever.add(["A new text."])  # documents stay with their endpoint
    assert retriever.switch(TEXT) == OMNI
    assert mapping(eis, index_name) == {**field, "search_inference_id": TEXT}
    with pytest.raises(InputError, match="embeds only text"):
        retriever.find_by_picture(str(path))
    chosen = make(inference_id=TEXT)
    assert chosen.find(QUERY)
    eis.clear()
    with pytest.raises(InputError, match="embeds only text"):
        chosen.find_by_picture(str(path))
    assert eis.requests == []  # whatever the index has, this endpoint was chosen


def test_the_definition_of_the_field_stays_as_it_is(make: Any, eis: LocalEIS, index_name: str) -> None:
    options = {"dense_vector": {"type": "hnsw"}}
    chunking = {"strategy": "sentence", "max_chunk_size": 40, "sentence_overlap": 0}
    retriever = make(index_options=options, chunking_settings=chunking)
    retriever.add(FACTS)
    before = mapping(eis, index_name)
    assert retriever.switch(OMNI) == TEXT
    assert mapping(eis, index_name) == {**before, "search_inference_id": OMNI}


def test_endpoints_that_cannot_embed_the_queries(make: Any, eis: LocalEIS, index_name: str) -> None:
    retriever = make()
    retriever.add(FACTS)
    before = mapping(eis, index_name)
    with pytest.raises(ConfigurationError, match="embed into different vector spaces"):
        retriever.switch(".jina-embeddings-v5-omni-nano")
    with pytest.raises(ConfigurationError, match="is an endpoint for rerank"):
        retriever.switch(RERANKER)
    with pytest.raises(EndpointNotFoundError):
        retriever.switch("missing")
    assert mapping(eis, index_name) == before
    with pytest.raises(
        ConfigurationError, match=r"for one application, JinaEISRetriever.*for all clients of the index, search_with"
    ):
        make(inference_id=OMNI).add(FACTS)


def test_an_older_version_takes_no_omni_endpoint_for_texts(make: Any, older: Any) -> None:
    eis = older("9.3")
    retriever = make(es_url=eis.url, inference_id=TEXT)
    retriever.add(FACTS)
    with pytest.raises(ConfigurationError, match=r"needs Elasticsearch 9\.4; this deployment has 9\.3\.0"):
        retriever.switch(OMNI)


def test_the_privilege_to_change_the_mapping(make: Any, eis: LocalEIS) -> None:
    make().add(FACTS)
    with (
        restricted(eis, refused=lambda method, path: method == "PUT") as url,
        pytest.raises(AuthorizationError, match="needs the index privilege manage"),
    ):
        make(es_url=url).switch(OMNI)


# Media by URL


@pytest.fixture
def embedder(connect: Callable[..., Any], framework: Any) -> Callable[..., Any]:
    """Creates embedding models that take media."""
    names = {langchain_jina_eis: "JinaEISEmbeddings", llama_index_jina_eis: "JinaEISMultiModalEmbedding"}
    return lambda **settings: connect(getattr(framework, names[framework]), inference_id=OMNI, **settings)


def test_a_picture_is_passed_on_by_its_url(embedder: Any, call: Caller, eis: LocalEIS) -> None:
    model = embedder(pass_urls=True, allow_url_fetch=True)
    vectors = call(model, "embed_contents", ["a cat", BLOCK, ["a cat", BLOCK]])
    assert len(vectors) == 3
    assert call(model, "embed_content", BLOCK) == pytest.approx(vectors[1])
    text = {"type": "text", "value": "a cat"}
    first, second = [exchange.body["input"] for exchange in eis.requests if exchange.path.startswith("/_inference/embedding")]
    assert first == [{"content": text}, {"content": ITEM}, {"content": [text, ITEM]}]
    assert second == [{"content": ITEM}]
    assert [exchange.path for exchange in eis.requests].count("/") == 1


def test_pictures_of_the_methods_of_the_frameworks(embedder: Any, call: Caller, eis: LocalEIS, framework: Any) -> None:
    model = embedder(pass_urls=True)
    if framework is langchain_jina_eis:
        (vector,) = model.embed_image([PICTURE])
    else:
        vector = call(model, "get_image_embedding", PICTURE)
        (node,) = call(model, "__call__", [ImageNode(image_url=PICTURE)])
        assert node.embedding == pytest.approx(vector)
    assert vector == pytest.approx(model.embed_content(BLOCK))
    assert all(exchange.body["input"] == [{"content": ITEM}] for exchange in eis.requests if exchange.method == "POST")


def test_a_private_address_is_not_passed_on(embedder: Any, make: Any, call: Caller, eis: LocalEIS) -> None:
    private = {"type": "image", "url": "http://169.254.169.254/latest/meta-data"}
    with pytest.raises(InputError, match=r"Input 1: .* does not have a public address"):
        call(embedder(pass_urls=True), "embed_contents", ["a cat", private])
    with pytest.raises(InputError, match="does not have a public address"):
        make(pass_urls=True, search_type="knn", inference_id=OMNI).find_by_picture("http://10.0.0.1/cat.png")
    assert eis.requests == []


def test_pictures_in_an_index(make: Any, eis: LocalEIS) -> None:
    retriever = make(search_type="knn", inference_id=OMNI, pass_urls=True, dimensions=1024)
    retriever.add_picture(PICTURE)
    retriever.add(FACTS)
    eis.clear()
    assert len(retriever.find_by_picture(PICTURE)) == 1 + len(FACTS)
    knn = searches(eis)[0]["retriever"]["knn"]
    assert knn["query_vector_builder"] == {"embedding": {"inference_id": OMNI, "input": ITEM}}
    truncated = make(search_type="knn", inference_id=OMNI, pass_urls=True, k=1)
    assert len(truncated.find_by_picture(PICTURE)) == 1


@pytest.fixture
def rerank(connect: Callable[..., Any], call: Caller, framework: Any) -> Callable[..., Any]:
    """Ranks a text, and a picture by its URL, in the framework of the test."""

    def run(**settings: Any) -> list[Any]:
        model = connect(framework.JinaEISRerank, **{"inference_id": ".jina-reranker-m0", "pass_urls": True, **settings})
        if framework is langchain_jina_eis:
            return call(model, "rerank", ["a cat", BLOCK], "a cat")
        nodes = [NodeWithScore(node=node) for node in (TextNode(text="a cat"), ImageNode(image_url=PICTURE))]
        return call(model, "postprocess_nodes", nodes, query_str="a cat")

    return run


def test_a_picture_is_ranked_by_its_url(rerank: Any, eis: LocalEIS, older: Any) -> None:
    assert len(rerank()) == 2
    (body,) = [exchange.body for exchange in eis.requests if exchange.method == "POST"]
    assert body["input"] == [{"type": "text", "value": "a cat"}, ITEM]
    with pytest.raises(ConfigurationError, match=r"pass_urls needs Elasticsearch 9\.6; this deployment has 9\.5\.0"):
        rerank(es_url=older("9.5").url)


# Older versions, and versions that the key may not see


@pytest.mark.parametrize(
    ("version", "settings", "message"),
    [
        ("9.1", {"rerank_inference_id": RERANKER, "rerank_chunks": 2, "rank_window_size": 32}, "rerank_chunks needs Elasticsearch 9.2; this deployment has 9.1.0"),
        ("9.2", {"search_type": "knn", "diversify": 0.5}, "diversify needs Elasticsearch 9.3; this deployment has 9.2.0"),
        ("9.5", {"diversify": 0.5}, "diversify over a semantic_text field needs Elasticsearch 9.6; this deployment has 9.5.0"),
    ],
)  # fmt: skip
def test_searches_that_older_versions_refuse(
    make: Any, older: Any, index_name: str, version: str, settings: Any, message: str
) -> None:
    eis = older(version)
    retriever = make(es_url=eis.url, inference_id=TEXT, **settings)
    create_by_hand(eis, index_name, "dense_vector" if "search_type" in settings else "semantic_text")
    eis.clear()
    with pytest.raises(ConfigurationError) as caught:
        retriever.find(QUERY)
    assert message in str(caught.value)
    assert searches(eis) == []


def test_diversity_over_vectors_of_older_versions(make: Any, older: Any) -> None:
    for version in ("9.3", "9.5"):
        eis = older(version)
        settings = {"es_url": eis.url, "search_type": "knn", "inference_id": TEXT, "k": 3}
        make(**settings).add(REPEATED)
        assert make(**settings, diversify=0.3).find(FACTS[0]).count(FACTS[0]) == 1


def test_a_url_is_not_passed_on_to_older_versions(embedder: Any, call: Caller, older: Any) -> None:
    eis = older("9.5")
    eis.clear()
    with pytest.raises(ConfigurationError, match=r"pass_urls needs Elasticsearch 9\.6; this deployment has 9\.5\.0"):
        call(embedder(es_url=eis.url, pass_urls=True), "embed_content", BLOCK)
    assert [exchange.path for exchange in eis.requests] == ["/"]


def test_what_a_refusal_means_where_the_version_is_not_known(
    make: Any, embedder: Any, call: Caller, eis: LocalEIS, older: Any, unseen: Any, index_name: str
) -> None:
    """The request is sent; an older deployment refuses it, and the error names the feature and its version."""
    unknown = r"needs Elasticsearch {}, and this key may not see the version"
    new, old = unseen(eis), older("9.2")
    with pytest.raises(ConfigurationError, match=unknown.format(r"9\.6")) as caught:
        call(embedder(es_url=unseen(older("9.5")), pass_urls=True), "embed_contents", [BLOCK, "a cat"])
    assert "pass_urls" in str(caught.value)
    assert call(embedder(es_url=new, pass_urls=True), "embed_content", BLOCK)
    vectors = {"search_type": "knn", "inference_id": TEXT, "k": 3}
    create_by_hand(old, index_name, "dense_vector")
    with pytest.raises(ConfigurationError, match=unknown.format(r"9\.3")):
        make(es_url=unseen(old), **vectors, diversify=0.3).find(FACTS[0])
    make(es_url=new, **vectors).add(REPEATED)
    assert make(es_url=new, **vectors, diversify=0.3).find(FACTS[0]).count(FACTS[0]) == 1


def test_diversity_over_texts_needs_a_known_version(make: Any, eis: LocalEIS, unseen: Any) -> None:
    """Older versions answer with no hits, and not with an error."""
    retriever = make(es_url=unseen(eis), diversify=0.5)
    make().add(FACTS)
    eis.clear()
    with pytest.raises(ConfigurationError, match=r"an older one returns no hits\. Give the key the cluster privilege monitor"):
        retriever.find(QUERY)
    assert searches(eis) == []
