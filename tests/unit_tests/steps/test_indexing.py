"""Ingest steps, run by hand: the new index, the requests, and the documents that fail."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from made import pdf, png

from jina_eis.contents.inputs import content
from jina_eis.errors import (
    AuthorizationError,
    ConfigurationError,
    DocumentsFailedError,
    IndexNotFoundError,
    InputError,
    InvalidAnswerError,
    JinaEISError,
    RequestRejectedError,
    ServiceUnavailableError,
    error_from_answer,
)
from jina_eis.local.http.formats import to_cbor
from jina_eis.steps.bulk_writer import BULK_BYTES, BULK_DOCUMENTS
from jina_eis.steps.indexing import BLOCK, Indexer
from jina_eis.steps.ingest_records import SEMANTIC_BYTES, Record
from jina_eis.wire.call import Call, Steps
from jina_eis.wire.formats import read_cbor
from jina_eis.wire.indices import TEMPLATES

TEXT = ".jina-embeddings-v5-text-small"
OMNI = ".jina-embeddings-v5-omni-small"


class Cluster:
    """Responds by hand, and stores the written documents. Failed calls are rescued as a driver does."""

    version = "9.2.0"  # takes vectors as numbers only
    in_cbor = False

    def __init__(self, properties: dict[str, Any] | None = None, meta: dict[str, Any] | None = None) -> None:
        self.mappings = (
            None if properties is None else {"properties": properties, **({"_meta": {"jina_eis": meta}} if meta else {})}
        )
        self.documents: dict[str, Any] = {}
        self.bulks: list[int] = []
        self.refreshed = 0
        self.refresh_denied = False
        self.interval: str | None = None
        self.waited = False
        self.status: Callable[[str], int] = lambda _: 201
        self.settings: Any = {"index": {"mapping": {"exclude_source_vectors": "true"}}}

    def run(self, steps: Steps[Any]) -> Any:
        answers: list[Any] | None = None
        error: BaseException | None = None
        while True:
            try:
                calls = steps.throw(error) if error else steps.send(answers) if answers is not None else next(steps)
            except StopIteration as end:
                return end.value
            try:
                answers, error = [self.result(call) for call in calls], None
            except BaseException as raised:  # noqa: BLE001 - raised in the steps, as a driver does
                error = raised

    def result(self, call: Call[Any]) -> Any:
        try:
            return call.read(self.answer(call.with_body()))
        except JinaEISError as error:
            if call.rescue is None:
                raise
            return self.run(call.rescue(call, error, True))

    def answer(self, call: Call[Any]) -> Any:
        if call.path == "/":
            return {"version": {"number": self.version}}
        if call.method == "GET" and call.path == "/docs":
            if isinstance(self.settings, JinaEISError):
                raise self.settings
            interval = {"refresh_interval": self.interval} if self.interval else {}
            return {"docs": {"settings": {"index": {**self.settings.get("index", {}), **interval}}}}
        if call.path.startswith("/_inference"):
            if any("poison" in text for text in call.body["input"]):
                raise error_from_answer(400, {}, {"error": {"type": "status_exception", "reason": "poison"}})
            key = "text_embedding" if "/text_embedding/" in call.path else "embeddings"
            answer = {key: [{"embedding": [1.0] * 1024} for _ in call.body["input"]]}
            return read_cbor(to_cbor(answer)) if self.in_cbor else answer
        if call.path.endswith("_mapping"):
            if self.mappings is None:
                raise error_from_answer(
                    404, {}, {"error": {"type": "index_not_found_exception", "reason": "no such index [docs]"}}
                )
            return {"docs": {"mappings": self.mappings}}
        if call.path.endswith("_refresh"):
            if self.refresh_denied:
                raise error_from_answer(403, {}, {"error": {"type": "security_exception", "reason": "unauthorized"}})
            self.refreshed += 1
            return {}
        if call.method == "PUT":
            self.mappings = call.body["mappings"]
            return {"acknowledged": True}
        self.waited = self.waited or call.params.get("refresh") == "wait_for"
        return {"items": list(self.written(call))}

    def written(self, call: Call[Any]) -> Iterator[Any]:
        lines = iter(call.body.splitlines())
        self.bulks.append(0)
        for line in lines:
            ((kind, action),) = orjson.loads(line).items()
            self.bulks[-1] += 1
            source = orjson.loads(next(lines)) if kind == "index" else None
            status = self.status(action["_id"])
            if status < 300:
                if source is None:
                    status = 200 if self.documents.pop(action["_id"], None) else 404
                else:
                    self.documents[action["_id"]] = source
            error = {"type": "x", "reason": "outer", "caused_by": {"reason": "inner"}}
            yield {kind: {"_id": action["_id"], "status": status, **({"error": error} if status >= 300 else {})}}


def indexer(**settings: Any) -> Indexer:
    return Indexer(
        **{
            "index": "docs",
            "field": "embedding",
            "field_type": "semantic_text",
            "content_field": "text",
            "inference_id": TEXT,
            **settings,
        }
    )


def records(number: int, text: str = "text") -> Iterator[Record]:
    return (Record(str(n), f"{text} {n}", {"text": f"{text} {n}", "metadata": {"n": n}}) for n in range(number))


@pytest.mark.parametrize(
    ("settings", "mappings"),
    [
        ({}, {"properties": {"text": {"type": "text"}, "embedding": {"type": "semantic_text", "inference_id": TEXT}}}),
        (
            {"field_type": "semantic", "inference_id": OMNI, "index_options": {"dense_vector": {"type": "hnsw"}}},
            {"properties": {"text": {"type": "text"}, "embedding": {"type": "semantic", "inference_id": OMNI, "index_options": {"dense_vector": {"type": "hnsw"}}}}},
        ),
        (
            {"field_type": "dense_vector", "dimensions": 256},
            {
                "properties": {"text": {"type": "text"}, "embedding": {"type": "dense_vector", "dims": 256, "index": True, "similarity": "cosine"}},
                "_meta": {"jina_eis": {"inference_id": TEXT}},
            },
        ),
    ],
)  # fmt: skip
def test_the_mapping_of_a_new_index(settings: dict[str, Any], mappings: Any) -> None:
    cluster = Cluster()
    cluster.run(indexer(**settings).add(records(1), False))
    assert cluster.mappings == {"dynamic_templates": TEMPLATES, "date_detection": False, **mappings}
    assert cluster.refreshed == 0


def test_fields_of_the_metadata_in_a_new_index() -> None:
    cluster = Cluster()
    cluster.run(indexer(metadata_mappings={"year": {"type": "integer"}}).add(records(1), False))
    assert cluster.mappings is not None
    assert cluster.mappings["properties"]["metadata"] == {"properties": {"year": {"type": "integer"}}}


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
def test_an_ingest_that_writes_nothing_leaves_no_new_index(field_type: Any) -> None:
    cluster = Cluster()
    assert cluster.run(indexer(field_type=field_type).add([], True)) == []
    for bad in (
        Record("1", InputError("it is empty"), {}),
        Record("1", "text", {"metadata": {"x": b"bytes"}}),
    ):
        with pytest.raises(DocumentsFailedError):
            cluster.run(indexer(field_type=field_type).add([bad], True))
    assert cluster.mappings is None


def test_the_error_names_a_new_index_that_stays_empty() -> None:
    """It is not deleted: another process may be about to write into it."""
    cluster = Cluster()
    cluster.status = lambda _: 400
    with pytest.raises(DocumentsFailedError, match=r"The index 'docs' was created for them: delete_index\(\) deletes it\.$"):
        cluster.run(indexer().add(records(2), True))
    with pytest.raises(DocumentsFailedError, match=r"outer: inner\.$|inner\.$"):  # it was there
        cluster.run(indexer().add(records(2), True))
    partly = Cluster()
    partly.status = lambda document: 400 if document == "0" else 201
    with pytest.raises(DocumentsFailedError, match=r"The others were written\.$"):
        partly.run(indexer().add(records(2), True))


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
def test_each_document_is_written_once_in_requests_of_limited_size(field_type: Any) -> None:
    cluster = Cluster()
    ids = cluster.run(indexer(field_type=field_type).add(records(1500), True))
    assert ids == [str(n) for n in range(1500)] == list(cluster.documents)
    assert cluster.documents["7"]["text"] == "text 7"
    assert cluster.documents["7"]["embedding"] == ("text 7" if field_type == "semantic_text" else [1.0] * 1024)
    assert max(cluster.bulks) <= BULK_DOCUMENTS
    assert sum(cluster.bulks) == 1500
    assert cluster.refreshed == 1


def test_a_request_holds_few_large_documents() -> None:
    cluster = Cluster()
    cluster.run(indexer().add(records(9, "x" * (BULK_BYTES // 5)), True))  # each holds its text twice
    assert cluster.bulks == [2, 2, 2, 2, 1]


def test_documents_are_taken_only_when_needed() -> None:
    taken = 0

    def source() -> Iterator[Record]:
        nonlocal taken
        for record in records(10_000):
            taken += 1
            yield record

    steps = indexer().add(source(), True)
    cluster = Cluster({"text": {"type": "text"}, "embedding": {"type": "semantic_text", "inference_id": TEXT}})
    (mapping,) = list(next(steps))
    steps.send([cluster.result(mapping)])
    assert taken == BLOCK
    steps.close()


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
@examples(max_examples=30, deadline=None)  # each writes 300 documents
@given(failing=st.sets(st.integers(0, 299), max_size=20), rejected=st.sets(st.integers(0, 299), max_size=40))
def test_failed_documents_are_named_and_all_others_written(field_type: Any, failing: set[int], rejected: set[int]) -> None:
    cluster = Cluster()
    waiting = {str(n): 2 for n in rejected}  # rejected twice for lack of capacity, then accepted

    def status(id_: str) -> int:
        if int(id_) in failing:
            return 400
        waiting[id_] = waiting.get(id_, 0) - 1
        return 429 if waiting[id_] >= 0 else 201

    cluster.status = status
    steps = indexer(field_type=field_type).add(records(300), True)
    if not failing:
        assert len(cluster.run(steps)) == 300
    else:
        with pytest.raises(DocumentsFailedError, match=f"{len(failing)} of 300 documents failed: '.*: outer: inner") as caught:
            cluster.run(steps)
        assert set(caught.value.failed) == {str(n) for n in failing}
        assert caught.value.indexed == [str(n) for n in range(300) if n not in failing]
    assert set(cluster.documents) == {str(n) for n in range(300) if n not in failing}


def test_only_the_text_that_cannot_be_embedded_fails() -> None:
    cluster = Cluster()
    mixed = [*records(40), Record("bad", "poison", {"text": "poison"})]
    with pytest.raises(DocumentsFailedError) as caught:
        cluster.run(indexer(field_type="dense_vector").add(mixed, True))
    assert list(caught.value.failed) == ["bad"]
    assert "poison" in caught.value.failed["bad"]
    assert len(cluster.documents) == 40


def test_only_the_document_that_the_field_cannot_hold_fails() -> None:
    large = content(png(noise=SEMANTIC_BYTES))
    for settings, item, message in (
        ({}, content(png()), "semantic_text field 'embedding' holds only texts. Create an index with field_type=\"semantic\""),
        (
            {"field_type": "semantic", "inference_id": OMNI},
            large,
            "A semantic field takes 1,000,000 by default (indices.inference.max_binary_input_size",
        ),
        ({"field_type": "semantic", "inference_id": OMNI}, content(["a", png()]), "embeds each part separately"),
        ({"field_type": "dense_vector"}, content(png()), "embeds only text. .jina-embeddings-v5-omni-small does"),
    ):
        cluster = Cluster()
        with pytest.raises(DocumentsFailedError) as caught:
            cluster.run(indexer(**settings).add([Record("good", "text", {"text": "text"}), Record("bad", item, {})], True))
        assert list(caught.value.failed) == ["bad"]
        assert message in caught.value.failed["bad"]
        assert list(cluster.documents) == ["good"]


@pytest.mark.parametrize("in_cbor", [False, True], ids=["JSON", "CBOR"])
def test_a_page_with_several_vectors_fails_with_both_numbers(in_cbor: bool) -> None:
    class Service(Cluster):
        vectors = 3

        def answer(self, call: Call[Any]) -> Any:
            if not call.path.startswith("/_inference"):
                return super().answer(call)
            pages = {"embeddings": [{"embedding": [1.0] * 1024}] * self.vectors}
            return read_cbor(to_cbor(pages)) if in_cbor else pages

    service, records = Service(), [Record("page", content(pdf()), {})]
    with pytest.raises(DocumentsFailedError, match=r"returned 3 vectors for <application/pdf, .*>, which has 1 page"):
        service.run(indexer(field_type="dense_vector", inference_id=OMNI).add(records, True))
    service.vectors = 1
    service.run(indexer(field_type="dense_vector", inference_id=OMNI).add(records, True))
    assert service.documents["page"]["embedding"] == [1.0] * 1024


def test_only_the_document_that_json_cannot_represent_fails() -> None:
    cluster = Cluster()
    with pytest.raises(DocumentsFailedError, match=r"cannot be written as JSON: 'metadata\.x' is of type object"):
        cluster.run(
            indexer().add(
                [Record("good", "a\ud800", {"text": "a\ud800"}), Record("bad", "b", {"metadata": {"x": object()}})], True
            )
        )
    assert cluster.documents == {"good": {"text": "a�", "embedding": "a�"}}


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
@pytest.mark.parametrize("between", [0, BLOCK + 10])
def test_of_two_documents_with_one_id_the_last_is_written(field_type: Any, between: int) -> None:
    cluster = Cluster()
    added = [Record("twice", "old", {"text": "old"}), *records(between), Record("twice", "new", {"text": "new"})]
    ids = cluster.run(indexer(field_type=field_type).add(iter(added), True))
    assert ids == [record.id for record in added]
    assert cluster.documents["twice"]["text"] == "new"
    assert len(cluster.documents) == between + 1
    bad = Record("twice", InputError("it is empty"), {})
    with pytest.raises(DocumentsFailedError, match="1 of 2 documents failed: 'twice': it is empty"):
        cluster.run(indexer(field_type=field_type).add([*records(1), *added[-1:], bad], True))
    assert cluster.run(indexer(field_type=field_type).add([bad, *added[-1:]], True)) == ["twice", "twice"]


def test_equal_texts_of_a_block_are_embedded_once() -> None:
    sent: list[str] = []

    class Recording(Cluster):
        def answer(self, call: Call[Any]) -> Any:
            if call.path.startswith("/_inference"):
                sent.extend(call.body["input"])
            return super().answer(call)

    texts = ["footer", "a", "footer", "poison", "b", "poison"]
    added = [Record(str(n), text, {"text": text}) for n, text in enumerate(texts)]
    own = Record("own", "a", {"text": "a"}, vector=[0.5] * 1024)
    cluster = Recording()
    with pytest.raises(DocumentsFailedError, match="2 of 7 documents failed") as raised:
        cluster.run(indexer(field_type="dense_vector").add([own, *added], True))
    assert raised.value.failed.keys() == {"3", "5"}
    assert {name: document["text"] for name, document in cluster.documents.items()} == {
        "own": "a",
        **{str(n): texts[n] for n in (0, 1, 2, 4)},
    }
    sent.clear()
    cluster.run(indexer(field_type="dense_vector").add([record for record in added if record.content != "poison"], True))
    assert sent == ["footer", "a", "b"]


class RefusesOld(Cluster):
    """Refuses the documents of each request with an old version."""

    def written(self, call: Call[Any]) -> Iterator[Any]:
        self.status = lambda _: 400 if b'"old"' in call.body else 201
        return super().written(call)


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
def test_the_outcome_of_a_document_is_that_of_its_last_version(field_type: Any) -> None:
    """The second version is read before the block of the first is sent, as its vectors are made at that time."""
    cluster = RefusesOld()
    versions = [Record("twice", "old", {"text": "old"}), *records(BLOCK), Record("twice", "new", {"text": "new"})]
    failed: list[str] = []
    try:
        cluster.run(indexer(field_type=field_type).add(iter(versions), True))
    except DocumentsFailedError as error:
        failed = [*error.failed]
    assert "twice" not in failed
    assert cluster.documents["twice"]["text"] == "new"


def test_the_error_of_a_medium_names_the_position_of_its_last_version() -> None:
    cluster, image = Cluster(), content(png())
    with pytest.raises(DocumentsFailedError, match="Input 2 is an image, but"):
        added = [Record("twice", "old", {}), Record("other", "text", {}), Record("twice", image, {})]
        cluster.run(indexer(field_type="dense_vector").add(added, True))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["1", "2", "", "delete"])), max_size=30))
def test_adds_and_deletes_equal_a_dict(changes: list[tuple[str, str]]) -> None:
    cluster = Cluster({"text": {"type": "text"}, "embedding": {"type": "semantic_text", "inference_id": TEXT}})
    expected: dict[str, str] = {}
    for document, change in changes:
        if change == "delete":
            cluster.run(indexer().delete([document], "wait_for"))
            expected.pop(document, None)
        elif change:
            cluster.run(indexer().add([Record(document, "old", {}), Record(document, change, {})], "wait_for"))
            expected[document] = change
    assert {document: source["embedding"] for document, source in cluster.documents.items()} == expected


VECTORS = {"text": {"type": "text"}, "embedding": {"type": "dense_vector", "dims": 1024}}


def test_vectors_of_records_are_written_as_they_are() -> None:
    cluster = Cluster(VECTORS, {"inference_id": TEXT})
    own = [0.5] * 1024
    mixed = [Record("own", "text", {}, own), Record("embedded", "text", {}), Record("alone", None, {}, own)]
    assert cluster.run(indexer(field_type=None, field=None).add(mixed, True)) == ["own", "embedded", "alone"]
    assert [cluster.documents[name]["embedding"][0] for name in ("own", "embedded", "alone")] == [0.5, 1.0, 0.5]


@pytest.mark.parametrize("listed", [True, False])
def test_a_vector_of_another_length_is_refused(listed: bool) -> None:
    cluster = Cluster(VECTORS, {"inference_id": TEXT})
    mixed = [Record("good", "text", {}), Record("short", "text", {}, [0.5] * 3)]
    with pytest.raises(InputError if listed else DocumentsFailedError, match=r"'short' has 3 dimensions, .* have 1024"):
        cluster.run(indexer(field_type=None).add(mixed if listed else iter(mixed), True))
    assert set(cluster.documents) == (set() if listed else {"good"})


def test_a_vector_alone_needs_a_dense_vector_field() -> None:
    cluster = Cluster()
    with pytest.raises(InputError, match=r'Elasticsearch embeds a semantic_text field by itself. .*field_type="dense_vector"'):
        cluster.run(indexer().add([Record("1", None, {}, [0.5] * 1024)], True))
    assert cluster.mappings is None
    assert cluster.run(indexer().add([Record("1", "text", {}, [0.5] * 3)], True)) == ["1"]
    with pytest.raises(ConfigurationError, match="Vectors of your own need a dense_vector field"):
        indexer(embeds=False)


def test_an_index_of_own_vectors_names_no_endpoint() -> None:
    cluster = Cluster()
    own = {"field_type": "dense_vector", "inference_id": None, "embeds": False}
    cluster.run(indexer(**own).add([Record("1", "text", {}, [0.5] * 3)], True))
    assert cluster.mappings is not None
    assert cluster.mappings["properties"]["embedding"]["dims"] == 3
    assert "_meta" not in cluster.mappings
    assert cluster.run(indexer(**own).add([Record("2", "text", {}, [0.5] * 3)], True)) == ["2"]
    with pytest.raises(ConfigurationError, match=r"does not name the endpoint of the vectors in 'embedding'\. Pass inference_id"):
        cluster.run(indexer(**own).add([Record("3", "text", {})], True))


@pytest.mark.parametrize(
    ("number", "refresh", "interval", "waits", "refreshes"),
    [
        (3, "wait_for", None, True, False),
        (3, "wait_for", "1s", True, False),
        (3, "wait_for", "-1", False, True),
        (3, "wait_for", "60s", False, True),
        (300, "wait_for", None, False, True),
        (3, True, None, False, True),
        (3, False, None, False, False),
        (0, "wait_for", None, False, False),
    ],
)
def test_when_searches_see_what_was_written(number: int, refresh: Any, interval: Any, waits: bool, refreshes: bool) -> None:
    cluster = Cluster({"text": {"type": "text"}, "embedding": {"type": "semantic_text", "inference_id": TEXT}})
    cluster.interval = interval
    cluster.run(indexer().add(records(number), refresh))
    assert (cluster.waited, cluster.refreshed) == (waits, refreshes)
    cluster.waited, cluster.refreshed = False, 0
    cluster.run(indexer().delete([str(n) for n in range(number)], refresh))
    assert (cluster.waited, cluster.refreshed) == (waits, refreshes)


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
@pytest.mark.parametrize("bad", [range(128, 256), range(1024, 1040), range(1290, 1300), range(128)])
def test_failing_documents_that_fill_a_request_do_not_affect_others(field_type: Any, bad: range) -> None:
    cluster = Cluster()
    mixed = [
        Record(str(n), "poison" if field_type == "dense_vector" and n in bad else "text", {"x": object()} if n in bad else {})
        for n in range(1300)
    ]
    with pytest.raises(DocumentsFailedError, match=f"{len(bad)} of 1300 documents failed: .*The others were written") as caught:
        cluster.run(indexer(field_type=field_type).add(mixed, True))
    assert set(caught.value.failed) == {str(n) for n in bad} == {str(n) for n in range(1300)} - set(cluster.documents)
    assert cluster.refreshed == 1


class SourceError(Exception):
    """An error that is not of this library."""


@pytest.mark.parametrize("field_type", ["semantic_text", "dense_vector"])
@pytest.mark.parametrize("end", ["an error of a request", "a generator that raises", "a cancelled task"])
def test_an_ingest_that_ends_early_names_every_document(field_type: Any, end: str) -> None:
    cluster = Cluster()
    written: list[str] = []

    def source() -> Iterator[Record]:
        yield from records(2500)
        if end == "a generator that raises":
            raise SourceError("the file is damaged")
        yield from (record for record in records(5000) if int(record.id) >= 2500)

    def status(document_id: str) -> int:
        if len(written) == 1500 and end != "a generator that raises":
            if end == "a cancelled task":
                raise asyncio.CancelledError
            raise error_from_answer(401, {}, {"error": {"type": "security_exception", "reason": "expired"}})
        written.append(document_id)
        return 201

    cluster.status = status
    kind = asyncio.CancelledError if end == "a cancelled task" else DocumentsFailedError
    with pytest.raises(kind) as caught:
        cluster.run(indexer(field_type=field_type).add(source(), True))
    error = caught.value.__context__ if end == "a cancelled task" else caught.value
    assert isinstance(error, DocumentsFailedError)
    # Whole requests are acknowledged: the one in which the ingest ended has no response.
    acknowledged = len(written) if "generator" in end else len(written) // BULK_DOCUMENTS * BULK_DOCUMENTS
    assert error.indexed == [str(n) for n in range(acknowledged)]
    read = error.indexed + list(error.failed) + list(error.untried)
    assert sorted(read, key=int) == [str(n) for n in range(len(read))], "each document once"
    if end == "a generator that raises":
        assert isinstance(error.__cause__, SourceError)
        assert len(read) == 2500
        assert not error.failed
        assert not error.untried, "what was read is written"
        assert cluster.refreshed == 1
    else:
        assert len(error.failed) == BULK_DOCUMENTS
        (reason,) = set(error.failed.values())
        assert ("expired" if end == "an error of a request" else "no response") in reason
        assert error.untried
    assert f"{len(error.indexed)} documents were indexed and {len(error.untried)} never sent before this error" in str(error)


def test_an_ingest_that_ends_before_anything_is_indexed_raises_the_error_itself() -> None:
    cluster = Cluster()

    def status(_: str) -> int:
        raise error_from_answer(403, {}, {"error": {"type": "security_exception", "reason": "unauthorized"}})

    cluster.status = status
    with pytest.raises(AuthorizationError):
        cluster.run(indexer().add(records(300), True))
    with pytest.raises(SourceError):
        cluster.run(indexer().add((raised for raised in [1] if fail()), True))


def test_documents_that_were_sent_without_a_response_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may have been written: the node may have ended before it answered."""
    cluster = Cluster()
    result = cluster.result

    def unanswered(call: Call[Any]) -> Any:
        if call.path.endswith("_bulk"):
            call.with_body()  # it is sent, and retried until the driver raises the error
            raise error_from_answer(503, {}, "The node is not available.")
        return result(call)

    monkeypatch.setattr(cluster, "result", unanswered)
    with pytest.raises(DocumentsFailedError, match="no response reported whether it was written") as caught:
        cluster.run(indexer().add(records(3), True))
    assert isinstance(caught.value.__cause__, ServiceUnavailableError)
    assert (caught.value.indexed, list(caught.value.failed), caught.value.untried) == ([], ["0", "1", "2"], [])


def fail() -> bool:
    raise SourceError


def test_an_interruption_of_the_refresh_names_every_document(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    answer = cluster.answer

    def interrupted(call: Call[Any]) -> Any:
        if call.path.endswith("_refresh"):
            raise KeyboardInterrupt
        return answer(call)

    monkeypatch.setattr(cluster, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        cluster.run(indexer().add(records(3), True))
    error = caught.value.__context__
    assert isinstance(error, DocumentsFailedError)
    assert (error.indexed, error.failed, error.untried) == (["0", "1", "2"], {}, [])


def test_the_error_of_a_refresh_states_that_all_documents_are_written() -> None:
    denied = Cluster()
    denied.refresh_denied = True
    with pytest.raises(AuthorizationError, match="All documents are written, but searches may not see them yet"):
        denied.run(indexer().add(records(3), True))
    assert len(denied.run(indexer().add(records(3), False))) == 3


@given(
    st.lists(st.sampled_from(["ok", "bad", "busy", "unreadable", "lost"]), min_size=1, max_size=40),
    st.integers(1, 900),
    st.sampled_from(["semantic_text", "dense_vector"]),
)
def test_every_document_is_in_one_list_whatever_happens(fates: list[str], number: int, field_type: Any) -> None:
    cluster = Cluster()
    answers = iter(fates)

    def status(document_id: str) -> int:
        fate = next(answers, "ok") if int(document_id) % 37 == 0 else "ok"
        if fate == "lost":
            raise error_from_answer(503, {}, {"error": {"type": "x", "reason": "away"}})
        if fate == "unreadable":
            raise InvalidAnswerError("The response is not JSON.")
        return {"ok": 201, "bad": 400, "busy": 429}[fate]

    cluster.status = status
    ids, error = None, None
    try:
        ids = cluster.run(indexer(field_type=field_type).add(records(number), True))
    except JinaEISError as raised:
        error = raised
    if isinstance(error, DocumentsFailedError):
        assert set(error.indexed) <= set(cluster.documents)
        assert not set(error.untried) & set(cluster.documents)
        named = [*error.indexed, *error.failed, *error.untried]
        assert sorted(named, key=int) == [str(n) for n in range(len(named))]
        assert pickle.loads(pickle.dumps(error)).untried == error.untried
    elif error is None:
        assert ids == [str(n) for n in range(number)] == sorted(cluster.documents, key=int)
    else:
        assert set(fates) & {"lost", "unreadable", "busy"}


def test_an_ingest_needs_the_memory_of_a_block() -> None:
    def peak(number: int) -> int:
        cluster = Cluster()
        cluster.documents = Nothing()
        tracemalloc.start()
        cluster.run(indexer().add(records(number, "x" * 2000), False))
        peak_size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak_size

    assert peak(16_000) < 2 * peak(4000)


class Nothing(dict[str, Any]):
    """Stores nothing."""

    def __setitem__(self, *_: Any) -> None: ...


def test_settings_are_taken_from_an_existing_index() -> None:
    cluster = Cluster({"body": {"type": "semantic_text", "inference_id": OMNI}})
    cluster.run(indexer(field=None, field_type=None, inference_id=None).add(records(2), True))
    assert cluster.documents["1"]["body"] == "text 1"
    truncated = Cluster({"v": {"type": "dense_vector", "dims": 32}}, {"inference_id": TEXT})
    truncated.run(indexer(field=None, field_type="dense_vector", inference_id=None).add(records(2), True))
    assert len(truncated.documents["1"]["v"]) == 32
    two = Cluster({"a": {"type": "semantic_text", "inference_id": TEXT}, "b": {"type": "dense_vector", "dims": 32}})
    with pytest.raises(ConfigurationError, match=r"filled: a \(semantic_text\), b \(dense_vector\). Choose one with field"):
        two.run(indexer(field=None, field_type=None).add(records(1), True))


def test_a_deleted_index_is_created_again() -> None:
    cluster = Cluster()
    steps = indexer(inference_id=None, field=None, field_type=None)
    cluster.run(steps.add(records(1), True))
    cluster.mappings = None
    cluster.run(steps.add(records(1), True))
    assert cluster.mappings is not None
    assert cluster.mappings["properties"]["embedding"]["type"] == "semantic_text"
    with pytest.raises(IndexNotFoundError):
        Cluster().run(steps.delete(["1"], True))


def test_deleting_ignores_missing_documents() -> None:
    cluster = Cluster()
    cluster.run(indexer().add(records(3), True))
    cluster.run(indexer().delete(["1", "missing"], True))
    assert list(cluster.documents) == ["0", "2"]
    assert cluster.run(indexer().delete([], True)) is None


@pytest.mark.parametrize(
    ("properties", "meta", "settings", "message"),
    [
        ({"text": {"type": "text"}}, None, {}, "field='embedding' does not exist in the index 'docs'; it must be semantic_text"),
        ({"embedding": {"type": "dense_vector", "dims": 3}}, None, {}, "field='embedding' is of type dense_vector"),
        ({"embedding": {"type": "semantic_text", "inference_id": OMNI}}, None, {}, f"embedded with {OMNI}, not with {TEXT}. Pass inference_id='{OMNI}'"),
        ({"embedding": {"type": "dense_vector", "dims": 1024}}, {"inference_id": OMNI}, {"field_type": "dense_vector"}, f"embedded with {OMNI}"),
        ({"embedding": {"type": "dense_vector", "dims": 256}}, None, {"field_type": "dense_vector", "dimensions": 512}, "have 256. Pass dimensions=256"),
        (None, None, {"field_type": "semantic"}, "is an endpoint for text_embedding. A semantic field needs one for embedding"),
        (None, None, {"inference_id": ".jina-reranker-v3"}, "is an endpoint for rerank"),
        (None, None, {"field_type": "dense_vector", "dimensions": 300}, "trained for 32, 64"),
    ],
)  # fmt: skip
def test_an_index_that_cannot_hold_the_documents(properties: Any, meta: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Cluster(properties, meta).run(indexer(**settings).add(records(1), True))
    assert message in str(caught.value)


@pytest.mark.parametrize("properties", [None, {"embedding": {"type": "semantic_text", "inference_id": TEXT}}])
def test_settings_that_the_type_of_the_field_contradicts(properties: Any) -> None:
    """It is that of the index, or the default."""
    with pytest.raises(ConfigurationError, match="dimensions=256: the vectors of a semantic_text field are as long as"):
        Cluster(properties).run(indexer(field_type=None, dimensions=256).add(records(1), True))
    if properties:
        with pytest.raises(ConfigurationError, match='field_type is "semantic_text"'):
            Cluster(properties).run(indexer(field_type=None, embeds=False).add(records(1), True))


def test_settings_of_a_new_index_are_sent_as_they_are() -> None:
    bodies: list[Any] = []

    class Recorder(Cluster):
        def answer(self, call: Call[Any]) -> Any:
            if call.method == "PUT":
                bodies.append(call.body)
            return super().answer(call)

    settings = {"index": {"mode": "vectordb_document"}, "index.number_of_shards": 2, "refresh_interval": "30s"}
    cluster = Recorder()
    cluster.run(indexer(index_settings=settings).add(records(1), True))
    cluster.run(indexer(index_settings={"number_of_shards": 7}).add(records(1), True))  # the index exists
    assert [body["settings"] for body in bodies] == [settings]
    Recorder().run(indexer(index_settings=None).add(records(1), True))
    assert "settings" not in bodies[-1]


def test_the_error_of_a_project_that_takes_one_mode_of_indices() -> None:
    reason = "[index.mode=vectordb_document] is incompatible with [index.mapping.exclude_source_vectors=false]"

    class Project(Cluster):
        def answer(self, call: Call[Any]) -> Any:
            if call.method == "PUT":
                raise error_from_answer(400, {}, {"error": {"type": "illegal_argument_exception", "reason": reason}})
            return super().answer(call)

    with pytest.raises(RequestRejectedError, match=r"leave index\.mode, and settings of _source") as caught:
        Project().run(indexer(index_settings={"index.mapping.exclude_source_vectors": False}).add(records(1), True))
    assert reason in str(caught.value)
    with pytest.raises(RequestRejectedError) as caught:
        Project().run(indexer().add(records(1), True))
    assert "index_settings" not in str(caught.value)


def test_the_ways_to_search_with_another_endpoint() -> None:
    """The documents stay with their endpoint; one of the same vector space can embed queries."""
    cluster = Cluster({"embedding": {"type": "semantic_text", "inference_id": TEXT}})
    with pytest.raises(ConfigurationError) as caught:
        cluster.run(indexer(inference_id=OMNI).add(records(1), True))
    assert f"for one application, JinaEISRetriever(inference_id={OMNI!r})" in str(caught.value)
    assert f"for all clients of the index, search_with({OMNI!r})" in str(caught.value)
    vectors = Cluster({"embedding": {"type": "dense_vector", "dims": 1024}}, {"inference_id": TEXT})
    with pytest.raises(ConfigurationError) as caught:
        vectors.run(indexer(inference_id=OMNI, field_type="dense_vector").add(records(1), True))
    assert "for one application" in str(caught.value)
    assert "search_with" not in str(caught.value)
    for other in (".jina-embeddings-v3", "mine"):
        with pytest.raises(ConfigurationError, match=f"not with {other}") as caught:
            cluster.run(indexer(inference_id=other).add(records(1), True))
        assert "for one application" not in str(caught.value)


def test_media_by_url() -> None:
    def pictures() -> Iterator[Record]:
        block = {"type": "image", "url": "https://example.com/cat.png"}
        return iter([Record("1", content(block, pass_urls=True), {"text": ""}), Record("2", content(png()), {"text": ""})])

    class Versioned(Cluster):
        version = "9.6.0"

        def answer(self, call: Call[Any]) -> Any:
            if call.path == "/":
                return {"version": {"number": self.version}}
            if call.path.startswith("/_inference/embedding"):
                inputs = json.loads(call.body)["input"]
                formats.extend(item["content"]["format"] for item in inputs)
                return {"embeddings": [{"embedding": [1.0] * 1024} for _ in inputs]}
            return super().answer(call)

    formats: list[str] = []
    cluster = Versioned()
    cluster.run(indexer(field_type="dense_vector", inference_id=OMNI).add(pictures(), True))
    assert (formats, list(cluster.documents)) == (["url", "base64"], ["1", "2"])
    older = Versioned()
    older.version = "9.5.3"
    with pytest.raises(ConfigurationError, match=r"pass_urls needs Elasticsearch 9\.6; this deployment has 9\.5\.3"):
        older.run(indexer(field_type="dense_vector", inference_id=OMNI).add(pictures(), True))
    semantic = Versioned()
    with pytest.raises(DocumentsFailedError) as caught:
        semantic.run(indexer(field_type="semantic", inference_id=OMNI).add(pictures(), True))
    assert "https://example.com/cat.png is a URL, and a semantic field takes only bytes" in caught.value.failed["1"]
    assert list(semantic.documents) == ["2"]


DENSE = {"text": {"type": "text"}, "embedding": {"type": "dense_vector", "dims": 1024}}
IN_BASE64 = base64.b64encode(struct.pack(">1024f", *[1.0] * 1024)).decode()


@pytest.mark.parametrize("in_cbor", [False, True], ids=["JSON", "CBOR"])
@pytest.mark.parametrize("new", [False, True], ids=["an existing index", "a new index"])
@pytest.mark.parametrize(
    ("version", "settings", "field", "in_base64"),
    [
        ("9.3.0", {"index": {"mapping": {"exclude_source_vectors": "true"}}}, {}, True),
        ("9.3.0", {}, {"element_type": "bfloat16"}, True),
        ("9.3.0", {"index": {"mapping": {"exclude_source_vectors": "false"}}}, {}, False),
        ("9.3.0", error_from_answer(403, {}, None), {}, False),
        ("9.3.0", {}, {"element_type": "byte"}, False),
        ("9.2.9", {}, {}, False),
    ],
)
def test_vectors_are_written_in_base64_where_no_reader_sees_them(
    version: str, settings: Any, field: dict[str, Any], in_base64: bool, new: bool, in_cbor: bool
) -> None:
    if new and field:
        pytest.skip("a new index has the default type")
    cluster = Cluster(None if new else {**DENSE, "embedding": {**DENSE["embedding"], **field}}, {"inference_id": TEXT})
    cluster.version, cluster.settings, cluster.in_cbor = version, settings, in_cbor
    cluster.run(indexer(field_type="dense_vector").add(records(3), True))
    expected = IN_BASE64 if in_base64 else [1.0] * 1024
    assert [source["embedding"] for source in cluster.documents.values()] == [expected] * 3


def test_the_digits_of_a_vector_are_the_shortest() -> None:
    """A body in JSON has the digits that the service writes, also where the numbers were read from CBOR."""
    widened = struct.unpack(">1024f", struct.pack(">1024f", *[0.1] * 1024))

    class Widened(Cluster):
        def answer(self, call: Call[Any]) -> Any:
            answer = super().answer(call)
            for item in answer.get("text_embedding", ()):
                item["embedding"] = list(widened)
            return answer

    cluster = Widened(DENSE, {"inference_id": TEXT})
    cluster.run(indexer(field_type="dense_vector").add(records(2), True))
    assert [source["embedding"] for source in cluster.documents.values()] == [[0.1] * 1024] * 2
