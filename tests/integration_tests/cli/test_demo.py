"""What `jina-eis demo` reads, shows and warns about."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import pdf

from jina_eis.cli.demo import run
from jina_eis.cli.documents import LIMIT, read, read_docs, split
from jina_eis.cli.excerpts import excerpt
from jina_eis.cli.main import _build_parser, main
from jina_eis.errors import InputError
from jina_eis.local import LocalEIS

TRANSCRIPTS = Path(__file__).parent / "transcripts"
PUMP = (
    "A heat pump moves heat from outside air into a building. Even at minus fifteen degrees there is heat to be had, and the pump "
    "needs less current than a heater would. Clean its filters every three months, or it will use a third more.\n"
)


@pytest.fixture(scope="module")
def eis() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash") as eis:
        yield eis


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What people have in a folder of notes."""
    folder = tmp_path / "mixed"
    (folder / "node_modules" / "pad").mkdir(parents=True)
    (folder / ".git").mkdir()
    files: dict[str, bytes] = {
        "notes.md": b"Salt lowers the freezing point of water.\n",
        "table.csv": b"road,salt\nA1,12\n",
        "script.py": b"print('at dusk')",
        "Makefile": b"all:",
        "page.html": b"<html><head><title>Roads</title><style>p {color: red}</style></head><body><p>Roads are <b>sal</b>ted."
        b"<script>if (1 < 2) salt()</script><p>At dusk &amp; dawn.</body></html>",
        "polish.htm": '<meta charset="iso-8859-2"><p>Sól na łodzi.'.encode("iso-8859-2"),
        "old.txt": "Salz auf Straßen".encode("latin-1"),
        "wide.txt": "Salt in UTF-16".encode("utf-16"),
        "russian.txt": "Соль на дорогах".encode("cp1251"),
        "empty.md": b"",
        "image.txt": b"\x89PNG\r\n\x1a\n\0\0",
        "manual.pdf": pdf(2, ["Salt melts ice.", "Owls fly quietly."], side=300),
        "scan.pdf": pdf(1),
        "broken.pdf": b"%PDF-1.7\nno objects here",
        "node_modules/pad/README.md": b"Pads a string.",
        ".git/notes.md": b"Hidden.",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if sys.platform != "win32":
        (folder / "circle").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return folder


class TestDocuments:
    def test_a_folder_of_many_kinds(self, mixed: Path) -> None:
        documents = read([mixed])
        assert documents.passages == {
            "Salt melts ice.": "manual.pdf p. 1",
            "Owls fly quietly.": "manual.pdf p. 2",
            "Salt lowers the freezing point of water.": "notes.md",
            "Salz auf Straßen": "old.txt",
            "Roads\nRoads are salted.\nAt dusk & dawn.": "page.html",
            "Sól na łodzi.": "polish.htm",
            "Salt in UTF-16": "wide.txt",
        }
        assert documents.summary() == (
            "7 passages of 6 files; left out: 1 .csv, 1 .py, 1 without ending (not text for reading), 1 damaged PDF (broken.pdf), "
            "1 empty (empty.md), 2 not text, or not UTF-8 (image.txt, russian.txt), 1 PDF without text (scan.pdf); "
            "read as Windows-1252, since not UTF-8: old.txt"
        )

    def test_a_file_that_is_named_is_read_whatever_its_ending(self, mixed: Path) -> None:
        assert read_docs([mixed / "table.csv", mixed / "script.py"]) == {
            "road,salt A1,12": "table.csv",
            "print('at dusk')": "script.py",
        }

    def test_nothing_to_read(self, mixed: Path) -> None:
        with pytest.raises(InputError, match=r"no text in --docs; left out: 1 empty \(empty.md\).*\.html"):
            read([mixed / "empty.md"])
        with pytest.raises(InputError, match=r"no text in --docs. Pass files"):
            (mixed / "nothing").mkdir()
            read([mixed / "nothing"])

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such links and pipes")
    def test_links_to_nothing_and_pipes_are_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text("salt")
        (tmp_path / "gone.md").symlink_to("nowhere.md")
        os.mkfifo(tmp_path / "pipe.md")
        assert read([tmp_path]).summary() == "1 passage of 1 file; left out: 2 not a file (gone.md, pipe.md)"
        with pytest.raises(FileNotFoundError):
            read([tmp_path / "gone.md"])

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may read every file")
    def test_files_without_read_permission_are_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").write_text("salt")
        (tmp_path / "b.md").write_text("secret")
        (tmp_path / "b.md").chmod(0)
        (tmp_path / "listed").mkdir()
        (tmp_path / "listed" / "c.md").write_text("secret")
        (tmp_path / "listed").chmod(0o400)
        summary = read([tmp_path]).summary()
        (tmp_path / "listed").chmod(0o700)
        assert summary == "1 passage of 1 file; left out: 1 not readable (b.md), 1 not a file (listed/c.md)"
        with pytest.raises(PermissionError):
            read([tmp_path / "b.md"])

    @pytest.mark.parametrize(
        "text", ["salt " * 1_000_000, "\n\n".join(["Salt on roads. " * 30] * 10_000)], ids=["line", "paragraphs"]
    )
    def test_a_large_file_is_read_up_to_the_limit(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("".join(f"{n} {text[:400]}\n\n" for n in range(9)))
        (tmp_path / "b.txt").write_text(text)
        (tmp_path / "c.txt").write_text("never read")
        documents = read([tmp_path], 10)
        assert documents.summary() == "the first 10 passages of 2 files (--limit)"
        assert set(documents.passages.values()) == {"a.txt", "b.txt"}

    def test_the_limit_is_that_of_the_command(self) -> None:
        assert _build_parser().parse_args(["demo"]).limit == LIMIT

    def test_split_keeps_all_words_and_limits_the_size(self) -> None:
        text = "\n\n".join(f"Paragraph {n} " + "word " * (n % 7 * 40) for n in range(40))
        passages = split(text, 300)
        assert " ".join(passages).split() == text.split()
        assert max(map(len, passages)) <= 300 + 300 // 4 + 1
        assert split(" \n\n \t") == []


class TestExcerpts:
    def test_it_is_around_the_words_of_the_question(self) -> None:
        text = "Frost is cold. " * 40 + "A pump needs care; clean its filters every three months. " + "Heat is warm. " * 40
        assert (
            excerpt(text, "How often must I clean the filter?", 60)
            == "… clean its filters every three months. Heat is warm. Heat is …"
        )
        assert excerpt(text, "What?", 30) == "Frost is cold. Frost is cold. …"
        assert excerpt("Pumps\n" + PUMP, "How often must I clean the filters?", 70).endswith("it will use a third more.")
        assert excerpt("Title\nShort.", "x", 30) == "Short."

    @given(st.text(st.sampled_from("ab. \n?")), st.text(st.sampled_from("ab. ")), st.integers(1, 40))
    @settings(max_examples=200, deadline=None)
    def test_it_is_a_part_of_the_passage(self, passage: str, question: str, size: int) -> None:
        found = excerpt(passage, question, size)
        assert found.removeprefix("… ").removesuffix(" …") in " ".join(passage.split())
        longest = max(map(len, passage.split()), default=0)
        assert len(found) <= size + longest + len("…  …")


def demo(eis: LocalEIS, *arguments: str) -> None:
    assert main(["demo", "--url", eis.url, *arguments]) == 0


@pytest.mark.parametrize("width", [60, 80, 100])
def test_transcripts(
    width: int, eis: LocalEIS, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole output, with hashes as vectors. The answer is in it, at each width and without colours."""
    monkeypatch.setenv("COLUMNS", str(width))
    (mixed / "pump.md").write_text(PUMP)
    demo(eis, "--docs", "mixed", "--ask", "How often must I clean the filters?", "--ask", "How are roads salted?")
    output = re.sub(r" +$", "", capsys.readouterr().out, flags=re.MULTILINE)
    output = re.sub(r"[0-9.]+ s$", "0.0 s", output, flags=re.MULTILINE)
    path = TRANSCRIPTS / f"demo-{width}.txt"
    if os.environ.get("JINA_EIS_TRANSCRIPTS") == "write":
        path.write_text(output, encoding="utf-8")
    assert output == path.read_text(encoding="utf-8")
    assert max(map(len, output.splitlines())) <= width
    assert "Clean its filters every three months" in " ".join(output.split())
    assert "Green" not in output, "no colours, no legend of colours"


def test_a_picture_of_the_output(eis: LocalEIS, mixed: Path) -> None:
    demo(eis, "--docs", "mixed/notes.md", "--ask", "Salt?", "--svg", "demo.svg")
    picture = Path("demo.svg").read_text(encoding="utf-8")
    assert len(picture) < 300_000
    assert "Green:" in picture and "freezing" in picture
    assert "url(http" not in picture and "font-face" not in picture, "nothing is loaded from elsewhere"


@pytest.mark.parametrize(
    ("passages", "warning"), [(961, "This takes 61 requests of 16 passages. Ctrl-C ends it"), (960, None)], ids=["long", "short"]
)
def test_a_long_job_is_announced(
    passages: int, warning: str | None, eis: LocalEIS, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n\n".join(f"{n} " + "salt " * 90 for n in range(passages))
    (tmp_path / "long.txt").write_text(text)
    eis.faults.always("eis_422")  # what follows the warning is of no interest
    try:
        assert main(["demo", "--url", eis.url, "--docs", str(tmp_path), "--ask", "Salt?"]) == 1
    finally:
        eis.faults.clear()
    output = capsys.readouterr().out
    assert f"{passages} passages of 1 file" in output
    assert (warning in output) if warning else ("Ctrl-C" not in output)


def test_questions_in_code_need_a_terminal(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(InputError, match="--ask"):
        run([mixed], [], None, None)
