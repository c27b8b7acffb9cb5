"""What the adapters owe to LlamaIndex, whatever they do: they become dictionaries and pickles, and come back from them."""

from __future__ import annotations

from typing import Any, Self

from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import BaseComponent
from pydantic import BaseModel, field_validator

from jina_eis.adapters import ServiceSettings, address_may_follow

__all__ = ["Limiter", "Plugin"]


class Limiter:
    """A rate limiter of LlamaIndex, under the names that the driver knows."""

    def __init__(self, limiter: Any) -> None:
        self._limiter = limiter

    def acquire(self) -> None:
        """Block until a request may be sent."""
        self._limiter.acquire()

    async def aacquire(self) -> None:
        """Wait until a request may be sent."""
        await self._limiter.async_acquire()


class Plugin(ServiceSettings, BaseComponent):
    """A component of LlamaIndex with the settings that all adapters share."""

    @field_validator("callback_manager", mode="before", check_fields=False)
    @classmethod
    def _always_a_manager(cls, manager: CallbackManager | None) -> CallbackManager:
        return manager or CallbackManager()

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """The object that `to_dict` described. Secrets are not in it: pass them, or leave them to the environment.

        It may lack what it needs to connect; the first use says so.
        """
        with address_may_follow():
            return super().from_dict(data, **kwargs)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        # Handlers belong to the process they were set up in, and hold what cannot be pickled.
        return {**state, "__dict__": {**state["__dict__"], "callback_manager": CallbackManager()}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        BaseModel.__setstate__(self, state)  # LlamaIndex's own makes the object anew, in the environment of another process
