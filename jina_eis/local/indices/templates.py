"""Dynamic templates: how a new field is mapped that no mapping names.

Knows definitions of templates; must not know documents or fields.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from ..refusals import Json, mapper_parsing, not_implemented

CONDITIONS = ("match_mapping_type", "path_match", "path_unmatch", "match", "unmatch")
TYPES = ("*", "string", "long", "double", "boolean", "object", "date")


def check_templates(templates: Any) -> Any:
    """Return dynamic templates after checking their form."""
    if not isinstance(templates, list):
        raise mapper_parsing("Dynamic template syntax error. An array of named objects is expected.")
    for template in templates:
        if not isinstance(template, dict) or len(template) != 1:
            raise mapper_parsing("A dynamic template must be defined with a name")
        ((name, body),) = template.items()
        if not isinstance(body, dict) or not isinstance(body.get("mapping"), dict):
            raise mapper_parsing(f"template [{name}] must have either mapping or runtime set")
        for key, value in body.items():
            if key not in ("mapping", *CONDITIONS) or (key != "mapping" and not isinstance(value, str)):
                raise not_implemented(f"dynamic_templates.{name}.{key}: {value}")
        if body.get("match_mapping_type", "*") not in TYPES:
            raise mapper_parsing(f"No field type matched on [{body['match_mapping_type']}]")
        if "{" in str(body["mapping"]).replace("{'", "").replace("{}", ""):
            raise not_implemented(f"dynamic_templates.{name} with placeholders")
    return templates


def templated(path: str, first: Any, root: Json) -> Json | None:
    """Return the definition of a new field by the first template that matches; None if none does.

    Args:
        path: The path of the field.
        first: Its first value.
        root: The mapping.
    """
    kinds = {dict: "object", bool: "boolean", int: "long", float: "double"}
    kind = kinds.get(type(first), "string")
    for template in root.get("dynamic_templates", ()):
        (body,) = template.values()
        name = path.rpartition(".")[2]
        if body.get("match_mapping_type", "*") not in ("*", kind):
            continue
        if not fnmatchcase(path, body.get("path_match", "*")) or not fnmatchcase(name, body.get("match", "*")):
            continue
        if fnmatchcase(path, body.get("path_unmatch", "")) or fnmatchcase(name, body.get("unmatch", "")):
            continue
        usual = {"string": "text", "double": "float"}.get(kind, kind)
        return {"type": usual, **body["mapping"]}
    return None
