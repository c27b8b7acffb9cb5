"""Requests for texts and media: how inputs are batched and encoded, and which vectors belong to which input."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from by_hand import feed
from hypothesis import given
from hypothesis import strategies as st
from made import mp4, pdf, png, wav

import jina_eis
from jina_eis.contents.inputs import Content, content_list
from jina_eis.contents.media import Medium
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.steps.embedder import BATCH_BYTES, IN_FLIGHT_BYTES, Embedded, Embedder, max_in_flight, unpacked_pages
from jina_eis.wire.call import Call, Steps, ask

OMNI = ".jina-embeddings-v5-omni-small"


def embedded(embedder: Embedder, contents: list[Content]) -> Steps[list[Embedded]]:
    endpoint = yield from embedder.plan()
    batches = yield from ask(embedder.content_calls(endpoint, contents, "ingest"))
    return [unpacked_pages(vector) for batch in batches for vector in batch]


def sent(call: Call[Any]) -> list[Any]:
    inputs: list[Any] = body_of(call)["input"]
    return inputs


def body_of(call: Call[Any]) -> dict[str, Any]:
    body = call.with_body().body
    return json.loads(body) if isinstance(body, bytes) else body


def numbered(call: Call[Any], pages: int = 3) -> dict[str, Any]:
    """Vectors that start with the position of their input; those of a PDF also have the number of the page."""
    assert call.inputs is not None
    inputs = sent(call)
    if isinstance(inputs[0], dict) and isinstance(inputs[0]["content"], dict) and inputs[0]["content"]["type"] == "pdf":
        assert len(inputs) == 1
        return {"embeddings": [{"embedding": [float(call.inputs[0]), page / 10]} for page in range(pages)]}
    return {"embeddings": [{"embedding": [float(position), 0.5]} for position in call.inputs]}


def with_own_endpoint(embedder: Embedder) -> Embedder:
    """The same embedder with a user's own endpoint, whose vectors may have any length."""
    return Embedder("mine", batch_size=embedder.batch_size)


def answer(call: Call[Any]) -> Any:
    if call.method == "GET":
        endpoint = {
            "inference_id": "mine",
            "task_type": "embedding",
            "service": "elastic",
            "service_settings": {"model_id": "new"},
        }
        return {"endpoints": [endpoint]}
    return numbered(call)


KINDS = st.sampled_from(["text", "image", "pdf", "fused", "large"])


def item_of_kind(kind: str, number: int) -> Any:
    match kind:
        case "text":
            return f"text {number}"
        case "image":
            return png(shade=number)
        case "pdf":
            return pdf()
        case "fused":
            return [f"text {number}", png(shade=number)]
        case _:
            return png(noise=BATCH_BYTES // 3)


@given(st.lists(KINDS, max_size=60), st.integers(1, 16))
def test_every_input_receives_its_own_vector(kinds: list[str], batch_size: int) -> None:
    contents = content_list([item_of_kind(kind, number) for number, kind in enumerate(kinds)])
    vectors, rounds = feed(embedded(with_own_endpoint(Embedder(OMNI, batch_size=batch_size)), contents), answer)
    for position, (kind, vector) in enumerate(zip(kinds, vectors, strict=True)):
        assert vector == ([[position, 0.0], [position, 0.1], [position, 0.2]] if kind == "pdf" else [position, 0.5])
    for call in (call for calls in rounds for call in calls if call.method == "POST"):
        assert call.inputs is not None
        inputs = sent(call)
        assert 1 <= len(inputs) <= batch_size
        assert len({isinstance(item, str) for item in inputs}) == 1  # the official schema allows no mixture
        assert len(inputs) == 1 or sum(len(str(item)) for item in inputs) < BATCH_BYTES + 16 * 200


def test_inputs_have_the_form_of_the_official_schema() -> None:
    contents = content_list([png(), "a", ["b", wav()], mp4()])
    _, ((call,),) = feed(embedded(Embedder(OMNI), contents), lambda call: {"embeddings": [{"embedding": [1.0] * 1024}] * 4})
    assert call.path == "/_inference/embedding/.jina-embeddings-v5-omni-small"
    uris = [Medium.from_bytes(data).data_uri() for data in (png(), wav(), mp4())]
    assert body_of(call) == {
        "input": [
            {"content": {"type": "image", "format": "base64", "value": uris[0]}},
            {"content": {"type": "text", "value": "a"}},
            {"content": [{"type": "text", "value": "b"}, {"type": "audio", "format": "base64", "value": uris[1]}]},
            {"content": {"type": "video", "format": "base64", "value": uris[2]}},
        ],
        "input_type": "ingest",
    }


def test_a_list_of_texts_is_sent_as_strings_for_either_task() -> None:
    for inference_id, task, key in (
        (OMNI, "embedding", "embeddings"),
        (".jina-embeddings-v5-text-small", "text_embedding", "text_embedding"),
    ):
        ones = {key: [{"embedding": [1.0] * 1024}] * 2}
        _, ((call,),) = feed(embedded(Embedder(inference_id), ["a", "b\ud800"]), lambda _, ones=ones: ones)
        assert call.path == f"/_inference/{task}/{inference_id}"
        assert sent(call) == ["a", "b�"]


def test_a_file_is_read_when_it_is_sent_and_must_not_have_changed(tmp_path: Any) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path in paths:
        path.write_bytes(png())
    steps = embedded(Embedder(OMNI), content_list(paths))
    (call,) = list(next(steps))
    assert sent(call)[2]["content"]["value"] == Medium.from_bytes(png()).data_uri()
    paths[2].write_bytes(png(shade=7) + b"more")
    with pytest.raises(InputError, match=r"2\.png has changed since it was checked") as changed:
        sent(call)
    assert changed.value.inputs == [2]
    paths[1].unlink()
    os.mkfifo(paths[1])  # to open it would block for ever
    with pytest.raises(InputError, match=r"1\.png has changed"):
        sent(call)
    steps.close()


def test_the_requests_in_flight_are_limited_by_the_size_of_the_inputs() -> None:
    assert max_in_flight(content_list(["text", png()])) is None
    assert max_in_flight(content_list([png(noise=2**20)])) == IN_FLIGHT_BYTES // BATCH_BYTES
    assert max_in_flight(content_list([png(noise=2**25)])) == 1


def test_a_pdf_without_a_page_and_an_image_with_two_vectors_are_invalid_responses() -> None:
    for data, vectors in ((pdf(), 0), (png(), 2), (png(), 0)):
        body = {"embeddings": [{"embedding": [1.0] * 1024}] * vectors}
        with pytest.raises(InvalidAnswerError):
            feed(embedded(Embedder(OMNI), content_list([data])), lambda _, body=body: body)


def test_page_vectors_are_truncated_and_checked_like_others() -> None:
    vectors, _ = feed(
        embedded(Embedder(OMNI, 32), content_list([pdf()])), lambda _: {"embeddings": [{"embedding": [3.0] + [0.0] * 1023}] * 2}
    )
    assert vectors == [[[1.0] + [0.0] * 31] * 2]
    with pytest.raises(InvalidAnswerError, match="512 dimensions instead of 1024"):
        feed(embedded(Embedder(OMNI), content_list([pdf()])), lambda _: {"embeddings": [{"embedding": [1.0] * 512}]})


@pytest.mark.parametrize(
    ("inference_id", "item", "message"),
    [
        (".jina-embeddings-v5-text-small", png(), "is an image, but .jina-embeddings-v5-text-small embeds only text. .jina-embeddings-v5-omni-small does, in the same vector space"),
        (".jina-embeddings-v5-text-nano", wav(), "is a sound, but .jina-embeddings-v5-text-nano embeds only text. .jina-embeddings-v5-omni-nano does, in the same vector space"),
        (".jina-embeddings-v3", pdf(), "is a PDF, but .jina-embeddings-v3 embeds only text. .jina-embeddings-v5-omni-small does, in another vector space: embed again"),
        (".jina-clip-v2", mp4(), "is a video, but .jina-clip-v2 embeds only text and image. .jina-embeddings-v5-omni-small does"),
        (".jina-clip-v2", ["a", wav()], "holds a sound, but .jina-clip-v2"),
        (".jina-embeddings-v5-text-small", ["a", "b"], "consists of 2 parts, but .jina-embeddings-v5-text-small embeds only single texts. .jina-embeddings-v5-omni-small does"),
    ],
)  # fmt: skip
def test_the_error_for_an_unsupported_input_names_a_suitable_endpoint(inference_id: str, item: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        feed(embedded(Embedder(inference_id), content_list(["good", item])), numbered)
    assert f"Input 1 {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("jina-embeddings-v5-text-small", "jina-embeddings-v5-omni-small", True),
        (".jina-embeddings-v5-omni-nano", "jina-embeddings-v5-text-nano", True),
        (".jina-embeddings-v5-text-small", ".jina-embeddings-v5-text-nano", False),
        (".jina-embeddings-v5-omni-small", ".jina-embeddings-v5-omni-nano", False),
        (".jina-embeddings-v3", ".jina-embeddings-v5-text-small", False),
        (".jina-clip-v2", ".jina-embeddings-v5-omni-small", False),
    ],
)
def test_models_that_share_a_space(one: str, other: str, shared: bool) -> None:
    assert jina_eis.share_space(one, other) is jina_eis.share_space(other, one) is shared
    assert jina_eis.share_space(one, one)


@pytest.mark.parametrize("name", ["mine", ".jina-reranker-v3", ""])
def test_the_space_of_an_unknown_model_is_an_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a known embedding model"):
        jina_eis.share_space(name, OMNI)


def test_models_of_different_spaces_are_refused_before_a_request() -> None:
    assert Embedder(OMNI, comparable_with=".jina-embeddings-v5-text-small")
    with pytest.raises(
        ConfigurationError,
        match=r"different vector spaces. Use .jina-embeddings-v5-omni-small with .jina-embeddings-v5-text-small\.",
    ):
        Embedder(".jina-embeddings-v5-omni-nano", comparable_with=".jina-embeddings-v5-text-small")


@pytest.mark.parametrize(
    ("settings", "dimensions", "comparable"),
    [
        ({"model_id": "jina-embeddings-v5-text-small", "dimensions": 1024}, None, True),
        ({"model_id": "jina-embeddings-v5-text-small", "dimensions": 256}, None, False),
        ({"model_id": "jina-embeddings-v5-text-small", "dimensions": 256}, 256, True),
        ({"model_id": "jina-embeddings-v3", "dimensions": 1024}, None, False),
        ({"model_id": "unheard-of", "dimensions": 1024}, None, True),  # no conflict is known
    ],
)
def test_the_space_of_a_users_own_endpoint_is_requested(
    settings: dict[str, Any], dimensions: int | None, comparable: bool
) -> None:
    endpoint = {"inference_id": "mine", "task_type": "text_embedding", "service": "elastic", "service_settings": settings}
    steps = Embedder(OMNI, dimensions, comparable_with="mine").plan()
    if comparable:
        assert feed(steps, lambda _: {"endpoints": [endpoint]})[0].inference_id == OMNI
    else:
        with pytest.raises(ConfigurationError, match="different vector spaces"):
            feed(steps, lambda _: {"endpoints": [endpoint]})
