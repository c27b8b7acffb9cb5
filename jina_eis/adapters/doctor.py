"""`doctor` and `adoctor`: the checks of a deployment, run by a driver of their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ..errors import ConfigurationError
from ..steps import Check, Report, Status, examine, refused_settings
from ..wire import Steps
from .settings import ServiceSettings

__all__ = ["Check", "Report", "Status", "adoctor", "doctor"]

TIMEOUT = 30.0  # seconds for a request; an endpoint that takes longer for one sentence is of no use


def doctor(**connection: Any) -> Report:
    """Look at everything that has to be right before a deployment embeds and reranks.

    It sends a sentence to one endpoint of each task, which costs a few tokens, and changes nothing.

    Args:
        connection: The connection settings of every adapter (`es_url`, `es_api_key`, …); environment variables otherwise.
            By default a request may take 30 s and is not sent again.

    Returns:
        The report. `print(doctor())` shows a line for each check, with the cause and the remedy of what fails; `.ok` says
        whether nothing failed. It raises nothing for what it finds.
    """
    try:
        deployment = Deployment(**{"timeout": TIMEOUT, "max_retries": 0, **connection})
    except ConfigurationError as error:
        return refused_settings(error)
    with deployment:
        return deployment._run(deployment._examine())


async def adoctor(**connection: Any) -> Report:
    """As `doctor`, without blocking the event loop."""
    try:
        deployment = Deployment(**{"timeout": TIMEOUT, "max_retries": 0, **connection})
    except ConfigurationError as error:
        return refused_settings(error)
    async with deployment:
        return await deployment._arun(deployment._examine())


class Deployment(ServiceSettings):
    """The deployment that is checked."""

    def _examine(self) -> Steps[Report]:
        return examine(self._where(), self.timeout, time.perf_counter, lambda: datetime.now(UTC))

    def _where(self) -> str:
        """Where the deployment is and which credentials are used, in a sentence."""
        if self.client is not None or self.async_client is not None:
            return "A client of your own."
        login = "an API key" if self.es_api_key else f"the user {self.es_user}" if self.es_user else "no credentials"
        return f"{self.es_url or f'Cloud id {self.es_cloud_id}'}, with {login}."
