"""`EmbedBatch` and `RerankBatch` over HTTP, with every kind of batch."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from helpers import posts

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

from jina_eis.batch import EmbedBatch, RerankBatch  # noqa: E402
from jina_eis.batch.columns import column_names, read_column  # noqa: E402
from jina_eis.batch.service import EmbeddingService  # noqa: E402
from jina_eis.errors import (  # noqa: E402
    AuthenticationError,
    ConfigurationError,
    EndpointNotFoundError,
    InputError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from jina_eis.local import LocalEIS  # noqa: E402
from langchain_jina_eis import JinaEISEmbeddings  # noqa: E402

MAKERS: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "dict": dict,
    "pandas": pd.DataFrame,
    "table": pa.table,
    "record batch": pa.RecordBatch.from_pydict,
    "polars": pl.DataFrame,
}
make_any = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@make_any
def test_vectors_are_those_of_the_adapters(make: Any, eis: LocalEIS) -> None:
    texts = ["glacier ice", "bread", "glacier ice"]
    expected = JinaEISEmbeddings(es_url=eis.url, dimensions=32).embed_documents(texts)
    mapped = EmbedBatch(es_url=eis.url, dimensions=32, column="body", into="v")(make({"body": texts, "n": [1, 2, 3]}))
    assert column_names(mapped) == ["body", "n", "v"]
    for vector, wanted in zip(read_column(mapped, "v"), expected, strict=True):
        assert list(vector) == pytest.approx(wanted, abs=1e-6)


@make_any
def test_a_row_that_fails_keeps_its_place_and_has_its_reason(make: Any, eis: LocalEIS) -> None:
    eis.faults.poison("bad", "eis_422")
    mapped = EmbedBatch(es_url=eis.url, on_error="null")(make({"text": ["a", "bad", None, "b"]}))
    vectors, reasons = read_column(mapped, "vector"), read_column(mapped, "vector_error")
    assert [vector is None for vector in vectors] == [False, True, True, False]
    assert "the input is not valid" in reasons[1]
    assert reasons[2] == "The text is missing."
    assert reasons[0] is reasons[3] is None


@make_any
@pytest.mark.parametrize("texts", [[], ["bad", "bad 2"]], ids=["empty", "all fail"])
def test_the_columns_have_their_types_whatever_the_rows_are(make: Any, texts: list[str], eis: LocalEIS) -> None:
    for text in texts:
        eis.faults.poison(text, "eis_422")
    batch = make(
        {"text": pa.array(texts, pa.string())} if make is not pl.DataFrame else {"text": pl.Series(texts, dtype=pl.String)}
    )
    mapped = EmbedBatch(es_url=eis.url, on_error="null", dimensions=64)(batch)
    assert read_column(mapped, "vector") == [None] * len(texts)
    if make is pa.table:
        assert mapped.schema.field("vector").type == pa.list_(pa.float32(), 64)
        assert mapped.schema.field("vector_error").type == pa.string()
    if not texts:
        assert not posts(eis)


@pytest.mark.parametrize("kind", ["unavailable", "eis_5xx", "garbage"])
def test_an_outage_keeps_the_rows_of_a_batch(kind: Any, eis: LocalEIS) -> None:
    eis.faults.always(kind)
    mapped = EmbedBatch(es_url=eis.url, on_error="null", max_retries=1)({"text": ["a", "b", "c"]})
    assert mapped["vector"].null_count == 3
    assert all(mapped["vector_error"].to_pylist())


def test_a_text_that_is_too_long_is_a_row_that_fails(eis: LocalEIS) -> None:
    texts = ["salt", "word " * 20_000, "owls"]
    mapped = EmbedBatch(es_url=eis.url, on_error="null", too_long="error", model=".jina-embeddings-v3")({"text": texts})
    assert [vector is None for vector in mapped["vector"].to_pylist()] == [False, True, False]
    reasons = mapped["vector_error"].to_pylist()
    assert (reasons[0], reasons[2]) == (None, None)
    assert "Input 1 is longer than the 8,192 tokens" in reasons[1]


def test_the_endpoint_is_described_once_a_batch(eis: LocalEIS, monkeypatch: pytest.MonkeyPatch) -> None:
    described = []
    describe = EmbeddingService.describe
    monkeypatch.setattr(EmbeddingService, "describe", lambda self: described.append(self) or describe(self))
    embed = EmbedBatch(es_url=eis.url, on_error="null", too_long="error")
    embed({"text": ["salt"] * 20})
    assert len(described) == 1


def test_a_text_that_breaks_the_service_costs_only_its_row(eis: LocalEIS) -> None:
    eis.faults.poison("bad", "eis_5xx")
    texts = [f"text {n}" for n in range(40)]
    texts[20] = "bad"
    mapped = EmbedBatch(es_url=eis.url, on_error="null", max_retries=1)({"text": texts})
    assert [n for n, reason in enumerate(mapped["vector_error"].to_pylist()) if reason] == [20]


def test_errors_are_raised_by_default(eis: LocalEIS) -> None:
    eis.faults.poison("bad", "eis_422")
    with pytest.raises(RequestRejectedError, match=r"Input 1 failed"):
        EmbedBatch(es_url=eis.url)({"text": ["a", "bad"]})
    eis.clear()
    with pytest.raises(InputError, match="Row 1 of the batch, column 'text': The text is missing"):
        EmbedBatch(es_url=eis.url)({"text": ["a", None]})
    with pytest.raises(InputError, match="has a column 'vector' already"):
        EmbedBatch(es_url=eis.url)({"text": ["a"], "vector": [1]})
    assert not posts(eis), "these are found before anything is sent"


def test_what_is_wrong_for_every_row_is_raised_in_either_case(eis: LocalEIS) -> None:
    with pytest.raises(EndpointNotFoundError):
        EmbedBatch(es_url=eis.url, on_error="null", inference_id="nope")({"text": ["a"]})
    with LocalEIS(api_key="right", model="hash") as guarded, pytest.raises(AuthenticationError):
        EmbedBatch(es_url=guarded.url, es_api_key="wrong", on_error="null")({"text": ["a"]})


def test_iterators_are_read_one_batch_at_a_time(eis: LocalEIS) -> None:
    read: list[int] = []

    def batches() -> Any:
        for number in range(3):
            read.append(number)
            yield pa.table({"text": [f"text {number}"]})

    mapped = EmbedBatch(es_url=eis.url, engine="spark")(batches())
    assert not read
    assert next(mapped).schema.field("vector").type == pa.list_(pa.float32())
    assert read == [0]
    assert len(list(mapped)) == 2


def test_copies_in_one_process_share_their_connections_and_secrets_are_hidden(eis: LocalEIS) -> None:
    embed = EmbedBatch(es_url=eis.url, es_api_key="secret-key", timeout=7)
    first, second = (pickle.loads(pickle.dumps(embed)) for _ in range(2))
    first({"text": ["a"]})
    second({"text": ["b"]})
    assert first._service._driver() is second._service._driver() is embed._service._driver()
    assert EmbedBatch(es_url=eis.url, timeout=8)._service._driver() is not embed._service._driver()
    assert "secret-key" not in repr(embed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_error": "skip"}, "on_error='skip': pass 'raise' or 'null'"),
        ({"engine": "flink"}, "engine='flink'"),
        ({"into": ""}, "into='': pass the name of a column"),
        ({"input_type": "query"}, "input_type='query': pass 'ingest', 'search', 'classification', 'clustering'"),
        ({"document_input_type": "search"}, "EmbedBatch has no argument document_input_type. Did you mean input_type?"),
        ({"colum": "body"}, "EmbedBatch has no argument colum. Did you mean column?"),
        ({"output_column": "v"}, "Did you mean into?"),
        ({"nonsense": 1}, "EmbedBatch has no argument nonsense. Its arguments: .*column.*inference_id.*into"),
        ({"dimensions": 33}, "dimensions=33"),
        ({"inference_id": ".jina-reranker-v3"}, "is a reranker"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        EmbedBatch(es_url="http://localhost:9200", **arguments)


@pytest.mark.parametrize("column", ["glacier", b"glacier", None, 5, {"a": 1}, {"a"}, (text for text in "ab")], ids=type)
def test_a_row_in_place_of_a_batch_is_refused(column: Any, eis: LocalEIS) -> None:
    with pytest.raises(InputError, match=r"'text' is of type \w+, not a list or an array.*use map_batches"):
        EmbedBatch(es_url=eis.url, on_error="null")({"text": column, "id": 1})
    assert not eis.requests


def test_columns_of_pandas_without_names(eis: LocalEIS) -> None:
    frame = pd.DataFrame([["glacier", None]])
    mapped = EmbedBatch(es_url=eis.url, column="1", on_error="null", into="v")(frame)
    assert read_column(mapped, "v_error") == ["The text is missing."]


@make_any
def test_rankings(make: Any, eis: LocalEIS) -> None:
    rows = {"query": ["glacier ice", "bread"], "documents": [["bread rises", "glacier ice flows"], ["bread rises"]]}
    mapped = RerankBatch(es_url=eis.url, on_error="null")(make(rows))
    assert column_names(mapped) == ["query", "documents", "ranking", "ranking_score", "ranking_error"]
    assert [list(ranking) for ranking in read_column(mapped, "ranking")] == [[1, 0], [0]]
    scores = [list(scores) for scores in read_column(mapped, "ranking_score")]
    assert scores[0] == sorted(scores[0], reverse=True)
    assert list(read_column(mapped, "ranking_error")) == [None, None]


def test_a_ranking_that_fails_keeps_its_row(eis: LocalEIS) -> None:
    eis.faults.poison("bad", "eis_422")
    rows = {"query": ["a", "b", None, "c"], "documents": [["x"], ["bad"], ["x"], []]}
    mapped = RerankBatch(es_url=eis.url, on_error="null")(rows)
    assert mapped["ranking"].to_pylist() == [[0], None, None, []]
    reasons = mapped["ranking_error"].to_pylist()
    assert "the input is not valid" in reasons[1]
    assert reasons[2] == "The query is missing, empty or not a text."
    with pytest.raises(RequestRejectedError):
        RerankBatch(es_url=eis.url)({"query": ["b"], "documents": [["bad"]]})
    eis.faults.clear()
    eis.faults.always("unavailable")
    with pytest.raises(ServiceUnavailableError):
        RerankBatch(es_url=eis.url, max_retries=1)({"query": ["b"], "documents": [["x"]]})


@pytest.mark.parametrize(
    "documents", [{"a": 1, "b": 2}, {"a", "b"}, (text for text in "ab"), "ab", b"ab", None, 5, [b"a"], [None]], ids=type
)
def test_documents_without_an_order_are_refused(documents: Any, eis: LocalEIS) -> None:
    mapped = RerankBatch(es_url=eis.url, on_error="null")({"query": ["a"], "documents": [documents]})
    assert mapped["ranking"].to_pylist() == [None]
    with pytest.raises(InputError, match="has 2 rows, and the column 'documents' has 1"):
        RerankBatch(es_url=eis.url)({"query": ["a", "b"], "documents": [["x"]]})
    assert not posts(eis)


def test_invalid_arguments_of_rankings() -> None:
    with pytest.raises(ConfigurationError, match=r"RerankBatch has no argument document\. Did you mean documents"):
        RerankBatch(es_url="http://localhost:9200", document="texts")
    with pytest.raises(ConfigurationError, match="no argument top_n"):
        RerankBatch(es_url="http://localhost:9200", top_n=3)
