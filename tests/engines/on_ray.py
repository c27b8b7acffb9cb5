"""`jina_eis.batch` on a local Ray cluster of two workers. A program: `test_ray.py` runs it where no other network is reachable."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
import ray.data

from jina_eis.batch import EmbedBatch, EmbeddingService, EmbedJob, Source
from jina_eis.errors import JinaEISError
from jina_eis.local import LocalEIS

VECTOR = pa.list_(pa.float32(), 32)
FAILING = {0, 5, 8, 9, 10, 11}  # the first row, one in the middle, and a whole block


def check_formats(url: str) -> None:
    """The columns have one type in every format, whichever rows fail."""
    rows = [{"n": n, "text": None if n in FAILING else f"text {n}"} for n in range(12)]
    for batch_format in ("numpy", "pandas", "pyarrow"):
        embed = EmbedBatch(es_url=url, dimensions=32, on_error="null", engine="ray")
        dataset = ray.data.from_items(rows, override_num_blocks=3).map_batches(embed, batch_format=batch_format, batch_size=4)
        with tempfile.TemporaryDirectory() as folder:
            dataset.write_parquet(folder)
            types = [pq.read_schema(path).field("vector").type for path in Path(folder).glob("*.parquet")]
            assert all(type_ == VECTOR for type_ in types), (batch_format, types)  # equal types may differ in their hash
            table = pq.read_table(folder).sort_by("n")
        assert {n for n, vector in enumerate(table["vector"].to_pylist()) if vector is None} == FAILING, batch_format
        assert {n for n, reason in enumerate(table["vector_error"].to_pylist()) if reason} == FAILING, batch_format


def check_job(url: str) -> None:
    """A job on Ray writes the parts that it writes on this machine, and resumes them."""
    with tempfile.TemporaryDirectory() as name, EmbeddingService(es_url=url, dimensions=32) as service:
        folder = Path(name)
        (folder / "in.txt").write_text("".join(f"text {n}\n" for n in range(45)), encoding="utf-8")

        def run(engine: str, out: str) -> Any:
            return EmbedJob(Source([folder / "in.txt"], lines=True), folder / out, service, 10, engine=engine).run()

        assert run("ray", "ray").parts == run("local", "local").parts == 5
        assert pq.read_table(folder / "ray").equals(pq.read_table(folder / "local"))
        (folder / "ray" / "part-00003.parquet").unlink()
        assert run("ray", "ray").resumed == 35
        assert pq.read_table(folder / "ray").equals(pq.read_table(folder / "local"))


def check_failure(url: str) -> None:
    """What fails in a worker is an error of the job, which names the part."""

    class Broken(EmbeddingService):
        def outcomes(self, *_: Any, **__: Any) -> Any:
            raise ValueError("not today")

    with tempfile.TemporaryDirectory() as name, Broken(es_url=url, dimensions=32) as service:
        (Path(name) / "in.txt").write_text("a\nb\n", encoding="utf-8")
        job = EmbedJob(Source([Path(name) / "in.txt"], lines=True), Path(name) / "out", service, 1, engine="ray")
        with pytest.raises(JinaEISError, match=r"part 0: ValueError: not today\. The complete parts are kept"):
            job.run()


def check_parts(url: str) -> None:
    """Ray reads the parts of a job, also parts of nulls and parts without rows."""
    for texts in ([None, None, "a", None], ["a", None, None, None], []):
        with tempfile.TemporaryDirectory() as name, EmbeddingService(es_url=url, dimensions=32) as service:
            folder = Path(name)
            (folder / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
            EmbedJob(Source([folder / "in.jsonl"]), folder / "out", service, part_rows=2).run()
            vectors = [row["vector"] for row in ray.data.read_parquet(str(folder / "out")).take_all()]
        assert sorted(len(vector) for vector in vectors if vector is not None) == [32] * texts.count("a")
        assert len(vectors) == len(texts)


def check_page(code: str) -> None:
    """The code of the page writes one vector for each row."""
    exec(compile(code, "scale.md", "exec"), {})
    table = pq.read_table("ray-vectors")
    assert table.num_rows == 100, table.num_rows
    assert table["vector"].null_count == 0


if __name__ == "__main__":
    page = Path(sys.argv[1]).read_text(encoding="utf-8")
    os.chdir(tempfile.mkdtemp())  # before the workers start, which write there
    with LocalEIS(model="hash") as eis:
        os.environ["ES_URL"] = eis.url
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        check_page(page)
        check_formats(eis.url)
        check_job(eis.url)
        check_failure(eis.url)
        check_parts(eis.url)
        ray.shutdown()
