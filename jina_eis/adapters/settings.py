"""The public settings that every adapter shares: where the service is, who asks, and how hard.

A pydantic model, because both frameworks' classes are. It holds fields and what follows from them: validation with our
own errors, secrets that stay out of every rendering, and one driver for each process, made without touching the network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError

from ..errors import ConfigurationError
from ..steps import explain
from ..transport import CLIENT_MARGIN, Address, Connection, Driver, Pacer, RateLimiter
from ..wire import Steps

__all__ = ["MAX_CONCURRENCY", "MAX_RETRIES", "TIMEOUT", "ServiceSettings", "address_may_follow"]

TIMEOUT = 60.0  # seconds; twice what Elasticsearch gives an inference call by itself
MAX_RETRIES = 6  # a minute of refusals, or a quarter of one without the service
MAX_CONCURRENCY = 32  # the pace is found below it
DEADLINE = 5  # times `timeout`: a service that takes every request and answers none is asked four times

T = TypeVar("T")

if TYPE_CHECKING:
    Secret = SecretStr | str  # a plain string may be given, and becomes one that hides itself
else:
    Secret = SecretStr

_address_may_follow: ContextVar[bool] = ContextVar("address_may_follow", default=False)

_PLACE = ("es_url", "es_cloud_id")
_LOGIN = ("es_api_key", "es_user", "es_password")


@contextmanager
def address_may_follow() -> Iterator[None]:
    """Objects that are made inside may lack what they need to connect: it is missed with the first request only."""
    token = _address_may_follow.set(True)
    try:
        yield
    finally:
        _address_may_follow.reset(token)


class ServiceSettings(BaseModel):
    """Where the service is and how it is called; the arguments that all adapters have in common."""

    model_config = ConfigDict(
        extra="forbid",
        validate_assignment=True,
        validate_default=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    product: ClassVar[str] = "jina-eis"

    client: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """Your own `Elasticsearch` client, in place of an address. It keeps its headers and serializer. If it comes without an
    `async_client`, async calls use it in threads, and a request that is under way when its task is cancelled runs to its end."""
    async_client: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """Your own `AsyncElasticsearch` client. It serves one event loop only; an address serves any number."""
    es_url: str | None = Field(default=None, frozen=True)
    """Address of Elasticsearch (environment: ES_URL)."""
    es_cloud_id: str | None = Field(default=None, frozen=True)
    """Cloud id, in place of the address (environment: ES_CLOUD_ID)."""
    es_api_key: Secret | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """API key with the cluster privilege monitor_inference (environment: ES_API_KEY)."""
    es_user: str | None = Field(default=None, frozen=True)
    """User, in place of the API key (environment: ES_USER)."""
    es_password: Secret | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """Password of the user (environment: ES_PASSWORD)."""
    timeout: float = Field(default=TIMEOUT, gt=0, allow_inf_nan=False, frozen=True)
    """Seconds that the service may take for one request, sent as `?timeout=`. The client waits 5 s longer."""
    max_retries: int = Field(default=MAX_RETRIES, ge=0, frozen=True)
    """How often a request is sent again after an error that passes. 0 turns it off."""
    max_concurrency: int = Field(default=MAX_CONCURRENCY, ge=1, frozen=True)
    """Most requests of one endpoint and role in flight, of all threads together, and of each event loop. Between 1 and this
    number, the pace that the service takes is found: it starts with 16, or with this number if that is less."""
    deadline: float | None = Field(default=None, gt=0, allow_inf_nan=False, frozen=True)
    """Seconds after its first sending in which a request is answered or has failed, however often it may be sent again;
    None for five times `timeout`."""

    _drivers: dict[int, Driver] = PrivateAttr(default_factory=dict)

    def __init__(self, **arguments: Any) -> None:
        told = None
        try:
            super().__init__(**_with_environment(arguments))
        except ValidationError as error:
            told = _told(type(self), error)
        if told:  # outside of the handler: pydantic's error holds the arguments, and with them the secrets
            raise ConfigurationError(told)
        if not _address_may_follow.get():
            self._address()
        longest = self.timeout + CLIENT_MARGIN
        if self.deadline and self.deadline < longest:
            raise ConfigurationError(
                f"deadline={self.deadline:g}: a single request may take {longest:g} s (timeout and {CLIENT_MARGIN:g} s on top). "
                "Lower timeout, or raise deadline."
            )

    def __setattr__(self, name: str, value: Any) -> None:
        told = None
        before = self.__dict__.get(name)
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            told = _told(type(self), error)
        if told:
            if name in self.__dict__:
                self.__dict__[name] = before  # pydantic leaves the refused value when a validator of the whole object refuses
            raise ConfigurationError(told)

    def close(self) -> None:
        """Close the connections that were opened here; the next call opens new ones."""
        for driver in self._drivers.values():
            driver.close()

    async def aclose(self) -> None:
        """As `close`, with those of the running event loop."""
        for driver in self._drivers.values():
            await driver.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __getstate__(self) -> dict[Any, Any]:
        if live := [name for name in ("client", "async_client", "rate_limiter") if getattr(self, name, None) is not None]:
            raise ConfigurationError(
                f"A {type(self).__name__} that holds {', '.join(live)} cannot be pickled: these hold locks or connections. "
                "Make it with es_url or es_cloud_id, and without these."
            )
        state = BaseModel.__getstate__(self)
        return {**state, "__pydantic_private__": {**(state["__pydantic_private__"] or {}), "_drivers": {}}}

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._drivers = {}  # an updated copy may point elsewhere
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.__copy__()

    def _address(self) -> Address | None:
        place = {name: getattr(self, name) for name in _PLACE if getattr(self, name)}
        if self.client is not None or self.async_client is not None:
            if extra := [*place, *(name for name in _LOGIN if getattr(self, name))]:
                raise ConfigurationError(f"Pass a client or {', '.join(extra)}, not both: a client brings its own.")
            for name, client in (("client", self.client), ("async_client", self.async_client)):
                if client is not None and not (hasattr(client, "perform_request") and hasattr(client, "transport")):
                    kind = "Elasticsearch" if name == "client" else "AsyncElasticsearch"
                    raise ConfigurationError(f"{name} is a {type(client).__name__}, and no client: pass {name}={kind}(...).")
            return None
        if not place:
            raise ConfigurationError(
                "Where is Elasticsearch? Pass es_url or es_cloud_id (or set ES_URL or ES_CLOUD_ID), or pass a client."
            )
        return Address(
            url=self.es_url,
            cloud_id=self.es_cloud_id,
            api_key=_revealed(self.es_api_key),
            user=self.es_user,
            password=_revealed(self.es_password),
        )

    def _run(self, steps: Steps[T]) -> T:
        return self._drive().run(steps, self._limiter())

    async def _arun(self, steps: Steps[T]) -> T:
        return await self._drive().arun(steps, self._limiter())

    def _limiter(self) -> RateLimiter | None:
        """What is asked before every request."""
        return None

    def _drive(self) -> Driver:
        """The driver of this process: a forked child must not share its parent's connections."""
        pid = os.getpid()
        return self._drivers.get(pid) or self._drivers.setdefault(pid, self._new_driver())

    def _new_driver(self) -> Driver:
        connection = Connection(
            self._address(),
            client=self.client,
            async_client=self.async_client,
            timeout=self.timeout,
            connections=self.max_concurrency,
            product=self.product,
        )
        pacer = Pacer(
            self.max_concurrency,
            self.max_retries,
            patience=self.deadline or DEADLINE * self.timeout,
            longest=self.timeout + CLIENT_MARGIN,
        )
        return Driver(connection, pacer, self.max_concurrency, explain)


def _with_environment(given: dict[str, Any]) -> dict[str, Any]:
    """What was left out, from the environment. What is given wins over it, as a group."""
    if given.get("client") is not None or given.get("async_client") is not None:
        return given
    given = {name: value for name, value in given.items() if value is not None or name not in (*_PLACE, *_LOGIN)}
    for group in (_PLACE, ("es_user", "es_password") if "es_user" in given else _LOGIN):
        if not any(name in given for name in group if name != "es_user"):
            given = {**{name: value for name in group if (value := os.environ.get(name.upper()))}, **given}
    return given


def _revealed(secret: SecretStr | str | None) -> str | None:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret  # model_copy(update=...) validates nothing


def _told(cls: type[BaseModel], error: ValidationError) -> str:
    """One line for what pydantic found, without the values."""
    return " ".join(_one(cls, dict(problem)) for problem in error.errors(include_input=False, include_url=False))


def _one(cls: type[BaseModel], problem: dict[str, Any]) -> str:
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        if name == "model":  # the other name of inference_id, which is taken when it stands alone
            return "Pass inference_id or model, not both."
        close = get_close_matches(name, cls.model_fields, n=1)
        hint = f" Did you mean {close[0]}?" if close else f" It takes: {', '.join(sorted(cls.model_fields))}."
        return f"{cls.__name__} has no argument {name}.{hint}"
    if problem["type"] == "frozen_field":
        return f"{name} cannot be changed once the object exists. Make a new one."
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, Exception):
        return str(cause)
    return f"{name}: {problem['msg']}."
