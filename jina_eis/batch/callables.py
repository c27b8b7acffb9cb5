"""The callables for engines: a batch in, the same batch with more columns out.

They are small objects that pickle; the connections and the learnt pace stay in the process. A row that fails keeps its place.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from inspect import signature
from typing import Any, Literal, Unpack, get_args

from ..adapters import ServiceArguments, hint
from ..errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    EndpointNotFoundError,
    InputError,
    JinaEISError,
    TLSError,
)
from ..steps import Strategy, TooLong
from ..wire import InputType
from .columns import (
    ENGINES,
    Engine,
    add_columns,
    column_names,
    is_list,
    kind_of,
    ranking_arrays,
    read_column,
    text_array,
    vector_array,
)
from .service import BATCH_SIZE, EmbeddingService, RerankService

__all__ = ["EmbedBatch", "OnError", "RerankBatch"]

OnError = Literal["raise", "null"]
RERANKED_ROWS = 8  # in flight; the quota of rerankers is 600 requests a minute, and one takes about half a second
_OF_THE_JOB = (AuthenticationError, AuthorizationError, ConfigurationError, EndpointNotFoundError, TLSError)
_MISSING = "The text is missing."
_ROLES = get_args(InputType)


class EmbedArguments(ServiceArguments, total=False):
    """The settings of `EmbedBatch`."""

    inference_id: str
    model: str
    dimensions: int | None
    too_long: TooLong


class RerankArguments(ServiceArguments, total=False):
    """The settings of `RerankBatch`."""

    inference_id: str | None
    model: str | None
    window_size: int | None
    strategy: Strategy
    too_long: TooLong


class _Callable:
    """What both callables share: the columns, the engine, errors by row, iterators."""

    def __init__(self, read: Mapping[str, str], into: str, on_error: OnError, engine: Engine | None) -> None:
        if on_error not in get_args(OnError):
            raise ConfigurationError(f"on_error={on_error!r}: pass 'raise' or 'null'.")
        if engine is not None and engine not in ENGINES:
            raise ConfigurationError(f"engine={engine!r}: pass {', '.join(map(repr, ENGINES))} or None.")
        for argument, name in {**read, "into": into}.items():
            if not isinstance(name, str) or not name:
                raise ConfigurationError(f"{argument}={name!r}: pass the name of a column.")
        self.into, self.on_error, self.engine = into, on_error, engine

    def _check_settings(self, settings: Mapping[str, Any], known: Set[str]) -> None:
        """Refuse settings that this class does not have: those of the service have other names for some."""
        own = signature(type(self)).parameters.keys() - {"settings"}
        if unknown := settings.keys() - known:
            raise ConfigurationError(f"{type(self).__name__} has no argument {min(unknown)}. {hint(min(unknown), own | known)}")

    def __call__(self, batch: Any) -> Any:
        """Return the batch with the new columns. An iterator of batches returns an iterator, which reads one batch at a time."""
        return map(self._map, batch) if isinstance(batch, Iterator) else self._map(batch)

    def _map(self, batch: Any) -> Any:
        raise NotImplementedError

    def _check_new(self, batch: Any, names: Iterable[str]) -> None:
        existing = column_names(batch)
        if taken := [name for name in names if name in existing]:
            raise InputError(f"The batch has a column {taken[0]!r} already. Choose another name with into, or drop the column.")

    def _with_reasons(self, columns: dict[str, Any], reasons: Sequence[str | None]) -> dict[str, Any]:
        return {**columns, f"{self.into}_error": text_array(reasons)} if self.on_error == "null" else columns

    def _fails(self, error: JinaEISError) -> bool:
        """Whether an error ends the job: it was asked for, or it would be the same for every row."""
        return self.on_error == "raise" or isinstance(error, _OF_THE_JOB)


class EmbedBatch(_Callable):
    """Adds the vectors of a column of texts to a batch: for Ray's `map_batches`, Dask's `map_partitions`, Spark's `mapInPandas`
    and `mapInArrow`, or a loop over batches.

    A batch is a dict of columns, a DataFrame of pandas or polars, or an Arrow table or record batch; the result has its type.
    The vectors are fixed-size lists of float32: an Arrow array in a dict, a column of numpy arrays in pandas. An iterator of
    batches returns an iterator.

    ```python
    dataset.map_batches(EmbedBatch(column="text", into="vector", on_error="null", engine="ray"))
    ```

    The object pickles, without connections. In each process, all objects with equal settings share connections and pace.

    Args:
        column: The column with the texts.
        into: The new column with the vectors.
        on_error: "raise" raises the first error. "null" keeps a row that fails: its vector is null, and a column `<into>_error`
            has the reason (a string, null for the other rows). Invalid credentials or settings are raised in either case.
        engine: What takes the result, where it matters: "ray" for Ray's pandas batches, "spark" for Spark's `mapInArrow`.
        input_type: The role of the texts: "ingest", "search", "classification" or "clustering".
        batch_size: Maximum number of texts in a request.
        settings: `inference_id` (or `model`), `dimensions`, `too_long`, and the arguments of `ServiceSettings`: `es_url`,
            `es_api_key`, `timeout`, `max_retries`, `max_concurrency` and so on. Address and credentials are read from the
            environment when the object is created, and pickled with it.

    Raises:
        ConfigurationError: an invalid argument. Nothing was sent.
        InputError: a batch of another type, without the column, or with one that `into` names; a text that is missing or not a
            string, unless `on_error="null"`. Nothing was sent.
        JinaEISError: the service returned an error.
    """

    def __init__(
        self,
        *,
        column: str = "text",
        into: str = "vector",
        on_error: OnError = "raise",
        engine: Engine | None = None,
        input_type: str = "ingest",
        batch_size: int = BATCH_SIZE,
        **settings: Unpack[EmbedArguments],
    ) -> None:
        super().__init__({"column": column}, into, on_error, engine)
        self._check_settings(settings, EmbedArguments.__optional_keys__)
        if input_type not in _ROLES:
            raise ConfigurationError(f"input_type={input_type!r}: pass {', '.join(map(repr, _ROLES))}.")
        self.column = column
        self._service = EmbeddingService(document_input_type=input_type, batch_size=batch_size, **settings)

    def __repr__(self) -> str:
        return f"EmbedBatch(column={self.column!r}, into={self.into!r}, inference_id={self._service.inference_id!r})"

    def _map(self, batch: Any) -> Any:
        texts = read_column(batch, self.column)
        self._check_new(batch, [self.into, f"{self.into}_error"] if self.on_error == "null" else [self.into])
        reasons = [_text_problem(text) for text in texts]
        if self.on_error == "raise":
            for position, reason in enumerate(reasons):
                if reason:
                    raise InputError(f"Row {position} of the batch, column {self.column!r}: {reason}")
        else:
            refusals = self._service.refusals({row: str(texts[row]) for row, reason in enumerate(reasons) if reason is None})
            reasons = [reason or refusals.get(row) for row, reason in enumerate(reasons)]
        vectors: list[array[float] | None] = [None] * len(texts)
        positions = [position for position, reason in enumerate(reasons) if reason is None]
        if positions:
            with closing(self._service.outcomes([str(texts[position]) for position in positions], positions)) as outcomes:
                for position, outcome in zip(positions, outcomes, strict=True):
                    if not isinstance(outcome, JinaEISError):
                        vectors[position] = array("f", outcome)  # 4 bytes a number; a list takes 32
                    elif self._fails(outcome):
                        raise outcome
                    else:
                        reasons[position] = str(outcome)
        column = vector_array(
            vectors, self._dimensions(vectors), fixed=not (self.engine == "spark" and kind_of(batch) == "arrow")
        )
        return add_columns(batch, self._with_reasons({self.into: column}, reasons), self.engine)

    def _dimensions(self, vectors: Iterable[array[float] | None]) -> int:
        """The length of the vectors, which types the column even if all rows failed."""
        known = next((len(vector) for vector in vectors if vector is not None), None) or self._service.describe().dimensions
        if known is None:
            raise ConfigurationError(
                f"Elasticsearch does not know the length of the vectors of {self._service.inference_id}, and no row of the batch "
                "has one. Use a preconfigured endpoint, or batches with at least one text."
            )
        return known


class RerankBatch(_Callable):
    """Adds rankings to a batch, for offline evaluation: each row has a query, and a list of documents to rank.

    It takes the batches that `EmbedBatch` takes. The new column `<into>` has the positions of the documents, best first, and
    `<into>_score` their relevance scores in the same order: null where a long list was ranked in windows and the score does not
    compare with the others.

    Args:
        query: The column with the queries.
        documents: The column with lists of texts.
        into: The new column.
        on_error: As for `EmbedBatch`.
        engine: As for `EmbedBatch`.
        settings: `inference_id` (or `model`), `window_size`, `strategy`, `too_long`, and the arguments of `ServiceSettings`.
    """

    def __init__(
        self,
        *,
        query: str = "query",
        documents: str = "documents",
        into: str = "ranking",
        on_error: OnError = "raise",
        engine: Engine | None = None,
        **settings: Unpack[RerankArguments],
    ) -> None:
        super().__init__({"query": query, "documents": documents}, into, on_error, engine)
        if extra := {"top_n", "score_threshold"} & settings.keys():
            raise ConfigurationError(
                f"RerankBatch has no argument {min(extra)}: it ranks all documents. Cut the ranking after it."
            )
        self._check_settings(settings, RerankArguments.__optional_keys__)
        self.query, self.documents = query, documents
        self._service = RerankService(**settings)

    def __repr__(self) -> str:
        return f"RerankBatch(query={self.query!r}, documents={self.documents!r}, into={self.into!r})"

    def _map(self, batch: Any) -> Any:
        queries, lists = read_column(batch, self.query), read_column(batch, self.documents)
        if len(queries) != len(lists):
            raise InputError(
                f"The column {self.query!r} has {len(queries)} rows, and the column {self.documents!r} has {len(lists)}. "
                "Each row needs both."
            )
        new = [self.into, f"{self.into}_score", *([f"{self.into}_error"] if self.on_error == "null" else [])]
        self._check_new(batch, new)
        rows = list(zip(queries, lists, strict=True))
        reasons = [_ranking_problem(*row) for row in rows]
        if self.on_error == "raise":
            for position, reason in enumerate(reasons):
                if reason:
                    raise InputError(f"Row {position} of the batch: {reason}")
        rankings: list[list[tuple[int, float | None]] | None] = [None] * len(rows)
        with ThreadPoolExecutor(RERANKED_ROWS) as threads:
            futures = {
                position: threads.submit(copy_context().run, self._service.order, query, list(documents))
                for position, (query, documents) in enumerate(rows)
                if reasons[position] is None
            }
            try:
                for position, future in futures.items():
                    try:
                        rankings[position] = future.result()
                    except JinaEISError as error:
                        if self._fails(error):
                            raise
                        reasons[position] = str(error)
            finally:
                for future in futures.values():
                    future.cancel()
        positions, scores = ranking_arrays(rankings)
        columns = self._with_reasons({self.into: positions, f"{self.into}_score": scores}, reasons)
        return add_columns(batch, columns, self.engine)


def _text_problem(text: Any) -> str | None:
    """Why a value cannot be embedded; None if it can."""
    if text is None:
        return _MISSING
    return None if isinstance(text, str) else f"{type(text).__name__} is not a text. Convert the column to strings."


def _ranking_problem(query: Any, documents: Any) -> str | None:
    if not isinstance(query, str) or not query.strip():
        return "The query is missing, empty or not a text."
    if not is_list(documents):
        return "The documents are not a list of texts."
    return None if all(isinstance(document, str) for document in documents) else "A document is missing or not a text."
