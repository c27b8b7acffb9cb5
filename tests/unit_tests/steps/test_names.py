"""What a name of an endpoint stands for, the default reranker, and suggestions for unknown names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote

import pytest
from by_hand import feed
from hypothesis import assume, given
from hypothesis import strategies as st

from jina_eis.errors import AuthorizationError, ConfigurationError, EndpointNotFoundError, JinaEISError, ServiceError
from jina_eis.models import DEFAULT_RERANKERS, MODELS, EmbeddingModel, Model
from jina_eis.steps import Embedder, Reranker, Searcher
from jina_eis.steps.names import find_default_reranker, resolve, suggestion
from jina_eis.wire.call import Call

V2 = ".jina-reranker-v2-base-multilingual"
OLD_V2 = ".jina-reranker-v2"
V35, V3 = DEFAULT_RERANKERS
FORBIDDEN = AuthorizationError("no", status=403)
NAMES = {model.name: model for model in MODELS}


def deployment(*ids: str, error: JinaEISError | None = None, denied: Collection[str] = ()) -> Callable[[Call[Any]], Any]:
    """Answers as a deployment with these endpoints; with `error`, a deployment that does not show them."""

    def answer(call: Call[Any]) -> Any:
        inference_id = unquote(call.path.rpartition("/")[2])
        if call.method == "GET" and error:
            raise error
        if inference_id not in ids:
            raise EndpointNotFoundError("no", status=404)
        if call.method == "POST":
            return {"rerank": [{"index": 0, "relevance_score": 0.5}]}
        metadata = {"denied_by_region_policy": inference_id in denied}
        return {"endpoints": [{"inference_id": inference_id, "task_type": "x", "service": "elastic", "metadata": metadata}]}

    return answer


def resolved(name: str, answer: Callable[[Call[Any]], Any]) -> tuple[str, list[str]]:
    """The id of a name, and the requests that were sent to find it."""
    result, rounds = feed(resolve(name), answer)
    calls = [call for calls in rounds for call in calls]
    assert all(call.cache and call.cache_refusal and not call.endpoint for call in calls)
    return result, [unquote(call.path.rpartition("/")[2]) for call in calls]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_name_of_a_model_stands_for_its_preconfigured_endpoint(model: Model) -> None:
    ids = [model.endpoint]
    assert resolved(model.endpoint, deployment()) == (model.endpoint, [])
    assert resolved(model.name, deployment(*ids)) == (model.endpoint, [model.name, *([V2] if model.endpoint == V2 else [])])
    assert resolved(f"jinaai/{model.name}", deployment(*ids)) == (model.endpoint, [V2] if model.endpoint == V2 else [])


@pytest.mark.parametrize("name", ["mine", ".elser-2-elastic", ".jina-embeddings-v4", "jinaai/jina-embeddings-v4", "jina"])
def test_a_name_that_no_model_has_is_an_id(name: str) -> None:
    assert resolved(name, deployment()) == (name, [])


@pytest.mark.parametrize(
    ("name", "ids", "expected"),
    [
        ("jina-embeddings-v3", ["jina-embeddings-v3", ".jina-embeddings-v3"], "jina-embeddings-v3"),
        ("jina-reranker-v2", ["jina-reranker-v2", V2, OLD_V2], "jina-reranker-v2"),
        ("jina-reranker-v2", [V2, OLD_V2], V2),
        ("jina-reranker-v2", [OLD_V2], OLD_V2),
        ("jina-reranker-v2", [], V2),
        (OLD_V2, [OLD_V2, V2], OLD_V2),
        (OLD_V2, [V2], V2),
        ("jinaai/jina-reranker-v2-base-multilingual", [OLD_V2], OLD_V2),
        ("jinaai/jina-reranker-v2-base-multilingual", [V2, OLD_V2], V2),
        ("jina-reranker-v2-base-multilingual", [OLD_V2], OLD_V2),
    ],
)
def test_an_endpoint_with_exactly_this_id_comes_first_then_whichever_the_deployment_has(
    name: str, ids: list[str], expected: str
) -> None:
    assert resolved(name, deployment(*ids))[0] == expected


def test_a_key_that_may_not_see_endpoints_uses_the_preconfigured_one() -> None:
    assert resolved("jina-embeddings-v3", deployment(error=FORBIDDEN))[0] == ".jina-embeddings-v3"
    with pytest.raises(ServiceError):
        resolved("jina-embeddings-v3", deployment(error=ServiceError("down", status=500)))


@pytest.mark.parametrize(
    ("answer", "expected", "requests"),
    [
        (deployment(V35, V3), V35, 1),
        (deployment(V3), V3, 1),
        (deployment(V35, V3, denied=[V35]), V3, 1),
        (deployment(V35, V3, error=FORBIDDEN), V35, 2),
        (deployment(V3, error=FORBIDDEN), V3, 2),
    ],
    ids=["both", "v3 only", "v3.5 denied", "hidden", "hidden, v3 only"],
)
def test_the_default_reranker_is_the_newest_of_the_deployment(answer: Any, expected: str, requests: int) -> None:
    found, rounds = feed(find_default_reranker(30.0), answer)
    assert found == expected
    assert len(rounds) == requests
    assert all(call.cache and call.cache_refusal for (call,) in rounds)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_default_reranker_is_not_guessed_after_another_error(method: str) -> None:
    def answer(call: Call[Any]) -> Any:
        raise ServiceError("down", status=500) if call.method == method else FORBIDDEN

    with pytest.raises(ServiceError):
        feed(find_default_reranker(30.0), answer)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jina-embeddings-v5-text-smal", "Did you mean 'jina-embeddings-v5-text-small'?"),
        (".jina-embedings-v5-text-nanno", "Did you mean 'jina-embeddings-v5-text-nano'?"),
        ("jina-reranker-v35", "Did you mean 'jina-reranker-v3.5'?"),
        ("jina-clip-v1", ""),
        ("jina-embeddings-v2", ""),
        ("jina-reranker-v2", "Did you mean 'jina-reranker-v2-base-multilingual'?"),
        ("jina-embeddings-v5-omni", "Did you mean 'jina-embeddings-v5-omni-small' or 'jina-embeddings-v5-omni-nano'?"),
        ("jina-embeddings-v4", "jina-embeddings-v4 is not on EIS."),
        ("jinaai/jina-embeddings-v4", "jina-embeddings-v4 is not on EIS."),
        (".jina-code-embeddings-1.5b", "jina-code-embeddings-1.5b is not on EIS."),
        ("bert", ""),
        ("mine", ""),
        ("jina", ""),
        ("JINA_EMBEDDINGS_V3", "Did you mean 'jina-embeddings-v3'?"),
        (" jina-Reranker v3.5 ", "Did you mean 'jina-reranker-v3.5'?"),
        ("jina-embedings-v3", "Did you mean 'jina-embeddings-v3'?"),
        ("jina-embedings-v5-omni", "Did you mean 'jina-embeddings-v5-omni-small' or 'jina-embeddings-v5-omni-nano'?"),
        ("jina-embeddings-vx", ""),
    ],
)
def test_only_a_misspelling_or_a_beginning_is_suggested(name: str, expected: str) -> None:
    assert suggestion(name, NAMES) == expected


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("jinaai/jina-embeddings-v4", "cannot be an inference endpoint.* jina-embeddings-v4 is not on EIS"),
        ("jinaai/jina-embedings-v3", r"Did you mean '\.jina-embeddings-v3'\?"),
        ("BAAI/bge-m3", "cannot be an inference endpoint"),
        ("JINA_EMBEDDINGS_V3", r"Did you mean '\.jina-embeddings-v3'\?"),
        ("my endpoint", "cannot be an inference endpoint"),
        ("../_cluster", "cannot be an inference endpoint"),
    ],
)
def test_a_name_that_no_endpoint_can_have_is_refused_at_once(name: str, problem: str) -> None:
    for make in (lambda: Embedder(name), lambda: Reranker(name), lambda: Searcher("kb", "semantic", None, inference_id=name)):
        with pytest.raises(ConfigurationError, match=problem):
            make()
    for valid in (".jina-embeddings-v3", "jinaai/jina-embeddings-v3", "facts-256", ".elser-2-elastic"):
        Embedder(valid)


def test_a_name_of_the_table_is_never_answered_with_another_space() -> None:
    known = {f".{name}": model for name, model in NAMES.items()} | {"jina-embeddings-v5-text-nano-2": NAMES["jina-embeddings-v3"]}
    del known[".jina-embeddings-v5-text-nano"]
    assert suggestion(".jina-embeddings-v5-text-nano", known) == ""
    known["jina-embeddings-v5-text-nano-3"] = NAMES["jina-embeddings-v5-text-nano"]
    assert suggestion(".jina-embeddings-v5-text-nano", known) == "Did you mean 'jina-embeddings-v5-text-nano-3'?"


@given(st.sampled_from(MODELS), st.data())
def test_one_edit_of_a_letter_is_understood_and_none_of_a_digit(model: Model, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(model.name) - 1))
    character = data.draw(st.sampled_from("xq09"))
    edited = model.name[:position] + character + model.name[position + 1 :]
    assume(edited != model.name)
    edits_a_digit = character.isdigit() or model.name[position].isdigit()
    hint = suggestion(edited, {model.name: model})
    assert (hint == "") is edits_a_digit


@given(st.sampled_from([model for model in MODELS if isinstance(model, EmbeddingModel)]), st.text("ainost-", max_size=2))
def test_what_is_suggested_for_a_misspelt_embedding_model_embeds_into_its_space(model: EmbeddingModel, added: str) -> None:
    hint = suggestion(f"{model.name}{added}x", NAMES)
    suggested = [other for other in MODELS if f"'{other.name}'" in hint]
    assert all(isinstance(other, EmbeddingModel) and other.space == model.space for other in suggested)
