"""Sample user code for LlamaIndex, for type checkers only: it is never run."""

from pathlib import Path
from typing import assert_type

from llama_index.core import QueryBundle, Settings, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import BaseNode, Document, ImageNode, NodeWithScore, TextNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery, VectorStoreQueryResult
from llama_index.embeddings.jina_eis import JinaEISEmbedding as AliasOfEmbedding
from llama_index.embeddings.jina_eis import JinaEISMultiModalEmbedding as AliasOfMultiModal
from llama_index.postprocessor.jina_eis_rerank import JinaEISRerank as AliasOfRerank
from llama_index.retrievers.jina_eis import JinaEISRetriever as AliasOfRetriever
from llama_index.vector_stores.jina_eis import JinaEISVectorStore as AliasOfStore

from llama_index_jina_eis import (
    JinaEISEmbedding,
    JinaEISMultiModalEmbedding,
    JinaEISReader,
    JinaEISRerank,
    JinaEISRetriever,
    JinaEISVectorStore,
)

embedding = JinaEISEmbedding(
    inference_id=".jina-embeddings-v5-text-small",
    es_url="https://my-deployment.es.example.com:443",
    es_api_key="a plain string",
    dimensions=256,
    embed_batch_size=8,
    num_workers=4,
)
as_embedding: BaseEmbedding = embedding
Settings.embed_model = embedding
assert_type(embedding.get_query_embedding("How do glaciers move?"), list[float])
assert_type(embedding.get_text_embedding_batch(["A glacier flows."], show_progress=True), list[list[float]])
same_class: type[JinaEISEmbedding] = AliasOfEmbedding

omni = JinaEISMultiModalEmbedding(model=".jina-embeddings-v5-omni-small")
omni.get_image_embedding("cat.png")
omni.embed_content(["a caption", Path("cat.png")])
assert_type(omni.embed_pages(Path("report.pdf")), list[list[float]])
omni([ImageNode(image_path="cat.png")])
AliasOfMultiModal()

reader = JinaEISReader(dpi=150)
as_reader: BaseReader = reader
assert_type(reader.load_data("report.pdf", {"owner": "Ada"}), list[Document])

reranker = JinaEISRerank(top_n=3, keep_retrieval_score=True)
as_postprocessor: BaseNodePostprocessor = reranker
found = [NodeWithScore(node=TextNode(text="A glacier flows."), score=0.5)]
assert_type(reranker.postprocess_nodes(found, query_str="How do glaciers move?"), list[NodeWithScore])
AliasOfRerank(top_n=None)

retriever = JinaEISRetriever.from_nodes([TextNode(text="A glacier flows.")], index_name="facts", search_type="hybrid")
as_retriever: BaseRetriever = retriever
assert_type(retriever.retrieve("How do glaciers move?"), list[NodeWithScore])
retriever.retrieve(QueryBundle("", image_path="cat.png"))
AliasOfRetriever(index_name="facts", es_url="http://localhost:9200")
store = JinaEISVectorStore(index_name="facts", field_type="dense_vector", rerank_inference_id=".jina-reranker-v3")
as_store: BasePydanticVectorStore = store
assert_type(store.add([TextNode(text="A glacier flows.")], refresh=False), list[str])
assert_type(store.get_nodes(["a"]), list[BaseNode])
assert_type(store.query(VectorStoreQuery(query_str="glacier"), mmr_threshold=0.5), VectorStoreQueryResult)
VectorStoreIndex.from_vector_store(store, embed_model=store.embed_model)
AliasOfStore(index_name="facts", es_url="http://localhost:9200")
index = VectorStoreIndex([TextNode(text="A glacier flows.")], embed_model=embedding)
index.as_query_engine(node_postprocessors=[reranker])  # pyright: ignore[reportUnknownMemberType]  # untyped in LlamaIndex


async def asynchronous() -> None:
    assert_type(await embedding.aget_query_embedding("How do glaciers move?"), list[float])
    assert_type(await reranker.apostprocess_nodes(found, query_str="How do glaciers move?"), list[NodeWithScore])
    assert_type(await retriever.aretrieve("How do glaciers move?"), list[NodeWithScore])
