"""`EmbedBatch` in Spark: the code of the page, both kinds of batches, and the parts of a job. Spark needs Java."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from page import code_of

from jina_eis.batch import EmbedBatch, EmbeddingService, EmbedJob, Source
from jina_eis.local import LocalEIS

pyspark = pytest.importorskip("pyspark")


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        environment.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        environment.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
        yield session
        session.stop()


def test_the_page(eis: LocalEIS, spark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    code = code_of("Spark").replace('"spark-vectors"', repr(str(tmp_path / "vectors")))  # Java does not follow chdir()
    exec(compile(code, "scale.md", "exec"), {})
    rows = spark.read.parquet(str(tmp_path / "vectors")).collect()
    assert sorted((row["id"], len(row["vector"]), row["vector_error"]) for row in rows) == [("a", 1024, None), ("b", 1024, None)]


@pytest.mark.parametrize("method", ["mapInPandas", "mapInArrow"])
def test_rows_that_fail(eis: LocalEIS, spark: Any, method: str) -> None:
    """Also a partition in which all fail."""
    texts = [None, "a", None, None]
    frame = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, text string").repartitionByRange(2, "n")
    embed = EmbedBatch(es_url=eis.url, dimensions=32, on_error="null", engine="spark")
    rows = getattr(frame, method)(embed, "n int, text string, vector array<float>, vector_error string").collect()
    assert {row["n"]: row["vector"] and len(row["vector"]) for row in rows} == {0: None, 1: 32, 2: None, 3: None}
    assert {row["n"] for row in rows if row["vector_error"]} == {0, 2, 3}


@pytest.mark.parametrize("texts", [[None, None, "a", None], ["a", None, None, None], []], ids=["first", "last", "no rows"])
def test_parts_of_a_job(eis: LocalEIS, spark: Any, tmp_path: Path, texts: list[Any]) -> None:
    """With a part of nulls, and without rows."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    with EmbeddingService(es_url=eis.url, dimensions=32) as service:
        EmbedJob(Source([tmp_path / "in.jsonl"]), tmp_path / "out", service, part_rows=2).run()
    frame = spark.read.parquet(str(tmp_path / "out"))
    assert dict(frame.dtypes)["vector"] == "array<float>"
    lengths = [len(row["vector"]) for row in frame.collect() if row["vector"] is not None]
    assert (frame.count(), lengths) == (len(texts), [32] * (len(texts) - texts.count(None)))
