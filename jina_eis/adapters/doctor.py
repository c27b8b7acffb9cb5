"""`doctor` and `adoctor`: check a deployment, with a driver for each check-up."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Unpack

from ..errors import ConfigurationError
from ..steps import Check, Report, Status, check_deployment, settings_report
from ..wire import Steps
from .arguments import ServiceArguments
from .settings import ServiceSettings

__all__ = ["Check", "Report", "Status", "adoctor", "doctor"]

TIMEOUT = 30.0  # seconds per request; an endpoint that needs longer for one sentence is unusable


def doctor(**connection: Unpack[ServiceArguments]) -> Report:
    """Check everything that a deployment needs to embed and rerank.

    The checks send one sentence to one endpoint of each task, which costs a few tokens. They change nothing.

    Args:
        connection: The connection settings of every adapter (`es_url`, `es_api_key`, …). Default: the environment variables.
            By default, a request times out after 30 s and is not retried.

    Returns:
        The report. `print(doctor())` prints a line for each check, with the cause and the remedy of each failure. `.ok` is
        True if no check failed. A failed check raises no error.
    """
    try:
        deployment = Deployment(**_with_defaults(connection))
    except ConfigurationError as error:
        return settings_report(error)
    with deployment:
        return deployment._run(deployment._examine())


async def adoctor(**connection: Unpack[ServiceArguments]) -> Report:
    """As `doctor`, without blocking the event loop."""
    try:
        deployment = Deployment(**_with_defaults(connection))
    except ConfigurationError as error:
        return settings_report(error)
    async with deployment:
        return await deployment._arun(deployment._examine())


def _with_defaults(connection: ServiceArguments) -> ServiceArguments:
    return {"timeout": TIMEOUT, "max_retries": 0, **connection}


class Deployment(ServiceSettings):
    """The deployment to check."""

    def _examine(self) -> Steps[Report]:
        return check_deployment(self._describe(), self.timeout, time.perf_counter, lambda: datetime.now(UTC))

    def _describe(self) -> str:
        """The address of the deployment and the kind of credentials, in a sentence."""
        if self.client is not None or self.async_client is not None:
            return "Your own client."
        credentials = "an API key" if self.es_api_key else f"the user {self.es_user}" if self.es_user else "no credentials"
        return f"{self.es_url or f'Cloud id {self.es_cloud_id}'}, with {credentials}."
