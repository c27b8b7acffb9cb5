"""The public settings of every adapter: address, credentials, timeouts, retries and concurrency.

A pydantic model, as the classes of both frameworks are. It validates with this library's errors, keeps secrets out of every
representation, and creates one driver per process, without network access.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticUndefined

from ..errors import ConfigurationError
from ..steps import explain
from ..transport import (
    CLIENT_MARGIN,
    Address,
    ClientOptions,
    Connection,
    Driver,
    Pacer,
    RateLimiter,
    Usage,
    WireFormat,
    without_credentials,
)
from ..wire import Steps
from .other_names import hint

__all__ = ["MAX_CONCURRENCY", "MAX_RETRIES", "TIMEOUT", "ServiceSettings", "Usage", "missing_address_allowed"]

TIMEOUT = 60.0  # seconds; twice Elasticsearch's own default for an inference call
MAX_RETRIES = 6  # lasts a minute of rate limits, or 15 seconds of an unavailable service
MAX_CONCURRENCY = 32  # upper bound of the pace, which adapts below it
DEADLINE = 5  # times `timeout`: allows four requests to a service that accepts requests and never responds

T = TypeVar("T")

if TYPE_CHECKING:
    Secret = SecretStr | str  # a plain string is accepted, and converted to a SecretStr
else:
    Secret = SecretStr

NO_ADDRESS = (
    "No address of Elasticsearch is set. Pass es_url or es_cloud_id (or set ES_URL or ES_CLOUD_ID), or pass a client. To try it "
    "without a deployment, run `jina-eis serve` and set ES_URL=http://localhost:9200, or use jina_eis.local.LocalEIS in code."
)

_missing_address_allowed: ContextVar[bool] = ContextVar("missing_address_allowed", default=False)

_HEADER_VALUE = re.compile(r"[!-+\--~]+(?: [!-+\--~]+)*")  # Elasticsearch would take a comma for the end of the value

_ADDRESS_FIELDS = ("es_url", "es_cloud_id")
_CLIENT_FIELDS = (
    *("ca_certs", "verify_certs", "ssl_assert_fingerprint", "proxy", "proxy_user", "proxy_password", "headers", "http_compress"),
)
_CREDENTIAL_FIELDS = ("es_api_key", "es_user", "es_password")


@contextmanager
def missing_address_allowed() -> Iterator[None]:
    """Allow objects created in this context to lack an address. Their first request raises the error instead."""
    token = _missing_address_allowed.set(True)
    try:
        yield
    finally:
        _missing_address_allowed.reset(token)


class ServiceSettings(BaseModel):
    """The connection settings, which every adapter takes as arguments."""

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
    """Your own `Elasticsearch` client, instead of an address. It keeps its headers and serializer. Without an `async_client`,
    async calls run it in threads, and a request in flight is completed even if its task is cancelled."""
    async_client: Any = Field(default=None, exclude=True, repr=False, frozen=True)
    """Your own `AsyncElasticsearch` client. It works in one event loop only; an address works in any number."""
    es_url: str | None = Field(default=None, frozen=True)
    """Address of Elasticsearch (environment: ES_URL)."""
    es_cloud_id: str | None = Field(default=None, frozen=True)
    """Cloud id, instead of the address (environment: ES_CLOUD_ID)."""
    es_api_key: Secret | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """API key with the cluster privilege monitor_inference (environment: ES_API_KEY)."""
    es_user: str | None = Field(default=None, frozen=True)
    """User, instead of the API key (environment: ES_USER)."""
    es_password: Secret | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """Password of the user (environment: ES_PASSWORD)."""
    timeout: float = Field(default=TIMEOUT, gt=0, allow_inf_nan=False, frozen=True)
    """Timeout of one request in seconds, sent as `?timeout=`. The client waits 5 s longer."""
    max_retries: int = Field(default=MAX_RETRIES, ge=0, frozen=True)
    """Maximum number of retries of a request after transient errors. 0 disables retries."""
    max_concurrency: int = Field(default=MAX_CONCURRENCY, ge=1, frozen=True)
    """Maximum number of requests in flight for one endpoint and role: of all threads together, and of each event loop. The
    concurrency adapts to the service between 1 and this number. It starts with 16, or with this number if that is less."""
    deadline: float | None = Field(default=None, gt=0, allow_inf_nan=False, frozen=True)
    """Total time of a request in seconds, including all retries. None: five times `timeout`."""

    ca_certs: str | None = Field(default=None, min_length=1, frozen=True)
    """Path of a file or folder with the certificates of authorities to trust, in PEM. None: the public ones, from certifi."""
    verify_certs: bool = Field(default=True, frozen=True)
    """Whether the certificate of the deployment is verified. False, for tests only, gives a `SecurityWarning`."""
    ssl_assert_fingerprint: str | None = Field(default=None, min_length=1, frozen=True)
    """SHA-256 of the deployment's certificate, in 64 hexadecimal digits with or without colons, in place of an authority."""
    proxy: str | None = Field(default=None, min_length=1, frozen=True)
    """Address of an HTTP proxy, such as `http://proxy.example.com:3128`; a user and password in it become `proxy_user` and
    `proxy_password`. None: no proxy. HTTPS_PROXY and the like are not read, as the Elasticsearch client does not read them."""
    proxy_user: str | None = Field(default=None, frozen=True)
    """User of the proxy."""
    proxy_password: Secret | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """Password of that user."""
    headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False, frozen=True)
    """Headers of every request, such as a gateway needs. They are treated as secrets; the client's own DEBUG log has them."""
    http_compress: bool = Field(default=False, frozen=True)
    """Whether requests are compressed with gzip: worth it on a slow line. Texts become three times smaller, vectors and media
    hardly. Responses are not affected."""
    use_case: str | None = Field(default=None, frozen=True)
    """What the requests are for, as Elastic's usage statistics count it: the value of the header `X-elastic-product-use-case`.
    ASCII characters without a comma. None: the header of your own client, or `jina-eis`."""
    wire_format: WireFormat = Field(default="auto", frozen=True)
    """The format of responses with vectors. "auto": CBOR, which has 0.4 times the bytes of JSON, and JSON from a server that
    refuses CBOR, or with your own client unless it has serializers for `application/cbor` and
    `application/vnd.elasticsearch+cbor`. "json": always JSON. "cbor": always CBOR; a server that refuses it is an error. The
    values are equal as float32; those from CBOR have more digits in Python."""

    _drivers: dict[int, Driver] = PrivateAttr(default_factory=dict)

    def __init__(self, **arguments: Any) -> None:
        problem = None
        try:
            super().__init__(**_with_environment(_without_credentials(arguments)))
        except ValidationError as error:
            problem = _format_validation_error(type(self), error)
        if problem:  # raised outside the handler: pydantic's error, as its context, would hold the secrets
            raise ConfigurationError(problem)
        if not _missing_address_allowed.get():
            self._address()
        longest = self.timeout + CLIENT_MARGIN
        if self.deadline and self.deadline < longest:
            raise ConfigurationError(
                f"deadline={self.deadline:g}: a single request may take {longest:g} s (timeout plus {CLIENT_MARGIN:g} s). "
                "Lower timeout or raise deadline."
            )

    @field_validator("use_case")
    @classmethod
    def _check_use_case(cls, value: str | None) -> str | None:
        if value is not None and not _HEADER_VALUE.fullmatch(value):
            raise ConfigurationError(f"use_case={value!a}: pass printable ASCII characters without a comma, for a header.")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        problem = None
        before = self.__dict__.get(name)
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            problem = _format_validation_error(type(self), error)
        if problem:
            if name in self.__dict__:
                self.__dict__[name] = before  # pydantic keeps the new value if a model validator raises
            raise ConfigurationError(problem)

    @property
    def usage(self) -> Usage:
        """What this object has sent and waited for, up to now, in this process: requests, inputs, retries, seconds and bytes."""
        driver = self._drivers.get(os.getpid())
        return driver.usage() if driver else Usage()

    def usage_since(self, earlier: Usage) -> Usage:
        """What this object has sent and waited for since `earlier`, a value of `usage`."""
        return self.usage - earlier

    def close(self) -> None:
        """Close the connections that this object opened. The next call opens new ones."""
        for driver in self._drivers.values():
            driver.close()

    async def aclose(self) -> None:
        """As `close`, including the connections of the running event loop."""
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
                f"A {type(self).__name__} with {', '.join(live)} cannot be pickled: locks and connections cannot be copied. "
                f"Create it with es_url or es_cloud_id, without {' and '.join(live)}."
            )
        state = BaseModel.__getstate__(self)
        return {**state, "__pydantic_private__": {**(state["__pydantic_private__"] or {}), "_drivers": {}}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        # Not super(): LlamaIndex's own method calls __init__, which reads the environment of the new process. A pickle of an
        # earlier version lacks the settings that were added since.
        def completed(stored: dict[str, Any], known: Mapping[str, Any], **options: Any) -> dict[str, Any]:
            added = {name: known[name].get_default(**options) for name in known.keys() - stored.keys()}
            return {**{name: value for name, value in added.items() if value is not PydanticUndefined}, **stored}

        fields = completed(state["__dict__"], type(self).model_fields, call_default_factory=True)
        private = completed(state["__pydantic_private__"] or {}, type(self).__private_attributes__)
        BaseModel.__setstate__(self, {**state, "__dict__": fields, "__pydantic_private__": private})

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._drivers = {}  # a copy with updates may have another address
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.__copy__()

    def _address(self) -> Address | None:
        address = {name: getattr(self, name) for name in _ADDRESS_FIELDS if getattr(self, name)}
        if self.client is not None or self.async_client is not None:
            changed = (name for name in _CLIENT_FIELDS if getattr(self, name) != type(self).model_fields[name].default)
            if extra := [*address, *(name for name in _CREDENTIAL_FIELDS if getattr(self, name)), *changed]:
                raise ConfigurationError(f"Pass a client or {', '.join(extra)}, not both: a client has its own.")
            for name, client in (("client", self.client), ("async_client", self.async_client)):
                if client is not None:
                    _check_client(name, client)
            return None
        if not address:
            empty = next((f"{name} is an empty string. " for name in _ADDRESS_FIELDS if getattr(self, name) == ""), "")
            raise ConfigurationError(f"{empty}{NO_ADDRESS}")
        found = Address(
            url=self.es_url,
            cloud_id=self.es_cloud_id,
            api_key=_secret_value(self.es_api_key),
            user=self.es_user,
            password=_secret_value(self.es_password),
        )
        self._options().check_address(found.https, bool(found.api_key or found.user))
        return found

    def _options(self) -> ClientOptions:
        """The options of the clients that are created here."""
        options = {name: getattr(self, name) for name in _CLIENT_FIELDS}
        options |= {"proxy_password": _secret_value(self.proxy_password), "headers": tuple((self.headers or {}).items())}
        return ClientOptions(**options)

    def _run(self, steps: Steps[T]) -> T:
        return self._driver().run(steps, self._limiter())

    async def _arun(self, steps: Steps[T]) -> T:
        return await self._driver().arun(steps, self._limiter())

    def _location(self) -> str:
        """Host, port and path of the deployment, without credentials."""
        return self._driver().location

    def _limiter(self) -> RateLimiter | None:
        """The rate limiter to acquire before every request."""
        return None

    def _driver(self) -> Driver:
        """The driver of this process. A forked child must not share the connections of its parent."""
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
            use_case=self.use_case,
            options=self._options(),
            wire_format=self.wire_format,
        )
        pacer = Pacer(
            self.max_concurrency,
            self.max_retries,
            deadline=self.deadline or DEADLINE * self.timeout,
            attempt_timeout=self.timeout + CLIENT_MARGIN,
        )
        return Driver(connection, pacer, self.max_concurrency, explain)


def _without_credentials(arguments: dict[str, Any]) -> dict[str, Any]:
    """Move user and password out of the addresses, so that no representation shows them.

    Raises:
        ConfigurationError: there are other credentials, too.
    """
    for name, user_name, password_name, others in (
        ("es_url", "es_user", "es_password", ("es_user", "es_password", "es_api_key")),
        ("proxy", "proxy_user", "proxy_password", ("proxy_user", "proxy_password")),
    ):
        url = arguments.get(name)
        bare, user, password = without_credentials(url) if isinstance(url, str) else (url, None, None)
        if user is None and password is None:
            continue
        if given := [other for other in others if arguments.get(other)]:
            raise ConfigurationError(
                f"{name} holds a user and password, and there is {', '.join(given)} (as an argument, or in the environment). "
                "Pass one of them."
            )
        arguments = {**arguments, name: bare, user_name: user, password_name: password}
    return arguments


def _with_environment(arguments: dict[str, Any]) -> dict[str, Any]:
    """Fill in missing arguments from the environment. An argument overrides the variables of its whole group."""
    if arguments.get("client") is not None or arguments.get("async_client") is not None:
        return arguments
    arguments = {
        name: value
        for name, value in arguments.items()
        if value is not None or name not in (*_ADDRESS_FIELDS, *_CREDENTIAL_FIELDS)
    }
    for group in (_ADDRESS_FIELDS, ("es_user", "es_password") if "es_user" in arguments else _CREDENTIAL_FIELDS):
        if not any(name in arguments for name in group if name != "es_user"):
            arguments = {**{name: value for name in group if (value := os.environ.get(name.upper()))}, **arguments}
    return _without_credentials(arguments)


def _check_client(name: str, client: Any) -> None:
    """Raise ConfigurationError for a value that is not a client of the right kind."""
    kind, asynchronous = ("Elasticsearch", False) if name == "client" else ("AsyncElasticsearch", True)
    if isinstance(client, type):
        raise ConfigurationError(f"{name} is the class {client.__name__}, not a client: pass {name}={kind}(...).")
    if not (hasattr(client, "perform_request") and hasattr(client, "transport")):
        raise ConfigurationError(f"{name} is of type {type(client).__name__}, not a client: pass {name}={kind}(...).")
    if iscoroutinefunction(client.perform_request) is not asynchronous:
        other = "async_client" if name == "client" else "client"
        raise ConfigurationError(f"{name} is an {type(client).__name__}. Pass it as {other}, or pass {name}={kind}(...).")


def _secret_value(secret: SecretStr | str | None) -> str | None:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret  # model_copy(update=...) does not validate


def _argument_names(cls: type[BaseModel]) -> set[str]:
    """The names of the arguments of a class, with their aliases."""
    aliases = (field.validation_alias for field in cls.model_fields.values())
    choices = {str(name) for alias in aliases if isinstance(alias, AliasChoices) for name in alias.choices}
    return {*cls.model_fields, *choices}


def _format_validation_error(cls: type[BaseModel], error: ValidationError) -> str:
    """One line with all problems that pydantic reports, without the values."""
    return " ".join(_format_problem(cls, dict(problem)) for problem in error.errors(include_input=False, include_url=False))


def _format_problem(cls: type[BaseModel], problem: dict[str, Any]) -> str:
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        arguments = _argument_names(cls)
        if name in arguments:  # an alias, which is valid only without the name of its field
            return "Pass inference_id or model, not both."
        return f"{cls.__name__} has no argument {name}. {hint(name, arguments)}"
    if problem["type"] == "frozen_field":
        return f"{name} cannot be changed after creation. Create a new object."
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, Exception):
        return str(cause)
    return f"{name}: {problem['msg']}."
