"""`EmbedBatch` in Dask: the code of the page, and partitions in which rows fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from page import code_of

from jina_eis.batch import EmbedBatch
from jina_eis.local import LocalEIS

dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def test_the_page(eis: LocalEIS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ES_URL", eis.url)
    monkeypatch.chdir(tmp_path)
    exec(compile(code_of("Dask"), "scale.md", "exec"), {})
    parts = list(Path("dask-vectors").glob("*.parquet"))
    assert len(parts) == 2
    assert all(pq.read_schema(part).field("vector").type == pa.list_(pa.float32(), 256) for part in parts)
    assert len(dd.read_parquet("dask-vectors").compute()) == 2


def test_a_partition_in_which_all_rows_fail(eis: LocalEIS, tmp_path: Path) -> None:
    frame = dd.from_pandas(pd.DataFrame({"text": ["a", None, None, None]}), npartitions=2)
    meta = frame._meta.assign(vector=pd.Series([], dtype=object), vector_error=pd.Series([], dtype=object))
    embed = EmbedBatch(es_url=eis.url, on_error="null", engine="dask", dimensions=32)
    schema = pa.schema([("text", pa.string()), ("vector", pa.list_(pa.float32(), 32)), ("vector_error", pa.string())])
    frame.map_partitions(embed, meta=meta).to_parquet(str(tmp_path / "out"), schema=schema, write_index=False)
    table = pq.read_table(tmp_path / "out")
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 32)
    assert table["vector"].is_null().to_pylist() == [False, True, True, True]
