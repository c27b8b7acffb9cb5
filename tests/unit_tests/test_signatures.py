"""Signatures of public constructors name every argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Unpack, get_args, get_origin, get_type_hints

import pytest

import jina_eis
import langchain_jina_eis
import llama_index_jina_eis
from jina_eis.adapters import RetrieverArguments, RetrieverSettings, ServiceArguments, ServiceSettings

PACKAGES = (jina_eis, langchain_jina_eis, llama_index_jina_eis)
FRAMEWORKS = (langchain_jina_eis, llama_index_jina_eis)


def classes(*packages: Any) -> Iterator[type]:
    for package in packages:
        yield from (value for name in package.__all__ if inspect.isclass(value := getattr(package, name)))


def constructors(cls: type) -> Iterator[Callable[..., Any]]:
    """The class, and its methods `from_...`, except those of LlamaIndex's serialisation, whose signature is LlamaIndex's."""
    yield cls
    own = {package.__name__ for package in PACKAGES}
    methods = (getattr(cls, name) for name in dir(cls) if name.startswith(("from_", "afrom_")) and name != "from_dict")
    yield from (method for method in methods if method.__module__.partition(".")[0] in own)


def arguments(function: Callable[..., Any]) -> set[str]:
    """The names that a call can pass. An argument for the rest must list them as a TypedDict."""
    names = set[str]()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            names.add(name)
            continue
        hint = get_type_hints(function.__init__ if inspect.isclass(function) else function)[name]  # type: ignore[misc]
        assert get_origin(hint) is Unpack, f"{function.__qualname__}: {name} does not list its arguments"
        names |= get_type_hints(get_args(hint)[0]).keys()
    return names


@pytest.mark.parametrize("cls", [*classes(*PACKAGES)], ids=lambda cls: f"{cls.__module__.split('.')[0]}.{cls.__name__}")
def test_every_argument_of_a_constructor_is_named(cls: type) -> None:
    own = arguments(cls)
    for method in constructors(cls):
        assert arguments(method) >= own, f"{method.__qualname__} lacks {own - arguments(method)}"


def test_all_constructors_are_found() -> None:
    names = {method.__qualname__ for cls in classes(*FRAMEWORKS) for method in constructors(cls)}
    assert {f"JinaEISVectorStore.{name}" for name in ("from_texts", "afrom_texts", "from_documents", "afrom_documents")} <= names
    assert {f"JinaEISRetriever.{name}" for name in ("from_texts", "from_nodes", "afrom_documents", "afrom_nodes")} <= names


def test_the_types_of_arguments_have_the_settings() -> None:
    assert get_type_hints(RetrieverArguments).keys() == RetrieverSettings.model_fields.keys()
    assert get_type_hints(ServiceArguments).keys() == ServiceSettings.model_fields.keys()
