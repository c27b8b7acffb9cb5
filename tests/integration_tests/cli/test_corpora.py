"""`jina-eis embed` and `jina-eis index` as a user runs them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from jina_eis.batch import Progress
from jina_eis.cli.corpora import ROLES, _Printer
from jina_eis.cli.main import main
from jina_eis.local import LocalEIS
from jina_eis.wire import InputType
from langchain_jina_eis import JinaEISEmbeddings

INPUT = '{"id": "a", "text": "A glacier flows."}\n{"id": "b", "text": null}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(INPUT, encoding="utf-8")
    return path


def test_one_text(eis: LocalEIS, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["embed", "--text", "A glacier flows.", "--input-type", "search", "--dimensions", "64", "--url", eis.url]
    assert main(arguments) == 0
    vector = json.loads(capsys.readouterr().out)
    expected = JinaEISEmbeddings(es_url=eis.url, dimensions=64).embed_query("A glacier flows.")
    assert vector == pytest.approx(expected)


def test_one_text_that_the_service_refuses(eis: LocalEIS, capsys: pytest.CaptureFixture[str]) -> None:
    eis.faults.always("eis_422")
    assert main(["embed", "--text", "bad", "--url", eis.url]) == 1
    assert capsys.readouterr().err.startswith("jina-eis: HTTP 422")


def test_files(eis: LocalEIS, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "new" / "out"
    arguments = [
        "embed",
        str(path),
        "--out",
        str(out),
        "--id-column",
        "id",
        "--dimensions",
        "32",
        "--rpm",
        "100000",
        "--url",
        eis.url,
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out == f"2 rows in {out}, 1 failed, with the reason in the column error\n"
    assert printed.err.splitlines()[-1].startswith("2 of 2 rows")
    assert pq.read_table(out)["id"].to_pylist() == ["a", "b"]
    assert main(arguments) == 0
    assert "2 of them from an earlier run" in capsys.readouterr().out
    assert main([*arguments, "--model", ".jina-embeddings-v3"]) == 1
    assert "model='jina-embeddings-v5-text-small' instead of 'jina-embeddings-v3'" in capsys.readouterr().err


def test_a_dry_run_sends_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", str(path), "--dry-run", "--rpm", "1", "--url", "http://127.0.0.1:9"]) == 0
    assert capsys.readouterr().out.startswith("2 rows, 1 texts, about ")
    assert not (path.parent / "out").exists()


def test_limit(eis: LocalEIS, path: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    arguments = ["embed", str(path), "--out", str(tmp_path / "out"), "--url", eis.url]
    assert main([*arguments, "--limit", "1"]) == 0
    assert main(arguments) == 1, "more rows are another input"


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed"],
        ["embed", "in.jsonl"],
        ["embed", "in.jsonl", "--text", "a", "--out", "out"],
        ["embed", "--text", "a", "--out", "out"],
        ["embed", "--text", "a", "--dry-run"],
        ["embed", "in.jsonl", "--out", "out", "--address", "auto"],
        ["embed", "in.jsonl", "--out", "out", "--part-rows", "0"],
        ["embed", "in.jsonl", "--out", "out", "--input-type", "query"],
        ["index", "in.jsonl"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "missing.jsonl", "--out", "out"], "missing.jsonl: No such file or directory"),
        (["embed", "{path}", "--out", "out", "--column", "body"], "Choose one with --column"),
        (["embed", "{path}", "--out", "out", "--dimensions", "33"], "--dimensions 33"),
        (["embed", "{path}", "--out", "{path}"], "in.jsonl"),
        (["index", "{path}", "new"], "The text is missing"),
    ],
)
def test_errors_in_one_line(
    arguments: list[str], message: str, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(path.parent)
    assert main([argument.format(path=path) for argument in arguments] + ["--url", "http://127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_without_the_extra(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    arguments = ["embed", str(path), "--out", "out", "--url", "http://127.0.0.1:9"]
    assert main(arguments) == 1
    assert 'pip install "jina-eis[batch]"' in capsys.readouterr().err


def test_messages_of_index_name_options(eis: LocalEIS, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.csv").write_text("key;text\n1;one\n1;two\n", encoding="utf-8")
    index = ["index", str(tmp_path / "one.csv"), "corpora-words", "--url", eis.url, "--separator", ";", "--id-column", "key"]
    assert main([*index, "--field-type", "dense_vector", "--dimensions", "32"]) == 0
    assert capsys.readouterr().out.startswith("1 document in the index corpora-words, of 2 rows: rows with an equal id")
    for more, message in (
        (["--dimensions", "64"], "Pass --dimensions=32, or another index."),
        (["--field-type", "semantic_text"], "Choose another index, or delete the index."),
    ):
        assert main([*index, *more]) == 1
        assert message in capsys.readouterr().err
    with Elasticsearch(eis.url) as client:
        client.indices.delete(index="corpora-words")


def test_index(eis: LocalEIS, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_text("text,n\none,1\ntwo,2\none,1\n", encoding="utf-8")
    for _ in range(2):
        assert main(["index", str(tmp_path / "in.csv"), "corpora-test", "--field-type", "dense_vector", "--url", eis.url]) == 0
        of_rows = "of 3 rows: rows with an equal id, or equal rows, are one document"
        assert capsys.readouterr().out == f"2 documents in the index corpora-test, {of_rows}\n"
    with Elasticsearch(eis.url) as client:
        assert client.count(index="corpora-test")["count"] == 2
        client.indices.delete(index="corpora-test")


def test_a_tab_as_a_shell_passes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_text("n\ttext\n1\tone\n", encoding="utf-8")
    assert main(["embed", str(tmp_path / "in.csv"), "--dry-run", "--separator", "\\t"]) == 0
    assert "1 rows, 1 texts" in capsys.readouterr().out


@pytest.mark.parametrize(("done", "end"), [(3, "left\x1b[K\n"), (9, "rows, 1.0/s\x1b[K\n")], ids=["an error", "the end"])
def test_an_error_does_not_stand_in_the_line_of_the_progress(done: int, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with _Printer() as report:
        report(Progress(done, 9, 0, 1.0, 0.0))
    assert screen.getvalue().endswith(end)


def test_the_roles_are_those_of_the_service() -> None:
    assert InputType.__args__ == ROLES  # type: ignore[attr-defined]
