"""The setting that names an endpoint: `inference_id`, which is also `model`, as in most packages.

It does not know what the endpoint does, or whether it exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices

from .settings import ServiceSettings

__all__ = ["ENDPOINT_NAMES", "EndpointSettings"]

ENDPOINT_NAMES = AliasChoices("inference_id", "model")


class EndpointSettings(ServiceSettings):
    """Settings with an endpoint, named `inference_id` or, as in most packages, `model`."""

    if not TYPE_CHECKING:

        @property
        def model(self) -> str | None:
            """The inference endpoint, under the name that many tools read."""
            return self.inference_id
