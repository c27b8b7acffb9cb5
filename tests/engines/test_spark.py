"""`EmbedBatch` in Spark: the code of the page. Spark needs Java."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from page import code_of

from jina_eis.local import LocalEIS

pytest.importorskip("pyspark")


def test_the_page(eis: LocalEIS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code_of("Spark"), "scale.md", "exec"), names)
    spark = names["spark"]
    rows = spark.read.parquet("spark-vectors").collect()  # type: ignore[attr-defined]
    spark.stop()  # type: ignore[attr-defined]
    assert sorted((row["id"], len(row["vector"]), row["vector_error"]) for row in rows) == [("a", 1024, None), ("b", 1024, None)]
