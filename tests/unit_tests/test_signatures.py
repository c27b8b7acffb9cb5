"""Signatures of public constructors name every argument, and every configuration has a JSON schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Unpack, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

import jina_eis
import jina_eis.batch
import langchain_jina_eis
import llama_index_jina_eis
from jina_eis.adapters import RetrieverArguments, RetrieverSettings, ServiceArguments, ServiceSettings

PACKAGES = (jina_eis, jina_eis.batch, langchain_jina_eis, llama_index_jina_eis)
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


@pytest.mark.parametrize("function", [jina_eis.doctor, jina_eis.adoctor], ids=lambda function: function.__name__)
def test_functions_name_the_settings_of_the_connection(function: Callable[..., Any]) -> None:
    assert arguments(function) - {"return"} >= ServiceSettings.model_fields.keys()


@pytest.mark.parametrize(
    "cls",
    [cls for cls in classes(*PACKAGES) if issubclass(cls, BaseModel)],
    ids=lambda cls: f"{cls.__module__.split('.')[0]}.{cls.__name__}",
)
def test_every_configuration_has_a_json_schema(cls: type[BaseModel]) -> None:
    properties = cls.model_json_schema()["properties"]
    assert "es_url" in properties
    assert properties["es_api_key"]["anyOf"][0]["format"] == "password"
    assert not {"rate_limiter", "embedding", "media_of"} & properties.keys() or "llama" in cls.__module__


def test_all_constructors_are_found() -> None:
    names = {method.__qualname__ for cls in classes(*FRAMEWORKS) for method in constructors(cls)}
    assert {f"JinaEISVectorStore.{name}" for name in ("from_texts", "afrom_texts", "from_documents", "afrom_documents")} <= names
    assert {f"JinaEISRetriever.{name}" for name in ("from_texts", "from_nodes", "afrom_documents", "afrom_nodes")} <= names


def test_the_types_of_arguments_have_the_settings() -> None:
    assert get_type_hints(RetrieverArguments).keys() == RetrieverSettings.model_fields.keys()
    assert get_type_hints(ServiceArguments).keys() == ServiceSettings.model_fields.keys()
