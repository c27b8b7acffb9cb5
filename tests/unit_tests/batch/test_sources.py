"""Rows of files, with each problem reported by its place before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.adapters import content_id
from jina_eis.batch import Source
from jina_eis.errors import InputError


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def _rows(path: Path, **options: Any) -> list[tuple[Any, ...]]:
    return [(row.id, row.text, row.problem) for row in Source([path], **options).rows()]


def test_json_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '\ufeff{"text": "one", "n": 1}\n\n{"n": 2}\n{"text": 3}\n{"text": "\\ud800"}')
    rows = list(Source([path]).rows())
    assert [row.text for row in rows] == ["one", None, "3", "\ufffd"]
    assert [row.problem for row in rows] == [
        None,
        "The text is missing.",
        "The value is not a text but of type int.",
        None,
    ]
    assert rows[0].rest == {"n": 1}
    assert rows[0].key == content_id("one", {})


def test_csv(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", 'id,text\r\n1,"two\nlines, one cell"\r\nb,' + "x" * 200_000 + "\r\n")
    assert _rows(path, id_column="id") == [("1", "two\nlines, one cell", None), ("b", "x" * 200_000, None)]
    assert _rows(_file(tmp_path, "a.tsv", "text\tn\none\t1\n")) == [(None, "one", None)]
    assert _rows(_file(tmp_path, "empty.csv", "")) == []


def test_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"id": [1, 2], "text": ["one", None]}), tmp_path / "a.parquet")
    assert _rows(tmp_path / "a.parquet", id_column="id") == [("1", "one", None), ("2", None, "The text is missing.")]


def test_a_column_that_the_first_rows_lack(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '{"n": 1}\n{"text": "one"}\n')
    assert _rows(path) == [(None, None, "The text is missing."), (None, "one", None)]
    with pytest.raises(InputError, match="no column 'text'"):
        _rows(path, limit=1)


def test_separators(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", '\ufeffid;text\r\n1;"a, b; c"\r\n')
    assert _rows(path, id_column="id", separator=";") == [("1", "a, b; c", None)]
    for separator in ("", ";;", '"', "\n"):
        with pytest.raises(InputError, match="is not one character"):
            Source([path], separator=separator)


def test_places(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '{"text": "one"}\n\n{"text": null}\n')
    assert [row.place for row in Source([path]).rows()] == [f"{path}, line 1", f"{path}, line 3"]
    text = _file(tmp_path, "a.txt", "one\n\ntwo\n")
    assert [row.place for row in Source([text]).rows()] == [str(text)]
    assert [row.place for row in Source([text], lines=True).rows()] == [f"{text}, line 1", f"{text}, line 3"]


def test_text_files(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "one\n\ntwo")
    assert _rows(path) == [(None, "one\n\ntwo", None)]
    assert _rows(path, lines=True) == [(None, "one", None), (None, "two", None)]
    assert _rows(path, lines=True, limit=1) == [(None, "one", None)]


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text"', {}, "a.jsonl, line 2 is not JSON"),
        ("a.jsonl", "[1]", {}, "line 1 is not a JSON object"),
        ("a.jsonl", '{"body": "a"}', {}, "a.jsonl has no column 'text'. Its columns: 'body'. Choose one with --column"),
        ("a.jsonl", '{"a": 1}\n' * 100 + '{"text": "a"}\n', {}, "a.jsonl has no column 'text'. Its columns: 'a'."),
        ("a.json", "[]", {}, r"Write one object a line: jq -c '.\[\]' FILE.json > FILE.jsonl\.$"),
        ("a.csv", "id;text\n1;one\n", {}, "Its columns: 'id;text'. If ';' separates the cells, pass it as --separator"),
        ("a.csv", "id\ttext\n1\tone\n", {}, r"If '\\t' separates the cells"),
        ("a.csv", "id, text\n1, one\n", {}, "Its columns: 'id', ' text'. Choose one with --column"),
        ("a.csv", "text,text\none,two\n", {}, "several columns 'text'"),
        ("a.csv", 'text\n"a" b\n', {}, "line 2: .* quotes inside it are doubled"),
        ("a.jsonl", '{"text": "a"}', {"id_column": "id"}, "no column 'id'"),
        ("a.jsonl", '{"text": "a", "id": null}', {"id_column": "id"}, "the id in column 'id' is None"),
        ("a.jsonl", '{"text": "a", "id": ""}', {"id_column": "id"}, "the id in column 'id' is ''"),
        ("a.jsonl", '{"text": "a", "id": true}', {"id_column": "id"}, "the id in column 'id' is True"),
        ("a.jsonl", b'{"text": "\xff"}', {}, "is not UTF-8 text"),
        ("a.csv", "text,n\none\n", {}, "line 2: the row has fewer cells"),
        ("a.csv", "text\none,two\n", {}, "line 2: the row has more cells"),
        ("a.csv", 'text\n"one', {}, "a.csv, line"),
        ("a.csv", b"text\n\xff\n", {}, "is not UTF-8 text"),
        ("a.txt", b"\xff", {}, "is not UTF-8 text"),
        ("a.txt", "one", {"id_column": "id"}, "has no columns"),
        ("a.docx", "", {}, "files of this type are not read"),
    ],
)
def test_problems(tmp_path: Path, name: str, content: str | bytes, options: dict[str, Any], message: str) -> None:
    path = _file(tmp_path, name, content)
    with pytest.raises(InputError, match=message):
        Source([path], **options).scan()


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=r"cannot be read as Parquet: [^.].*[^.]\.$"):
        Source([_file(tmp_path, "a.parquet", "text")]).scan()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(InputError, match="is not a file"):
        Source([tmp_path / "a.jsonl"])


@given(st.lists(st.text(max_size=5), max_size=5), st.lists(st.text(max_size=5), max_size=5))
def test_the_digest_depends_on_the_rows_alone(
    tmp_path_factory: pytest.TempPathFactory, first: list[str], second: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("digest")

    def scan(name: str, *files: list[str]) -> Any:
        paths = [
            _file(folder, f"{name}{number}.jsonl", "\n".join(json.dumps({"text": text}) for text in texts))
            for number, texts in enumerate(files)
        ]
        return Source(paths).scan(count_tokens=True)

    one = scan("a", first + second)
    assert one == scan("b", first, second)
    assert one.rows == one.texts == len(first) + len(second)
    assert (one.digest == scan("c", first).digest) == (not second)
