"""Texts and media on the wire, fed by hand: which travel together, in which form, and whose vectors come back."""

from __future__ import annotations

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
from jina_eis.steps.embedder import BATCH_BYTES, IN_FLIGHT_BYTES, Embedded, Embedder, streams_at_most
from jina_eis.wire.call import Call, Steps, ask

OMNI = ".jina-embeddings-v5-omni-small"


def embedded(embedder: Embedder, contents: list[Content]) -> Steps[list[Embedded]]:
    endpoint = yield from embedder.plan()
    batches = yield from ask(embedder.content_calls(endpoint, contents, "ingest"))
    return [each for batch in batches for each in batch]


def sent(call: Call[Any]) -> list[Any]:
    inputs: list[Any] = call.with_body().body["input"]
    return inputs


def numbered(call: Call[Any], pages: int = 3) -> dict[str, Any]:
    """Vectors that say which input of the user they stand for; those of a PDF's pages, which page."""
    assert call.inputs is not None
    inputs = sent(call)
    if isinstance(inputs[0], dict) and isinstance(inputs[0]["content"], dict) and inputs[0]["content"]["type"] == "pdf":
        assert len(inputs) == 1
        return {"embeddings": [{"embedding": [float(call.inputs[0]), page / 10]} for page in range(pages)]}
    return {"embeddings": [{"embedding": [float(position), 0.5]} for position in call.inputs]}


def sizeless(embedder: Embedder) -> Embedder:
    """Of an endpoint of the user's own, so that vectors may be of any length."""
    return Embedder("mine", batch_size=embedder.batch_size)


def answer(call: Call[Any]) -> Any:
    if call.method == "GET":
        described = {
            "inference_id": "mine",
            "task_type": "embedding",
            "service": "elastic",
            "service_settings": {"model_id": "new"},
        }
        return {"endpoints": [described]}
    return numbered(call)


KINDS = st.sampled_from(["text", "image", "pdf", "fused", "large"])


def made(kind: str, number: int) -> Any:
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
def test_every_input_gets_what_is_its_own(kinds: list[str], batch_size: int) -> None:
    contents = content_list([made(kind, number) for number, kind in enumerate(kinds)])
    found, rounds = feed(embedded(sizeless(Embedder(OMNI, batch_size=batch_size)), contents), answer)
    for position, (kind, each) in enumerate(zip(kinds, found, strict=True)):
        assert each == ([[position, 0.0], [position, 0.1], [position, 0.2]] if kind == "pdf" else [position, 0.5])
    for call in (call for calls in rounds for call in calls if call.method == "POST"):
        assert call.inputs is not None
        inputs = sent(call)
        assert 1 <= len(inputs) <= batch_size
        assert len({isinstance(each, str) for each in inputs}) == 1  # the official schema takes no mixture
        assert len(inputs) == 1 or sum(len(str(each)) for each in inputs) < BATCH_BYTES + 16 * 200


def test_the_forms_of_the_official_schema() -> None:
    contents = content_list([png(), "a", ["b", wav()], mp4()])
    _, ((call,),) = feed(embedded(Embedder(OMNI), contents), lambda call: {"embeddings": [{"embedding": [1.0] * 1024}] * 4})
    assert call.path == "/_inference/embedding/.jina-embeddings-v5-omni-small"
    uris = [Medium.from_bytes(data).data_uri() for data in (png(), wav(), mp4())]
    assert call.with_body().body == {
        "input": [
            {"content": {"type": "image", "format": "base64", "value": uris[0]}},
            {"content": {"type": "text", "value": "a"}},
            {"content": [{"type": "text", "value": "b"}, {"type": "audio", "format": "base64", "value": uris[1]}]},
            {"content": {"type": "video", "format": "base64", "value": uris[2]}},
        ],
        "input_type": "ingest",
    }


def test_texts_alone_stay_texts_for_either_task() -> None:
    for inference_id, task, key in (
        (OMNI, "embedding", "embeddings"),
        (".jina-embeddings-v5-text-small", "text_embedding", "text_embedding"),
    ):
        ones = {key: [{"embedding": [1.0] * 1024}] * 2}
        _, ((call,),) = feed(embedded(Embedder(inference_id), ["a", "b\ud800"]), lambda _, ones=ones: ones)
        assert call.path == f"/_inference/{task}/{inference_id}"
        assert sent(call) == ["a", "b�"]


def test_a_file_is_read_when_it_is_sent_and_must_be_what_was_checked(tmp_path: Any) -> None:
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


def test_not_too_much_is_in_flight() -> None:
    assert streams_at_most(content_list(["text", png()])) is None
    assert streams_at_most(content_list([png(noise=2**20)])) == IN_FLIGHT_BYTES // BATCH_BYTES
    assert streams_at_most(content_list([png(noise=2**25)])) == 1


def test_a_pdf_without_a_page_and_a_picture_with_two_vectors_are_wrong_answers() -> None:
    for data, vectors in ((pdf(), 0), (png(), 2), (png(), 0)):
        answered = {"embeddings": [{"embedding": [1.0] * 1024}] * vectors}
        with pytest.raises(InvalidAnswerError):
            feed(embedded(Embedder(OMNI), content_list([data])), lambda _, answered=answered: answered)


def test_pages_are_cut_and_checked_like_any_vector() -> None:
    found, _ = feed(
        embedded(Embedder(OMNI, 32), content_list([pdf()])), lambda _: {"embeddings": [{"embedding": [3.0] + [0.0] * 1023}] * 2}
    )
    assert found == [[[1.0] + [0.0] * 31] * 2]
    with pytest.raises(InvalidAnswerError, match="512 dimensions instead of 1024"):
        feed(embedded(Embedder(OMNI), content_list([pdf()])), lambda _: {"embeddings": [{"embedding": [1.0] * 512}]})


@pytest.mark.parametrize(
    ("inference_id", "item", "told"),
    [
        (".jina-embeddings-v5-text-small", png(), "is an image, and .jina-embeddings-v5-text-small embeds text only. .jina-embeddings-v5-omni-small does, in the same vector space"),
        (".jina-embeddings-v5-text-nano", wav(), "is a sound, and .jina-embeddings-v5-text-nano embeds text only. .jina-embeddings-v5-omni-nano does, in the same vector space"),
        (".jina-embeddings-v3", pdf(), "is a PDF, and .jina-embeddings-v3 embeds text only. .jina-embeddings-v5-omni-small does, in a vector space of its own: what is indexed must be embedded again"),
        (".jina-clip-v2", mp4(), "is a video, and .jina-clip-v2 embeds text and image only. .jina-embeddings-v5-omni-small does"),
        (".jina-clip-v2", ["a", wav()], "holds a sound, and .jina-clip-v2"),
        (".jina-embeddings-v5-text-small", ["a", "b"], "is made of 2 parts, and .jina-embeddings-v5-text-small makes a vector of one text only. .jina-embeddings-v5-omni-small does"),
    ],
)  # fmt: skip
def test_what_a_model_does_not_embed_is_refused_with_one_that_does(inference_id: str, item: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        feed(embedded(Embedder(inference_id), content_list(["good", item])), numbered)
    assert f"Input 1 {told}" in str(caught.value)


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
def test_which_models_share_a_space(one: str, other: str, shared: bool) -> None:
    assert jina_eis.share_space(one, other) is jina_eis.share_space(other, one) is shared
    assert jina_eis.share_space(one, one)


@pytest.mark.parametrize("name", ["mine", ".jina-reranker-v3", ""])
def test_whether_others_share_a_space_is_not_guessed(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no embedding model that is known here"):
        jina_eis.share_space(name, OMNI)


def test_models_of_different_spaces_are_refused_before_anything_is_sent() -> None:
    assert Embedder(OMNI, comparable_with=".jina-embeddings-v5-text-small")
    with pytest.raises(
        ConfigurationError,
        match=r"different vector spaces. Beside .jina-embeddings-v5-text-small goes .jina-embeddings-v5-omni-small\.",
    ):
        Embedder(".jina-embeddings-v5-omni-nano", comparable_with=".jina-embeddings-v5-text-small")


@pytest.mark.parametrize(
    ("settings", "dimensions", "good"),
    [
        ({"model_id": "jina-embeddings-v5-text-small", "dimensions": 1024}, None, True),
        ({"model_id": "jina-embeddings-v5-text-small", "dimensions": 256}, None, False),
        ({"model_id": "jina-embeddings-v5-text-small", "dimensions": 256}, 256, True),
        ({"model_id": "jina-embeddings-v3", "dimensions": 1024}, None, False),
        ({"model_id": "unheard-of", "dimensions": 1024}, None, True),  # nothing is known against it
    ],
)
def test_an_endpoint_of_the_users_own_is_asked_about(settings: dict[str, Any], dimensions: int | None, good: bool) -> None:
    described = {"inference_id": "mine", "task_type": "text_embedding", "service": "elastic", "service_settings": settings}
    steps = Embedder(OMNI, dimensions, comparable_with="mine").plan()
    if good:
        assert feed(steps, lambda _: {"endpoints": [described]})[0].inference_id == OMNI
    else:
        with pytest.raises(ConfigurationError, match="different vector spaces"):
            feed(steps, lambda _: {"endpoints": [described]})
