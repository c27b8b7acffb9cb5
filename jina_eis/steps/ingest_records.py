"""The documents of an ingest: which of them a field accepts, and how they are written into it.

Nothing here is sent. A document that a field does not accept fails, and all others are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ..contents import Content, Medium, holds_url, label
from ..errors import ConfigurationError, InputError, JinaEISError
from ..wire import AnyVector, PackedVector, Vector, Write, unpacked, with_shortest_digits
from .compatibility import check_modalities
from .embedder import AnyEmbedded
from .ingest_field import IngestField
from .ingest_report import IngestReport
from .lengths import LengthCheck, TooLong

__all__ = ["Record", "accepted", "as_write", "check_vectors", "embedded_records", "encoded", "names_of", "with_vectors"]

SEMANTIC_BYTES = 10**6  # of a medium; Elasticsearch's default for `semantic` fields, and the maximum of serverless


@dataclass(frozen=True, slots=True)
class Record:
    """A document to index.

    Attributes:
        id: Its id; an existing document with this id is replaced.
        content: The content to embed, or the error that prevents it; None if there is only a vector.
        source: Its fields, without the embedded one.
        vector: Its vector, which a dense_vector field takes as it is. None: the content is embedded.
        text: What a semantic_text field embeds in place of a medium. None: such a field refuses the medium.
    """

    id: str
    content: Content | InputError | None
    source: Mapping[str, Any]
    vector: Vector | None = None
    text: str | None = None


def check_vectors(field: IngestField, records: Sequence[Record]) -> None:
    """Raise InputError for the first vector that a field does not take. Those of a new index are as long as the first."""
    first = next((record.vector for record in records if record.vector is not None), None)
    if field.takes_vectors and field.dimensions is None and first is not None:
        field = replace(field, dimensions=len(first))
    for record in records:
        _check_vector(field, record)


def accepted(field: IngestField, records: Iterable[Record], report: IngestReport, too_long: TooLong) -> list[Record]:
    """Return the records that a field can hold, with the content that it embeds. The reason of each other is recorded."""
    kept = []
    for record in records:
        if field.type == "semantic_text" and record.text is not None:
            record = replace(record, content=record.text)
        try:
            _check(field, record, report, too_long)
        except InputError as error:
            report.fail(record.id, error.message)
        else:
            kept.append(record)
    return kept


def as_write(field: IngestField, record: Record, value: Any) -> Write:
    """Return a record as it is written, with the value of the field."""
    return Write(record.id, {**record.source, field.name: value})


def embedded_records(records: Iterable[Record]) -> list[Record]:
    """Return the records whose contents are embedded: those without a vector, and of equal contents the first."""
    first: dict[Content | InputError | None, Record] = {}
    for record in records:
        if record.vector is None:
            first.setdefault(record.content, record)
    return list(first.values())


def with_vectors(
    field: IngestField, records: Sequence[Record], vectors: Iterable[AnyEmbedded | JinaEISError], report: IngestReport
) -> list[Write]:
    """Return the writes of records; `vectors` are those of `embedded_records`, in order. Errors are recorded."""
    by_content = {record.content: vector for record, vector in zip(embedded_records(records), vectors, strict=True)}
    writes = []
    for record in records:
        vector = by_content[record.content] if record.vector is None else record.vector
        if isinstance(vector, JinaEISError):
            report.fail(record.id, vector.message)
            continue
        pages = vector if isinstance(vector, tuple) else (vector,)
        if len(pages) == 1:
            writes.append(as_write(field, record, pages[0]))
        else:
            report.fail(record.id, _several_vectors(record, len(pages)))
    return writes


def encoded(field: IngestField, write: Write) -> Write:
    """Return the same write with its vector packed, or as numbers of few digits: as the field of an existing index takes it."""
    source = write.source or {}
    vector: AnyVector = source[field.name]
    if isinstance(vector, PackedVector) and field.in_base64:
        return write
    numbers = unpacked(vector)
    packed = PackedVector.of(numbers) if field.in_base64 else None
    return Write(write.id, {**source, field.name: with_shortest_digits(numbers) if packed is None else packed})


def names_of(records: Sequence[Record]) -> Callable[[int], str]:
    """Return what names the record with an index, in messages."""
    return lambda index: f"Document {records[index].id!r}"


def _check_vector(field: IngestField, record: Record) -> None:
    if not field.takes_vectors:
        if record.content is None:
            raise InputError(
                f"Document {record.id!r} has a vector alone, and Elasticsearch embeds a {field.type} field by itself. "
                'Use an index with a dense_vector field: field_type="dense_vector".'
            )
    elif record.vector is not None and field.dimensions and len(record.vector) != field.dimensions:
        raise InputError(
            f"The vector of document {record.id!r} has {len(record.vector)} dimensions, and the vectors in {field.name!r} of "
            f"the index {field.index!r} have {field.dimensions}. Embed it with the endpoint of the index, or without a vector "
            "let it be embedded here."
        )


def _check(field: IngestField, record: Record, report: IngestReport, too_long: TooLong) -> None:
    """Raise InputError if a field cannot hold a record."""
    content = record.content
    _check_vector(field, record)
    if record.vector is not None and field.takes_vectors:
        return
    if isinstance(content, InputError):
        raise content
    if content is None:
        raise InputError("It has neither a content nor a vector.")
    if field.endpoint is None:
        raise ConfigurationError(
            f"The index {field.index!r} does not name the endpoint of the vectors in {field.name!r}. Pass inference_id."
        )
    if not field.takes_vectors:
        _check_semantic(field, content)
    elif too_long == "error":
        LengthCheck("error").check(field.endpoint, [content], names_of([record]))
    if not isinstance(content, str):
        check_modalities(field.endpoint, [content], [report.position(record.id)])


def _check_semantic(field: IngestField, content: Content) -> None:
    """Raise InputError for a content that Elasticsearch does not embed in a semantic_text or semantic field."""
    if field.type == "semantic_text":
        if not isinstance(content, str):
            raise InputError(
                f"{label(content)} is not a text, and the semantic_text field {field.name!r} holds only texts. Create an "
                'index with field_type="semantic" (Elastic Stack 9.5) or "dense_vector", and an omni endpoint: '
                'inference_id=".jina-embeddings-v5-omni-small".'
            )
        return
    if isinstance(content, tuple):
        raise InputError('A semantic field embeds each part separately. Use "dense_vector" for fused inputs.')
    if holds_url(content):
        raise InputError(
            f"{label(content)} is a URL, and a semantic field takes only bytes. Create the retriever with "
            'allow_url_fetch=True and without pass_urls, or the index with field_type="dense_vector".'
        )
    if isinstance(content, Medium) and content.size > SEMANTIC_BYTES:
        raise InputError(
            f"{label(content)} has {content.size:,} bytes. A semantic field takes {SEMANTIC_BYTES:,} by default "
            "(indices.inference.max_binary_input_size; serverless takes no more). Make it smaller, or use dense_vector."
        )


def _several_vectors(record: Record, count: int) -> str:
    """Return the error for a PDF with several vectors. Its pages are records of their own, so it should have one."""
    name = label(cast("Content", record.content))
    if not holds_url(cast("Content", record.content)):
        return f"The service returned {count} vectors for {name}, which has 1 page."
    return (
        f"The service returned {count} vectors for {name}, and a document has one. Pass the bytes of a PDF: its pages are split."
    )
