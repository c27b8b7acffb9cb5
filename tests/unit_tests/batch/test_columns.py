"""Columns that every engine reads: fixed-size lists of float32 with null rows, whatever the rows are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
np = pytest.importorskip("numpy")

from jina_eis.batch.columns import add_columns, column_names, kind_of, load, ranking_arrays, read_column, vector_array  # noqa: E402
from jina_eis.errors import ConfigurationError, InputError  # noqa: E402

VECTORS = st.lists(st.none() | st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3))


@given(VECTORS)
def test_vectors_keep_their_values_rows_and_type(vectors: list[list[float] | None]) -> None:
    fixed = vector_array(vectors, 3)
    assert fixed.type == pa.list_(pa.float32(), 3)
    assert fixed.to_pylist() == vectors
    assert fixed.null_count == vectors.count(None)
    fixed.validate(full=True)


@given(VECTORS)
def test_lists_of_any_size_for_spark(vectors: list[list[float] | None]) -> None:
    lists = vector_array(vectors, 3, fixed=False)
    assert lists.type == pa.list_(pa.float32())
    assert lists.to_pylist() == vectors
    lists.validate(full=True)


BATCHES = {
    "dict": lambda texts: {"text": texts},
    "numpy": lambda texts: {"text": np.array(texts, dtype=object)},
    "arrow in a dict": lambda texts: {"text": pa.array(texts, pa.string())},
    "pandas": lambda texts: pd.DataFrame({"text": texts}, index=range(10, 10 + len(texts))),
    "pandas objects": lambda texts: pd.DataFrame({"text": pd.Series(texts, dtype=object)}),
    "pandas arrow": lambda texts: pd.DataFrame({"text": pd.Series(texts, dtype=pd.ArrowDtype(pa.string()))}),
    "table": lambda texts: pa.table({"text": pa.array(texts, pa.string())}),
    "sliced table": lambda texts: pa.table({"text": pa.array(["x", *texts], pa.string())}).slice(1),
    "record batch": lambda texts: pa.record_batch({"text": pa.array(texts, pa.string())}),
    "polars": lambda texts: pl.DataFrame({"text": texts}, schema={"text": pl.String}),
}


@pytest.mark.parametrize("texts", [["a", None, "b"], [None], []], ids=repr)
@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("engine", [None, "ray"])
def test_a_batch_gets_a_column_and_stays_what_it_is(make: Any, texts: list[str | None], engine: Any) -> None:
    batch = make(texts)
    assert read_column(batch, "text") == texts

    vectors = [None if text is None else [1.0, 2.0] for text in texts]
    mapped = add_columns(batch, {"vector": vector_array(vectors, 2)}, engine)

    assert type(mapped) is type(batch)
    assert column_names(batch) == ["text"], "the batch is unchanged"
    assert column_names(mapped) == ["text", "vector"]
    assert read_column(mapped, "text") == texts
    assert [None if vector is None else list(vector) for vector in read_column(mapped, "vector")] == vectors


def test_the_types_of_pandas() -> None:
    batch, vectors = pd.DataFrame({"text": ["a", "b"]}, index=[7, 8]), vector_array([None, [1.0, 2.0]], 2)

    objects = add_columns(batch, {"vector": vectors}, None)["vector"]
    assert objects.dtype == object
    assert objects[7] is None
    assert objects[8].dtype == np.float32
    assert add_columns(batch, {"vector": vectors}, "ray")["vector"].dtype == pd.ArrowDtype(pa.list_(pa.float32(), 2))


def test_polars_has_arrays() -> None:
    mapped = add_columns(pl.DataFrame({"text": ["a"]}), {"vector": vector_array([None], 2)}, None)
    assert mapped.schema["vector"] == pl.Array(pl.Float32, 2)


def test_rankings() -> None:
    positions, scores = ranking_arrays([[(1, 0.5), (0, None)], None, []])
    assert positions.to_pylist() == [[1, 0], None, []]
    assert scores.to_pylist() == [[0.5, None], None, []]
    assert ranking_arrays([None])[0].type == pa.list_(pa.int32())


@pytest.mark.parametrize("batch", [["a"], "a", None, pd.Series(["a"])], ids=lambda batch: type(batch).__name__)
def test_other_types_are_refused(batch: Any) -> None:
    with pytest.raises(InputError, match="A batch is a"):
        kind_of(batch)


@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_a_missing_column_is_named(make: Any) -> None:
    with pytest.raises(InputError, match=r"no column 'body'\. Its columns: text"):
        read_column(make(["a"]), "body")


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r'pip install "jina-eis\[ray\]"'):
        load("a_module_that_is_missing", "ray")
