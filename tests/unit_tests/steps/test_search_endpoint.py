"""The steps that switch the endpoint for queries, run by hand: the update of the mapping, and what is refused before it."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import feed

from jina_eis.errors import AuthorizationError, ConfigurationError, EndpointNotFoundError, JinaEISError
from jina_eis.steps.search_endpoint import switch_search_endpoint
from jina_eis.wire.call import Call

TEXT, OMNI, NANO = ".jina-embeddings-v5-text-small", ".jina-embeddings-v5-omni-small", ".jina-embeddings-v5-text-nano"
BODY = {
    "type": "semantic_text",
    "inference_id": TEXT,
    "model_settings": {"task_type": "text_embedding", "dimensions": 1024},
    "chunking_settings": {"strategy": "none"},
}
ENDPOINTS = {
    TEXT: ("text_embedding", "jina-embeddings-v5-text-small", 1024),
    OMNI: ("embedding", "jina-embeddings-v5-omni-small", 1024),
    NANO: ("text_embedding", "jina-embeddings-v5-text-nano", 768),
    "own": ("text_embedding", "jina-embeddings-v5-text-small", 1024),
    "other": ("text_embedding", "e5", 1024),
    "reranker": ("rerank", "jina-reranker-v3", None),
}


def switched(
    properties: dict[str, Any],
    inference_id: str,
    *,
    field: str | None = None,
    search_type: Any = "semantic",
    version: str = "9.6.0",
    refusal: JinaEISError | None = None,
) -> tuple[str, list[Any]]:
    """Return the result and the bodies of the updates."""

    def answer(call: Call[Any]) -> Any:
        if call.path == "/":
            return {"version": {"number": version}}
        if call.method == "PUT":
            if refusal:
                raise refusal
            return {"acknowledged": True}
        if call.path == "/docs/_mapping":
            return {"docs": {"mappings": {"properties": properties}}}
        name = call.path.rpartition("/")[2]
        if name not in ENDPOINTS:
            raise EndpointNotFoundError("missing", status=404)
        task, model, dimensions = ENDPOINTS[name]
        settings = {"model_id": model, **({"dimensions": dimensions} if dimensions else {})}
        return {"endpoints": [{"inference_id": name, "task_type": task, "service": "elastic", "service_settings": settings}]}

    before, rounds = feed(switch_search_endpoint("docs", search_type, field, inference_id), answer)
    return before, [call.body for calls in rounds for call in calls if call.method == "PUT"]


def test_the_definition_of_the_field_stays_as_it_is() -> None:
    """An update resets what it leaves out."""
    before, bodies = switched({"text": {"type": "text"}, "body": BODY}, OMNI)
    assert (before, bodies) == (TEXT, [{"properties": {"body": {**BODY, "search_inference_id": OMNI}}}])
    before, bodies = switched({"body": {**BODY, "search_inference_id": OMNI}}, TEXT)
    assert (before, bodies) == (OMNI, [{"properties": {"body": {**BODY, "search_inference_id": TEXT}}}])


def test_the_endpoint_that_is_in_use_needs_no_update() -> None:
    assert switched({"body": BODY}, TEXT) == (TEXT, [])
    assert switched({"body": {**BODY, "search_inference_id": OMNI}}, OMNI) == (OMNI, [])


def test_fields_within_objects_and_other_fields() -> None:
    inner = {"n": {"type": "long"}, "body": BODY}
    (update,) = switched({"a": {"dynamic": "false", "properties": inner}}, OMNI)[1]
    changed = {**inner, "body": {**BODY, "search_inference_id": OMNI}}
    assert update == {"properties": {"a": {"dynamic": "false", "properties": changed}}}
    (update,) = switched({"text": {"type": "text", "analyzer": "english", "fields": {"meaning": BODY}}}, OMNI)[1]
    changed = {"meaning": {**BODY, "search_inference_id": OMNI}}
    assert update == {"properties": {"text": {"type": "text", "analyzer": "english", "fields": changed}}}
    (update,) = switched({"a": {"properties": {"n": {"type": "long"}}}, "a.body": BODY}, OMNI)[1]  # subobjects: false
    assert update == {"properties": {"a.body": {**BODY, "search_inference_id": OMNI}}}


@pytest.mark.parametrize(
    ("properties", "inference_id", "settings", "message"),
    [
        ({"body": BODY}, NANO, {}, "embed into different vector spaces"),
        ({"body": BODY}, "other", {}, "It is not known whether the vectors of other"),
        (
            {"body": BODY},
            "reranker",
            {},
            "reranker is an endpoint for rerank. Queries of a semantic_text field need one for text",
        ),
        ({"body": {"type": "semantic", "inference_id": OMNI}}, TEXT, {}, "Queries of a semantic field need one for embedding."),
        ({"v": {"type": "dense_vector"}}, OMNI, {"search_type": "knn"}, f"Create the retriever with inference_id={OMNI!r}."),
        (
            {"body": BODY},
            OMNI,
            {"version": "9.3.4"},
            "of a semantic_text field needs Elasticsearch 9.4; this deployment has 9.3.4",
        ),
        ({"a": BODY, "b": BODY}, OMNI, {}, "choose one with field"),
    ],
)
def test_what_is_refused_changes_nothing(
    properties: dict[str, Any], inference_id: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        switched(properties, inference_id, **settings, refusal=JinaEISError("sent"))
    assert message in str(caught.value)


def test_an_endpoint_that_does_not_exist() -> None:
    with pytest.raises(EndpointNotFoundError):
        switched({"body": BODY}, "nowhere", refusal=JinaEISError("sent"))


@pytest.mark.parametrize("wrong", [None, "", 5, "_all"])
def test_what_is_not_the_id_of_an_endpoint(wrong: Any) -> None:
    with pytest.raises(JinaEISError, match=r"[pP]ass the id of an endpoint|missing"):
        switched({"body": BODY}, wrong)


def test_another_endpoint_of_the_same_model_needs_no_version() -> None:
    assert switched({"body": BODY}, "own", version="8.19.0") == (
        TEXT,
        [{"properties": {"body": {**BODY, "search_inference_id": "own"}}}],
    )


def test_the_privilege_to_change_the_mapping() -> None:
    with pytest.raises(AuthorizationError, match="Changing the mapping of 'docs' needs the index privilege manage: denied"):
        switched({"body": BODY}, OMNI, refusal=AuthorizationError("denied", status=403))
