"""The version of the deployment, requested once when the first feature needs it.

Features differ by version. Plain embedding, and reranking with a named model, do not ask for it. Ingest into a dense_vector
field does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, total_ordering
from typing import TypeVar

from ..errors import ConfigurationError, InvalidAnswerError, JinaEISError, RequestRejectedError
from ..wire import About, Call, Steps, ask, get_version

__all__ = ["REFUSED", "Version", "about_server", "require", "server_version", "too_old", "with_feature"]

A = TypeVar("A")

REFUSED = (403, 404)  # a key without the privilege `monitor`, and a proxy that passes on some paths only


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """The version of a deployment. Versions are compared by major and minor number; serverless is newer than all others.

    Attributes:
        major: Its first number.
        minor: Its second number.
        text: The version as Elasticsearch reports it, such as "9.5.3".
        serverless: Whether it is a serverless project, which has no version of its own.
    """

    major: int
    minor: int
    text: str
    serverless: bool = False

    @classmethod
    def parse(cls, text: str, flavour: str = "default") -> Version:
        """Return the version of a text that begins as "9.5" does.

        Raises:
            InvalidAnswerError: it does not.
        """
        numbers = re.match(r"(\d+)\.(\d+)", text, re.ASCII)
        if not numbers:
            raise InvalidAnswerError(f"Elasticsearch reports the version {text!r} instead of numbers such as 9.5.3.")
        return cls(int(numbers[1]), int(numbers[2]), text, flavour == "serverless")

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key if isinstance(other, Version) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        return f"{self.text} (serverless)" if self.serverless else self.text

    @property
    def _key(self) -> tuple[bool, int, int]:
        return (True, 0, 0) if self.serverless else (False, self.major, self.minor)


def about_server() -> Steps[About | None]:
    """Return what the deployment reports of itself; None if the key may not see it. Requested once in the life of a driver."""
    try:
        return (yield from ask([get_version()]))[0]
    except JinaEISError as error:
        if error.status not in REFUSED:
            raise
        return None


def server_version() -> Steps[Version | None]:
    """Return the version of the deployment; None if the key may not see it."""
    about = yield from about_server()
    return Version.parse(about.number, about.flavour) if about else None


def require(feature: str, since: str) -> Steps[Version | None]:
    """Return the version of the deployment if it has a feature; None if the key may not see the version.

    Args:
        feature: What needs the version, as the subject of a sentence: "diversify" or "A query with images".
        since: The first version that has it, such as "9.3".

    Raises:
        ConfigurationError: the deployment is older.
    """
    version = yield from server_version()
    if version and version < Version.parse(since):
        raise ConfigurationError(f"{feature} needs Elasticsearch {since}; this deployment has {version}. Upgrade it.")
    return version


def too_old(feature: str, since: str, error: JinaEISError) -> JinaEISError:
    """Return the error to raise for a failed request with a feature, if `require` returned None.

    Args:
        feature: As for `require`.
        since: As for `require`.
        error: The error of the request. If Elasticsearch rejected it as invalid (400), the error names the feature and the
            version that it needs; any other error is returned unchanged.
    """
    if not isinstance(error, RequestRejectedError) or error.status != 400:
        return error
    explained = ConfigurationError(
        f"{error.message} {feature} needs Elasticsearch {since}, and this key may not see the version of the deployment. "
        "Is it older?",
        status=error.status,
        error_type=error.error_type,
        reason=error.reason,
    )
    explained.__cause__ = error
    explained.endpoint, explained.inputs, explained.completed = error.endpoint, error.inputs, error.completed
    return explained


def with_feature(call: Call[A], feature: str, since: str) -> Call[A]:
    """Return the same call. If the deployment refuses it and is too old, or may be, the error names the feature.

    Args:
        call: A call that needs the feature.
        feature: As for `require`.
        since: As for `require`.
    """
    return _explained(call, partial(_explain_refusal, feature, since))


def _explain_refusal(feature: str, since: str, error: JinaEISError) -> Steps[JinaEISError]:
    if not isinstance(error, RequestRejectedError):
        return error
    return error if (yield from require(feature, since)) else too_old(feature, since, error)


def _explained(call: Call[A], explain: Callable[[JinaEISError], Steps[JinaEISError]]) -> Call[A]:
    halves = call.halves
    return replace(call, explain=explain, halves=halves and (lambda: [_explained(half, explain) for half in halves()]))
