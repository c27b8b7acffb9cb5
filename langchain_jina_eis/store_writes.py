"""The writes of the store: documents, texts, vectors and media are added, deleted, and returned by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.documents import Document

from jina_eis.adapters import Ids, document_id
from jina_eis.contents import Embeddable, Get, in_thread, text_source
from jina_eis.errors import ConfigurationError, IndexNotFoundError
from jina_eis.steps import Indexer, Record, Refresh
from jina_eis.wire import Steps

from .records import as_list, build_documents, content_records, results_as_documents, text_records, vector_records, with_vectors
from .store_base import StoreBase

__all__ = ["StoreWrites"]


class StoreWrites(StoreBase):
    """Writes and deletes documents, and returns them by their ids."""

    def add_documents(  # type: ignore[override]  # no other arguments
        self,
        documents: Iterable[Document],
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        batch_size: int | None = None,
    ) -> list[str]:
        """Add any number of documents. They are read as they are needed. The first one creates a missing index.

        Args:
            documents: Any iterable. The page content is embedded; the metadata are stored under `metadata`.
            ids: One id for each document; an existing document is replaced. "content": a digest of the text and the metadata, so
                that the same document is stored once. None, or None for a document: its own id, or a new one. Of one id
                twice, the last document is stored, and the id is returned twice.
            refresh: When the call returns: "wait_for" after Elasticsearch's next refresh, from which on searches see the
                documents; True after a refresh made for it; False at once, and searches see them later.
            batch_size: Ignored. LangChain's `index` passes it; the size of requests follows from the service's limits.

        Returns:
            The ids, in the order of the documents.

        Raises:
            InputError: an element of a list is no document; nothing was sent.
            DocumentsFailedError: some documents were not indexed; the error names them, and those that were indexed.
        """
        return self._run(self._add(self._embedded(self._text_records(documents, ids)), refresh))

    async def aadd_documents(  # type: ignore[override]  # no other arguments
        self,
        documents: Iterable[Document],
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
        batch_size: int | None = None,
    ) -> list[str]:
        """As `add_documents`, without blocking the event loop."""
        return await self._arun(self._add(await self._aembedded(self._text_records(documents, ids)), refresh))

    def add_texts(  # type: ignore[override]  # no other arguments
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_documents`, with texts and one dict of metadata for each."""
        return self.add_documents(build_documents(texts, metadatas), ids=ids, refresh=refresh)

    async def aadd_texts(  # type: ignore[override]  # no other arguments
        self,
        texts: Iterable[str],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_texts`, without blocking the event loop."""
        return await self.aadd_documents(build_documents(texts, metadatas), ids=ids, refresh=refresh)

    def add_embeddings(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """Add texts with vectors of your own, which are stored as they are. Nothing is embedded.

        Pass the store's `inference_id` if its endpoint made the vectors: a new index then names it, and texts can be searched.
        Otherwise search by vectors of the same model.

        Args:
            text_embeddings: Pairs of a text and its vector, as long as the vectors of the dense_vector field. Any iterable.
            metadatas: One dict for each text.
            ids: As for `add_documents`.
            refresh: As for `add_documents`.

        Raises:
            ConfigurationError: the store has no dense_vector field.
            InputError: a vector has another length, or is no list of numbers.
        """
        return self._run(self._add_vectors(text_embeddings, metadatas, ids, refresh))

    async def aadd_embeddings(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Iterable[Mapping[str, Any]] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_embeddings`, without blocking the event loop."""
        return await self._arun(self._add_vectors(text_embeddings, metadatas, ids, refresh))

    def add_contents(
        self,
        items: Iterable[Embeddable],
        documents: Iterable[Document] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """Add images, sounds and videos to a `semantic` field (1 MB each by default) or a dense_vector field.

        Args:
            items: The items to embed, of the types that `JinaEISEmbeddings.embed_content` takes. All are checked first.
            documents: The document to return for each item. Default: documents without text, with the `source` of a file.
            ids: As for `add_documents`.
            refresh: As for `add_documents`.
        """
        return self._run(self._indexer().add(self._media_records(as_list(items), documents, ids), refresh))

    async def aadd_contents(
        self,
        items: Iterable[Embeddable],
        documents: Iterable[Document] | None = None,
        *,
        ids: Ids = None,
        refresh: Refresh = "wait_for",
    ) -> list[str]:
        """As `add_contents`, without blocking the event loop."""
        records = await in_thread(partial(self._media_records, as_list(items), documents, ids))
        return await self._arun(self._indexer().add(records, refresh))

    def delete(  # type: ignore[override]  # no other arguments
        self, ids: Iterable[str] | None = None, *, refresh: Refresh = "wait_for"
    ) -> bool:
        """Delete documents by id. Ids that do not exist are ignored.

        Args:
            ids: The ids. None: all documents of the index, as LangChain's interface has it; an empty list deletes nothing.
            refresh: When the call returns; see `add_documents`.

        Returns:
            True.
        """
        return self._run(self._delete(ids, refresh))

    async def adelete(  # type: ignore[override]  # no other arguments
        self, ids: Iterable[str] | None = None, *, refresh: Refresh = "wait_for"
    ) -> bool:
        """As `delete`, without blocking the event loop."""
        return await self._arun(self._delete(ids, refresh))

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return documents by their ids, in this order. Ids that do not exist are left out. Sees documents before a refresh."""
        return self._run(self._get_documents(ids))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """As `get_by_ids`, without blocking the event loop."""
        return await self._arun(self._get_documents(ids))

    def _add(self, records: Iterable[Record], refresh: Refresh) -> Steps[list[str]]:
        yield from self._check_index()
        return (yield from self._indexer().add(records, refresh))

    def _add_vectors(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Iterable[Mapping[str, Any]] | None,
        ids: Ids,
        refresh: Refresh,
    ) -> Steps[list[str]]:
        indexer = self._indexer_of_vectors()
        records = vector_records(text_embeddings, metadatas, ids, self._text_field_name())
        return (yield from indexer.add(records, refresh))

    def _text_records(self, documents: Iterable[Document], ids: Ids) -> Iterable[Record]:
        return text_records(documents, ids, self._text_field_name())

    def _media_records(self, items: Any, documents: Iterable[Document] | None, ids: Ids, get: Get | None = None) -> list[Record]:
        if self._model is not None:
            raise ConfigurationError(f"A {type(self._model).__name__} embeds texts only. Leave embedding out to add media.")
        return content_records(items, self._contents(items, get), documents, ids, self._text_field_name())

    def _embedded(self, records: Iterable[Record]) -> Iterable[Record]:
        """Return the records, with vectors if a model of another library makes them: all in one call, as it expects."""
        if self._model is None:
            return records
        listed = list(records)
        return with_vectors(listed, self._model.embed_documents([str(record.content) for record in listed]) if listed else [])

    async def _aembedded(self, records: Iterable[Record]) -> Iterable[Record]:
        if self._model is None:
            return records
        listed = list(records)
        vectors = await self._model.aembed_documents([str(record.content) for record in listed]) if listed else []
        return with_vectors(listed, vectors)

    def _indexer_of_vectors(self) -> Indexer:
        """The indexer for vectors of the user's own. Without `inference_id`, a new index names no endpoint, as none is known."""
        if self.field_type in ("semantic_text", "semantic") or (self.field_type is None and self.search_type != "knn"):
            raise ConfigurationError(
                f"A {self.field_type or 'semantic_text'} field takes no vectors: Elasticsearch embeds its texts. Create the "
                'store with field_type="dense_vector".'
            )
        return replace(self._indexer(), embeds=self.inference_id is not None)

    def _delete(self, ids: Iterable[str] | None, refresh: Refresh) -> Steps[bool]:
        try:
            if ids is None:
                yield from self._delete_matching(None, refresh)
            else:
                yield from self._indexer().delete(map(document_id, text_source(ids)), refresh)
        except IndexNotFoundError:
            self._log_missing()
        return True

    def _get_documents(self, ids: Iterable[str]) -> Steps[list[Document]]:
        results = yield from self._found(self._get(list(map(document_id, text_source(ids)))))
        return results_as_documents(result for result in results if result is not None)
