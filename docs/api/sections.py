"""Rendering of docstrings with LangChain's sections, and of pydantic fields, as readable Markdown.

Sections such as "Setup:" and "Key init args:" are unknown to the Google style. Of a field, readers need the default.
"""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import Any

import griffe

GOOGLE = ("Args", "Attributes", "Examples", "Raises", "Returns", "Yields")
_SECTION = re.compile(r"^([A-Z][\w ]*):\n((?:[ ]{4}.*\n?|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^(\S.*)\n((?:[ ]{4}.*\n?|\n(?=[ ]{4}))+)", re.MULTILINE)


class LangChainSections(griffe.Extension):
    """Rewrites docstrings and fields before they are rendered."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object, if it has one."""
        if obj.docstring:
            obj.docstring.value = rewrite_sections(obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Show the default of a field instead of all arguments of pydantic's `Field`."""
        attr.labels -= {"class-attribute", "instance-attribute"}
        if isinstance(attr.value, griffe.ExprCall) and str(attr.value.function) == "Field":
            keywords = {
                argument.name: argument.value for argument in attr.value.arguments if isinstance(argument, griffe.ExprKeyword)
            }
            attr.value = _resolve_constant(keywords.get("default"), attr.module)


def _resolve_constant(value: str | griffe.Expr | None, module: griffe.Module) -> str | griffe.Expr | None:
    """The value of a constant of the same module, or the value itself."""
    constant = module.members.get(str(value))
    return constant.value if isinstance(constant, griffe.Attribute) else value


def rewrite_sections(docstring: str) -> str:
    """The docstring with a bold heading for each section that the Google style does not define."""
    return _SECTION.sub(
        lambda match: match[0] if match[1] in GOOGLE else _format_section(match[1], dedent(match[2])), docstring + "\n"
    )


def _format_section(title: str, body: str) -> str:
    """The section, with a definition list for lines that have an indented explanation."""
    return f"**{title}**\n\n{body if '```' in body else _ENTRY.sub(_format_definition, body)}\n"


def _format_definition(entry: re.Match[str]) -> str:
    return f"`{entry[1]}`\n:   {indent(dedent(entry[2]), '    ').lstrip()}\n"
