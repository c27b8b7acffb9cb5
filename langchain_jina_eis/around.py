"""The retriever that `JinaEISRerank.around` returns: another one, with its documents reranked."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.vectorstores import VectorStore

from jina_eis.errors import ConfigurationError

__all__ = ["RerankedRetriever", "rerank_around"]


class RerankedRetriever(BaseRetriever):
    """Retrieves and reranks. Arguments of `invoke` are passed on to the retriever."""

    retriever: Runnable[Any, list[Document]]
    reranker: BaseDocumentCompressor

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        documents = self.retriever.invoke(query, config={"callbacks": run_manager.get_child()}, **kwargs)
        return list(self.reranker.compress_documents(documents, query, callbacks=run_manager.get_child()))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        documents = await self.retriever.ainvoke(query, config={"callbacks": run_manager.get_child()}, **kwargs)
        return list(await self.reranker.acompress_documents(documents, query, callbacks=run_manager.get_child()))


def rerank_around(reranker: BaseDocumentCompressor, retriever: Any) -> RerankedRetriever:
    """Return the retriever with its documents reranked, or raise an error that states what to pass instead."""
    if isinstance(retriever, VectorStore):
        raise ConfigurationError('The retriever is a vector store. Pass store.as_retriever(search_kwargs={"k": 50}).')
    if not isinstance(retriever, Runnable):
        raise ConfigurationError(
            f"The retriever is of type {type(retriever).__name__}. Pass a retriever of LangChain, or any runnable that returns "
            "documents, such as RunnableLambda(search)."
        )
    return RerankedRetriever(retriever=retriever, reranker=reranker)
