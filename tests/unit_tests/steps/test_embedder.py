"""Embedding steps, run by hand: no server, no client, no waiting."""

from __future__ import annotations

import math
from typing import Any

import by_hand
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.contents.inputs import text_list
from jina_eis.errors import ConfigurationError, InputError, InvalidAnswerError
from jina_eis.models import MODELS, EmbeddingModel
from jina_eis.steps.embedder import Embedder
from jina_eis.wire.call import Call, Steps
from jina_eis.wire.inference import well_formed

SMALL, OMNI = ".jina-embeddings-v5-text-small", ".jina-embeddings-v5-omni-small"
OWN = {"endpoints": [{"inference_id": "own", "task_type": "embedding", "service": "elastic",
                      "service_settings": {"model_id": "jina-embeddings-v5-omni-nano", "dimensions": 256}}]}  # fmt: skip


def feed(steps: Steps[Any], answer: Any) -> tuple[Any, list[Call[Any]]]:
    """Return the result and all calls."""
    result, rounds = by_hand.feed(steps, answer)
    return result, [call for calls in rounds for call in calls]


def vectors_of(call: Call[Any], dimensions: int = 1024) -> dict[str, Any]:
    """Vectors that start with the number in their text."""
    key = "text_embedding" if "text_embedding" in call.path else "embeddings"
    return {key: [{"embedding": [float(text), *[1.0] * (dimensions - 1)]} for text in call.body["input"]]}


@given(st.integers(0, 200), st.integers(1, 16))
def test_every_text_receives_its_vector_in_order(number: int, batch_size: int) -> None:
    texts = [str(n) for n in range(number)]
    vectors, sent = feed(Embedder(SMALL, batch_size=batch_size).embed(texts, "ingest"), vectors_of)
    assert [vector[0] for vector in vectors] == list(range(number))
    assert len(sent) == math.ceil(number / batch_size)
    assert [position for call in sent for position in call.inputs or ()] == list(range(number))


@pytest.mark.parametrize(("endpoint", "task"), [(SMALL, "text_embedding"), (OMNI, "embedding")])
@pytest.mark.parametrize("role", ["ingest", "search"])
def test_the_endpoint_decides_the_task_and_the_caller_the_role(endpoint: str, task: str, role: Any) -> None:
    _, (call,) = feed(Embedder(endpoint, timeout=7.5).embed(["1"], role), vectors_of)
    assert (call.method, call.path, call.params) == ("POST", f"/_inference/{task}/{endpoint}", {"timeout": "7500ms"})
    assert call.body == {"input": ["1"], "input_type": role}


def test_a_users_own_endpoint_is_described_once_and_called_by_its_task() -> None:
    embedder = Embedder("own", dimensions=128)
    vectors, (get, post) = feed(
        embedder.embed(["3"], "search"), lambda call: OWN if call.method == "GET" else vectors_of(call, 256)
    )
    assert (get.path, get.cache) == ("/_inference/own", True)
    assert post.path == "/_inference/embedding/own"
    assert len(vectors[0]) == 128


def test_a_truncated_vector_has_unit_length_and_the_same_direction() -> None:
    (vector,), _ = feed(Embedder(SMALL, dimensions=32).embed(["5"], "ingest"), vectors_of)
    assert len(vector) == 32
    assert math.hypot(*vector) == pytest.approx(1.0)
    assert vector[0] / vector[1] == pytest.approx(5.0)


@pytest.mark.parametrize("model", [model for model in MODELS if isinstance(model, EmbeddingModel)], ids=lambda model: model.name)
def test_a_model_accepts_only_the_sizes_it_was_trained_for(model: EmbeddingModel) -> None:
    for size in (*model.matryoshka, model.dimensions):
        Embedder(model.endpoint, dimensions=size)
    for size in model.disputed:
        with pytest.warns(UserWarning, match=str(size)):
            Embedder(model.endpoint, dimensions=size)
    for size in (31, 300, model.dimensions + 1, 2048):
        with pytest.raises(ConfigurationError, match=f"dimensions={size}.*Choose"):
            Embedder(model.endpoint, dimensions=size)


def test_a_reranker_is_refused_before_a_request() -> None:
    with pytest.raises(ConfigurationError, match="is a reranker"):
        Embedder(".jina-reranker-v3")


def test_dimensions_above_those_of_the_users_endpoint_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="own returns 256"):
        feed(Embedder("own", dimensions=512).embed(["1"], "ingest"), lambda _: OWN)


def good(count: int = 2) -> list[Any]:
    return [{"embedding": [0.5] * 1024} for _ in range(count)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"text_embedding": good(1)}, "2 inputs were sent, and the response has 1 vectors"),
        ({"text_embedding": good(3)}, "2 inputs were sent, and the response has 3 vectors"),
        ({"text_embedding": [*good(1), {"embedding": []}]}, "Vector 1 .* empty"),
        ({"text_embedding": [*good(1), {"embedding": [0.5] * 1023}]}, "Vector 1 .* 1023 dimensions instead of 1024"),
        ({"text_embedding": [*good(1), {"embedding": [float("nan")] * 1024}]}, "Vector 1 .* finite"),
        ({"text_embedding": [*good(1), {"embedding": [float("inf")] * 1024}]}, "Vector 1 .* finite"),
        ({"text_embedding": [*good(1), {"embedding": [None] * 1024}]}, "Vector 1 .* finite"),
        ({"text_embedding": [*good(1), {"embedding": ["0.5"] * 1024}]}, "Vector 1 .* finite"),
        ({"text_embedding": [*good(1), {"embedding": [10**400] * 1024}]}, "Vector 1 .* finite"),
        ({"text_embedding": [*good(1), None]}, "Vector 1 .* missing"),
        ({"embeddings": good(2)}, "no list 'text_embedding'"),
        ([], "no list"),
        (None, "no list"),
    ],
)
def test_an_invalid_response_is_an_error(answer: Any, message: str) -> None:
    with pytest.raises(InvalidAnswerError, match=message):
        feed(Embedder(SMALL).embed(["a", "b"], "ingest"), lambda _: answer)


def test_whole_numbers_become_floats() -> None:
    (vector,), _ = feed(Embedder(SMALL).embed(["a"], "ingest"), lambda _: {"text_embedding": [{"embedding": [1] * 1024}]})
    assert set(map(type, vector)) == {float}


@pytest.mark.parametrize("texts", ["one", b"one", 3, None])
def test_a_value_that_is_not_a_list_of_texts_is_refused(texts: Any) -> None:
    with pytest.raises(InputError, match="Pass a list of strings"):
        text_list(texts)


def test_the_error_for_a_non_string_names_its_position() -> None:
    with pytest.raises(InputError, match="Input 2 is None, not a string"):
        text_list(["a", "b", None])


@given(st.text(alphabet=st.characters(codec=None)))
def test_every_string_can_be_sent(text: str) -> None:
    sent = well_formed(text)
    sent.encode()
    assert well_formed(sent) == sent
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert sent == text


def test_surrogates_are_joined_or_replaced() -> None:
    assert well_formed("a\ud83d\ude00b\ud800c") == "a\U0001f600b\ufffdc"


def test_vectors_of_two_responses_must_have_one_length() -> None:
    endpoint = {"endpoints": [{"inference_id": "own", "task_type": "text_embedding", "service": "custom"}]}

    def answer(call: Call[Any]) -> Any:
        return endpoint if call.method == "GET" else vectors_of(call, 4 if call.inputs == range(1) else 3)

    with pytest.raises(InvalidAnswerError, match="different lengths: 3, 4"):
        feed(Embedder("own", batch_size=1).embed(["1", "2"], "ingest"), answer)


def test_the_texts_before_an_invalid_one_are_sent() -> None:
    embedder = Embedder(SMALL, batch_size=4)
    endpoint, _ = feed(embedder.plan(), lambda _: None)
    calls = embedder.calls(endpoint, ["0", "1", "2", "3", "4", None, "6"], "ingest")  # type: ignore[list-item]
    assert [next(calls).inputs, next(calls).inputs] == [range(4), range(4, 5)]
    with pytest.raises(InputError, match="Input 5 is None"):
        next(calls)
