"""Readers of the parts of a job, each with a null row, a part of nulls and a part without rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jina_eis.batch import EmbeddingService, EmbedJob, Source
from jina_eis.local import LocalEIS

pytest.importorskip("pyarrow")


@pytest.fixture(params=["null part first", "null part last", "no rows"])
def parts(request: pytest.FixtureRequest, eis: LocalEIS, tmp_path: Path) -> tuple[Path, list[bool]]:
    """A folder, and whether each of its rows is null."""
    texts: dict[str, list[Any]] = {
        "null part first": [None, None, "a", None],
        "null part last": ["a", None, None, None],
        "no rows": [],
    }
    rows = texts[request.param]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf-8")
    with EmbeddingService(es_url=eis.url, dimensions=32) as service:
        EmbedJob(Source([tmp_path / "in.jsonl"]), tmp_path / "out", service, part_rows=2).run()
    return tmp_path / "out", [text is None for text in rows]


def _is_null(value: Any) -> bool:
    if value is not None and len(value) == 32:
        return False
    assert value is None, value
    return True


def test_pyarrow(parts: tuple[Path, list[bool]]) -> None:
    pa, dataset = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.dataset")
    vectors = dataset.dataset(parts[0]).to_table()["vector"]
    assert vectors.type == pa.list_(pa.float32(), 32)
    assert vectors.is_null().to_pylist() == parts[1]


def test_pandas(parts: tuple[Path, list[bool]]) -> None:
    pd = pytest.importorskip("pandas")
    assert pd.read_parquet(parts[0])["vector"].isna().tolist() == parts[1]


def test_polars(parts: tuple[Path, list[bool]]) -> None:
    pl = pytest.importorskip("polars")
    frame = pl.read_parquet(parts[0])
    assert frame.schema["vector"] == pl.Array(pl.Float32, 32)
    assert frame["vector"].is_null().to_list() == parts[1]


def test_dask(parts: tuple[Path, list[bool]]) -> None:
    dd = pytest.importorskip("dask.dataframe")
    assert dd.read_parquet(parts[0]).compute()["vector"].isna().tolist() == parts[1]


def test_duckdb(parts: tuple[Path, list[bool]]) -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql(f"select vector from '{parts[0]}/*.parquet'").fetchall()
    assert [_is_null(vector) for (vector,) in rows] == parts[1]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves files open
def test_fastparquet(parts: tuple[Path, list[bool]]) -> None:
    fastparquet = pytest.importorskip("fastparquet")
    vectors = [
        vector
        for path in sorted(parts[0].glob("*.parquet"))
        for vector in fastparquet.ParquetFile(str(path)).to_pandas()["vector"]
    ]
    assert [_is_null(vector) for vector in vectors] == parts[1]


def test_datasets(parts: tuple[Path, list[bool]]) -> None:
    datasets = pytest.importorskip("datasets")
    files = [str(path) for path in sorted(parts[0].glob("*.parquet"))]
    # in a stream: `Dataset.from_parquet` and `load_dataset` refuse a data set without rows, of whatever files
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    assert [_is_null(row["vector"]) for row in loaded] == parts[1]
    assert loaded.features["vector"].length == 32
