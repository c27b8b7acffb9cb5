"""The documented path of `jina_eis.adapters.settings`."""

from .adapters import MAX_CONCURRENCY, MAX_RETRIES, TIMEOUT, ServiceSettings

__all__ = ["MAX_CONCURRENCY", "MAX_RETRIES", "TIMEOUT", "ServiceSettings"]
