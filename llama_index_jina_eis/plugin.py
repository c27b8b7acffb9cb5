"""Shared parts of the LlamaIndex adapters: round trips through dictionaries and pickles, and rate limiters."""

from __future__ import annotations

from typing import Any, Self

from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import BaseComponent
from pydantic import field_validator

from jina_eis.adapters import ServiceSettings, missing_address_allowed

__all__ = ["USAGE", "Limiter", "Plugin"]

USAGE = "jina_eis_usage"  # the key of the counts in the payload of an end event


class Limiter:
    """A LlamaIndex rate limiter with the method names that the driver calls."""

    def __init__(self, limiter: Any) -> None:
        self._limiter = limiter

    def acquire(self) -> None:
        """Block until a request may be sent."""
        self._limiter.acquire()

    async def aacquire(self) -> None:
        """Wait until a request may be sent."""
        await self._limiter.async_acquire()


class Plugin(ServiceSettings, BaseComponent):
    """A LlamaIndex component with the settings of every adapter."""

    @field_validator("callback_manager", mode="before", check_fields=False)
    @classmethod
    def _default_callback_manager(cls, manager: CallbackManager | None) -> CallbackManager:
        return manager or CallbackManager()

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Create an object from the result of `to_dict`. It contains no secrets: pass them, or set them in the environment.

        The address may be missing; then the first use raises an error.
        """
        with missing_address_allowed():
            return super().from_dict(data, **kwargs)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        if "callback_manager" not in state["__dict__"]:
            return state
        # Handlers belong to their process, and contain objects that cannot be pickled.
        return {**state, "__dict__": {**state["__dict__"], "callback_manager": CallbackManager()}}
