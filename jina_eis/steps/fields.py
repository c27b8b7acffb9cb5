"""The fields of an index that a search or an ingest uses: the index is described once, its fields are chosen and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..errors import ConfigurationError, IndexNotFoundError
from ..wire import VECTORS, Field, Index, Steps, ask, get_index
from .compatibility import known_to_share_space

__all__ = [
    "SEARCH_TYPES",
    "SearchType",
    "check_text_field",
    "choose_field",
    "choose_text_field",
    "describe_index",
    "origin_of_text",
    "query_endpoint",
    "require_one",
    "text_fields",
]

SearchType = Literal["semantic", "knn", "hybrid"]

SEARCH_TYPES: dict[SearchType, tuple[str, ...]] = {
    "semantic": ("semantic_text", "semantic"),
    "knn": ("dense_vector",),
    "hybrid": ("semantic_text", "dense_vector", "semantic"),
}
TEXTS = ("text", "match_only_text", "semantic_text")
CONTENT_FIELDS = ("text", "content")  # names in the Elasticsearch stores of LangChain and LlamaIndex


def describe_index(index: str, *, fresh: bool = False) -> Steps[Index]:
    """Describe an index; with `fresh`, by a new request even if it is cached.

    Raises:
        IndexNotFoundError: the index does not exist.
    """
    try:
        return (yield from ask([get_index(index, cache=not fresh)]))[0]
    except IndexNotFoundError as error:
        error.message = f"There is no index {index!r}. Check index_name; adding documents creates it."
        raise


def require_one(index: Index, purpose: str) -> Index:
    """Return the same index. Raises ConfigurationError if its name stands for several, of which `purpose` takes one."""
    if index.parts:
        names = ", ".join(part.name for part in index.parts[:5]) + (", ..." if len(index.parts) > 5 else "")
        raise ConfigurationError(
            f"index_name={index.name!r} names {len(index.parts)} indices: {names}. {purpose} needs one of them."
        )
    return index


def choose_field(index: Index, search_type: SearchType, name: str | None) -> Field:
    """Return the field for semantic search: the named one, or the only one that fits; in every index, if there are several.

    Raises:
        ConfigurationError: no field or several fit, or the named field is missing or of another type, or in several indices
            its vectors cannot be compared.
    """
    if not index.parts:
        return _choose_field(index, search_type, name)
    field = _choose_field(index, search_type, name)
    for part in index.parts:
        other = part.fields.get(field.name)
        if other is None or other.type != field.type:
            state = f"is of type {other.type}" if other else "is missing"
            raise ConfigurationError(
                f"index_name={index.name!r}: {field.name!r} is of type {field.type} in {index.parts[0].name!r}, and {state} in "
                f"{part.name!r}. Search indices together that have the field alike."
            )
        _check_same_space(index, field, part)
    return field


def _check_same_space(index: Index, field: Field, part: Index) -> None:
    first = index.parts[0]
    endpoints = [str(one.fields[field.name].inference_id or one.inference_id or "an unknown endpoint") for one in (first, part)]
    lengths = [one.fields[field.name].dims for one in (first, part)]
    unknown = any(one.fields[field.name].inference_id is one.inference_id is None for one in (first, part))
    if lengths[0] == lengths[1] and (unknown or endpoints[0] == endpoints[1] or known_to_share_space(*endpoints)):
        return
    described = [
        f"{endpoint}, {length} dimensions" if length else endpoint for endpoint, length in zip(endpoints, lengths, strict=True)
    ]
    raise ConfigurationError(
        f"index_name={index.name!r}: the vectors in {field.name!r} of {first.name!r} ({described[0]}) and of {part.name!r} "
        f"({described[1]}) cannot be compared. Search them one by one."
    )


def _choose_field(index: Index, search_type: SearchType, name: str | None) -> Field:
    types = SEARCH_TYPES[search_type]
    candidates = index.of_types(*types)
    if name is None:
        if len(candidates) == 1:
            return candidates[0]
        state = (
            f"has {_format_fields(candidates)}: choose one with field"
            if candidates
            else f"has no such field, {_other_vector_fields(index)}"
        )
        raise ConfigurationError(
            f'search_type="{search_type}" searches a field of type {_join_with_or(types)}. The index {index.name!r} {state}.'
        )
    field = index.fields.get(name)
    if field is None:
        raise ConfigurationError(f"The index {index.name!r} has no field {name!r}, {_other_vector_fields(index)}.")
    if field.type not in types:
        suitable = next((name for name, field_types in SEARCH_TYPES.items() if field.type in field_types), None)
        remedy = f'Choose search_type="{suitable}".' if suitable else f"The index has {_format_fields(candidates) or 'none'}."
        raise ConfigurationError(
            f'field={name!r} is of type {field.type}, but search_type="{search_type}" searches {_join_with_or(types)}. {remedy}'
        )
    return field


def choose_text_field(index: Index, field: Field) -> str:
    """Return the name of the field with the text of a document, in an index whose `field` is searched, as the mapping shows it.

    In this order: the one text field that is copied into `field`; the field whose multi-field it is; a text field with a usual
    name; `field` itself, if it embeds texts; the only text field.

    Raises:
        ConfigurationError: the mapping does not show it.
    """
    texts = [other for other in text_fields(index) if other is not field]
    copied = [other.name for other in texts if field.name in other.copies_to]
    if len(copied) == 1:
        return copied[0]
    if field.parent is not None:
        return field.parent
    own = [other.name for other in texts if other.parent is None]
    usual = next((name for name in CONTENT_FIELDS if name in own), None)
    if not copied and usual:
        return usual
    if not copied and field.type == "semantic_text":
        return field.name
    if not copied and len(own) == 1:
        return own[0]
    if not own and field.type == "semantic":
        return field.name
    state = f"several text fields: {', '.join(copied or own)}" if copied or own else "no text field"
    raise ConfigurationError(
        f"The index {index.name!r} has {state}. Pass the one with the text of the documents as content_field"
        + ("." if copied or own else ", such as a keyword.")
    )


def origin_of_text(index: Index, name: str) -> str:
    """Return the field in which documents hold the text of a field: itself, that of its multi-field, or the one copied into it.

    Raises:
        ConfigurationError: several fields are copied into it.
    """
    field = index.fields.get(name)
    if field is not None and field.parent is not None:
        return field.parent
    copied = [other.name for other in index.fields.values() if name in other.copies_to]
    if len(copied) > 1:
        raise ConfigurationError(
            f"content_field={name!r}: several fields of the index {index.name!r} are copied into it. Choose one of them: "
            f"{', '.join(copied)}."
        )
    return copied[0] if copied else name


def text_fields(index: Index) -> list[Field]:
    """Return the fields of an index with texts, without those of the metadata."""
    return [field for field in index.of_types(*TEXTS) if not field.name.startswith("metadata.")]


def check_text_field(index: Index, name: str, types: Sequence[str], purpose: str) -> None:
    """Raise ConfigurationError unless the index has a field with this name and one of these types, which `purpose` needs."""
    field = index.fields.get(name)
    if field is None or field.type not in types:
        state = f"is of type {field.type}" if field else "does not exist"
        names = ", ".join(candidate.name for candidate in index.of_types(*types)) or "none"
        raise ConfigurationError(
            f"content_field={name!r} {state}, and {purpose} needs a text field. The index {index.name!r} has: {names}."
        )


def query_endpoint(index: Index, field: Field) -> str | None:
    """Return the endpoint that embeds queries for a field, where no other is set; None if the index does not name it."""
    return field.search_inference_id or field.inference_id or index.inference_id


def _other_vector_fields(index: Index) -> str:
    fields = index.of_types(*VECTORS)
    return f"but {_format_fields(fields)}" if fields else f"nor any other of {_join_with_or(VECTORS)}"


def _format_fields(fields: Sequence[Field]) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in fields)


def _join_with_or(types: Sequence[str]) -> str:
    *others, last = types
    return f"{', '.join(others)} or {last}" if others else last
