"""What to pass instead of a value that is not a text: the commonest mistakes, recognised without importing a framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from .objects import describe_type

__all__ = ["check_query", "instead_of_text"]

LISTED_KEYS = 5


def instead_of_text(value: Any) -> str:
    """Return a sentence about what to pass instead of a document that is not a string; "" if nothing is known about it."""
    if value is None:
        return "Leave it out, or pass an empty string."
    if hasattr(value, "page_content"):
        return "Pass [document.page_content for document in documents], or the documents to add_documents of a retriever."
    if hasattr(value, "get_content"):
        return 'Pass [node.get_content("embed") for node in nodes], or call the embedding model with the nodes.'
    if is_message(value):
        return "Pass its text, message.content."
    if isinstance(value, float) and math.isnan(value):
        return "It is NaN, as an empty cell of a table is. Leave it out, or pass an empty string."
    if isinstance(value, (int, float)):
        return "Pass str(number)."
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, (int, float)) for item in value):
        return "It is a list of numbers, as tokens are. Pass the text itself: the service divides it into tokens."
    if isinstance(value, Mapping) and "type" not in value:
        return f"It is a dictionary with {_keys(value)}. Pass the value that holds the text."
    return "For media use embed_contents (in LlamaIndex, of JinaEISMultiModalEmbedding)."


def check_query(query: Any) -> None:
    """Raise InputError for a query that is empty, or that is a common mistake of chains."""
    if isinstance(query, str):
        if not query.strip():
            raise InputError("The query is empty. Pass the text to search for.")
    elif query is None:
        raise InputError("The query is None. Pass a text or a medium.")
    elif isinstance(query, Mapping) and "type" not in query:
        name = next((name for name in query if isinstance(name, str)), "question")
        raise InputError(
            f"The query is a dictionary with {_keys(query)}. A query is a string: put "
            f'operator.itemgetter("{name}") before the retriever.'
        )
    elif is_message(query):
        raise InputError(f"The query is {describe_type(query)}. Pass its text, message.content.")
    elif hasattr(query, "to_string") and hasattr(query, "to_messages"):
        raise InputError(f"The query is {describe_type(query)}. Pass its text, prompt_value.to_string().")
    elif isinstance(query, (list, tuple)) and query and all(map(is_message, query)):
        raise InputError("The query is a list of messages. Pass the text of one of them, messages[-1].content.")


def is_message(value: Any) -> bool:
    """Whether a value is a chat message of LangChain or LlamaIndex."""
    return hasattr(value, "additional_kwargs") and hasattr(value, "content")


def _keys(value: Mapping[Any, Any]) -> str:
    """Return "the key 'x'" or "the keys 'x', 'y'"."""
    names = ", ".join(map(repr, [*value][:LISTED_KEYS])) + (", …" if len(value) > LISTED_KEYS else "")
    return f"the key {names}" if len(value) == 1 else f"the keys {names}" if value else "no keys"
