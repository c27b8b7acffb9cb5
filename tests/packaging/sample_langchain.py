"""Sample user code for LangChain, for type checkers only: it is never run."""

from pathlib import Path
from typing import assert_type

from langchain_core.document_loaders import BaseBlobParser
from langchain_core.documents import Document
from langchain_core.documents.base import Blob
from langchain_core.documents.compressor import BaseDocumentCompressor
from langchain_core.embeddings import Embeddings
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore, VectorStoreRetriever

import jina_eis
from jina_eis import Endpoints, JinaEISError, adoctor, doctor
from jina_eis.local import LocalEIS
from langchain_jina_eis import (
    JinaEISEmbeddings,
    JinaEISParser,
    JinaEISRerank,
    JinaEISRetriever,
    JinaEISTranslator,
    JinaEISVectorStore,
)

embeddings = JinaEISEmbeddings(
    inference_id=".jina-embeddings-v5-text-small",
    es_url="https://my-deployment.es.example.com:443",
    es_api_key="a plain string",
    dimensions=256,
    timeout=30,
    rate_limiter=InMemoryRateLimiter(requests_per_second=10),
)
as_embeddings: Embeddings = embeddings
assert_type(embeddings.embed_documents(["A glacier flows."]), list[list[float]])
assert_type(embeddings.embed_query("How do glaciers move?"), list[float])
for vector in embeddings.stream_documents(f"text {number}" for number in range(3)):
    assert_type(vector, list[float])
for outcome in embeddings.stream_documents(["A glacier flows."], on_error="skip"):
    assert_type(outcome, list[float] | JinaEISError)
assert_type(embeddings.embed_content("A glacier flows."), list[float])
assert_type(embeddings.embed_contents(["A glacier flows."]), list[list[float]])
assert_type(embeddings.embed_pages(Path("report.pdf")), list[list[float]])
assert_type(embeddings.embed_content(Path("cat.png")), list[float] | list[list[float]])
embeddings.embed_content(b"bytes of a picture", input_type="search")
embeddings.embed_contents(["a text", Path("cat.png"), ["a caption", Path("cat.png")], {"type": "image", "base64": "aGk="}])

parser = JinaEISParser(dpi=150, es_api_key="a plain string")
as_parser: BaseBlobParser = parser
assert_type(parser.parse(Blob.from_path("report.pdf")), list[Document])

reranker = JinaEISRerank(model=".jina-reranker-v3", top_n=None, score_threshold=0.1)
as_compressor: BaseDocumentCompressor = reranker
reranker.compress_documents([Document("A glacier flows.")], "How do glaciers move?")
assert_type(reranker.around(InMemoryVectorStore(embeddings).as_retriever()), BaseRetriever)
assert_type(reranker.rerank(["A glacier flows."], "glacier")[0]["index"], int)

retriever = JinaEISRetriever.from_texts(["A glacier flows."], [{"lang": "en"}], index_name="facts", search_type="hybrid", k=3)
as_retriever: BaseRetriever = retriever
assert_type(retriever.invoke("How do glaciers move?"), list[Document])
retriever.invoke(Path("cat.png"))
retriever.add_documents([Document("Bread rises.")])

store = JinaEISVectorStore.from_texts(["A glacier flows."], embeddings, index_name="facts", field_type="dense_vector", k=3)
JinaEISVectorStore.from_documents([Document("A glacier flows.")], index_name="facts", es_api_key="a plain string")
as_store: VectorStore = store
assert_type(store, JinaEISVectorStore)
assert_type(store.add_documents([Document("Bread rises.")], ids=["1"], refresh=False), list[str])
store.add_embeddings([("a text", [0.5])], [{"lang": "en"}], ids="content")
store.add_contents([Path("cat.png")])
assert_type(store.delete(["1"]), bool)
assert_type(store.get_by_ids(["1"]), list[Document])
assert_type(store.similarity_search("ice", 3, filter={"lang": ["en", "de"]}, rerank_inference_id="mine"), list[Document])
assert_type(store.similarity_search_with_score(Path("cat.png")), list[tuple[Document, float]])
assert_type(store.similarity_search_with_relevance_scores("ice", score_threshold=0.5), list[tuple[Document, float]])
assert_type(store.max_marginal_relevance_search("ice", fetch_k=30, lambda_mult=0.3), list[Document])
assert_type(store.as_retriever(search_type="mmr"), VectorStoreRetriever)
JinaEISTranslator(exact=".keyword", words="")


async def asynchronous() -> None:
    assert_type(await store.asimilarity_search("ice"), list[Document])
    assert_type(await JinaEISVectorStore.afrom_texts(["A glacier flows."], index_name="facts"), JinaEISVectorStore)
    assert_type(await embeddings.aembed_documents(["A glacier flows."]), list[list[float]])
    async for vector in embeddings.astream_documents(["A glacier flows."]):
        assert_type(vector, list[float])
    await reranker.acompress_documents([Document("A glacier flows.")], "How do glaciers move?")
    assert_type(await retriever.ainvoke("How do glaciers move?"), list[Document])
    assert_type((await adoctor()).ok, bool)
    assert_type(await embeddings.aembed_content("A glacier flows."), list[float])
    assert_type(await embeddings.aembed_pages(b"%PDF-1.7"), list[list[float]])
    async for page in parser.alazy_parse(Blob.from_path("report.pdf")):
        assert_type(page, Document)
    async with JinaEISEmbeddings(model="my-endpoint") as opened:
        await opened.aembed_query("How do glaciers move?")


with LocalEIS() as eis, Endpoints(es_url=eis.url, es_api_key="a plain string") as endpoints:
    eis.faults.queue("rate_limit", retry_after=2)
    created = endpoints.ensure("facts-256", model="jina-embeddings-v5-text-small", dimensions=256)
    assert_type(created, jina_eis.EndpointInfo)
    assert_type(endpoints.list(all=True), list[jina_eis.EndpointInfo])
    endpoints.delete(created.inference_id, force=True)
assert_type(doctor(es_url="http://localhost:9200").ok, bool)
with jina_eis.no_waits():
    assert_type(jina_eis.share_space(".jina-embeddings-v5-text-small", ".jina-embeddings-v5-omni-small"), bool)
