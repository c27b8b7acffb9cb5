"""What Elasticsearch 9.5 does with an `_inference` request: endpoints, checks in their order, answers. No HTTP here."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..models import MODELS, EmbeddingModel, Model, RerankModel, find_model
from .standin import StandIn, shape

__all__ = [
    "Endpoint",
    "Job",
    "RefusedError",
    "Registry",
    "TimeLimit",
    "answer",
    "gateway_refusal",
    "not_done",
    "plan",
    "timed_out",
]

Json = dict[str, Any]

SHARED_PARSER = "cluster:internal/xpack/inference"  # Elasticsearch names it so in its errors
SHARED_TASKS = ("text_embedding", "sparse_embedding", "completion")
TASK_TYPES = (*SHARED_TASKS, "embedding", "rerank", "chat_completion")
INPUT_TYPES = ("ingest", "search", "classification", "clustering", "unspecified")
INTERNAL_INPUT_TYPES = ("internal_ingest", "internal_search")
ITEM_TYPES = ("text", "image", "audio", "video", "pdf")
SIMILARITIES = ("cosine", "dot_product", "l2_norm")
CHUNKING = {"strategy": "sentence", "max_chunk_size": 250, "sentence_overlap": 1}

USER_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
DATA_URI = re.compile(r"data:[^/,]+/[^,]+;base64,")
DATA_URI_COMMA = 256  # the comma must come before this position
TIME = re.compile(r"(\d+)(nanos|micros|ms|s|m|h|d)")
SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

STRING, NUMBER, BOOLEAN, ARRAY, OBJECT = "VALUE_STRING", "VALUE_NUMBER", "VALUE_BOOLEAN", "START_ARRAY", "START_OBJECT"
TOKENS: dict[type, str] = {
    str: STRING,
    int: NUMBER,
    float: NUMBER,
    bool: BOOLEAN,
    list: ARRAY,
    dict: OBJECT,
    type(None): "VALUE_NULL",
}


class RefusedError(Exception):
    """An error answer: HTTP status, Elasticsearch's type and reason, and the refusal that caused it."""

    def __init__(self, status: int, kind: str, reason: str, cause: RefusedError | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind
        self.reason = reason
        self.cause = cause
        self.headers: dict[str, str] = {}
        self.details: Json = {}

    def envelope(self) -> Json:
        """The body of the answer; its root cause is the innermost error of parsing, not the innermost error."""
        root = self
        while root.cause is not None and root.cause.kind == "x_content_parse_exception":
            root = root.cause
        return {"error": {"root_cause": [root.flat()], **self.nested()}, "status": self.status}

    def flat(self) -> Json:
        """The error without its causes."""
        return {"type": self.kind, "reason": self.reason, **self.details}

    def nested(self) -> Json:
        """The error with its chain of causes."""
        return self.flat() | ({} if self.cause is None else {"caused_by": self.cause.nested()})


def status_error(reason: str, status: int = 400) -> RefusedError:
    return RefusedError(status, "status_exception", reason)


def illegal_argument(reason: str) -> RefusedError:
    return RefusedError(400, "illegal_argument_exception", reason)


def parse_error(parser: str, reason: str, cause: RefusedError | None = None) -> RefusedError:
    # The position is made up: a parsed body no longer has any.
    return RefusedError(400, "x_content_parse_exception", f"[1:1] [{parser}] {reason}", cause)


def invalid(*problems: str, kind: str = "action_request_validation_exception") -> RefusedError:
    listed = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
    return RefusedError(400, kind, f"Validation Failed: {listed}")


def not_found(endpoint: str) -> RefusedError:
    return RefusedError(404, "resource_not_found_exception", f"Inference endpoint not found [{endpoint}]")


def not_done(what: str) -> RefusedError:
    """What Elasticsearch does and the local EIS does not."""
    return RefusedError(
        501,
        "not_implemented_exception",
        f"the local EIS does not do [{what}]: it answers GET /, and the _inference API for text (GET, PUT and DELETE of "
        "endpoints, POST of text_embedding, embedding and rerank)",
    )


GATEWAY_SAYS = {
    400: "Received a bad request status code",
    405: "Received a method not allowed status code",
    413: "Received a content too large status code",
    429: "Received a rate limit status code",
    500: "Received a server error status code",
    503: "Received a server error status code",
}


def gateway_refusal(endpoint: str, status: int, message: str) -> RefusedError:
    """What Elasticsearch makes of an error of the service: each 5xx becomes a 400, whose text alone has the status."""
    says = GATEWAY_SAYS.get(status, "Received an unsuccessful status code")
    reason = f"{says} for request from inference entity id [{endpoint}] status [{status}]. Error message: [{message}]"
    return status_error(reason, 400 if status >= 500 else status)


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long Elasticsearch waits for the service."""

    seconds: float
    text: str

    @classmethod
    def parse(cls, text: str) -> TimeLimit:
        """Read a time value such as `30s`."""
        match = TIME.fullmatch(text.strip().lower())
        if match is None:
            raise illegal_argument(
                f"failed to parse setting [timeout] with value [{text}] as a time value: unit is missing or unrecognized"
            )
        return cls(int(match[1]) * SECONDS[match[2]], text)


def timed_out(endpoint: str, limit: TimeLimit) -> RefusedError:
    """A timeout as Elasticsearch 9.5 reports it: with the status of a rate limit."""
    reason = f"Request timed out after [{limit.text}] for inference id [{endpoint}]"
    refused = RefusedError(429, "timeout_exception", reason)
    refused.headers["x-timed-out"] = "?1"
    refused.details["timed_out"] = True
    return refused


# ---- endpoints


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An inference endpoint of the `elastic` service."""

    id: str
    model: Model
    service_settings: Json
    chunking_settings: Json | None = None

    @property
    def task(self) -> str:
        """The only task that it answers."""
        return self.model.task

    @property
    def dimensions(self) -> int:
        """Length of its vectors; a reranker has none."""
        return int(self.service_settings["dimensions"])

    def to_json(self) -> Json:
        """The endpoint as GET shows it."""
        shown = {
            "inference_id": self.id,
            "task_type": self.task,
            "service": "elastic",
            "service_settings": self.service_settings,
        }
        return shown if self.chunking_settings is None else shown | {"chunking_settings": self.chunking_settings}


def new_endpoint(endpoint: str, model_id: str, model: Model, settings: Json, chunking: Json | None) -> Endpoint:
    if isinstance(model, RerankModel):
        return Endpoint(endpoint, model, {"model_id": model_id})
    settings = {"model_id": model_id, "similarity": "cosine", "dimensions": model.dimensions} | settings
    return Endpoint(endpoint, model, settings, chunking or CHUNKING)


class Registry:
    """The endpoints of the cluster; thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        names = [(name, model) for model in MODELS for name in (model.name, *getattr(model, "aliases", ()))]
        self._endpoints = {f".{name}": new_endpoint(f".{name}", name, model, {}, None) for name, model in names}
        self._reserved = frozenset(self._endpoints)

    def get(self, endpoint: str) -> Endpoint:
        """The endpoint of this id; refuses with 404."""
        with self._lock:
            found = self._endpoints.get(endpoint)
        if found is None:
            raise not_found(endpoint)
        return found

    def show(self, task: str | None, endpoint: str) -> Json:
        """The answer to GET."""
        if endpoint == "_all":
            with self._lock:
                found = [each for _, each in sorted(self._endpoints.items()) if task in (None, each.task)]
        else:
            found = [self._of_task(task, endpoint)]
        return {"endpoints": [each.to_json() for each in found]}

    def put(self, task: str | None, endpoint: str, raw: bytes) -> Json:
        """The answer to PUT."""
        body = read_body(raw)
        model_id, model, settings, chunking = self._checked_settings(resolve_task(task, body), endpoint, body)
        created = new_endpoint(endpoint, model_id, model, settings, chunking)
        with self._lock:
            if endpoint in self._endpoints:
                raise RefusedError(400, "resource_already_exists_exception", f"Inference endpoint [{endpoint}] already exists")
            self._endpoints[endpoint] = created
        return created.to_json()

    def delete(self, task: str | None, endpoint: str, *, force: bool, dry_run: bool) -> Json:
        """The answer to DELETE."""
        self._of_task(task, endpoint)
        if endpoint in self._reserved and not force:
            raise status_error(
                f"[{endpoint}] is a reserved inference endpoint. "
                "Use the force=true query parameter to delete the inference endpoint."
            )
        if not dry_run:
            with self._lock:
                self._endpoints.pop(endpoint, None)
        return {"acknowledged": not dry_run, "pipelines": [], "indexes": []}

    def _of_task(self, task: str | None, endpoint: str) -> Endpoint:
        found = self.get(endpoint)
        if task not in (None, found.task):
            raise status_error(f"Requested task type [{task}] does not match the inference endpoint's task type [{found.task}]")
        return found

    def _checked_settings(self, task: str, endpoint: str, body: Json) -> tuple[str, Model, Json, Json | None]:
        if endpoint in self._reserved:
            raise status_error(
                f"[{endpoint}] is a reserved inference ID. Cannot create a new inference endpoint with a reserved ID."
            )
        if not USER_ID.fullmatch(endpoint):
            raise invalid(
                f"Invalid inference_id; '{endpoint}' can contain lowercase alphanumeric (a-z and 0-9), hyphens or underscores; "
                "must start and end with alphanumeric"
            )
        if "service" not in body:
            raise status_error("Model configuration is missing [service]")
        if body["service"] != "elastic":
            raise status_error(f"Unknown service [{body['service']}]")
        if task not in ("text_embedding", "embedding", "rerank"):
            raise status_error(f"The [elastic] service does not support task type [{task}]")
        settings = service_settings(task, as_object(body, "service_settings"))
        unknown_settings(as_object(body, "task_settings"), ())
        embeds = task != "rerank"
        known = ("task_type", "service", "service_settings", "task_settings", *(("chunking_settings",) if embeds else ()))
        unknown_settings(body, known)
        model_id = settings.pop("model_id")
        model = checked_model(task, endpoint, model_id, settings.get("dimensions"))
        return model_id, model, settings, as_object(body, "chunking_settings") or None


def resolve_task(task: str | None, body: Json) -> str:
    named = body.get("task_type")
    if named is None:
        if task is None:
            raise status_error("model is missing required setting [task_type]")
        return task
    parsed = parse_task(str(named))
    if task not in (None, parsed):
        raise status_error(
            f"Cannot resolve conflicting task_type parameter in the request URL [{task}] and the request body [{named}]"
        )
    return parsed


def service_settings(task: str, settings: Json) -> Json:
    """The checked settings of an endpoint to be made."""
    if "rate_limit" in settings:
        problem = "[service_settings] rate limit settings are not permitted for service [elastic] and task type"
        if task == "rerank":
            cause = RefusedError(400, "parse_exception", f"{problem} [rerank]")
            raise parse_error("service_settings", "failed to parse field [rate_limit]", cause)
        # It names text_embedding for `embedding` too.
        raise invalid(f"{problem} [text_embedding]", kind="validation_exception")
    problems = []
    model_id = settings.get("model_id")
    if model_id is None:
        problems.append("[service_settings] does not contain the required setting [model_id]")
    elif not isinstance(model_id, str) or not model_id:
        problems.append("[service_settings] Invalid value empty string. [model_id] must be a non-empty string")
    embeds = task != "rerank"
    if embeds and settings.get("similarity", "cosine") not in SIMILARITIES:
        listed = ", ".join(SIMILARITIES)
        problems.append(
            f"[service_settings] Invalid value [{settings['similarity']}] received. [similarity] must be one of [{listed}]"
        )
    for name in ("dimensions", "max_input_tokens", "max_batch_size") if embeds else ():
        value = settings.get(name, 1)
        if type(value) is not int or value < 1:
            problems.append(f"[service_settings] Invalid value [{value}]. [{name}] must be a positive integer")
    if problems:
        raise invalid(*problems, kind="validation_exception")
    sizes = ("similarity", "dimensions", "max_input_tokens", "max_batch_size")
    unknown_settings(settings, ("model_id", *(sizes if embeds else ())))
    return dict(settings)


def checked_model(task: str, endpoint: str, model_id: str, dimensions: int | None) -> Model:
    """The model, if the service would serve it so: Elasticsearch finds out by a call, and hands on the service's error."""
    model = find_model(model_id)
    if model is None:
        raise gateway_refusal(endpoint, 404, f"the local EIS has no model [{model_id}]")
    if model.task != task:
        raise gateway_refusal(endpoint, 400, f"model [{model_id}] is for [{model.task}]")
    if isinstance(model, EmbeddingModel):
        lengths = sorted({model.dimensions, *model.matryoshka, *model.disputed})
        if dimensions is not None and dimensions not in lengths:
            raise gateway_refusal(endpoint, 400, f"[dimensions] of [{model_id}] must be one of {lengths}")
    return model


def as_object(body: Json, name: str) -> Json:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise status_error(f"[{name}] must be an object")
    return value


def unknown_settings(settings: Json, known: Collection[str]) -> None:
    unknown = ", ".join(f"{name}={value}" for name, value in settings.items() if name not in known)
    if unknown:
        raise status_error(f"Configuration contains settings [{{{unknown}}}] unknown to the [elastic] service")


# ---- requests


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body asks for."""

    texts: Sequence[str]
    input_type: str = "unspecified"
    query: str = ""
    top_n: int | None = None
    media: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Job:
    """A request that passed all checks of Elasticsearch itself."""

    endpoint: Endpoint
    parsed: Parsed
    limit: TimeLimit

    @property
    def texts(self) -> list[str]:
        """Every text of the request, the query too."""
        return [*self.parsed.texts, *([self.parsed.query] if self.endpoint.task == "rerank" else ())]


def parse_task(name: str) -> str:
    task = name.strip().lower()
    if task not in TASK_TYPES:
        raise status_error(f"Unknown task_type [{name}]")
    return task


def plan(registry: Registry, task: str | None, endpoint: str, raw: bytes, timeout: str | None) -> Job:
    """Check a request in Elasticsearch's order: a bad body comes before an unknown endpoint only if the task is named."""
    if not raw.strip():
        raise RefusedError(400, "parse_exception", "request body is required")
    limit = None if timeout is None else TimeLimit.parse(timeout)
    if task is None:
        task = registry.get(endpoint).task
    if task == "chat_completion":
        raise not_done("POST /_inference/chat_completion")
    parsed = PARSERS[task](read_body(raw), task)
    found = registry.get(endpoint)
    if found.task != task:
        raise status_error(f"Incompatible task_type, the requested type [{task}] does not match the model type [{found.task}]")
    if parsed.media and task == "rerank":
        raise gateway_refusal(endpoint, 400, f"model [{found.model.name}] takes text only")
    if parsed.media:
        raise not_done(f"embedding of {', '.join(sorted(parsed.media))}: media come later")
    if limit is None:
        limit = TimeLimit.parse("10s" if parsed.input_type.endswith("search") else "30s")
    return Job(found, parsed, limit)


def answer(job: Job, standin: StandIn) -> dict[str, list[Json]]:
    """The answer of the service, or what Elasticsearch makes of the service's refusal."""
    model, parsed = job.endpoint.model, job.parsed
    if isinstance(model, RerankModel):
        if model.window is not None and len(parsed.texts) > model.window:
            raise gateway_refusal(job.endpoint.id, 400, f"at most {model.window} documents, got {len(parsed.texts)}")
        scores = standin.rerank(parsed.query, parsed.texts, listwise=model.listwise)
        ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])[: parsed.top_n]
        return {"rerank": [{"index": index, "relevance_score": score} for index, score in ranked]}
    if model.batch_limit is not None and len(parsed.texts) > model.batch_limit:
        raise gateway_refusal(job.endpoint.id, 400, f"at most {model.batch_limit} inputs, got {len(parsed.texts)}")
    vectors = standin.embed(parsed.texts, is_query=parsed.input_type.endswith("search"))
    name = "embeddings" if model.task == "embedding" else "text_embedding"
    return {name: [{"embedding": shape(vector, job.endpoint.dimensions)} for vector in vectors]}


# ---- bodies


def read_body(raw: bytes) -> Json:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, "x_content_parse_exception", f"[{error.lineno}:{error.colno}] {error.msg}") from error
    if not isinstance(body, dict):
        reason = f"Failed to parse object: expecting token of type [{OBJECT}] but found [{token(body)}]"
        raise RefusedError(400, "parsing_exception", reason)
    return body


def token(value: Any) -> str:
    return TOKENS[type(value)]


@contextmanager
def parsing(parser: str, name: str) -> Iterator[None]:
    """Wrap what goes wrong within a field as Elasticsearch does: the useful text is the innermost cause."""
    try:
        yield
    except RefusedError as refused:
        raise parse_error(parser, f"failed to parse field [{name}]", refused) from refused


def check_fields(parser: str, body: Json, fields: Mapping[str, Collection[str]], required: Sequence[str] = ()) -> None:
    for name, value in body.items():
        if name not in fields:
            raise parse_error(parser, f"unknown field [{name}]")
        if token(value) not in fields[name]:
            raise parse_error(parser, f"{name} doesn't support values of type: {token(value)}")
    missing = [name for name in required if name not in body]
    if missing:
        raise illegal_argument(f"Required [{', '.join(missing)}]")


def parse_input_type(parser: str, body: Json, *, internal: bool) -> str:
    name = str(body.get("input_type", "unspecified")).strip().lower()
    with parsing(parser, "input_type"):
        if name in INTERNAL_INPUT_TYPES and not internal:
            raise illegal_argument(f"Unrecognized input_type [{name}]")
        if name not in (*INPUT_TYPES, *INTERNAL_INPUT_TYPES):
            raise illegal_argument(f"No enum constant org.elasticsearch.inference.InputType.{name.upper()}")
    return name


def parse_shared(body: Json, task: str) -> Parsed:
    """The parser of text_embedding, and of the tasks that no Jina endpoint has."""
    fields = {
        "input": (STRING, ARRAY),
        "input_type": (STRING,),
        "query": (STRING,),
        "return_documents": (BOOLEAN,),
        "top_n": (NUMBER,),
        "task_settings": (OBJECT,),
        "timeout": (STRING,),
    }
    check_fields(SHARED_PARSER, body, fields)
    given = body.get("input")
    texts = []
    for element in given if isinstance(given, list) else [given] if given is not None else []:
        if token(element) not in (STRING, NUMBER, BOOLEAN):
            raise parse_error(SHARED_PARSER, f"input doesn't support values of type: {token(element)}")
        # A number or a boolean is taken as the text that it is in JSON.
        texts.append(element if isinstance(element, str) else orjson.dumps(element).decode())
    input_type = parse_input_type(SHARED_PARSER, body, internal=False)
    problems = ["Field [input] cannot be null"] if given is None else []
    problems += ["Field [input] cannot be an empty array"] if given == [] else []
    for name in ("query", "return_documents", "top_n"):
        if name in body:
            problems.append(f"Field [{name}] cannot be specified for task type [{task}]")
    if problems:
        raise invalid(*problems)
    return Parsed(texts, input_type)


def parse_embedding(body: Json, task: str) -> Parsed:
    parser = "EmbeddingRequest"
    fields = {"input": (STRING, ARRAY, OBJECT), "input_type": (STRING,), "task_settings": (OBJECT,)}
    check_fields(parser, body, fields, required=("input",))
    given = body["input"]
    with parsing(parser, "input"):
        groups = [parse_group(element) for element in (given if isinstance(given, list) else [given])]
    input_type = parse_input_type(parser, body, internal=True)
    if not groups:
        raise invalid("Field [inputs] cannot be an empty array")
    media = frozenset(item["type"] for group in groups for item in group) - {"text"}
    return Parsed(["\n".join(item["value"] for item in group) for group in groups], input_type, media=media)


def parse_group(element: Any) -> list[Json]:
    """One input: the items of its `content`, which become one vector."""
    if isinstance(element, str):
        return [{"type": "text", "value": element}]
    if not isinstance(element, dict):
        raise illegal_argument(f"Unsupported token [{token(element)}]")
    parser = "InferenceStringGroup"
    check_fields(parser, element, {"content": tuple(TOKENS.values())}, required=("content",))
    content = element["content"]
    with parsing(parser, "content"):
        if content is None:
            raise illegal_argument("[content] field cannot be null")
        if content == []:
            raise illegal_argument("[content] field cannot be an empty array")
        return [parse_item(item) for item in (content if isinstance(content, list) else [content])]


def parse_item(item: Any) -> Json:
    """An item `{"type", "format", "value"}`; base64 is checked as Elasticsearch does, which is the prefix alone."""
    parser = "InferenceString"
    if not isinstance(item, dict):
        raise illegal_argument(f"Unsupported token [{token(item)}]")
    check_fields(parser, item, {"type": (STRING,), "format": (STRING,), "value": (STRING,)}, required=())
    kind = str(item.get("type", "")).lower()
    if "type" in item and kind not in ITEM_TYPES:
        with parsing(parser, "type"):
            raise illegal_argument(f"Unrecognized type [{item['type']}], must be one of [{', '.join(ITEM_TYPES)}]")
    missing = [name for name in ("type", "value") if name not in item]
    if missing:
        raise illegal_argument(f"Required [{', '.join(missing)}]")
    wanted = "text" if kind == "text" else "base64"
    given = str(item.get("format", wanted)).lower()
    if given not in ("text", "base64"):
        with parsing(parser, "format"):
            raise illegal_argument(f"Unrecognized format [{item['format']}], must be one of [text, base64]")
    if given != wanted:
        raise illegal_argument(f"Data type [{kind}] does not support data format [{given}], supported formats are [{wanted}]")
    if wanted == "base64" and not DATA_URI.match(item["value"][:DATA_URI_COMMA]):
        raise illegal_argument("base64 inputs must be specified as data URIs with the format [data:{MIME-type};base64,...]")
    return {"type": kind, "value": item["value"]}


def parse_rerank(body: Json, task: str) -> Parsed:
    parser = "RerankRequest"
    fields = {
        "query": (STRING, OBJECT),
        "input": (STRING, ARRAY, OBJECT),
        "top_n": (NUMBER,),
        "return_documents": (BOOLEAN,),  # taken and ignored, as the service does
        "task_settings": (OBJECT,),
    }
    check_fields(parser, body, fields, required=("input", "query"))
    given = body["input"]
    with parsing(parser, "input"):
        documents = [parse_rankable("input", element) for element in (given if isinstance(given, list) else [given])]
    with parsing(parser, "query"):
        query = parse_rankable("query", body["query"])
    top_n = body.get("top_n")
    if isinstance(top_n, float):
        with parsing(parser, "top_n"):
            raise illegal_argument(f"{top_n} cannot be converted to Integer without data loss")
    problems = ["Field [input] cannot be an empty array"] if not documents else []
    problems += ["Field [query] cannot be empty"] if not query["value"] else []
    problems += ["Field [top_n] must be greater than or equal to 1"] if top_n is not None and top_n < 1 else []
    if problems:
        raise invalid(*problems)
    media = frozenset(item["type"] for item in (query, *documents)) - {"text"}
    return Parsed([document["value"] for document in documents], query=query["value"], top_n=top_n, media=media)


def parse_rankable(name: str, element: Any) -> Json:
    item = {"type": "text", "value": element} if isinstance(element, str) else parse_item(element)
    if item["type"] not in ("text", "image"):
        raise illegal_argument(
            f"Field [{name}] contains unsupported [type] value [{item['type']}]. Supported values are [text, image]"
        )
    return item


PARSERS: dict[str, Callable[[Json, str], Parsed]] = {
    **dict.fromkeys(SHARED_TASKS, parse_shared),
    "embedding": parse_embedding,
    "rerank": parse_rerank,
}
