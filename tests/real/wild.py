"""Requests as no client should send them: parts of a JSON body replaced, removed, added or moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

__all__ = ["mutate"]

ODD = [
    None,
    True,
    False,
    "true",
    0,
    1,
    -1,
    2,
    1.5,
    "2",
    "x",
    "",
    " ",
    [],
    {},
    ["x"],
    [1],
    {"a": 1},
    2**31,
    2**63,
    1e30,
    "2023-13",
    "75%",
]
NAMES = ["boost", "_name", "query", "value", "fields", "type", "field", "size", "filter", "analyzer", "lenient", "format", "nope"]


def mutate(random: Random, body: Any) -> Any:
    """A copy of a JSON value with one to three changes."""
    copy = {"": json.loads(json.dumps(body))}
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = [place for place in places_of(copy) if place[0] is not copy or random.random() < 0.1]
        if not places:
            break
        change(random, *random.choice(places))
    return copy.get("")


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """The containers and keys of all parts; a list of numbers is one part."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list) and not (len(value) > 1 and all(isinstance(item, float) for item in value)):
        pairs = list(enumerate(value))
    else:
        return
    for key, part in pairs:
        yield value, key
        yield from places_of(part)


def change(random: Random, container: Any, key: Any) -> None:
    part = container[key]
    match random.choice(("replace", "replace", "remove", "wrap", "unwrap", "add", "rename", "retype")):
        case "replace":
            container[key] = random.choice(ODD)
        case "remove":
            del container[key]
        case "wrap":
            container[key] = [part]
        case "unwrap" if isinstance(part, list) and part:
            container[key] = part[0]
        case "add" if isinstance(part, dict):
            part[random.choice(NAMES)] = random.choice(ODD)
        case "rename" if isinstance(container, dict) and key:
            container[random.choice(NAMES)] = container.pop(key)
        case "retype" if isinstance(part, (int, float)):
            container[key] = str(part)
        case _:
            container[key] = random.choice(ODD)
