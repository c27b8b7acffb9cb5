"""The documented path of `jina_eis.adapters.settings`."""

from .adapters import MAX_CONCURRENCY, MAX_RETRIES, TIMEOUT, ServiceSettings
from .adapters import missing_address_allowed as address_may_follow

__all__ = ["MAX_CONCURRENCY", "MAX_RETRIES", "TIMEOUT", "ServiceSettings", "address_may_follow"]
