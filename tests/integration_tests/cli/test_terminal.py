"""What commands print on terminals of 60, 80 and 100 columns and into pipes, and how Ctrl-C ends them.

`TRANSCRIPTS` has the output of commands word for word. Set JINA_EIS_TRANSCRIPTS=write to write it again, and read the difference.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jina_eis.cli.main import main
from jina_eis.local import LocalEIS
from jina_eis.steps.checkup import Check, Report

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

from terminals import Terminal

TRANSCRIPTS = Path(__file__).parent / "transcripts"
WIDTHS = [60, 80, 100]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PROMPT = 30.0  # seconds; a program that is not ended computes or waits for minutes. Wide: a busy machine may stop for seconds


@pytest.fixture(scope="module")
def deployment() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", denied=[".jina-reranker-v3.5"]) as eis:
        yield eis


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ES_URL", "ES_CLOUD_ID", "ES_API_KEY", "ES_USER", "ES_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def transcript(name: str, output: str) -> None:
    """Compare an output with the one that is stored."""
    path = TRANSCRIPTS / f"{name}.txt"
    if os.environ.get("JINA_EIS_TRANSCRIPTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(output, encoding="utf-8")
    assert output == path.read_text(encoding="utf-8")


REPORT = Report(
    (
        Check("settings", "ok", "https://my-deployment.es.example.com:443, with an API key."),
        Check("clock", "warning", "This machine's clock is 61 s ahead of the server's.", "Set it: a date would be misread."),
        Check("endpoints", "ok", "2 with Jina models.", details=(".jina-reranker-v3  rerank, ga, aws-us-east-1 and gcp-x",)),
        Check("rerank", "failed", "HTTP 403 security_exception: action is unauthorized.", "Give the key monitor_inference."),
        Check("embedding", "skipped", "The check of rerank failed."),
        Check("limits", "skipped", "The check of rerank failed."),
    )
)


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_a_report_has_the_width_of_the_terminal(width: int | None) -> None:
    text = REPORT.format(width)
    transcript(f"report-{width or 'pipe'}", f"{text}\n")
    assert width is None or max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for check in REPORT.checks:
        assert f"{check.found} {check.remedy}".strip() in words  # words are whole


COMMANDS = {
    "endpoints": ["endpoints"],
    "models": ["models"],
    "no-address": ["doctor"],
    "help": [],
    "misspelt": ["dmeo"],
    "unknown-option": ["models", "--jsn"],
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_transcripts(name: str, width: int, deployment: LocalEIS) -> None:
    url = deployment.url if name == "endpoints" else None
    with Terminal(*COMMANDS[name], columns=width, NO_COLOR="1", ES_URL=url) as terminal:
        terminal.end()
    output = "\n".join(terminal.lines)
    transcript(f"{name}-{width}", f"{output}\n")
    assert "\x1b" not in output
    if name != "unknown-option":
        assert max(map(len, terminal.lines)) <= width


@pytest.mark.parametrize("command", ["doctor", "endpoints"])
def test_colours_are_for_terminals_only(command: str, deployment: LocalEIS) -> None:
    with Terminal(command, ES_URL=deployment.url) as terminal:
        assert terminal.end() == 0
    assert ("\x1b[32mok " if command == "doctor" else "\x1b[1m") in terminal.output
    assert max(len(ESCAPE.sub("", line)) for line in terminal.lines) <= 80
    for variable in ("NO_COLOR", "TERM"):
        with Terminal(command, ES_URL=deployment.url, **{variable: {"NO_COLOR": "1", "TERM": "dumb"}[variable]}) as terminal:
            assert terminal.end() == 0
        assert "\x1b" not in terminal.output
    environment = {**os.environ, "ES_URL": deployment.url, "COLUMNS": "60"}
    piped = subprocess.run(
        [sys.executable, "-m", "jina_eis", command], env=environment, capture_output=True, text=True, check=True
    )
    assert "\x1b" not in piped.stdout
    assert max(map(len, piped.stdout.splitlines())) > 80  # a pipe is not wrapped
    assert piped.stderr == ""


def test_versions_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"jina-eis \S+, elasticsearch \S+, Python 3\.\d+\.\d+\n", capsys.readouterr().out)
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: jina-eis ")


@pytest.mark.parametrize(
    ("arguments", "usage", "problem"),
    [
        (["serch", "facts", "x"], "usage: jina-eis ", "invalid choice: 'serch'. Did you mean search?"),
        (["doctor", "--ulr", "x"], "usage: jina-eis doctor ", "unrecognized arguments: --ulr x. Did you mean --url?"),
        (["endpoints", "ensur"], "usage: jina-eis endpoints ", "Did you mean ensure?"),
        (["endpoints", "list", "--jsno"], "usage: jina-eis endpoints list ", "Did you mean --json?"),
        (["serve", "--fault-rate", "0.1"], "usage: jina-eis serve ", "--fault-rate needs --fault"),
        (["doctor", "--header", "x"], "usage: jina-eis doctor ", "Write it like X-Team:search"),
    ],
)
def test_a_wrong_use_names_the_command(
    arguments: list[str], usage: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(usage)
    assert problem in error


def test_messages_have_options_in_place_of_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, problem in (
        (["endpoints"], "Pass --url, or set ES_URL or ES_CLOUD_ID."),
        (
            ["doctor", "--url", "localhost"],
            "--url is not an address: http:// or https:// is missing. Write https://localhost, or",
        ),
        (["endpoints", "--url", "x:ZXMuaW8kYWJjJGRlZg=="], "--url is a cloud id. Set ES_CLOUD_ID to it."),
        (["endpoints", "--url", "http://127.0.0.1:9", "--api-key", "a b"], "--api-key holds a space"),
        (["endpoints", "ensure", "x", "--model", "bert", "--url", "http://h:1"], "--model 'bert' is not a known model."),
        (["endpoints", "ensure", "x", "--model", "bert", "--url", "http://h:1"], "For a new model, pass --task"),
        (["endpoints", "--url", "http://h:1", "--ca-certs", "nowhere"], "--ca-certs='nowhere' does not exist"),
        (["search", "x", "q", "--url", "http://h:1", "--rerank", ".jina-clip-v2"], "--rerank='.jina-clip-v2' is an endpoint for"),
    ):
        assert main(arguments) in (1, 2)
        printed = capsys.readouterr()
        assert problem in " ".join(f"{printed.out}{printed.err}".split())
        assert not re.search(r"\bes_|LocalEIS", printed.out + printed.err)


def test_the_remedy_of_json_is_in_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 1
    settings, *others = json.loads(capsys.readouterr().out)["checks"]
    assert settings["found"] == "No address of Elasticsearch is set."
    assert settings["remedy"].startswith("Pass --url, or set ES_URL")
    assert {check["status"] for check in others} == {"skipped"}


def test_search_rerank_and_models(
    deployment: LocalEIS, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ES_URL", deployment.url)
    files = [tmp_path / "ice.txt", tmp_path / "bread.txt"]
    for file, text in zip(files, ("A glacier is ice\nthat flows.", "Bread rises because yeast makes gas."), strict=True):
        file.write_text(text)
    assert main(["index", *map(str, files), "trying"]) == 0
    capsys.readouterr()
    assert main(["search", "trying", "glacier ice flows", "-k", "1", "--rerank", ".jina-reranker-v3"]) == 0
    rank, score, _, text = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (rank, text) == ("1", "A glacier is ice that flows.")
    assert -1 <= float(score) <= 1
    assert main(["search", "trying", "ice", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["search", "trying", " "]) == 1
    assert "The query is empty" in capsys.readouterr().err
    assert main(["search", "nowhere", "ice"]) == 1
    assert "There is no index 'nowhere'" in capsys.readouterr().err

    rerank = ["rerank", "glacier ice flows", "--model", ".jina-reranker-v3"]
    assert main([*rerank, *map(str, files[::-1]), "--top-n", "1"]) == 0
    assert capsys.readouterr().out.split("\t")[2] == str(files[0])
    monkeypatch.setattr("sys.stdin", iter(["Bread rises.\n", "\n", "glacier ice flows\n"]))
    assert main([*rerank, "-", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["document"], second["document"]) == ("line 3", "line 1")
    assert main([*rerank, str(tmp_path / "none.txt")]) == 1
    assert "none.txt: No such file" in capsys.readouterr().err
    assert main(["models", "--json"]) == 0
    assert {model["endpoint"] for model in json.loads(capsys.readouterr().out)} >= {".jina-clip-v2", ".jina-reranker-v3"}


def test_options_of_the_connection_reach_the_deployment(deployment: LocalEIS, capsys: pytest.CaptureFixture[str]) -> None:
    with LocalEIS(model="hash", record=True) as eis:
        assert main(["endpoints", "--url", eis.url, "--header", "X-Team: search", "--header", "X-B:c:d", "--http-compress"]) == 0
        (request,) = eis.requests
    assert (request.headers["x-team"], request.headers["x-b"]) == ("search", "c:d")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_serve_prints_requests_without_texts_and_keys(quiet: bool) -> None:
    arguments = ["serve", "--port", "0", "--model", "hash", "--api-key", "s3cret", *(["--quiet"] if quiet else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", "jina_eis", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    url = re.search(r"http://\S+", process.stdout.readline())
    assert url
    assert main(["embed", "--text", "pr1vate words", "--url", url[0], "--api-key", "s3cret"]) == 0
    assert main(["search", "nowhere", "pr1vate", "--url", url[0], "--api-key", "s3cret"]) == 1
    process.send_signal(2)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    *requests, last = error.splitlines()
    assert last == "jina-eis: interrupted."
    if quiet:
        assert requests == []
        return
    pattern = r"jina-eis: (GET|POST) /\S* \d{3}, \d+ ms"
    assert all(re.fullmatch(pattern, line) for line in requests)
    assert any("POST /_inference/text_embedding/.jina-embeddings-v5-text-small 200" in line for line in requests)
    assert "pr1vate" not in error
    assert "s3cret" not in error


LONG = "\n\n".join(f"Passage {n}: salt lowers the freezing point of water on road number {n}. " * 8 for n in range(2000))
MOMENTS = {
    "embedding": (["--docs", "long.md", "--ask", "salt?"], ["passages of"]),
    "bar": (["--docs", "long.md", "--ask", "salt?"], ["%|"]),
    "index": (["--docs", "long.md", "--ask", "salt?", "--mode", "retriever"], ["passages of"]),
    "question": (["--docs", "short.md"], ["Your question"]),
    "second question": (["--docs", "short.md"], ["Your question", "Your question"]),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_the_demo_within_a_second(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("long.md").write_text(LONG)
    Path("short.md").write_text("Salt melts ice.")
    arguments, (first, *others) = MOMENTS[moment]
    with Terminal("demo", *arguments, PYTHONPATH=os.pathsep.join(filter(None, sys.path))) as terminal:
        terminal.wait_for(first)
        for text in others:
            terminal.type("What melts ice?\n")
            terminal.wait_for(text)
        before = len(terminal.output)
        start = time.monotonic()
        terminal.press_ctrl_c()
        assert terminal.end() == 130
        assert time.monotonic() - start < PROMPT
    (line,) = [part for part in ESCAPE.sub("", terminal.output[before:]).split("\r") if "interrupted" in part]
    assert line.strip().removeprefix("^C").endswith("jina-eis: interrupted.")
    assert "Traceback" not in terminal.output


def test_ctrl_c_ends_a_program_inside_a_library() -> None:
    program = """
import hashlib
from jina_eis.cli.interrupt import ends_promptly
with ends_promptly():
    print("computing", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 300_000_000)  # minutes in one call of C
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "computing\n"
    start = time.monotonic()
    process.send_signal(2)
    _, error = process.communicate(timeout=60)
    assert time.monotonic() - start < PROMPT
    assert (process.returncode, error) == (130, "jina-eis: interrupted.\n")


def test_ctrl_c_ends_a_command_that_waits() -> None:
    with LocalEIS(model="hash") as eis:
        eis.faults.latency = 300
        with Terminal("rerank", "q", __file__, ES_URL=eis.url) as terminal:
            while not eis.most_in_flight:
                time.sleep(0.01)
            start = time.monotonic()
            terminal.press_ctrl_c()
            assert terminal.end() == 130
            assert time.monotonic() - start < PROMPT
    assert [line for line in terminal.lines if "interrupted" in line]
