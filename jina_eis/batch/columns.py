"""Columns of vectors, rankings and reasons, as Arrow and each kind of batch hold them.

All engines read one form: fixed-size lists of float32 with null rows, without an extension type, and one schema for every
part, also where all rows or no rows are null. Python lists of floats become lists of doubles in most engines, and a column whose
first rows are None becomes another type in each: so no column is left to be inferred.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from importlib import import_module
from typing import Any, Literal

from ..errors import ConfigurationError, InputError

__all__ = [
    "ENGINES",
    "Engine",
    "add_columns",
    "column_names",
    "is_list",
    "kind_of",
    "load",
    "ranking_arrays",
    "read_column",
    "text_array",
    "vector_array",
]

Engine = Literal["ray", "dask", "spark"]
ENGINES = ("ray", "dask", "spark")
Kind = Literal["mapping", "pandas", "arrow", "polars"]


def load(module: str, extra: str = "batch") -> Any:
    """Import a module of an extra.

    Raises:
        ConfigurationError: it is not installed; the error names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise ConfigurationError(f'{module} is not installed. Run: pip install "jina-eis[{extra}]"') from error


def kind_of(batch: Any) -> Kind:
    """Return what a batch is, without importing any library.

    Raises:
        InputError: it is none of the supported types.
    """
    package, name = type(batch).__module__.partition(".")[0], type(batch).__name__
    if package == "pandas" and name == "DataFrame":
        return "pandas"
    if package == "pyarrow" and name in ("Table", "RecordBatch"):
        return "arrow"
    if package == "polars" and name == "DataFrame":
        return "polars"
    if isinstance(batch, Mapping):
        return "mapping"
    raise InputError(
        f"A batch is a {type(batch).__name__}. Pass a dict of columns, a DataFrame of pandas or polars, an Arrow table or record "
        "batch, or an iterator of these."
    )


def column_names(batch: Any) -> list[str]:
    """Return the names of the columns of a batch."""
    kind = kind_of(batch)
    return [str(name) for name in (batch.schema.names if kind == "arrow" else batch if kind == "mapping" else batch.columns)]


def read_column(batch: Any, name: str) -> list[Any]:
    """Return the values of a column as Python objects; None for every missing value.

    Raises:
        InputError: the batch has no such column, or several; or, in a dict, one value in place of a column.
    """
    kind, names = kind_of(batch), column_names(batch)
    if names.count(name) != 1:
        problem = "has several columns" if name in names else "has no column"
        raise InputError(f"The batch {problem} {name!r}. Its columns: {', '.join(names) or 'none'}.")
    if kind == "pandas":
        values = batch.iloc[:, names.index(name)]  # the name may be a number
        return [None if missing else value for value, missing in zip(values.tolist(), values.isna().tolist(), strict=True)]
    values = batch[name]
    if kind == "arrow" or hasattr(values, "to_pylist"):
        return values.to_pylist()  # type: ignore[no-any-return]
    if kind == "polars":
        return values.to_list()  # type: ignore[no-any-return]
    values = values.tolist() if hasattr(values, "tolist") else values
    if not is_list(values):
        raise InputError(
            f"The column {name!r} is of type {type(values).__name__}, not a list or an array of values. "
            "Pass a single row as a batch of one; with Ray, use map_batches in place of map."
        )
    return [None if isinstance(value, float) and value != value else value for value in values]


def is_list(value: Any) -> bool:
    """Return whether a value has elements in an order, and can be read more than once: a list, a tuple, an array."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping, Set, Iterator))


def vector_array(vectors: Sequence[Sequence[float] | None], dimensions: int, *, fixed: bool = True) -> Any:
    """Return vectors as an Arrow array of lists of float32.

    Args:
        vectors: Vectors of one length; None for a null row.
        dimensions: Their length, also if there is none.
        fixed: Whether the lists have a fixed size. Spark's `mapInArrow` takes only lists of any size.
    """
    pa = load("pyarrow")
    rows, flat = [vector for vector in vectors if vector is not None] if not fixed else vectors, array("f")
    empty = array("f", bytes(4 * dimensions))
    for vector in rows:
        flat.extend(empty if vector is None else vector)
    values = pa.Array.from_buffers(pa.float32(), len(flat), [None, pa.py_buffer(flat)])
    if fixed:
        missing = pa.array([vector is None for vector in vectors], pa.bool_())
        return pa.FixedSizeListArray.from_arrays(values, type=pa.list_(pa.float32(), dimensions), mask=missing)
    ends, end = [], 0
    for vector in vectors:
        ends.append(None if vector is None else end)
        end += 0 if vector is None else dimensions
    return pa.ListArray.from_arrays(pa.array([*ends, end], pa.int32()), values)


def text_array(texts: Sequence[str | None]) -> Any:
    """Return texts as an Arrow array of strings; None for null."""
    pa = load("pyarrow")
    return pa.array(texts, pa.string())


def ranking_arrays(rankings: Sequence[Sequence[tuple[int, float | None]] | None]) -> tuple[Any, Any]:
    """Return rankings as two Arrow arrays of lists: the positions, and the scores in the same order."""
    pa = load("pyarrow")
    parts = [[None if ranking is None else [pair[part] for pair in ranking] for ranking in rankings] for part in (0, 1)]
    return pa.array(parts[0], pa.list_(pa.int32())), pa.array(parts[1], pa.list_(pa.float32()))


def add_columns(batch: Any, columns: Mapping[str, Any], engine: Engine | None) -> Any:
    """Return a batch of the same type with additional columns. The batch itself is not changed.

    Args:
        batch: Any supported batch.
        columns: Arrow arrays, by name.
        engine: The engine that takes the result; None if it does not matter.
    """
    kind = kind_of(batch)
    if kind == "mapping":
        return {**batch, **columns}
    if kind == "polars":
        pl = load("polars")
        return batch.with_columns(pl.Series(name, pl.from_arrow(values)) for name, values in columns.items())
    if kind == "pandas":
        return batch.assign(**{name: _pandas_series(values, batch.index, engine) for name, values in columns.items()})
    for name, values in columns.items():
        if hasattr(batch, "append_column"):
            batch = batch.append_column(name, values)
        else:
            batch = type(batch).from_arrays([*batch.columns, values], schema=batch.schema.append(_field(name, values)))
    return batch


def _field(name: str, values: Any) -> Any:
    return load("pyarrow").field(name, values.type)


def _pandas_series(values: Any, index: Any, engine: Engine | None) -> Any:
    """Ray infers the type of a column of objects from its first row and keeps an Arrow type. Dask and Spark need objects."""
    pandas = load("pandas")
    if engine == "ray":
        return pandas.Series(pandas.arrays.ArrowExtensionArray(values), index=index)
    return pandas.Series(values.to_numpy(zero_copy_only=False), index=index, dtype=object)  # arrays of float32, and None
