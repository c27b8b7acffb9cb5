"""The lines about requests and waits: what they say, how many they are, and what they never say."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from helpers import RERANKER, TEXT, Caller, passages, texts
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.tracers.context import collect_runs
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from jina_eis.errors import RateLimitError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever
from llama_index_jina_eis import JinaEISEmbedding
from llama_index_jina_eis import JinaEISRerank as NodeRerank

REQUEST = f"POST /_inference/text_embedding/{TEXT}"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[str, int], list[tuple[int, str]]]:
    """The level and text of the lines of one of our loggers, from a level."""
    caplog.set_level(logging.DEBUG, "jina_eis")

    def written(logger: str, level: int = logging.DEBUG) -> list[tuple[int, str]]:
        found = [record for record in caplog.records if record.name == f"jina_eis.{logger}" and record.levelno >= level]
        return [(record.levelno, record.getMessage()) for record in found]

    return written


def without_time(line: str) -> str:
    return re.sub(r"in \d+ ms", "in N ms", line)


def test_each_request_is_a_line(call: Caller, connect: Callable[..., Any], eis: LocalEIS, lines: Any) -> None:
    eis.faults.queue("rate_limit")
    call(connect(JinaEISEmbeddings), "embed_documents", ["salt", "rye"])
    (refused, answered) = [without_time(line) for _, line in lines("requests")]
    assert re.fullmatch(
        rf"{REQUEST}: 429 RateLimitError in N ms \(endpoint {TEXT}, 2 inputs, 46 bytes out, \d+ bytes in, attempt 1\)", refused
    )
    assert re.fullmatch(rf"{REQUEST}: 200 in N ms \(endpoint {TEXT}, 2 inputs, 46 bytes out, \d+ bytes in, attempt 2\)", answered)


def test_a_lost_connection_is_a_line_without_a_status(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, lines: Any
) -> None:
    eis.faults.queue("drop")
    call(connect(JinaEISEmbeddings), "embed_query", "salt")
    assert f"{REQUEST}: ConnectionFailedError in N ms" in without_time(lines("requests")[0][1])
    assert lines("pace")[0][1].startswith(f"connection failed from {TEXT}: pausing ")


@pytest.mark.parametrize(("seconds", "level"), [(3, logging.INFO), (30, logging.WARNING)])
def test_a_pause_is_logged_with_its_cause_length_and_attempt_also_if_it_is_skipped(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, lines: Any, seconds: int, level: int
) -> None:
    for _ in range(2):
        eis.faults.queue("rate_limit", retry_after=seconds)
    call(connect(JinaEISEmbeddings), "embed_query", "salt")
    for retry, (written, line) in enumerate(lines("pace"), 1):
        assert written == level
        found = re.fullmatch(rf"429 from {re.escape(TEXT)}: pausing ([\d.]+) s \(retry {retry} of 6\)", line)
        assert found and seconds <= float(found[1]) <= seconds + 2
    assert len(lines("pace")) == 2


def test_the_retries_of_an_ingest_have_no_number_but_a_time(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, index_name: str, lines: Any
) -> None:
    retriever = connect(JinaEISRetriever, index_name=index_name)
    call(retriever, "add_texts", ["salt"])
    eis.faults.queue("unavailable")
    call(retriever, "add_texts", ["rye"])
    ((level, line),) = lines("pace")
    assert level == logging.INFO
    assert re.fullmatch(
        rf"service unavailable \(503\) from Elasticsearch \(bulk {index_name}\): pausing [\d.]+ s \(retry 1\)", line
    )


def test_a_hundred_calls_that_wait_for_one_reason_make_one_line(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jina_eis.transport.pacing._waiting", True)
    eis.faults.latency = 0.5  # all of the first calls are sent before one is refused
    for _ in range(10):
        eis.faults.queue("rate_limit", retry_after=1)
    embeddings = connect(JinaEISEmbeddings, batch_size=1)

    def quick_from_here(record: logging.LogRecord) -> bool:
        eis.faults.latency = 0.0
        return True

    monkeypatch.setattr(logging.getLogger("jina_eis.pace"), "filters", [quick_from_here])
    call(embeddings, "embed_documents", texts(100))
    assert len(lines("pace", logging.INFO)) == 1
    assert embeddings.usage.refusals == 10


def test_a_pace_that_a_limit_holds_is_one_warning(connect: Callable[..., Any], eis: LocalEIS, lines: Any) -> None:
    eis.faults.always("rate_limit")
    eis.faults.latency = 0.3  # several calls are in flight before the first refusal
    embeddings = connect(JinaEISEmbeddings, batch_size=1, max_concurrency=4)
    with pytest.raises(RateLimitError):
        embeddings.embed_documents(texts(50))
    held = [(level, line) for level, line in lines("pace") if "holds the pace" in line]
    assert len(held) == 1
    assert held[0][0] == logging.WARNING
    assert re.fullmatch(rf"The rate limit of {re.escape(TEXT)} holds the pace at 1 request at a time; \d+ wait", held[0][1])


def test_a_batch_that_is_taken_apart_is_one_line(call: Caller, connect: Callable[..., Any], eis: LocalEIS, lines: Any) -> None:
    eis.faults.poison("owls", "eis_422")
    with pytest.raises(Exception, match="Input 3"):
        call(connect(JinaEISEmbeddings), "embed_documents", ["a", "b", "c", "owls", "d", "e", "f", "g"])
    assert [line for _, line in lines("pace") if "sent in parts" in line] == [
        f"RequestRejectedError from {TEXT}: the batch is sent in parts, to find what fails"
    ]


def test_a_rate_limiter_that_holds_a_request_is_a_warning(
    call: Caller, connect: Callable[..., Any], lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jina_eis.transport.logs.LONG_PAUSE", 0.1)
    limiter = InMemoryRateLimiter(requests_per_second=5, check_every_n_seconds=0.01, max_bucket_size=1)
    embeddings = connect(JinaEISEmbeddings, rate_limiter=limiter)
    call(embeddings, "embed_query", "salt")
    assert re.fullmatch(r"The rate limiter held a request for 0\.\d s", lines("pace")[0][1])
    assert embeddings.usage.waits["rate limiter"] == embeddings.usage.seconds_waited > 0.1


def test_nothing_is_printed_unless_logging_is_configured(eis: LocalEIS) -> None:
    code = f"""
import jina_eis
from langchain_jina_eis import JinaEISEmbeddings
with jina_eis.no_waits():
    JinaEISEmbeddings(es_url={eis.url!r}).embed_query("salt")
"""
    eis.faults.queue("rate_limit", retry_after=60)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_the_client_does_not_call_a_node_failed_that_has_answered(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for fault in ("rate_limit", "unavailable", "bad_gateway"):
        eis.faults.queue(fault)
    call(connect(JinaEISEmbeddings), "embed_query", "salt")
    assert not [record for record in caplog.records if "has failed" in record.getMessage()]


def test_a_wait_is_counted_once_for_all_calls_and_a_snapshot_does_not_change(eis: LocalEIS, connect: Callable[..., Any]) -> None:
    embeddings = connect(JinaEISEmbeddings)
    first = embeddings.usage
    embeddings.embed_query("salt")
    assert (first.requests, first.inputs) == (0, 0)
    assert (embeddings.usage.requests, embeddings.usage.inputs) == (1, 1)


def test_each_document_of_a_rerank_counts_once(call: Caller, connect: Callable[..., Any]) -> None:
    reranker = connect(JinaEISRerank, model=".jina-reranker-v3", top_n=None)
    call(reranker, "rerank", passages(100), "glacier ice")
    assert reranker.usage.inputs == 100
    assert reranker.usage.requests == 3


def test_threads_lose_no_count(connect: Callable[..., Any]) -> None:
    embeddings = connect(JinaEISEmbeddings)
    start = threading.Barrier(8)

    def work(_: int) -> None:
        start.wait()
        for number in range(5):
            embeddings.embed_query(f"text {number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert embeddings.usage.requests == embeddings.usage.inputs == 40


def test_the_usage_is_in_the_payloads_of_llama_index(call: Caller, connect: Callable[..., Any], eis: LocalEIS) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    eis.faults.queue("rate_limit")
    call(connect(JinaEISEmbedding, callback_manager=CallbackManager([debug])), "get_text_embedding_batch", texts(20))
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in passages(5)]
    reranker = connect(NodeRerank, inference_id=RERANKER, callback_manager=CallbackManager([debug]))
    call(reranker, "postprocess_nodes", nodes, QueryBundle("ice"))
    ended = {
        kind: [
            event.payload["jina_eis_usage"]
            for event in debug.get_events(kind)
            if event.payload and "jina_eis_usage" in event.payload
        ]
        for kind in (CBEventType.EMBEDDING, CBEventType.RERANKING)
    }
    ((embedded,), (reranked,)) = ended.values()
    assert (embedded["requests"], embedded["inputs"], embedded["retries"]) == (3, 20, 1)
    assert (reranked["requests"], reranked["inputs"], reranked["retries"]) == (1, 5, 0)


def test_the_usage_is_in_the_metadata_of_a_retrievers_run(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, index_name: str
) -> None:
    retriever = connect(JinaEISRetriever, index_name=index_name)
    call(retriever, "add_texts", ["salt"])
    eis.faults.queue("rate_limit")
    with collect_runs() as runs:
        call(retriever, "invoke", "salt", {"metadata": {"own": 1}})
    (run,) = runs.traced_runs
    assert run.metadata["own"] == 1
    used = run.metadata["jina_eis_usage"]
    assert (used["inputs"], used["retries"], used["refusals"]) == (1, 1, 1)
    json.dumps(used)
