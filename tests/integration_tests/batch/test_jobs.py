"""Jobs over files: what they write, what they refuse, and what remains after a kill at any moment."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
import uuid
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import posts, restricted
from langchain_core.documents import Document

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

from jina_eis.adapters import EndpointInfo, content_id  # noqa: E402
from jina_eis.batch import EmbeddingService, EmbedJob, IndexJob, IndexSettings, Progress, Source, Summary  # noqa: E402
from jina_eis.batch.engines import check_listening, embed_on_ray, embed_part  # noqa: E402
from jina_eis.cli import main  # noqa: E402
from jina_eis.errors import ConfigurationError, InputError, JinaEISError, ServiceUnavailableError  # noqa: E402
from jina_eis.local import LocalEIS  # noqa: E402
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetriever  # noqa: E402

RUN_MAIN = "import sys; from jina_eis.cli import main; sys.exit(main(sys.argv[1:]))"
SEED = 22


def _write_rows(path: Path, texts: list[Any]) -> Path:
    path.write_text("".join(json.dumps({"id": f"d{n}", "text": text}) + "\n" for n, text in enumerate(texts)), encoding="utf-8")
    return path


@pytest.fixture
def run(eis: LocalEIS, tmp_path: Path) -> Callable[..., Summary]:
    """Run a job over texts, in `tmp_path / "out"`."""

    def run_job(texts: list[Any], part_rows: int = 10, report: Any = None, out: str = "out", **settings: Any) -> Summary:
        source = Source([_write_rows(tmp_path / "in.jsonl", texts)], id_column="id")
        with EmbeddingService(**{"es_url": eis.url, "dimensions": 32, "max_retries": 1, **settings}) as service:
            return EmbedJob(source, tmp_path / out, service, part_rows).run(report)

    return run_job


def _texts(number: int) -> list[str]:
    return [f"text {n}" for n in range(number)]


def _sent(eis: LocalEIS) -> list[str]:
    return [text for exchange in posts(eis) for text in exchange.body["input"]]


def test_the_parts(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    texts: list[Any] = [*_texts(24), None]
    reports: list[Progress] = []
    assert run(texts, report=reports.append) == Summary(rows=25, resumed=0, failed=1, parts=3)
    assert reports[-1].done == reports[-1].total == 25
    assert run(texts) == Summary(rows=25, resumed=25, failed=1, parts=3), "of both runs"

    parts = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in parts] == [f"part-0000{n}.parquet" for n in range(3)]
    assert [pq.read_metadata(path).num_rows for path in parts] == [10, 10, 5]
    assert len({str(pq.read_schema(path)) + str(pq.read_schema(path).metadata) for path in parts}) == 1
    table = pq.read_table(tmp_path / "out")
    assert table["id"].to_pylist() == [f"d{n}" for n in range(25)]
    assert table["text"].to_pylist() == texts
    assert table["error"].to_pylist() == [None] * 24 + ["The text is missing."]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 32)
    expected = JinaEISEmbeddings(es_url=eis.url, dimensions=32).embed_documents(texts[:24])
    for vector, wanted in zip(table["vector"].to_pylist(), [*expected, None], strict=True):
        assert vector == (None if wanted is None else pytest.approx(wanted, abs=1e-6))
    metadata = table.schema.metadata
    assert metadata[b"model"] == b"jina-embeddings-v5-text-small"
    assert metadata[b"input_type"] == b"ingest"
    assert metadata[b"dimensions"] == b"32"


@pytest.mark.parametrize("texts", [[], [None], [None] * 15, ["a", *[None] * 14]], ids=["empty", "null", "nulls", "null part"])
def test_all_null_parts_and_empty_parts_are_read(run: Callable[..., Summary], tmp_path: Path, texts: list[Any]) -> None:
    run(texts)
    folder, nulls = tmp_path / "out", texts.count(None)
    assert pq.read_table(folder)["vector"].null_count == nulls
    assert int(pd.read_parquet(folder)["vector"].isna().sum()) == nulls
    frame = pl.read_parquet(folder)
    assert frame.schema["vector"] == pl.Array(pl.Float32, 32)
    assert frame["vector"].null_count() == nulls
    assert len(frame) == len(texts)


def test_without_an_id_column_the_id_is_the_digest_of_the_text(eis: LocalEIS, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\none\n", encoding="utf-8")
    with EmbeddingService(es_url=eis.url) as service:
        EmbedJob(Source([tmp_path / "a.txt"], lines=True), tmp_path / "out", service).run()
    assert pq.read_table(tmp_path / "out")["id"].to_pylist() == [content_id(text, {}) for text in ("one", "two", "one")]


def test_a_finished_job_sends_nothing(run: Callable[..., Summary], eis: LocalEIS) -> None:
    run(_texts(25))
    eis.clear()
    assert run(_texts(25)) == Summary(rows=25, resumed=25, failed=0, parts=3)
    assert not posts(eis)


def test_only_missing_parts_are_embedded(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    run(_texts(25))
    whole = pq.read_table(tmp_path / "out")
    (tmp_path / "out" / "part-00001.parquet").unlink()
    eis.clear()
    assert run(_texts(25)).resumed == 15
    assert sorted(_sent(eis)) == sorted(_texts(25)[10:20])
    assert pq.read_table(tmp_path / "out").equals(whole)


@pytest.mark.parametrize(
    ("texts", "settings", "difference"),
    [
        (_texts(26), {}, "rows=25 instead of 26"),
        (["other", *_texts(25)[1:]], {}, "other ids or texts"),
        (
            _texts(25),
            {"inference_id": ".jina-embeddings-v3"},
            "model='jina-embeddings-v5-text-small' instead of 'jina-embeddings-v3'",
        ),
        (_texts(25), {"document_input_type": "clustering"}, "input_type='ingest' instead of 'clustering'"),
        (_texts(25), {"dimensions": 64}, "dimensions=32 instead of 64"),
        (_texts(25), {"part_rows": 11}, "part_rows=10 instead of 11"),
    ],
)
def test_another_model_or_input_is_refused(
    run: Callable[..., Summary], eis: LocalEIS, texts: list[Any], settings: dict[str, Any], difference: str
) -> None:
    run(_texts(25))
    eis.clear()
    with pytest.raises(ConfigurationError, match=difference):
        run(texts, **settings)
    assert not posts(eis)


def test_the_same_content_in_another_file_is_the_same_input(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    run(_texts(5))
    (tmp_path / "b.csv").write_text("n,id,text\n" + "".join(f"0,d{n},text {n}\n" for n in range(5)), encoding="utf-8")
    with EmbeddingService(es_url=eis.url, dimensions=32) as service:
        assert EmbedJob(Source([tmp_path / "b.csv"], id_column="id"), tmp_path / "out", service, 10).run().resumed == 5


def test_an_input_that_changes_while_it_is_read_is_refused(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    class Service(EmbeddingService):
        def describe(self) -> EndpointInfo:
            with (tmp_path / "in.jsonl").open("a", encoding="utf-8") as file:
                file.write('{"id": "new", "text": "new"}\n')
            return super().describe()

    path = _write_rows(tmp_path / "in.jsonl", _texts(5))
    with Service(es_url=eis.url) as service, pytest.raises(InputError, match="has changed"):
        EmbedJob(Source([path], id_column="id"), tmp_path / "out", service).run()
    assert not list((tmp_path / "out").iterdir())


def test_a_refused_text_is_a_row_with_a_reason(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    for n in range(16):  # a whole request
        eis.faults.poison(f"text {n}", "eis_422")
    assert run(_texts(25)).failed == 16
    reasons = pq.read_table(tmp_path / "out")["error"].to_pylist()
    assert all("the input is not valid" in reason for reason in reasons[:16])
    assert reasons[16:] == [None] * 9


def test_a_text_that_breaks_the_service_is_a_row_with_a_reason(
    run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path
) -> None:
    eis.faults.poison("text 20", "eis_5xx")
    assert run(_texts(40)).failed == 1
    assert pq.read_table(tmp_path / "out")["vector"].is_null().to_pylist().index(True) == 20


@pytest.mark.parametrize("kind", ["unavailable", "eis_5xx", "rate_limit", "drop"])
def test_an_outage_ends_the_job_and_leaves_no_null(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path, kind: Any) -> None:
    def fail_later(progress: Progress) -> None:
        eis.faults.always(kind)

    with pytest.raises(JinaEISError) as raised:
        eis.faults.latency = 0.05
        run(_texts(3_000), part_rows=100, report=fail_later, max_concurrency=1)
    assert raised.value.transient
    done = sum(pq.read_metadata(path).num_rows for path in (tmp_path / "out").iterdir())
    assert 0 < done < 3_000
    eis.faults.clear()
    assert run(_texts(3_000), part_rows=100).resumed == done
    assert pq.read_table(tmp_path / "out")["vector"].null_count == 0


def test_a_task_of_ray_bears_an_outage(eis: LocalEIS) -> None:
    """As the same job on one machine does. In this process, since Ray is not a dependency of the tests."""
    with EmbeddingService(es_url=eis.url, dimensions=32, max_retries=0) as service:
        eis.faults.queue("unavailable", "unavailable")
        assert isinstance(embed_part(service, ["text 0"], None)[0], ServiceUnavailableError)
        vector, missing = embed_part(service, ["text 0", None], 300.0)
    assert isinstance(vector, array), "a list takes twice as long to another process"
    assert (len(vector), missing) == (32, None)


def test_ray_is_started_only_for_parts_and_where_a_cluster_listens(eis: LocalEIS) -> None:
    with EmbeddingService(es_url=eis.url) as service:
        assert list(embed_on_ray(iter([]), service, "127.0.0.1:9", None)) == [], "a job that is complete needs no cluster"
    for address in (None, "auto", "local", eis.url.removeprefix("http://")):
        check_listening(address)
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999", "a..b:80"):
        with pytest.raises(ConfigurationError, match=f"No Ray cluster can be reached at {address}: .*`ray start --head`"):
            check_listening(address)


def test_a_service_that_is_down_from_the_start(run: Callable[..., Summary], eis: LocalEIS) -> None:
    eis.faults.always("unavailable")
    with pytest.raises(ServiceUnavailableError):
        run(_texts(25))


def test_the_stand_in_is_another_model_than_the_real_one(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    run(_texts(5))
    with restricted(eis) as url, pytest.raises(ConfigurationError, match="stand_in="):  # it does not name the stand-in
        run(_texts(5), es_url=url)


def _start(eis: LocalEIS, folder: Path, *options: str) -> subprocess.Popen[str]:
    arguments = [
        "embed",
        str(folder / "in.jsonl"),
        "--id-column",
        "id",
        "--dimensions",
        "32",
        "--part-rows",
        "10",
        "--url",
        eis.url,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", RUN_MAIN, *arguments, "--out", str(folder / "out"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _complete_rows(folder: Path) -> set[str]:
    parts = list(folder.glob("part-*.parquet"))
    return {text for path in parts for text in pq.read_table(path)["text"].to_pylist()}


def test_killed_ten_times_it_ends_as_if_it_was_not(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    texts = _texts(600)
    run(texts, out="uninterrupted")
    (tmp_path / "out").mkdir()
    moments, interrupted = random.Random(SEED), 0
    eis.clear()
    for kill in range(10):
        complete = _complete_rows(tmp_path / "out")
        eis.faults.latency = 0.25
        with _start(eis, tmp_path) as process:
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end:
                if len(list((tmp_path / "out").iterdir())) > len(complete) // 10 if kill % 2 else eis.most_in_flight:
                    break
                time.sleep(0.005)
            time.sleep(moments.random() * 0.2)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        sent = set(_sent(eis))
        while eis.most_in_flight:  # requests of the process that was killed are recorded at their end
            time.sleep(0.01)
            sent.update(_sent(eis))
            eis.clear()
        assert not complete & sent, "texts of complete parts are not sent"
        assert complete <= _complete_rows(tmp_path / "out")
        interrupted += len(_complete_rows(tmp_path / "out")) < len(texts)
    assert interrupted, "no kill came before the end"
    eis.faults.latency = 0.0
    run(texts)
    assert pq.read_table(tmp_path / "out").equals(pq.read_table(tmp_path / "uninterrupted"))
    assert len(list((tmp_path / "out").iterdir())) == 60


def test_a_full_disk_ends_the_job_which_can_be_resumed(
    run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource")
    texts = [*[None] * 10, *(random.Random(n).randbytes(1_000).hex() for n in range(20))]  # the first part is small
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    out = tmp_path / "out"
    path = str(_write_rows(tmp_path / "in.jsonl", texts))
    arguments = ["embed", path, "--id-column", "id", "--out", str(out), "--url", eis.url]
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        assert main([*arguments, "--dimensions", "32", "--part-rows", "10"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    failed = out / "part-00001.parquet"
    assert capsys.readouterr().err.splitlines()[-1] == f"jina-eis: {failed}: File too large. More room is needed there."
    assert [path.name for path in out.iterdir()] == ["part-00000.parquet"]
    assert run(texts) == Summary(rows=30, resumed=10, failed=10, parts=3)


def test_a_second_job_on_one_folder_is_refused(run: Callable[..., Summary], eis: LocalEIS, tmp_path: Path) -> None:
    _write_rows(tmp_path / "in.jsonl", _texts(100))
    eis.faults.latency = 5.0
    with _start(eis, tmp_path) as first:
        end = time.monotonic() + 60
        while not (tmp_path / "out").exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        with _start(eis, tmp_path) as second:
            _, error = second.communicate(timeout=60)
        first.kill()
        first.communicate()
    assert second.returncode == 1
    assert error.splitlines()[-1].startswith("jina-eis: Another job is writing into")


@pytest.fixture
def index_name(eis: LocalEIS) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex}"
    yield name
    with Elasticsearch(eis.url) as client:
        client.options(ignore_status=404).indices.delete(index=name)


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
def test_an_index_stays_as_it_is_when_it_is_written_again(
    eis: LocalEIS, tmp_path: Path, index_name: str, field_type: Any
) -> None:
    rows = [{"text": f"glacier {n % 8}", "n": n % 8} for n in range(10)]  # two are there twice
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with (
        IndexSettings(es_url=eis.url, index_name=index_name, field_type=field_type) as settings,
        Elasticsearch(eis.url) as client,
    ):
        states = []
        for _ in range(2):
            assert IndexJob(Source([path]), settings).run().rows == 8
            hits = client.search(index=index_name, size=100, query={"match_all": {}})["hits"]["hits"]
            states.append(sorted((hit["_id"], json.dumps(hit["_source"]["metadata"])) for hit in hits))
        assert states[0] == states[1]
        assert {id_ for id_, _ in states[0]} == {content_id(row["text"], {"n": row["n"]}) for row in rows}
    with JinaEISRetriever(
        es_url=eis.url, index_name=index_name, search_type="knn" if field_type == "dense_vector" else "semantic"
    ) as retriever:
        found = retriever.invoke("glacier 3")[0]
        assert set(retriever.add_documents([Document(page_content="glacier 3", metadata={"n": 3})], ids="content")) < {
            id_ for id_, _ in states[0]
        }
    assert found.metadata["n"] == int(found.page_content.removeprefix("glacier "))


def test_index_with_an_id_column(eis: LocalEIS, tmp_path: Path, index_name: str) -> None:
    (tmp_path / "a.csv").write_text("key,text\na,one\nb,two\n", encoding="utf-8")
    with IndexSettings(es_url=eis.url, index_name=index_name) as settings, Elasticsearch(eis.url) as client:
        IndexJob(Source([tmp_path / "a.csv"], id_column="key"), settings).run()
        assert client.get(index=index_name, id="a")["_source"]["metadata"] == {}


@pytest.mark.parametrize(
    ("row", "message"), [({"text": None}, "a.jsonl, line 2: The text is missing"), ({"text": 1}, "not a text")]
)
def test_index_refuses_rows_without_a_text(eis: LocalEIS, tmp_path: Path, index_name: str, row: Any, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "one"}) + "\n" + json.dumps(row), encoding="utf-8")
    with IndexSettings(es_url=eis.url, index_name=index_name) as settings, pytest.raises(InputError, match=message):
        IndexJob(Source([tmp_path / "a.jsonl"]), settings).run()
    assert not eis.requests
