"""Hints about values that are not texts."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompt_values import StringPromptValue
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import TextNode

from jina_eis.contents import check_query, check_texts, query_text
from jina_eis.errors import InputError


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (None, "Leave it out, or pass an empty string"),
        (Document(page_content="Salt."), r"\[document\.page_content for document in documents\]"),
        (TextNode(text="Salt."), r"node\.get_content"),
        (HumanMessage("Salt?"), r"message\.content"),
        (ChatMessage("Salt?"), r"message\.content"),
        (float("nan"), "empty cell of a table"),
        (3, r"str\(number\)"),
        ([101, 2054, 102], "list of numbers"),
        ({"text": "Salt."}, "a dictionary with the key 'text'"),
        (b"\x89PNG", "For media use embed_contents"),
        ({"type": "image", "base64": ""}, "For media use embed_contents"),
    ],
)
def test_each_common_mistake_has_its_own_hint(value: Any, hint: str) -> None:
    with pytest.raises(InputError, match=rf"^Input 8 is .*, not a string\. .*{hint}"):
        check_texts(["Salt.", value], 7, embedded=True)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "The query is empty"),
        (" \n\t", "The query is empty"),
        (None, "The query is None"),
        ({"question": "salt"}, r'the key \'question\'\. A query is a string: put operator\.itemgetter\("question"\)'),
        ({"question": "salt", "history": []}, "the keys 'question', 'history'"),
        ({n: n for n in range(7)}, r"the keys 0, 1, 2, 3, 4, …"),
        ({}, "a dictionary with no keys"),
        (HumanMessage("salt?"), r"of type HumanMessage\. Pass its text"),
        (StringPromptValue(text="salt?"), r"to_string\(\)"),
        ([HumanMessage("salt?"), AIMessage("Yes.")], "a list of messages"),
    ],
)
def test_a_query_that_is_not_a_text(query: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        check_query(query)
    with pytest.raises(InputError, match=problem):
        query_text(query)


def test_texts_and_media_are_queries() -> None:
    for query in ("salt", {"type": "image", "base64": "aGVsbG8="}, b"\x89PNG", ["salt", b"\x89PNG"]):
        check_query(query)
    assert query_text(" salt ") == " salt "
