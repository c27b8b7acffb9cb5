"""How docstrings in LangChain's form, and fields of pydantic, become readable Markdown.

Sections like "Setup:" and "Key init args:" are none that Google has, and what a reader of a field asks for is its default.
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
            obj.docstring.value = rewritten(obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Show the default of a field in place of all that pydantic is told of it."""
        attr.labels -= {"class-attribute", "instance-attribute"}
        if isinstance(attr.value, griffe.ExprCall) and str(attr.value.function) == "Field":
            said = {each.name: each.value for each in attr.value.arguments if isinstance(each, griffe.ExprKeyword)}
            attr.value = _resolved(said.get("default"), attr.module)


def _resolved(value: str | griffe.Expr | None, module: griffe.Module) -> str | griffe.Expr | None:
    """The value of a constant of the same module, or the value itself."""
    constant = module.members.get(str(value))
    return constant.value if isinstance(constant, griffe.Attribute) else value


def rewritten(docstring: str) -> str:
    """The docstring with a heading in bold for each section that Google has not."""
    return _SECTION.sub(lambda found: found[0] if found[1] in GOOGLE else _section(found[1], dedent(found[2])), docstring + "\n")


def _section(title: str, body: str) -> str:
    """The section, with a definition list in place of lines that have an indented explanation below them."""
    return f"**{title}**\n\n{body if '```' in body else _ENTRY.sub(_definition, body)}\n"


def _definition(entry: re.Match[str]) -> str:
    return f"`{entry[1]}`\n:   {indent(dedent(entry[2]), '    ').lstrip()}\n"
