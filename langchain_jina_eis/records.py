"""What `JinaEISRetriever` and `JinaEISVectorStore` write: records of LangChain's documents, of texts, media and vectors.

Lists are checked whole before anything is sent; other iterables are read as they are needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.documents import Document

from jina_eis.adapters import (
    Ids,
    checked,
    content_id,
    document_id,
    fields_of,
    listed,
    new_id,
    paired_ids,
    stored_metadata,
    zip_equal,
)
from jina_eis.contents import Content, fingerprint, parts_to_index, source_of, warn_of_binary
from jina_eis.errors import InputError
from jina_eis.steps import Record, SearchResult

__all__ = [
    "as_list",
    "build_documents",
    "content_records",
    "results_as_documents",
    "text_records",
    "vector_of",
    "vector_records",
    "with_vectors",
]


def text_records(documents: Iterable[Document], ids: Ids, text_field: str) -> Iterable[Record]:
    """The records of documents; of a list, after all were checked. The text is written into `text_field`."""
    pairs = paired_ids(checked(listed(documents, Document, "document"), Document, "document"), ids)
    records = (_record(document.page_content, document, id_, text_field) for document, id_ in pairs)
    return list(records) if isinstance(documents, Sequence) else records


def content_records(
    items: Sequence[Any], contents: Sequence[Content], documents: Iterable[Document] | None, ids: Ids, text_field: str
) -> list[Record]:
    """The records of items, of which `contents` are what is embedded. Without documents, these describe the items.

    A PDF has a record for each of its pages.
    """
    if documents is None:
        described: Iterable[Document] = map(_described, items, contents)
    else:
        described = checked(listed(documents, Document, "document"), Document, "document")
    pairs = paired_ids(list(zip_equal(contents, list(described), "documents")), ids)
    return [
        _record(part, described_part, part_id, text_field)
        for (content, document), id_ in pairs
        for part, described_part, part_id in _parts(content, document, id_, describe=documents is None)
    ]


def vector_records(
    text_embeddings: Iterable[tuple[str, Sequence[float]]],
    metadatas: Iterable[Mapping[str, Any]] | None,
    ids: Ids,
    text_field: str,
) -> list[Record]:
    """The records of texts with vectors of the user's own."""
    pairs = list(listed(text_embeddings, (), "pair"))
    for position, pair in enumerate(pairs):
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
            raise InputError(
                f"Pair {position} of text_embeddings is no pair of a text and its vector. Pass [(text, vector), ...]."
            )
    documents = build_documents([text for text, _ in pairs], metadatas)
    return with_vectors(list(text_records(list(documents), ids, text_field)), [vector for _, vector in pairs])


def with_vectors(records: Sequence[Record], vectors: Sequence[Sequence[float]]) -> list[Record]:
    """The records with these vectors, which are written as they are.

    Raises:
        InputError: there are more or fewer vectors than records, or one is no list of finite numbers.
    """
    if len(records) != len(vectors):
        raise InputError(f"The embedding returned {len(vectors)} vectors for {len(records)} texts.")
    return [
        replace(record, content=None, vector=vector_of(vector, f"The vector of document {position}"))
        for position, (record, vector) in enumerate(zip(records, vectors, strict=True))
    ]


def vector_of(vector: Sequence[float], name: str = "The vector") -> list[float]:
    """A vector, which may be an array of numpy, as a list. Raises InputError for anything else."""
    try:
        numbers = [float(number) for number in vector]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if isinstance(vector, (str, bytes)) or not numbers or not all(map(math.isfinite, numbers)):
        raise InputError(f"{name} is no list of finite numbers. Pass one, such as [0.1, 0.2, 0.3].")
    return numbers


def build_documents(texts: Iterable[str], metadatas: Iterable[Mapping[str, Any]] | None) -> Iterable[Document]:
    """The documents of texts; of a list, after all were checked."""
    checked_texts = checked(listed(texts, str, "text"), str, "text")
    if metadatas is None:
        documents = (Document(page_content=text) for text in checked_texts)
    else:
        given = ({} if metadata is None else metadata for metadata in listed(metadatas, Mapping, "dict"))
        pairs = zip_equal(checked_texts, checked(given, Mapping, "metadata"), "metadatas")
        documents = (Document(page_content=text, metadata=dict(metadata)) for text, metadata in pairs)
    return list(documents) if isinstance(texts, Sequence) else documents


def results_as_documents(results: Iterable[SearchResult]) -> list[Document]:
    """The documents that were found, as they were stored."""
    return [Document(id=result.hit.id, page_content=result.text, metadata=fields_of(result)) for result in results]


def as_list(items: Any) -> Any:
    """The same items in a list. What is no iterable of items stays, and is refused with its contents."""
    single = isinstance(items, (Sequence, Mapping)) or hasattr(items, "read") or hasattr(items, "model_dump")
    return items if single or not isinstance(items, Iterable) else list(items)


def _record(content: Content, document: Document, id_: Any, text_field: str) -> Record:
    if content is document.page_content:  # parts of `content_list` are checked there
        warn_of_binary([document.page_content])
    if id_ == "content":
        text = document.page_content if isinstance(content, str) else f"{fingerprint(content)} {document.page_content}"
        id_ = content_id(text, document.metadata)
    elif id_ is None:
        id_ = new_id() if document.id is None else document_id(document.id)
    return Record(id_, content, {text_field: document.page_content, "metadata": stored_metadata(document.metadata)})


def _described(item: Any, content: Content) -> Document:
    """A document that states where an item comes from."""
    metadata = {"source": source} if (source := source_of(item)) else {}
    return Document(page_content=content if isinstance(content, str) else "", metadata=metadata)


def _parts(content: Content, document: Document, id_: Any, *, describe: bool) -> Iterator[tuple[Content, Document, Any]]:
    """Yield what is indexed of an item, with its document and id: each page of a PDF, else the item.

    A page has the id of its PDF with its number. The metadata of the document override what is known of the item, of which a
    document of the user gets only the number of the page.
    """
    for part, known in parts_to_index(content):
        known.pop("source", None)  # that of the item; here it may be a URL, which may hold a secret
        facts = known if describe else {name: known[name] for name in ("page", "pages") if name in known}
        ending = f"-{known['page']}" if known.get("pages", 1) > 1 else ""
        metadata = {**facts, **document.metadata}
        own_id = None if document.id is None else f"{document.id}{ending}"
        described = document.model_copy(update={"id": own_id, "metadata": metadata})
        yield part, described, id_ if id_ in (None, "content") else f"{id_}{ending}"
